/*
 * The buddy allocator (core/buddy.c, core/scrub.c): what this proves. Chunks are aligned, never
 * overlap, are clear, and honour the address limit; whatever is freed merges back to what there was
 * at the start; idle scrubbing clears freed memory without changing what is free; claims are kept.
 */
#include "tap.h"

static uint64_t largest_orders(void)
{
    struct page_info *pg;
    uint64_t sum = 0;
    unsigned int order;

    for (order = MAX_ORDER + 1; order-- > 0;) {
        pg = alloc_frames(order, MEMF_NO_SCRUB);
        if (pg != NULL) {
            free_frames(pg, order);
            return order;
        }
    }
    return sum;
}

static bool is_clear(struct page_info *pg, unsigned int order)
{
    const unsigned long *w = page_to_virt(pg);
    size_t i;

    for (i = 0; i < (PAGE_SIZE << order) / sizeof(*w); i++) {
        if (w[i] != 0) {
            return false;
        }
    }
    return true;
}

static void alignment_and_clearing(void **unused)
{
    struct page_info *pg[12];
    unsigned int order;

    (void)unused;
    for (order = 0; order < 12; order++) {
        pg[order] = alloc_frames(order, 0);
        assert_non_null(pg[order]);
        assert_int_equal(page_to_mfn(pg[order]).v & ((1ul << order) - 1), 0);
        assert_true(is_clear(pg[order], order));
        assert_int_equal(pg[order]->count_info, 0);
        assert_int_equal(pg[order]->owner, DOMID_INVALID);
        memset(page_to_virt(pg[order]), 0x5a, PAGE_SIZE << order);
    }
    for (order = 0; order < 12; order++) {
        free_frames(pg[order], order);
    }
}

static void everything_merges_back(void **unused)
{
    uint64_t free_before = heap_free_pages(), largest = largest_orders(), state = 1, used = 0;
    static struct {
        struct page_info *pg;
        unsigned int order;
    } held[2000];
    static uint8_t taken[FAKE_FRAMES];
    unsigned int step, i;
    uint64_t f, base;

    (void)unused;
    for (step = 0; step < 60000; step++) {
        i = rnd(&state) % ARRAY_SIZE(held);
        if (held[i].pg == NULL) {
            held[i].order = rnd(&state) % 6;
            held[i].pg = alloc_frames(held[i].order, MEMF_NO_SCRUB);
            if (held[i].pg == NULL) {
                continue;
            }
            used += 1ul << held[i].order;
        }
        base = page_to_mfn(held[i].pg).v - FAKE_FIRST_MFN;
        for (f = 0; f < 1ul << held[i].order; f++) {
            taken[base + f] ^= 1;
        }
        if (taken[base] == 0) {
            /* An allocated chunk may be given back frame by frame. */
            if (rnd(&state) % 2) {
                for (f = 0; f < 1ul << held[i].order; f++) {
                    free_frames(mfn_to_page(mfn_add(page_to_mfn(held[i].pg), f)), 0);
                }
            } else {
                free_frames(held[i].pg, held[i].order);
            }
            used -= 1ul << held[i].order;
            held[i].pg = NULL;
        } else {
            for (f = 0; f < 1ul << held[i].order; f++) {
                assert_int_equal(taken[base + f], 1);
            }
        }
        assert_int_equal(heap_free_pages() + used, free_before);
        if (step % 64 == 0) {
            scrub_free_pages();
        }
    }
    for (i = 0; i < ARRAY_SIZE(held); i++) {
        if (held[i].pg != NULL) {
            free_frames(held[i].pg, held[i].order);
        }
    }
    assert_int_equal(heap_free_pages(), free_before);
    assert_int_equal(largest_orders(), largest);
}

static void address_limit(void **unused)
{
    struct page_info *pg, *all[512];
    unsigned int n = 0;

    (void)unused;
    /* Below 8 MiB there are 0x800 - 0x700 frames. */
    while (n < ARRAY_SIZE(all) && (pg = alloc_frames(0, MEMF_ADDR_BITS(23))) != NULL) {
        assert_true(page_to_mfn(pg).v < 0x800);
        all[n++] = pg;
    }
    assert_int_equal(n, 0x100);
    pg = alloc_frames(0, 0);
    assert_non_null(pg);
    free_frames(pg, 0);
    while (n > 0) {
        free_frames(all[--n], 0);
    }
    assert_int_equal(heap_free_pages_in(0, 23), 0x100);
    assert_int_equal(heap_free_pages_in(24, 0), heap_free_pages() - 0x100);
    assert_null(alloc_frames(0, MEMF_ADDR_BITS(12)));
    assert_null(alloc_frames(MAX_ORDER + 1, 0));
}

static void idle_scrubbing(void **unused)
{
    struct page_info *pg = alloc_frames(9, 0);
    uint64_t free_before, dirty_before = heap_dirty_pages();
    mfn_t m = page_to_mfn(pg);
    unsigned int i;

    (void)unused;
    while (scrub_free_pages()) {
    }
    memset(page_to_virt(pg), 0x77, PAGE_SIZE << 9);
    free_frames(pg, 9);
    free_before = heap_free_pages();
    assert_true(heap_dirty_pages() > 0);
    while (scrub_free_pages()) {
        assert_int_equal(heap_free_pages(), free_before);
    }
    for (i = 0; i < 512; i++) {
        assert_false(mfn_to_page(mfn_add(m, i))->count_info & PGC_NEED_SCRUB);
        assert_true(is_clear(mfn_to_page(mfn_add(m, i)), 0));
    }
    assert_true(heap_dirty_pages() <= dirty_before);
}

/* A frame that a guest had is not given out before stale translations are gone. */
static void flush_before_reuse(void **unused)
{
    struct page_info *pg = alloc_frames(0, 0);
    unsigned int flushes;
    mfn_t m = page_to_mfn(pg);

    (void)unused;
    pg->owner = 7;
    free_frames(pg, 0);
    flushes = fake_tlb_flushes;
    do {
        pg = alloc_frames(0, 0);
        assert_non_null(pg);
    } while (!mfn_eq(page_to_mfn(pg), m));
    assert_int_equal(fake_tlb_flushes, flushes + 1);
}

static void region_rounding(void **unused)
{
    uint64_t before = heap_total_pages();

    (void)unused;
    heap_add_region(paddr(0x1001), paddr(0x1fff)); /* no whole page */
    assert_int_equal(heap_total_pages(), before);
}

static int set_up(void **unused)
{
    (void)unused;
    fake_init(2);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alignment_and_clearing), cmocka_unit_test(everything_merges_back),
        cmocka_unit_test(address_limit),          cmocka_unit_test(idle_scrubbing),
        cmocka_unit_test(region_rounding),        cmocka_unit_test(flush_before_reuse),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
