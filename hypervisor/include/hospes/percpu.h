/*
 * Variables of which each CPU has its own: DEFINE_PER_CPU(type, name) in one file, DECLARE_PER_CPU
 * in a header; this_cpu(name) and per_cpu(name, cpu) are lvalues. CPU 0's exist from the first
 * instruction in C, another CPU's from before it is brought up. They start as zero.
 */
#ifndef HOSPES_PERCPU_H
#define HOSPES_PERCPU_H

#include <hospes/types.h>
#include <hospes/cpumask.h>
#include <arch/percpu.h> /* PERCPU_SECTION, this_cpu, per_cpu, smp_processor_id */

#define DEFINE_PER_CPU(type, name)  PERCPU_SECTION __typeof__(type) percpu_##name
#define DECLARE_PER_CPU(type, name) extern __typeof__(type) percpu_##name

#endif
