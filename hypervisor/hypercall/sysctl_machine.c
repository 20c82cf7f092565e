/* sysctl: the machine's processors and memory nodes. */
#include "sysctl.h"
#include "domctl.h"

int sysctl_physinfo(struct sysctl_call *c)
{
    struct xen_sysctl_physinfo *p = &c->op->u.physinfo;

    memset(p, 0, sizeof(*p));
    p->nr_cpus = cpumask_weight(cpu_online_map);
    p->max_cpu_id = highest_bit(cpu_possible_map.bits);
    p->nr_nodes = 1;
    p->total_pages = arch_ram_pages();
    p->free_pages = heap_free_pages();
    /* Pages that wait for scrubbing can be allocated, so they are among the free ones: tools add
     * the two. */
    p->scrub_pages = 0;
    p->outstanding_pages = heap_outstanding_pages();
    p->max_mfn = arch_max_ram_page() - 1;
    p->capabilities =
        XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1 | XEN_SYSCTL_PHYSCAP_gnttab_v2;
    arch_physinfo(p);
    return 0;
}

int sysctl_cpu_times(struct sysctl_call *c)
{
    struct xen_sysctl_getcpuinfo *in = &c->op->u.getcpuinfo;
    uint32_t n = min(in->max_cpus, highest_bit(cpu_online_map.bits) + 1);

    for (uint32_t cpu = 0; cpu < n; cpu++) {
        xen_sysctl_cpuinfo_t info = {0};

        if (cpumask_test(cpu, cpu_online_map)) {
            info.idletime = (uint64_t)cpu_idle_time(cpu);
        }
        if (copy_to_guest_offset(in->info, cpu, &info, 1)) {
            return -EFAULT;
        }
    }
    in->nr_cpus = n;
    return 0;
}

int sysctl_cpu_topology(struct sysctl_call *c)
{
    struct xen_sysctl_cputopoinfo *in = &c->op->u.cputopoinfo;
    uint32_t there = highest_bit(cpu_possible_map.bits) + 1, n = min(in->num_cpus, there);

    if (!guest_handle_is_null(in->cputopo)) {
        for (uint32_t cpu = 0; cpu < n; cpu++) {
            xen_sysctl_cputopo_t t = {.core = XEN_INVALID_CORE_ID,
                                      .socket = XEN_INVALID_SOCKET_ID,
                                      .node = XEN_INVALID_NODE_ID};

            if (cpumask_test(cpu, cpu_online_map)) {
                arch_cpu_topology(cpu, &t.core, &t.socket);
                t.node = 0;
            }
            if (copy_to_guest_offset(in->cputopo, cpu, &t, 1)) {
                return -EFAULT;
            }
        }
    }
    in->num_cpus = there;
    return 0;
}

/* One node, from the first to the last frame of RAM, at distance 10 (the ACPI's "local") to itself.
 */
int sysctl_numa(struct sysctl_call *c)
{
    struct xen_sysctl_numainfo *in = &c->op->u.numainfo;
    xen_sysctl_meminfo_t mem = {.memsize = arch_max_ram_page() << PAGE_SHIFT,
                                .memfree = heap_free_pages() << PAGE_SHIFT};
    uint32_t distance = 10;

    if (in->num_nodes && !guest_handle_is_null(in->meminfo) &&
        copy_to_guest(in->meminfo, &mem, 1)) {
        return -EFAULT;
    }
    if (in->num_nodes && !guest_handle_is_null(in->distance) &&
        copy_to_guest(in->distance, &distance, 1)) {
        return -EFAULT;
    }
    in->num_nodes = 1;
    return 0;
}

int sysctl_pci_topology(struct sysctl_call *c)
{
    struct xen_sysctl_pcitopoinfo *in = &c->op->u.pcitopoinfo;
    uint32_t node = 0;

    if (guest_handle_is_null(in->devs) || guest_handle_is_null(in->nodes)) {
        return -EINVAL;
    }
    for (uint32_t i = 0; i < in->num_devs; i++) {
        if (copy_to_guest_offset(in->nodes, i, &node, 1)) {
            return -EFAULT;
        }
        if (i % 64 == 63 && i + 1 < in->num_devs && hypercall_preempt_check()) {
            in->num_devs = i + 1; /* the caller asks again for the rest, as the ABI has it */
            break;
        }
    }
    return 0;
}

/* One pool, number 0, with all CPUs and all domains. */
static int pool_info(struct xen_sysctl_cpupool_op *p)
{
    struct domain *d;

    if (p->cpupool_id != 0 && p->cpupool_id != XEN_SYSCTL_CPUPOOL_PAR_ANY) {
        /* Tools ask for "the first at or behind this one". */
        return -ENOENT;
    }
    p->cpupool_id = 0;
    p->sched_id = sched->sched_id;
    p->n_dom = 0;
    for_each_domain (d) {
        p->n_dom += !d->is_xen;
    }
    return cpumask_to_user(&p->cpumap, cpu_online_map);
}

int sysctl_cpupool(struct sysctl_call *c)
{
    struct xen_sysctl_cpupool_op *p = &c->op->u.cpupool_op;
    struct domain *d;

    switch (p->op) {
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        return pool_info(p);
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
        return cpumask_to_user(&p->cpumap, CPUMASK_NONE);
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        d = domain_by_id((domid_t)p->domid);
        return !d ? -ESRCH : p->cpupool_id != 0 ? -ENOENT : 0;
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        return p->cpupool_id != 0 ? -ENOENT : -EBUSY;
    case XEN_SYSCTL_CPUPOOL_OP_CREATE:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}
