/*
 * fake_sysctl.c: the sysctls of the fake machine's hypervisor.
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

static long list_domains(struct xen_sysctl_getdomaininfolist *l)
{
    struct xen_domctl_getdomaininfo *to = guest_handle(l->buffer.p, l->max_domains * sizeof(*to));
    uint32_t n = 0;

    for (uint32_t i = l->first_domain; i < FAKE_DOMAINS && n < l->max_domains; i++) {
        if (fake.domains[i].exists) {
            fake_get_info(i, &to[n++]);
        }
    }
    l->num_domains = n;
    return 0;
}

static long cpu_policy(struct xen_sysctl_cpu_policy *p)
{
    xen_cpuid_leaf_t *leaves;

    if (p->leaves.p == NULL) {
        p->nr_leaves = 4;
        return 0;
    }
    leaves = guest_handle(p->leaves.p, p->nr_leaves * sizeof(*leaves));
    leaves[0] = (xen_cpuid_leaf_t){.leaf = 1, .d = 1};
    leaves[1] = (xen_cpuid_leaf_t){.leaf = 0x80000001, .c = 2};
    leaves[2] = (xen_cpuid_leaf_t){.leaf = 0x80000007, .d = 0x100};
    p->nr_leaves = 3;
    return 0;
}

static long sysctl_list(struct xen_sysctl *s)
{
    switch (s->cmd) {
    case XEN_SYSCTL_getdomaininfolist:
        return list_domains(&s->u.getdomaininfolist);
    case XEN_SYSCTL_cputopoinfo:
        if (s->u.cputopoinfo.cputopo.p != NULL) {
            struct xen_sysctl_cputopo *t =
                guest_handle(s->u.cputopoinfo.cputopo.p, s->u.cputopoinfo.num_cpus * sizeof(*t));

            t[0] = (struct xen_sysctl_cputopo){0, 0, 0};
            t[1] = (struct xen_sysctl_cputopo){1, 0, 0};
        }
        s->u.cputopoinfo.num_cpus = 2;
        return 0;
    case XEN_SYSCTL_numainfo:
        if (s->u.numainfo.meminfo.p != NULL) {
            struct xen_sysctl_meminfo *m = guest_handle(s->u.numainfo.meminfo.p, sizeof(*m));

            *m = (struct xen_sysctl_meminfo){128 << 20, 64 << 20};
            *(uint32_t *)guest_handle(s->u.numainfo.distance.p, 4) = 10;
        }
        s->u.numainfo.num_nodes = 1;
        return 0;
    case XEN_SYSCTL_getcpuinfo:
        ((struct xen_sysctl_cpuinfo *)guest_handle(s->u.getcpuinfo.info.p, 16))[1].idletime = 77;
        s->u.getcpuinfo.nr_cpus = 2;
        return 0;
    case XEN_SYSCTL_readconsole: {
        char *to = guest_handle(s->u.readconsole.buffer.p, s->u.readconsole.count);
        uint32_t n = (uint32_t)strlen(fake.console) - s->u.readconsole.index;

        n = n < s->u.readconsole.count ? n : s->u.readconsole.count;
        memcpy(to, fake.console + s->u.readconsole.index, n);
        s->u.readconsole.count = n;
        s->u.readconsole.index += n;
        return 0;
    }
    default:
        return -ENOSYS;
    }
}

static long perfc(struct xen_sysctl_perfc_op *p)
{
    if (p->desc.p != NULL) {
        struct xen_sysctl_perfc_desc *d = guest_handle(p->desc.p, 2 * sizeof(*d));
        uint32_t *values = guest_handle(p->val.p, 3 * sizeof(*values));

        memset(d[0].name, 'x', sizeof(d[0].name)); /* no end */
        d[0].nr_vals = 2;
        (void)snprintf(d[1].name, sizeof(d[1].name), "second");
        d[1].nr_vals = 9; /* more than there are */
        values[0] = 10;
        values[1] = 11;
        values[2] = 12;
    }
    p->nr_counters = 2;
    p->nr_vals = 3;
    return 0;
}

static long cpupool(struct xen_sysctl_cpupool_op *p)
{
    if (p->cpupool_id > 0) {
        return -ENOENT;
    }
    *(uint8_t *)guest_handle(p->cpumap.bitmap.p, p->cpumap.nr_bits / 8) = 3;
    p->sched_id = XEN_SCHEDULER_CREDIT;
    p->n_dom = 4;
    return 0;
}

long fake_sysctl(uint64_t at)
{
    struct xen_sysctl *s = fake_guest(at, sizeof(*s));

    if (s->interface_version != XEN_SYSCTL_INTERFACE_VERSION) {
        return -EACCES;
    }
    fake.sysctl = *s;
    if (fake.result != 0) {
        return fake.result;
    }
    switch (s->cmd) {
    case XEN_SYSCTL_sched_id:
        s->u.sched_id.sched_id = XEN_SCHEDULER_CREDIT2;
        return 0;
    case XEN_SYSCTL_physinfo:
        s->u.physinfo.nr_cpus = 2;
        s->u.physinfo.max_cpu_id = 1;
        s->u.physinfo.total_pages = FAKE_FRAMES;
        s->u.physinfo.free_pages = fake.free_frames;
        return 0;
    case XEN_SYSCTL_get_cpu_policy:
        return cpu_policy(&s->u.cpu_policy);
    case XEN_SYSCTL_get_cpu_featureset:
        ((uint32_t *)guest_handle(s->u.cpu_featureset.features.p, 4))[0] = 1u << 28;
        return 0;
    case XEN_SYSCTL_availheap:
        s->u.availheap.avail_bytes = fake.free_frames * 4096;
        return 0;
    case XEN_SYSCTL_scheduler_op:
    case XEN_SYSCTL_debug_keys:
        return 0;
    case XEN_SYSCTL_perfc_op:
        return perfc(&s->u.perfc_op);
    case XEN_SYSCTL_cpupool_op:
        return cpupool(&s->u.cpupool_op);
    default:
        return sysctl_list(s);
    }
}
