/*
 * Emulating a guest kernel's write to a page that it may only read because it is a page table (or a
 * device frame that is read-only): the instruction is fetched and decoded, its operand read from
 * the frame, the new value computed and installed as mmu_update would. Whatever this file does not
 * know, or may not do, stays the guest's page fault.
 *
 * The instruction may have changed since it faulted, and other vcpus change what lies at the
 * address: each is read once, and the entry is replaced only if it still is what was read.
 */
#include <hospes/arch.h>
#include <hospes/lib.h>
#include <arch/pci.h>
#include <arch/traps.h>
#include "decode.h"
#include "mm.h"

struct write_op {
    struct cpu_user_regs *regs;
    struct insn insn;
    unsigned long va;   /* of the operand */
    unsigned int bytes; /* 1, 2, 4, 8; va is aligned to it */
    bool compare;       /* install only if memory still holds `old` */
    uint64_t old, val;  /* before and after; of `bytes` */
};

static uint64_t mask_of(unsigned int bytes)
{
    return bytes == 8 ? ~0ull : (1ull << (bytes * 8)) - 1;
}

/* ---- arithmetic: result and flags as the CPU would ---- */

#define FLAG_CF   0x001u
#define FLAG_PF   0x004u
#define FLAG_AF   0x010u
#define FLAG_ZF   0x040u
#define FLAG_SF   0x080u
#define FLAG_OF   0x800u
#define FLAGS_ALL (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* The instruction itself, on registers, gives value and flags alike. */
#define ALU_CASE(n, name)                                                                 \
    case n:                                                                               \
        switch (bytes) {                                                                  \
        case 1:                                                                           \
            __asm__ volatile("push %[f]; popfq; " name "b %b[s], %b[d]; pushfq; pop %[f]" \
                             : [d] "+q"(d), [f] "+r"(flags)                               \
                             : [s] "q"(s)                                                 \
                             : "cc", "memory");                                           \
            break;                                                                        \
        case 2:                                                                           \
            __asm__ volatile("push %[f]; popfq; " name "w %w[s], %w[d]; pushfq; pop %[f]" \
                             : [d] "+r"(d), [f] "+r"(flags)                               \
                             : [s] "r"(s)                                                 \
                             : "cc", "memory");                                           \
            break;                                                                        \
        case 4:                                                                           \
            __asm__ volatile("push %[f]; popfq; " name "l %k[s], %k[d]; pushfq; pop %[f]" \
                             : [d] "+r"(d), [f] "+r"(flags)                               \
                             : [s] "r"(s)                                                 \
                             : "cc", "memory");                                           \
            break;                                                                        \
        default:                                                                          \
            __asm__ volatile("push %[f]; popfq; " name "q %[s], %[d]; pushfq; pop %[f]"   \
                             : [d] "+r"(d), [f] "+r"(flags)                               \
                             : [s] "r"(s)                                                 \
                             : "cc", "memory");                                           \
            break;                                                                        \
        }                                                                                 \
        break

/* n: the number of the operation in the opcode map (add or adc sbb and sub xor cmp). */
static uint64_t alu(unsigned int n, uint64_t d, uint64_t s, unsigned int bytes, uint64_t *rflags)
{
    unsigned long flags = (local_save_flags() & ~(unsigned long)FLAGS_ALL) | (*rflags & FLAGS_ALL);

    switch (n) {
        ALU_CASE(0, "add");
        ALU_CASE(1, "or");
        ALU_CASE(2, "adc");
        ALU_CASE(3, "sbb");
        ALU_CASE(4, "and");
        ALU_CASE(5, "sub");
        ALU_CASE(6, "xor");
    default:
        ALU_CASE(7, "cmp");
    }
    *rflags = (*rflags & ~(uint64_t)FLAGS_ALL) | (flags & FLAGS_ALL);
    return d & mask_of(bytes);
}

/* ---- what the instruction makes of the operand ---- */

static uint64_t reg_operand(const struct write_op *op)
{
    return insn_read_reg(&op->insn, op->regs, op->insn.reg, op->bytes);
}

/*
 * Each computes op->val, and the registers and flags in *r, from op->old; false: not for us.
 * r is a copy that becomes real when the write has been done.
 */
