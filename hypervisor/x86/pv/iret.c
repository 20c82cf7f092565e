/*
 * Returning to where a guest wants: the iret hypercall, and what happens when the real IRETQ finds
 * that the guest's registers are not fit to be loaded.
 */
#include "bounce.h"

/* The guest's words from its stack on, in line. False: not there. */
static __always_inline bool read_frame(struct iret_context *frame, unsigned long sp)
{
    uint64_t rax, r11, rcx, flags, rip, cs, rflags, rsp, ss;
    bool ok;
    unsigned long from = guest_clamp(sp, sizeof(*frame), &ok);

    if (unlikely(!ok)) {
        return false;
    }
    user_access_begin();
    GUEST_LOAD("q", uint64_t, rax, from + offsetof(struct iret_context, rax), fault);
    GUEST_LOAD("q", uint64_t, r11, from + offsetof(struct iret_context, r11), fault);
    GUEST_LOAD("q", uint64_t, rcx, from + offsetof(struct iret_context, rcx), fault);
    GUEST_LOAD("q", uint64_t, flags, from + offsetof(struct iret_context, flags), fault);
    GUEST_LOAD("q", uint64_t, rip, from + offsetof(struct iret_context, rip), fault);
    GUEST_LOAD("q", uint64_t, cs, from + offsetof(struct iret_context, cs), fault);
    GUEST_LOAD("q", uint64_t, rflags, from + offsetof(struct iret_context, rflags), fault);
    GUEST_LOAD("q", uint64_t, rsp, from + offsetof(struct iret_context, rsp), fault);
    GUEST_LOAD("q", uint64_t, ss, from + offsetof(struct iret_context, ss), fault);
    user_access_end();
    if (read_refused(sp, sizeof(*frame))) {
        return false;
    }
    *frame = (struct iret_context){.rax = rax,
                                   .r11 = r11,
                                   .rcx = rcx,
                                   .flags = flags,
                                   .rip = rip,
                                   .cs = cs,
                                   .rflags = rflags,
                                   .rsp = rsp,
                                   .ss = ss};
    return true;
fault:
    user_access_end();
    return false;
}

static bool to_user_mode(struct vcpu *v)
{
    bool ok;

    local_irq_disable();
    ok = toggle_mode_irqs_off(v);
    local_irq_enable();
    return ok;
}

/* The frame lies where the guest's stack pointer is. rcx and r11 are only loaded from it for a
 * return that is not the end of a system call. The result goes to rax. */
long do_iret(void)
{
    struct vcpu *v = current;
    struct cpu_user_regs *regs = guest_cpu_user_regs();
    struct iret_context frame;

    if (unlikely(!read_frame(&frame, regs->rsp))) {
        domain_crash(v->domain, "iret: no frame at %lx", regs->rsp);
        return 0;
    }
    /* RPL 3 means user mode; the kernel shows itself with RPL 0 (bounce.c). */
    if ((frame.cs & 3) == 3 && unlikely(!to_user_mode(v))) {
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
