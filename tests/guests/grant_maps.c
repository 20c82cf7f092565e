/*
 * Grants in page tables. The kernel grants frames to itself and maps them by virtual address and by
 * the machine address of a level-1 entry. Proves that a grant is mapped with what it allows and no
 * more, only where a level-1 entry is, that unmapping asks for the right entry, that
 * unmap-and-replace moves a mapping, and that a frame has all its uses back afterwards.
 */
#include "guest.h"

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)

static grant_entry_v1_t *grants;
static uint64_t *frame, *window, *spare, *l1;

static void setup(void)
{
    grants = map_grant_table();
    grants[20].domid = 0;
    grants[20].frame = (uint32_t)virt_to_mfn(frame);
    grants[20].flags = GTF_permit_access;
    grants[21].domid = 0;
    grants[21].frame = (uint32_t)virt_to_mfn(frame);
    grants[21].flags = GTF_permit_access | GTF_readonly;
}

static int map(uint64_t addr, grant_ref_t ref, unsigned int flags, grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = {.host_addr = addr, .flags = flags, .ref = ref, .dom = 0};

    if (hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &op, 1) != 0) {
        return -1000;
    }
    *handle = op.handle;
    return op.status;
}

static int unmap(uint64_t addr, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = addr, .handle = handle};

    return hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &op, 1) != 0
               ? -1000
               : op.status;
}

static void test_by_address(void)
{
    grant_handle_t h = 0, h2 = 0;
    uint64_t v = 0;

    frame[0] = 0x77;
    tap_is(map((unsigned long)window, 20, GNTMAP_host_map, &h), GNTST_okay, "mapped by address");
    tap_ok(!probe_read(window, &v).happened && v == 0x77, "and readable");
    tap_ok(!probe_write(window, 0x78).happened && frame[0] == 0x78, "and writable");
    tap_ok(unmap((unsigned long)spare, h) != GNTST_okay, "unmapping another address is refused");
    tap_is(unmap((unsigned long)window, h), GNTST_okay, "unmapped");
    tap_ok(probe_read(window, &v).happened, "and gone");
    tap_ok(unmap((unsigned long)window, h) != GNTST_okay, "once only");
    tap_is(map((unsigned long)window, 20, GNTMAP_host_map | GNTMAP_readonly, &h), GNTST_okay,
           "mapped read-only");
    tap_ok(probe_write(window, 1).happened, "is read-only");
    tap_is(map((unsigned long)spare, 20, GNTMAP_host_map, &h2), GNTST_okay,
           "a second time, writable");
    tap_is(unmap((unsigned long)spare, h2), GNTST_okay, "unmapped");
    tap_is(unmap((unsigned long)window, h), GNTST_okay, "both");
    tap_ok(map((unsigned long)window, 21, GNTMAP_host_map, &h) != GNTST_okay,
           "a read-only grant is not mapped writable");
    tap_ok(grants[20].flags == GTF_permit_access, "the grant says that nobody uses it");
}

static void test_by_entry(void)
{
    grant_handle_t h = 0;
    uint64_t at = virt_to_maddr(&l1[11]), v;

    tap_is(map(at, 20, GNTMAP_host_map | GNTMAP_contains_pte, &h), GNTST_okay, "mapped by entry");
    tap_ok(PTE_MFN(l1[11]) == virt_to_mfn(frame) && (l1[11] & PTE_RW), "the entry is there");
    tap_is(unmap(at, h), GNTST_okay, "unmapped by entry");
    tap_ok(l1[11] == 0, "and gone");
    tap_ok(map(at + 4, 20, GNTMAP_host_map | GNTMAP_contains_pte, &h) != GNTST_okay,
           "not over two entries");
    v = frame[1];
    tap_ok(map(virt_to_maddr(&frame[1]), 20, GNTMAP_host_map | GNTMAP_contains_pte, &h) !=
                   GNTST_okay &&
               frame[1] == v,
           "not into a page that is no table");
    tap_ok(map(0x200000, 20, GNTMAP_host_map | GNTMAP_contains_pte, &h) != GNTST_okay,
           "not into the hypervisor's");
    tap_ok(map(0xffff830000000000ul, 20, GNTMAP_host_map, &h) != GNTST_okay,
           "not at the hypervisor's addresses");
    tap_ok(map(0x5555000000, 20, GNTMAP_host_map, &h) != GNTST_okay, "not where no table is");
}

static void test_replace(void)
{
    struct gnttab_unmap_and_replace op;
    grant_handle_t h = 0;
    uint64_t v = 0;

    if (remap(spare, make_pte(virt_to_mfn(spare), TABLE_FLAGS)) != 0) {
        tap_bail_out("the spare page cannot be mapped again");
    }
    spare[0] = 0x99;
    memset(&op, 0, sizeof(op));
    tap_is(map((unsigned long)window, 20, GNTMAP_host_map, &h), GNTST_okay, "mapped once more");
    op.host_addr = (unsigned long)window;
    op.new_addr = (unsigned long)spare;
    op.handle = h;
    tap_is(hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_and_replace, &op, 1), 0,
           "unmap and replace");
    tap_is(op.status, GNTST_okay, "works");
    tap_ok(!probe_read(window, &v).happened && v == 0x99, "the other mapping is here now");
    tap_ok(probe_read(spare, &v).happened, "and no longer there");
}

void test_main(void)
{
    frame = alloc_page();
    window = alloc_page();
    spare = alloc_page();
    l1 = alloc_page();
    if (set_readonly(l1, true) != 0 || mmuext1(MMUEXT_PIN_L1_TABLE, virt_to_mfn(l1), 0) != 0) {
        tap_bail_out("no table");
    }
    setup();
    test_by_address();
    test_by_entry();
    test_replace();
    /* No use of the frame is left: it can become a table. */
    tap_ok(set_readonly(frame, true) == 0 &&
               mmuext1(MMUEXT_CLEAR_PAGE, virt_to_mfn(frame), 0) == 0 &&
               mmuext1(MMUEXT_PIN_L1_TABLE, virt_to_mfn(frame), 0) == 0 &&
               mmuext1(MMUEXT_UNPIN_TABLE, virt_to_mfn(frame), 0) == 0,
           "the frame has lost every writable use");
}
