/*
 * Looking up in guests' tables, who may name whose memory, and on which CPUs a guest's vcpus are.
 */
#include <hospes/arch.h>
#include <hospes/guest_access.h>
#include <hospes/lib.h>
#include "mm.h"

/* The table behind entry `va` of a table of `level`; NULL: none. */
static __always_inline pte_t *next_table(const pte_t *table, unsigned long va, unsigned int level)
{
    pte_t e = READ_ONCE(table[PT_INDEX(va, level)]);

    if (unlikely((e & (PTE_P | (level < 4 ? PTE_PS : 0))) != PTE_P)) {
        return NULL;
    }
    return (pte_t *)(DIRECTMAP_START + (e & PTE_FRAME));
}

/*
 * m is the top table that this CPU's CR3 was loaded from, or another one of the running vcpu's. The
 * tables may change while we walk; but interrupts are off, so a table that has been taken out
 * cannot become anything else meanwhile: its next use needs a flush of this CPU, which would wait
 * for us. So every frame that is followed is a table. The last one may have been taken out when
 * this returns: it is only believed after the caller's own check of the frame in *table.
 */
static __always_inline pte_t *walk(mfn_t m, unsigned long va, mfn_t *table)
{
    pte_t *t = (pte_t *)(DIRECTMAP_START + (m.v << PAGE_SHIFT));

    if (unlikely(va - GUEST_BASE >= GUEST_SIZE)) {
        return NULL;
    }
    t = next_table(t, va, 4);
    t = likely(t) ? next_table(t, va, 3) : NULL;
    t = likely(t) ? next_table(t, va, 2) : NULL;
    if (unlikely(!t)) {
        return NULL;
    }
    *table = mfn(((unsigned long)t - DIRECTMAP_START) >> PAGE_SHIFT);
    return &t[PT_INDEX(va, 1)];
}

pte_t *pv_walk_l1(struct vcpu *v, unsigned long va, mfn_t *table)
{
    pte_t *p;

    ASSERT(local_irq_is_enabled());
    local_irq_disable();
    p = walk(v->arch.kernel_mode ? v->arch.guest_table : v->arch.guest_table_user, va, table);
    local_irq_enable();
    return p;
}

pte_t *pv_walk_kernel_l1(struct vcpu *v, unsigned long va, mfn_t *table)
{
    unsigned long flags = local_irq_save();
    pte_t *p = walk(v->arch.guest_table, va, table);

    local_irq_restore(flags);
    return p;
}

struct domain *pv_page_owner(domid_t id)
{
    if (id == DOMID_SELF) {
        return current->domain;
    }
    if (id == current->domain->domain_id) {
        return NULL; /* the ABI: oneself is DOMID_SELF */
    }
    if (id == DOMID_IO) {
        return dom_io;
    }
    return id == DOMID_XEN ? dom_xen : domain_by_id(id);
}

int pv_vcpumask_to_cpus(struct domain *d, unsigned long guest_addr, cpumask_t *out)
{
    cpumask_t mask = CPUMASK_NONE;

    for (unsigned int base = 0; base < d->max_vcpus; base += BITS_PER_LONG) {
        unsigned long bits;

        if (copy_bytes_from_guest(&bits, guest_addr + base / 8, sizeof(bits))) {
            return -EFAULT;
        }
        for (; bits != 0; bits &= bits - 1) {
            struct vcpu *v = domain_vcpu(d, base + lowest_bit(bits));
            unsigned int cpu1 = v ? READ_ONCE(v->arch.dirty_cpu1) : 0;

            if (cpu1 != 0) {
                cpumask_set(cpu1 - 1, &mask);
            }
        }
    }
    *out = mask;
    return 0;
}

cpumask_t domain_dirty_cpus(const struct domain *d)
{
    return (cpumask_t){__atomic_load_n(&d->arch.pv.dirty_cpus.bits, __ATOMIC_ACQUIRE)};
}
