/*
 * Translation buffers. Guests' translations are never global, so loading CR3 drops them all; the
 * hypervisor's are global and the same everywhere, so they go only when its own tables change.
 *
 * The clock: every flush of a CPU's guest translations takes the next number. A frame that loses
 * its last use is stamped with the clock; it may be reused once every CPU that could still
 * translate to it has a later number. Stamps have 32 bits, the clock 64: a stamp is read as the
 * latest time with those low bits that is not in the future, so wrapping only costs a flush.
 */
#include <hospes/arch.h>
#include <hospes/lib.h>
#include <hospes/percpu.h>
#include <arch/irq.h>
#include <arch/mm.h>
#include <arch/msr.h>

uint64_t tlb_clock __aligned(64) = 1;
DEFINE_PER_CPU(uint64_t, tlb_flush_time);

/* Flush request: one at a time, for the CPUs still in flush_pending. */
enum flush_what { FLUSH_GUEST, FLUSH_PAGE, FLUSH_ALL, FLUSH_CACHE };
static uint32_t flush_busy __aligned(64);
static enum flush_what flush_what;
static unsigned long flush_va;
static cpumask_t flush_pending;

static void tick(void)
{
    this_cpu(tlb_flush_time) = __atomic_add_fetch(&tlb_clock, 1, __ATOMIC_SEQ_CST);
}

uint32_t tlb_clock_now(void)
{
    return (uint32_t)__atomic_load_n(&tlb_clock, __ATOMIC_SEQ_CST);
}

void load_cr3(paddr_t cr3)
{
    unsigned long flags = local_irq_save();

    load_cr3_irqs_off(cr3);
    local_irq_restore(flags);
}

void tlb_flush_local(void)
{
    unsigned long flags = local_irq_save();

    tick();
    write_cr3(read_cr3());
    local_irq_restore(flags);
}

void tlb_flush_local_all(void)
{
    unsigned long flags = local_irq_save();
    uint64_t cr4 = read_cr4();

    tick();
    if (cr4 & CR4_PGE) {
        write_cr4(cr4 & ~CR4_PGE);
        write_cr4(cr4);
    } else {
        write_cr3(read_cr3());
    }
    local_irq_restore(flags);
}

static void do_flush(enum flush_what what, unsigned long va)
{
    switch (what) {
    case FLUSH_GUEST:
        tlb_flush_local();
        break;
    case FLUSH_PAGE:
        invlpg(va);
        break;
    case FLUSH_ALL:
        tlb_flush_local_all();
        break;
    case FLUSH_CACHE:
        __asm__ volatile("wbinvd" ::: "memory");
        break;
    }
}

/* Interrupts off. What another CPU asks of this one. */
static void answer_request(void)
{
    unsigned int cpu = smp_processor_id();

    if (cpumask_test(cpu, (cpumask_t){__atomic_load_n(&flush_pending.bits, __ATOMIC_ACQUIRE)})) {
        do_flush(flush_what, flush_va);
        cpumask_clear(cpu, &flush_pending);
    }
}

void tlb_flush_interrupt(void)
{
    answer_request();
}

/* Waiting CPUs answer each other's requests, so two that flush each other do not wait for ever. */
static void wait_answering(void)
{
    unsigned long flags = local_irq_save();

    answer_request();
    local_irq_restore(flags);
    cpu_relax();
}

static void flush_on(cpumask_t mask, enum flush_what what, unsigned long va)
{
    unsigned int self = smp_processor_id();

    if (cpumask_test(self, mask)) {
        do_flush(what, va);
    }
    mask = cpumask_and(mask, cpumask_andnot(cpu_online_map, cpumask_of(self)));
    if (cpumask_empty(mask)) {
        return;
    }
    while (__atomic_exchange_n(&flush_busy, 1, __ATOMIC_ACQUIRE) != 0) {
        wait_answering();
    }
    flush_what = what;
    flush_va = va;
    __atomic_store_n(&flush_pending.bits, mask.bits, __ATOMIC_RELEASE);
    send_ipi_mask(mask, TLB_FLUSH_VECTOR);
    while (__atomic_load_n(&flush_pending.bits, __ATOMIC_ACQUIRE) != 0) {
        cpu_relax();
    }
    __atomic_store_n(&flush_busy, 0, __ATOMIC_RELEASE);
}

void tlb_flush_mask(cpumask_t mask)
{
    flush_on(mask, FLUSH_GUEST, 0);
}

void tlb_flush_page_mask(cpumask_t mask, unsigned long va)
{
    flush_on(mask, FLUSH_PAGE, va);
}

void hyp_tlb_flush_all(void)
{
    flush_on(CPUMASK_ALL, FLUSH_ALL, 0);
}

void cache_flush_mask(cpumask_t mask)
{
    flush_on(mask, FLUSH_CACHE, 0);
}

void tlb_flush_since(cpumask_t mask, uint32_t stamp)
{
    uint64_t now = __atomic_load_n(&tlb_clock, __ATOMIC_SEQ_CST);
    uint64_t since = (now & ~0xffffffffull) | stamp;
    cpumask_t stale = CPUMASK_NONE;
    unsigned int cpu;

    if (since > now) {
        since = now >= (1ull << 32) ? since - (1ull << 32) : now;
    }
    for_each_cpu_in(cpu, mask)
    {
        if (READ_ONCE(per_cpu(tlb_flush_time, cpu)) <= since) {
            cpumask_set(cpu, &stale);
        }
    }
    tlb_flush_mask(stale);
}

/*
 * Who may still translate to the frame: its owner, and Domain 0, which maps the frames of others.
 * Any other domain that had it mapped, by a grant or because a manager put it into its tables, was
 * flushed before its entry let go of the frame (pv_put_data_page, grant_unmap_finish); and as a
 * mapped frame is referenced, its owner was the same then as when it was mapped.
 */
void arch_flush_before_reuse(struct page_info *pg)
{
    struct domain *d = domain_by_id(page_owner_id(pg));
    cpumask_t mask = hardware_domain ? hardware_domain->arch.pv.dirty_cpus : CPUMASK_NONE;

    if (!d) {
        mask = cpu_online_map;
    } else {
        mask = cpumask_or(mask, d->arch.pv.dirty_cpus);
    }
    tlb_flush_since(mask, pg->tlbflush_timestamp);
}

/* Mostly only this CPU's. */
void arch_grant_flush(struct domain *d)
{
    if (likely(d->arch.pv.dirty_cpus.bits == cpumask_of(smp_processor_id()).bits)) {
        tlb_flush_local();
    } else {
        tlb_flush_mask(d->arch.pv.dirty_cpus);
    }
}
