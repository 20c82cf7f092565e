/*
 * Inside of the PV machine's memory management (x86/pv/mm_*.c). Levels are 1..4; a level-1 entry
 * points to a data page, an entry of a higher level to a table one level lower.
 */
#ifndef X86_PV_MM_H
#define X86_PV_MM_H

#include <hospes/arch.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/page_inline.h>
#include <arch/layout.h>
#include <arch/pv_mm.h>

/* The ABI's mark that a user page table entry belongs to the guest's kernel: U/S is set in all. */
#define PTE_GUEST_KERNEL BIT(52)

/* In `count` of a continued batch (an ABI value that the public headers do not name). */
#define MMU_UPDATE_PREEMPTED 0x80000000u

/* What may change in an entry without any check: no reference depends on it. */
#define PTE_FREE_BITS (PTE_NX | PTE_AVAILH | PTE_AVAIL | PTE_G | PTE_A | PTE_D | PTE_US)
/* Levels 2..4: everything but these must be 0 in a present entry. */
#define PTE_TABLE_ALLOWED \
    (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D | PTE_AVAIL | PTE_AVAILH | PTE_NX | PTE_FRAME)
_Static_assert((PTE_TABLE_ALLOWED & PTE_CACHE) == 0,
               "where a linear entry makes it a level 1 entry, too, memory is mapped write-back");

static inline unsigned int type_level(uint64_t type)
{
    return (unsigned int)((type & PGT_TYPE_MASK) >> PGT_TYPE_SHIFT);
}
static inline uint64_t level_type(unsigned int level)
{
    return (uint64_t)level << PGT_TYPE_SHIFT;
}
/* Is entry i of a table of `level` the guest's to choose? */
static inline bool is_guest_entry(unsigned int level, unsigned int i)
{
    return level != 4 || i < HYPERVISOR_FIRST_SLOT || i > HYPERVISOR_LAST_SLOT;
}
static inline pte_t *map_table(const struct page_info *pg)
{
    return page_to_virt(pg);
}

/* ---- mm_data.c: what level-1 entries refer to ---- */
/*
 * Takes the references for a present level-1 entry in a table of `owner`, mapping a frame of
 * `pg_owner` (usually the same), and gives *e the form in which it goes into the table. A
 * non-present entry is fine as it is. -EINVAL, -EPERM, -EBUSY, -EACCES: nothing taken.
 */
static __always_inline __must_check int pv_get_data_page(pte_t *e, struct domain *owner,
                                                         struct domain *pg_owner);
static __always_inline void pv_put_data_page(pte_t e, struct domain *owner);
/* The bits that a present level-1 entry of d must not have. */
pte_t pv_l1_disallowed(const struct domain *d);
/*
 * U/S and the like, as they must be in a present level-1 entry. Kernel and user of the guest both
 * run in ring 3, so every entry is a user entry; PTE_GUEST_KERNEL remembers what the guest asked
 * for. Global entries would outlive the switch of page tables.
 */
static __always_inline pte_t pv_adjust_l1(pte_t e)
{
    if (!(e & PTE_P)) {
        return e;
    }
    if (!(e & PTE_US)) {
        e |= PTE_GUEST_KERNEL | PTE_US;
    }
    return e & ~PTE_G;
}
/* Is m a device frame that is mapped read-only? */
bool mmio_ro_contains(mfn_t m);

/* The common case in line: RAM of the table's own domain with ordinary attributes. */
int pv_get_data_page_slow(pte_t *e, struct domain *owner, struct domain *pg_owner) __must_check;
static __always_inline int pv_get_data_page(pte_t *e, struct domain *owner, struct domain *pg_owner)
{
    mfn_t m = pte_mfn(*e);

    /* An owner that matches tells that the frame is RAM. */
    if (likely(!(*e & PTE_CACHE)) && likely(owner == pg_owner) && likely(frame_backed(m)) &&
        likely(get_page_inline(mfn_to_page(m), owner))) {
        if ((*e & PTE_RW) && get_page_type_inline(mfn_to_page(m), PGT_WRITABLE, false) != 0) {
            put_page(mfn_to_page(m));
            return -EBUSY;
        }
        *e = pv_adjust_l1(*e);
        return 0;
    }
    return pv_get_data_page_slow(e, owner, pg_owner);
}
static __always_inline void pv_put_data_page(pte_t e, struct domain *owner)
{
    mfn_t m = pte_mfn(e);
    struct page_info *pg;

    if (!(e & PTE_P) || unlikely(!mfn_valid(m))) {
        return;
    }
    pg = mfn_to_page(m);
    /* Before its owner may use it as something else: which CPUs `owner` runs on is known here only
     * (arch_flush_before_reuse looks at the frame's owner and Domain 0). */
    if (unlikely(page_owner_id(pg) != owner->domain_id) && owner != hardware_domain) {
        arch_grant_flush(owner);
    }
    if (e & PTE_RW) {
        put_page_and_type_inline(pg);
    } else {
        put_page_inline(pg);
    }
}

