/*
 * What people ask of a running domain: shutdown, pause, rename, dump. Contract: life.h.
 */
#include "xend/life.h"

#include "xend/admission.h"
#include "xend/build.h"
#include "xend/device.h"
#include "xend/events.h"
#include "xend/lib/alloc.h"
#include "xend/log.h"
#include "xend/settings.h"
#include "xend/tree.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int running(struct session *s, struct domain *d, struct xc_domain_info *info,
                   struct error *err)
{
    if (domain_info(s, d, info) != 0) {
        return fail(err, ESRCH, "The domain %s is not running.", domain_name(d));
    }
    return 0;
}

/* A guest that handles a request says so with control/feature-NAME = 1. */
static bool guest_listens(struct session *s, int domid, const char *reason)
{
    uint64_t feature = 0;

    return xsc_read_u64(s->xs, XSC_NO_TX, &feature, "/local/domain/%d/control/feature-%s", domid,
                        strcmp(reason, "halt") == 0 ? "poweroff" : reason) == 0 &&
           feature == 1;
}

int life_shutdown(struct session *s, struct domain *d, const char *reason, struct error *err)
{
    static const char *const reasons[] = {"poweroff", "reboot", "halt"};
    struct xc_domain_info info;
    bool known = false;
    int rc;

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        known = known || strcmp(reason, reasons[i]) == 0;
    }
    if (!known) {
        return fail(err, EINVAL,
                    "A domain can be asked for poweroff, reboot or halt, and not for "
                    "\"%s\".",
                    reason);
    }
    if (d->rec.domid == 0) {
        return fail(err, EPERM, "Domain 0 is shut down with its own shutdown command.");
    }
    rc = running(s, d, &info, err);
    if (rc == 0 && info.paused) {
        rc = fail(err, EBUSY, "The domain %s is paused and hears nothing: unpause it first.",
                  domain_name(d));
    }
    if (rc != 0) {
        return rc;
    }
    if (!guest_listens(s, d->rec.domid, reason)) {
        log_warn("%s has not said that it handles %s: it may still be booting.", domain_name(d),
                 reason);
    }
    rc = tree_change(s, (int)info.domid, "control/shutdown", reason);
    if (rc == -ENOENT) {
        return fail(err, ENOENT, "The domain %s is not running.", domain_name(d));
    }
    if (rc != 0) {
        return fail(err, -rc, "The store did not take the request: %s.", strerror(-rc));
    }
    log_info("%s was asked for %s.", domain_name(d), reason);
    return 0;
}

int life_pause(struct session *s, struct domain *d, struct error *err)
{
    struct xc_domain_info info;
    int rc = running(s, d, &info, err);

    if (d->rec.domid == 0) {
        return fail(err, EPERM, "Domain 0 cannot be paused: nothing could unpause it.");
    }
    if (rc != 0 || info.paused) {
        return rc;
    }
    rc = xc_domain_pause(s->xc, (uint32_t)d->rec.domid);
    if (rc != 0) {
        return fail(err, -rc, "%s", xc_error(s->xc));
    }
    event_domain("domain.paused", domain_name(d), d->rec.cfg.uuid, d->rec.domid);
    return 0;
}

int life_unpause(struct session *s, struct domain *d, struct error *err)
{
    struct xc_domain_info info;
    int rc = running(s, d, &info, err);

    if (rc != 0 || !info.paused) {
        return rc;
    }
    rc = xc_domain_unpause(s->xc, (uint32_t)d->rec.domid);
    if (rc != 0) {
        return fail(err, -rc, "%s", xc_error(s->xc));
    }
    event_domain("domain.unpaused", domain_name(d), d->rec.cfg.uuid, d->rec.domid);
    return 0;
}

