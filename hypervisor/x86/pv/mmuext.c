/*
 * mmuext_op: pins, page-table bases, flushes, the LDT, clearing and copying frames. One small
 * handler per operation in a table; a batch can be preempted between operations and inside
 * (un)pinning.
 */
#include <hospes/arch.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <hospes/rangeset.h>
#include <arch/msr.h>
#include "mm.h"

struct ext_ctx {
    struct vcpu *v;
    struct domain *d;        /* the caller */
    struct domain *pg_owner; /* whose frames */
};

/* A frame of the batch's owner, referenced; NULL: none. */
static struct page_info *owners_page(const struct ext_ctx *c, uint64_t frame)
{
    mfn_t m = mfn(frame);

    return mfn_valid(m) && get_page_inline(mfn_to_page(m), c->pg_owner) ? mfn_to_page(m) : NULL;
}

/* Drops pg's type and reference, if need be later (pv_put_old_guest_table). */
static void put_table_preemptible(struct page_info *pg)
{
    int rc = put_page_type(pg, true);

    if (rc == 0) {
        put_page(pg);
    } else {
        pv_defer_put(pg, rc == -ERESTART);
    }
}

/* The type of a table for pg, whose general reference the caller gave: kept on 0 only. */
static int get_table_type(struct page_info *pg, uint64_t type)
{
    int rc = get_page_type(pg, type, true);

    switch (rc) {
    case 0:
        return 0;
    case -EAGAIN:
        pv_defer_put(pg, true);
        return -EINVAL;
    default:
        put_page(pg);
        return rc == -EINTR ? -ERESTART : rc;
    }
}

/* ---- pins ---- */

static int pin(const struct ext_ctx *c, const struct mmuext_op *op)
{
    unsigned int level = op->cmd == MMUEXT_PIN_L4_TABLE ? 4 : op->cmd - MMUEXT_PIN_L1_TABLE + 1;
    struct page_info *pg = owners_page(c, op->arg1.mfn);
    int rc;

    if (!pg) {
        return -EINVAL;
    }
    get_page_again(pg);
    rc = get_table_type(pg, level_type(level));
    if (rc == -ERESTART && pv_owner_dies(c->pg_owner)) {
        pv_defer_put(pg, true);
        return -EINVAL;
    }
    put_page(pg);
    if (rc != 0) {
        return rc;
    }
    if (!page_set_pinned(pg)) {
        put_table_preemptible(pg);
        return -EINVAL;
    }
    /* The owner may have begun to die: then nobody else would unpin it. */
    if (c->pg_owner != c->d && READ_ONCE(c->pg_owner->is_dying) && page_clear_pinned(pg)) {
        put_table_preemptible(pg);
    }
    return 0;
}

static int unpin(const struct ext_ctx *c, const struct mmuext_op *op)
{
    struct page_info *pg = owners_page(c, op->arg1.mfn);

    if (!pg) {
        return -EINVAL;
    }
    if (!page_clear_pinned(pg)) {
        put_page(pg);
        return -EINVAL;
    }
    put_table_preemptible(pg); /* the pin's */
    put_page(pg);
    return 0;
}

/* ---- page-table bases ---- */

static int new_baseptr(const struct ext_ctx *c, const struct mmuext_op *op)
{
    return pv_new_guest_cr3(mfn(op->arg1.mfn));
}

static int new_user_baseptr(const struct ext_ctx *c, const struct mmuext_op *op)
{
    mfn_t old = c->v->arch.guest_table_user, m = op->arg1.mfn ? mfn(op->arg1.mfn) : MFN_NONE;

    if (mfn_eq(old, m)) {
        return 0; /* also: an earlier try was preempted behind the change */
    }
    if (!mfn_is_none(m)) {
        struct page_info *pg = owners_page(c, m.v);
        int rc = pg ? get_table_type(pg, PGT_L4) : -EINVAL;

        if (rc != 0) {
            return rc;
        }
    }
    c->v->arch.guest_table_user = m;
    if (!mfn_is_none(old)) {
        put_table_preemptible(mfn_to_page(old));
    }
    return 0;
}

/* ---- flushes ---- */

static int flush_local(const struct ext_ctx *c, const struct mmuext_op *op)
{
    tlb_flush_local();
    return 0;
}

static int invlpg_local(const struct ext_ctx *c, const struct mmuext_op *op)
{
    if (is_guest_address(op->arg1.linear_addr)) {
        invlpg(op->arg1.linear_addr);
    }
    return 0;
}

