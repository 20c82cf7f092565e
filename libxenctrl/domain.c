/*
 * domain.c: the life of domains and their limits: one function for each domctl.
 *
 * Read private.h first. Listing is in list.c, rights to hardware in permission.c.
 */
#include "libxenctrl/private.h"
#include <xen/sched.h>

void xc_domain_config_init(struct xc_domain_config *config)
{
    *config = (struct xc_domain_config){
        .max_vcpus = 1,
        .max_evtchn = 1023,
        .grant_frames = -1,
        .maptrack_frames = -1,
        .grant_version = 2,
    };
}

static int create_failed(struct xc_handle *h, const struct xc_domain_config *config, int rc)
{
    switch (rc) {
    case -EEXIST:
        return xc_fail(h, rc, "Domain number %u is taken: choose another, or 0 for any.",
                       config->domid);
    case -ENOMEM:
        return xc_fail(
            h, rc,
            "The hypervisor has no memory for a new domain: shut one down, or shrink one "
            "with `xm mem-set`.");
    case -EINVAL:
        return xc_fail(h, rc,
                       "The hypervisor refuses to create a domain with %u virtual CPUs, %d grant "
                       "frames and CPU pool %u: `xm dmesg` may tell which of them it is.",
                       config->max_vcpus, config->grant_frames, config->cpupool);
    default:
        return xc_fail(h, rc, "The hypervisor can't create a domain: %s.", xc_reason(rc));
    }
}

static int create_empty(struct xc_handle *h, const struct xc_domain_config *config, uint32_t *domid)
{
    struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_createdomain, config->domid);
    struct xen_domctl_createdomain *c = &d->u.createdomain;
    int rc;

    c->ssidref = config->ssidref;
    memcpy(c->handle, config->uuid, sizeof(c->handle));
    c->flags = config->flags;
    c->max_vcpus = config->max_vcpus;
    c->max_evtchn_port = config->max_evtchn;
    c->max_grant_frames = config->grant_frames;
    c->max_maptrack_frames = config->maptrack_frames;
    c->grant_opts = XEN_DOMCTL_GRANT_version(config->grant_version);
    c->cpupool_id = config->cpupool;
    c->arch.emulation_flags = config->emulation;
    c->arch.misc_flags = config->relaxed_msr ? XEN_X86_MSR_RELAXED : 0;
    rc = xc_domctl(h);
    if (rc < 0) {
        return create_failed(h, config, rc);
    }
    *domid = d->domain;
    return 0;
}

void xc_domain_undo(struct xc_handle *h, uint32_t domid)
{
    (void)xc_domctl_begin(h, XEN_DOMCTL_destroydomain, domid);
    (void)xc_domctl(h);
}

int xc_domain_create(struct xc_handle *h, const struct xc_domain_config *config, uint32_t *domid)
{
    uint32_t created = XC_DOMID_INVALID;
    int rc;

    if (config->domid >= XC_DOMID_RESERVED) {
        return xc_fail(h, -EINVAL, "%u is no domain number: they go from 1 to %u.", config->domid,
                       XC_DOMID_RESERVED - 1);
    }
    if (config->max_vcpus == 0) {
        return xc_fail(h, -EINVAL, "A domain needs at least one virtual CPU.");
    }
    rc = create_empty(h, config, &created);
    if (rc < 0) {
        return rc;
    }
    rc = xc_domain_max_vcpus(h, created, config->max_vcpus);
    if (rc < 0) {
        xc_domain_undo(h, created);
        return rc;
    }
    *domid = created;
    return 0;
}

int xc_domain_max_vcpus(struct xc_handle *h, uint32_t domid, uint32_t max)
{
    struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_max_vcpus, domid);

    d->u.max_vcpus.max = max;
    return xc_domctl_named(h, "given its virtual CPUs");
}

int xc_domain_destroy(struct xc_handle *h, uint32_t domid)
{
    (void)xc_domctl_begin(h, XEN_DOMCTL_destroydomain, domid);
    return xc_domctl_named(h, "destroyed");
}

