/*
 * The rarer grant operations, between Domain 0 (this kernel) and a second domain whose table is
 * written by mapping its frames here. Proves, the same on Hospes and on Xen 4.17:
 *
 *   - transfer gives a frame with its content to a domain that has said it accepts one from this
 *     one, and says so in the entry; a frame in use, or not one's own, stays; a frame that nobody
 *     accepts is gone;
 *   - a transitive grant is copied from and to, can't be mapped, leads on once only, never to the
 *     granter itself, and asks for what the second grant gives to the first granter;
 *   - a grant of device memory is refused, and so is mapping it;
 *   - cache_flush works on frames of one's own and on granted ones that are in use, and on no
 * other;
 *   - afterwards all uses are over: entries say so, and every page comes back.
 */
#include "control.h"

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define PAGES       16u
#define EINVAL      22
#define EPERM       1
#define ENOSYS      38
#define EILSEQ      84
#define EOPNOTSUPP  95

static unsigned long frames[PAGES];
static grant_entry_v1_t *theirs; /* the second domain's entries, in version 1 */
static grant_entry_v2_t *ours;   /* ours, in version 2 */
static grant_status_t *ours_status;
static uint64_t *data, *window;
static uint64_t window_pte;

static long gnttab(unsigned int cmd, void *op)
{
    return hypercall(__HYPERVISOR_grant_table_op, cmd, op, 1);
}

static void *map_frame(unsigned long mfn, domid_t owner)
{
    void *va = alloc_page();
    long rc = owner == DOMID_SELF ? remap(va, make_pte(mfn, TABLE_FLAGS))
                                  : map_foreign(va, make_pte(mfn, TABLE_FLAGS), owner);

    if (rc != 0) {
        tap_bail_out("a grant table's frame cannot be mapped (%ld)", rc);
    }
    return va;
}

static unsigned long table_frame(domid_t dom)
{
    struct gnttab_setup_table s = {.dom = dom, .nr_frames = 1};
    unsigned long frame = 0;

    s.frame_list.p = &frame;
    if (gnttab(GNTTABOP_setup_table, &s) != 0 || s.status != GNTST_okay) {
        tap_bail_out("no grant table of domain %u (%d)", dom, s.status);
    }
    return frame;
}

static void set_up(void)
{
    struct gnttab_set_version v = {.version = 2};
    struct gnttab_get_status_frames st = {.nr_frames = 1, .dom = DOMID_SELF};
    uint64_t status_frame = 0;

    create_second_domain(1, frames, PAGES, 4);
    theirs = map_frame(table_frame(SECOND_DOMAIN), SECOND_DOMAIN);
    tap_is(gnttab(GNTTABOP_set_version, &v), 0, "our table has version 2");
    ours = map_frame(table_frame(DOMID_SELF), DOMID_SELF);
    st.frame_list.p = &status_frame;
    if (gnttab(GNTTABOP_get_status_frames, &st) != 0 || st.status != GNTST_okay) {
        tap_bail_out("no status frames");
    }
    ours_status = map_frame(status_frame, DOMID_SELF);
}

/* ---- transfer ---- */

static int transfer(unsigned long mfn, domid_t dom, grant_ref_t ref)
{
    struct gnttab_transfer op = {.mfn = mfn, .domid = dom, .ref = ref, .status = 99};

    return gnttab(GNTTABOP_transfer, &op) != 0 ? -1000 : op.status;
}

/* One of our pages without a mapping of its own. */
static unsigned long unmapped_frame(uint64_t content)
{
    uint64_t *va = alloc_page();
    unsigned long mfn = virt_to_mfn(va);

    va[0] = content;
    if (remap(va, 0) != 0) {
        tap_bail_out("a page cannot be unmapped");
    }
    return mfn;
}