static int flush_many(const struct ext_ctx *c, const struct mmuext_op *op)
{
    bool multi = op->cmd == MMUEXT_TLB_FLUSH_MULTI || op->cmd == MMUEXT_INVLPG_MULTI;
    bool page = op->cmd == MMUEXT_INVLPG_MULTI || op->cmd == MMUEXT_INVLPG_ALL;
    cpumask_t mask = domain_dirty_cpus(c->d);

    if (multi && pv_vcpumask_to_cpus(c->d, guest_handle_addr(op->arg2.vcpumask), &mask) != 0) {
        return -EINVAL;
    }
    if (!page) {
        tlb_flush_mask(mask);
    } else if (is_guest_address(op->arg1.linear_addr)) {
        tlb_flush_page_mask(mask, op->arg1.linear_addr);
    }
    return 0;
}

/* Only who has devices can have caches that matter. */
static bool may_flush_cache(const struct domain *d)
{
    return d->is_hardware || !rangeset_is_empty(d->iomem_caps) ||
           !rangeset_is_empty(d->ioport_caps);
}

static int flush_cache(const struct ext_ctx *c, const struct mmuext_op *op)
{
    if (!may_flush_cache(c->d)) {
        return op->cmd == MMUEXT_FLUSH_CACHE ? -EACCES : -EINVAL;
    }
    cache_flush_mask(op->cmd == MMUEXT_FLUSH_CACHE ? cpumask_of(smp_processor_id())
                                                   : cpu_online_map);
    return 0;
}

/* ---- LDT, frames ---- */

static int set_ldt(const struct ext_ctx *c, const struct mmuext_op *op)
{
    unsigned int ents = op->arg2.nr_ents;
    unsigned long base = ents ? op->arg1.linear_addr : 0;

    if (ents > 8192 || (base & (PAGE_SIZE - 1)) || !is_guest_address(base) ||
        !is_guest_address(base + ents * 8ul)) {
        return -EINVAL;
    }
    if (c->v->arch.pv.ldt_ents != ents || c->v->arch.pv.ldt_base != base) {
        if (pv_destroy_ldt(c->v)) {
            tlb_flush_local();
        }
        c->v->arch.pv.ldt_base = base;
        c->v->arch.pv.ldt_ents = ents;
        pv_load_ldt(c->v);
    }
    return 0;
}

static int clear_frame(const struct ext_ctx *c, const struct mmuext_op *op)
{
    struct page_info *pg = owners_page(c, op->arg1.mfn);

    if (!pg) {
        return -EINVAL;
    }
    if (get_page_type(pg, PGT_WRITABLE, false) != 0) {
        put_page(pg);
        return -EINVAL;
    }
    clear_page(page_to_virt(pg));
    put_page_and_type(pg);
    return 0;
}

static int copy_frame(const struct ext_ctx *c, const struct mmuext_op *op)
{
    struct page_info *src = owners_page(c, op->arg2.src_mfn);
    struct page_info *dst = src ? owners_page(c, op->arg1.mfn) : NULL;
    int rc = -EINVAL;

    if (dst && get_page_type(dst, PGT_WRITABLE, false) == 0) {
        copy_page(page_to_virt(dst), page_to_virt(src));
        (void)put_page_type(dst, false);
        rc = 0;
    }
    if (dst) {
        put_page(dst);
    }
    if (src) {
        put_page(src);
    }
    return rc;
}

static int not_supported(const struct ext_ctx *c, const struct mmuext_op *op)
{
    return -EOPNOTSUPP;
}

/* ---- the table ---- */

