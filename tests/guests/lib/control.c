/* Domain 0's control operations for tests. Read control.h first. */
#include "control.h"

long domctl(struct xen_domctl *op, unsigned int cmd)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    return hypercall(__HYPERVISOR_domctl, op);
}

static void sysctl(struct xen_sysctl *s, unsigned int cmd)
{
    s->cmd = cmd;
    s->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    if (hypercall(__HYPERVISOR_sysctl, s) != 0) {
        tap_bail_out("sysctl %u does not work", cmd);
    }
}

void physinfo(struct xen_sysctl_physinfo *info)
{
    struct xen_sysctl s;

    memset(&s, 0, sizeof(s));
    sysctl(&s, XEN_SYSCTL_physinfo);
    *info = s.u.physinfo;
}

unsigned long free_pages(void)
{
    struct xen_sysctl_physinfo info;

    physinfo(&info);
    return info.free_pages;
}

long pages_lost(unsigned long before)
{
    /* The other CPU must have been quiet: on a busy machine its thread may not run for a while. */
    for (unsigned int i = 0; i < 10000 && free_pages() != before; i++) {
        for (unsigned int j = 0; j < 50; j++) {
            hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield);
        }
    }
    return (long)(before - free_pages());
}

void debug_keys(const char *keys)
{
    struct xen_sysctl s;
    char copy[16];

    memset(&s, 0, sizeof(s));
    s.u.debug_keys.nr_keys = (uint32_t)strlen(keys);
    memcpy(copy, keys, strlen(keys));
    s.u.debug_keys.keys.p = copy;
    sysctl(&s, XEN_SYSCTL_debug_keys);
}

static void check(long rc, const char *what)
{
    if (rc != 0) {
        debug_keys("q");
        tap_bail_out("%s: %ld", what, rc);
    }
}

void create_second_domain(unsigned int vcpus, unsigned long *frames, unsigned int pages,
                          unsigned int room)
{
    struct xen_domctl op;
    struct xen_memory_reservation r;

    memset(&op, 0, sizeof(op));
    op.domain = SECOND_DOMAIN;
    op.u.createdomain.max_vcpus = vcpus;
    op.u.createdomain.max_evtchn_port = 1023;
    op.u.createdomain.max_grant_frames = 4;
    op.u.createdomain.max_maptrack_frames = 16;
    op.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(2);
    check(domctl(&op, XEN_DOMCTL_createdomain), "a domain is created");
    memset(&op, 0, sizeof(op));
    op.domain = SECOND_DOMAIN;
    op.u.max_mem.max_memkb = (pages + room) * 4;
    check(domctl(&op, XEN_DOMCTL_max_mem), "its limit is set");
    memset(&op, 0, sizeof(op));
    op.domain = SECOND_DOMAIN;
    op.u.max_vcpus.max = vcpus;
    check(domctl(&op, XEN_DOMCTL_max_vcpus), "it gets its vcpus");
    memset(&r, 0, sizeof(r));
    for (unsigned int i = 0; i < pages; i++) {
        frames[i] = i;
    }
    r.nr_extents = pages;
    r.domid = SECOND_DOMAIN;
    r.extent_start.p = frames;
    check(hypercall(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r) - (long)pages,
          "it gets its memory");
}

long destroy_second_domain(void)
{
    struct xen_domctl op;

    memset(&op, 0, sizeof(op));
    op.domain = SECOND_DOMAIN;
    return domctl(&op, XEN_DOMCTL_destroydomain);
}

long map_foreign(const void *va, uint64_t pte, domid_t owner)
{
    return hypercall(__HYPERVISOR_update_va_mapping_otherdomain, va, pte, UVMF_INVLPG | UVMF_LOCAL,
                     owner);
}
