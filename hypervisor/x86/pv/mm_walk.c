/*
 * Looking up in guests' tables, who may name whose memory, and on which CPUs a guest's vcpus are.
 */
#include <hospes/arch.h>
#include <hospes/guest_access.h>
#include <hospes/lib.h>
#include "mm.h"

/*
 * The tables may change while we walk: every frame we follow is RAM or the walk ends, what we read
 * there is only believed after the caller's own check of the frame in *table.
 */
static pte_t *walk(mfn_t m, unsigned long va, mfn_t *table)
{
    if (!is_guest_address(va)) {
        return NULL;
    }
    for (unsigned int level = 4; level > 1; level--) {
        pte_t e;

        if (!mfn_valid(m)) {
            return NULL;
        }
        e = READ_ONCE(((pte_t *)mfn_to_virt(m))[PT_INDEX(va, level)]);
        if (!(e & PTE_P) || (level < 4 && (e & PTE_PS))) {
            return NULL;
        }
        m = pte_mfn(e);
    }
    if (!mfn_valid(m)) {
        return NULL;
    }
    *table = m;
    return &((pte_t *)mfn_to_virt(m))[PT_INDEX(va, 1)];
}

pte_t *pv_walk_l1(struct vcpu *v, unsigned long va, mfn_t *table)
{
    return walk(v->arch.kernel_mode ? v->arch.guest_table : v->arch.guest_table_user, va, table);
}

pte_t *pv_walk_kernel_l1(struct vcpu *v, unsigned long va, mfn_t *table)
{
    return walk(v->arch.guest_table, va, table);
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

        if (raw_copy_from_guest(&bits, guest_addr + base / 8, sizeof(bits)) != 0) {
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
