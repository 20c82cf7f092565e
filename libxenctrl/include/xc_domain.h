/*
 * xc_domain.h: domains: their life, their listing, their limits and their permissions.
 *
 * Read xenctrl.h first: its conventions hold here. Most functions are one XEN_DOMCTL_* of
 * <xen/domctl.h>. -ESRCH always means: no such domain.
 */
#ifndef HOSPES_XC_DOMAIN_H
#define HOSPES_XC_DOMAIN_H

#include "libxenctrl/include/xc_handle.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a domain is (xc_domain_config.flags; the values are XEN_DOMCTL_CDF_*'s). */
#define XC_CREATE_HVM   (1u << 0) /* a fully virtualised guest, otherwise PV */
#define XC_CREATE_HAP   (1u << 1) /* with nested paging */
#define XC_CREATE_STORE (1u << 4) /* it is the xenstore domain */
#define XC_CREATE_IOMMU (1u << 5) /* it may be given devices */

/* What xc_domain_create() needs to know. Start from xc_domain_config_init(). */
struct xc_domain_config {
    uint32_t domid;          /* the domid wanted; 0: the hypervisor chooses */
    uint32_t flags;          /* XC_CREATE_* */
    uint8_t uuid[16];        /* the domain's handle, shown in every listing */
    uint32_t ssidref;        /* security label, 0 without XSM */
    uint32_t max_vcpus;      /* how many virtual CPUs it can ever have, from 1 */
    uint32_t max_evtchn;     /* highest event channel port it may use */
    int32_t grant_frames;    /* most grant table frames (each 512 grants); -1: the default */
    int32_t maptrack_frames; /* most frames that track its mappings of grants; -1: the default */
    uint32_t grant_version;  /* highest grant table version it may use: 1 or 2 */
    uint32_t cpupool;        /* the CPU pool it runs in */
    uint32_t emulation;      /* HVM: XEN_X86_EMU_*; 0 for PV */
    bool relaxed_msr;        /* unknown MSRs read as 0 instead of faulting */
};

/* Fill @config with the defaults of a PV guest with one virtual CPU. */
void xc_domain_config_init(struct xc_domain_config *config);

/*
 * Create an empty, paused domain and its virtual CPUs, and return its number in @domid. On failure
 * nothing is left behind.
 *
 * Errors: -EEXIST: the domid is taken; -ENOMEM: the hypervisor has no memory for its own
 * structures; -EINVAL: it refuses the combination; -EOPNOTSUPP: the hardware cannot do it.
 */
XC_MUST_CHECK int xc_domain_create(struct xc_handle *h, const struct xc_domain_config *config,
                                   uint32_t *domid);

/*
 * Destroy a domain and wait until the hypervisor has taken back all it can. Pages that somebody
 * else still maps are returned when that mapping goes: until then the domain is listed as dying.
 * Destroying a dying domain again succeeds.
 */
XC_MUST_CHECK int xc_domain_destroy(struct xc_handle *h, uint32_t domid);

/* Pause and unpause: counted by the hypervisor, so each pause needs its own unpause. */
XC_MUST_CHECK int xc_domain_pause(struct xc_handle *h, uint32_t domid);
XC_MUST_CHECK int xc_domain_unpause(struct xc_handle *h, uint32_t domid);

/* Why a domain has shut down (SHUTDOWN_* of <xen/sched.h>). */
enum xc_shutdown_reason {
    XC_SHUTDOWN_POWEROFF = 0,
    XC_SHUTDOWN_REBOOT = 1,
    XC_SHUTDOWN_SUSPEND = 2,
    XC_SHUTDOWN_CRASH = 3,
    XC_SHUTDOWN_WATCHDOG = 4,
    XC_SHUTDOWN_SOFT_RESET = 5,
};

/*
 * Mark a domain as shut down, for @reason, as if it had asked for it: its virtual CPUs stop. (To
 * ask a guest to shut down by itself write control/shutdown in xenstore.)
 */
XC_MUST_CHECK int xc_domain_shutdown(struct xc_handle *h, uint32_t domid,
                                     enum xc_shutdown_reason reason);

/* Let a domain that is shut down (suspended) run on. */
XC_MUST_CHECK int xc_domain_resume(struct xc_handle *h, uint32_t domid);

/* What the hypervisor tells of a domain. */
struct xc_domain_info {
    uint32_t domid;
    uint8_t uuid[16];
    bool dying, shutdown, paused, blocked, running, hvm, hap, xenstore, debugged;
    enum xc_shutdown_reason shutdown_reason; /* meaningful while @shutdown */
    uint64_t tot_pages;                      /* pages it has now */
    uint64_t max_pages;                      /* pages it may have */
    uint64_t outstanding_pages;              /* pages claimed for it and not yet allocated */
    uint64_t shared_info_mfn;                /* frame of its shared info page */
    uint64_t cpu_time_ns;                    /* CPU time that all its virtual CPUs have used */
    uint32_t online_vcpus;                   /* virtual CPUs that are up */
    uint32_t max_vcpu_id;                    /* highest number of a virtual CPU; ~0: it has none */
    uint32_t ssidref;
    uint32_t cpupool;
};

/* One domain's information. */
XC_MUST_CHECK int xc_domain_get_info(struct xc_handle *h, uint32_t domid,
                                     struct xc_domain_info *info);

