/*
 * Descriptor tables of guests: GDT by frames, LDT by virtual address and mapped page by page when
 * the CPU first touches it. Pages in use as either are typed PGT_SEGDESC: every descriptor in them
 * was checked, and nobody can write them but through update_descriptor. The CPU sees them in the
 * vcpu's window (GDT_VIRT, LDT_VIRT), whose level-1 entries hold the references.
 */
#include <hospes/arch.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <arch/desc.h>
#include "mm.h"

#define DESCS_PER_PAGE (PAGE_SIZE / 8)
#define LDT_PAGES      16u
#define PTE_WINDOW     (PTE_HYP_RW & ~PTE_G)

#define DESC_P         BIT(47)
#define DESC_S         BIT(44)
#define DESC_DPL_SHIFT 45
#define DESC_DPL_MASK  (3ul << DESC_DPL_SHIFT)
#define DESC_TYPE(d)   ((unsigned int)((d) >> 40) & 15u)
#define TYPE_CALL_GATE 12u

/* ---- checking one descriptor ---- */

/* A call gate may lead to the guest's own GDT or LDT entries, or to its flat kernel segment. */
static bool gate_target_ok(unsigned int sel)
{
    return sel >> 3 < FIRST_RESERVED_GDT_ENTRY || sel == FLAT_KERNEL_CS || (sel & 4);
}

/*
 * The gate's DPL becomes 0, so that using it faults and is emulated; what the guest wanted is kept
 * in the selector's RPL.
 */
static bool check_call_gate(uint64_t *desc)
{
    uint64_t d = *desc, dpl = (d & DESC_DPL_MASK) >> DESC_DPL_SHIFT;
    unsigned int sel = (unsigned int)(d >> 16) & 0xffffu;

    if (!gate_target_ok(sel) || ((d >> 32) & 0xffu) != 0) {
        return false;
    }
    d &= ~(DESC_DPL_MASK | (3ul << 16));
    *desc = d | (dpl << 16);
    return true;
}

bool pv_check_descriptor(uint64_t *desc)
{
    uint64_t d = *desc;

    if (!(d & DESC_P)) {
        return true; /* any use faults */
    }
    if (d & DESC_S) {
        *desc = d | DESC_DPL_MASK; /* code and data: ring 3 */
        return true;
    }
    if (DESC_TYPE(d) == 0) {
        return true; /* the upper half of a call gate */
    }
    d |= 3ul << DESC_DPL_SHIFT;
    if (DESC_TYPE(d) != TYPE_CALL_GATE || !check_call_gate(&d)) {
        return false;
    }
    *desc = d;
    return true;
}

long do_update_descriptor(unsigned long addr, unsigned long desc)
{
    mfn_t m = mfn(addr >> PAGE_SHIFT);
    uint64_t checked = desc, type;
    struct page_info *pg;
    long rc = -EINVAL;

    if ((addr & 7) || !pv_check_descriptor(&checked) || !mfn_valid(m) ||
        !get_page(mfn_to_page(m), current->domain)) {
        return -EINVAL;
    }
    pg = mfn_to_page(m);
    type = (READ_ONCE(pg->type_info) & PGT_TYPE_MASK) == PGT_SEGDESC ? PGT_SEGDESC : PGT_WRITABLE;
    if (get_page_type(pg, type, false) == 0) {
        WRITE_ONCE(*(uint64_t *)((char *)page_to_virt(pg) + (addr & (PAGE_SIZE - 1))), checked);
        (void)put_page_type(pg, false);
        rc = 0;
    }
    put_page(pg);
    return rc;
}

/* ---- GDT ---- */

void pv_destroy_gdt(struct vcpu *v)
{
    pte_t *e = pv_gdt_ldt_ptes(v);

    v->arch.pv.gdt_ents = 0;
    for (unsigned int i = 0; i < FIRST_RESERVED_GDT_PAGE; i++) {
        mfn_t m = v->arch.pv.gdt_frames[i];

        WRITE_ONCE(e[i], pv_zero_gdt_entry());
        v->arch.pv.gdt_frames[i] = MFN_NONE;
        if (!mfn_is_none(m)) {
            put_page_and_type(mfn_to_page(m));
        }
    }
}

