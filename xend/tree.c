/*
 * A domain's nodes in the store. Contract: tree.h.
 */
#include "xend/tree.h"

#include "xend/lib/alloc.h"
#include "xend/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* One transaction's worth of writing: the first error sticks, so that rows need no checks. */
struct writer {
    struct xsc *xs;
    uint32_t tx;
    int domid;
    char *base;
    int rc;
};

struct job {
    const struct domain *d;
    const struct xc_build_result *built;
};

int tree_perms(struct xsc *xs, uint32_t tx, const char *path, int owner, int reader)
{
    const struct xsc_perm perms[] = {
        {(uint16_t)owner, XSC_NONE},
        {(uint16_t)reader, XSC_READ},
    };

    return xsc_set_perms(xs, tx, path, perms, owner == reader ? 1 : 2);
}

enum who { TOOLS, GUEST }; /* who owns a node: the guest reads what is the tools' */

static void put(struct writer *w, enum who who, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void put(struct writer *w, enum who who, const char *name, const char *fmt, ...)
{
    auto_str path = xprintf("%s%s%s", w->base, name[0] ? "/" : "", name);
    char *value = NULL;
    va_list ap;

    if (w->rc != 0) {
        return;
    }
    va_start(ap, fmt);
    if (vasprintf(&value, fmt, ap) < 0) {
        abort();
    }
    va_end(ap);
    w->rc = xsc_write_str(w->xs, w->tx, path, value);
    free(value);
    if (w->rc == 0 && who == GUEST) {
        w->rc = tree_perms(w->xs, w->tx, path, w->domid, w->domid);
    } else if (w->rc == 0 && name[0] == '\0') {
        w->rc = tree_perms(w->xs, w->tx, path, 0, w->domid); /* what comes below inherits it */
    }
}

static void put_cpus(struct writer *w, const struct domain_config *cfg)
{
    uint32_t max = cfg->maxvcpus ? cfg->maxvcpus : cfg->vcpus;

    for (uint32_t i = 0; i < max; i++) {
        auto_str name = xprintf("cpu/%u/availability", i);

        put(w, TOOLS, name, "%s", i < cfg->vcpus ? "online" : "offline");
    }
}

static void put_domain(struct writer *w, const struct job *job)
{
    const struct domain_config *cfg = &job->d->rec.cfg;
    uint64_t maxmem = cfg->maxmem_mb ? cfg->maxmem_mb : cfg->memory_mb;

    put(w, TOOLS, "", "%s", "");
    put(w, TOOLS, "vm", "/vm/%s", cfg->uuid);
    put(w, TOOLS, "name", "%s", cfg->name);
    put(w, TOOLS, "domid", "%d", w->domid);
    put(w, TOOLS, "cpu", "%s", "");
    put_cpus(w, cfg);
    put(w, TOOLS, "memory", "%s", "");
    put(w, TOOLS, "memory/static-max", "%" PRIu64, maxmem * 1024);
    put(w, TOOLS, "memory/target", "%" PRIu64, (uint64_t)cfg->memory_mb * 1024);
    put(w, TOOLS, "memory/videoram", "0");
    put(w, TOOLS, "device", "%s", "");
    put(w, TOOLS, "device/vbd", "%s", "");
    put(w, TOOLS, "device/vif", "%s", "");
    put(w, TOOLS, "device/suspend", "%s", "");
    put(w, GUEST, "device/suspend/event-channel", "%s", "");
    put(w, TOOLS, "control", "%s", "");
    put(w, GUEST, "control/shutdown", "%s", "");
    put(w, GUEST, "control/sysrq", "%s", "");
    put(w, GUEST, "control/feature-poweroff", "%s", "");
    put(w, GUEST, "control/feature-reboot", "%s", "");
    put(w, GUEST, "control/feature-suspend", "%s", "");
    put(w, TOOLS, "control/platform-feature-multiprocessor-suspend", "1");
    put(w, TOOLS, "control/platform-feature-xs_reset_watches", "1");
    put(w, GUEST, "data", "%s", "");
    put(w, GUEST, "drivers", "%s", "");
    put(w, GUEST, "feature", "%s", "");
    put(w, GUEST, "attr", "%s", "");
    put(w, GUEST, "error", "%s", "");
}

static void put_rings(struct writer *w, const struct job *job)
{
    put(w, TOOLS, "store", "%s", "");
    put(w, TOOLS, "store/port", "%u", job->built->xenstore_port);
    put(w, TOOLS, "store/ring-ref", "%" PRIu64, job->built->xenstore_mfn);
    put(w, TOOLS, "console", "%s", "");
    put(w, TOOLS, "console/backend-id", "0");
    put(w, TOOLS, "console/type", "xenconsoled");
    put(w, TOOLS, "console/output", "pty");
    put(w, TOOLS, "console/limit", "%u", 1u << 20);
    put(w, TOOLS, "console/tty", "%s", "");
    put(w, TOOLS, "console/port", "%u", job->built->console_port);
    put(w, TOOLS, "console/ring-ref", "%" PRIu64, job->built->console_mfn);
}

static int write_body(struct xsc *xs, uint32_t tx, void *arg)
{
    const struct job *job = arg;
    const struct domain_config *cfg = &job->d->rec.cfg;
    struct writer w = {.xs = xs, .tx = tx, .domid = job->d->rec.domid};

    w.rc = xsc_tx_post(xs, tx);
    w.base = xprintf("/local/domain/%d", w.domid);
    put_domain(&w, job);
    put_rings(&w, job);
    free(w.base);
    w.base = xprintf("/vm/%s", cfg->uuid);
    put(&w, TOOLS, "", "%s", "");
    put(&w, TOOLS, "uuid", "%s", cfg->uuid);
    put(&w, TOOLS, "name", "%s", cfg->name);
    put(&w, TOOLS, "start_time", "%lld.00", (long long)time(NULL));
    put(&w, TOOLS, "image/ostype", "linux");
    free(w.base);
    return w.rc;
}

int tree_write(struct session *s, const struct domain *d, const struct xc_build_result *built,
               struct error *err)
{
    struct job job = {d, built};
    auto_str home = xprintf("/local/domain/%d", d->rec.domid);
    int rc = xsc_rm(s->xs, XSC_NO_TX, home); /* of an earlier domain with this number */

    rc = rc == -ENOENT ? 0 : rc;
    rc = rc ? rc : xsc_transact(s->xs, write_body, &job);
    if (rc != 0) {
        return fail(err, -rc, "The store did not take the nodes of %s: %s.", domain_name(d),
                    strerror(-rc));
    }
    return 0;
}

static void remove_path(struct session *s, const char *path)
{
    xsc_rm(s->xs, XSC_NO_TX, path);
}

/* Removes the node, unless something is below it. */
static int remove_empty(struct xsc *xs, uint32_t tx, const char *path)
{
    char **names;
    size_t n;
    int rc = xsc_directory(xs, tx, path, &names, &n);

    if (rc != 0) {
        return rc == -ENOENT ? 0 : rc;
    }
    free(names);
    return n == 0 ? xsc_rm(xs, tx, path) : 0;
}

static int errors_body(struct xsc *xs, uint32_t tx, void *arg)
{
    static const char *const folders[] = {"/backend/vbd", "/backend/vif", "/backend", ""};
    int rc = 0;

    (void)arg;
    for (size_t i = 0; rc == 0 && i < sizeof(folders) / sizeof(folders[0]); i++) {
        auto_str path = xprintf("/local/domain/0/error%s", folders[i]);

        rc = remove_empty(xs, tx, path);
    }
    return rc;
}

/* Linux's backends have written what went wrong; nobody else removes the folders for it. */
static void remove_errors(struct session *s)
{
    int rc = xsc_exists(s->xs, XSC_NO_TX, "/local/domain/0/error")
                 ? xsc_transact(s->xs, errors_body, NULL)
                 : 0;

    if (rc != 0) {
        log_warn("Empty folders of errors stay in the store: %s.", strerror(-rc));
    }
}

void tree_remove(struct session *s, int domid, const char *uuid)
{
    static const char *const classes[] = {"vbd", "vif", "console"};
    auto_str home = xprintf("/local/domain/%d", domid);
    auto_str vm = xprintf("/vm/%s", uuid);

    for (size_t i = 0; domid > 0 && i < sizeof(classes) / sizeof(classes[0]); i++) {
        auto_str backend = xprintf("/local/domain/0/backend/%s/%d", classes[i], domid);
        auto_str failed = xprintf("/local/domain/0/error/backend/%s/%d", classes[i], domid);

        remove_path(s, backend);
        remove_path(s, failed);
    }
    if (domid > 0) {
        remove_errors(s);
        remove_path(s, home);
    }
    remove_path(s, vm);
}

struct change {
    const char *home, *path, *value;
};

static int change_body(struct xsc *xs, uint32_t tx, void *arg)
{
    const struct change *c = arg;

    return xsc_exists(xs, tx, c->home) ? xsc_write_str(xs, tx, c->path, c->value) : -ENOENT;
}

int tree_change(struct session *s, int domid, const char *name, const char *value)
{
    auto_str home = xprintf("/local/domain/%d", domid);
    auto_str path = xprintf("%s/%s", home, name);
    struct change c = {.home = home, .path = path, .value = value};

    return xsc_transact(s->xs, change_body, &c);
}

int tree_rename(struct session *s, const struct domain *d, const char *name, struct error *err)
{
    auto_str in_home = xprintf("/local/domain/%d/name", d->rec.domid);
    auto_str in_vm = xprintf("/vm/%s/name", d->rec.cfg.uuid);
    int rc = xsc_write_str(s->xs, XSC_NO_TX, in_home, name);

    if (rc == 0 && !d->foreign) {
        rc = xsc_write_str(s->xs, XSC_NO_TX, in_vm, name);
    }
    return rc ? fail(err, -rc, "The store did not take the new name: %s.", strerror(-rc)) : 0;
}

bool tree_is_of(struct session *s, int domid, const char *uuid)
{
    auto_str vm = xprintf("/vm/%s", uuid);
    char *found = NULL;
    bool same = xsc_readf(s->xs, XSC_NO_TX, &found, "/local/domain/%d/vm", domid) == 0 &&
                strcmp(found, vm) == 0;

    free(found);
    return same;
}
