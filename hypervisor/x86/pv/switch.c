/*
 * Switching a CPU from one vcpu to another. Nothing of a vcpu stays on a CPU that it left:
 * registers, vector state, segment bases, debug registers and page tables all change hands here,
 * also on the way to idle, so that another CPU may take it at once and its address space is not
 * held by an idle CPU.
 *
 * The hypervisor's stack is the CPU's, not the vcpu's: what was on it is dropped and the next vcpu
 * goes on at the exit path with an empty stack.
 */
#include "pv.h"
#include <arch/desc.h>
#include <arch/cpufeature.h>
#include <arch/extable.h>
#include <arch/fpu.h>
#include <arch/msr.h>
#include <arch/pv.h>
#include <arch/spec_ctrl.h>

#define FRAME_BYTES offsetof(struct cpu_user_regs, es)

static DEFINE_PER_CPU(struct domain *, last_domain); /* never dereferenced */
static DEFINE_PER_CPU(bool, cpuid_faults);

void pv_forget_domain(const struct domain *d)
{
    unsigned int cpu;

    for_each_online_cpu (cpu) {
        if (per_cpu(last_domain, cpu) == d) {
            per_cpu(last_domain, cpu) = NULL;
        }
    }
}

/* GS of the mode that v is in is the loaded one. */
static void save_bases(struct vcpu *v)
{
    struct pv_vcpu *pv = &v->arch.pv;
    unsigned long gs = rdmsr(MSR_GS_BASE), shadow = rdmsr(MSR_SHADOW_GS_BASE);

    pv->fs_base = rdmsr(MSR_FS_BASE);
    pv->gs_base_kernel = v->arch.kernel_mode ? gs : shadow;
    pv->gs_base_user = v->arch.kernel_mode ? shadow : gs;
}

static void load_bases(const struct vcpu *v)
{
    const struct pv_vcpu *pv = &v->arch.pv;

    wrmsr(MSR_FS_BASE, pv->fs_base);
    wrmsr(MSR_GS_BASE, v->arch.kernel_mode ? pv->gs_base_kernel : pv->gs_base_user);
    wrmsr(MSR_SHADOW_GS_BASE, v->arch.kernel_mode ? pv->gs_base_user : pv->gs_base_kernel);
}

static void save_vcpu(struct vcpu *v)
{
    memcpy(&v->arch.user_regs, guest_cpu_user_regs(), FRAME_BYTES);
    read_selectors(&v->arch.user_regs);
    save_bases(v);
    fpu_save(v);
    pv_unload_debugregs(v);
}

/* True: loaded. A selector that faults is replaced by 0. */
#define LOAD_SELECTOR(seg, value)                  \
    ({                                             \
        unsigned int sel_ = (value);               \
        bool ok_ = true;                           \
        __asm__ volatile("1: mov %0, %%" seg "\n"  \
                         "jmp 3f\n"                \
                         "2: xor %0, %0\n"         \
                         "movb $0, %1\n"           \
                         "jmp 1b\n"                \
                         "3:\n" EX_TABLE(1b, 2b)   \
                         : "+r"(sel_), "+q"(ok_)); \
        ok_;                                       \
    })

/*
 * The guest may have changed its descriptors since the selectors were loaded: those that do not
 * load any more are shown to its failsafe callback. Interrupts are on: a page of the LDT may have
 * to be mapped.
 */
static void load_selectors(struct vcpu *v)
{
    const struct cpu_user_regs *r = &v->arch.user_regs;
    bool ok = LOAD_SELECTOR("ds", r->ds);

    ok &= LOAD_SELECTOR("es", r->es);
    ok &= LOAD_SELECTOR("fs", r->fs);
    ok &= LOAD_SELECTOR("gs", r->gs);
    load_bases(v); /* loading a selector loads a base */
    if (unlikely(!ok)) {
        pv_bounce_failsafe(r);
    }
}

/* Descriptors that are the same whatever the page tables. */
static void use_own_gdt(void)
{
    struct desc_ptr p = {.limit = FIRST_RESERVED_GDT_BYTE + PAGE_SIZE - 1,
                         .base = (uint64_t)this_cpu(gdt_page) - FIRST_RESERVED_GDT_BYTE};

    load_gdt(&p);
    load_ldt(0);
}

static void use_guest_gdt(struct vcpu *v)
{
    struct desc_ptr p = {.limit = FIRST_RESERVED_GDT_BYTE + PAGE_SIZE - 1, .base = GDT_VIRT(v)};

    load_gdt(&p);
    pv_load_ldt(v);
}

static void load_vcpu_registers(struct vcpu *v)
{
    memcpy(guest_cpu_user_regs(), &v->arch.user_regs, FRAME_BYTES);
    if (read_cr4() != pv_make_cr4(v)) {
        write_cr4(pv_make_cr4(v));
    }
    if (cpu_has(X86_RDTSCP)) {
        wrmsr(MSR_TSC_AUX, v->arch.pv.tsc_aux);
    }
    if (boot_cpu.cpuid_faulting && !this_cpu(cpuid_faults)) {
        wrmsr(MSR_MISC_FEATURES, MISC_FEATURES_CPUID);
        this_cpu(cpuid_faults) = true;
    }
    fpu_restore(v);
    pv_load_debugregs(v);
}

void arch_continue_running(struct vcpu *same)
{
    if (same->domain->is_idle) {
        reset_stack_and_jump(run_idle_loop);
    }
    reset_stack_and_jump(pv_return_to_guest);
}

void arch_context_switch(struct vcpu *prev, struct vcpu *next)
{
    if (!prev->domain->is_idle) {
        (void)update_runstate_area(prev);
        save_vcpu(prev);
    }
    set_current(next);
    this_cpu(curr_vcpu) = next;
    use_own_gdt();
    if (!next->domain->is_idle) {
        pv_map_reserved_gdt(next, paddr_to_mfn(hyp_va_to_pa(this_cpu(gdt_page))));
        if (this_cpu(last_domain) != next->domain) {
            this_cpu(last_domain) = next->domain;
            spec_ctrl_domain_switch();
        }
    }
    write_ptbase(next);
    if (!next->domain->is_idle) {
        use_guest_gdt(next);
        load_vcpu_registers(next);
    }
    context_saved(prev); /* from here on another CPU may run it */
    local_irq_enable();
    if (!next->domain->is_idle) {
        load_selectors(next);
        arch_update_vcpu_time(next);
        (void)update_runstate_area(next);
    }
    arch_continue_running(next);
}

/* There is no state left on a CPU that a vcpu does not run on. */
void arch_sync_vcpu_state(struct vcpu *v)
{
    (void)v;
}

void arch_idle(void)
{
    local_irq_disable();
    if (softirq_is_pending(smp_processor_id())) {
        local_irq_enable();
        return;
    }
    __asm__ volatile("sti; hlt" ::: "memory"); /* sti holds back interrupts for one instruction */
}
