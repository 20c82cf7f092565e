/*
 * Finding the guests again. Contract: recover.h. The phases: record.h.
 */
#include "xend/recover.h"

#include "xend/admission.h"
#include "xend/attach.h"
#include "xend/build.h"
#include "xend/device.h"
#include "xend/end.h"
#include "xend/lib/alloc.h"
#include "xend/life.h"
#include "xend/log.h"
#include "xend/settings.h"
#include "xend/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void found(struct record *rec, void *arg)
{
    struct domain *d = domain_new(rec);

    domains_lock();
    domains_insert(d);
    domains_unlock();
    domain_put(d);
}

/* Undo a creation, finish a stop. */
static void finish_stop(struct session *s, struct domain *d)
{
    log_warn("%s was being %s when xend ended: it is taken down.", domain_name(d),
             d->rec.phase == PHASE_BUILDING ? "created" : "destroyed");
    domain_unbuild(s, d);
    life_gone(d);
}

static void finish_restart(struct session *s, struct domain *d)
{
    struct error err;

    log_warn("%s was rebooting when xend ended: it is started again.", domain_name(d));
    life_restart(s, d, &err);
}

/* Is d's domain there, alive, and known to the store? */
static bool lives(struct session *s, const struct domain *d)
{
    struct xc_domain_info info;

    return domain_info(s, d, &info) == 0 && !info.dying && !info.shutdown &&
           tree_is_of(s, d->rec.domid, d->rec.cfg.uuid);
}

#define STORE_TRIES    50
#define STORE_PAUSE_US 200000

/* The store may have been killed in the same moment as xend, and be on its way back. */
static int patient_session(struct session **out, struct error *err)
{
    int rc = session_get(out, err);

    for (int i = 0; rc != 0 && i < STORE_TRIES; i++) {
        usleep(STORE_PAUSE_US);
        rc = session_get(out, err);
    }
    return rc;
}

static void recover_worker(struct domain *d)
{
    struct error err;
    auto_session s = NULL;

    if (patient_session(&s, &err) != 0 || domain_begin(d, "being recovered", &err) != 0) {
        log_error("%s is not recovered: %s", domain_name(d), err.msg);
        domain_put(d);
        return;
    }
    if (d->rec.phase == PHASE_BUILDING || d->rec.phase == PHASE_STOPPING) {
        finish_stop(s, d);
    } else if (d->rec.phase == PHASE_RESTARTING || d->rec.phase == PHASE_REBOOTING) {
        finish_restart(s, d);
    } else if (d->rec.phase == PHASE_RUNNING && lives(s, d)) {
        attach_reconcile(s, d);
    }
    domains_lock();
    d->ending = false;
    domains_unlock();
    domain_end(d);
    domain_put(d);
}

/* A running domain: read what only memory knew. Its end, if it has ended, is end.c's. */
static void adopt(struct session *s, struct domain *d)
{
    uint64_t mfn = 0;

    if (xsc_read_u64(s->xs, XSC_NO_TX, &mfn, "/local/domain/%d/store/ring-ref", d->rec.domid) ==
        0) {
        d->store_mfn = mfn;
    }
    if (xsc_read_u64(s->xs, XSC_NO_TX, &mfn, "/local/domain/%d/console/ring-ref", d->rec.domid) ==
        0) {
        d->console_mfn = mfn;
    }
    log_info("%s is found as domain %d.", domain_name(d), d->rec.domid);
}

