/*
 * host.c: the machine: CPUs, memory, NUMA nodes, CPU pools.
 *
 * Read private.h first. Lists whose length only the hypervisor knows are asked for twice: once for
 * the length, once for the list.
 */
#include <stdlib.h>

#include "libxenctrl/private.h"

/* No machine that the ABI knows has more: keeps a wrong answer from becoming a huge allocation. */
#define MOST_CPUS  4096u
#define MOST_NODES 256u

static int host_failed(struct xc_handle *h, int rc, const char *what)
{
    return xc_fail(h, rc, "The hypervisor doesn't tell %s: %s.", what, xc_reason(rc));
}

int xc_host_get_info(struct xc_handle *h, struct xc_host_info *info)
{
    struct xen_sysctl *s = xc_sysctl_begin(h, XEN_SYSCTL_physinfo);
    const struct xen_sysctl_physinfo *p = &s->u.physinfo;
    int rc = xc_sysctl(h);

    if (rc < 0) {
        return host_failed(h, rc, "what machine this is");
    }
    *info = (struct xc_host_info){
        .threads_per_core = p->threads_per_core,
        .cores_per_socket = p->cores_per_socket,
        .nr_cpus = p->nr_cpus,
        .max_cpu_id = p->max_cpu_id < MOST_CPUS ? p->max_cpu_id : MOST_CPUS - 1,
        .nr_nodes = p->nr_nodes,
        .max_node_id = p->max_node_id,
        .cpu_khz = p->cpu_khz,
        .capabilities = p->capabilities,
        .total_pages = p->total_pages,
        .free_pages = p->free_pages,
        .scrub_pages = p->scrub_pages,
        .outstanding_pages = p->outstanding_pages,
        .max_mfn = p->max_mfn,
    };
    memcpy(info->hw_cap, p->hw_cap, sizeof(info->hw_cap));
    return 0;
}

int xc_host_cpu_topology(struct xc_handle *h, struct xc_cpu_topology **cpus)
{
    struct xen_sysctl *s = xc_sysctl_begin(h, XEN_SYSCTL_cputopoinfo);
    struct xc_cpu_topology *list;
    uint32_t n;
    int rc = xc_sysctl(h);

    if (rc < 0) {
        return host_failed(h, rc, "its CPUs");
    }
    n = s->u.cputopoinfo.num_cpus < MOST_CPUS ? s->u.cputopoinfo.num_cpus : MOST_CPUS;
    XC_SCOPED_BUFFER buffer = xc_buffer_new(h, n * sizeof(struct xen_sysctl_cputopo));
    list = calloc(n + 1, sizeof(*list));
    if (buffer.p == NULL || list == NULL) {
        free(list);
        return xc_fail(h, -ENOMEM, "There is no memory for a list of %u CPUs.", n);
    }
    s = xc_sysctl_begin(h, XEN_SYSCTL_cputopoinfo);
    s->u.cputopoinfo.num_cpus = n;
    set_xen_guest_handle(s->u.cputopoinfo.cputopo, (struct xen_sysctl_cputopo *)buffer.p);
    rc = xc_sysctl(h);
    if (rc < 0) {
        free(list);
        return host_failed(h, rc, "its CPUs");
    }
    n = s->u.cputopoinfo.num_cpus < n ? s->u.cputopoinfo.num_cpus : n;
    for (uint32_t i = 0; i < n; i++) {
        const struct xen_sysctl_cputopo *from = (struct xen_sysctl_cputopo *)buffer.p + i;

        list[i] = (struct xc_cpu_topology){from->core, from->socket, from->node};
    }
    *cpus = list;
    return (int)n;
}

/* Both arrays of XEN_SYSCTL_numainfo; returns the number of nodes. */
static int numa_call(struct xc_handle *h, uint32_t n, void *meminfo, void *distance)
{
    struct xen_sysctl *s = xc_sysctl_begin(h, XEN_SYSCTL_numainfo);
    int rc;

    s->u.numainfo.num_nodes = n;
    set_xen_guest_handle(s->u.numainfo.meminfo, (struct xen_sysctl_meminfo *)meminfo);
    set_xen_guest_handle(s->u.numainfo.distance, (uint32_t *)distance);
    rc = xc_sysctl(h);
    if (rc < 0) {
        return host_failed(h, rc, "its NUMA nodes");
    }
    return (int)(s->u.numainfo.num_nodes < MOST_NODES ? s->u.numainfo.num_nodes : MOST_NODES);
}

