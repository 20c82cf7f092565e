/*
 * Ports: IN, OUT, INS, OUTS. Two questions: may this code do port I/O at all (IOPL, or the guest's
 * own bitmap for its processes), and may this domain touch these ports (ioport_caps). What it may
 * not touch reads as all ones and ignores writes, but for what is shared with the hypervisor: the
 * port pairs of PCI configuration and CMOS, and channel 2 of the PIT.
 */
#include "pv.h"
#include <arch/cmos.h>
#include <arch/io.h>
#include <arch/pci.h>
#include <arch/time.h>
#include "emulate.h"

#define PCI_ADDRESS 0xcf8u
#define PCI_DATA    0xcfcu
#define CMOS_INDEX  0x70u
#define CMOS_DATA   0x71u
/* Iterations of a string instruction before others get their turn. */
#define STRING_BATCH 1024u

/* The guest's kernel is ring 1 unless it asked for the architecture's numbering; its user mode
 * ring 3. */
bool pv_iopl_ok(const struct vcpu *v)
{
    unsigned int cpl = !v->arch.kernel_mode ? 3 : VM_ASSIST(v->domain, architectural_iopl) ? 0 : 1;

    return (cpl << 12) <= v->arch.pv.iopl;
}

/* The bitmap is in the kernel's memory, which its user mode's page table does not have. */
static bool bitmap_permits(struct vcpu *v, unsigned int port, unsigned int bytes)
{
    unsigned long addr = (unsigned long)v->arch.pv.iobmp + (port >> 3);
    bool user = !v->arch.kernel_mode;
    uint16_t bits = 0xffff;
    uint8_t low;

    if (port + bytes > v->arch.pv.iobmp_limit) {
        return false;
    }
    if (user && !pv_toggle_mode(v)) {
        return false;
    }
    /* A second byte that cannot be read denies. */
    if (raw_copy_from_guest(&bits, addr, sizeof(bits)) != 0) {
        bits = raw_copy_from_guest(&low, addr, 1) != 0 ? 0xffff : (uint16_t)(0xff00 | low);
    }
    if (user && !pv_toggle_mode(v)) {
        domain_crash(v->domain, "user page table gone");
        return false;
    }
    return ((bits >> (port & 7)) & ((1u << bytes) - 1)) == 0;
}

static bool may_do_io(struct vcpu *v, unsigned int port, unsigned int bytes)
{
    return pv_iopl_ok(v) || bitmap_permits(v, port, bytes);
}

static bool ports_overlap(unsigned int port, unsigned int bytes, unsigned int first, unsigned int n)
{
    return port < first + n && port + bytes > first;
}

/* The port itself, without a look at what is behind it. */
static bool direct_access(const struct domain *d, unsigned int port, unsigned int bytes)
{
    if (ports_overlap(port, bytes, PCI_ADDRESS, 8) || ports_overlap(port, bytes, CMOS_INDEX, 2)) {
        return false;
    }
    return rangeset_contains(d->ioport_caps, port, port + bytes - 1);
}

/* Bytes of an access at `port` that one of the port pairs takes at once. */
static unsigned int pair_bytes(unsigned int port, unsigned int bytes)
{
    if ((port & ~3u) == PCI_DATA) {
        unsigned int n = min(bytes, 4 - (port & 3));

        return n == 3 ? 2 : n;
    }
    return 1;
}

static bool pci_permitted(const struct domain *d)
{
    return d->is_hardware && (d->arch.pci_cf8 & 0x80000000u);
}

static uint32_t read_pair(const struct domain *d, unsigned int port, unsigned int bytes)
{
    uint8_t pit;

    if ((port & ~3u) == PCI_DATA && pci_permitted(d)) {
        return pci_guest_access(d->arch.pci_cf8, port & 3, bytes, false, 0);
    }
    if (port == CMOS_DATA && d->is_hardware) {
        return cmos_read(d->arch.cmos_index);
    }
    if (d->is_hardware && platform_pit_access(port, false, &pit)) {
        return pit;
    }
    return ~0u;
}

static uint32_t guest_in(const struct domain *d, unsigned int port, unsigned int bytes)
{
    uint32_t value = 0;

    if (direct_access(d, port, bytes)) {
        return port_read((uint16_t)port, bytes);
    }
    if (port == PCI_ADDRESS && bytes == 4) {
        return d->arch.pci_cf8;
    }
    for (unsigned int done = 0; done < bytes;) {
        unsigned int n = pair_bytes(port + done, bytes - done);
        uint32_t part = read_pair(d, port + done, n);

        value |= (n == 4 ? part : part & ((1u << (8 * n)) - 1)) << (8 * done);
        done += n;
    }
    return value;
}

