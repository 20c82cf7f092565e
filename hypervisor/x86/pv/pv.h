/* What the files of x86/pv that make up the PV CPU share. The public part is <arch/traps.h>. */
#ifndef X86_PV_PV_H
#define X86_PV_PV_H

#include <hospes/arch.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/pv_mm.h>
#include <arch/traps.h>

/* pv_bounce.flags; 0: nothing pending. */
#define BOUNCE_PENDING     0x01u
#define BOUNCE_ERROR_CODE  0x02u
#define BOUNCE_MASK_EVENTS 0x04u /* the handler starts with events masked */
#define BOUNCE_FAILSAFE    0x08u /* the frame has the data selectors */

/* Assists that a 64-bit PV guest may turn on. */
#define PV_VM_ASSIST_MASK                                                          \
    (BIT(VMASST_TYPE_4gb_segments) | BIT(VMASST_TYPE_4gb_segments_notify) |        \
     BIT(VMASST_TYPE_writable_pagetables) | BIT(VMASST_TYPE_pae_extended_cr3) |    \
     BIT(VMASST_TYPE_architectural_iopl) | BIT(VMASST_TYPE_runstate_update_flag) | \
     BIT(VMASST_TYPE_m2p_strict))
#define VM_ASSIST(d, type) (((d)->vm_assist >> VMASST_TYPE_##type) & 1u)

/* bounce.c */
void pv_bounce_to(unsigned long eip, unsigned int flags);
void pv_inject_sw_interrupt(unsigned int vector);
/* By the guest's failsafe callback; sel: es, ds, fs, gs are taken from it. */
void pv_bounce_failsafe(const struct cpu_user_regs *sel);
void pv_deliver_bounce(struct vcpu *v);
/* The stack of v's kernel could not take a frame: ends the domain. */
void pv_bounce_refused(struct vcpu *v) __cold;

/* The data segment selectors that are loaded. */
void read_selectors(struct cpu_user_regs *regs);

/* switch.c: d goes; another domain at its address is another domain (branch predictors). */
void pv_forget_domain(const struct domain *d);

/* iret.c: a fault of the IRETQ that enters guests. */
void pv_iret_fault(struct cpu_user_regs *regs, unsigned long cr2) __noreturn;

/* debugreg.c */
void pv_debug_exception(struct cpu_user_regs *regs);
int pv_set_debugreg(struct vcpu *v, unsigned int reg, unsigned long value) __must_check;
int pv_get_debugreg(const struct vcpu *v, unsigned int reg, unsigned long *value) __must_check;
void pv_load_debugregs(const struct vcpu *v);
void pv_unload_debugregs(const struct vcpu *v);

/* Emulation; true: done, the registers are as after the instruction or an exception is pending. */
bool pv_emulate_privileged_op(struct cpu_user_regs *regs);
bool pv_emulate_invalid_op(struct cpu_user_regs *regs);
/* emulate_io.c: may v's code (in its present mode) do port I/O by privilege alone? */
bool pv_iopl_ok(const struct vcpu *v);

/* mode.c: what CR4 has while v runs, and what of a value a guest may choose. */
unsigned long pv_make_cr4(const struct vcpu *v);
unsigned long pv_fixup_cr4(const struct vcpu *v, unsigned long cr4);

#endif