static bool op_alu_reg(struct write_op *op, struct cpu_user_regs *r)
{
    op->compare = true;
    op->val = alu(op->insn.opcode >> 3, op->old, reg_operand(op), op->bytes, &r->rflags);
    return op->insn.opcode >> 3 != 7;
}

static bool op_alu_imm(struct write_op *op, struct cpu_user_regs *r)
{
    op->compare = true;
    op->val =
        alu(op->insn.reg & 7, op->old, op->insn.imm & mask_of(op->bytes), op->bytes, &r->rflags);
    return (op->insn.reg & 7) != 7;
}

static bool op_mov_reg(struct write_op *op, struct cpu_user_regs *r)
{
    op->val = reg_operand(op);
    return true;
}

static bool op_mov_imm(struct write_op *op, struct cpu_user_regs *r)
{
    op->val = op->insn.imm & mask_of(op->bytes);
    return (op->insn.reg & 7) == 0;
}

static bool op_mov_acc(struct write_op *op, struct cpu_user_regs *r)
{
    op->val = r->rax & mask_of(op->bytes);
    return true;
}

static bool op_xchg(struct write_op *op, struct cpu_user_regs *r)
{
    op->compare = true;
    op->val = reg_operand(op);
    insn_write_reg(&op->insn, r, op->insn.reg, op->bytes, op->old);
    return true;
}

static bool op_cmpxchg(struct write_op *op, struct cpu_user_regs *r)
{
    uint64_t acc = r->rax & mask_of(op->bytes);

    op->compare = true;
    (void)alu(7, acc, op->old, op->bytes, &r->rflags);
    if (acc == op->old) {
        op->val = reg_operand(op);
    } else {
        op->val = op->old;
        insn_write_reg(&op->insn, r, 0, op->bytes, op->old);
    }
    return true;
}

static bool op_xadd(struct write_op *op, struct cpu_user_regs *r)
{
    op->compare = true;
    op->val = alu(0, op->old, reg_operand(op), op->bytes, &r->rflags);
    insn_write_reg(&op->insn, r, op->insn.reg, op->bytes, op->old);
    return true;
}

/* INC, DEC: the carry flag stays. */
static bool op_inc_dec(struct write_op *op, struct cpu_user_regs *r)
{
    uint64_t cf = r->rflags & FLAG_CF;

    if ((op->insn.reg & 7) > 1) {
        return false;
    }
    op->compare = true;
    op->val = alu((op->insn.reg & 7) == 0 ? 0 : 5, op->old, 1, op->bytes, &r->rflags);
    r->rflags = (r->rflags & ~(uint64_t)FLAG_CF) | cf;
    return true;
}

static bool op_not_neg(struct write_op *op, struct cpu_user_regs *r)
{
    op->compare = true;
    switch (op->insn.reg & 7) {
    case 2:
        op->val = ~op->old & mask_of(op->bytes);
        return true;
    case 3:
        op->val = alu(5, 0, op->old, op->bytes, &r->rflags);
        return true;
    default:
        return false;
    }
}

/* BT's family with the bit inside the addressed word (an immediate, or a small register). */
static bool bit_op(struct write_op *op, struct cpu_user_regs *r, unsigned int which, uint64_t bit)
{
    uint64_t m = 1ull << (bit % (op->bytes * 8));

    if (bit >= op->bytes * 8) {
        return false;
    }
    op->compare = true;
    r->rflags = (r->rflags & ~(uint64_t)FLAG_CF) | (op->old & m ? FLAG_CF : 0);
    switch (which) {
    case 1:
        op->val = op->old | m;
        return true;
    case 2:
        op->val = op->old & ~m;
        return true;
    case 3:
        op->val = op->old ^ m;
        return true;
    default:
        return false;
    }
}

static bool op_bit_reg(struct write_op *op, struct cpu_user_regs *r)
{
    return bit_op(op, r, (op->insn.opcode >> 3) & 3, reg_operand(op));
}

static bool op_bit_imm(struct write_op *op, struct cpu_user_regs *r)
{
    return bit_op(op, r, op->insn.reg & 3, op->insn.imm & (op->bytes * 8 - 1));
}

