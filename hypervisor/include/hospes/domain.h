/*
 * Domains and virtual CPUs: what core knows of them. The architecture's part is embedded as `arch`;
 * each subject's part has its own struct in its own header (sched.h, event.h, grant.h).
 *
 * References: a struct domain lives while its refcount is not 0; `d->is_dying` says that it must
 * not be given new resources. Lookups are lockless (rcu); a pointer obtained by lookup is good
 * until the holder returns to a guest or idles; who keeps one longer takes get_domain.
 */
#ifndef HOSPES_DOMAIN_H
#define HOSPES_DOMAIN_H

#include <hospes/bitops.h>
#include <hospes/console.h>
#include <hospes/event.h>
#include <hospes/grant.h>
#include <hospes/lock.h>
#include <hospes/page.h>
#include <hospes/rangeset.h>
#include <hospes/sched.h>
#include <hospes/softirq.h>
#include <hospes/timer.h>
#include <xen/domctl.h>
#include <xen/vcpu.h>
#include <arch/domain.h> /* struct arch_domain, struct arch_vcpu */

#define MAX_VCPUS           128u /* per domain */
#define NR_DOMAIN_WATCHDOGS 2u

enum dying { DOMDYING_ALIVE, DOMDYING_DYING, DOMDYING_DEAD };

struct vcpu {
    unsigned int vcpu_id;
    struct domain *domain;

    /* Where the guest reads its vcpu_info (in shared_info, or where VCPUOP_register_vcpu_info put
     * it). */
    struct vcpu_info *vcpu_info;
    mfn_t vcpu_info_mfn; /* referenced, typed writable; MFN_NONE: in shared_info or the dummy */

    struct vcpu_sched sched;
    struct vcpu_events evtchn;

    /* Runstate: what VCPUOP_get_runstate_info answers, and where the guest wants it copied. */
    struct vcpu_runstate_info runstate;
    XEN_GUEST_HANDLE(vcpu_runstate_info_t) runstate_guest;

    struct timer periodic_timer, singleshot_timer, poll_timer;
    s_time_t periodic_period; /* ns; 0: off */
    s_time_t periodic_last_event;

    bool is_initialised; /* has a context: may be brought up */
    bool defer_shutdown, paused_for_shutdown;
    bool mc_preempted;    /* the current multicall was cut short by its own continuation */
    bool hcall_preempted; /* the current hypercall asked to be continued (hypercall.h) */
    bool in_multicall;
    bool affinity_broken;
    uint8_t nmi_pending;

    struct arch_vcpu arch;
};

struct domain {
    domid_t domain_id;
    bool is_privileged; /* Domain 0: may manage the others */
    bool is_hardware;   /* has the machine's devices */
    bool is_hvm;
    bool is_xen; /* the hypervisor's own: idle, DOMID_XEN, DOMID_IO */
    bool is_idle;
    bool creation_finished; /* has been unpaused once: builder-only operations are over */
    uint8_t is_dying;       /* enum dying; under lock, read by all */
    unsigned int max_vcpus;
    struct vcpu **vcpu;    /* max_vcpus pointers, each set once */
    struct domain *target; /* the domain that this one (a device model) may act on; referenced */

    unsigned int refcount; /* atomic */
    struct list_head list; /* domain_list, ascending domain_id */
    struct domain *hash_next;
    struct rcu_head rcu;
    spinlock_t lock; /* RANK_DOMAIN */
    xen_domain_handle_t handle;
    uint32_t create_flags; /* XEN_DOMCTL_CDF_* */
    uint32_t ssidref;

    struct shared_info *shared_info; /* one frame of the hypervisor's, shared with the guest */
    mfn_t shared_info_mfn;

    /* Memory; page_lock protects lists and counts. */
    spinlock_t page_lock;
    struct page_list page_list;    /* allocated, assigned */
    struct page_list xenpage_list; /* shared by share_xen_page_with_guest */
    struct page_list relmem_list;  /* being given back when dying */
    uint64_t tot_pages;            /* assigned now */
    uint64_t max_pages;            /* limit */
    uint64_t outstanding_pages;    /* claimed (XENMEM_claim_pages) */
    unsigned int xenheap_pages;

    struct domain_events evtchn;
    struct domain_grants grants;
    struct domain_sched sched;

    /* What it may touch directly. */
    struct rangeset *ioport_caps, *iomem_caps, *irq_caps;

    struct domain_console console;

    bool debugger_attached; /* XEN_DOMCTL_setdebugging */

