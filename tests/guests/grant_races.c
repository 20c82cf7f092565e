/*
 * One grant mapping ended by two vcpus. A frame is granted to oneself and mapped for CPUs and for
 * devices in one mapping; one vcpu ends the CPUs' part while the other tries to end the devices'
 * part with a wrong address, or with the right one, with random delays. Proves that the handle
 * lives exactly as long as a part of the mapping: a part that was not ended can be ended
 * afterwards, one that was cannot, no handle is given out twice, and the frame has all its uses
 * back.
 */
#include "guest.h"

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define ROUNDS      150u

static grant_entry_v1_t *grants;
static uint64_t *frame, *window, *window2;
static volatile unsigned int round_nr, done_nr, stop;
static volatile bool other_right;
static volatile grant_handle_t other_handle;
static volatile int other_status;

static void setup(void)
{
    grants = map_grant_table();
    grants[20].domid = 0;
    grants[20].frame = (uint32_t)virt_to_mfn(frame);
    grants[20].flags = GTF_permit_access;
}

static int map(const void *va, grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = (unsigned long)va, .flags = GNTMAP_host_map | GNTMAP_device_map, .ref = 20};

    if (hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &op, 1) != 0) {
        return -1000;
    }
    *handle = op.handle;
    return op.status;
}

static int unmap(uint64_t addr, uint64_t bus, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = addr, .dev_bus_addr = bus, .handle = handle};

    return hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &op, 1) != 0
               ? -1000
               : op.status;
}

static uint64_t bus_address(void)
{
    return (uint64_t)virt_to_mfn(frame) << 12;
}

static void other_vcpu(void)
{
    unsigned int seen = 0;

    while (!stop) {
        if (round_nr == seen) {
            pause_cpu();
            continue;
        }
        seen = round_nr;
        other_status =
            unmap(0, other_right ? bus_address() : bus_address() + PAGE_SIZE, other_handle);
        __atomic_store_n(&done_nr, seen, __ATOMIC_SEQ_CST);
    }
    done_nr = ~0u;
}

/* True: everything was as it must be. */
static bool one_round(bool right)
{
    grant_handle_t h = 0, h2 = 0, h3 = 0;
    bool ok;
    int mine, rest;

    if (map(window, &h) != GNTST_okay) {
        return false;
    }
    other_right = right;
    other_handle = h;
    __atomic_store_n(&round_nr, round_nr + 1, __ATOMIC_SEQ_CST);
    for (unsigned long i = guest_random() % 1500; i; i--) {
        __asm__ volatile("");
    }
    mine = unmap((unsigned long)window, 0, h);
    while (done_nr != round_nr) {
        pause_cpu();
    }
    rest = unmap(0, bus_address(), h);
    ok = mine == GNTST_okay && other_status == (right ? GNTST_okay : GNTST_bad_dev_addr) &&
         (rest == GNTST_okay) == !right;
    /* Two new mappings have two handles. */
    ok &= map(window, &h2) == GNTST_okay && map(window2, &h3) == GNTST_okay && h2 != h3;
    ok &= unmap((unsigned long)window, bus_address(), h2) == GNTST_okay;
    ok &= unmap((unsigned long)window2, bus_address(), h3) == GNTST_okay;
    return ok;
}

static void test_parts(bool right)
{
    unsigned int i;

    for (i = 0; i < ROUNDS && one_round(right); i++) {
    }
    tap_is(i, ROUNDS, "rounds of two vcpus that end one mapping's parts, %s",
           right ? "both rightly" : "one with a wrong address");
}

void test_main(void)
{
    frame = alloc_page();
    window = alloc_page();
    window2 = alloc_page();
    setup();
    if (start_vcpu(1, other_vcpu) != 0) {
        tap_bail_out("no second vcpu");
    }
    test_parts(false);
    test_parts(true);
    stop = 1;
    while (done_nr != ~0u) {
        pause_cpu();
    }
    tap_ok(grants[20].flags == GTF_permit_access, "the grant says that nobody uses it");
    tap_ok(set_readonly(frame, true) == 0 &&
               mmuext1(MMUEXT_CLEAR_PAGE, virt_to_mfn(frame), 0) == 0 &&
               mmuext1(MMUEXT_PIN_L1_TABLE, virt_to_mfn(frame), 0) == 0 &&
               mmuext1(MMUEXT_UNPIN_TABLE, virt_to_mfn(frame), 0) == 0,
           "the frame has lost every writable use");
}