/* ---- mm_table.c: what entries of levels 2..4 refer to ---- */
/*
 * Takes the references of a present entry, number i, in `table` of `level`. -EINVAL (also with
 * nothing to undo), -EINTR: nothing taken. -ERESTART, -EAGAIN (see get_page_type): the lower table
 * is partial, and its general reference is kept, as `partial` says on the next call. An entry that
 * refers to its own table holds no references.
 */
int pv_get_table(pte_t e, struct page_info *table, unsigned int level, unsigned int i,
                 struct domain *d, bool partial, bool preemptible) __must_check;
/* Does this entry of `table`, which holds its references, refer to another table of its level? */
bool pv_is_linear(pte_t e, const struct page_info *table);

/* ---- mm_modify.c: changing one entry of a live table ---- */
/*
 * Writes ne to *p, an entry of the locked table pg of current's domain or of `v`'s (whose tables
 * they are). Level 1: frames of pg_owner. keep_ad: the accessed and dirty bits of the old entry
 * that the CPU set meanwhile survive. 0, -EINVAL..., -ERESTART: again. A lower table that is no
 * longer referenced is left in current's old_guest_table when that takes long.
 */
int pv_mod_entry(struct page_info *pg, pte_t *p, pte_t ne, bool keep_ad, struct domain *pt_owner,
                 struct domain *pg_owner) __must_check;
/* pv_put_old_guest_table (<arch/pv_mm.h>), without a call where there is none. */
static __always_inline int pv_put_old_table(struct vcpu *v)
{
    return likely(!v->arch.old_guest_table) ? 0 : pv_put_old_guest_table(v);
}
/* Puts pg (a full reference; partial: one as pv_put_table leaves it) off to
 * pv_put_old_guest_table. */
void pv_defer_put(struct page_info *pg, bool partial);
/*
 * The end of a batch of hypercall `op` (mmu_update, mmuext_op), with what it returns. What it put
 * off is finished first, also when it failed: else the frame would be held, half done, until this
 * vcpu's next batch. The continuation for that has no requests, and carries the result in the place
 * of the foreign domain: pv_batch_is_over tells it.
 */
long pv_end_batch(unsigned int op, int rc);
static inline bool pv_batch_is_over(XEN_GUEST_HANDLE(void) requests, unsigned int count)
{
    return unlikely(count == MMU_UPDATE_PREEMPTED) && guest_handle_is_null(requests);
}
/*
 * A table of d has been left half done, to be gone on with: has d begun to die? Then its pages may
 * have been given back already, and nobody would finish or undo this one: the caller does.
 */
static inline bool pv_owner_dies(const struct domain *d)
{
    smp_mb(); /* either we see that it dies, or who gives its pages back sees the table */
    return READ_ONCE(d->is_dying) != DOMDYING_ALIVE;
}

/* ---- mm_walk.c ---- */
/* The guest entry that maps va in the current table of v, which is running. NULL: a level above is
 * not there. The frame of its level-1 table is put into *table. No reference is taken: check what
 * you find. Interrupts are on. */
pte_t *pv_walk_l1(struct vcpu *v, unsigned long va, mfn_t *table);
/* The same in the kernel's table, whatever mode v is in, and whatever the interrupts. */
pte_t *pv_walk_kernel_l1(struct vcpu *v, unsigned long va, mfn_t *table);

/* ---- mm_space.c, mm_desc.c ---- */
/* What lies behind absent pages of a GDT. */
pte_t pv_zero_gdt_entry(void);
/* The CPU touched byte `offset` of v's LDT, v is current: maps the page; false: it cannot be. */
bool pv_map_ldt_page(struct vcpu *v, unsigned int offset);

/* ---- mm_emulate.c ---- */
/* A guest kernel's write faulted at cr2 on a present, read-only page: true when it was emulated. */
bool pv_emulate_table_write(unsigned long cr2, struct cpu_user_regs *regs);

/* ---- CPUs ---- */
/* The CPUs on which the vcpus of the guest's bitmap run. -EFAULT. */
int pv_vcpumask_to_cpus(struct domain *d, unsigned long guest_addr, cpumask_t *out) __must_check;
/* The domain that a hypercall's foreign-domain argument means; NULL: none. */
struct domain *pv_page_owner(domid_t id);
/* May `caller` change or map memory of `target`? */
bool pv_may_map(const struct domain *caller, const struct domain *target);

#endif
