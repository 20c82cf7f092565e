/*
 * Page faults that are the hypervisor's business: descriptor-table pages on demand, faults that a
 * second look at the tables does not confirm, and writes to page tables and read-only device
 * frames, which are emulated. Everything else belongs to the guest.
 */
#include <hospes/arch.h>
#include <hospes/guest_access.h>
#include <hospes/lib.h>
#include <arch/cpufeature.h>
#include <arch/msr.h>
#include <arch/traps.h>
#include "decode.h"
#include "mm.h"

/* ---- descriptor tables ---- */

#define WINDOW_SIZE (1ul << GDT_LDT_VCPU_SHIFT)

/*
 * cr2 lies in v's window: the CPU was loading a selector (in guest mode, or here while entering the
 * guest). A guest's fault is turned into what it would have seen with its own tables.
 */
static bool descriptor_fault(struct vcpu *v, unsigned long cr2, struct cpu_user_regs *regs)
{
    unsigned int offset = (unsigned int)(cr2 - GDT_VIRT(v));
    bool in_ldt = offset >= WINDOW_SIZE / 2;

    if (in_ldt && pv_map_ldt_page(v, offset - (unsigned int)(WINDOW_SIZE / 2))) {
        return true;
    }
    if (!guest_mode(regs)) {
        return false;
    }
    if (in_ldt) {
        pv_inject_page_fault(regs->error_code & ~PF_USER,
                             v->arch.pv.ldt_base + (offset - WINDOW_SIZE / 2));
    } else {
        pv_inject_hw_exception(X86_EXC_GP, offset & ~7u);
    }
    return true;
}

/* ---- faults without a cause ---- */

/*
 * An access as error_code says, looked up in the live tables: would it succeed now? Then a stale
 * translation caused the fault. Interrupts are off, so that no table is freed under us (freeing one
 * needs a flush of this CPU).
 */
static bool access_permitted(mfn_t top, unsigned long va, uint32_t error_code)
{
    pte_t required =
        PTE_P | (error_code & PF_WRITE ? PTE_RW : 0) | (error_code & PF_USER ? PTE_US : 0);
    mfn_t m = top;

    for (unsigned int level = 4; level > 0; level--) {
        pte_t e;

        if (!mfn_valid(m)) {
            return false;
        }
        e = READ_ONCE(((pte_t *)mfn_to_virt(m))[PT_INDEX(va, level)]);
        if ((e & required) != required || ((error_code & PF_FETCH) && (e & PTE_NX))) {
            return false;
        }
        if (level > 1 && (e & PTE_PS)) {
            return false;
        }
        m = pte_mfn(e);
    }
    return true;
}

static bool is_spurious(unsigned long cr2, struct cpu_user_regs *regs)
{
    unsigned long flags;
    bool ok;

    if (regs->error_code & PF_RESERVED) {
        return false;
    }
    /* Supervisor accesses to a guest's pages are never right but by guest_access (AC set where
     * SMAP is on), and a fetch never is. */
    if (!(regs->error_code & PF_USER) &&
        ((regs->error_code & PF_FETCH) || (cpu_has(X86_SMAP) && !(regs->rflags & X86_EFLAGS_AC)))) {
        return false;
    }
    flags = local_irq_save();
    ok = access_permitted(paddr_to_mfn(paddr(read_cr3() & PTE_FRAME)), cr2, regs->error_code);
    local_irq_restore(flags);
    return ok;
}

/* ---- the hook ---- */

bool pv_handle_page_fault(unsigned long cr2, struct cpu_user_regs *regs)
{
    struct vcpu *v = current;

    if (v->domain->is_idle || v->domain->is_hvm) {
        return false;
    }
    if (cr2 >= GDT_VIRT(v) && cr2 < GDT_VIRT(v) + WINDOW_SIZE) {
        return !(regs->error_code & (PF_RESERVED | PF_USER)) && descriptor_fault(v, cr2, regs);
    }
    if (!is_guest_address(cr2)) {
        return false;
    }
    /* Looks at the entry itself, so a translation that was merely stale is not taken for it. */
    if (guest_mode(regs) && v->arch.kernel_mode &&
        (regs->error_code & (PF_PRESENT | PF_WRITE | PF_RESERVED | PF_FETCH)) ==
            (PF_PRESENT | PF_WRITE) &&
        pv_emulate_table_write(cr2, regs)) {
        return true;
    }
    if (guest_mode(regs) && pv_fault_is_guests(regs->error_code, cr2)) {
        return false;
    }
    if (is_spurious(cr2, regs)) {
        invlpg(cr2);
        return true;
    }
    return false;
}
