/*
 * Exceptions of the boot CPU before cpu_init_tables: a fixup from the exception table where there
 * is one (MSRs that do not exist), else registers and the end.
 */
#include <hospes/lib.h>
#include <arch/boot.h>
#include <arch/desc.h>
#include <arch/extable.h>
#include <arch/layout.h>
#include <arch/msr.h>
#include "early_traps.h"

struct idt_entry idt_table[256] __section(".data.page_aligned") __aligned(PAGE_SIZE);

/* On the ABI's cpu_user_regs, whose order the stubs push in. */
void early_trap(struct cpu_user_regs *regs);
void __init early_trap(struct cpu_user_regs *regs)
{
    /* The CPU pushed the frame below entry_vector and error_code as two 64-bit words here. */
    const uint64_t *w = (const uint64_t *)regs;
    uint64_t vector = w[15], error = w[16], rip = w[17];
    unsigned long fixup = search_exception_table(rip);

    if (fixup != 0) {
        ((uint64_t *)regs)[17] = fixup;
        return;
    }
    printk("Exception %lu, error code %#lx, at %ps\n", (unsigned long)vector, (unsigned long)error,
           (void *)rip);
    printk("rip %016lx rsp %016lx flags %08lx cr2 %016lx\n", (unsigned long)rip,
           (unsigned long)w[20], (unsigned long)w[19], (unsigned long)read_cr2());
    printk("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", (unsigned long)w[10],
           (unsigned long)w[5], (unsigned long)w[11], (unsigned long)w[12]);
    printk("rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", (unsigned long)w[13],
           (unsigned long)w[14], (unsigned long)w[4], (unsigned long)w[9]);
    panic("Exception while booting");
}

/* Attributes of a gate: AMD APM 2, "Gate Descriptors" in long mode. Type 14: interrupt gate. */
static void set_gate(unsigned int vector, const void *entry, unsigned int sel, unsigned int ist,
                     unsigned int dpl)
{
    uint64_t addr = (uint64_t)entry;
    struct idt_entry e = {
        .a = (addr & 0xffff) | ((uint64_t)sel << 16) | ((uint64_t)ist << 32) | (14ul << 40) |
             ((uint64_t)dpl << 45) | BIT(47) | ((addr & 0xffff0000ul) << 32),
        .b = addr >> 32,
    };

    /* The half with the present bit goes last. */
    WRITE_ONCE(idt_table[vector].a, 0);
    WRITE_ONCE(idt_table[vector].b, e.b);
    WRITE_ONCE(idt_table[vector].a, e.a);
}

void set_intr_gate(unsigned int vector, const void *entry, unsigned int ist, unsigned int dpl)
{
    set_gate(vector, entry, SEL_HYPERVISOR_CS, ist, dpl);
}

void __init early_traps_init(void)
{
    struct desc_ptr idtr = {.limit = sizeof(idt_table) - 1, .base = (uint64_t)idt_table};

    for (unsigned int i = 0; i < 32; i++) {
        set_gate(i, early_trap_stubs + i * 16, 0x10, 0, 0);
    }
    load_idt(&idtr);
}
