/*
 * GDT page, TSS and IDT of each CPU. The hypervisor's descriptors are in the page that the ABI
 * reserves in every GDT, so that switching to a guest's GDT never pulls them away.
 */
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <arch/boot.h>
#include <arch/cpufeature.h>
#include <arch/desc.h>
#include <arch/layout.h>
#include <arch/msr.h>
#include <arch/xpti.h>

DEFINE_PER_CPU(struct seg_desc *, gdt_page);
DEFINE_PER_CPU(struct tss, init_tss);
unsigned long cpu_stack[NR_CPUS];
unsigned long per_cpu_offset[NR_CPUS];
static struct seg_desc boot_gdt_page[PAGE_SIZE / sizeof(struct seg_desc)] __section(
    ".data.page_aligned") __aligned(PAGE_SIZE);

#define GDT_BYTE(sel) ((sel)-FIRST_RESERVED_GDT_BYTE)

static struct seg_desc *entry(struct seg_desc *page, unsigned int sel)
{
    return &page[GDT_BYTE(sel & ~7u) / sizeof(struct seg_desc)];
}

void set_system_descriptor(struct seg_desc *page, unsigned int sel, uint64_t base, uint32_t limit,
                           unsigned int type)
{
    struct seg_desc *d = entry(page, sel);

    /* AMD APM 2, "System Descriptors": 16 bytes in long mode. */
    d[0].raw = (limit & 0xffffu) | ((base & 0xffffff) << 16) | ((uint64_t)(type & 15) << 40) |
               BIT(47) | ((uint64_t)(limit >> 16 & 15) << 48) | ((base >> 24 & 0xff) << 56);
    d[1].raw = base >> 32;
}

static void fill_gdt_page(struct seg_desc *page, unsigned int cpu)
{
    entry(page, SEL_HYPERVISOR_CS)->raw = 0x00af9b000000ffff;   /* ring 0 code, 64 bit */
    entry(page, SEL_HYPERVISOR_DS32)->raw = 0x00cf93000000ffff; /* ring 0 data */
    entry(page, 0xe018)->raw = 0;
    entry(page, SEL_RING3_CS32)->raw = 0x00cffb000000ffff; /* ring 3 code, compatibility */
    entry(page, SEL_RING3_SS)->raw = 0x00cff3000000ffff;   /* ring 3 data */
    entry(page, SEL_RING3_CS64)->raw = 0x00affb000000ffff; /* ring 3 code, 64 bit */
    set_system_descriptor(page, SEL_LDT, 0, 0, DESC_TYPE_LDT);
    /* Limit is the CPU's number: what LSL reads, as Linux's vdso expects of Xen. */
    entry(page, SEL_PER_CPU)->raw = 0x0000f30000000000ul | cpu;
}

static void fill_tss(struct tss *t, unsigned int cpu)
{
    unsigned long stack = cpu_stack[cpu];
    struct cpu_info *info = (struct cpu_info *)(stack + STACK_SIZE) - 1;

    memset(t, 0, sizeof(*t));
    /* Where the CPU starts to push on entry from a guest: so that es is the next word above ss. */
    t->rsp0 = (unsigned long)&info->guest_cpu_user_regs.es;
    for (unsigned int ist = IST_NMI; ist <= IST_DB; ist++) {
        t->ist[ist - 1] = stack + ist * PAGE_SIZE;
    }
    if (xpti_on) { /* not the stacks themselves are mapped where the entry is from */
        struct xpti_area *a = xpti_area(cpu);

        t->rsp0 = (unsigned long)(a + 1);
        for (unsigned int ist = IST_NMI; ist <= IST_DB; ist++) {
            t->ist[ist - 1] = (unsigned long)&a->ist[ist];
        }
    }
    t->rsp1 = t->rsp2 = 0x8600111111111111ul; /* never used; not canonical */
    t->iomap_base = 0x8000;                   /* none: ports are emulated */
}

static void load_segments(void)
{
    __asm__ volatile("pushq %0\n"
                     "leaq 1f(%%rip), %%rax\n"
                     "pushq %%rax\n"
                     "lretq\n"
                     "1: movl %1, %%eax\n"
                     "movl %%eax, %%ss\n"
                     "xorl %%eax, %%eax\n"
                     "movl %%eax, %%ds\n"
                     "movl %%eax, %%es\n"
                     "movl %%eax, %%fs\n"
                     "movl %%eax, %%gs\n" ::"i"(SEL_HYPERVISOR_CS),
                     "i"(SEL_HYPERVISOR_DS32)
                     : "rax", "memory");
}

static void fill_idt(void)
{
    static const uint8_t ist_of[32] = {[2] = IST_NMI, [18] = IST_MCE, [8] = IST_DF, [1] = IST_DB};

    for (unsigned int v = 0; v < 256; v++) {
        const char *irqs = xpti_on ? xpti_irq_stubs : irq_entry_stubs;
        const void *fn = v < 32
                             ? (const void *)(xpti_on ? xpti_exception_entry : exception_entry)[v]
                             : irqs + (v - 32) * IRQ_STUB_SIZE;

        if (fn) {
            set_intr_gate(v, fn, v < 32 ? ist_of[v] : 0, 0);
        } else {
            idt_table[v] = (struct idt_entry){0, 0};
        }
    }
}

void cpu_init_tables(unsigned int cpu)
{
    struct seg_desc *page = per_cpu(gdt_page, cpu);
    struct tss *tss = xpti_on ? &xpti_area(cpu)->tss : &per_cpu(init_tss, cpu);
    struct desc_ptr gdtr, idtr = {.limit = sizeof(idt_table) - 1, .base = (uint64_t)idt_table};

    if (cpu == 0) {
        page = boot_gdt_page;
        per_cpu(gdt_page, cpu) = page;
        fill_idt();
    }
    fill_gdt_page(page, cpu);
    fill_tss(tss, cpu);
    set_system_descriptor(page, SEL_TSS, (uint64_t)tss, sizeof(struct tss) - 1,
                          DESC_TYPE_TSS_AVAIL);
    gdtr.limit = FIRST_RESERVED_GDT_BYTE + PAGE_SIZE - 1;
    gdtr.base = (uint64_t)page - FIRST_RESERVED_GDT_BYTE;
    load_gdt(&gdtr);
    load_idt(&idtr);
    load_segments();
    load_tr(SEL_TSS);
    load_ldt(0);
}
