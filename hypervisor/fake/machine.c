/*
 * fake: the played processors. CPUs take turns in one thread; a context switch records who runs,
 * and jumps back to the loop that gave the CPU its turn, as on the machine it would drop the stack.
 * Timers are deadlines that fake_run_until moves the clock to. Read include/fake.h first.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fake.h>
#include <hospes/console.h>
#include <hospes/hypercall.h>

__thread bool fake_irqs_on = true;
__thread unsigned int fake_cpu;
unsigned long fake_percpu_offset[FAKE_CPUS];
struct vcpu *fake_current[FAKE_CPUS];
cpumask_t cpu_possible_map, cpu_online_map;

s_time_t fake_now = SECONDS(1);
unsigned int fake_tlb_flushes, fake_preempt_chance;
void (*fake_machine_end)(const char *how);

char *percpu_block[FAKE_CPUS]; /* not static: what nobody reads would look leaked */
static s_time_t deadline[FAKE_CPUS];
static jmp_buf turn;
static bool in_turn;

extern char __start_fake_percpu[], __stop_fake_percpu[];

void cpu_relax(void)
{
    sched_yield();
}

s_time_t NOW(void)
{
    return fake_now;
}

bool arch_reprogram_timer(s_time_t at)
{
    deadline[fake_cpu] = at;
    return at > fake_now;
}

void arch_context_switch(struct vcpu *prev, struct vcpu *next)
{
    set_current(next);
    this_cpu(curr_vcpu) = next;
    context_saved(prev);
    local_irq_enable();
    arch_continue_running(next);
}

void arch_continue_running(struct vcpu *same)
{
    (void)same;
    if (!in_turn) {
        abort();
    }
    longjmp(turn, 1);
}

void arch_idle(void)
{
}

void arch_sync_vcpu_state(struct vcpu *v)
{
    (void)v;
}

void arch_vcpu_kick_running(struct vcpu *v)
{
    v->arch.kicks++;
}

void arch_send_softirq(cpumask_t cpus)
{
    (void)cpus; /* the bit is set: fake_settle looks at all CPUs */
}

void on_cpus(cpumask_t cpus, void (*fn)(void *), void *data, bool wait)
{
    unsigned int cpu, me = fake_cpu;
    unsigned long flags = local_irq_save();

    (void)wait;
    for_each_cpu_in(cpu, cpus)
    {
        fake_cpu = cpu;
        fn(data);
    }
    fake_cpu = me;
    local_irq_restore(flags);
}

void fake_settle(void)
{
    volatile unsigned int cpu, me = fake_cpu;
    volatile bool again;

    do {
        again = false;
        for (cpu = 0; cpu < FAKE_CPUS; cpu++) {
            if (!cpumask_test(cpu, cpu_online_map) || !softirq_is_pending(cpu)) {
                continue;
            }
            again = true;
            fake_cpu = cpu;
            in_turn = true;
            if (setjmp(turn) == 0) {
                do_softirq();
            }
            in_turn = false;
        }
    } while (again);
    fake_cpu = me;
}

void fake_run_until(s_time_t until)
{
    unsigned int cpu;
    s_time_t next;

    for (;;) {
        fake_settle();
        next = until;
        for_each_online_cpu (cpu) {
            if (deadline[cpu] != 0 && deadline[cpu] < next) {
                next = deadline[cpu];
            }
        }
        fake_now = max(fake_now, next);
        for_each_online_cpu (cpu) {
            if (deadline[cpu] != 0 && deadline[cpu] <= fake_now) {
                deadline[cpu] = 0;
                cpu_raise_softirq(cpu, TIMER_SOFTIRQ);
            }
        }
        if (fake_now >= until) {
            fake_settle();
            return;
        }
    }
}

/* ---- the machine's end ---- */

static void __noreturn end(const char *how)
{
    if (fake_machine_end != NULL) {
        fake_machine_end(how);
    }
    fprintf(stderr, "The played machine ended: %s\n", how);
    abort();
}

void machine_restart(unsigned int delay_ms)
{
    end(delay_ms ? "restart after a delay" : "restart");
}

void machine_power_off(void)
{
    end("power-off");
}

void machine_halt(void)
{
    end("halt");
}

void arch_dump_execution_state(void)
{
}

void arch_symbol_name(char *buf, size_t size, unsigned long addr)
{
    snprintf(buf, size, "sym_%lx+0/0", addr);
}

static void write_stderr(const char *s, size_t n)
{
    if (getenv("HOSPES_TEST_LOG") != NULL) {
        fwrite(s, 1, n, stderr);
    }
}

static struct console_device log_device = {
    .name = "com1", .write = write_stderr, .write_panic = write_stderr};

void fake_init(unsigned int cpus)
{
    size_t size = (size_t)(__stop_fake_percpu - __start_fake_percpu);
    unsigned int cpu;
    struct vcpu *v;

    for (cpu = 1; cpu < cpus; cpu++) {
        percpu_block[cpu] = calloc(1, size + 64);
        fake_percpu_offset[cpu] = (uintptr_t)percpu_block[cpu] - (uintptr_t)__start_fake_percpu;
    }
    cpu_possible_map = cpu_online_map = (cpumask_t){(1ul << cpus) - 1};
    fake_init_memory();
    console_add_device(&log_device);
    console_init();
    for (cpu = 0; cpu < cpus; cpu++) {
        timers_init_cpu(cpu);
    }
    scheduler_init("");
    domains_init();
    for (cpu = 0; cpu < cpus; cpu++) {
        if (sched_init_cpu(cpu) != 0) {
            abort();
        }
        v = idle_vcpu[cpu];
        fake_current[cpu] = v;
        per_cpu(curr_vcpu, cpu) = v;
    }
}