static void test_transfer(void)
{
    unsigned long mfn = unmapped_frame(0x1122334455667788ull), used = virt_to_mfn(data);

    tap_is(transfer(used, SECOND_DOMAIN, 9), GNTST_bad_page, "transfer: a frame in use stays");
    tap_is(transfer(frames[0], SECOND_DOMAIN, 9), GNTST_bad_page, "nor is another's frame ours");
    tap_is(transfer(~0ul >> 12, SECOND_DOMAIN, 9), GNTST_bad_page, "nor one that is not there");
    theirs[9].domid = 0;
    theirs[9].frame = 0x123;
    theirs[9].flags = GTF_accept_transfer;
    tap_is(transfer(mfn, SECOND_DOMAIN, 9), GNTST_okay, "a frame is given away");
    tap_ok((theirs[9].flags & (GTF_transfer_committed | GTF_transfer_completed)) ==
               (GTF_transfer_committed | GTF_transfer_completed),
           "the entry says so (%x)", theirs[9].flags);
    tap_ok(theirs[9].frame == mfn, "and where it is");
    tap_ok(((unsigned long *)MACH2PHYS_VIRT_START)[mfn] == 0x123, "as the frame it asked for");
    tap_ok(remap(window, make_pte(mfn, TABLE_FLAGS)) != 0, "it is no longer ours");
    tap_is(map_foreign(window, make_pte(mfn, TABLE_FLAGS), SECOND_DOMAIN), 0, "but theirs");
    tap_ok(window[0] == 0x1122334455667788ull, "with its content");
    remap(window, window_pte);

    tap_is(transfer(unmapped_frame(1), SECOND_DOMAIN, 9), GNTST_general_error,
           "an entry accepts one only");
    theirs[10].domid = 5;
    theirs[10].flags = GTF_accept_transfer;
    tap_is(transfer(unmapped_frame(1), SECOND_DOMAIN, 10), GNTST_general_error,
           "and from the domain it names");
    tap_ok(theirs[10].flags == GTF_accept_transfer, "its flags are as they were");
    theirs[10].domid = 0;
    theirs[10].flags = GTF_permit_access;
    tap_is(transfer(unmapped_frame(1), SECOND_DOMAIN, 10), GNTST_general_error,
           "a grant of another type accepts none");
    tap_is(transfer(unmapped_frame(1), SECOND_DOMAIN, 100000), GNTST_general_error,
           "nor one that is not there");
    tap_is(transfer(unmapped_frame(1), 1234, 9), GNTST_bad_domain, "nor a domain that is not");
    theirs[10].flags = 0;
    for (unsigned int i = 0; i < 3; i++) {
        theirs[11 + i].domid = 0;
        theirs[11 + i].flags = GTF_accept_transfer;
        tap_is(transfer(unmapped_frame(1), SECOND_DOMAIN, 11 + i), GNTST_okay, "one more");
    }
    theirs[14].domid = 0;
    theirs[14].flags = GTF_accept_transfer;
    tap_is(transfer(unmapped_frame(1), SECOND_DOMAIN, 14), GNTST_general_error,
           "its limit is its limit");
    tap_ok(theirs[14].flags == GTF_accept_transfer, "nothing was begun");
}

/* ---- transitive grants ---- */

static int copy_ref(bool to_grant, domid_t dom, grant_ref_t ref, unsigned int offset,
                    unsigned int len)
{
    struct gnttab_copy c = {.len = (uint16_t)len};
    struct gnttab_copy_ptr *g = to_grant ? &c.dest : &c.source, *f = to_grant ? &c.source : &c.dest;

    c.flags = to_grant ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
    g->domid = dom;
    g->u.ref = ref;
    g->offset = (uint16_t)offset;
    f->domid = DOMID_SELF;
    f->u.gmfn = virt_to_mfn(data);
    c.status = 99;
    return gnttab(GNTTABOP_copy, &c) != 0 ? -1000 : c.status;
}

