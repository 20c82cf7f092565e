/*
 * Exception table: an instruction of the hypervisor that may fault (it touches a guest's memory or
 * loads a value that a guest chose) names the place to go on at. Entries are pairs of 32-bit
 * offsets, each relative to its own place, in section .ex_table.
 *
 * In inline assembly: "1: mov (%1), %0\n" EX_TABLE(1b, 2f), where label 2 is further on in the
 * code, or EX_TABLE(1b, %l[fault]) in an asm goto. The fixup starts with every register as it was
 * at the fault.
 */
#ifndef ARCH_EXTABLE_H
#define ARCH_EXTABLE_H

#ifdef __ASSEMBLY__

/* clang-format off */
.macro EX_TABLE insn:req, fixup:req
    .pushsection .ex_table, "a", @progbits
    .balign 4
    .long \insn - ., \fixup - .
    .popsection
.endm
/* clang-format on */

#else

#define EX_TABLE(from, to) \
    ".pushsection .ex_table, \"a\"\n.balign 4\n.long " #from " - ., " #to " - .\n.popsection\n"

/* The same in an asm goto, to a label of C. */
#define EX_TABLE_GOTO(from, label)                                              \
    ".pushsection .ex_table, \"a\"\n.balign 4\n.long " #from " - ., %l[" #label \
    "] - .\n.popsection\n"

/* Where to go on after a fault of the hypervisor at `rip`; 0: nowhere, the fault is ours. */
unsigned long search_exception_table(unsigned long rip);

#endif
#endif
