/*
 * The instruction decoder (decode.h). Shapes of the opcode maps: AMD APM 3, appendix A. Whatever is
 * not needed to know an instruction's length and operands is left to the user.
 */
#include <hospes/errno.h>
#include "decode.h"

/* What follows the opcode. */
#define MODRM   0x01u
#define IMM8    0x02u
#define IMM_Z   0x04u /* 2 or 4 bytes, by operand size */
#define IMM_V   0x08u /* 2, 4 or 8 */
#define IMM16   0x10u
#define MOFFS   0x20u /* an address, by address size */
#define GROUP3  0x40u /* an immediate only for reg 0 and 1 */
#define INVALID 0x80u
#define PREFIX  0x100u /* a legacy prefix; only of the one-byte map */

/* By opcode; what has no row is a single byte. The first rows are eight ALU operations, alike. */
static const uint16_t map_one[256] = {
    [0x00 ... 0x03] = MODRM,
    [0x04] = IMM8,
    [0x05] = IMM_Z,
    [0x08 ... 0x0b] = MODRM,
    [0x0c] = IMM8,
    [0x0d] = IMM_Z,
    [0x10 ... 0x13] = MODRM,
    [0x14] = IMM8,
    [0x15] = IMM_Z,
    [0x18 ... 0x1b] = MODRM,
    [0x1c] = IMM8,
    [0x1d] = IMM_Z,
    [0x20 ... 0x23] = MODRM,
    [0x24] = IMM8,
    [0x25] = IMM_Z,
    [0x26] = PREFIX,
    [0x28 ... 0x2b] = MODRM,
    [0x2c] = IMM8,
    [0x2d] = IMM_Z,
    [0x2e] = PREFIX,
    [0x30 ... 0x33] = MODRM,
    [0x34] = IMM8,
    [0x35] = IMM_Z,
    [0x36] = PREFIX,
    [0x38 ... 0x3b] = MODRM,
    [0x3c] = IMM8,
    [0x3d] = IMM_Z,
    [0x3e] = PREFIX,
    [0x62] = INVALID,
    [0x63] = MODRM,
    [0x64 ... 0x67] = PREFIX,
    [0x68] = IMM_Z,
    [0x69] = MODRM | IMM_Z,
    [0x6a] = IMM8,
    [0x6b] = MODRM | IMM8,
    [0x70 ... 0x7f] = IMM8,
    [0x80] = MODRM | IMM8,
    [0x81] = MODRM | IMM_Z,
    [0x82] = INVALID,
    [0x83] = MODRM | IMM8,
    [0x84 ... 0x8f] = MODRM,
    [0x9a] = INVALID,
    [0xa0 ... 0xa3] = MOFFS,
    [0xa8] = IMM8,
    [0xa9] = IMM_Z,
    [0xb0 ... 0xb7] = IMM8,
    [0xb8 ... 0xbf] = IMM_V,
    [0xc0 ... 0xc1] = MODRM | IMM8,
    [0xc2] = IMM16,
    [0xc4 ... 0xc5] = INVALID,
    [0xc6] = MODRM | IMM8,
    [0xc7] = MODRM | IMM_Z,
    [0xc8] = IMM16 | IMM8,
    [0xca] = IMM16,
    [0xcd] = IMM8,
    [0xd0 ... 0xd3] = MODRM,
    [0xd4 ... 0xd5] = IMM8,
    [0xd6] = INVALID,
    [0xd8 ... 0xdf] = MODRM,
    [0xe0 ... 0xe7] = IMM8,
    [0xe8 ... 0xe9] = IMM_Z,
    [0xea] = INVALID,
    [0xeb] = IMM8,
    [0xf0] = PREFIX,
    [0xf2 ... 0xf3] = PREFIX,
    [0xf6] = MODRM | GROUP3,
    [0xf7] = MODRM | GROUP3,
    [0xfe ... 0xff] = MODRM,
};

