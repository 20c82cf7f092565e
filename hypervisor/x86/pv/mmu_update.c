/*
 * The hypercalls that change page-table entries: mmu_update (by machine address) and
 * update_va_mapping (by virtual address).
 */
#include <hospes/arch.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include "mm.h"

struct update_batch {
    struct domain *pt_owner; /* whose tables */
    struct domain *pg_owner; /* whose frames the new entries may name */
};

/* 0, -ESRCH, -EPERM, -EINVAL. Bits 16.. of foreigndom: whose tables, + 1 (0: the caller's). */
static __noinline int resolve_others(unsigned int foreigndom, struct update_batch *b)
{
    struct domain *d = current->domain;
    unsigned int pt = foreigndom >> 16;

    b->pt_owner = pt == 0 ? d : domain_by_id((domid_t)(pt - 1));
    b->pg_owner = pv_page_owner((domid_t)foreigndom);
    if (!b->pt_owner || !b->pg_owner) {
        return -ESRCH;
    }
    if (b->pt_owner->is_hvm || b->pt_owner->is_xen) {
        return -EINVAL;
    }
    if (!pv_may_map(d, b->pt_owner) || (b->pg_owner != dom_io && !pv_may_map(d, b->pg_owner))) {
        return -EPERM;
    }
    return 0;
}

static __always_inline int resolve_domains(unsigned int foreigndom, struct update_batch *b)
{
    if (likely(foreigndom == DOMID_SELF)) {
        b->pt_owner = b->pg_owner = current->domain; /* a PV guest: only those have this call */
        return 0;
    }
    return resolve_others(foreigndom, b);
}

/* A word in a frame that is no table: an ordinary write. */
static __noinline int write_data_word(struct page_info *pg, unsigned long offset, uint64_t val)
{
    if (get_page_type(pg, PGT_WRITABLE, false) != 0) {
        return -EINVAL;
    }
    WRITE_ONCE(*(uint64_t *)((char *)page_to_virt(pg) + offset), val);
    (void)put_page_type(pg, false);
    return 0;
}

static __always_inline int update_entry(const struct update_batch *b, uint64_t ptr, uint64_t val,
                                        bool keep_ad)
{
    mfn_t m = mfn(ptr >> PAGE_SHIFT);
    unsigned long offset = ptr & (PAGE_SIZE - 1) & ~7ul;
    struct page_info *pg;
    int rc;

    /* The owner, who is a guest, tells that it is RAM. */
    if (!frame_backed(m) || !get_page_inline(mfn_to_page(m), b->pt_owner)) {
        return -EINVAL;
    }
    pg = mfn_to_page(m);
    if (!page_lock_inline(pg)) {
        rc = write_data_word(pg, offset, val);
    } else {
        if ((pg->type_info & PGT_TYPE_MASK) == PGT_WRITABLE) {
            WRITE_ONCE(*(uint64_t *)((char *)page_to_virt(pg) + offset), val);
            rc = 0;
        } else {
            rc = pv_mod_entry(pg, (pte_t *)((char *)page_to_virt(pg) + offset), val, keep_ad,
                              b->pt_owner, b->pg_owner);
        }
        page_unlock_inline(pg);
    }
    put_page_inline(pg);
    return rc;
}

static __noinline int update_machphys(const struct update_batch *b, uint64_t ptr, uint64_t val)
{
    mfn_t m = mfn(ptr >> PAGE_SHIFT);

    if (b->pg_owner->is_hvm || !mfn_valid(m) || !get_page(mfn_to_page(m), b->pg_owner)) {
        return -EINVAL;
    }
    set_gpfn_from_mfn(m, val);
    put_page(mfn_to_page(m));
    return 0;
}

static __always_inline int do_one_update(const struct update_batch *b, const struct mmu_update *req)
{
    switch (req->ptr & 7) {
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_NO_TRANSLATE: /* frames are never translated here */
    case MMU_PT_UPDATE_PRESERVE_AD:
        return update_entry(b, req->ptr, req->val, (req->ptr & 7) == MMU_PT_UPDATE_PRESERVE_AD);
    case MMU_MACHPHYS_UPDATE:
        return update_machphys(b, req->ptr, req->val);
    default:
        return -ENOSYS;
    }
}

/*
 * Does requests [0, count) from reqs; *done counts on from what it was. -ERESTART: *done says where
 * to go on.
 */
static int do_updates(const struct update_batch *b, XEN_GUEST_HANDLE(void) reqs, unsigned int count,
                      unsigned int *done)
{
    XEN_GUEST_HANDLE(mmu_update_t) h = guest_handle_cast(reqs, mmu_update_t);

    for (unsigned int i = 0; i < count; i++) {
        struct mmu_update req;
        int rc;

        if (i != 0 && hypercall_preempt_check()) {
            return -ERESTART;
        }
        if (copy_from_guest_offset(&req, h, i, 1)) {
            return -EFAULT;
        }
        rc = do_one_update(b, &req);
        if (rc != 0) {
            return rc; /* -ERESTART: this one again */
        }
        (*done)++;
        if (pv_put_old_table(current) != 0) {
            return -ERESTART;
        }
    }
    return 0;
}