static void transitive(grant_ref_t ref, domid_t to, grant_ref_t there)
{
    ours[ref].transitive.trans_domid = to;
    ours[ref].transitive.gref = there;
    ours[ref].hdr.domid = 0;
    ours[ref].hdr.flags = GTF_permit_access;
    ours[ref].hdr.flags = GTF_transitive;
}

static int map_ref(domid_t dom, grant_ref_t ref, unsigned int flags, grant_handle_t *h)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = (unsigned long)window, .flags = flags, .ref = ref, .dom = dom};

    if (gnttab(GNTTABOP_map_grant_ref, &op) != 0) {
        return -1000;
    }
    *h = op.handle;
    return op.status;
}

static int unmap_ref(grant_handle_t h)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = (unsigned long)window, .handle = h};

    return gnttab(GNTTABOP_unmap_grant_ref, &op) != 0 ? -1000 : op.status;
}

/* Without the address of the page table entry. */
static int unmap_nothing(grant_handle_t h, uint64_t dev_bus_addr)
{
    struct gnttab_unmap_grant_ref op = {.dev_bus_addr = dev_bus_addr, .handle = h};

    return gnttab(GNTTABOP_unmap_grant_ref, &op) != 0 ? -1000 : op.status;
}

/* Ours lead to theirs: 20 to frames[1] read-write, 21 to frames[2] read-only. */
static void test_transitive(void)
{
    grant_handle_t h = 0;
    uint64_t *page;

    if (map_foreign(window, make_pte(frames[1], TABLE_FLAGS), SECOND_DOMAIN) != 0) {
        tap_bail_out("their page cannot be mapped");
    }
    page = window;
    page[0] = 0xabcdef;
    theirs[20] = (grant_entry_v1_t){GTF_permit_access, 0, (uint32_t)frames[1]};
    theirs[21] = (grant_entry_v1_t){GTF_permit_access | GTF_readonly, 0, (uint32_t)frames[2]};
    theirs[22] = (grant_entry_v1_t){GTF_permit_access, 3, (uint32_t)frames[3]};
    transitive(30, SECOND_DOMAIN, 20);
    transitive(31, SECOND_DOMAIN, 21);
    transitive(32, SECOND_DOMAIN, 22);
    transitive(33, 0, 30);
    transitive(34, 1234, 20);
    transitive(35, SECOND_DOMAIN, 100000);
    data[0] = 0;
    tap_is(copy_ref(false, 0, 30, 0, 8), GNTST_okay, "a transitive grant is copied from");
    tap_ok(data[0] == 0xabcdef, "the other domain's page");
    data[0] = 0x777;
    tap_is(copy_ref(true, 0, 30, 64, 8), GNTST_okay, "and to");
    tap_ok(page[8] == 0x777, "and it arrives");
    tap_is(copy_ref(false, 0, 31, 0, 8), GNTST_okay, "read-only at the end: from");
    tap_is(copy_ref(true, 0, 31, 0, 8), GNTST_general_error, "but not to");
    tap_is(copy_ref(false, 0, 32, 0, 8), GNTST_general_error,
           "a second grant that is not for the first granter");
    tap_is(copy_ref(false, 0, 33, 0, 8), GNTST_general_error, "none leads to the granter itself");
    tap_is(copy_ref(false, 0, 34, 0, 8), GNTST_general_error, "nor to a domain that is not");
    tap_is(copy_ref(false, 0, 35, 0, 8), GNTST_bad_gntref, "nor to an entry that is not");
    tap_is(map_ref(0, 30, GNTMAP_host_map, &h), GNTST_general_error, "none is mapped");
    tap_ok(ours_status[30] == 0 && ours_status[31] == 0 && ours_status[33] == 0,
           "our entries are free of uses (%x %x %x)", ours_status[30], ours_status[31],
           ours_status[33]);
    tap_ok(theirs[20].flags == GTF_permit_access &&
               theirs[21].flags == (GTF_permit_access | GTF_readonly),
           "and so are theirs");
    remap(window, window_pte);
}

/* ---- device memory ---- */