static const uint16_t map_0f[256] = {
    [0x00 ... 0x03] = MODRM,
    [0x04] = INVALID,
    [0x0a] = INVALID,
    [0x0c] = INVALID,
    [0x0d] = MODRM,
    [0x0f] = INVALID,
    [0x10 ... 0x23] = MODRM,
    [0x24 ... 0x27] = INVALID,
    [0x28 ... 0x2f] = MODRM,
    [0x36] = INVALID,
    [0x39 ... 0x3f] = INVALID,
    [0x40 ... 0x6f] = MODRM,
    [0x70 ... 0x73] = MODRM | IMM8,
    [0x74 ... 0x76] = MODRM,
    [0x78 ... 0x7f] = MODRM,
    [0x80 ... 0x8f] = IMM_Z,
    [0x90 ... 0x9f] = MODRM,
    [0xa3] = MODRM,
    [0xa4] = MODRM | IMM8,
    [0xa5] = MODRM,
    [0xa6 ... 0xa7] = INVALID,
    [0xab] = MODRM,
    [0xac] = MODRM | IMM8,
    [0xad ... 0xb9] = MODRM,
    [0xba] = MODRM | IMM8,
    [0xbb ... 0xc1] = MODRM,
    [0xc2] = MODRM | IMM8,
    [0xc3] = MODRM,
    [0xc4 ... 0xc6] = MODRM | IMM8,
    [0xc7] = MODRM,
    [0xd0 ... 0xff] = MODRM,
};

static inline unsigned int shape_of(unsigned int map, unsigned int opcode)
{
    if (unlikely(map == MAP_0F38)) { /* MOVBE and CRC32 */
        return opcode == 0xf0 || opcode == 0xf1 ? MODRM : INVALID;
    }
    return map == MAP_ONE ? map_one[opcode] : map_0f[opcode];
}

/* Bytes under the cursor. */
struct cursor {
    const uint8_t *p, *end;
    bool short_of; /* asked for more than there is */
};

static inline uint8_t next_byte(struct cursor *c)
{
    if (c->p >= c->end) {
        c->short_of = true;
        return 0;
    }
    return *c->p++;
}

static int64_t next_signed(struct cursor *c, unsigned int bytes)
{
    uint64_t v = 0;

    for (unsigned int n = 0; n < bytes; n++) {
        v |= (uint64_t)next_byte(c) << (8 * n);
    }
    return bytes == 8 ? (int64_t)v : (int64_t)(v << (64 - 8 * bytes)) >> (64 - 8 * bytes);
}

/* Notes a prefix (but REX). */
static __noinline void legacy_prefix(struct insn *i, uint8_t b)
{
    switch (b) {
    case 0x26:
        i->seg = SEG_ES;
        break;
    case 0x2e:
        i->seg = SEG_CS;
        break;
    case 0x36:
        i->seg = SEG_SS;
        break;
    case 0x3e:
        i->seg = SEG_DS;
        break;
    case 0x64:
        i->seg = SEG_FS;
        break;
    case 0x65:
        i->seg = SEG_GS;
        break;
    case 0x66:
        i->op_bytes = 2;
        break;
    case 0x67:
        i->addr_bytes = i->long_mode ? 4 : 2;
        break;
    case 0xf0:
        i->lock = true;
        break;
    default:
        i->repne = b == 0xf2;
        i->rep = b == 0xf3;
        break;
    }
}

/* Prefixes in any order, REX last; returns the first byte behind them. (The CPU ignores a REX that
 * is not last; nobody writes that.) */
static inline uint8_t prefixes(struct insn *i, struct cursor *c)
{
    uint8_t b = next_byte(c);

    i->op_bytes = 4;
    i->addr_bytes = i->long_mode ? 8 : 4;
    while (unlikely(map_one[b] & PREFIX) && !c->short_of) {
        legacy_prefix(i, b);
        b = next_byte(c);
    }
    if (i->long_mode && (b & 0xf0) == 0x40) {
        i->rex = b;
        if (b & 8) {
            i->op_bytes = 8;
        }
        b = next_byte(c);
    }
    return b;
}