int recover(struct error *err)
{
    auto_session s = NULL;
    int rc = session_get(&s, err);

    rc = rc ? rc : record_each(found, NULL, err);
    if (rc != 0) {
        return rc;
    }
    vif_recover(s);
    /* No other thread changes the list yet: workers remove only what they were given. */
    domains_lock();
    for (struct domain *d = domains_first(); d != NULL; d = d->next) {
        if (d->rec.phase == PHASE_RUNNING) {
            adopt(s, d);
        }
    }
    domains_unlock();
    for (;;) {
        struct domain *d;

        domains_lock();
        for (d = domains_first(); d != NULL; d = d->next) {
            if (d->rec.phase != PHASE_HALTED && !d->ending) {
                d->ending = true; /* it has its worker */
                d->refs++;
                break;
            }
        }
        domains_unlock();
        if (d == NULL) {
            break;
        }
        worker_start(d, recover_worker);
        domain_put(d);
    }
    return 0;
}

#define BOOT_ID_SIZE 64
#define RECOVERY_S   60 /* how long autostart waits for it */

/* The first line of a file; "" if there is none. */
static void first_line(const char *path, char line[BOOT_ID_SIZE])
{
    FILE *in = fopen(path, "re");

    line[0] = '\0';
    if (in != NULL) {
        if (fgets(line, BOOT_ID_SIZE, in) == NULL) {
            line[0] = '\0';
        }
        fclose(in);
    }
}

static char *mark_path(void)
{
    return xprintf("%s/autostarted", settings.state_dir);
}

/* Not yet done since the machine's boot, whose name is put into `boot`. */
static bool not_autostarted(char boot[BOOT_ID_SIZE])
{
    auto_str mark = mark_path();
    char last[BOOT_ID_SIZE];

    first_line("/proc/sys/kernel/random/boot_id", boot);
    first_line(mark, last);
    return strcmp(boot, last) != 0;
}

/* When all are started: a xend that is killed before goes on with the others. */
static void mark_autostarted(const char *boot)
{
    auto_str mark = mark_path();
    FILE *out = fopen(mark, "we");

    if (out != NULL) {
        fputs(boot, out);
        fclose(out);
    }
}

/* The next stored domain to start: the lowest (order, name) above the last one. */
static struct domain *next_to_start(int64_t order, const char *name)
{
    struct domain *best = NULL;

    domains_lock();
    for (struct domain *d = domains_first(); d != NULL; d = d->next) {
        const struct domain_config *cfg = &d->rec.cfg;
        bool after = cfg->autostart_order > order ||
                     (cfg->autostart_order == order && strcmp(cfg->name, name) > 0);

        if (!d->rec.managed || !cfg->autostart || d->rec.phase != PHASE_HALTED || !after) {
            continue;
        }
        if (best == NULL || cfg->autostart_order < best->rec.cfg.autostart_order ||
            (cfg->autostart_order == best->rec.cfg.autostart_order &&
             strcmp(cfg->name, best->rec.cfg.name) < 0)) {
            best = d;
        }
    }
    if (best != NULL) {
        best->refs++;
    }
    domains_unlock();
    return best;
}

static bool is_recovering(void)
{
    for (const struct domain *d = domains_first(); d != NULL; d = d->next) {
        if (d->ending && d->rec.phase != PHASE_RUNNING && d->rec.cfg.autostart) {
            return true;
        }
    }
    return false;
}

/* What xend was building when it was killed is taken down first; then it is halted like others. */
static void wait_for_recovery(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RECOVERY_S;
    domains_lock();
    while (is_recovering() && domains_wait(&until)) {
    }
    domains_unlock();
}

void autostart(void)
{
    auto_session s = NULL;
    auto_str name = xstrdup("");
    int64_t order = INT64_MIN;
    char boot[BOOT_ID_SIZE];
    struct error err;
    struct domain *d;

    if (!not_autostarted(boot) || session_get(&s, &err) != 0) {
        return;
    }
    wait_for_recovery();
    while ((d = next_to_start(order, name)) != NULL) {
        order = d->rec.cfg.autostart_order;
        str_set(&name, domain_name(d));
        if (life_start(s, d, false, &err) != 0) {
            log_error("%s was not started with the machine: %s", name, err.msg);
        }
        domain_put(d);
    }
    mark_autostarted(boot);
}
