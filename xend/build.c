/*
 * Building domains and taking them down. Contract: build.h.
 */
#include "xend/build.h"

#include "xend/admission.h"
#include "xend/device.h"
#include "xend/events.h"
#include "xend/lib/alloc.h"
#include "xend/log.h"
#include "xend/prepare.h"
#include "xend/sched.h"
#include "xend/settings.h"
#include "xend/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct progress {
    struct domain *d;
    enum xc_build_step step;
    unsigned percent;
    bool any;
};

static bool on_progress(void *context, enum xc_build_step step, uint64_t done, uint64_t total)
{
    struct progress *p = context;
    unsigned percent = total ? (unsigned)(done * 100 / total) : 0;
    struct value *details;
    bool cancel;

    domains_lock();
    cancel = p->d->cancel;
    domains_unlock();
    if (cancel) {
        return false;
    }
    if (p->any && step == p->step && percent < p->percent + 5 && percent < 100) {
        return true;
    }
    p->any = true;
    p->step = step;
    p->percent = percent;
    details = value_dict();
    dict_set(details, "domain", value_string(domain_name(p->d)));
    dict_set(details, "step", value_string(xc_build_step_name(step)));
    dict_set(details, "percent", value_int(percent));
    event_emit("progress", details);
    return true;
}

int domain_check_kernel(struct session *s, const struct domain_config *cfg, struct error *err)
{
    struct xc_kernel_info info;
    int rc = xc_kernel_probe(s->xc, cfg->kernel, settings.kernel_cache, &info);

    if (rc != 0) {
        return fail(err, -rc, "%s", xc_error(s->xc));
    }
    if (!info.pv64) {
        return fail(err, ENOEXEC, "The kernel %s cannot run as a para-virtualised guest: %s",
                    cfg->kernel, info.why_not_pv);
    }
    return 0;
}

static int build_image(struct session *s, struct domain *d, struct xc_build_result *built,
                       struct error *err)
{
    const struct domain_config *cfg = &d->rec.cfg;
    auto_str cmdline = domcfg_cmdline(cfg);
    struct progress progress = {.d = d};
    struct xc_build_config bc;
    int rc;

    xc_build_config_init(&bc);
    uuid_parse(cfg->uuid, bc.domain.uuid);
    bc.domain.max_vcpus = cfg->maxvcpus ? cfg->maxvcpus : cfg->vcpus;
    bc.kernel = cfg->kernel;
    bc.ramdisk = cfg->ramdisk;
    bc.cmdline = cmdline;
    bc.cache_dir = settings.kernel_cache;
    bc.memory_kib = (uint64_t)cfg->memory_mb * 1024;
    bc.maxmem_kib = (uint64_t)cfg->maxmem_mb * 1024;
    bc.progress = on_progress;
    bc.progress_context = &progress;
    prepare_building(cfg->kernel);
    rc = xc_build_pv(s->xc, &bc, built);
    if (rc == -ECANCELED) {
        return fail(err, ECANCELED, "The domain %s was destroyed while it was built.",
                    domain_name(d));
    }
    if (rc != 0) {
        return fail(err, -rc, "%s", xc_error(s->xc));
    }
    domains_lock();
    d->rec.domid = (int)built->domid;
    d->rec.start_time = time(NULL);
    d->store_mfn = built->xenstore_mfn;
    d->console_mfn = built->console_mfn;
    d->preserved = d->ending = false;
    domains_unlock();
    return 0;
}

static int introduce(struct session *s, struct domain *d, const struct xc_build_result *built,
                     struct error *err)
{
    int rc = xsc_introduce(s->xs, built->domid, built->xenstore_mfn, built->xenstore_port);

    if (rc != 0) {
        return fail(err, -rc, "The store does not take in the domain %s: %s.", domain_name(d),
                    strerror(-rc));
    }
    return 0;
}

/* All devices are written first and waited for afterwards: their backends work side by side. */
static int add_devices(struct session *s, struct domain *d, struct error *err)
{
    const struct domain_config *cfg = &d->rec.cfg;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < cfg->nr_disks; i++) {
        rc = vbd_add(s, d, &cfg->disks[i], err);
    }
    for (size_t i = 0; rc == 0 && i < cfg->nr_vifs; i++) {
        rc = vif_add(s, d, &cfg->vifs[i], (uint32_t)i, err);
    }
    for (size_t i = 0; rc == 0 && i < cfg->nr_disks; i++) {
        rc = device_wait_backend(s, d, (struct device){"vbd", cfg->disks[i].vdev}, err);
    }
    for (size_t i = 0; rc == 0 && i < cfg->nr_vifs; i++) {
        rc = device_wait_backend(s, d, (struct device){"vif", (uint32_t)i}, err);
        rc = rc ? rc : vif_attach(s, d, &cfg->vifs[i], (uint32_t)i, err);
    }
    return rc;
}

