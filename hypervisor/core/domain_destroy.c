/*
 * The end of a domain. domain_kill takes back, in preemptible stages, all that the domain has and
 * all that it holds of others; then its creator's reference goes. When the last reference goes (the
 * last of its frames is freed, the last lookup done), lookups stop finding it, and after a quiet
 * point of all CPUs its memory is freed. Read domain.c first.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include "domain_private.h"

enum stage { STAGE_NONE, STAGE_ALIVE, STAGE_GRANTS, STAGE_EVENTS, STAGE_ARCH, STAGE_PAGES };

/* The hypervisor's frames that the domain saw: each gives up its allocation reference. */
static void relinquish_xen_pages(struct domain *d)
{
    struct page_info *pg;

    for (;;) {
        spin_lock(&d->page_lock);
        for (pg = page_list_first(&d->xenpage_list); pg != NULL; pg = page_list_next(pg)) {
            if (READ_ONCE(pg->count_info) & PGC_ALLOCATED) {
                get_page_again(pg);
                break;
            }
        }
        spin_unlock(&d->page_lock);
        if (pg == NULL) {
            return;
        }
        put_page_alloc_ref(pg);
        put_page(pg);
    }
}

/* Nobody gives it anything new after this: the locks are those under which is_dying is looked at.
 */
static void stop_domain(struct domain *d)
{
    struct vcpu *v;

    domain_pause(d);
    for_each_vcpu (d, v) {
        vcpu_set_periodic_timer(v, 0);
        timer_stop(&v->singleshot_timer);
        timer_stop(&v->poll_timer);
    }
    spin_lock(&d->lock);
    d->is_dying = DOMDYING_DYING;
    spin_unlock(&d->lock);
    spin_lock(&d->page_lock);
    spin_unlock(&d->page_lock);
    BUG_ON(domain_claim_pages(d, 0) != 0);
    watchdogs_destroy(d);
}

/* Each stage is done again until it is finished: -ERESTART. */
static int run_stages(struct domain *d)
{
    struct vcpu *v;
    int rc = 0;

    switch ((enum stage)d->reclaim_stage) {
    case STAGE_NONE:
    case STAGE_ALIVE:
        d->reclaim_stage = STAGE_GRANTS;
        /* fall through */
    case STAGE_GRANTS:
        rc = grant_table_release_mappings(d);
        if (rc != 0) {
            return rc;
        }
        d->reclaim_stage = STAGE_EVENTS;
        /* fall through */
    case STAGE_EVENTS:
        rc = evtchn_destroy(d);
        if (rc != 0) {
            return rc;
        }
        for_each_vcpu (d, v) {
            unmap_vcpu_info(v);
        }
        d->reclaim_stage = STAGE_ARCH;
        /* fall through */
    case STAGE_ARCH:
        rc = arch_domain_relinquish(d);
        if (rc != 0) {
            return rc;
        }
        d->reclaim_stage = STAGE_PAGES;
        /* fall through */
    case STAGE_PAGES:
        relinquish_xen_pages(d);
        break;
    }
    return 0;
}

/* One caller at a time (RANK_DOMCTL). */
int domain_kill(struct domain *d)
{
    int rc;

    if (d == current->domain || d->is_xen) {
        return -EINVAL;
    }
    if (d->is_dying == DOMDYING_DEAD) {
        return 0;
    }
    if (d->is_dying == DOMDYING_ALIVE) {
        stop_domain(d);
    }
    rc = run_stages(d);
    if (rc != 0) {
        return rc;
    }
    d->is_dying = DOMDYING_DEAD;
    domain_exception_notify();
    put_domain(d);
    return 0;
}

/* Of a domain that nobody could find yet: it has the only references. (Dropping them would look
 * for the owner by its number, which may be another domain's.) */
static void forget_xen_pages(struct domain *d)
{
    struct page_info *pg;

    while ((pg = page_list_first(&d->xenpage_list)) != NULL) {
        page_list_del(pg, &d->xenpage_list);
        pg->owner = DOMID_INVALID;
        pg->count_info = PGC_XEN_HEAP;
    }
}

void domain_free(struct domain *d)
{
    forget_xen_pages(d);
    if (d->reclaim_stage != STAGE_NONE) {
        arch_domain_destroy(d);
    }
    sched_destroy_domain(d);
    grant_table_destroy(d);
    evtchn_free(d);
    free_xenheap_pages(d->shared_info, 0);
    rangeset_destroy(d->ioport_caps);
    rangeset_destroy(d->iomem_caps);
    rangeset_destroy(d->irq_caps);
    watchdogs_destroy(d);
    if (d->target != NULL) {
        put_domain(d->target);
    }
    xfree(d->vcpu);
    xfree(d);
}

/* Every CPU has been at a quiet point since the domain was unlisted. */
static void destroy_now(struct rcu_head *head)
{
    struct domain *d = container_of(head, struct domain, rcu);
    struct vcpu *v;
    unsigned int i;

    for (i = d->max_vcpus; i-- > 0;) {
        v = d->vcpu[i];
        if (v != NULL) {
            __atomic_store_n(&d->vcpu[i], NULL, __ATOMIC_RELEASE);
            vcpu_destroy(v);
        }
    }
    domain_free(d);
    domain_exception_notify();
}

void domain_destroy(struct domain *d)
{
    BUG_ON(d->is_xen || d->is_dying != DOMDYING_DEAD);
    domain_unlist(d);
    call_rcu(&d->rcu, destroy_now);
}
