/*
 * fake_hv.c: the hypervisor of the fake machine: as much of it as libxenctrl asks for.
 *
 * Read fake.h first.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "tests/unit/libxenctrl/fake_hv.h"
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/privcmd.h>
#include <xen/sched.h>
#include <xen/version.h>

void *fake_guest(uint64_t at, size_t size)
{
    if (!fake_in_buffer(at, size)) {
        fail_msg("a hypercall points to %zu bytes that aren't in a hypercall buffer", size);
    }
    return (void *)(uintptr_t)at;
}

static void record(uint32_t op, const void *arg, size_t size)
{
    fake.last_op = op;
    memcpy(fake.last_arg, arg, size < sizeof(fake.last_arg) ? size : sizeof(fake.last_arg));
}

static struct fake_domain *domain(uint32_t domid)
{
    return domid < FAKE_DOMAINS && fake.domains[domid].exists ? &fake.domains[domid] : NULL;
}

/* The first of @pages free, aligned frames; 0: there are none. */
static uint64_t allocate(uint32_t domid, uint64_t pages)
{
    uint64_t run = 0;

    for (uint64_t mfn = FAKE_FIRST; mfn < FAKE_FRAMES; mfn++) {
        run = fake.owner[mfn] == 0xffff && (run > 0 || mfn % pages == 0) ? run + 1 : 0;
        if (run == pages) {
            for (uint64_t i = 0; i < pages; i++) {
                fake.owner[mfn - i] = (uint16_t)domid;
            }
            fake.free_frames -= pages;
            return mfn + 1 - pages;
        }
    }
    return 0;
}

static long create_domain(struct xen_domctl *d)
{
    uint32_t domid = d->domain;
    struct fake_domain *f;

    for (uint32_t i = 1; domid == 0 && i < FAKE_DOMAINS; i++) {
        domid = fake.domains[i].exists ? 0 : i;
    }
    if (domid == 0 || domid >= FAKE_DOMAINS) {
        return -ENOMEM;
    }
    f = &fake.domains[domid];
    if (f->exists) {
        return -EEXIST;
    }
    *f = (struct fake_domain){.exists = true, .paused = true, .create = d->u.createdomain};
    f->shared_info = allocate(domid, 1);
    f->grant_table = allocate(domid, 1);
    f->address_size = 64;
    d->domain = (domid_t)domid;
    return 0;
}

static long destroy_domain(uint32_t domid)
{
    for (uint64_t mfn = 0; mfn < FAKE_FRAMES; mfn++) {
        if (fake.owner[mfn] == domid) {
            fake.owner[mfn] = 0xffff;
            fake.free_frames++;
        }
    }
    fake.domains[domid].exists = false;
    return 0;
}

void fake_get_info(uint32_t domid, struct xen_domctl_getdomaininfo *info)
{
    const struct fake_domain *f = &fake.domains[domid];

    *info = (struct xen_domctl_getdomaininfo){
        .domain = (domid_t)domid,
        .flags = (f->paused ? XEN_DOMINF_paused : XEN_DOMINF_running),
        .tot_pages = f->tot_pages,
        .max_pages = f->max_mem_kib / 4,
        .shared_info_frame = f->shared_info,
        .nr_online_vcpus = f->vcpus,
        .max_vcpu_id = f->vcpus - 1,
        .cpu_time = 1000 + domid,
    };
    memcpy(info->handle, f->create.handle, sizeof(info->handle));
}

static long vcpu_context(struct xen_domctl *d, struct fake_domain *f)
{
    void *p;

    if (d->u.vcpucontext.vcpu != 0) {
        return -ESRCH;
    }
    p = guest_handle(d->u.vcpucontext.ctxt.p, sizeof(f->context));
    if (d->cmd == XEN_DOMCTL_setvcpucontext) {
        memcpy(&f->context, p, sizeof(f->context));
        f->has_context = true;
    } else {
        memcpy(p, &f->context, sizeof(f->context));
    }
    return 0;
}

static long affinity(struct xen_domctl *d)
{
    struct xen_domctl_vcpuaffinity *a = &d->u.vcpuaffinity;

    if (a->flags & XEN_VCPUAFFINITY_HARD) {
        uint8_t *map = guest_handle(a->cpumap_hard.bitmap.p, a->cpumap_hard.nr_bits / 8);

        if (d->cmd == XEN_DOMCTL_setvcpuaffinity && map[0] == 0) {
            return -EINVAL;
        }
        map[0] = d->cmd == XEN_DOMCTL_getvcpuaffinity ? 0x02 : map[0];
    }
    if (a->flags & XEN_VCPUAFFINITY_SOFT) {
        uint8_t *map = guest_handle(a->cpumap_soft.bitmap.p, a->cpumap_soft.nr_bits / 8);

        map[0] = d->cmd == XEN_DOMCTL_getvcpuaffinity ? 0x03 : map[0];
    }
    return 0;
}

