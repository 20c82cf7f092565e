/*
 * Exception table: an instruction of the hypervisor that may fault (it touches a guest's memory or
 * loads a value that a guest chose) names the place to go on at. Entries are pairs of 32-bit
 * offsets, each relative to its own place, in section __ex_table; extable_fixup() searches them.
 *
 * In inline assembly: "1: mov (%1), %0\n" EX_TABLE("1b", "2f"), where label 2 may be in section
 * .fixup or simply further on in the code (or an asm goto label: "%l[fault]"). The fixup starts
 * with every register as it was at the fault.
 */
#ifndef ARCH_EXTABLE_H
#define ARCH_EXTABLE_H

#ifdef __ASSEMBLY__

/* clang-format off */
.macro EX_TABLE insn:req, fixup:req
    .pushsection __ex_table, "a", @progbits
    .balign 4
    .long \insn - ., \fixup - .
    .popsection
.endm
/* clang-format on */

#else

#include <hospes/types.h>

#define EX_TABLE(insn, fixup)                     \
    ".pushsection __ex_table, \"a\", @progbits\n" \
    ".balign 4\n"                                 \
    ".long " insn " - ., " fixup " - .\n"         \
    ".popsection\n"

/* Where to go on after a fault at `rip`, 0: nowhere, the fault is ours. */
unsigned long extable_fixup(unsigned long rip);

#endif
#endif
