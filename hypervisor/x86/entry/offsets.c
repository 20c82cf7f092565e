/*
 * Offsets for assembly. Compiled to assembly text only: build.mk turns each "->NAME VALUE" line
 * into a #define in build/hypervisor/offsets.h.
 */
#include <hospes/domain.h>
#include <arch/desc.h>
#include <arch/layout.h>
#include <arch/msr.h>
#include <arch/traps.h>
#include <arch/xpti.h>

#define DEFINE(name, value) __asm__ volatile("\n.ascii \"->" #name " %c0\"" ::"i"(value))
#define UREG(reg)           DEFINE(UREGS_##reg, offsetof(struct cpu_user_regs, reg))

void offsets(void);
void offsets(void)
{
    UREG(r15);
    UREG(rax);
    UREG(rcx);
    UREG(r11);
    UREG(error_code);
    UREG(entry_vector);
    UREG(rip);
    UREG(cs);
    UREG(rflags);
    UREG(rsp);
    UREG(ss);
    /* What the CPU and the entry code push: up to and without es. */
    DEFINE(UREGS_kernel_sizeof, offsetof(struct cpu_user_regs, es));
    DEFINE(CPUINFO_sizeof, sizeof(struct cpu_info));
    DEFINE(STACK_SIZE_, STACK_SIZE);
    DEFINE(TRAP_SYSCALL_, TRAP_SYSCALL);
    DEFINE(MSR_SPEC_CTRL_, MSR_SPEC_CTRL);
    DEFINE(NR_CPUS_, NR_CPUS);
    DEFINE(SYSCALL_STUB_SIZE_, SYSCALL_STUB_SIZE);
    DEFINE(XPTI_SYSCALL_STUB_SIZE_, XPTI_SYSCALL_STUB_SIZE);
    DEFINE(CPUINFO_xpti_cr3, offsetof(struct cpu_info, xpti_cr3));
    DEFINE(CPUINFO_xpti_frame, offsetof(struct cpu_info, xpti_frame));
    DEFINE(XPTI_full_cr3, offsetof(struct xpti_area, full_cr3));
    DEFINE(XPTI_stack, offsetof(struct xpti_area, stack));
    DEFINE(XPTI_user_rsp, offsetof(struct xpti_area, user_rsp));
    DEFINE(XPTI_roots, offsetof(struct xpti_area, roots));
    DEFINE(XPTI_isolated, offsetof(struct xpti_area, isolated));
    DEFINE(XPTI_IST_SIZE_, sizeof(struct xpti_ist));
}
