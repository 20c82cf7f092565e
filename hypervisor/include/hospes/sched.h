/*
 * Scheduling: vcpu states, blocking and waking, and the interface a policy implements (one file
 * each: core/sched_credit.c, ...).
 */
#ifndef HOSPES_SCHED_H
#define HOSPES_SCHED_H

#include <hospes/cpumask.h>
#include <hospes/list.h>
#include <hospes/lock.h>
#include <hospes/percpu.h>
#include <hospes/time.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>
#include <xen/vcpu.h>

/* Why a vcpu does not run (vcpu_sched.pause_flags); 0 and pause_count 0: runnable. */
#define VPF_BLOCKED        0u /* waits for an event (SCHEDOP_block) */
#define VPF_DOWN           1u /* VCPUOP_down, or never up */
#define VPF_BLOCKED_IN_XEN 2u /* waits for a device model */
#define VPF_MIGRATING      3u
#define VPF_PARKED         4u /* over its cap */

struct sched_unit_priv; /* the policy's own, per vcpu */
struct sched_dom_priv;  /* the policy's own, per domain */

struct vcpu_sched {
    unsigned int processor;    /* whose run queue it is on */
    bool is_running;           /* its state is on a CPU now */
    unsigned long pause_flags; /* bit per VPF_*; atomic */
    unsigned int pause_count;  /* atomic */
    cpumask_t hard_affinity, soft_affinity, hard_affinity_saved;
    s_time_t last_run_time;
    struct sched_unit_priv *priv;
    unsigned int poll_evtchn; /* 0: not polling; port: one; ~0u: several */
};
struct domain_sched {
    struct sched_dom_priv *priv;
};

struct task_slice {
    struct vcpu *next;
    s_time_t time; /* to run before asking again; < 0: for ever */
    bool migrated;
};

/* A policy. Called with that CPU's run queue lock held and interrupts off unless said otherwise. */
struct scheduler {
    const char *name, *opt_name;           /* "Credit", what sched= takes */
    unsigned int sched_id;                 /* XEN_SCHEDULER_* */
    int (*init)(void);                     /* no lock */
    int (*init_cpu)(unsigned int cpu);     /* no lock */
    int (*init_domain)(struct domain *d);  /* no lock */
    void (*free_domain)(struct domain *d); /* no lock */
    int (*init_vcpu)(struct vcpu *v);      /* no lock */
    void (*free_vcpu)(struct vcpu *v);     /* no lock; not on any queue */
    void (*wake)(struct vcpu *v);
    void (*sleep)(struct vcpu *v);
    void (*yield)(struct vcpu *v);
    unsigned int (*pick_cpu)(struct vcpu *v);
    struct task_slice (*do_schedule)(s_time_t now, bool tasklet);
    void (*context_saved)(struct vcpu *v);
    int (*adjust)(struct domain *d, struct xen_domctl_scheduler_op *op); /* no lock */
    int (*adjust_global)(struct xen_sysctl_scheduler_op *op);            /* no lock */
    void (*dump_cpu)(unsigned int cpu);
};
extern const struct scheduler sched_credit, *const sched_policies[];
extern const struct scheduler *sched; /* in force */

void scheduler_init(const char *name); /* unknown: warns and takes the default */
int sched_init_cpu(unsigned int cpu) __must_check;
int sched_init_domain(struct domain *d) __must_check;
void sched_destroy_domain(struct domain *d);
int sched_init_vcpu(struct vcpu *v) __must_check;
void sched_destroy_vcpu(struct vcpu *v);

bool vcpu_runnable(const struct vcpu *v);
void vcpu_wake(struct vcpu *v); /* after a reason to sleep went away; any context */
void vcpu_sleep_nosync(struct vcpu *v);
void vcpu_sleep_sync(struct vcpu *v); /* returns when it runs nowhere */
void vcpu_pause(struct vcpu *v);      /* counts, sync */
void vcpu_pause_nosync(struct vcpu *v);
void vcpu_unpause(struct vcpu *v);
void vcpu_block(void); /* current; returns, effect at guest exit */
void vcpu_yield(void);
/* An event became deliverable: wakes a blocked vcpu, or interrupts the CPU that runs it. */
void vcpu_kick(struct vcpu *v);
void vcpu_unblock(struct vcpu *v);
int vcpu_set_hard_affinity(struct vcpu *v,
                           cpumask_t mask) __must_check; /* -EINVAL: no online CPU in it */
int vcpu_set_soft_affinity(struct vcpu *v, cpumask_t mask) __must_check;
void vcpu_runstate_get(struct vcpu *v, struct vcpu_runstate_info *out);
uint64_t vcpu_cpu_time(struct vcpu *v); /* ns it has run */
/* Copies v's runstate to where the guest wants it; v is current and its address space is loaded.
 * False: the guest's memory is not there now. */
bool update_runstate_area(struct vcpu *v);
/* VCPUOP_set_periodic_timer: ns, 0 stops it; v is current or paused. */
void vcpu_set_periodic_timer(struct vcpu *v, s_time_t period);
/* SCHEDOP_pin_override: cpu < 0 undoes it. -EINVAL: not online; -EBUSY: somebody else pinned it. */
int vcpu_pin_override(struct vcpu *v, int cpu) __must_check;
int sched_adjust(struct domain *d, struct xen_domctl_scheduler_op *op) __must_check;
int sched_adjust_global(struct xen_sysctl_scheduler_op *op) __must_check;
s_time_t cpu_idle_time(unsigned int cpu); /* ns */

/* The idle vcpu of each CPU, and what runs now. */
extern struct vcpu *idle_vcpu[NR_CPUS];
DECLARE_PER_CPU(struct vcpu *,
                curr_vcpu); /* whose state is loaded; may lag behind `current` (lazy idle) */
/* Called by the architecture when prev's state is saved (end of context_switch). */
void context_saved(struct vcpu *prev);
/* A CPU's life when there is nothing to run: softirqs, clearing memory, sleep. Never returns. */
void run_idle_loop(void) __attribute__((noreturn));
void schedule(void); /* SCHEDULE_SOFTIRQ's handler; does not return when it switches */

#endif
