/*
 * Bringing up the other CPUs, and interrupts between CPUs.
 *
 * A new CPU starts in real mode in the trampoline page (trampoline.S), which takes it to long mode
 * on the hypervisor's tables and to start_secondary on a stack of its own. Its per-CPU data, stack,
 * GDT page and idle vcpu are made beforehand by the CPU that starts it; that one waits until it is
 * online, so one CPU comes up at a time.
 */
#include <hospes/arch.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <hospes/param.h>
#include <hospes/sched.h>
#include <hospes/timer.h>
#include <arch/acpi.h>
#include <arch/apic.h>
#include <arch/boot.h>
#include <arch/cpufeature.h>
#include <arch/desc.h>
#include <arch/irq.h>
#include <arch/layout.h>
#include <arch/mm.h>
#include <arch/smp.h>
#include <arch/time.h>
#include <arch/xpti.h>
#include "../boot/memory_map.h"
#include "trampoline.h"

static unsigned int max_cpus = NR_CPUS;
uint_param(maxcpus, "maxcpus", max_cpus, "how many CPUs to use");

static uint64_t trampoline;
static unsigned int starting_state; /* 0 not there, 1 alive, 2 may go on, 3 online */

void __init smp_reserve_trampoline(void)
{
    trampoline = boot_alloc_trampoline();
}

uint64_t smp_trampoline(void)
{
    return trampoline;
}

/* ---- interrupts between CPUs ---- */

void send_ipi_mask(cpumask_t mask, uint8_t vector)
{
    unsigned int cpu;

    for_each_cpu_in(cpu, mask)
    {
        apic_icr_write(cpu_to_apic_id[cpu], APIC_DM_FIXED | APIC_ICR_ASSERT | vector);
    }
}

static void send_ipi_nmi(unsigned int cpu)
{
    apic_icr_write(cpu_to_apic_id[cpu], APIC_DM_NMI | APIC_ICR_ASSERT);
}

void arch_send_softirq(cpumask_t cpus)
{
    send_ipi_mask(cpumask_andnot(cpus, cpumask_of(smp_processor_id())), EVENT_CHECK_VECTOR);
}

void arch_vcpu_kick_running(struct vcpu *v)
{
    unsigned int cpu = v->sched.processor;

    if (cpu != smp_processor_id()) {
        send_ipi_mask(cpumask_of(cpu), EVENT_CHECK_VECTOR);
    }
}

/* One call at a time. The callers spin with interrupts as they are, serving calls of others. */
static struct {
    unsigned int lock;
    void (*fn)(void *);
    void *data;
    bool wait;
    unsigned long pending; /* CPUs that have not done it (wait) or not begun it */
} call;

static void serve_call(void)
{
    unsigned long me = BIT(smp_processor_id());
    void (*fn)(void *);
    void *data;
    bool wait;

    if (!(__atomic_load_n(&call.pending, __ATOMIC_ACQUIRE) & me)) {
        return;
    }
    fn = call.fn;
    data = call.data;
    wait = call.wait;
    if (!wait) {
        __atomic_fetch_and(&call.pending, ~me, __ATOMIC_ACQ_REL);
    }
    fn(data);
    if (wait) {
        __atomic_fetch_and(&call.pending, ~me, __ATOMIC_ACQ_REL);
    }
}

void call_function_interrupt(void)
{
    serve_call();
}

void on_cpus(cpumask_t cpus, void (*fn)(void *), void *data, bool wait)
{
    unsigned long flags = local_irq_save();
    cpumask_t me = cpumask_of(smp_processor_id());
    cpumask_t others = cpumask_andnot(cpumask_and(cpus, cpu_online_map), me);

    if (!cpumask_empty(others)) {
        while (__atomic_exchange_n(&call.lock, 1, __ATOMIC_ACQUIRE) != 0) {
            serve_call(); /* the holder may wait for us */
            cpu_relax();
        }
        call.fn = fn;
        call.data = data;
        call.wait = wait;
        __atomic_store_n(&call.pending, others.bits, __ATOMIC_RELEASE);
        send_ipi_mask(others, CALL_FUNCTION_VECTOR);
    }
    if (!cpumask_empty(cpumask_and(cpus, me))) {
        fn(data);
    }
    if (!cpumask_empty(others)) {
        while (__atomic_load_n(&call.pending, __ATOMIC_ACQUIRE) != 0) {
            cpu_relax();
        }
        __atomic_store_n(&call.lock, 0, __ATOMIC_RELEASE);
    }
    local_irq_restore(flags);
}

