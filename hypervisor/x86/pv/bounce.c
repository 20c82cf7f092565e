/*
 * How an exception, an event or a system call reaches a PV guest's kernel: a frame on its stack and
 * its registered entry point ("bouncing"). The guest kernel runs in ring 3 like its processes; what
 * makes it the kernel is arch.kernel_mode, its page table and its stack.
 *
 * Frame, from the stack pointer upwards, 64-bit words: rcx, r11, [ds, es, fs, gs: failsafe
 * callback], [error code], rip, cs | saved event mask << 32, rflags, rsp, ss. rflags.IF says
 * whether events were unmasked. Source: <xen/arch-x86/xen-x86_64.h>.
 */
#include "bounce.h"

void read_selectors(struct cpu_user_regs *regs)
{
    __asm__ volatile("mov %%ds, %0" : "=m"(regs->ds));
    __asm__ volatile("mov %%es, %0" : "=m"(regs->es));
    __asm__ volatile("mov %%fs, %0" : "=m"(regs->fs));
    __asm__ volatile("mov %%gs, %0" : "=m"(regs->gs));
}

void pv_bounce_to(unsigned long eip, unsigned int flags)
{
    struct pv_bounce *b = &current->arch.pv.bounce;

    b->eip = eip;
    b->error_code = 0;
    b->flags = (uint8_t)(flags | BOUNCE_PENDING);
}

static void bounce_trap(unsigned int vector, unsigned int flags, uint32_t error_code)
{
    const struct trap_info *ti = &current->arch.pv.trap_ctxt[vector];

    pv_bounce_to(ti->address, flags | (TI_GET_IF(ti) ? BOUNCE_MASK_EVENTS : 0u));
    current->arch.pv.bounce.error_code = error_code;
    if (ti->address == 0) {
        printk(LOG_G_ERR "%pv: exception %u (error %04x) at %04x:%lx and no handler for it\n",
               (void *)current, vector, error_code, guest_cpu_user_regs()->cs,
               guest_cpu_user_regs()->rip);
    }
}

void pv_inject_hw_exception(unsigned int vector, uint32_t error_code)
{
    bool has_error_code = vector < 32 && ((X86_EXC_HAVE_ERROR_CODE >> vector) & 1u);

    ASSERT(vector < 32);
    bounce_trap(vector, has_error_code ? BOUNCE_ERROR_CODE : 0u, has_error_code ? error_code : 0u);
}

void pv_inject_sw_interrupt(unsigned int vector)
{
    bounce_trap(vector, 0, 0);
}

void pv_inject_page_fault(uint32_t error_code, unsigned long cr2)
{
    struct vcpu *v = current;

    v->arch.pv.ctrlreg[2] = cr2;
    v->vcpu_info->arch.cr2 = cr2;
    error_code &= ~PF_USER;
    if (!v->arch.kernel_mode) {
        error_code |= PF_USER;
    }
    pv_inject_hw_exception(X86_EXC_PF, error_code);
}

void pv_bounce_failsafe(const struct cpu_user_regs *sel)
{
    struct pv_vcpu *pv = &current->arch.pv;

    pv_bounce_to(pv->failsafe_callback_eip,
                 BOUNCE_FAILSAFE |
                     ((pv->vgc_flags & VGCF_failsafe_disables_events) ? BOUNCE_MASK_EVENTS : 0u));
    pv->bounce.ds = sel->ds;
    pv->bounce.es = sel->es;
    pv->bounce.fs = sel->fs;
    pv->bounce.gs = sel->gs;
}

/* Never inline: the frame of the failsafe callback, which has the selectors too. */
static __noinline bool bounce_failsafe_frame(struct vcpu *v, const struct pv_bounce *b,
                                             bool from_kernel)
{
    struct cpu_user_regs *regs = guest_cpu_user_regs();
    uint8_t mask = READ_ONCE(v->vcpu_info->evtchn_upcall_mask);
    uint64_t frame[] = {
        regs->rcx,
        regs->r11,
        b->ds,
        b->es,
        b->fs,
        b->gs,
        regs->rip,
        (regs->cs & (from_kernel ? 0xfffcu : 0xffffu)) | ((uint64_t)mask << 32),
        frame_rflags(v, regs->rflags, mask),
        regs->rsp,
        regs->ss,
    };
    unsigned long sp = ((from_kernel ? regs->rsp : v->arch.pv.kernel_sp) & ~15ul) - sizeof(frame);

    if (raw_copy_to_guest(sp, frame, sizeof(frame)) != 0) {
        return false;
    }
    if (b->flags & BOUNCE_MASK_EVENTS) {
        WRITE_ONCE(v->vcpu_info->evtchn_upcall_mask, 1);
    }
    enter_handler(regs, b->eip, sp);
    return true;
}

static bool write_frame(struct vcpu *v, const struct pv_bounce *b, bool from_kernel)
{
    struct cpu_user_regs *regs = guest_cpu_user_regs();

    if (unlikely(b->flags & BOUNCE_FAILSAFE)) {
        return bounce_failsafe_frame(v, b, from_kernel);
    }
    if (b->flags & BOUNCE_ERROR_CODE) {
        return bounce_now(v, regs, b->eip, b->flags | BOUNCE_ERROR_CODE, b->error_code,
                          from_kernel);
    }
    return bounce_now(v, regs, b->eip, b->flags & BOUNCE_MASK_EVENTS, 0, from_kernel);
}

void pv_bounce_refused(struct vcpu *v)
{
    domain_crash(v->domain, "the kernel's stack cannot take an exception frame");
}

/*
 * Puts the frame on the guest's stack and the registers to its handler. Interrupts are on: the
 * stack may fault. What cannot be written ends the domain: there is nobody left to tell.
 */
void pv_deliver_bounce(struct vcpu *v)
{
    struct pv_bounce b = v->arch.pv.bounce;
    bool from_kernel = v->arch.kernel_mode;

    v->arch.pv.bounce.flags = 0;
    if (b.eip == 0) {
        domain_crash(v->domain, "no handler for an exception or callback at %lx",
                     guest_cpu_user_regs()->rip);
        return;
    }
    if (!from_kernel && !pv_toggle_mode(v)) {
        domain_crash(v->domain, "no kernel page table");
        return;
    }
    if (!write_frame(v, &b, from_kernel)) {
        pv_bounce_refused(v);
    }
}
