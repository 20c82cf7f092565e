/*
 * The runtime itself: a test kernel starts, prints, reads its start info, survives a page fault of
 * its own and ends. When this fails, no other guest test can be believed.
 */
#include "guest.h"

static volatile unsigned int other_ran;

static void other(void)
{
    other_ran = 1;
}

void test_main(void)
{
    struct fault f;
    uint64_t v;

    tap_ok(memcmp(start_info->magic, "xen-3.0-x86_64", 14) == 0, "start info has its magic");
    tap_ok(start_info->nr_pages > 1000, "%lu pages of memory", start_info->nr_pages);
    f = probe_read((void *)0x123456789000, &v);
    tap_ok(f.happened && f.vector == 14 && f.cr2 == 0x123456789000,
           "a bad address is a page fault");
    tap_ok(!probe_read(start_info, &v).happened, "a good one is not");
    tap_is(hypercall(__HYPERVISOR_xen_version, 0) >> 16, 4, "version 4");
    if (shared_info->vcpu_info[1].evtchn_upcall_mask || true) {
        tap_is(start_vcpu(1, other), 0, "the second vcpu starts");
        for (unsigned long i = 0; i < 100000000ul && !other_ran; i++) {
            pause_cpu();
        }
        tap_ok(other_ran, "and runs");
    }
}