int pv_set_gdt(struct vcpu *v, const unsigned long *frames, unsigned int entries)
{
    unsigned int n = DIV_ROUND_UP(entries, DESCS_PER_PAGE), i;
    pte_t *e = pv_gdt_ldt_ptes(v);

    if (entries > FIRST_RESERVED_GDT_ENTRY) {
        return -EINVAL;
    }
    for (i = 0; i < n; i++) {
        if (!mfn_valid(mfn(frames[i])) ||
            !get_page_and_type(mfn_to_page(mfn(frames[i])), v->domain, PGT_SEGDESC)) {
            break;
        }
    }
    if (i < n) {
        while (i-- > 0) {
            put_page_and_type(mfn_to_page(mfn(frames[i])));
        }
        return -EINVAL;
    }
    pv_destroy_gdt(v);
    v->arch.pv.gdt_ents = entries;
    for (i = 0; i < n; i++) {
        v->arch.pv.gdt_frames[i] = mfn(frames[i]);
        WRITE_ONCE(e[i], pte_make(mfn(frames[i]), PTE_WINDOW));
    }
    return 0;
}

long do_set_gdt(XEN_GUEST_HANDLE(void) frame_list, unsigned int entries)
{
    unsigned long frames[FIRST_RESERVED_GDT_PAGE];
    XEN_GUEST_HANDLE(xen_ulong_t) h = guest_handle_cast(frame_list, xen_ulong_t);
    long rc;

    if (entries > FIRST_RESERVED_GDT_ENTRY) {
        return -EINVAL;
    }
    if (copy_from_guest(frames, h, DIV_ROUND_UP(entries, DESCS_PER_PAGE))) {
        return -EFAULT;
    }
    rc = pv_set_gdt(current, frames, entries);
    if (rc == 0) {
        tlb_flush_local();
    }
    return rc;
}

/* ---- LDT ---- */

bool pv_destroy_ldt(struct vcpu *v)
{
    pte_t *e = pv_gdt_ldt_ptes(v) + LDT_PAGES;

    if (v->arch.pv.shadow_ldt_mapcnt == 0) {
        return false;
    }
    for (unsigned int i = 0; i < LDT_PAGES; i++) {
        pte_t old = e[i];

        if (old & PTE_P) {
            WRITE_ONCE(e[i], 0);
            put_page_and_type(mfn_to_page(pte_mfn(old)));
        }
    }
    v->arch.pv.shadow_ldt_mapcnt = 0;
    return true;
}

bool pv_map_ldt_page(struct vcpu *v, unsigned int offset)
{
    unsigned long va = v->arch.pv.ldt_base + (offset & PAGE_MASK);
    pte_t *e = pv_gdt_ldt_ptes(v) + LDT_PAGES + (offset >> PAGE_SHIFT), *guest;
    mfn_t table, m;
    pte_t l1e;

    if (v->arch.pv.ldt_ents == 0 || offset >= ROUNDUP(v->arch.pv.ldt_ents * 8u, PAGE_SIZE) ||
        (*e & PTE_P)) {
        return false;
    }
    guest = pv_walk_kernel_l1(v, va, &table);
    if (!guest) {
        return false;
    }
    l1e = READ_ONCE(*guest);
    m = pte_mfn(l1e);
    if (!(l1e & PTE_P) || !mfn_valid(m) ||
        !get_page_and_type(mfn_to_page(m), v->domain, PGT_SEGDESC)) {
        return false;
    }
    v->arch.pv.shadow_ldt_mapcnt++;
    WRITE_ONCE(*e, pte_make(m, PTE_WINDOW));
    return true;
}

void pv_load_ldt(struct vcpu *v)
{
    if (v->arch.pv.ldt_ents == 0) {
        load_ldt(0);
        return;
    }
    set_system_descriptor(this_cpu(gdt_page), SEL_LDT, LDT_VIRT(v), v->arch.pv.ldt_ents * 8u - 1u,
                          DESC_TYPE_LDT);
    load_ldt(SEL_LDT);
}
