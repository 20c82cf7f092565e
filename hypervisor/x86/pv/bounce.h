/*
 * The hot half of bounce.c: the frame that a PV guest's kernel is entered with, written straight to
 * its stack. In line, so that what the caller knows (flags, where the vcpu comes from) costs
 * nothing. The frame's form: bounce.c.
 */
#ifndef X86_PV_BOUNCE_H
#define X86_PV_BOUNCE_H

#include "pv.h"

/* Flips arch.kernel_mode of the running vcpu with its page tables and GS base; interrupts are off.
 * False (nothing done): user mode without a user page table. */
static __always_inline bool toggle_mode_irqs_off(struct vcpu *v)
{
    bool to_user = v->arch.kernel_mode;
    mfn_t table = to_user ? v->arch.guest_table_user : v->arch.guest_table;

    if (unlikely(mfn_is_none(table))) {
        return false;
    }
    v->arch.kernel_mode = !to_user;
    v->arch.cr3 = mfn_to_paddr(table);
    load_cr3_irqs_off(v->arch.cr3);
    __asm__ volatile("swapgs" ::: "memory");
    return true;
}

/* What a frame shows of rflags: IF says whether events are unmasked, IOPL is the guest's own. */
static __always_inline uint64_t frame_rflags(const struct vcpu *v, uint64_t rflags, uint8_t mask)
{
    rflags &= ~(X86_EFLAGS_IF | X86_EFLAGS_IOPL);
    if (mask == 0) {
        rflags |= X86_EFLAGS_IF;
    }
    if (VM_ASSIST(v->domain, architectural_iopl)) {
        rflags |= v->arch.pv.iopl;
    }
    return rflags;
}

/* The registers at the start of a handler: as the CPU does on an exception; and no alignment checks
 * in a kernel. rcx and r11 are on the stack. */
static __always_inline void enter_handler(struct cpu_user_regs *regs, unsigned long eip,
                                          unsigned long sp)
{
    regs->rip = eip;
    regs->cs = FLAT_KERNEL_CS64;
    regs->ss = FLAT_KERNEL_SS64;
    regs->rsp = sp;
    regs->rflags &=
        ~(X86_EFLAGS_AC | X86_EFLAGS_VM | X86_EFLAGS_RF | X86_EFLAGS_NT | X86_EFLAGS_TF);
    regs->entry_vector |= TRAP_SYSCALL;
}

/*
 * Enters the kernel of v (current, in kernel mode; from_kernel: it was before too) at eip with a
 * frame without selectors. flags: BOUNCE_ERROR_CODE, BOUNCE_MASK_EVENTS. Interrupts are on: the
 * stack may fault. False: it cannot take the frame, nothing has changed.
 */
static __always_inline bool bounce_now(struct vcpu *v, struct cpu_user_regs *regs,
                                       unsigned long eip, unsigned int flags, uint32_t error_code,
                                       bool from_kernel)
{
    unsigned long bytes = flags & BOUNCE_ERROR_CODE ? 64 : 56, at, sp;
    uint8_t mask = READ_ONCE(v->vcpu_info->evtchn_upcall_mask);
    uint64_t rflags = frame_rflags(v, regs->rflags, mask);
    /* A kernel's own selector is shown with RPL 0, so that it knows where it was. */
    uint64_t cs = (regs->cs & (from_kernel ? 0xfffcu : 0xffffu)) | ((uint64_t)mask << 32);
    bool ok;

    sp = ((from_kernel ? regs->rsp : v->arch.pv.kernel_sp) & ~15ul) - bytes;
    at = bytes == 64 ? guest_clamp(sp, 64, &ok) : guest_clamp(sp, 56, &ok);
    if (unlikely(!ok)) {
        return false;
    }
    user_access_begin();
    GUEST_STORE("q", uint64_t, regs->rcx, at, fault);
    GUEST_STORE("q", uint64_t, regs->r11, at + 8, fault);
    if (flags & BOUNCE_ERROR_CODE) {
        GUEST_STORE("q", uint64_t, error_code, at + 16, fault);
        at += 8;
    }
    GUEST_STORE("q", uint64_t, regs->rip, at + 16, fault);
    GUEST_STORE("q", uint64_t, cs, at + 24, fault);
    GUEST_STORE("q", uint64_t, rflags, at + 32, fault);
    GUEST_STORE("q", uint64_t, regs->rsp, at + 40, fault);
    GUEST_STORE("q", uint64_t, regs->ss, at + 48, fault);
    user_access_end();
    if (flags & BOUNCE_MASK_EVENTS) {
        WRITE_ONCE(v->vcpu_info->evtchn_upcall_mask, 1);
    }
    enter_handler(regs, eip, sp);
    return true;
fault:
    user_access_end();
    return false;
}

#endif