/* STOS: one element; a REP prefix is left for the next round (rip stays). */
static bool op_stos(struct write_op *op, struct cpu_user_regs *r)
{
    op->val = r->rax & mask_of(op->bytes);
    r->rdi += r->rflags & X86_EFLAGS_DF ? -(uint64_t)op->bytes : op->bytes;
    if (op->insn.rep || op->insn.repne) {
        r->rcx--;
        if (r->rcx != 0) {
            r->rip -= op->insn.len; /* the caller adds it */
        }
    }
    return true;
}

/* ---- the table ---- */

static const struct opcode_row {
    uint8_t map, first, last;
    bool byte_form; /* an even opcode is the 8-bit form */
    bool (*fn)(struct write_op *op, struct cpu_user_regs *r);
} opcodes[] = {
    /* The frequent ones first. */
    {MAP_ONE, 0x88, 0x89, true, op_mov_reg}, {MAP_ONE, 0x86, 0x87, true, op_xchg},
    {MAP_0F, 0xb0, 0xb1, true, op_cmpxchg},  {MAP_ONE, 0x20, 0x21, true, op_alu_reg},
    {MAP_ONE, 0xc6, 0xc7, true, op_mov_imm}, {MAP_0F, 0xba, 0xba, false, op_bit_imm},
    {MAP_ONE, 0x80, 0x81, true, op_alu_imm}, {MAP_ONE, 0x83, 0x83, false, op_alu_imm},
    {MAP_ONE, 0x08, 0x09, true, op_alu_reg}, {MAP_ONE, 0x00, 0x01, true, op_alu_reg},
    {MAP_ONE, 0x10, 0x11, true, op_alu_reg}, {MAP_ONE, 0x18, 0x19, true, op_alu_reg},
    {MAP_ONE, 0x28, 0x29, true, op_alu_reg}, {MAP_ONE, 0x30, 0x31, true, op_alu_reg},
    {MAP_ONE, 0xa2, 0xa3, true, op_mov_acc}, {MAP_ONE, 0xaa, 0xab, true, op_stos},
    {MAP_ONE, 0xf6, 0xf7, true, op_not_neg}, {MAP_ONE, 0xfe, 0xff, true, op_inc_dec},
    {MAP_0F, 0xab, 0xab, false, op_bit_reg}, {MAP_0F, 0xb3, 0xb3, false, op_bit_reg},
    {MAP_0F, 0xbb, 0xbb, false, op_bit_reg}, {MAP_0F, 0xc0, 0xc1, true, op_xadd},
    {MAP_0F, 0xc3, 0xc3, false, op_mov_reg}, /* MOVNTI */
};

static const struct opcode_row *row_of(const struct insn *i)
{
    for (unsigned int n = 0; n < ARRAY_SIZE(opcodes); n++) {
        if (opcodes[n].map == i->map && i->opcode >= opcodes[n].first &&
            i->opcode <= opcodes[n].last) {
            return &opcodes[n];
        }
    }
    return NULL;
}

/* ---- installing ---- */

/* The 8 bytes of an entry after the write of op->bytes at offset `at` in it. */
static uint64_t merge(uint64_t entry, const struct write_op *op)
{
    unsigned int shift = (unsigned int)(op->va & 7) * 8;

    return (entry & ~(mask_of(op->bytes) << shift)) | (op->val << shift);
}

/*
 * pg is locked: its entries change only here, but for accessed and dirty. -EAGAIN: the instruction
 * has to start again.
 */
static int write_table(struct page_info *pg, pte_t *p, const struct write_op *op)
{
    struct domain *d = current->domain;
    pte_t entry = READ_ONCE(*p), ne = merge(entry, op);
    unsigned int shift = (unsigned int)(op->va & 7) * 8;

    if (op->compare && ((entry >> shift) & mask_of(op->bytes)) != op->old) {
        return -EAGAIN;
    }
    if (ne == entry) {
        return 0;
    }
    return pv_mod_entry(pg, p, ne, false, d, d);
}

/* What the guest's level-1 entry for va maps, referenced; NULL: nothing of its own. */
static struct page_info *frame_at(struct vcpu *v, unsigned long va, mfn_t *m)
{
    mfn_t table;
    pte_t *p = pv_walk_l1(v, va, &table), e;

