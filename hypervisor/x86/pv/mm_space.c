/*
 * Address spaces of PV vcpus: CR3, the hypervisor's slots in guests' top-level tables, the
 * per-domain slot with the windows to its vcpus' descriptor tables, and which CPUs' TLBs may know a
 * domain (dirty_cpus): a CPU's bit is set before its table is loaded and cleared after another
 * domain's (or the idle table) was.
 */
#include <hospes/arch.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <hospes/percpu.h>
#include <arch/boot.h>
#include "mm.h"

#define VCPUS_PER_L1   16u
#define PTES_PER_VCPU  32u
#define MAX_WINDOW_L1S DIV_ROUND_UP(MAX_VCPUS, VCPUS_PER_L1)

/* The vcpu whose table this CPU's CR3 holds; NULL: the idle table. */
static DEFINE_PER_CPU(struct vcpu *, ptbase_vcpu);

void init_guest_l4(pte_t *l4, const struct domain *d)
{
    for (unsigned int i = HYPERVISOR_FIRST_SLOT; i <= HYPERVISOR_LAST_SLOT; i++) {
        WRITE_ONCE(l4[i], boot_l4[i]);
    }
    if (d && d->arch.pv.perdomain_l3) {
        WRITE_ONCE(l4[PERDOMAIN_SLOT],
                   pte_make(page_to_mfn(d->arch.pv.perdomain_l3), PTE_HYP_TABLE));
    }
}

/* ---- CR3 ---- */

void update_cr3(struct vcpu *v)
{
    mfn_t m = v->arch.kernel_mode ? v->arch.guest_table : v->arch.guest_table_user;

    v->arch.cr3 = mfn_to_paddr(m);
}