static void test_device(void)
{
    grant_handle_t h = 0;

    ours[40].hdr.domid = 0;
    ours[40].full_page.frame = 0xb8;
    ours[40].hdr.flags = GTF_permit_access;
    tap_is(map_ref(0, 40, GNTMAP_host_map, &h), GNTST_bad_page, "no grant of device memory");
    tap_is(copy_ref(false, 0, 40, 0, 8), GNTST_bad_page, "nor a copy from it");
    ours[40].full_page.frame = 0xfee00;
    tap_is(map_ref(0, 40, GNTMAP_host_map, &h), GNTST_bad_page, "nor of an interrupt controller");
    ours[40].hdr.flags = 0;
}

/* ---- caches ---- */

static long flush(unsigned long mfn, unsigned int offset, unsigned int length, unsigned int op)
{
    struct gnttab_cache_flush f = {
        .offset = (uint16_t)offset, .length = (uint16_t)length, .op = op};

    f.a.dev_bus_addr = (uint64_t)mfn << 12;
    return gnttab(GNTTABOP_cache_flush, &f);
}

static void test_cache(void)
{
    const unsigned int clean = GNTTAB_CACHE_CLEAN, both = GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL;
    unsigned long mfn = virt_to_mfn(data);
    grant_handle_t h = 0;

    tap_is(flush(mfn, 0, 4096, clean), 0, "a page of ours is flushed");
    tap_is(flush(mfn, 100, 8, both), 0, "a part of it, too");
    tap_is(flush(mfn, 0, 64, GNTTAB_CACHE_INVAL), -EOPNOTSUPP, "none is thrown away unwritten");
    tap_is(flush(mfn, 4095, 2, clean), -EINVAL, "not over its end");
    tap_is(flush(mfn, 0, 8, 4), -EINVAL, "not in unknown ways");
    tap_is(flush(mfn, 0, 0, clean), 0, "nothing is nothing");
    tap_is(flush(~0ul >> 20, 0, 8, clean), -EINVAL, "not where no memory is");
    tap_is(flush(frames[1], 0, 8, clean), -EINVAL, "not another's that is not in use");
    tap_is(map_ref(SECOND_DOMAIN, 20, GNTMAP_host_map, &h), GNTST_okay, "a grant is mapped");
    tap_is(flush(frames[1], 0, 4096, clean), 0, "now its frame is flushed");
    tap_is(unmap_nothing(h, 0), GNTST_okay, "to end no part of the mapping is fine");
    tap_is(unmap_nothing(h, frames[1] << 12), GNTST_okay, "also a part that it has not");
    tap_is(flush(frames[1], 0, 4096, clean), 0, "and ends nothing");
    tap_is(unmap_ref(h), GNTST_okay, "and unmapped");
    tap_is(flush(frames[1], 0, 4096, clean), -EINVAL, "and no more");
    tap_is(gnttab(GNTTABOP_map_grant_ref | 1u << 12, data), -EINVAL,
           "other commands have no upper bits");
    tap_is(gnttab(GNTTABOP_dump_table, data), -ENOSYS, "dump_table is not offered");
}

void test_main(void)
{
    data = alloc_page();
    window = alloc_page();
    window_pte = *pte_of(window, 1);
    set_up();
    test_transfer();
    test_transitive();
    test_device();
    test_cache();
    tap_is(remap(theirs, make_pte(virt_to_mfn(theirs), TABLE_FLAGS)), 0, "their table is let go");
    tap_is(destroy_second_domain(), 0, "and they end");
    for (unsigned int i = 0; i < 1000; i++) {
        struct xen_domctl op = {.domain = SECOND_DOMAIN};

        if (domctl(&op, XEN_DOMCTL_getdomaininfo) == 0 && op.domain == SECOND_DOMAIN && i == 999) {
            debug_keys("q");
            tap_ok(false, "with every page");
            return;
        }
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield);
    }
    tap_ok(true, "with every page");
}
