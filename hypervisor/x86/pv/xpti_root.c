/*
 * The tables that isolated guests run on: on the way out a CPU makes sure that its copy of the
 * guest's top-level table is as the guest's is now. A copy is good as long as its table is the same
 * and no top-level table of the domain has changed, which l4_generation tells; kernel and processes
 * have one each, so that system calls copy nothing.
 *
 * A change (xpti_l4_changed) takes its number after the entry is written. A CPU reads the number
 * before it copies; where it read the old one, it counted on the TLB clock before, so who drops
 * what the entry referred to finds that it has to flush this CPU, whose next way out copies again.
 */
#include <arch/xpti.h>
#include "exit.h"
#include "mm.h"
#include "xpti_fill.h"

void xpti_exit(struct cpu_user_regs *regs);

/* Numbers are never given twice, not even to two domains: tables may change hands. */
static uint64_t last_generation;

void xpti_l4_validated(struct domain *d)
{
    if (d->arch.pv.isolated) {
        __atomic_store_n(&d->arch.pv.l4_generation,
                         __atomic_add_fetch(&last_generation, 1, __ATOMIC_SEQ_CST),
                         __ATOMIC_SEQ_CST);
    }
}

/* Some other vcpu has loaded the table, or it will read the new number. */
static bool in_use_elsewhere(struct domain *d, mfn_t table)
{
    struct vcpu *v;

    for_each_vcpu (d, v) {
        if (v != current && (mfn_eq(READ_ONCE(v->arch.guest_table), table) ||
                             mfn_eq(READ_ONCE(v->arch.guest_table_user), table))) {
            return true;
        }
    }
    return false;
}

void xpti_l4_changed(struct domain *d, mfn_t table)
{
    if (d->arch.pv.isolated) {
        xpti_l4_validated(d);
        if (in_use_elsewhere(d, table)) {
            tlb_flush_mask(cpumask_andnot(domain_dirty_cpus(d), cpumask_of(smp_processor_id())));
        }
    }
}

static void replace_linear_slots(const struct domain *d, pte_t *root, mfn_t l4)
{
    for (unsigned int i = 0; i < PTES_PER_TABLE; i++) {
        mfn_t m = pte_mfn(root[i]);

        if ((READ_ONCE(d->arch.pv.linear_slots[i / 64]) & (1ul << (i % 64))) &&
            is_guest_entry(4, i) && (root[i] & PTE_P) &&
            type_level(READ_ONCE(mfn_to_page(m)->type_info)) == 4) {
            xpti_replace_linear(root, i, l4, virt_to_mfn(root));
        }
    }
}

static __noinline void refresh(struct xpti_cpu *x, struct xpti_copy *c, const struct domain *d,
                               paddr_t from, uint64_t generation)
{
    mfn_t l4 = paddr_to_mfn(from);

    c->from = from;
    c->generation = generation;
    smp_mb();
    xpti_fill_root(c->root, mfn_to_virt(l4), x->minimal);
    if (unlikely(READ_ONCE(linear_slots_in_use))) {
        replace_linear_slots(d, c->root, l4);
    }
}

/* The last thing in C before a guest runs: its frame and its table. Interrupts are off. */
void xpti_exit(struct cpu_user_regs *regs)
{
    struct cpu_info *info = info_of_frame(regs);
    const struct vcpu *v = info->current_vcpu;
    const struct domain *d = v->domain;
    struct xpti_area *a = container_of((uint64_t *)info->xpti_frame, struct xpti_area, rax);
    paddr_t cr3 = paddr(read_cr3());

    a->full_cr3 = cr3.v;
    a->isolated = d->arch.pv.isolated;
    a->user_rsp = 0;
    a->rax = regs->rax;
    a->rip = regs->rip;
    a->cs = regs->cs;
    a->rflags = regs->rflags;
    a->rsp = regs->rsp;
    a->ss = regs->ss;
    info->xpti_cr3 = 0;
    if (d->arch.pv.isolated) {
        struct xpti_cpu *x = &this_cpu(xpti_cpu);
        struct xpti_copy *c = &x->copy[v->arch.kernel_mode ? 0 : 1];
        uint64_t generation = __atomic_load_n(&d->arch.pv.l4_generation, __ATOMIC_SEQ_CST);

        if (c->from.v != cr3.v || c->generation != generation) {
            refresh(x, c, d, cr3, generation);
        }
        info->xpti_cr3 = a->roots + (v->arch.kernel_mode ? 0 : PAGE_SIZE);
    }
}
