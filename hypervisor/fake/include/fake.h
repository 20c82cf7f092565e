/*
 * The played machine, for tests of hypervisor/core: FAKE_CPUS processors, some memory, and a clock
 * that only moves when the test lets it. A test program starts with fake_init(). Include this after
 * the C library's headers.
 *
 * CPUs take turns in one thread: fake_on_cpu() says whose turn it is. With threads, each sets
 * fake_cpu for itself.
 */
#ifndef FAKE_H
#define FAKE_H

#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <hospes/param.h>
#include <hospes/softirq.h>

/* Frames FAKE_FIRST_MFN .. + FAKE_FRAMES are RAM, but for a hole in the middle. */
#define FAKE_FIRST_MFN   0x700ul
#define FAKE_FRAMES      0x4000ul
#define FAKE_HOLE_START  (FAKE_FIRST_MFN + 0x1800)
#define FAKE_HOLE_FRAMES 0x123ul

/* Memory in the allocator, `cpus` CPUs online with their idle vcpus, time 1 s. */
void fake_init(unsigned int cpus);
/* Only memory: for tests of the allocator. */
void fake_init_memory(void);

extern s_time_t fake_now;
extern unsigned int fake_tlb_flushes, fake_virqs;
/* Set: called when the machine would be restarted or halted, must not return. */
extern void (*fake_machine_end)(const char *how);
/* True: every hypercall_preempt_check says yes with this chance in 256. */
extern unsigned int fake_preempt_chance;

static inline void fake_on_cpu(unsigned int cpu)
{
    fake_cpu = cpu;
}
/* Runs the softirqs of all CPUs until there are none; context switches happen. */
void fake_settle(void);
/* Lets time pass until `until`, with all timers firing when they are due. */
void fake_run_until(s_time_t until);

/* A domain as the toolstack makes one, with vcpus that are initialised and up, paused. */
struct domain *fake_domain(domid_t id, unsigned int vcpus, bool privileged);
/* Kills it, goes on when preempted, and waits for quiet points. */
void fake_kill(struct domain *d);

#endif