/* Those that act on an existing domain. Others are recorded and succeed. */
static long domctl_on(struct xen_domctl *d, struct fake_domain *f)
{
    switch (d->cmd) {
    case XEN_DOMCTL_destroydomain:
        return destroy_domain(d->domain);
    case XEN_DOMCTL_pausedomain:
    case XEN_DOMCTL_unpausedomain:
        f->paused = d->cmd == XEN_DOMCTL_pausedomain;
        return 0;
    case XEN_DOMCTL_max_vcpus:
        f->vcpus = d->u.max_vcpus.max;
        return f->vcpus == f->create.max_vcpus ? 0 : -EINVAL;
    case XEN_DOMCTL_max_mem:
        f->max_mem_kib = d->u.max_mem.max_memkb;
        return 0;
    case XEN_DOMCTL_set_address_size:
        f->address_size = d->u.address_size.size;
        return f->address_size == 64 ? 0 : -EINVAL;
    case XEN_DOMCTL_get_address_size:
        d->u.address_size.size = f->address_size;
        return 0;
    case XEN_DOMCTL_hypercall_init:
        f->hypercall_page = d->u.hypercall_init.gmfn;
        return f->hypercall_page < FAKE_FRAMES && fake.owner[f->hypercall_page] == d->domain
                   ? 0
                   : -EINVAL;
    case XEN_DOMCTL_getdomaininfo:
        fake_get_info(d->domain, &d->u.getdomaininfo);
        return 0;
    case XEN_DOMCTL_setvcpucontext:
    case XEN_DOMCTL_getvcpucontext:
        return vcpu_context(d, f);
    case XEN_DOMCTL_setvcpuaffinity:
    case XEN_DOMCTL_getvcpuaffinity:
        return affinity(d);
    case XEN_DOMCTL_set_cpu_policy:
        f->nr_leaves = d->u.cpu_policy.nr_leaves;
        assert_in_range(f->nr_leaves, 1, 4);
        memcpy(f->leaves, guest_handle(d->u.cpu_policy.leaves.p, f->nr_leaves * sizeof(*f->leaves)),
               f->nr_leaves * sizeof(*f->leaves));
        return 0;
    default:
        return 0;
    }
}

static long do_domctl(uint64_t at)
{
    struct xen_domctl *d = fake_guest(at, sizeof(*d));

    if (d->interface_version != XEN_DOMCTL_INTERFACE_VERSION) {
        return -EACCES;
    }
    fake.domctl = *d;
    if (fake.result != 0) {
        return fake.result;
    }
    if (d->cmd == XEN_DOMCTL_createdomain) {
        return create_domain(d);
    }
    if (domain(d->domain) == NULL) {
        if (d->cmd == XEN_DOMCTL_getdomaininfo && d->domain < FAKE_DOMAINS) {
            fake_get_info(0, &d->u.getdomaininfo); /* another one, as Xen does */
            return 0;
        }
        return -ESRCH;
    }
    return domctl_on(d, domain(d->domain));
}

static long populate(struct xen_memory_reservation *r, struct fake_domain *f)
{
    uint64_t pages = 1ull << r->extent_order;
    xen_pfn_t *list = guest_handle(r->extent_start.p, r->nr_extents * sizeof(*list));

    if (fake.no_superpages && r->extent_order > 0) {
        return 0;
    }
    for (uint64_t i = 0; i < r->nr_extents; i++) {
        uint64_t mfn = (f->tot_pages + pages) * 4 <= f->max_mem_kib ? allocate(r->domid, pages) : 0;

        if (mfn == 0) {
            return (long)i;
        }
        f->tot_pages += pages;
        f->claimed -= f->claimed < pages ? f->claimed : pages;
        list[i] = mfn;
    }
    return (long)r->nr_extents;
}

static long reservation(uint32_t cmd, uint64_t at)
{
    struct xen_memory_reservation *r = fake_guest(at, sizeof(*r));
    struct fake_domain *f = domain(r->domid);

    record(cmd, r, sizeof(*r));
    if (f == NULL) {
        return -ESRCH;
    }
    switch (cmd) {
    case XENMEM_populate_physmap:
        return populate(r, f);
    case XENMEM_claim_pages:
        if (r->nr_extents > fake.free_frames) {
            return -ENOMEM;
        }
        f->claimed = r->nr_extents;
        return 0;
    default:
        (void)guest_handle(r->extent_start.p, r->nr_extents * sizeof(xen_pfn_t));
        return (long)r->nr_extents;
    }
}

