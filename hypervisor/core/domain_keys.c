/* Debug keys that print domains and memory. */
#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include "domain_private.h"

static void print_vcpu(struct vcpu *v)
{
    static const char *const states[] = {"running", "runnable", "blocked", "offline"};

    printk("  %pv: CPU%u, %s, flags %#lx, paused %u, poll %u, upcall pending %u masked %u\n", v,
           v->sched.processor, states[v->runstate.state & 3], v->sched.pause_flags,
           v->sched.pause_count, v->sched.poll_evtchn, v->vcpu_info->evtchn_upcall_pending,
           !arch_events_enabled(v));
}

static void print_pages(const struct page_list *l, const char *which)
{
    unsigned int n = 0;

    for (const struct page_info *pg = page_list_first(l); pg && n < 10; pg = page_list_next(pg)) {
        printk("  %s frame %#lx: count %lx, type %lx\n", which, (unsigned long)page_to_mfn(pg).v,
               (unsigned long)pg->count_info, (unsigned long)pg->type_info);
        n++;
    }
}

/* Why a dead domain does not go away: the frames that are still in use. */
static void print_last_pages(struct domain *d)
{
    LOCKED(&d->page_lock);
    print_pages(&d->page_list, "held");
    print_pages(&d->relmem_list, "given up");
}

static void dump_domains(char key)
{
    struct domain *d;
    struct vcpu *v;

    for_each_domain (d) {
        printk("Domain %u: refs %u, dying %u, paused %u, %lu of %lu pages, %u shared, shutdown "
               "%d%s\n",
               d->domain_id, d->refcount, d->is_dying, d->pause_count, (unsigned long)d->tot_pages,
               (unsigned long)d->max_pages, d->xenheap_pages, d->shutdown_code,
               d->is_privileged ? ", privileged" : "");
        for_each_vcpu (d, v) {
            print_vcpu(v);
        }
        if (d->is_dying) {
            print_last_pages(d);
        }
        process_pending_softirqs();
    }
}

static void dump_events(char key)
{
    struct domain *d;

    for_each_domain (d) {
        evtchn_dump(d);
        process_pending_softirqs();
    }
}

static void dump_grants(char key)
{
    struct domain *d;

    for_each_domain (d) {
        grant_table_dump(d);
        process_pending_softirqs();
    }
}

#define STOP_LIMIT MILLISECS(10)

/* Waits for a paused vcpu to stop, but not for ever: it may be waiting, in the hypervisor, for the
 * one that runs here. */
static bool stops(const struct vcpu *v)
{
    s_time_t limit = NOW() + STOP_LIMIT;

    while (READ_ONCE(v->sched.is_running) && NOW() < limit) {
        cpu_relax();
    }
    return !READ_ONCE(v->sched.is_running);
}

static void dump_dom0(char key)
{
    struct vcpu *v;

    if (hardware_domain == NULL) {
        return;
    }
    for_each_vcpu (hardware_domain, v) {
        if (v == current) {
            arch_vcpu_dump(v);
            continue;
        }
        vcpu_pause_nosync(v);
        if (stops(v)) {
            arch_vcpu_dump(v);
        } else {
            printk("%pv is busy in the hypervisor\n", v);
        }
        vcpu_unpause(v);
        process_pending_softirqs();
    }
}

static void dump_memory(char key)
{
    printk("Memory: %lu KiB in all, %lu KiB free (%lu KiB not cleared), %lu KiB claimed\n",
           (unsigned long)heap_total_pages() * 4, (unsigned long)heap_free_pages() * 4,
           (unsigned long)heap_dirty_pages() * 4, (unsigned long)heap_outstanding_pages() * 4);
    xmalloc_dump();
}

void domain_keys_init(void)
{
    keyhandler_register('q', dump_domains, "domains and vcpus");
    keyhandler_register('e', dump_events, "event channels");
    keyhandler_register('g', dump_grants, "grants in use");
    keyhandler_register('0', dump_dom0, "registers of Domain 0");
    keyhandler_register('m', dump_memory, "memory");
}