static void guest_out(struct domain *d, unsigned int port, unsigned int bytes, uint32_t value)
{
    if (direct_access(d, port, bytes)) {
        port_write((uint16_t)port, bytes, value);
        return;
    }
    if (port == PCI_ADDRESS && bytes == 4) {
        d->arch.pci_cf8 = value;
        return;
    }
    for (unsigned int done = 0; done < bytes;) {
        unsigned int p = port + done, n = pair_bytes(p, bytes - done);
        uint32_t part = value >> (8 * done);

        if ((p & ~3u) == PCI_DATA && pci_permitted(d)) {
            (void)pci_guest_access(d->arch.pci_cf8, p & 3, n, true, part);
        } else if (p == CMOS_INDEX) {
            d->arch.cmos_index = part & 0x7f;
        } else if (p == CMOS_DATA && d->is_hardware) {
            cmos_write(d->arch.cmos_index, (uint8_t)part);
        } else if (d->is_hardware) {
            uint8_t pit = (uint8_t)part;

            (void)platform_pit_access(p, true, &pit);
        }
        done += n;
    }
}

static unsigned int io_bytes(const struct insn *i)
{
    return (i->opcode & 1) ? min((unsigned int)i->op_bytes, 4u) : 1;
}

enum emulation emulate_in_out(const struct insn *i, struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    unsigned int bytes = io_bytes(i), port;

    port = i->opcode >= 0xec ? (uint16_t)regs->rdx : (uint8_t)i->imm;
    if (!may_do_io(v, port, bytes)) {
        return EMU_REFUSED;
    }
    if (i->opcode & 2) {
        guest_out(v->domain, port, bytes, regs->eax);
    } else {
        insn_write_reg(i, regs, 0, bytes, guest_in(v->domain, port, bytes));
    }
    return EMU_DONE;
}

/* One element; false: an exception is pending. */
static bool string_element(const struct insn *i, struct cpu_user_regs *regs, unsigned int port,
                           unsigned int bytes, bool out)
{
    struct domain *d = current->domain;
    struct insn operand = *i;
    unsigned long addr, left;
    uint32_t value = 0;

    operand.base = out ? 6 : 7;
    operand.seg = out ? (i->seg == SEG_DEFAULT ? SEG_DS : i->seg) : SEG_ES;
    addr = insn_address(&operand, regs);
    if (out) {
        left = raw_copy_from_guest(&value, addr, bytes);
        if (left == 0) {
            guest_out(d, port, bytes, value);
        }
    } else {
        value = guest_in(d, port, bytes);
        left = raw_copy_to_guest(addr, &value, bytes);
    }
    if (left != 0) {
        pv_inject_page_fault(out ? 0 : PF_WRITE, addr + bytes - left);
        return false;
    }
    return true;
}

/* Adds to a register within the address size, as string instructions do. */
static void step(struct insn *i, struct cpu_user_regs *regs, unsigned int reg, long delta)
{
    insn_write_reg(i, regs, reg, i->addr_bytes,
                   insn_read_reg(i, regs, reg, i->addr_bytes) + (uint64_t)delta);
}

enum emulation emulate_ins_outs(const struct insn *decoded, struct cpu_user_regs *regs)
{
    struct insn i = *decoded;
    struct vcpu *v = current;
    unsigned int bytes = io_bytes(&i), port = (uint16_t)regs->rdx, n = 0;
    bool out = i.opcode & 2, repeat = i.rep || i.repne;
    long delta = (regs->rflags & X86_EFLAGS_DF) ? -(long)bytes : (long)bytes;

    if (!may_do_io(v, port, bytes)) {
        return EMU_REFUSED;
    }
    i.disp = 0;
    while (!repeat || insn_read_reg(&i, regs, 1, i.addr_bytes) != 0) {
        if (++n > STRING_BATCH || hypercall_preempt_check()) {
            return EMU_AGAIN;
        }
        if (!string_element(&i, regs, port, bytes, out)) {
            return EMU_FAULT;
        }
        step(&i, regs, out ? 6 : 7, delta);
        if (!repeat) {
            break;
        }
        step(&i, regs, 1, -1);
    }
    return EMU_DONE;
}
