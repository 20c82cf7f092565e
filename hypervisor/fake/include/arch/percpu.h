/* fake: CPU 0 has the linker's copy of the per-CPU section, each other CPU a block of its own. */
#ifndef ARCH_PERCPU_H
#define ARCH_PERCPU_H

#include <hospes/types.h>

#define FAKE_CPUS 8u

extern __thread unsigned int fake_cpu;
extern unsigned long fake_percpu_offset[];

#define PERCPU_SECTION     __section("fake_percpu")
#define smp_processor_id() fake_cpu
#define per_cpu(name, cpu) \
    (*(__typeof__(percpu_##name) *)((uintptr_t)&percpu_##name + fake_percpu_offset[cpu]))
#define this_cpu(name) per_cpu(name, fake_cpu)

#endif
