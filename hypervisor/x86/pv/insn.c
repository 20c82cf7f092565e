/* Instructions of the running guest: fetching them, their operands' addresses, registers
 * (decode.h). */
#include <hospes/arch.h>
#include <hospes/guest_access.h>
#include <hospes/lib.h>
#include <arch/msr.h>
#include "decode.h"
#include "pv.h"
#include "segment.h"

/* What a fetch takes when it cannot reach the next page: 16 bytes at once. */
static bool fetch_words(uint64_t words[2], unsigned long addr)
{
    return (addr & (PAGE_SIZE - 1)) <= PAGE_SIZE - 16 && !copy_bytes_from_guest(words, addr, 16);
}

int insn_fetch(struct insn *i, const struct cpu_user_regs *regs, unsigned long *fault_addr)
{
    union {
        uint64_t words[2];
        uint8_t bytes[INSN_MAX];
    } u;
    uint8_t *bytes = u.bytes;
    unsigned long addr = regs->rip;
    bool long_mode = regs->cs == FLAT_KERNEL_CS64;
    struct segment cs;
    size_t n = INSN_MAX, first, got;

    if (!long_mode) {
        if (!read_segment(regs->cs, &cs) || !cs.code) {
            return -EINVAL;
        }
        long_mode = cs.long_mode;
        if (!long_mode) {
            if (!cs.size32 || (uint32_t)regs->rip > cs.limit) {
                return -EINVAL;
            }
            addr = (uint32_t)(cs.base + regs->rip);
            n = min(n, (size_t)(cs.limit - (uint32_t)regs->rip) + 1);
        }
    }
    if (likely(n == INSN_MAX) && likely(fetch_words(u.words, addr))) {
        *fault_addr = addr + n;
        return insn_decode(i, bytes, INSN_MAX, long_mode);
    }
    /* The next page may be no code or not there, and need not be. */
    first = min(n, PAGE_SIZE - (addr & (PAGE_SIZE - 1)));
    got = first - raw_copy_from_guest(bytes, addr, first);
    if (got == first && n > first) {
        got += n - first - raw_copy_from_guest(bytes + first, addr + first, n - first);
    }
    *fault_addr = addr + got;
    return insn_decode(i, bytes, (unsigned int)got, long_mode);
}

#define GPR(name) offsetof(struct cpu_user_regs, name)
static const uint8_t gpr_offset[16] = {
    GPR(rax), GPR(rcx), GPR(rdx), GPR(rbx), GPR(rsp), GPR(rbp), GPR(rsi), GPR(rdi),
    GPR(r8),  GPR(r9),  GPR(r10), GPR(r11), GPR(r12), GPR(r13), GPR(r14), GPR(r15),
};

uint64_t *insn_gpr(struct cpu_user_regs *r, unsigned int n)
{
    return (uint64_t *)((char *)r + gpr_offset[n & 15]);
}

static uint64_t gpr_value(const struct cpu_user_regs *r, unsigned int n)
{
    return *(const uint64_t *)((const char *)r + gpr_offset[n & 15]);
}

static bool is_high_byte(const struct insn *i, unsigned int n, unsigned int bytes)
{
    return bytes == 1 && !i->rex && n >= 4 && n < 8;
}

static uint64_t low_mask(unsigned int bytes)
{
    return bytes >= 8 ? ~0ul : (1ul << (8 * bytes)) - 1;
}

uint64_t insn_read_reg(const struct insn *i, struct cpu_user_regs *regs, unsigned int n,
                       unsigned int bytes)
{
    if (is_high_byte(i, n, bytes)) {
        return (*insn_gpr(regs, n - 4) >> 8) & 0xff;
    }
    return *insn_gpr(regs, n) & low_mask(bytes);
}

void insn_write_reg(const struct insn *i, struct cpu_user_regs *regs, unsigned int n,
                    unsigned int bytes, uint64_t value)
{
    uint64_t *reg = insn_gpr(regs, n);
    uint64_t mask = low_mask(bytes);

    if (is_high_byte(i, n, bytes)) {
        reg = insn_gpr(regs, n - 4);
        *reg = (*reg & ~0xff00ul) | ((value & 0xff) << 8);
    } else if (bytes >= 4) {
        *reg = value & mask;
    } else {
        *reg = (*reg & ~mask) | (value & mask);
    }
}

/* Base of a segment register: in long mode only FS and GS have one. */
static __noinline unsigned long segment_base(const struct insn *i, const struct cpu_user_regs *regs,
                                             unsigned int seg)
{
    struct cpu_user_regs sel;
    const uint16_t *which[] = {&sel.es, &regs->cs, &regs->ss, &sel.ds, &sel.fs, &sel.gs};
    struct segment s;

    if (seg == SEG_FS) {
        return rdmsr(MSR_FS_BASE);
    }
    if (seg == SEG_GS) {
        return rdmsr(MSR_GS_BASE);
    }
    if (i->long_mode) {
        return 0;
    }
    read_selectors(&sel);
    return read_segment(*which[seg], &s) ? s.base : 0;
}

unsigned long insn_address(const struct insn *i, const struct cpu_user_regs *regs)
{
    unsigned long ea = (unsigned long)i->disp;
    unsigned int seg = i->seg;

    if (i->rip_relative) {
        ea += regs->rip + i->len;
    }
    if (i->base != INSN_NO_REG) {
        ea += gpr_value(regs, i->base);
    }
    if (i->index != INSN_NO_REG) {
        ea += gpr_value(regs, i->index) * i->scale;
    }
    ea &= low_mask(i->addr_bytes);
    if (seg == SEG_DEFAULT) {
        seg = i->base == 4 || i->base == 5 ? SEG_SS : SEG_DS;
    }
    if (!i->long_mode || seg == SEG_FS || seg == SEG_GS) {
        ea += segment_base(i, regs, seg);
    }
    return i->long_mode ? ea : (uint32_t)ea;
}
