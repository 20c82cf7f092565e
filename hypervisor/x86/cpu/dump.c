/*
 * Registers and stack traces. The code keeps no frame pointers (they cost every call three
 * instructions), so a trace is every word on the stack that could be a return address: it lies
 * behind a call instruction. Now and then an old one that was never overwritten is among them.
 */
#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/domain.h>
#include <hospes/lib.h>
#include <arch/apic.h>
#include <arch/irq.h>
#include <arch/layout.h>
#include <arch/mm.h>
#include <arch/msr.h>
#include <arch/smp.h>
#include <arch/symbols.h>
#include <arch/traps.h>
#include "dump.h"

#define MAX_FRAMES 40u

/* Does a call instruction end at addr: E8 and a distance, or FF /2 with an operand of any length?
 */
static bool behind_call(unsigned long addr)
{
    const uint8_t *p = (const uint8_t *)addr;

    if (p[-5] == 0xe8) {
        return true;
    }
    for (int n = 2; n <= 7; n++) {
        if (p[-n] == 0xff && ((p[-n + 1] >> 3) & 7) == 2) {
            return true;
        }
    }
    return false;
}

/* The end of the stack that sp is on, in the running CPU's block (arch/percpu.h): an IST stack is
 * one page. 0: none of them. */
static unsigned long stack_end(unsigned long sp)
{
    unsigned long base = (unsigned long)get_cpu_info() & ~(STACK_SIZE - 1);

    if (sp < base || sp >= base + STACK_SIZE - sizeof(struct cpu_info) || (sp & 7)) {
        return 0;
    }
    return sp < base + IST_STACKS * PAGE_SIZE ? (sp & PAGE_MASK) + PAGE_SIZE
                                              : base + STACK_SIZE - sizeof(struct cpu_info);
}

static void dump_trace(unsigned long sp)
{
    unsigned long end = stack_end(sp);
    unsigned int shown = 0;
    struct symbol s;

    for (; sp < end && shown < MAX_FRAMES; sp += 8) {
        unsigned long word = *(const unsigned long *)sp;

        /* The first bytes of the text are no code that calls; that of the boot is given back. */
        if (symbol_lookup(word - 1, &s) && symbol_lookup(word - 8, &s) &&
            hyp_va_to_pa((const void *)(word - 8)).v != ~0ull && behind_call(word)) {
            printk(LOG_ERR "   [%016lx] %ps\n", word, (void *)word);
            shown++;
        }
    }
}

void show_registers(const struct cpu_user_regs *r)
{
    printk(LOG_ERR "CPU %u, %pv, %s, vector %u, error code %#x\n", smp_processor_id(), current,
           guest_mode(r) ? "guest" : "hypervisor", r->entry_vector, r->error_code);
    printk(LOG_ERR "rip: %04x:%016lx %ps\n", r->cs, (unsigned long)r->rip,
           guest_mode(r) ? (void *)NULL : (void *)r->rip);
    printk(LOG_ERR "rsp: %04x:%016lx rflags: %016lx\n", r->ss, (unsigned long)r->rsp,
           (unsigned long)r->rflags);
    printk(LOG_ERR "rax: %016lx rbx: %016lx rcx: %016lx\n", (unsigned long)r->rax,
           (unsigned long)r->rbx, (unsigned long)r->rcx);
    printk(LOG_ERR "rdx: %016lx rsi: %016lx rdi: %016lx\n", (unsigned long)r->rdx,
           (unsigned long)r->rsi, (unsigned long)r->rdi);
    printk(LOG_ERR "rbp: %016lx r8:  %016lx r9:  %016lx\n", (unsigned long)r->rbp,
           (unsigned long)r->r8, (unsigned long)r->r9);
    printk(LOG_ERR "r10: %016lx r11: %016lx r12: %016lx\n", (unsigned long)r->r10,
           (unsigned long)r->r11, (unsigned long)r->r12);
    printk(LOG_ERR "r13: %016lx r14: %016lx r15: %016lx\n", (unsigned long)r->r13,
           (unsigned long)r->r14, (unsigned long)r->r15);
    printk(LOG_ERR "cr0: %08lx cr2: %016lx cr3: %016lx cr4: %08lx\n", (unsigned long)read_cr0(),
           (unsigned long)read_cr2(), (unsigned long)read_cr3(), (unsigned long)read_cr4());
    printk(LOG_ERR "fsb: %016lx gsb: %016lx gss: %016lx\n", (unsigned long)rdmsr(MSR_FS_BASE),
           (unsigned long)rdmsr(MSR_GS_BASE), (unsigned long)rdmsr(MSR_SHADOW_GS_BASE));
}

void show_execution_state(const struct cpu_user_regs *r)
{
    show_registers(r);
    if (!guest_mode(r)) {
        printk(LOG_ERR "Trace:\n");
        printk(LOG_ERR "   [%016lx] %ps\n", (unsigned long)r->rip, (void *)r->rip);
        dump_trace(r->rsp);
    }
}

void arch_dump_execution_state(void)
{
    struct vcpu *v = current;

    printk(LOG_ERR "CPU %u, running %pv; cr2 %016lx cr3 %016lx\n", smp_processor_id(), v,
           (unsigned long)read_cr2(), (unsigned long)read_cr3());
    printk(LOG_ERR "Trace:\n");
    dump_trace((unsigned long)__builtin_frame_address(0) & ~7ul);
    if (v && !v->domain->is_idle) {
        printk(LOG_ERR "Guest's registers:\n");
        show_registers(guest_cpu_user_regs());
    }
}

/* ---- debug key d: every CPU ---- */

static void dump_one(void *unused)
{
    printk("---- CPU %u ----\n", smp_processor_id());
    arch_dump_execution_state();
}

static void dump_registers(char key)
{
    unsigned int cpu;

    for_each_online_cpu (cpu) {
        on_cpus(cpumask_of(cpu), dump_one, NULL, true);
    }
}

void __init dump_init(void)
{
    keyhandler_register('d', dump_registers, "registers and trace of each CPU");
}
