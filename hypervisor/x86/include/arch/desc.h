/*
 * Descriptor tables of a CPU: GDT page, TSS, IDT. x86/cpu/desc.c sets them up (cpu_init_tables);
 * the context switch (x86/pv) maps the GDT page behind the guest's own.
 *
 * The page that the ABI reserves in each guest's GDT (entries from FIRST_RESERVED_GDT_ENTRY on)
 * holds the hypervisor's descriptors and differs per CPU (TSS, LDT, CPU number). While the idle
 * vcpu runs, GDTR's base is that page minus FIRST_RESERVED_GDT_BYTE.
 */
#ifndef ARCH_DESC_H
#define ARCH_DESC_H

#include <hospes/percpu.h>

struct seg_desc {
    uint64_t raw;
};
struct idt_entry {
    uint64_t a, b;
};
struct desc_ptr {
    uint16_t limit;
    uint64_t base;
} __packed;

/* 64-bit TSS. Intel SDM, "64-Bit Task State Segment". */
struct tss {
    uint32_t reserved0;
    uint64_t rsp0, rsp1, rsp2, reserved1;
    uint64_t ist[7]; /* [IST_x - 1] */
    uint64_t reserved2;
    uint16_t reserved3, iomap_base;
} __packed;
_Static_assert(sizeof(struct tss) == 104, "TSS");

#define IST_NMI 1u
#define IST_MCE 2u
#define IST_DF  3u
#define IST_DB  4u

#define DESC_TYPE_LDT       2u
#define DESC_TYPE_TSS_AVAIL 9u

DECLARE_PER_CPU(struct seg_desc *, gdt_page); /* this CPU's, one page in the direct map or image */
DECLARE_PER_CPU(struct tss, init_tss);
extern struct idt_entry idt_table[256]; /* the same for all CPUs */
/* The block of each CPU (arch/percpu.h): its lowest address, 0 for absent CPUs. */
extern unsigned long cpu_stack[];

/* A 16-byte system descriptor at index sel >> 3 of the page. */
void set_system_descriptor(struct seg_desc *page, unsigned int sel, uint64_t base, uint32_t limit,
                           unsigned int type);
/* GDT, TSS, IDT, LDT, segment registers of the calling CPU. Its cpu_info is valid already. */
void cpu_init_tables(unsigned int cpu);
/* Points vector's gate to entry. ist 0: none; dpl: who may use it by int n. Interrupt gate. */
void set_intr_gate(unsigned int vector, const void *entry, unsigned int ist, unsigned int dpl);

/*
 * Provided by x86/entry. Entry of exception vector 0..31, NULL where there is none (reserved);
 * stubs of the vectors 0x20..0xff, IRQ_STUB_SIZE bytes each, which end in do_irq(regs) with
 * regs->entry_vector set; and SYSCALL/int 0x82 set-up of the calling CPU.
 */
#define IRQ_STUB_SIZE 16u
extern void (*const exception_entry[32])(void);
extern const char irq_entry_stubs[];
void cpu_init_syscall(unsigned int cpu); /* STAR, LSTAR, CSTAR, SFMASK, SYSENTER */
void trap_init(void);                    /* gates that guests may use (int 3, 4, 0x80, 0x82) */

static inline void load_idt(const struct desc_ptr *p)
{
    __asm__ volatile("lidt %0" ::"m"(*p));
}
static inline void load_gdt(const struct desc_ptr *p)
{
    __asm__ volatile("lgdt %0" ::"m"(*p));
}
static inline void load_tr(uint16_t sel)
{
    __asm__ volatile("ltr %w0" ::"rm"(sel));
}
static inline void load_ldt(uint16_t sel)
{
    __asm__ volatile("lldt %w0" ::"rm"(sel));
}

#endif
