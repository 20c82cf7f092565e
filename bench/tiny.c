/* The smallest guest: starts and waits for ever, with 4 MiB of memory. bench/create makes many. */
#include "guest.h"

void test_main(void)
{
    struct sched_poll nothing = {.nr_ports = 0, .timeout = 0};

    for (;;) {
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, &nothing);
    }
}