int xc_host_numa(struct xc_handle *h, struct xc_node_info **nodes, uint32_t **distances)
{
    const struct xen_sysctl_meminfo *memory;
    struct xc_node_info *list;
    uint32_t *table;
    int n = numa_call(h, 0, NULL, NULL), rc;

    if (n < 0) {
        return n;
    }
    XC_SCOPED_BUFFER meminfo = xc_buffer_new(h, (size_t)n * sizeof(*memory));
    XC_SCOPED_BUFFER distance = xc_buffer_new(h, (size_t)n * (size_t)n * sizeof(uint32_t));
    list = calloc((size_t)n + 1, sizeof(*list));
    table = calloc((size_t)n * (size_t)n + 1, sizeof(*table));
    if (meminfo.p == NULL || distance.p == NULL || list == NULL || table == NULL) {
        free(list);
        free(table);
        return xc_fail(h, -ENOMEM, "There is no memory for a list of %d nodes.", n);
    }
    rc = numa_call(h, (uint32_t)n, meminfo.p, distance.p);
    if (rc < 0) {
        free(list);
        free(table);
        return rc;
    }
    n = rc < n ? rc : n;
    memory = meminfo.p;
    for (int i = 0; i < n; i++) {
        list[i] = (struct xc_node_info){memory[i].memsize, memory[i].memfree};
    }
    memcpy(table, distance.p, (size_t)n * (size_t)n * sizeof(*table));
    *nodes = list;
    if (distances != NULL) {
        *distances = table;
    } else {
        free(table);
    }
    return n;
}

int xc_host_cpu_idle(struct xc_handle *h, uint64_t **idle_ns)
{
    struct xc_host_info info;
    struct xen_sysctl *s;
    uint64_t *list;
    uint32_t n;
    int rc = xc_host_get_info(h, &info);

    if (rc < 0) {
        return rc;
    }
    n = info.max_cpu_id + 1;
    XC_SCOPED_BUFFER buffer = xc_buffer_new(h, n * sizeof(struct xen_sysctl_cpuinfo));
    list = calloc(n, sizeof(*list));
    if (buffer.p == NULL || list == NULL) {
        free(list);
        return xc_fail(h, -ENOMEM, "There is no memory for a list of %u CPUs.", n);
    }
    s = xc_sysctl_begin(h, XEN_SYSCTL_getcpuinfo);
    s->u.getcpuinfo.max_cpus = n;
    set_xen_guest_handle(s->u.getcpuinfo.info, (struct xen_sysctl_cpuinfo *)buffer.p);
    rc = xc_sysctl(h);
    if (rc < 0) {
        free(list);
        return host_failed(h, rc, "how busy its CPUs are");
    }
    n = s->u.getcpuinfo.nr_cpus < n ? s->u.getcpuinfo.nr_cpus : n;
    for (uint32_t i = 0; i < n; i++) {
        list[i] = ((struct xen_sysctl_cpuinfo *)buffer.p)[i].idletime;
    }
    *idle_ns = list;
    return (int)n;
}

int xc_host_free_memory(struct xc_handle *h, unsigned int max_bits, uint64_t *bytes)
{
    struct xen_sysctl *s = xc_sysctl_begin(h, XEN_SYSCTL_availheap);
    int rc;

    s->u.availheap.max_bitwidth = max_bits;
    s->u.availheap.node = -1;
    rc = xc_sysctl(h);
    if (rc < 0) {
        return host_failed(h, rc, "how much memory is free");
    }
    *bytes = s->u.availheap.avail_bytes;
    return 0;
}

int xc_cpupool_get_info(struct xc_handle *h, uint32_t id, struct xc_cpupool_info *info,
                        uint8_t *cpumap, size_t cpumap_size)
{
    XC_SCOPED_BUFFER buffer = xc_buffer_new(h, cpumap_size);
    struct xen_sysctl *s;
    int rc;

    if (buffer.p == NULL) {
        return -ENOMEM;
    }
    s = xc_sysctl_begin(h, XEN_SYSCTL_cpupool_op);
    s->u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_INFO;
    s->u.cpupool_op.cpupool_id = id;
    s->u.cpupool_op.cpumap.nr_bits = (uint32_t)cpumap_size * 8;
    set_xen_guest_handle(s->u.cpupool_op.cpumap.bitmap, (uint8_t *)buffer.p);
    rc = xc_sysctl(h);
    if (rc < 0) {
        return xc_fail(h, rc, "There is nothing to tell of CPU pool %u and those after it: %s.", id,
                       rc == -ENOENT ? "there are none" : xc_reason(rc));
    }
    *info = (struct xc_cpupool_info){
        .id = s->u.cpupool_op.cpupool_id,
        .scheduler = s->u.cpupool_op.sched_id,
        .nr_domains = s->u.cpupool_op.n_dom,
    };
    memcpy(cpumap, buffer.p, cpumap_size);
    return 0;
}
