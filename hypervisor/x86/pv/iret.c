/*
 * Returning to where a guest wants: the iret hypercall, and what happens when the real IRETQ finds
 * that the guest's registers are not fit to be loaded.
 */
#include "pv.h"

/* The frame lies where the guest's stack pointer is. rcx and r11 are only loaded from it for a
 * return that is not the end of a system call. The result goes to rax. */
long do_iret(void)
{
    struct vcpu *v = current;
    struct cpu_user_regs *regs = guest_cpu_user_regs();
    struct iret_context frame;

    if (!guest_range_ok(regs->rsp, 1, sizeof(frame)) ||
        raw_copy_from_guest(&frame, regs->rsp, sizeof(frame)) != 0) {
        domain_crash(v->domain, "iret: no frame at %lx", regs->rsp);
        return 0;
    }
    /* RPL 3 means user mode; the kernel shows itself with RPL 0 (bounce.c). */
    if ((frame.cs & 3) == 3 && !pv_toggle_mode(v)) {
        domain_crash(v->domain, "iret to user mode without a user page table");
        return 0;
    }
    if (VM_ASSIST(v->domain, architectural_iopl)) {
        v->arch.pv.iopl = (unsigned int)(frame.rflags & X86_EFLAGS_IOPL);
    }
    regs->rip = frame.rip;
    regs->cs = (uint16_t)(frame.cs | 3);
    regs->rflags = (frame.rflags & ~(X86_EFLAGS_IOPL | X86_EFLAGS_VM)) | X86_EFLAGS_IF;
    regs->rsp = frame.rsp;
    regs->ss = (uint16_t)(frame.ss | 3);
    if (!(frame.flags & VGCF_in_syscall)) {
        regs->entry_vector &= ~TRAP_SYSCALL;
        regs->r11 = frame.r11;
        regs->rcx = frame.rcx;
    }
    WRITE_ONCE(v->vcpu_info->evtchn_upcall_mask, (frame.rflags & X86_EFLAGS_IF) ? 0 : 1);
    v->arch.nmi_masked = 0;
    return (long)frame.rax;
}

/*
 * The general registers are the guest's already; its rip..ss are where they were, above the fault's
 * own frame, which overlaps the place where its general registers were saved. So: take the frame
 * off to the side, put everything back, and decide. What the fault handler can mend (a page of the
 * LDT) is tried again; everything else is the guest's failsafe callback.
 */
void pv_iret_fault(struct cpu_user_regs *regs, unsigned long cr2)
{
    struct cpu_user_regs fault, *guest = guest_cpu_user_regs();
    bool mended;

    memcpy(&fault, regs, offsetof(struct cpu_user_regs, es));
    read_selectors(&fault);
    memcpy(guest, &fault, offsetof(struct cpu_user_regs, error_code));
    guest->error_code = 0;
    guest->entry_vector = 0;
    local_irq_enable();

    mended = (fault.entry_vector & 0xff) == X86_EXC_PF && pv_handle_page_fault(cr2, &fault);
    if (!mended) {
        pv_bounce_failsafe(&fault);
    }
    reset_stack_and_jump(pv_return_to_guest);
}
