/*
 * xc_host.h: the machine and its hypervisor: CPUs, memory, NUMA, console ring, version, CPU pools.
 *
 * Read xenctrl.h first: its conventions hold here. Most functions are one XEN_SYSCTL_* of
 * <xen/sysctl.h> or one XENVER_* of <xen/version.h>.
 */
#ifndef HOSPES_XC_HOST_H
#define HOSPES_XC_HOST_H

#include "libxenctrl/include/xc_handle.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The machine as a whole. */
struct xc_host_info {
    uint32_t threads_per_core, cores_per_socket;
    uint32_t nr_cpus;     /* CPUs online */
    uint32_t max_cpu_id;  /* highest possible CPU number */
    uint32_t nr_nodes;    /* NUMA nodes online */
    uint32_t max_node_id; /* highest possible node number */
    uint32_t cpu_khz;     /* frequency of the time stamp counter */
    uint32_t
        capabilities; /* XEN_SYSCTL_PHYSCAP_*: bit 0 HVM, 1 PV, 2 direct I/O, 3 nested paging */
    uint64_t total_pages;
    uint64_t free_pages;        /* free and clean */
    uint64_t scrub_pages;       /* freed, waiting to be cleaned */
    uint64_t outstanding_pages; /* free, but claimed for domains being built */
    uint64_t max_mfn;
    uint32_t hw_cap[8]; /* words of the CPU feature set */
};
XC_MUST_CHECK int xc_host_get_info(struct xc_handle *h, struct xc_host_info *info);

/* Where a CPU sits. ~0 in every field: there is no such CPU. */
struct xc_cpu_topology {
    uint32_t core, socket, node;
};
/*
 * The topology of CPUs 0 to n-1 in an array that the caller frees. Returns n or a negative errno
 * value.
 */
XC_MUST_CHECK int xc_host_cpu_topology(struct xc_handle *h, struct xc_cpu_topology **cpus);

/* A NUMA node's memory, in bytes. ~0 in @size: there is no such node. */
struct xc_node_info {
    uint64_t size, free;
};
/*
 * The nodes 0 to n-1, and in @distances (may be NULL) n * n distances, row by row (10 is local,
 * ~0 unknown). The caller frees both arrays. Returns n or a negative errno value.
 */
XC_MUST_CHECK int xc_host_numa(struct xc_handle *h, struct xc_node_info **nodes,
                               uint32_t **distances);

/*
 * Idle time in nanoseconds of CPUs 0 to n-1 since the start, in an array that the caller frees.
 * Returns n or a negative errno value.
 */
XC_MUST_CHECK int xc_host_cpu_idle(struct xc_handle *h, uint64_t **idle_ns);

/* Free memory in bytes with machine addresses of at most @max_bits bits (0: any). */
XC_MUST_CHECK int xc_host_free_memory(struct xc_handle *h, unsigned int max_bits, uint64_t *bytes);

/*
 * Read the hypervisor's console ring.
 *
 * @buffer, @size   where the text goes; it gets no terminating 0
 * @index           NULL: everything the ring still holds. Otherwise start there and store where to
 *                  go on next time, so that a follower misses and repeats nothing; begin with 0.
 * @clear           forget what was read
 *
 * Returns the number of bytes (0: nothing new) or a negative errno value.
 */
XC_MUST_CHECK ssize_t xc_host_read_console(struct xc_handle *h, char *buffer, size_t size,
                                           uint32_t *index, bool clear);

/* Press debug keys on the hypervisor's console: see `xm debug-keys h`. */
XC_MUST_CHECK int xc_host_debug_keys(struct xc_handle *h, const char *keys);

/* A performance counter: its name and its values, one, or one for each CPU or bin. */
struct xc_perf_counter {
    char name[81];
    uint32_t count;
    const uint32_t *values; /* points into the same allocation */
};
/*
 * All performance counters, in one allocation that the caller frees. Returns their number, or
 * -ENOSYS: this hypervisor was built without them. xc_host_perfc_reset() zeroes them.
 */
XC_MUST_CHECK int xc_host_perfc(struct xc_handle *h, struct xc_perf_counter **counters);
XC_MUST_CHECK int xc_host_perfc_reset(struct xc_handle *h);

/* Who the hypervisor says it is. Strings end with 0. */
struct xc_version {
    uint32_t major, minor;
    char extra[16];     /* ".5", "-rc1" */
    char changeset[64]; /* where it was built from */
    char compiler[64];  /* and with what */
    char compile_by[16];
    char compile_domain[32];
    char compile_date[32];
    char capabilities[1024]; /* "xen-3.0-x86_64 hvm-3.0-x86_32 ..." */
    char command_line[1024];
    uint64_t virt_start; /* where the hypervisor's part of a PV guest's addresses begins */
    uint32_t page_size;
};
/* Everything XENVER_* tells. A part that the hypervisor denies is left empty. */
XC_MUST_CHECK int xc_host_version(struct xc_handle *h, struct xc_version *version);

/* A CPU pool. @cpumap has room for @cpumap_size bytes, see xc_cpumap_size(). */
struct xc_cpupool_info {
    uint32_t id;
    uint32_t scheduler; /* enum xc_scheduler */
    uint32_t nr_domains;
};
/*
 * The first pool whose id is at least @id; its CPUs go to @cpumap. -ENOENT: there is none.
 */
XC_MUST_CHECK int xc_cpupool_get_info(struct xc_handle *h, uint32_t id,
                                      struct xc_cpupool_info *info, uint8_t *cpumap,
                                      size_t cpumap_size);

#ifdef __cplusplus
}
#endif

#endif /* HOSPES_XC_HOST_H */
