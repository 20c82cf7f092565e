/*
 * Floating point and vector state. It is switched eagerly with the vcpu: no state of another domain
 * is ever in the registers while a guest runs, faulting or speculating. x86/cpu/fpu.c.
 */
#ifndef ARCH_FPU_H
#define ARCH_FPU_H

#include <hospes/types.h>

#define XSTATE_FP  0x01ul
#define XSTATE_SSE 0x02ul
#define XSTATE_YMM 0x04ul
#define XSTATE_ZMM 0xe0ul

struct vcpu;

/* State components that the hypervisor saves, as XCR0 bits; 0: no XSAVE, FXSAVE is used. */
uint64_t fpu_host_xcr0(void);
/* Bytes of an XSAVE area, standard and compacted, for these components. */
uint32_t fpu_xsave_size(uint64_t xcr0);
uint32_t fpu_xsave_size_compacted(uint64_t xcr0);

/* v's area, in the initial state. 0 or -ENOMEM. */
int fpu_create(struct vcpu *v) __must_check;
void fpu_destroy(struct vcpu *v);
void fpu_reset(struct vcpu *v);
/* Registers to v's area, and back. v is the vcpu whose state is loaded. */
void fpu_save(struct vcpu *v);
void fpu_restore(struct vcpu *v);
/* XSETBV by v, which runs: -EINVAL: a value that it may not set. */
int fpu_set_xcr0(struct vcpu *v, uint32_t index, uint64_t value) __must_check;
/* The legacy 512 bytes of a vcpu that is not running, as vcpu_guest_context has them. */
void fpu_get_fxsave(const struct vcpu *v, void *fxsave);
void fpu_set_fxsave(struct vcpu *v, const void *fxsave);

#endif