    if (!p) {
        return NULL;
    }
    e = READ_ONCE(*p);
    *m = pte_mfn(e);
    if ((e & (PTE_P | PTE_RW)) != PTE_P) {
        *m = MFN_NONE;
        return NULL;
    }
    return mfn_valid(*m) && get_page_inline(mfn_to_page(*m), v->domain) ? mfn_to_page(*m) : NULL;
}

/* Reads the operand, runs the instruction on it, installs. pg is locked. */
static __always_inline int run_locked(struct page_info *pg, struct write_op *op,
                                      const struct opcode_row *row, struct cpu_user_regs *next)
{
    pte_t *p = (pte_t *)((char *)page_to_virt(pg) + (op->va & (PAGE_SIZE - 1) & ~7ul));

    if ((pg->type_info & PGT_TYPE_MASK) != PGT_L1) {
        return -EINVAL;
    }
    op->old = (READ_ONCE(*p) >> ((op->va & 7) * 8)) & mask_of(op->bytes);
    return row->fn(op, next) ? write_table(pg, p, op) : -EINVAL;
}

/* False: not ours. A plain move changes no register: only the others need a copy to work on. */
static bool run_on_table(struct page_info *pg, struct write_op *op, const struct opcode_row *row)
{
    bool plain = row->fn == op_mov_reg || row->fn == op_mov_imm;
    int rc;

    if (!page_lock_inline(pg)) {
        return false;
    }
    if (plain) {
        rc = run_locked(pg, op, row, op->regs);
        page_unlock_inline(pg);
        if (rc == 0) {
            op->regs->rip += op->insn.len;
            op->regs->rflags &= ~X86_EFLAGS_RF;
        }
    } else {
        struct cpu_user_regs next = *op->regs;

        next.rip += op->insn.len;
        rc = run_locked(pg, op, row, &next);
        page_unlock_inline(pg);
        if (rc == 0) {
            next.rflags &= ~X86_EFLAGS_RF;
            *op->regs = next;
        }
    }
    return rc == 0 || rc == -EAGAIN;
}

/* A write to a device frame that is read-only is done without effect, but to PCI configuration
 * space, where it is what a write to the ports would be. */
static bool run_on_device(mfn_t m, struct write_op *op, const struct opcode_row *row)
{
    struct cpu_user_regs next = *op->regs;

    next.rip += op->insn.len;
    if (!mmio_ro_contains(m) || !row->fn(op, &next) || op->compare) {
        return false; /* device registers are only moved to */
    }
    if (pci_mmcfg_contains(m) &&
        (op->bytes > 4 ||
         !pci_mmcfg_guest_write(m, op->va & (PAGE_SIZE - 1), op->bytes, (uint32_t)op->val))) {
        return false;
    }
    *op->regs = next;
    return true;
}

bool pv_emulate_table_write(unsigned long cr2, struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    struct write_op op;
    const struct opcode_row *row;
    struct page_info *pg;
    unsigned long fault;
    mfn_t m = MFN_NONE;
    bool done;

    pg = frame_at(v, cr2, &m);
    if (!pg && (mfn_is_none(m) || mfn_valid(m) || !v->domain->is_hardware)) {
        return false;
    }
    done = false;
    op.regs = regs;
    op.compare = false;
    if (pg && (READ_ONCE(pg->type_info) & PGT_TYPE_MASK) != PGT_L1) {
        put_page(pg); /* the common case: copy on write; looked at again under the lock */
        return false;
    }
    if (insn_fetch(&op.insn, regs, &fault) == 0 && (row = row_of(&op.insn)) != NULL) {
        op.bytes = row->byte_form && !(op.insn.opcode & 1) ? 1 : op.insn.op_bytes;
        op.va = cr2;
        if ((cr2 & (op.bytes - 1)) == 0 &&
            (!op.insn.has_modrm || (op.insn.mod != 3 && insn_address(&op.insn, regs) == cr2))) {
            done = pg ? run_on_table(pg, &op, row) : run_on_device(m, &op, row);
        }
    }
    if (pg) {
        put_page(pg);
    }
    return done;
}