    /* Shutdown: under shutdown_lock */
    spinlock_t shutdown_lock;
    bool is_shutting_down, is_shut_down;
    int shutdown_code;                   /* SHUTDOWN_*; -1 none */
    unsigned int pause_count;            /* atomic */
    unsigned int controller_pause_count; /* by domctl */
    spinlock_t watchdog_lock;
    struct timer watchdog[NR_DOMAIN_WATCHDOGS]; /* SCHEDOP_watchdog; id is index + 1 */
    uint32_t watchdog_inuse;

    s_time_t time_offset;       /* of its wall clock, ns */
    unsigned long vm_assist;    /* VMASST_TYPE_* bits */
    unsigned int reclaim_stage; /* where domain_relinquish is (core/domain_destroy.c) */

    struct arch_domain arch;
};

extern struct domain *hardware_domain; /* Domain 0 */
extern struct domain *dom_xen, *dom_io, *idle_domain;
extern struct list_head domain_list;
extern spinlock_t domlist_lock;

/* ---- life (core/domain.c) ---- */
/* Makes a paused, empty domain: *out referenced. -EEXIST, -ENOMEM, -EINVAL (config). */
int domain_create(domid_t id, const struct xen_domctl_createdomain *config, bool privileged,
                  struct domain **out) __must_check;
/* -EINVAL, -EEXIST, -ENOMEM; the new vcpu is down (VPF_down) and paused by nobody. */
int vcpu_create(struct domain *d, unsigned int id, struct vcpu **out) __must_check;
/* Starts destruction; -ERESTART: call again (preemptible reclaim). The struct goes with the last
 * ref. */
int domain_kill(struct domain *d) __must_check;
bool get_domain(struct domain *d) __must_check; /* false: it is being freed */
void put_domain(struct domain *d);
static inline void put_domain_guard(struct domain **d)
{
    if (*d) {
        put_domain(*d);
    }
}
/* Lockless lookup; DOMID_SELF and special ids are not understood: see domain_by_guest_id. */
struct domain *domain_by_id(domid_t id);
/* As a hypercall argument names it (DOMID_SELF included): -ESRCH. */
int domain_by_guest_id(domid_t id, struct domain **out) __must_check;
/* The same, and the caller must be privileged over it unless it is itself: -ESRCH, -EPERM. */
int domain_by_guest_id_controlled(domid_t id, struct domain **out) __must_check;
bool is_privileged_for(const struct domain *caller, const struct domain *target);
static inline struct vcpu *domain_vcpu(const struct domain *d, unsigned int id)
{
    return id < d->max_vcpus ? d->vcpu[array_index_nospec(id, d->max_vcpus)] : NULL;
}
#define for_each_domain(d) \
    list_for_each_entry (d, &domain_list, list) /* under domlist_lock or rcu */
#define for_each_vcpu(d, v)                              \
    for (unsigned int i_ = 0; i_ < (d)->max_vcpus; i_++) \
        if (((v) = (d)->vcpu[i_]) != NULL)

/* The guest did what no guest may: message, trace of the vcpu, domain shut down with
 * SHUTDOWN_crash. The caller must get back to the guest-exit path soon. */
void domain_crash(struct domain *d, const char *fmt, ...) __printf(2, 3);
void domain_shutdown(struct domain *d, int reason);
void domain_resume(struct domain *d);
/* Pausing counts; _sync returns when no vcpu of it runs any more. */
void domain_pause(struct domain *d);
void domain_pause_nosync(struct domain *d);
void domain_unpause(struct domain *d);
/* The toolstack's pause (domctl), counted apart, at most 255 times. -EUSERS; -EINVAL: not paused. A
 * new domain has one, and its first end finishes the creation. */
int domain_pause_by_controller(struct domain *d) __must_check;
int domain_unpause_by_controller(struct domain *d) __must_check;
/* Sends VIRQ_DOM_EXC soon; any context. */
void domain_exception_notify(void);
/* SCHEDOP_watchdog: seconds; id 0: a new one, whose id (from 1) is returned. -EINVAL, -ENOSPC. */
int domain_watchdog(struct domain *d, uint32_t id, uint32_t timeout) __must_check;
void watchdogs_init(struct domain *d);
void watchdogs_destroy(struct domain *d);
void vcpu_start_shutdown_deferral(struct vcpu *v);
void vcpu_end_shutdown_deferral(struct vcpu *v);
/* VCPUOP_register_vcpu_info and its undoing. */
int map_vcpu_info(struct vcpu *v, uint64_t gfn, unsigned int offset) __must_check;
void unmap_vcpu_info(struct vcpu *v);
void domains_init(void);

/* The parts of vcpu_create's work that are undone when no reference to the domain is left. */
void vcpu_destroy(struct vcpu *v);
/* It has a vcpu_info of its own: in shared_info, or registered. */
bool vcpu_has_info(const struct vcpu *v);

/* Guest-visible vcpu reset and bring-up. */
int vcpu_reset(struct vcpu *v) __must_check;

#endif
