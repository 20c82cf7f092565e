/* Sets of processors. NR_CPUS is what the hypervisor supports; an id is an index below it. */
#ifndef HOSPES_CPUMASK_H
#define HOSPES_CPUMASK_H

#include <hospes/bitops.h>

#define NR_CPUS 64u

typedef struct {
    unsigned long bits;
} cpumask_t;
_Static_assert(NR_CPUS == BITS_PER_LONG, "cpumask_t is one word");

extern cpumask_t cpu_possible_map; /* that the firmware described */
extern cpumask_t cpu_online_map;   /* that run and take interrupts */

#define CPUMASK_NONE ((cpumask_t){0})
#define CPUMASK_ALL  ((cpumask_t){~0ul})

static inline bool cpumask_test(unsigned int cpu, cpumask_t m)
{
    return (m.bits >> cpu) & 1u;
}
static inline cpumask_t cpumask_of(unsigned int cpu)
{
    return (cpumask_t){BIT(cpu)};
}
static inline cpumask_t cpumask_and(cpumask_t a, cpumask_t b)
{
    return (cpumask_t){a.bits & b.bits};
}
static inline cpumask_t cpumask_or(cpumask_t a, cpumask_t b)
{
    return (cpumask_t){a.bits | b.bits};
}
static inline cpumask_t cpumask_andnot(cpumask_t a, cpumask_t b)
{
    return (cpumask_t){a.bits & ~b.bits};
}
static inline bool cpumask_empty(cpumask_t m)
{
    return m.bits == 0;
}
static inline unsigned int cpumask_weight(cpumask_t m)
{
    return (unsigned int)__builtin_popcountl(m.bits);
}
/* NR_CPUS when empty. */
static inline unsigned int cpumask_first(cpumask_t m)
{
    return m.bits ? lowest_bit(m.bits) : NR_CPUS;
}
/* The one behind cpu, going round; NR_CPUS when empty. */
static inline unsigned int cpumask_cycle(unsigned int cpu, cpumask_t m)
{
    unsigned long above = cpu + 1 < NR_CPUS ? m.bits & (~0ul << (cpu + 1)) : 0;

    return above ? lowest_bit(above) : cpumask_first(m);
}
static inline void cpumask_set(unsigned int cpu, cpumask_t *m)
{
    set_bit(cpu, &m->bits);
}
static inline void cpumask_clear(unsigned int cpu, cpumask_t *m)
{
    clear_bit(cpu, &m->bits);
}

#define for_each_cpu_in(cpu, mask)                                                      \
    for (unsigned long rest_ = (mask).bits; rest_ && ((cpu) = lowest_bit(rest_), true); \
         rest_ &= rest_ - 1)
#define for_each_online_cpu(cpu)   for_each_cpu_in(cpu, cpu_online_map)
#define for_each_possible_cpu(cpu) for_each_cpu_in(cpu, cpu_possible_map)

#endif
