/*
 * The ends of domains. Contract: end.h.
 */
#include "xend/end.h"

#include "xend/build.h"
#include "xend/device.h"
#include "xend/events.h"
#include "xend/lib/alloc.h"
#include "xend/life.h"
#include "xend/log.h"
#include "xend/tree.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A guest that crashes this soon after its start, this often in a row, is not started again. */
#define QUICK_S       20
#define QUICK_CRASHES 5

struct work {
    struct domain *d;
    void (*fn)(struct domain *d);
};

static void *worker(void *arg)
{
    struct work work = *(struct work *)arg;

    free(arg);
    work.fn(work.d);
    return NULL;
}

void worker_start(struct domain *d, void (*fn)(struct domain *d))
{
    struct work *work = xalloc(sizeof(*work));
    pthread_attr_t attr;
    pthread_t thread;

    work->d = domain_ref(d);
    work->fn = fn;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, worker, work) != 0) {
        log_error("There is no thread left for %s.", domain_name(d));
        domain_put(d);
        free(work);
    }
    pthread_attr_destroy(&attr);
}

static const char *reason_name(enum xc_shutdown_reason reason)
{
    switch (reason) {
    case XC_SHUTDOWN_POWEROFF:
        return "poweroff";
    case XC_SHUTDOWN_REBOOT:
        return "reboot";
    case XC_SHUTDOWN_SUSPEND:
        return "suspend";
    case XC_SHUTDOWN_CRASH:
        return "crash";
    case XC_SHUTDOWN_WATCHDOG:
        return "watchdog";
    case XC_SHUTDOWN_SOFT_RESET:
        return "soft-reset";
    }
    return "unknown";
}

static enum end_action action_for(const struct domain_config *cfg, enum xc_shutdown_reason reason)
{
    switch (reason) {
    case XC_SHUTDOWN_POWEROFF:
        return cfg->on_poweroff;
    case XC_SHUTDOWN_REBOOT:
    case XC_SHUTDOWN_SOFT_RESET:
        return cfg->on_reboot;
    case XC_SHUTDOWN_CRASH:
        return cfg->on_crash;
    case XC_SHUTDOWN_WATCHDOG:
        return cfg->on_watchdog;
    case XC_SHUTDOWN_SUSPEND:
        break;
    }
    return END_PRESERVE;
}

/* Crashes in a row, soon after the start: a guest that can't run would keep the host busy. */
static bool crashes_too_often(const struct domain *d, enum xc_shutdown_reason reason)
{
    bool crash = reason == XC_SHUTDOWN_CRASH || reason == XC_SHUTDOWN_WATCHDOG;

    return crash && d->rec.restarts >= QUICK_CRASHES && time(NULL) - d->rec.start_time < QUICK_S;
}

static void stop(struct session *s, struct domain *d)
{
    struct error err;

    if (domain_set_phase(d, PHASE_STOPPING, &err) != 0) {
        log_error("%s", err.msg);
    }
    domain_unbuild(s, d);
    life_gone(d);
}

static void preserve(struct session *s, struct domain *d)
{
    domains_lock();
    d->preserved = true;
    domains_unlock();
    log_info("%s is preserved as domain %d: xm destroy removes it.", domain_name(d), d->rec.domid);
    event_domain("domain.preserved", domain_name(d), d->rec.cfg.uuid, d->rec.domid);
}

/* A free name for what stays behind when its domain is started anew. */
static char *leftover_name(const char *name)
{
    for (unsigned i = 1;; i++) {
        char *candidate = xprintf("%.*s-%u", DOMCFG_MAX_NAME - 8, name, i);
        bool taken;

        domains_lock();
        taken = domains_find_name(candidate) != NULL;
        domains_unlock();
        if (!taken) {
            return candidate;
        }
        free(candidate);
    }
}

/*
 * The domain that has ended gets another name and UUID and stays, without devices; d itself goes on
 * without a domain and is started anew.
 */
static int leave_behind(struct session *s, struct domain *d, struct error *err)
{
    struct record rec = {.phase = PHASE_RUNNING, .domid = d->rec.domid};
    auto_value sxp = value_list();
    struct domain *old;
    uint8_t uuid[16];
    int rc;

    list_add(sxp, value_string("vm"));
    domcfg_to_sxp(&d->rec.cfg, sxp);
    rc = domcfg_from_sxp(sxp, &rec.cfg, err);
    if (rc != 0) {
        return rc;
    }
    device_remove_all(s, d->rec.domid);
    while (rec.cfg.nr_disks > 0) {
        domcfg_remove_disk(&rec.cfg, rec.cfg.disks[0].vdev);
    }
    while (rec.cfg.nr_vifs > 0) {
        domcfg_remove_vif(&rec.cfg, 0);
    }
    free(rec.cfg.name);
    rec.cfg.name = leftover_name(domain_name(d));
    uuid_generate(rec.cfg.uuid);
    rec.start_time = d->rec.start_time;
    uuid_parse(rec.cfg.uuid, uuid);
    rc = record_write(&rec, err);
    if (rc == 0 && xc_domain_set_uuid(s->xc, (uint32_t)rec.domid, uuid) != 0) {
        rc = fail(err, EIO, "%s", xc_error(s->xc));
    }
    if (rc != 0) {
        record_remove(rec.cfg.uuid, NULL);
        domcfg_finish(&rec.cfg);
        return rc;
    }
    old = domain_new(&rec);
    old->preserved = true;
    domains_lock();
    domains_insert(old);
    d->rec.domid = -1;
    domains_unlock();
    tree_rename(s, old, old->rec.cfg.name, NULL);
    domain_put(old);
    return 0;
}

