/*
 * start_kernel: from the loader's first jump into C to the idle loop. The order of the calls is the
 * order in which the subjects depend on each other; each one says what it needs in its header.
 */
#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/domain.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <hospes/param.h>
#include <hospes/sched.h>
#include <hospes/timer.h>

#include <arch/acpi.h>
#include <arch/alternative.h>
#include <arch/apic.h>
#include <arch/boot.h>
#include <arch/console.h>
#include <arch/cpufeature.h>
#include <arch/desc.h>
#include <arch/irq.h>
#include <arch/layout.h>
#include <arch/mm.h>
#include <arch/msr.h>
#include <arch/pci.h>
#include <arch/smp.h>
#include <arch/time.h>
#include <arch/xpti.h>
#include "../cpu/dump.h"
#include "early_traps.h"
#include "memory_map.h"
#include "multiboot.h"

extern uint64_t boot_l1_image[];
extern char cpu0_stack[], _sinittext[], _einittext[], _sinitdata[], _einitdata[], _sro_after_init[],
    _ero_after_init[];
void start_kernel(uint32_t magic, uint32_t info);

static char sched_option[16];
string_param(sched, "sched", sched_option, "scheduling policy: credit");

/* CPU 0's per-CPU data is the one in the image: offset 0, which cpu_info has already. */
static void __init boot_cpu_init(void)
{
    cpu_stack[0] = (unsigned long)cpu0_stack;
    get_cpu_info()->processor_id = 0;
    get_cpu_info()->per_cpu_offset = 0;
    cpu_possible_map = cpumask_of(0);
    cpu_online_map = cpumask_of(0);
}

static void __init early_console(void)
{
    cmdline_parse(boot_info.cmdline);
    ns16550_init_early();
    vga_init();
    console_init();
    printk("Hospes, built for the Xen 4.17 ABI\n");
    printk("Boot loader: %s; command line: %s\n", boot_info.loader, saved_cmdline);
    cmdline_report();
}

/* Keeps everything that is in memory already out of the heap. */
static void __init reserve_memory(void)
{
    boot_reserve(XEN_LOAD_PADDR, __pa_image(_end));
    for (unsigned int i = 0; i < boot_info.nr_modules; i++) {
        const struct boot_module *m = &boot_info.module[i];

        printk("Module %u: %lu KiB at %#lx: %s\n", i, (unsigned long)(m->size >> 10),
               (unsigned long)m->start.v, m->cmdline);
        boot_reserve(m->start.v, m->start.v + m->size);
    }
    if (boot_info.too_many_modules) {
        printk(LOG_WARNING "Only the first %u boot modules are used\n", BOOT_MODULES_MAX);
    }
    smp_reserve_trampoline();
}

static void protect(const char *start, const char *end, uint64_t flags)
{
    for (const char *p = start; p < end; p += PAGE_SIZE) {
        boot_l1_image[(p - _start) >> PAGE_SHIFT] = __pa_image(p) | flags;
    }
}

/* No page of the image is both writable and executable. */
static void __init protect_image(void)
{
    protect(_stext, _einittext, PTE_HYP_RX);
    protect(_srodata, _erodata, PTE_HYP_RO);
    protect(_erodata, _end, PTE_HYP_RW);
    /* Below the boot CPU's stack; and nothing behind the image. */
    protect(cpu0_stack + 4 * PAGE_SIZE, cpu0_stack + 5 * PAGE_SIZE, 0);
    protect(_end, _start + (16ul << 20), 0);
    write_cr3(read_cr3());
}

static void __init memory_init(void)
{
    protect_image();
    memory_map_print();
    if (memory_map.nr == 0) {
        panic("The boot loader gave no memory map: start Hospes with a multiboot loader");
    }
    reserve_memory();
    paging_init(&memory_map);
    boot_memory_to_heap();
    console_grow_ring();
    printk("Memory: %lu MiB free\n", (unsigned long)(heap_free_pages() >> 8));
}

/* The interrupt controllers, and time. */
static void __init devices_init(void)
{
    acpi_init(boot_info.rsdp);
    pci_mmcfg_init();
    apic_init();
    irq_init();
    ioapic_init();
    time_init();
    dump_init();
}

static void __init start_domain0(void)
{
    int rc;

    if (boot_info.nr_modules == 0) {
        panic("No Domain 0: give the loader Domain 0's kernel as the first module");
    }
    rc = construct_dom0(&boot_info.module[0],
                        boot_info.nr_modules > 1 ? &boot_info.module[1] : NULL);
    if (rc != 0) {
        panic("Domain 0 could not be built (error %d)", -rc);
    }
}

/* Text and data used only at boot go to the heap; the caller is not among them. */
static void free_init_memory(void)
{
    printk("Freeing %lu KiB of initialisation code and data\n",
           (unsigned long)(_einittext - _sinittext + _einitdata - _sinitdata) >> 10);
    unmap_hyp_pages((unsigned long)_sinittext,
                    (unsigned long)(_einittext - _sinittext) >> PAGE_SHIFT);
    unmap_hyp_pages((unsigned long)_sinitdata,
                    (unsigned long)(_einitdata - _sinitdata) >> PAGE_SHIFT);
    heap_add_region(paddr(__pa_image(_sinittext)), paddr(__pa_image(_einittext)));
    heap_add_region(paddr(__pa_image(_sinitdata)), paddr(__pa_image(_einitdata)));
}

void startup_cpu_idle_loop(void)
{
    reset_stack_and_jump(run_idle_loop);
}

/* On CPU 0's emptied stack: nothing below belongs to the boot code any more. */
static void __noreturn __used boot_finished(void)
{
    protect(_sro_after_init, _ero_after_init, PTE_HYP_RO);
    free_init_memory(); /* flushes the TLBs */
    console_end_boot();
    if (domain_unpause_by_controller(hardware_domain) != 0) {
        panic("Domain 0 is not paused");
    }
    run_idle_loop();
}

void __init start_kernel(uint32_t magic, uint32_t info)
{
    boot_cpu_init();
    early_traps_init();
    multiboot_parse(magic, info);
    early_console();
    if (magic != MB1_LOADER_MAGIC && magic != MB2_LOADER_MAGIC) {
        panic("Not started by a multiboot loader (magic %#x)", magic);
    }
    cpu_features_init();
    alternatives_apply();
    cpu_features_enable(0);
    memory_init();
    if (xpti_init_cpu(0) != 0) {
        panic("No memory for the boot CPU's page tables");
    }
    cpu_init_tables(0);
    trap_init();
    cpu_init_syscall(0);
    timers_init_cpu(0);
    devices_init();
    scheduler_init(sched_option);
    domains_init();
    if (sched_init_cpu(0) != 0) {
        panic("No memory for the boot CPU's scheduler");
    }
    set_current(idle_vcpu[0]);
    this_cpu(curr_vcpu) = idle_vcpu[0];
    local_irq_enable();
    time_start();
    smp_boot();
    ns16550_init_irq();
    start_domain0();
    vga_endboot();
    reset_stack_and_jump(boot_finished);
}