long do_mmu_update(XEN_GUEST_HANDLE(void) ureqs, unsigned int count, XEN_GUEST_HANDLE(void) pdone,
                   unsigned int foreigndom)
{
    XEN_GUEST_HANDLE(uint) h_done = guest_handle_cast(pdone, uint);
    unsigned int done = 0, before;
    struct update_batch b;
    int rc;

    if (pv_put_old_table(current) != 0) {
        return (long)hypercall_create_continuation(__HYPERVISOR_mmu_update, "hihi", ureqs.p, count,
                                                   pdone.p, foreigndom);
    }
    if (pv_batch_is_over(ureqs, count)) {
        return (int)foreigndom;
    }
    if (count & MMU_UPDATE_PREEMPTED) {
        count &= ~MMU_UPDATE_PREEMPTED;
        if (!guest_handle_is_null(h_done) && copy_from_guest(&done, h_done, 1)) {
            return -EFAULT;
        }
    }
    rc = resolve_domains(foreigndom, &b);
    if (rc != 0) {
        return rc;
    }
    before = done;
    rc = do_updates(&b, ureqs, count, &done);
    /* *pdone is only a report: an unmapped one must not undo what has been done. */
    if (!guest_handle_is_null(h_done) && copy_to_guest(h_done, &done, 1) && rc == 0) {
        rc = -EFAULT;
    }
    if (rc == -ERESTART) {
        unsigned int now = done - before;

        return (long)hypercall_create_continuation(
            __HYPERVISOR_mmu_update, "hihi", (char *)ureqs.p + now * sizeof(struct mmu_update),
            (count - now) | MMU_UPDATE_PREEMPTED, pdone.p, foreigndom);
    }
    return likely(rc == 0) ? 0 : pv_end_batch(__HYPERVISOR_mmu_update, rc);
}

/* ---- by virtual address ---- */

/* UVMF_*: flushes on the CPUs that the caller named. */
static __noinline int flush_others(struct domain *d, unsigned long va, unsigned long flags)
{
    unsigned long where = flags & ~UVMF_FLUSHTYPE_MASK;
    cpumask_t mask;

    switch (flags & UVMF_FLUSHTYPE_MASK) {
    case UVMF_NONE:
        return 0;
    case UVMF_TLB_FLUSH:
    case UVMF_INVLPG:
        break;
    default:
        return -EINVAL;
    }
    if (where == UVMF_LOCAL) {
        mask = cpumask_of(smp_processor_id());
    } else if (where == UVMF_ALL) {
        mask = domain_dirty_cpus(d);
    } else if (pv_vcpumask_to_cpus(d, where, &mask) != 0) {
        mask = domain_dirty_cpus(d); /* as if it had named all */
    }
    if ((flags & UVMF_FLUSHTYPE_MASK) == UVMF_TLB_FLUSH) {
        tlb_flush_mask(mask);
    } else {
        tlb_flush_page_mask(mask, va);
    }
    return 0;
}

static __always_inline int flush_as_asked(struct domain *d, unsigned long va, unsigned long flags)
{
    if (flags == UVMF_NONE) {
        return 0;
    }
    if (flags == (UVMF_INVLPG | UVMF_LOCAL)) {
        invlpg(va);
        return 0;
    }
    return flush_others(d, va, flags);
}

static __always_inline long update_va(unsigned long va, uint64_t val, unsigned long flags,
                                      struct domain *pg_owner)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    struct page_info *pg;
    mfn_t m;
    pte_t *p;
    int rc = -EINVAL;

    p = pv_walk_l1(v, va, &m);
    if (unlikely(!p) || !get_page_inline(mfn_to_page(m), d)) {
        return -EINVAL;
    }
    pg = mfn_to_page(m);
    if (page_lock_inline(pg)) {
        if (likely((pg->type_info & PGT_TYPE_MASK) == PGT_L1)) {
            rc = pv_mod_entry(pg, p, val, false, d, pg_owner);
        }
        page_unlock_inline(pg);
    }
    put_page_inline(pg);
    return rc != 0 ? rc : flush_as_asked(d, va, flags);
}

long do_update_va_mapping(unsigned long va, unsigned long val, unsigned long flags)
{
    return update_va(va, val, flags, current->domain);
}

long do_update_va_mapping_otherdomain(unsigned long va, unsigned long val, unsigned long flags,
                                      unsigned int domid)
{
    struct domain *pg_owner = pv_page_owner((domid_t)domid);

    if (!pg_owner) {
        return -ESRCH;
    }
    if (pg_owner != dom_io && !pv_may_map(current->domain, pg_owner)) {
        return -EPERM;
    }
    return update_va(va, val, flags, pg_owner);
}