static void __noreturn stop_this_cpu(void *unused)
{
    local_irq_disable();
    cpumask_clear(smp_processor_id(), &cpu_online_map);
    for (;;) {
        __asm__ volatile("hlt");
    }
}

void smp_stop_others(void)
{
    cpumask_t others = cpumask_andnot(cpu_online_map, cpumask_of(smp_processor_id()));

    /* Whoever holds the call may be the one that hangs: take it over. */
    __atomic_store_n(&call.lock, 1, __ATOMIC_RELEASE);
    call.fn = stop_this_cpu;
    call.wait = false;
    __atomic_store_n(&call.pending, others.bits, __ATOMIC_RELEASE);
    send_ipi_mask(others, CALL_FUNCTION_VECTOR);
    for (unsigned int ms = 0; ms < 100 && (cpu_online_map.bits & others.bits); ms++) {
        udelay(1000);
    }
    __atomic_store_n(&call.pending, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&call.lock, 0, __ATOMIC_RELEASE);
    others = cpumask_and(cpu_online_map, others);
    if (!cpumask_empty(others)) {
        unsigned int cpu;

        nmi_stop_cpus();
        for_each_cpu_in(cpu, others)
        {
            send_ipi_nmi(cpu);
        }
        udelay(10000);
    }
}

/* ---- bringing up ---- */

#define STACK_GUARD_PAGE 4u /* arch/percpu.h */

/* A block of the vmap area, aligned, whose guard page is not mapped; NULL: no memory. */
static char *__init alloc_stack(void)
{
    unsigned long va = (unsigned long)vmap_reserve(2u << STACK_ORDER);

    if (va == 0) {
        return NULL;
    }
    va = ROUNDUP(va, STACK_SIZE);
    for (unsigned int i = 0; i < 1u << STACK_ORDER; i++) {
        struct page_info *pg;

        if (i == STACK_GUARD_PAGE) {
            continue;
        }
        pg = alloc_frames(0, 0);
        if (!pg || map_hyp_page(va + i * PAGE_SIZE, page_to_mfn(pg), PTE_HYP_RW) != 0) {
            return NULL;
        }
    }
    return (char *)va;
}

static int __init prepare_cpu(unsigned int cpu, uint32_t apic_id)
{
    size_t bytes = (size_t)(_percpu_end - _percpu_start);
    unsigned int order = get_order_from_bytes(bytes);
    char *area = alloc_xenheap_pages(order, 0);
    char *stack = alloc_stack();
    struct seg_desc *gdt = alloc_xenheap_pages(0, 0);
    struct cpu_info *info;

    if (!area || !stack || !gdt) {
        return -ENOMEM;
    }
    memset(area, 0, bytes);
    memset(gdt, 0, PAGE_SIZE);
    per_cpu_offset[cpu] = (unsigned long)(area - _percpu_start);
    cpu_stack[cpu] = (unsigned long)stack;
    per_cpu(gdt_page, cpu) = gdt;
    cpu_to_apic_id[cpu] = apic_id;
    info = (struct cpu_info *)(stack + STACK_SIZE) - 1;
    info->processor_id = cpu;
    info->per_cpu_offset = per_cpu_offset[cpu];
    cpumask_set(cpu, &cpu_possible_map);
    timers_init_cpu(cpu);
    if (sched_init_cpu(cpu) != 0 || xpti_init_cpu(cpu) != 0) {
        return -ENOMEM;
    }
    info->current_vcpu = idle_vcpu[cpu];
    per_cpu(curr_vcpu, cpu) = idle_vcpu[cpu];
    return 0;
}

