/*
 * The instruction decoder for emulation: length, prefixes, opcode, ModRM operand, immediate. It
 * knows the shape of the one-byte map and of 0F, 0F 38 (MOVBE, CRC32) and no vector instruction;
 * what an opcode does is its user's. Pure: it looks at bytes already fetched. See decode.c for the
 * tables.
 *
 * An instruction that faulted may have been rewritten by another vcpu before it is fetched here, so
 * users treat what they decode as new input: nothing of the fault may be assumed to fit it.
 */
#ifndef X86_PV_DECODE_H
#define X86_PV_DECODE_H

#include <hospes/types.h>

#define INSN_MAX 15u

enum insn_map { MAP_ONE, MAP_0F, MAP_0F38 };

/* Segment override; SEG_DEFAULT: DS, or SS where the base register is rsp or rbp. */
enum insn_seg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_DEFAULT };

#define INSN_NO_REG 0xffu

struct insn {
    uint8_t len;        /* bytes in all */
    uint8_t map;        /* enum insn_map */
    uint8_t opcode;     /* the last opcode byte */
    uint8_t op_bytes;   /* operand size of the "v" forms: 2, 4, 8 (byte opcodes: the user knows) */
    uint8_t addr_bytes; /* 2, 4 or 8 */
    uint8_t seg;        /* enum insn_seg */
    uint8_t rex;        /* 0: none */
    bool lock, rep, repne, long_mode;
    bool has_modrm;
    uint8_t mod, reg, rm; /* with REX.R and REX.B; mod 3: rm is a register */
    /* Memory operand: base + index * scale + disp; INSN_NO_REG: absent. */
    uint8_t base, index, scale;
    bool rip_relative;
    int64_t disp; /* also the address of a moffs operand */
    uint64_t imm; /* sign extended as the instruction asks */
};

/*
 * Decodes bytes[0..n). long_mode: 64-bit code, else 32-bit protected mode code. 0; -EFAULT: the
 * instruction goes on behind n bytes; -EINVAL: not an instruction that this decoder knows.
 */
int insn_decode(struct insn *i, const uint8_t *bytes, unsigned int n, bool long_mode) __must_check;

/*
 * Fetches (from current's memory, up to the page or canonical end) and decodes what regs->rip
 * points to. Code of a 64-bit flat segment only is long mode; other segments get their base, limit
 * and size from the descriptor. 0, -EINVAL as above, -EFAULT: not readable, with *fault_addr set.
 */
int insn_fetch(struct insn *i, const struct cpu_user_regs *regs,
               unsigned long *fault_addr) __must_check;

/*
 * Linear address of the memory operand (has_modrm, mod != 3), segment bases included. `current`
 * only.
 */
unsigned long insn_address(const struct insn *i, const struct cpu_user_regs *regs);

/* Register n (0..15: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8..) in the frame. */
uint64_t *insn_gpr(struct cpu_user_regs *regs, unsigned int n);
/* Reads `bytes` (1, 2, 4, 8) of register n; without REX byte registers 4..7 are ah, ch, dh, bh. */
uint64_t insn_read_reg(const struct insn *i, struct cpu_user_regs *regs, unsigned int n,
                       unsigned int bytes);
/* Writes as the CPU does: 4 bytes clear the upper half, 1 and 2 leave the rest. */
void insn_write_reg(const struct insn *i, struct cpu_user_regs *regs, unsigned int n,
                    unsigned int bytes, uint64_t value);

#endif
