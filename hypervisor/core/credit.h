/* Between sched_credit.c (run queues) and credit_account.c (who gets how much): not for others. */
#ifndef CORE_CREDIT_H
#define CORE_CREDIT_H

#include <hospes/list.h>
#include "sched_private.h"

/* Lower runs first. */
enum { PRI_BOOST, PRI_UNDER, PRI_OVER, PRI_IDLE };

#define TICKS_PER_SLICE  3
#define NS_PER_CREDIT    MICROSECS(10) /* 100 credits per ms of one CPU */
#define CREDITS_MAX_BURN 1000000
#define DEFAULT_WEIGHT   256u

struct credit_vcpu {
    struct vcpu *vcpu;
    struct list_head link; /* in the queue of its processor; empty when not queued */
    int pri;
    int credit; /* atomic */
    bool yielded;
    bool wanted;        /* has run, or waited to, since the last accounting */
    s_time_t burned_at; /* until when running time has been charged */
};

struct credit_domain {
    struct domain *domain;
    struct list_head link; /* credit.domains */
    uint16_t weight, cap;  /* cap: percent of one CPU; 0: none */
};

struct credit_global {
    spinlock_t lock;          /* RANK_SCHED_GLOBAL */
    struct list_head domains; /* of struct credit_domain */
    s_time_t tslice, ratelimit, migration_delay;
    struct timer account_timer;
};
extern struct credit_global credit;

void credit_start_accounting(unsigned int cpu);
int credit_init_domain(struct domain *d);
void credit_free_domain(struct domain *d);
int credit_init_vcpu(struct vcpu *v);
void credit_free_vcpu(struct vcpu *v);
int credit_adjust(struct domain *d, struct xen_domctl_scheduler_op *op);
int credit_adjust_global(struct xen_sysctl_scheduler_op *op);

#endif