static void dump(struct session *s, struct domain *d)
{
    struct error err;
    char *written = NULL;

    if (life_write_dump(s, d, NULL, &written, &err) != 0) {
        log_error("%s", err.msg);
    }
    free(written);
}

static void act(struct session *s, struct domain *d, enum end_action action)
{
    struct error err;

    switch (action) {
    case END_DESTROY:
        stop(s, d);
        break;
    case END_RESTART:
        life_restart(s, d, &err);
        break;
    case END_RENAME_RESTART:
        if (leave_behind(s, d, &err) != 0) {
            log_error("%s was not left behind: %s", domain_name(d), err.msg);
        }
        life_restart(s, d, &err);
        break;
    case END_PRESERVE:
        preserve(s, d);
        break;
    case END_COREDUMP_DESTROY:
        dump(s, d);
        stop(s, d);
        break;
    case END_COREDUMP_RESTART:
        dump(s, d);
        life_restart(s, d, &err);
        break;
    }
}

static void announce_end(const struct domain *d, const char *reason)
{
    struct value *details = value_dict();

    dict_set(details, "domain", value_string(domain_name(d)));
    dict_set(details, "uuid", value_string(d->rec.cfg.uuid));
    dict_set(details, "domid", value_int(d->rec.domid));
    dict_set(details, "reason", value_string(reason));
    event_emit("domain.ended", details);
}

/* d is busy. What it looks like now decides, not what it looked like when the worker started. */
static void handle(struct session *s, struct domain *d)
{
    struct xc_domain_info info;
    enum end_action action;
    int rc;

    if (d->rec.phase != PHASE_RUNNING || d->preserved) {
        return;
    }
    rc = domain_info(s, d, &info);
    if (rc == -ESRCH || (rc == 0 && info.dying)) {
        log_warn("%s (domain %d) was destroyed by someone else.", domain_name(d), d->rec.domid);
        announce_end(d, "vanished");
        stop(s, d);
        return;
    }
    if (rc != 0 || !info.shutdown || info.shutdown_reason == XC_SHUTDOWN_SUSPEND) {
        return;
    }
    action = action_for(&d->rec.cfg, info.shutdown_reason);
    if (crashes_too_often(d, info.shutdown_reason)) {
        log_error("%s crashed %u times, each time soon after its start: it is not started again.",
                  domain_name(d), d->rec.restarts + 1);
        action = END_DESTROY;
    }
    log_info("%s (domain %d) ended with %s: %s.", domain_name(d), d->rec.domid,
             reason_name(info.shutdown_reason), end_action_name(action));
    announce_end(d, reason_name(info.shutdown_reason));
    act(s, d, action);
}

static void end_worker(struct domain *d)
{
    struct error err;
    auto_session s = NULL;

    if (session_get(&s, &err) != 0 || domain_begin(d, "being ended", &err) != 0) {
        log_error("The end of %s is not handled yet: %s", domain_name(d), err.msg);
    } else {
        handle(s, d);
        domain_end(d);
    }
    domains_lock();
    d->ending = false;
    domains_unlock();
    domain_put(d);
}

/* Whether d should have a worker for its end; n infos in ascending order of domid. */
static bool has_ended(const struct domain *d, const struct xc_domain_info *infos, int n)
{
    if (d->rec.phase != PHASE_RUNNING || d->ending || d->preserved || d->busy != NULL) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        char uuid[DOMCFG_UUID_BYTES];

        if ((int)infos[i].domid != d->rec.domid) {
            continue;
        }
        uuid_format(infos[i].uuid, uuid);
        if (strcmp(uuid, d->rec.cfg.uuid) != 0) {
            return true;
        }
        return infos[i].dying ||
               (infos[i].shutdown && infos[i].shutdown_reason != XC_SHUTDOWN_SUSPEND);
    }
    return true;
}

void end_scan(struct session *s)
{
    struct xc_domain_info *infos = NULL;
    int n = xc_domain_list_all(s->xc, &infos);
    struct domain *d;

    if (n < 0) {
        log_error("The hypervisor does not list its domains: %s", xc_error(s->xc));
        return;
    }
    do {
        domains_lock();
        for (d = domains_first(); d != NULL && !has_ended(d, infos, n); d = d->next) {
        }
        if (d != NULL) {
            d->ending = true;
            d->refs++;
        }
        domains_unlock();
        if (d != NULL) {
            worker_start(d, end_worker);
            domain_put(d);
        }
    } while (d != NULL);
    free(infos);
}