void write_ptbase(struct vcpu *v)
{
    unsigned long flags = local_irq_save();
    unsigned int cpu = smp_processor_id();
    struct vcpu *prev = this_cpu(ptbase_vcpu), *next = v->domain->is_idle ? NULL : v;

    if (next) {
        cpumask_set(cpu, &next->domain->arch.pv.dirty_cpus);
        WRITE_ONCE(next->arch.dirty_cpu1, cpu + 1);
    }
    load_cr3(next ? next->arch.cr3 : idle_cr3());
    this_cpu(ptbase_vcpu) = next;
    if (prev && prev != next) {
        unsigned int here = cpu + 1;

        /* It may have been loaded elsewhere since. */
        (void)__atomic_compare_exchange_n(&prev->arch.dirty_cpu1, &here, 0u, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        if (!next || prev->domain != next->domain) {
            cpumask_clear(cpu, &prev->domain->arch.pv.dirty_cpus);
        }
    }
    local_irq_restore(flags);
}

/* ---- the per-domain slot ---- */

int pv_perdomain_create(struct domain *d)
{
    struct pv_domain *pv = &d->arch.pv;
    pte_t *l3 = alloc_xenheap_pages(0, 0), *l2 = alloc_xenheap_pages(0, 0);

    pv->gdt_ldt_l1 = xzalloc_array(pte_t *, MAX_WINDOW_L1S);
    spin_lock_init(&pv->pt_lock, RANK_PV_PAGETABLE);
    pv->perdomain_l2 = l2;
    pv->perdomain_l3 = l3 ? virt_to_page(l3) : NULL;
    if (!l3 || !l2 || !pv->gdt_ldt_l1) {
        pv_perdomain_destroy(d);
        return -ENOMEM;
    }
    l3[0] = pte_make(virt_to_mfn(l2), PTE_HYP_TABLE);
    return 0;
}

static void free_table_page(void *va)
{
    if (va) {
        free_xenheap_pages(va, 0);
    }
}

void pv_perdomain_destroy(struct domain *d)
{
    struct pv_domain *pv = &d->arch.pv;

    for (unsigned int i = 0; pv->gdt_ldt_l1 && i < MAX_WINDOW_L1S; i++) {
        free_table_page(pv->gdt_ldt_l1[i]);
    }
    xfree(pv->gdt_ldt_l1);
    pv->gdt_ldt_l1 = NULL;
    free_table_page(pv->perdomain_l2);
    pv->perdomain_l2 = NULL;
    free_table_page(pv->perdomain_l3 ? page_to_virt(pv->perdomain_l3) : NULL);
    pv->perdomain_l3 = NULL;
}

pte_t *pv_gdt_ldt_ptes(const struct vcpu *v)
{
    pte_t *l1 = v->domain->arch.pv.gdt_ldt_l1[v->vcpu_id / VCPUS_PER_L1];

    return &l1[v->vcpu_id % VCPUS_PER_L1 * PTES_PER_VCPU];
}

/* Behind descriptors that the guest did not give lie zeros, so that their use is a #GP or #NP. */
static const uint64_t zero_page[PAGE_SIZE / 8] __aligned(PAGE_SIZE);

pte_t pv_zero_gdt_entry(void)
{
    return pte_make(virt_to_mfn(zero_page), PTE_HYP_RO & ~PTE_G);
}

int pv_create_gdt_ldt_l1tab(struct vcpu *v)
{
    struct pv_domain *pv = &v->domain->arch.pv;
    unsigned int i = v->vcpu_id / VCPUS_PER_L1;
    pte_t *e;

    if (v->vcpu_id >= MAX_VCPUS) {
        return -EINVAL;
    }
    if (!pv->gdt_ldt_l1[i]) {
        pte_t *l1 = alloc_xenheap_pages(0, 0);

        if (!l1) {
            return -ENOMEM;
        }
        pv->gdt_ldt_l1[i] = l1;
        WRITE_ONCE(pv->perdomain_l2[i], pte_make(virt_to_mfn(l1), PTE_HYP_TABLE));
    }
    e = pv_gdt_ldt_ptes(v);
    for (unsigned int n = 0; n < FIRST_RESERVED_GDT_PAGE; n++) {
        e[n] = pv_zero_gdt_entry();
        v->arch.pv.gdt_frames[n] = MFN_NONE;
    }
    return 0;
}

void pv_destroy_gdt_ldt_l1tab(struct vcpu *v)
{
    if (v->domain->arch.pv.gdt_ldt_l1 && v->domain->arch.pv.gdt_ldt_l1[v->vcpu_id / VCPUS_PER_L1]) {
        memset(pv_gdt_ldt_ptes(v), 0, PTES_PER_VCPU * sizeof(pte_t));
    }
}

void pv_map_reserved_gdt(struct vcpu *v, mfn_t percpu_gdt_page)
{
    WRITE_ONCE(pv_gdt_ldt_ptes(v)[FIRST_RESERVED_GDT_PAGE],
               pte_make(percpu_gdt_page, PTE_HYP_RW & ~PTE_G));
}

/* ---- changing a vcpu's tables ---- */

static void stash_old(struct vcpu *v, struct page_info *pg, bool partial)
{
    BUG_ON(v->arch.old_guest_table != NULL);
    v->arch.old_guest_table = pg;
    v->arch.old_guest_table_partial = partial;
}

/* A referenced and typed top-level table of v's domain. -EINVAL, -ERESTART. */
static int get_top_table(struct vcpu *v, mfn_t m)
{
    struct page_info *pg;
    int rc;

    if (!mfn_valid(m) || !get_page(mfn_to_page(m), v->domain)) {
        return -EINVAL;
    }
    pg = mfn_to_page(m);
    rc = get_page_type(pg, PGT_L4, true);
    if (rc == -EAGAIN) {
        stash_old(v, pg, true);
        return -EINVAL;
    }
    if (rc != 0) {
        put_page(pg);
    }
    return rc == -EINTR ? -ERESTART : rc;
}

/* Replaces *slot; the old table is put (or stashed: -ERESTART, the change has been made). */
static int replace_table(struct vcpu *v, mfn_t *slot, mfn_t m)
{
    mfn_t old = *slot;
    int rc;

    if (mfn_eq(old, m)) {
        return 0;
    }
    rc = mfn_is_none(m) ? 0 : get_top_table(v, m);
    if (rc != 0) {
        return rc;
    }
    *slot = m;
    if (!mfn_is_none(old)) {
        stash_old(v, mfn_to_page(old), false);
    }
    return 0;
}

int pv_new_guest_cr3(mfn_t m)
{
    struct vcpu *v = current;
    /* An emulated MOV to CR3 that was preempted need not be the guest's next one. */
    int rc = pv_put_old_table(v);

    if (rc != 0) {
        return rc;
    }
    if (mfn_is_none(m)) { /* "none" is a number that a guest can say */
        return -EINVAL;
    }
    if (!mfn_eq(v->arch.guest_table, m)) {
        rc = replace_table(v, &v->arch.guest_table, m);
        if (rc != 0) {
            return rc;
        }
        (void)pv_destroy_ldt(v); /* its pages were found through the old table */
    }
    update_cr3(v);
    write_ptbase(v);
    return pv_put_old_table(v);
}

int pv_set_guest_tables(struct vcpu *v, mfn_t kernel, mfn_t user)
{
    int rc = mfn_is_none(kernel) ? -EINVAL : pv_put_old_guest_table(v);

    if (rc == 0) {
        rc = replace_table(v, &v->arch.guest_table, kernel);
    }
    if (rc == 0) {
        rc = pv_put_old_guest_table(v);
    }
    if (rc == 0) {
        rc = replace_table(v, &v->arch.guest_table_user, user);
    }
    if (rc == 0) {
        rc = pv_put_old_guest_table(v);
    }
    if (rc == 0) {
        update_cr3(v);
    }
    return rc;
}

int pv_drop_guest_tables(struct vcpu *v)
{
    int rc;

    if (this_cpu(ptbase_vcpu) == v) {
        write_ptbase(idle_vcpu[smp_processor_id()]);
    }
    v->arch.cr3 = idle_cr3();
    rc = pv_put_old_guest_table(v);
    if (rc == 0) {
        rc = replace_table(v, &v->arch.guest_table_user, MFN_NONE);
    }
    if (rc == 0) {
        rc = pv_put_old_guest_table(v);
    }
    if (rc == 0) {
        rc = replace_table(v, &v->arch.guest_table, MFN_NONE);
    }
    return rc == 0 ? pv_put_old_guest_table(v) : rc;
}