/* 16-bit addressing: pairs of registers. */
static void modrm_16(struct insn *i, struct cursor *c)
{
    static const uint8_t bases[8] = {3, 3, 5, 5, 6, 7, 5, 3};
    static const uint8_t indices[8] = {6,           7,           6,           7,
                                       INSN_NO_REG, INSN_NO_REG, INSN_NO_REG, INSN_NO_REG};

    if (i->mod == 0 && i->rm == 6) {
        i->disp = next_signed(c, 2);
        return;
    }
    i->base = bases[i->rm];
    i->index = indices[i->rm];
    i->scale = 1;
    if (i->mod) {
        i->disp = next_signed(c, i->mod == 1 ? 1 : 2);
    }
}

static void modrm(struct insn *i, struct cursor *c)
{
    uint8_t b = next_byte(c), sib;
    unsigned int rex_b = (i->rex & 1) ? 8 : 0, low = b & 7;

    i->has_modrm = true;
    i->mod = b >> 6;
    i->reg = (uint8_t)(((b >> 3) & 7) | ((i->rex & 4) ? 8 : 0));
    i->rm = (uint8_t)(low | rex_b);
    /* MOV to and from CRn and DRn: always registers. */
    if (i->mod == 3 || (i->map == MAP_0F && (i->opcode & 0xfc) == 0x20)) {
        i->mod = 3;
        return;
    }
    if (i->addr_bytes == 2) {
        modrm_16(i, c);
        return;
    }
    i->base = i->rm;
    if (low == 4) {
        sib = next_byte(c);
        low = sib & 7;
        i->base = (uint8_t)(low | rex_b);
        i->index = (uint8_t)(((sib >> 3) & 7) | ((i->rex & 2) ? 8 : 0));
        i->scale = (uint8_t)(1u << (sib >> 6));
        if (i->index == 4) {
            i->index = INSN_NO_REG;
        }
    }
    if (i->mod == 0 && low == 5) {
        i->rip_relative = i->long_mode && i->base == i->rm;
        i->base = INSN_NO_REG;
        i->disp = next_signed(c, 4);
    } else if (i->mod) {
        i->disp = next_signed(c, i->mod == 1 ? 1 : 4);
    }
}

static __noinline void immediate(struct insn *i, struct cursor *c, unsigned int what)
{
    unsigned int z = i->op_bytes == 2 ? 2 : 4;

    if (what & GROUP3) {
        what |= (i->reg & 7) > 1 ? 0 : i->opcode == 0xf6 ? IMM8 : IMM_Z;
    }
    if (what & MOFFS) {
        i->disp = next_signed(c, i->addr_bytes);
    }
    if (what & IMM16) {
        i->imm = (uint64_t)next_signed(c, 2);
    }
    if (what & IMM8) {
        i->imm = (uint64_t)next_signed(c, 1);
    } else if (what & IMM_Z) {
        i->imm = (uint64_t)next_signed(c, z);
    } else if (what & IMM_V) {
        i->imm = (uint64_t)next_signed(c, i->op_bytes);
    }
}

int insn_decode(struct insn *i, const uint8_t *bytes, unsigned int n, bool long_mode)
{
    struct cursor c = {.p = bytes, .end = bytes + min(n, INSN_MAX)};
    unsigned int what;

    *i = (struct insn){.long_mode = long_mode,
                       .seg = SEG_DEFAULT,
                       .base = INSN_NO_REG,
                       .index = INSN_NO_REG,
                       .scale = 1};
    i->opcode = prefixes(i, &c);
    if (i->opcode == 0x0f) {
        i->map = MAP_0F;
        i->opcode = next_byte(&c);
        if (i->opcode == 0x38) {
            i->map = MAP_0F38;
            i->opcode = next_byte(&c);
        }
    }
    what = shape_of(i->map, i->opcode);
    if (!c.short_of && (what & INVALID)) {
        return -EINVAL;
    }
    if (what & MODRM) {
        modrm(i, &c);
    }
    if (what & ~MODRM) {
        immediate(i, &c, what);
    }
    if (c.short_of) {
        return n >= INSN_MAX ? -EINVAL : -EFAULT;
    }
    i->len = (uint8_t)(c.p - bytes);
    return 0;
}