int domain_build(struct session *s, struct domain *d, struct error *err)
{
    struct xc_build_result built = {0};
    int rc = build_image(s, d, &built, err);

    admission_release(d);
    rc = rc ? rc : tree_write(s, d, &built, err);
    rc = rc ? rc : sched_apply(s, d, err);
    rc = rc ? rc : introduce(s, d, &built, err);
    rc = rc ? rc : add_devices(s, d, err);
    if (rc != 0) {
        log_error("%s was not built: %s", domain_name(d), err->msg);
        domain_unbuild(s, d);
        return rc;
    }
    log_info("%s was built as domain %d: kernel %u ms, memory %u ms, load %u ms%s", domain_name(d),
             d->rec.domid, (unsigned)(built.step_ns[XC_STEP_KERNEL] / 1000000),
             (unsigned)(built.step_ns[XC_STEP_MEMORY] / 1000000),
             (unsigned)(built.step_ns[XC_STEP_LOAD] / 1000000),
             built.kernel_was_cached ? ", kernel from the cache" : "");
    return 0;
}

/* The number of the domain with d's UUID, whatever the record says, or -1. */
static int find_domid(struct session *s, const struct domain *d)
{
    struct xc_domain_info *infos = NULL;
    int n = xc_domain_list_all(s->xc, &infos), domid = -1;

    for (int i = 0; i < n; i++) {
        char uuid[DOMCFG_UUID_BYTES];

        uuid_format(infos[i].uuid, uuid);
        if (strcmp(uuid, d->rec.cfg.uuid) == 0 && infos[i].domid != 0) {
            domid = (int)infos[i].domid;
            break;
        }
    }
    free(infos);
    return domid;
}

static void close_loops(struct domain *d)
{
    struct loop *loops;
    size_t n;

    domains_lock();
    loops = d->loops;
    n = d->nr_loops;
    d->loops = NULL;
    d->nr_loops = 0;
    domains_unlock();
    for (size_t i = 0; i < n; i++) {
        close(loops[i].fd);
    }
    free(loops);
}

/*
 * While a domain is being built only the hypervisor knows its number, by its UUID. That ends with
 * the domain, and its nodes in the store are removed after it: the number is written down first, so
 * that a xend that is killed in between still finds them.
 */
static void remember_domid(struct domain *d, int domid)
{
    struct error err;

    if (d->rec.phase == PHASE_RUNNING || d->rec.phase == PHASE_STOPPING) {
        return; /* it was written down when the domain was complete */
    }
    domains_lock();
    d->rec.domid = domid;
    domains_unlock();
    if (domain_save(d, &err) != 0) {
        log_error("%s", err.msg);
    }
}

#define GONE_FIRST_US 500
#define GONE_LAST_US  1000000

/*
 * The dead are listed, and keep what they have, until xenconsoled and the backends have let go of
 * their pages: a moment, which this waits for, so that who has ended a domain finds it gone. The
 * hypervisor tells only xenstored of it, which has forgotten the domain by then: hence the pauses,
 * each twice as long as the one before.
 */
static void wait_gone(struct session *s, const struct domain *d)
{
    for (useconds_t us = GONE_FIRST_US; find_domid(s, d) >= 0; us *= 2) {
        if (us > GONE_LAST_US) {
            log_warn("%s is dead, but somebody still holds pages of it.", domain_name(d));
            break;
        }
        usleep(us);
    }
}

void domain_unbuild(struct session *s, struct domain *d)
{
    int alive = find_domid(s, d);
    int domid = alive >= 0 ? alive : d->rec.domid;
    bool ours = alive >= 0 || (domid > 0 && tree_is_of(s, domid, d->rec.cfg.uuid));
    int rc;

    if (alive > 0) {
        remember_domid(d, alive);
        rc = xc_domain_pause(s->xc, (uint32_t)alive); /* so that it does nothing new meanwhile */
        if (rc != 0) {
            log_warn("Domain %d was not paused: %s", alive, xc_error(s->xc));
        }
    }
    if (ours && domid > 0) {
        device_remove_all(s, domid);
    }
    close_loops(d);
    if (alive > 0) {
        rc = xc_domain_destroy(s->xc, (uint32_t)alive);
        if (rc != 0 && rc != -ESRCH) {
            log_error("Domain %d was not destroyed: %s", alive, xc_error(s->xc));
        }
    }
    if (ours && domid > 0) {
        xsc_release(s->xs, (unsigned)domid);
    }
    tree_remove(s, ours ? domid : -1, d->rec.cfg.uuid);
    wait_gone(s, d);
    domains_lock();
    d->rec.domid = -1;
    d->store_mfn = d->console_mfn = 0;
    domains_unlock();
}
