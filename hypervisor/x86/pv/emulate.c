/*
 * Privileged instructions of PV guests. The guest's kernel runs in ring 3, so they fault (#GP);
 * those that a PV kernel may still use are carried out here, everything else goes to its #GP
 * handler. What was decoded is what counts, not what faulted: the instruction may have been
 * rewritten in between, so each handler checks by itself.
 */
#include "pv.h"
#include <arch/cpufeature.h>
#include <arch/fpu.h>
#include <arch/msr.h>
#include <arch/policy.h>
#include "emulate.h"

#define DR6_BS 0x4000ul

static enum emulation emulate_mov_from_cr(const struct insn *i, struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    uint64_t value;

    switch (i->reg) {
    case 0:
        value = (read_cr0() & ~CR0_TS) | (v->arch.pv.ctrlreg[0] & CR0_TS);
        break;
    case 2:
    case 4:
        value = v->arch.pv.ctrlreg[i->reg];
        break;
    case 3:
        value = xen_pfn_to_cr3(v->arch.guest_table.v);
        break;
    default:
        return EMU_REFUSED;
    }
    *insn_gpr(regs, i->rm) = value;
    return EMU_DONE;
}

/* MMUEXT_NEW_BASEPTR by another name; preempted, it is done again. */
static enum emulation set_cr3(uint64_t value)
{
    switch (pv_new_guest_cr3(mfn(xen_cr3_to_pfn(value)))) {
    case 0:
        return EMU_DONE;
    case -ERESTART:
    case -EINTR:
        return EMU_AGAIN;
    default:
        return EMU_REFUSED;
    }
}

static enum emulation emulate_mov_to_cr(const struct insn *i, struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    uint64_t value = *insn_gpr(regs, i->rm);

    switch (i->reg) {
    case 0:
        if ((value ^ read_cr0()) & ~CR0_TS) {
            return EMU_REFUSED;
        }
        (void)do_fpu_taskswitch((value & CR0_TS) != 0);
        return EMU_DONE;
    case 2:
        v->arch.pv.ctrlreg[2] = value;
        v->vcpu_info->arch.cr2 = value;
        return EMU_DONE;
    case 3:
        return set_cr3(value);
    case 4:
        v->arch.pv.ctrlreg[4] = pv_fixup_cr4(v, value);
        local_irq_disable(); /* TLB flushes change CR4 too */
        write_cr4(pv_make_cr4(v));
        local_irq_enable();
        return EMU_DONE;
    default:
        return EMU_REFUSED;
    }
}

static enum emulation emulate_mov_from_dr(const struct insn *i, struct cpu_user_regs *regs)
{
    unsigned long value;

    if (pv_get_debugreg(current, i->reg, &value) != 0) {
        return EMU_REFUSED;
    }
    *insn_gpr(regs, i->rm) = value;
    return EMU_DONE;
}

static enum emulation emulate_mov_to_dr(const struct insn *i, struct cpu_user_regs *regs)
{
    return pv_set_debugreg(current, i->reg, *insn_gpr(regs, i->rm)) == 0 ? EMU_DONE : EMU_REFUSED;
}

static enum emulation emulate_clts(const struct insn *i, struct cpu_user_regs *regs)
{
    (void)do_fpu_taskswitch(0);
    return EMU_DONE;
}

/* Only who has devices can have reason to. */
static enum emulation emulate_wbinvd(const struct insn *i, struct cpu_user_regs *regs)
{
    const struct domain *d = current->domain;

    if (d->is_hardware || !rangeset_is_empty(d->iomem_caps)) {
        wbinvd();
    }
    return EMU_DONE;
}

/* Xen ignores these from who has the I/O privilege: events are masked in vcpu_info. */
static enum emulation emulate_cli_sti(const struct insn *i, struct cpu_user_regs *regs)
{
    return pv_iopl_ok(current) ? EMU_DONE : EMU_REFUSED;
}

static enum emulation emulate_rdtsc(const struct insn *i, struct cpu_user_regs *regs)
{
    const struct vcpu *v = current;
    uint64_t tsc;

    if ((v->arch.pv.ctrlreg[4] & CR4_TSD) && !v->arch.kernel_mode) {
        return EMU_REFUSED;
    }
    tsc = rdtsc();
    regs->rax = (uint32_t)tsc;
    regs->rdx = tsc >> 32;
    return EMU_DONE;
}

/* 0F 01 has instructions in its ModRM byte: XSETBV and RDTSCP. */
static enum emulation emulate_0f01(const struct insn *i, struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    unsigned int which = (unsigned int)i->mod << 6 | (i->reg & 7u) << 3 | (i->rm & 7u);

    switch (which) {
    case 0xd1: /* XSETBV */
        if (!v->arch.kernel_mode || !(v->arch.pv.ctrlreg[4] & CR4_OSXSAVE) ||
            fpu_set_xcr0(v, regs->ecx, (uint64_t)regs->edx << 32 | regs->eax) != 0) {
            return EMU_REFUSED;
        }
        return EMU_DONE;
    case 0xf9: /* RDTSCP */
        if (!policy_has(v->domain->arch.cpu_policy, X86_RDTSCP)) {
            return EMU_REFUSED;
        }
        regs->rcx = v->arch.pv.tsc_aux;
        return emulate_rdtsc(i, regs);
    default:
        return EMU_REFUSED;
    }
}

