/* fake: the running vcpu of each played CPU. */
#ifndef ARCH_CURRENT_H
#define ARCH_CURRENT_H

#include <arch/percpu.h>

extern struct vcpu *fake_current[FAKE_CPUS];
#define current        (fake_current[fake_cpu])
#define set_current(v) (fake_current[fake_cpu] = (v))

#endif
