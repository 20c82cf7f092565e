/*
 * Exceptions. From a guest: emulate, mend, or pass on to the guest's own handler. From the
 * hypervisor: a fixup of the exception table, or the end.
 *
 * do_exception and do_guest_exception run on the primary stack; do_ist_exception too when the
 * exception came from a guest, otherwise on an IST stack that the same exception would overwrite:
 * it touches no guest memory then and leaves interrupts off.
 */
#include <arch/irq.h>
#include <arch/msr.h>
#include <arch/xpti.h>
#include "../cpu/dump.h"
#include "bounce.h"
#include "exit.h"

void do_guest_exception(struct cpu_user_regs *regs); /* ends as exit_to_guest */
void do_exception(struct cpu_user_regs *regs);       /* of the hypervisor */
void do_ist_exception(struct cpu_user_regs *regs);
void do_double_fault(struct cpu_user_regs *regs) __noreturn;

static const char *const exception_names[] = {
    [0] = "divide error",
    [1] = "debug",
    [2] = "NMI",
    [3] = "breakpoint",
    [4] = "overflow",
    [5] = "bounds",
    [6] = "invalid opcode",
    [7] = "no FPU",
    [8] = "double fault",
    [10] = "invalid TSS",
    [11] = "segment not present",
    [12] = "stack fault",
    [13] = "general protection",
    [14] = "page fault",
    [16] = "FPU error",
    [17] = "alignment check",
    [18] = "machine check",
    [19] = "SIMD error",
    [21] = "control protection",
};

static __noreturn __cold void fatal_exception(const struct cpu_user_regs *regs)
{
    unsigned int vector = regs->entry_vector & 0xff;
    const char *name = vector < ARRAY_SIZE(exception_names) ? exception_names[vector] : NULL;

    local_irq_disable();
    show_execution_state(regs);
    panic("%s (vector %u, error %04x) in the hypervisor at %ps", name ? name : "exception", vector,
          regs->error_code, (void *)regs->rip);
}

static void fixup_or_die(struct cpu_user_regs *regs)
{
    unsigned long fixup = search_exception_table(regs->rip);

    if (fixup == 0) {
        fatal_exception(regs);
    }
    regs->rip = fixup;
}

/* DPL as the guest set it: its kernel counts as ring 1, its processes as ring 3. */
static bool softint_permitted(const struct vcpu *v, const struct trap_info *ti)
{
    return ti->address && TI_GET_DPL(ti) >= (v->arch.kernel_mode ? 1 : 3);
}

static void general_protection(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;

    /* INT n through one of our gates, whose DPL is 0. Bit 0: while delivering something else. */
    if ((regs->error_code & 3) == 2) {
        unsigned int vector = (regs->error_code >> 3) & 0xff;

        if (softint_permitted(v, &v->arch.pv.trap_ctxt[vector])) {
            regs->rip += 2;
            pv_inject_sw_interrupt(vector);
            return;
        }
    }
    if (regs->error_code == 0 && pv_emulate_privileged_op(regs)) {
        return;
    }
    pv_inject_hw_exception(X86_EXC_GP, regs->error_code);
}

/* The gate let the guest in; whether it may is the guest's own table's to say. */
static void int80(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;

    if (softint_permitted(v, &v->arch.pv.trap_ctxt[LEGACY_SYSCALL_VECTOR])) {
        pv_inject_sw_interrupt(LEGACY_SYSCALL_VECTOR);
    } else {
        regs->rip -= 2;
        pv_inject_hw_exception(X86_EXC_GP, (LEGACY_SYSCALL_VECTOR << 3) | 2);
    }
}

static void no_fpu(void)
{
    struct pv_vcpu *pv = &current->arch.pv;

    /* State is switched eagerly: CR0.TS is set only for a guest that asked for it, and the ABI
     * clears it on the way to the handler. */
    __asm__ volatile("clts");
    if (pv->ctrlreg[0] & CR0_TS) {
        pv->ctrlreg[0] &= ~CR0_TS;
        pv_inject_hw_exception(X86_EXC_NM, 0);
    }
}