static long do_memory_op(uint32_t cmd, uint64_t at)
{
    struct xen_foreign_memory_map *map;

    switch (cmd) {
    case XENMEM_set_memory_map:
        map = fake_guest(at, sizeof(*map));
        if (domain(map->domid) == NULL) {
            return -ESRCH;
        }
        assert_int_equal(map->map.nr_entries, 1);
        memcpy(&domain(map->domid)->map_bytes, (char *)guest_handle(map->map.buffer.p, 20) + 8, 8);
        return 0;
    case XENMEM_maximum_ram_page:
        return FAKE_FRAMES - 1;
    case XENMEM_maximum_gpfn:
        record(cmd, fake_guest(at, 2), 2);
        return 4095;
    case XENMEM_machphys_mfn_list: {
        struct xen_machphys_mfn_list *l = fake_guest(at, sizeof(*l));

        ((xen_pfn_t *)guest_handle(l->extent_start.p, l->max_extents * 8))[0] = 99;
        l->nr_extents = 1;
        return 0;
    }
    case XENMEM_exchange: {
        struct xen_memory_exchange *x = fake_guest(at, sizeof(*x));

        record(cmd, x, sizeof(*x));
        ((xen_pfn_t *)guest_handle(x->out.extent_start.p, 8))[0] = 4096;
        return 0;
    }
    default:
        return reservation(cmd, at);
    }
}

static long do_event_channel_op(uint32_t cmd, uint64_t at)
{
    struct evtchn_alloc_unbound *a = fake_guest(at, sizeof(*a));
    struct fake_domain *f = domain(a->dom);

    record(cmd, a, sizeof(*a));
    if (f == NULL) {
        return -ESRCH;
    }
    if (cmd == EVTCHNOP_alloc_unbound) {
        f->port_remote[f->ports % 8] = a->remote_dom;
        a->port = ++f->ports;
    } else if (cmd == EVTCHNOP_status) {
        struct evtchn_status *s = fake_guest(at, sizeof(*s));

        s->status = EVTCHNSTAT_interdomain;
        s->vcpu = 1;
        s->u.interdomain.dom = 3;
        s->u.interdomain.port = 12;
    }
    return 0;
}

static long do_mmuext_op(uint64_t at, uint64_t count, uint64_t domid)
{
    struct mmuext_op *op = fake_guest(at, sizeof(*op));
    struct fake_domain *f = domain((uint32_t)domid);

    assert_int_equal(count, 1);
    assert_int_equal(op->cmd, MMUEXT_PIN_L4_TABLE);
    if (f == NULL || op->arg1.mfn >= FAKE_FRAMES || fake.owner[op->arg1.mfn] != domid) {
        return -EINVAL;
    }
    f->pinned = op->arg1.mfn;
    return 0;
}

static long do_xen_version(uint32_t cmd, uint64_t at)
{
    switch (cmd) {
    case XENVER_version:
        return 4 << 16 | 17;
    case XENVER_extraversion:
        (void)snprintf(fake_guest(at, 16), 16, ".5");
        return 0;
    case XENVER_capabilities:
        (void)snprintf(fake_guest(at, 1024), 1024, "xen-3.0-x86_64");
        return 0;
    case XENVER_pagesize:
        return 4096;
    default:
        return -EPERM;
    }
}

static long do_grant_table_op(uint32_t cmd, uint64_t at)
{
    struct gnttab_setup_table *s = fake_guest(at, sizeof(*s));

    assert_int_equal(cmd, GNTTABOP_setup_table);
    if (domain(s->dom) == NULL) {
        return -ESRCH;
    }
    *(xen_pfn_t *)guest_handle(s->frame_list.p, 8) = domain(s->dom)->grant_table;
    return 0;
}

long fake_hypercall(const struct privcmd_hypercall *c)
{
    uint32_t cmd = (uint32_t)c->arg[0];

    switch (c->op) {
    case __HYPERVISOR_domctl:
        return do_domctl(c->arg[0]);
    case __HYPERVISOR_sysctl:
        return fake_sysctl(c->arg[0]);
    case __HYPERVISOR_memory_op:
        return do_memory_op(cmd, c->arg[1]);
    case __HYPERVISOR_event_channel_op:
        return do_event_channel_op(cmd, c->arg[1]);
    case __HYPERVISOR_mmuext_op:
        return do_mmuext_op(c->arg[0], c->arg[1], c->arg[3]);
    case __HYPERVISOR_xen_version:
        return do_xen_version(cmd, c->arg[1]);
    case __HYPERVISOR_grant_table_op:
        return do_grant_table_op(cmd, c->arg[1]);
    case __HYPERVISOR_sched_op:
        record(cmd, fake_guest(c->arg[1], 8), 8);
        return cmd == SCHEDOP_watchdog ? 5 : 0;
    case __HYPERVISOR_hvm_op: {
        struct xen_hvm_param *p = fake_guest(c->arg[1], sizeof(*p));

        record(cmd, p, sizeof(*p));
        p->value = cmd == HVMOP_get_param ? 0x1234 : p->value;
        return 0;
    }
    default:
        fail_msg("unknown hypercall %llu", (unsigned long long)c->op);
        return -ENOSYS;
    }
}
