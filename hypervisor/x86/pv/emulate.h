/* Emulation of privileged instructions: what emulate.c (the table), emulate_io.c and emulate_msr.c
 * share. */
#ifndef X86_PV_EMULATE_H
#define X86_PV_EMULATE_H

#include "decode.h"

enum emulation {
    EMU_DONE,    /* go on behind the instruction */
    EMU_AGAIN,   /* rip stays: a string instruction was preempted, or work must come first */
    EMU_FAULT,   /* an exception is pending already */
    EMU_REFUSED, /* #GP */
};

enum emulation emulate_in_out(const struct insn *i, struct cpu_user_regs *regs);
enum emulation emulate_ins_outs(const struct insn *i, struct cpu_user_regs *regs);
enum emulation emulate_rdmsr(const struct insn *i, struct cpu_user_regs *regs);
enum emulation emulate_wrmsr(const struct insn *i, struct cpu_user_regs *regs);

#endif