static void do_cpuid(struct cpu_user_regs *regs, bool enlightened)
{
    struct cpuid_leaf l;

    guest_cpuid(regs->eax, regs->ecx, enlightened, &l);
    regs->rax = l.a;
    regs->rbx = l.b;
    regs->rcx = l.c;
    regs->rdx = l.d;
}

static enum emulation emulate_cpuid(const struct insn *i, struct cpu_user_regs *regs)
{
    do_cpuid(regs, false);
    return EMU_DONE;
}

/* What is carried out; user: for its user mode, too (the handler checks the rest). */
enum row {
    ROW_NONE,
    ROW_STRING_IO,
    ROW_IO,
    ROW_CLI_STI,
    ROW_0F01,
    ROW_CLTS,
    ROW_WBINVD,
    ROW_FROM_CR,
    ROW_FROM_DR,
    ROW_TO_CR,
    ROW_TO_DR,
    ROW_WRMSR,
    ROW_RDTSC,
    ROW_RDMSR,
    ROW_CPUID
};
static const struct {
    enum emulation (*fn)(const struct insn *i, struct cpu_user_regs *regs);
    bool user;
} privileged[] = {
    [ROW_STRING_IO] = {emulate_ins_outs, true},   [ROW_IO] = {emulate_in_out, true},
    [ROW_CLI_STI] = {emulate_cli_sti, true},      [ROW_0F01] = {emulate_0f01, true},
    [ROW_CLTS] = {emulate_clts, false},           [ROW_WBINVD] = {emulate_wbinvd, false},
    [ROW_FROM_CR] = {emulate_mov_from_cr, false}, [ROW_FROM_DR] = {emulate_mov_from_dr, false},
    [ROW_TO_CR] = {emulate_mov_to_cr, false},     [ROW_TO_DR] = {emulate_mov_to_dr, false},
    [ROW_WRMSR] = {emulate_wrmsr, false},         [ROW_RDTSC] = {emulate_rdtsc, true},
    [ROW_RDMSR] = {emulate_rdmsr, false},         [ROW_CPUID] = {emulate_cpuid, true},
};
/* The row of an opcode of each map. */
static const uint8_t rows[2][256] = {
    [MAP_ONE] =
        {
            [0x6c ... 0x6f] = ROW_STRING_IO,
            [0xe4 ... 0xe7] = ROW_IO,
            [0xec ... 0xef] = ROW_IO,
            [0xfa ... 0xfb] = ROW_CLI_STI,
        },
    [MAP_0F] =
        {
            [0x01] = ROW_0F01,
            [0x06] = ROW_CLTS,
            [0x09] = ROW_WBINVD,
            [0x20] = ROW_FROM_CR,
            [0x21] = ROW_FROM_DR,
            [0x22] = ROW_TO_CR,
            [0x23] = ROW_TO_DR,
            [0x30] = ROW_WRMSR,
            [0x31] = ROW_RDTSC,
            [0x32] = ROW_RDMSR,
            [0xa2] = ROW_CPUID,
        },
};

/* Behind an instruction that was carried out: as the CPU leaves it. */
static void retire(struct cpu_user_regs *regs, unsigned int len)
{
    regs->rip += len;
    if (regs->cs != FLAT_KERNEL_CS64 && !is_canonical(regs->rip)) {
        regs->rip = (uint32_t)regs->rip;
    }
    regs->rflags &= ~X86_EFLAGS_RF;
    if (regs->rflags & X86_EFLAGS_TF) {
        current->arch.pv.debugreg[6] |= DR6_BS;
        pv_inject_hw_exception(X86_EXC_DB, 0);
    }
}

static enum emulation dispatch(const struct insn *i, struct cpu_user_regs *regs)
{
    unsigned int row = i->map <= MAP_0F ? rows[i->map][i->opcode] : ROW_NONE;

    if (row == ROW_NONE || i->lock || (!privileged[row].user && !current->arch.kernel_mode)) {
        return EMU_REFUSED;
    }
    return privileged[row].fn(i, regs);
}

bool pv_emulate_privileged_op(struct cpu_user_regs *regs)
{
    unsigned long fault;
    struct insn i;

    switch (insn_fetch(&i, regs, &fault)) {
    case 0:
        break;
    case -EFAULT:
        pv_inject_page_fault(0, fault);
        return true;
    default:
        return false;
    }
    switch (dispatch(&i, regs)) {
    case EMU_DONE:
        retire(regs, i.len);
        return true;
    case EMU_AGAIN:
    case EMU_FAULT:
        return true;
    case EMU_REFUSED:
    default:
        return false;
    }
}

/* The forced-emulation prefix: ud2a; "xen"; CPUID (<xen/arch-x86/xen.h>). */
#define FORCED_BYTES 7u
#define FORCED_CPUID 0xa20f6e65780b0ful /* 0f 0b 'x' 'e' 'n' 0f a2, the first lowest */

static bool is_forced_cpuid(unsigned long rip)
{
    uint64_t word = 0;

    /* At a page's end no byte more may be read than there are. */
    if ((rip & (PAGE_SIZE - 1)) <= PAGE_SIZE - 8 ? copy_bytes_from_guest(&word, rip, 8)
                                                 : raw_copy_from_guest(&word, rip, FORCED_BYTES)) {
        return false;
    }
    return (word & (~0ul >> 8)) == FORCED_CPUID;
}

bool pv_emulate_invalid_op(struct cpu_user_regs *regs)
{
    if (!is_forced_cpuid(regs->rip)) {
        return false;
    }
    do_cpuid(regs, current->arch.kernel_mode);
    retire(regs, FORCED_BYTES);
    return true;
}