/*
 * The domains from @first on, ascending, at most @max of them. Returns how many were written to
 * @infos (0: none left) or a negative errno value. The hypervisor is asked in batches; a list that
 * changes meanwhile is consistent for each batch.
 */
XC_MUST_CHECK int xc_domain_list(struct xc_handle *h, uint32_t first, struct xc_domain_info *infos,
                                 unsigned int max);

/*
 * All domains, in an array that the caller frees with free(). Returns their number, at least 1, or
 * a negative errno value.
 */
XC_MUST_CHECK int xc_domain_list_all(struct xc_handle *h, struct xc_domain_info **infos);

/* Allocate virtual CPUs 0 to @max-1. xc_domain_create() has done it already. */
XC_MUST_CHECK int xc_domain_max_vcpus(struct xc_handle *h, uint32_t domid, uint32_t max);

/* Set how much memory a domain may have, in KiB. Takes nothing from it that it has. */
XC_MUST_CHECK int xc_domain_max_mem(struct xc_handle *h, uint32_t domid, uint64_t kib);

/* Replace the UUID. */
XC_MUST_CHECK int xc_domain_set_uuid(struct xc_handle *h, uint32_t domid, const uint8_t uuid[16]);

/* Let @domid act on @target's memory and devices: for a stub domain and its guest. */
XC_MUST_CHECK int xc_domain_set_target(struct xc_handle *h, uint32_t domid, uint32_t target);

/* Offset of the guest's wall clock from UTC, in seconds. */
XC_MUST_CHECK int xc_domain_set_time_offset(struct xc_handle *h, uint32_t domid, int64_t seconds);

/* How the guest sees the time stamp counter (XEN_CPUID_TSC_MODE_*; 0: the default). */
XC_MUST_CHECK int xc_domain_set_tsc(struct xc_handle *h, uint32_t domid, uint32_t mode,
                                    uint32_t khz);

/* Guest pointer size in bits, 32 or 64, of a PV domain that has no memory yet. */
XC_MUST_CHECK int xc_domain_set_address_size(struct xc_handle *h, uint32_t domid, uint32_t bits);
XC_MUST_CHECK int xc_domain_get_address_size(struct xc_handle *h, uint32_t domid, uint32_t *bits);

/* Let a domain map the machine frames [first, first + count), or take that right away. */
XC_MUST_CHECK int xc_domain_iomem_permission(struct xc_handle *h, uint32_t domid,
                                             uint64_t first_mfn, uint64_t count, bool allow);
/* Let a domain use the I/O ports [first, first + count), or take that right away. */
XC_MUST_CHECK int xc_domain_ioport_permission(struct xc_handle *h, uint32_t domid, uint32_t first,
                                              uint32_t count, bool allow);
/* Let a domain bind the physical interrupt @pirq, or take that right away. */
XC_MUST_CHECK int xc_domain_irq_permission(struct xc_handle *h, uint32_t domid, uint32_t pirq,
                                           bool allow);

/* What xc_domain_trigger() can inject (XEN_DOMCTL_SENDTRIGGER_*). */
enum xc_trigger {
    XC_TRIGGER_NMI = 0,
    XC_TRIGGER_RESET = 1,
    XC_TRIGGER_INIT = 2,
    XC_TRIGGER_POWER = 3,
    XC_TRIGGER_SLEEP = 4,
};
/* Inject an NMI, reset, INIT or a press of the power or sleep button. -ENOSYS: not for this guest.
 */
XC_MUST_CHECK int xc_domain_trigger(struct xc_handle *h, uint32_t domid, enum xc_trigger what,
                                    uint32_t vcpu);

/* Stop a domain for debugging instead of crashing it (gdbsx), or no longer. */
XC_MUST_CHECK int xc_domain_set_debugging(struct xc_handle *h, uint32_t domid, bool enable);

/* Deliver VIRQ_DOM_EXC, VIRQ_CONSOLE... (@virq) to @domid instead of Domain 0: for xenstored. */
XC_MUST_CHECK int xc_domain_set_virq_handler(struct xc_handle *h, uint32_t domid, uint32_t virq);

/*
 * The caller's own watchdog (SCHEDOP_watchdog): unless it is set again within @seconds the calling
 * domain is shut down with reason WATCHDOG. @id 0 creates one and its id is returned; an existing
 * @id with @seconds 0 ends it. Returns an id, 0, or a negative errno value.
 */
XC_MUST_CHECK int xc_watchdog(struct xc_handle *h, uint32_t id, uint32_t seconds);

/* HVM parameters: HVM_PARAM_* of <xen/hvm/params.h>. */
XC_MUST_CHECK int xc_hvm_param_set(struct xc_handle *h, uint32_t domid, uint32_t param,
                                   uint64_t value);
XC_MUST_CHECK int xc_hvm_param_get(struct xc_handle *h, uint32_t domid, uint32_t param,
                                   uint64_t *value);

/*
 * Give a domain the CPUID and MSR policy that the hypervisor has as the default for its kind.
 * Must come before the domain runs.
 */
XC_MUST_CHECK int xc_domain_default_cpu_policy(struct xc_handle *h, uint32_t domid);

#ifdef __cplusplus
}
#endif

#endif /* HOSPES_XC_DOMAIN_H */
