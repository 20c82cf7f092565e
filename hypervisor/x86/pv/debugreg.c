/*
 * Debug registers. The guest's are in arch.pv.debugreg; those that it has armed are loaded while it
 * runs. A breakpoint may lie in the guest's own part of the address space only, so that none fires
 * in the hypervisor but on its accesses to guest memory, where it is dropped. Layout: AMD APM 2,
 * "Debug Registers".
 */
#include <arch/msr.h>
#include "pv.h"

#define DR6_DEFAULT    0xffff0ff0ul /* bits that are always 1 */
#define DR6_ZERO       0x1000ul     /* bit that is always 0 */
#define DR6_BS         0x4000ul
#define DR7_DEFAULT    0x400ul
#define DR7_ZERO       0xd800ul /* bits 11, 12, 14, 15 */
#define DR7_GD         0x2000ul
#define DR7_ACTIVE     0xfful
#define DR7_RW(dr7, n) (((dr7) >> (16 + 4 * (n))) & 3)
#define DR7_RW_IO      2ul

static void write_address(unsigned int n, unsigned long value)
{
    switch (n) {
    case 0:
        write_dr0(value);
        break;
    case 1:
        write_dr1(value);
        break;
    case 2:
        write_dr2(value);
        break;
    default:
        write_dr3(value);
        break;
    }
}

void pv_load_debugregs(const struct vcpu *v)
{
    const unsigned long *dr = v->arch.pv.debugreg;

    if (!(dr[7] & DR7_ACTIVE)) {
        return;
    }
    for (unsigned int n = 0; n < 4; n++) {
        write_address(n, dr[n]);
    }
    write_dr6(DR6_DEFAULT);
    write_dr7(dr[7] | DR7_DEFAULT);
}

void pv_unload_debugregs(const struct vcpu *v)
{
    if (v->arch.pv.debugreg[7] & DR7_ACTIVE) {
        write_dr7(DR7_DEFAULT);
    }
}

/* I/O breakpoints are remembered and never armed: the ports are emulated. */
static int set_dr7(struct vcpu *v, unsigned long value)
{
    unsigned long io = 0;

    value = (value & 0xfffffffful & ~DR7_ZERO) | DR7_DEFAULT;
    if (value & DR7_GD) {
        return -EPERM;
    }
    if (value & DR7_ACTIVE) {
        for (unsigned int n = 0; n < 4; n++) {
            if (DR7_RW(value, n) == DR7_RW_IO) {
                if (!(v->arch.pv.ctrlreg[4] & CR4_DE)) {
                    return -EPERM;
                }
                io |= value & (3ul << (2 * n));
            }
        }
    }
    if (v == current) {
        pv_unload_debugregs(v);
    }
    v->arch.pv.dr7_emul = io;
    v->arch.pv.debugreg[7] = value & ~io;
    if (v == current) {
        pv_load_debugregs(v);
    }
    return 0;
}

int pv_set_debugreg(struct vcpu *v, unsigned int reg, unsigned long value)
{
    unsigned long *dr = v->arch.pv.debugreg;

    switch (reg) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (!is_guest_address(value)) {
            return -EPERM;
        }
        dr[reg] = value;
        if (v == current && (dr[7] & DR7_ACTIVE)) {
            write_address(reg, value);
        }
        return 0;
    case 4:
    case 5:
        if (v->arch.pv.ctrlreg[4] & CR4_DE) {
            return -ENODEV;
        }
        return pv_set_debugreg(v, reg + 2, value);
    case 6:
        dr[6] = (value & 0xfffffffful & ~DR6_ZERO) | DR6_DEFAULT;
        return 0;
    case 7:
        return set_dr7(v, value);
    default:
        return -ENODEV;
    }
}

int pv_get_debugreg(const struct vcpu *v, unsigned int reg, unsigned long *value)
{
    const unsigned long *dr = v->arch.pv.debugreg;

    if (reg > 7) {
        return -ENODEV;
    }
    if (reg == 4 || reg == 5) {
        if (v->arch.pv.ctrlreg[4] & CR4_DE) {
            return -ENODEV;
        }
        reg += 2;
    }
    *value = dr[reg] | (reg == 6 ? DR6_DEFAULT : 0);
    if (reg == 7) {
        *value |= v->arch.pv.dr7_emul | DR7_DEFAULT;
    }
    return 0;
}

long do_set_debugreg(unsigned int reg, unsigned long value)
{
    return pv_set_debugreg(current, reg, value);
}

long do_get_debugreg(unsigned int reg)
{
    unsigned long value;
    int rc = pv_get_debugreg(current, reg, &value);

    return rc ? (rc == -ENODEV && reg <= 7 ? rc : -EINVAL) : (long)value;
}

/*
 * #DB. In the hypervisor it can be: the first instruction of sysenter_entry with the guest's TF (go
 * on without it); a data breakpoint of the guest's on memory that we access for it (dropped, as Xen
 * does). On the IST stack then: nothing here may fault or touch guest memory.
 */
void pv_debug_exception(struct cpu_user_regs *regs)
{
    unsigned long dr6 = read_dr6();
    struct pv_vcpu *pv;

    write_dr6(DR6_DEFAULT);
    if (!guest_mode(regs)) {
        regs->rflags &= ~X86_EFLAGS_TF;
        return;
    }
    local_irq_enable();
    pv = &current->arch.pv;
    pv->debugreg[6] = (pv->debugreg[6] | DR6_DEFAULT | (dr6 & ~DR6_DEFAULT)) & ~DR6_ZERO;
    pv_inject_hw_exception(X86_EXC_DB, 0);
}
