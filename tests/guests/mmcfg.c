/*
 * PCI configuration space in memory: what this proves. Domain 0 maps a function's page and asks for
 * write access.
 *
 * 1. The entry is read-only whatever was asked for, and shows what the ports show.
 * 2. Moves of 1, 2 and 4 bytes to it are done as writes by port are; everything else (8 bytes, not
 *    aligned, read-modify-write) is the kernel's page fault and changes nothing.
 * 3. PHYSDEVOP_pci_mmcfg_reserved knows the area that ACPI names and no other.
 */
#include "guest.h"
#include <xen/physdev.h>

#define PCI_ADDRESS    0xcf8
#define PCI_DATA       0xcfc
#define PCIEXBAR       0x60 /* q35's host bridge: where the area is */
#define INTERRUPT_LINE 0x3c /* a byte that means nothing to the device */

static void out32(uint16_t port, uint32_t v)
{
    __asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port));
}
static uint32_t in32(uint16_t port)
{
    uint32_t v;

    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static uint8_t in8(uint16_t port)
{
    uint8_t v;

    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static void out8(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}

/* Function 00:00.0, by port. */
static uint32_t config(unsigned int reg)
{
    out32(PCI_ADDRESS, 0x80000000u | reg);
    return in32(PCI_DATA);
}
static uint8_t line(void)
{
    out32(PCI_ADDRESS, 0x80000000u | INTERRUPT_LINE);
    return in8(PCI_DATA);
}
static void set_line(uint8_t v)
{
    out32(PCI_ADDRESS, 0x80000000u | INTERRUPT_LINE);
    out8(PCI_DATA, v);
}

/* The instruction faults? */
#define FAULTS(insn, ...)                                                  \
    ({                                                                     \
        last_fault.happened = false;                                       \
        __asm__ volatile("1: " insn "\n2:\n" GUEST_EX(1b, 2b)::__VA_ARGS__ \
                         : "memory", "cc", "rax");                         \
        last_fault.happened;                                               \
    })

static void writes(volatile uint8_t *page)
{
    volatile uint8_t *p = page + INTERRUPT_LINE;
    uint32_t rest = config(INTERRUPT_LINE) & ~0xffu;

    tap_ok(!FAULTS("movb %b0, (%1)", "q"(0x5a), "r"(p)) && line() == 0x5a, "a byte is written");
    tap_ok(!FAULTS("movw %w0, (%1)", "r"(rest | 0xa5), "r"(p)) && line() == 0xa5,
           "two bytes are written");
    tap_ok(!FAULTS("movl %0, (%1)", "r"(rest | 0x3c), "r"(p)) && line() == 0x3c,
           "four bytes are written");
    tap_ok(!FAULTS("movb $0x77, (%0)", "r"(p)) && line() == 0x77, "a constant is written");
    set_line(0x12);
    tap_ok(*p == 0x12, "what the ports write is seen");
    tap_ok(!FAULTS("movl %0, (%1)", "r"(0), "r"(page + 0x100)),
           "a register that the ports do not reach");
    tap_ok(FAULTS("movq %0, -4(%1)", "r"(~0ul), "r"(p)) && line() == 0x12, "eight bytes fault");
    tap_ok(FAULTS("movw %w0, -1(%1)", "r"(0xffff), "r"(p)) && line() == 0x12,
           "what is not aligned faults");
    tap_ok(FAULTS("lock; orb $0x80, (%0)", "r"(p)) && line() == 0x12, "read-modify-write faults");
    tap_ok(FAULTS("xchgb %b0, (%1)", "q"(0x80), "r"(p)) && line() == 0x12, "an exchange faults");
}

static long reserved(uint64_t address, uint16_t segment, uint32_t flags)
{
    struct physdev_pci_mmcfg_reserved op = {
        .address = address, .segment = segment, .start_bus = 0, .end_bus = 255, .flags = flags};

    return hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_pci_mmcfg_reserved, &op);
}

void test_main(void)
{
    struct physdev_set_iopl iopl = {.iopl = 1};
    uint32_t bar;
    uint8_t *page = alloc_page();

    tap_is(hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, &iopl), 0, "ports are allowed");
    bar = config(PCIEXBAR);
    tap_ok(bar & 1, "the machine has the area (%x)", bar);
    bar &= ~0xfffffffu;
    tap_is(reserved(bar, 0, XEN_PCI_MMCFG_RESERVED), 0, "the area is known");
    tap_is(reserved(bar + 0x10000000, 0, XEN_PCI_MMCFG_RESERVED), -5, "it is not elsewhere");
    tap_is(reserved(bar, 7, XEN_PCI_MMCFG_RESERVED), -19, "there is no segment 7");
    tap_is(reserved(bar, 0, 2), -22, "an unknown flag");

    tap_is(remap(page, make_pte(bar >> 12, PTE_P | PTE_RW | PTE_A | PTE_D)), 0,
           "its page is mapped");
    tap_ok(!(*pte_of(page, 1) & PTE_RW), "read-only");
    tap_ok(*(volatile uint32_t *)page == config(0), "the vendor is the same by port and in memory");
    writes(page);
}