/* INIT, then STARTUP twice. Intel SDM 3, "MP Initialization Protocol". */
static bool __init wake_cpu(unsigned int cpu, uint32_t apic_id)
{
    char *low = (char *)(DIRECTMAP_START + trampoline);
    struct trampoline_data *data;

    memcpy(low, trampoline_start, (size_t)(trampoline_end - trampoline_start));
    data = (struct trampoline_data *)(low + (trampoline_args - trampoline_start));
    data->cr3 = (uint32_t)idle_cr3().v; /* in the image: below 4 GiB */
    data->stack = cpu_stack[cpu] + STACK_SIZE - sizeof(struct cpu_info);
    data->entry = (uint64_t)start_secondary;
    __atomic_store_n(&starting_state, 0, __ATOMIC_SEQ_CST);
    apic_icr_write(apic_id, APIC_DM_INIT | APIC_ICR_ASSERT | APIC_ICR_LEVEL);
    udelay(10000);
    for (unsigned int i = 0; i < 2; i++) {
        apic_icr_write(apic_id, APIC_DM_STARTUP | APIC_ICR_ASSERT | (uint32_t)(trampoline >> 12));
        for (unsigned int us = 0; us < (i ? 2000000 : 1000); us += 10) {
            if (__atomic_load_n(&starting_state, __ATOMIC_ACQUIRE) != 0) {
                return true;
            }
            udelay(10);
        }
    }
    return false;
}

static void __init start_cpu(unsigned int cpu, uint32_t apic_id)
{
    if (prepare_cpu(cpu, apic_id) != 0) {
        panic("No memory for CPU %u", cpu);
    }
    if (!wake_cpu(cpu, apic_id)) {
        printk(LOG_ERR "CPU %u (APIC ID %u) does not start\n", cpu, apic_id);
        cpumask_clear(cpu, &cpu_possible_map);
        return;
    }
    __atomic_store_n(&starting_state, 2, __ATOMIC_RELEASE);
    time_sync_master();
    while (__atomic_load_n(&starting_state, __ATOMIC_ACQUIRE) != 3) {
        cpu_relax();
    }
}

void start_secondary(void)
{
    unsigned int cpu = smp_processor_id();

    cpu_init_tables(cpu);
    cpu_features_enable(cpu);
    cpu_init_syscall(cpu);
    apic_init_cpu();
    __atomic_store_n(&starting_state, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&starting_state, __ATOMIC_ACQUIRE) != 2) {
        cpu_relax();
    }
    time_init_cpu();
    cpumask_set(cpu, &cpu_online_map);
    __atomic_store_n(&starting_state, 3, __ATOMIC_RELEASE);
    local_irq_enable();
    startup_cpu_idle_loop();
}

void __init smp_boot(void)
{
    unsigned int cpu = 1;

    if (trampoline == 0 && acpi.nr_cpus > 1) {
        printk(LOG_WARNING "No free memory below 640 KiB: only one CPU is used\n");
        return;
    }
    for (unsigned int i = 0; i < acpi.nr_cpus && cpu < NR_CPUS && cpu < max_cpus; i++) {
        if (!acpi.cpu[i].enabled || acpi.cpu[i].apic_id == cpu_to_apic_id[0]) {
            continue;
        }
        if (!x2apic_enabled && acpi.cpu[i].apic_id >= 255) {
            continue;
        }
        start_cpu(cpu, acpi.cpu[i].apic_id);
        cpu++;
    }
    boot_l4[0] = 0; /* the low 4 GiB at address 0: only for the trampoline */
    tlb_flush_local_all();
    printk("%u CPU%s online\n", cpumask_weight(cpu_online_map),
           cpumask_weight(cpu_online_map) == 1 ? "" : "s");
}