static const struct ext_row {
    int (*fn)(const struct ext_ctx *c, const struct mmuext_op *op);
    bool own_only; /* -EPERM for frames of another domain */
} ext_ops[] = {
    [MMUEXT_PIN_L1_TABLE] = {pin, false},
    [MMUEXT_PIN_L2_TABLE] = {pin, false},
    [MMUEXT_PIN_L3_TABLE] = {pin, false},
    [MMUEXT_PIN_L4_TABLE] = {pin, false},
    [MMUEXT_UNPIN_TABLE] = {unpin, false},
    [MMUEXT_NEW_BASEPTR] = {new_baseptr, true},
    [MMUEXT_TLB_FLUSH_LOCAL] = {flush_local, true},
    [MMUEXT_INVLPG_LOCAL] = {invlpg_local, true},
    [MMUEXT_TLB_FLUSH_MULTI] = {flush_many, true},
    [MMUEXT_INVLPG_MULTI] = {flush_many, true},
    [MMUEXT_TLB_FLUSH_ALL] = {flush_many, true},
    [MMUEXT_INVLPG_ALL] = {flush_many, true},
    [MMUEXT_FLUSH_CACHE] = {flush_cache, true},
    [MMUEXT_SET_LDT] = {set_ldt, true},
    [MMUEXT_NEW_USER_BASEPTR] = {new_user_baseptr, true},
    [MMUEXT_CLEAR_PAGE] = {clear_frame, false},
    [MMUEXT_COPY_PAGE] = {copy_frame, false},
    [MMUEXT_FLUSH_CACHE_GLOBAL] = {flush_cache, true},
    [MMUEXT_MARK_SUPER] = {not_supported, false},
    [MMUEXT_UNMARK_SUPER] = {not_supported, false},
};

static int do_one_ext(const struct ext_ctx *c, const struct mmuext_op *op)
{
    const struct ext_row *row;

    if (op->cmd >= ARRAY_SIZE(ext_ops)) {
        return -ENOSYS;
    }
    row = &ext_ops[array_index_nospec(op->cmd, ARRAY_SIZE(ext_ops))];
    if (!row->fn) {
        return -ENOSYS;
    }
    if (row->own_only && c->d != c->pg_owner) {
        return -EPERM;
    }
    return row->fn(c, op);
}

static int do_ext_ops(const struct ext_ctx *c, XEN_GUEST_HANDLE(void) ops, unsigned int count,
                      unsigned int *done)
{
    XEN_GUEST_HANDLE(mmuext_op_t) h = guest_handle_cast(ops, mmuext_op_t);

    for (unsigned int i = 0; i < count; i++) {
        struct mmuext_op op;
        int rc;

        if (i != 0 && hypercall_preempt_check()) {
            return -ERESTART;
        }
        if (copy_from_guest_offset(&op, h, i, 1)) {
            return -EFAULT;
        }
        rc = do_one_ext(c, &op);
        if (rc != 0) {
            return rc;
        }
        (*done)++;
        if (pv_put_old_table(c->v) != 0) {
            return -ERESTART;
        }
    }
    return 0;
}

long do_mmuext_op(XEN_GUEST_HANDLE(void) uops, unsigned int count, XEN_GUEST_HANDLE(void) pdone,
                  unsigned int foreigndom)
{
    XEN_GUEST_HANDLE(uint) h_done = guest_handle_cast(pdone, uint);
    struct ext_ctx c = {.v = current, .d = current->domain};
    unsigned int done = 0, before;
    int rc;

    if (pv_put_old_table(c.v) != 0) {
        return (long)hypercall_create_continuation(__HYPERVISOR_mmuext_op, "hihi", uops.p, count,
                                                   pdone.p, foreigndom);
    }
    if (pv_batch_is_over(uops, count)) {
        return (int)foreigndom;
    }
    if (count & MMU_UPDATE_PREEMPTED) {
        count &= ~MMU_UPDATE_PREEMPTED;
        if (!guest_handle_is_null(h_done) && copy_from_guest(&done, h_done, 1)) {
            return -EFAULT;
        }
    }
    c.pg_owner = pv_page_owner((domid_t)foreigndom);
    if (!c.pg_owner) {
        return -ESRCH;
    }
    if (c.pg_owner->is_hvm) {
        return -EINVAL;
    }
    if (!pv_may_map(c.d, c.pg_owner)) {
        return -EPERM;
    }
    before = done;
    rc = do_ext_ops(&c, uops, count, &done);
    if (!guest_handle_is_null(h_done) && copy_to_guest(h_done, &done, 1) && rc == 0) {
        rc = -EFAULT;
    }
    if (rc == -ERESTART) {
        unsigned int now = done - before;

        return (long)hypercall_create_continuation(
            __HYPERVISOR_mmuext_op, "hihi", (char *)uops.p + now * sizeof(struct mmuext_op),
            (count - now) | MMU_UPDATE_PREEMPTED, pdone.p, foreigndom);
    }
    return likely(rc == 0) ? 0 : pv_end_batch(__HYPERVISOR_mmuext_op, rc);
}
