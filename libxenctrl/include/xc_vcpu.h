/*
 * xc_vcpu.h: virtual CPUs: their state, where they run, and the scheduler's parameters.
 *
 * Read xenctrl.h first: its conventions hold here. CPU maps are byte arrays: CPU n is bit n % 8 of
 * byte n / 8.
 */
#ifndef HOSPES_XC_VCPU_H
#define HOSPES_XC_VCPU_H

#include "libxenctrl/include/xc_handle.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the hypervisor tells of a virtual CPU. */
struct xc_vcpu_info {
    bool online;          /* it is up */
    bool blocked;         /* it waits for an event */
    bool running;         /* it runs right now */
    uint32_t cpu;         /* where it runs, or ran last */
    uint64_t cpu_time_ns; /* CPU time used */
};

/* State of one virtual CPU. -ESRCH: no such domain, or it has no such virtual CPU. */
XC_MUST_CHECK int xc_vcpu_get_info(struct xc_handle *h, uint32_t domid, uint32_t vcpu,
                                   struct xc_vcpu_info *info);

/*
 * All registers of a virtual CPU: struct vcpu_guest_context of <xen/arch-x86/xen.h>, in its 64-bit
 * form. Reading pauses nothing: pause the domain first for a consistent picture. Setting is for a
 * builder: -EBUSY when it is already initialised.
 */
struct vcpu_guest_context;
XC_MUST_CHECK int xc_vcpu_get_context(struct xc_handle *h, uint32_t domid, uint32_t vcpu,
                                      struct vcpu_guest_context *context);
XC_MUST_CHECK int xc_vcpu_set_context(struct xc_handle *h, uint32_t domid, uint32_t vcpu,
                                      const struct vcpu_guest_context *context);

/* Bytes of a CPU map that has room for every CPU of this machine; at least 1. */
size_t xc_cpumap_size(struct xc_handle *h);

/*
 * Where a virtual CPU may run (hard) and prefers to run (soft). Maps have @size bytes
 * (xc_cpumap_size()); NULL leaves that affinity as it is. -EINVAL: a hard map without a CPU that is
 * online in the domain's pool.
 */
XC_MUST_CHECK int xc_vcpu_set_affinity(struct xc_handle *h, uint32_t domid, uint32_t vcpu,
                                       const uint8_t *hard, const uint8_t *soft, size_t size);
XC_MUST_CHECK int xc_vcpu_get_affinity(struct xc_handle *h, uint32_t domid, uint32_t vcpu,
                                       uint8_t *hard, uint8_t *soft, size_t size);

/* Schedulers (XEN_SCHEDULER_*). */
enum xc_scheduler {
    XC_SCHED_CREDIT = 5,
    XC_SCHED_CREDIT2 = 6,
    XC_SCHED_ARINC653 = 7,
    XC_SCHED_RTDS = 8,
    XC_SCHED_NULL = 9,
};

/* The scheduler's word ("credit", "credit2", ...); "unknown" for a number that is none. */
const char *xc_scheduler_name(enum xc_scheduler id);

/* The scheduler of the default CPU pool. */
XC_MUST_CHECK int xc_sched_get_id(struct xc_handle *h, enum xc_scheduler *id);

/* A domain's share of the CPUs, for credit and credit2. */
struct xc_sched_domain {
    uint16_t weight; /* 1 to 65535; the default is 256 */
    uint16_t cap;    /* most CPU time in percent of one CPU; 0: no limit */
};

/*
 * Read and set a domain's share. @scheduler must be the one of the domain's pool: -EINVAL otherwise
 * (the usual caller passes what xc_sched_get_id() gave).
 */
XC_MUST_CHECK int xc_sched_domain_get(struct xc_handle *h, uint32_t domid,
                                      enum xc_scheduler scheduler, struct xc_sched_domain *share);
XC_MUST_CHECK int xc_sched_domain_set(struct xc_handle *h, uint32_t domid,
                                      enum xc_scheduler scheduler,
                                      const struct xc_sched_domain *share);

/* Parameters of a whole pool. Credit2 has @ratelimit_us only. */
struct xc_sched_params {
    uint32_t tslice_ms;     /* time slice, 1 to 1000 ms */
    uint32_t ratelimit_us;  /* least time between switches, 100 to 500000 us; 0: off */
    uint32_t migr_delay_us; /* how long a virtual CPU counts as cache-hot, to 100000 us */
};
XC_MUST_CHECK int xc_sched_params_get(struct xc_handle *h, uint32_t cpupool,
                                      enum xc_scheduler scheduler, struct xc_sched_params *params);
XC_MUST_CHECK int xc_sched_params_set(struct xc_handle *h, uint32_t cpupool,
                                      enum xc_scheduler scheduler,
                                      const struct xc_sched_params *params);

#ifdef __cplusplus
}
#endif

#endif /* HOSPES_XC_VCPU_H */