int life_rename(struct session *s, struct domain *d, const char *name, struct error *err)
{
    auto_str old = xstrdup(domain_name(d));
    int rc;

    if (d->rec.domid == 0) {
        return fail(err, EPERM, "Domain 0 keeps its name.");
    }
    rc = domain_begin(d, "being renamed", err);
    if (rc != 0) {
        return rc;
    }
    rc = admission_rename(s, d, name, err);
    if (rc == 0) {
        rc = domain_save(d, err);
        if (rc == 0 && d->rec.domid > 0) {
            rc = vif_rename_all(s, d->rec.domid, name, err);
            rc = rc ? rc : tree_rename(s, d, name, err);
        }
        if (rc != 0) {
            vif_rename_all(s, d->rec.domid, old, NULL);
            domains_lock();
            str_set(&d->rec.cfg.name, old);
            domains_unlock();
            domain_save(d, NULL);
        }
    }
    if (rc == 0) {
        log_info("%s is now named %s.", old, name);
        event_domain("domain.renamed", name, d->rec.cfg.uuid, d->rec.domid);
    }
    domain_end(d);
    return rc;
}

int life_sysrq(struct session *s, struct domain *d, const char *key, struct error *err)
{
    struct xc_domain_info info;
    int rc = running(s, d, &info, err);

    if (rc != 0) {
        return rc;
    }
    if (strlen(key) != 1 || !isalnum((unsigned char)key[0])) {
        return fail(err, EINVAL, "A sysrq is one letter or digit: h shows which there are.");
    }
    rc = tree_change(s, (int)info.domid, "control/sysrq", key);
    return rc ? fail(err, -rc, "The store did not take the key: %s.", strerror(-rc)) : 0;
}

static bool on_dump(void *context, uint64_t done, uint64_t total)
{
    struct domain *d = context;
    bool go_on;

    domains_lock();
    go_on = !d->cancel;
    domains_unlock();
    return go_on;
}

static char *dump_name(const struct domain *d)
{
    char stamp[32];
    time_t now = time(NULL);
    struct tm tm;

    localtime_r(&now, &tm);
    strftime(stamp, sizeof(stamp), "%Y-%m%d-%H%M.%S", &tm);
    return xprintf("%s/dumps/%s-%s.%d.core", settings.state_dir, stamp, domain_name(d),
                   d->rec.domid);
}

int life_write_dump(struct session *s, struct domain *d, const char *path, char **written,
                    struct error *err)
{
    char *name = path ? xstrdup(path) : dump_name(d);
    int rc, fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        rc = fail(err, errno, "The dump %s cannot be written: %s.", name, strerror(errno));
        free(name);
        return rc;
    }
    rc = xc_domain_dump_core(s->xc, (uint32_t)d->rec.domid, fd, on_dump, d);
    if (rc != 0) {
        fail(err, -rc, "%s was not dumped: %s", domain_name(d), xc_error(s->xc));
        unlink(name);
    }
    close(fd);
    if (rc == 0) {
        log_info("%s was dumped to %s.", domain_name(d), name);
        *written = name;
    } else {
        free(name);
    }
    return rc;
}

int life_dump(struct session *s, struct domain *d, const char *path, bool live, bool crash,
              bool reset, char **written, struct error *err)
{
    struct xc_domain_info info;
    bool paused = false;
    int rc = domain_begin(d, "being dumped", err);

    if (rc != 0) {
        return rc;
    }
    rc = running(s, d, &info, err);
    if (rc == 0 && d->rec.domid == 0) {
        rc = fail(err, EPERM, "Domain 0 cannot be dumped: it would have to stop meanwhile.");
    }
    if (rc == 0 && !live && !info.paused && !info.shutdown) {
        rc = xc_domain_pause(s->xc, (uint32_t)d->rec.domid);
        paused = rc == 0;
        if (rc != 0) {
            fail(err, -rc, "%s", xc_error(s->xc));
        }
    }
    rc = rc ? rc : life_write_dump(s, d, path, written, err);
    if (rc == 0 && crash) {
        rc = domain_set_phase(d, PHASE_STOPPING, err);
        domain_unbuild(s, d);
        life_gone(d);
    } else if (rc == 0 && reset && !d->foreign) {
        rc = life_restart(s, d, err);
    } else if (paused && xc_domain_unpause(s->xc, (uint32_t)d->rec.domid) != 0) {
        log_error("%s stays paused after its dump: %s", domain_name(d), xc_error(s->xc));
    }
    domain_end(d);
    return rc;
}
