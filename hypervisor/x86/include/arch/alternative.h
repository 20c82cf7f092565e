/*
 * Code that depends on the processor, decided once: at boot the places named here are overwritten
 * (x86/cpu/alternative.c), before anything else runs and before the image is made read-only. A
 * place whose condition does not hold keeps what it was linked with.
 *
 * A place is one or more whole instructions of the given length, up to ALT_MAX_BYTES, and so is
 * what replaces it; neither may refer to its own address.
 */
#ifndef ARCH_ALTERNATIVE_H
#define ARCH_ALTERNATIVE_H

/* Conditions; alternatives_apply() finds out which hold. */
#define ALT_SMAP          0 /* SMAP is on */
#define ALT_SPEC_ENTRY    1 /* something of spec_ctrl_flags is done on entry (SPEC_ENTRY) */
#define ALT_VERW_EXIT     2 /* VERW before returning to a guest */
#define ALT_DIV_EXIT      3 /* a division before returning to a guest */
#define ALT_THUNK_LFENCE  4 /* indirect branches: LFENCE; JMP */
#define ALT_THUNK_JMP     5 /* a plain JMP */
#define ALT_BRANCH_HARDEN 6 /* LFENCE behind checks and locks */
#define ALT_XPTI          7 /* guests may run without the hypervisor in their page tables */

#define ALT_MAX_BYTES 10

/* What places are made of: no operation in n bytes, and SMAP's two instructions. */
#define NOP2_BYTES   0x66, 0x90
#define NOP3_BYTES   0x0f, 0x1f, 0x00
#define NOP5_BYTES   0x0f, 0x1f, 0x44, 0x00, 0x00
#define NOP7_BYTES   0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00
#define LFENCE_BYTES 0x0f, 0xae, 0xe8
#define CLAC_BYTES   0x0f, 0x01, 0xca
#define STAC_BYTES   0x0f, 0x01, 0xcb

#ifdef __ASSEMBLY__

/* clang-format off */
/* `site`, `len` bytes long, becomes the bytes given, which are as many. */
.macro ALTERNATIVE site:req, cond:req, len:req, bytes:vararg
    .pushsection .alternatives, "a", @progbits
    .balign 4
771:
    .long \site - .
    .byte \cond, \len
    .byte \bytes
    .org 771b + 16, 0
    .popsection
.endm

/* Jumps to the label unless the condition holds. */
.macro JUMP_UNLESS cond:req, label:req
772:
    .byte 0xe9
    .long \label - . - 4
    ALTERNATIVE 772b, \cond, 5, NOP5_BYTES
.endm
/* clang-format on */

#else

#include <hospes/types.h>

#define ALT_STR_(...) #__VA_ARGS__
#define ALT_STR(...)  ALT_STR_(__VA_ARGS__)
/* In inline assembly: the place at label `site`. */
#define ALTERNATIVE(site, cond, len, ...)                                                     \
    ".pushsection .alternatives, \"a\"\n.balign 4\n771: .long " #site " - .\n.byte " ALT_STR( \
        cond) ", " #len "\n.byte " ALT_STR(__VA_ARGS__) "\n.org 771b + 16, 0\n.popsection\n"

/* True where the condition holds: a jump, or none, instead of a test. */
#define alternative_holds(cond)                                                                   \
    ({                                                                                            \
        __label__ no_, out_;                                                                      \
        bool holds_ = true;                                                                       \
        __asm__ goto("772: .byte 0xe9\n.long %l[no_] - . - 4\n" ALTERNATIVE(772b, cond, 5,        \
                                                                            NOP5_BYTES):: ::no_); \
        goto out_;                                                                                \
    no_:                                                                                          \
        holds_ = false;                                                                           \
    out_:;                                                                                        \
        holds_;                                                                                   \
    })

/* Boot CPU, once, after cpu_features_init. */
void alternatives_apply(void);

#endif
#endif