int xc_domain_pause(struct xc_handle *h, uint32_t domid)
{
    (void)xc_domctl_begin(h, XEN_DOMCTL_pausedomain, domid);
    return xc_domctl_named(h, "paused");
}

int xc_domain_unpause(struct xc_handle *h, uint32_t domid)
{
    (void)xc_domctl_begin(h, XEN_DOMCTL_unpausedomain, domid);
    return xc_domctl_named(h, "unpaused");
}

int xc_domain_resume(struct xc_handle *h, uint32_t domid)
{
    (void)xc_domctl_begin(h, XEN_DOMCTL_resumedomain, domid);
    return xc_domctl_named(h, "resumed");
}

int xc_domain_shutdown(struct xc_handle *h, uint32_t domid, enum xc_shutdown_reason reason)
{
    struct sched_remote_shutdown *s = xc_control(h, sizeof(*s));
    long r;

    s->domain_id = xc_domid(domid);
    s->reason = reason;
    r = xc_call(h, __HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, (uintptr_t)s, 0);
    if (r < 0) {
        return xc_fail(h, (int)r, "Domain %u can't be shut down: %s.", domid, xc_reason((int)r));
    }
    return 0;
}

int xc_watchdog(struct xc_handle *h, uint32_t id, uint32_t seconds)
{
    struct sched_watchdog *w = xc_control(h, sizeof(*w));
    long r;

    w->id = id;
    w->timeout = seconds;
    r = xc_call(h, __HYPERVISOR_sched_op, SCHEDOP_watchdog, (uintptr_t)w, 0);
    if (r == -EEXIST) {
        return xc_fail(h, (int)r, "There is no watchdog %u: set one with id 0 first.", id);
    }
    if (r < 0) {
        return xc_fail(h, (int)r, "The watchdog can't be set: %s.", xc_reason((int)r));
    }
    return (int)r;
}

int xc_domain_max_mem(struct xc_handle *h, uint32_t domid, uint64_t kib)
{
    struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_max_mem, domid);

    d->u.max_mem.max_memkb = kib;
    return xc_domctl_named(h, "given another memory limit");
}

int xc_domain_set_uuid(struct xc_handle *h, uint32_t domid, const uint8_t uuid[16])
{
    struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_setdomainhandle, domid);

    memcpy(d->u.setdomainhandle.handle, uuid, sizeof(d->u.setdomainhandle.handle));
    return xc_domctl_named(h, "given another UUID");
}

int xc_domain_set_target(struct xc_handle *h, uint32_t domid, uint32_t target)
{
    struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_set_target, domid);

    d->u.set_target.target = xc_domid(target);
    return xc_domctl_named(h, "given a target domain");
}

int xc_domain_set_time_offset(struct xc_handle *h, uint32_t domid, int64_t seconds)
{
    struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_settimeoffset, domid);

    d->u.settimeoffset.time_offset_seconds = seconds;
    return xc_domctl_named(h, "given another time offset");
}

int xc_domain_set_tsc(struct xc_handle *h, uint32_t domid, uint32_t mode, uint32_t khz)
{
    struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_settscinfo, domid);

    d->u.tsc_info.tsc_mode = mode;
    d->u.tsc_info.gtsc_khz = khz;
    return xc_domctl_named(h, "given another time stamp counter");
}

int xc_domain_set_address_size(struct xc_handle *h, uint32_t domid, uint32_t bits)
{
    struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_set_address_size, domid);

    d->u.address_size.size = bits;
    return xc_domctl_named(h, bits == 32 ? "made a 32-bit guest" : "made a 64-bit guest");
}

int xc_domain_get_address_size(struct xc_handle *h, uint32_t domid, uint32_t *bits)
{
    const struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_get_address_size, domid);
    int rc = xc_domctl_named(h, "asked for its address size");

    if (rc == 0) {
        *bits = d->u.address_size.size;
    }
    return rc;
}