/* A page fault of a guest that is its own: what pv_inject_page_fault does, at once. */
static __always_inline void bounce_page_fault(struct vcpu *v, struct cpu_user_regs *regs,
                                              unsigned long cr2)
{
    const struct trap_info *ti = &v->arch.pv.trap_ctxt[X86_EXC_PF];
    uint32_t error_code = regs->error_code & ~PF_USER;
    bool ok;

    if (unlikely(ti->address == 0) || !v->arch.kernel_mode) {
        pv_inject_page_fault(regs->error_code, cr2);
        return;
    }
    v->arch.pv.ctrlreg[2] = cr2;
    v->vcpu_info->arch.cr2 = cr2;
    if (TI_GET_IF(ti)) {
        ok = bounce_now(v, regs, ti->address, BOUNCE_ERROR_CODE | BOUNCE_MASK_EVENTS, error_code,
                        true);
    } else {
        ok = bounce_now(v, regs, ti->address, BOUNCE_ERROR_CODE, error_code, true);
    }
    if (unlikely(!ok)) {
        pv_bounce_refused(v);
    }
}

static __noinline void guest_exception(struct cpu_user_regs *regs, unsigned int vector)
{
    switch (vector) {
    case X86_EXC_GP:
        general_protection(regs);
        break;
    case X86_EXC_UD:
        if (!pv_emulate_invalid_op(regs)) {
            pv_inject_hw_exception(X86_EXC_UD, 0);
        }
        break;
    case X86_EXC_NM:
        no_fpu();
        break;
    case LEGACY_SYSCALL_VECTOR:
        int80(regs);
        break;
    default:
        pv_inject_hw_exception(vector, regs->error_code);
        break;
    }
}

void do_guest_exception(struct cpu_user_regs *regs)
{
    struct vcpu *v = info_of_frame(regs)->current_vcpu;
    unsigned int vector = regs->entry_vector & 0xff;

    if (likely(vector == X86_EXC_PF)) {
        unsigned long cr2 = read_cr2();

        local_irq_enable();
        if (pv_fault_is_guests(regs->error_code, cr2) || !pv_handle_page_fault(cr2, regs)) {
            bounce_page_fault(v, regs, cr2);
        }
    } else {
        local_irq_enable();
        guest_exception(regs, vector);
    }
    exit_to_guest(regs, v);
}

void do_exception(struct cpu_user_regs *regs)
{
    unsigned int vector = regs->entry_vector & 0xff;
    unsigned long cr2 = vector == X86_EXC_PF ? read_cr2() : 0;

    if (regs->rip == (unsigned long)iret_to_guest) {
        pv_iret_fault(regs, cr2);
    }
    if (regs->rflags & X86_EFLAGS_IF) {
        local_irq_enable();
    }
    if (vector != X86_EXC_PF || !pv_handle_page_fault(cr2, regs)) {
        fixup_or_die(regs);
    }
    local_irq_disable();
}

void do_ist_exception(struct cpu_user_regs *regs)
{
#ifdef CONFIG_DEBUG
    if (guest_mode(regs)) {
        xpti_check_guest_cr3(current, regs->entry_vector & 0xff);
    }
#endif
    switch (regs->entry_vector & 0xff) {
    case X86_EXC_NMI:
        do_nmi(regs);
        if (guest_mode(regs)) {
            unblock_nmi();
        }
        break;
    case X86_EXC_MC:
        do_machine_check(regs);
        break;
    case X86_EXC_DF:
        do_double_fault(regs); /* from xpti.S */
    default:
        pv_debug_exception(regs);
        break;
    }
}

void do_double_fault(struct cpu_user_regs *regs)
{
    fatal_exception(regs);
}
