/*
 * Small objects (core/xmalloc.c): what this proves. Objects of every size and alignment do not
 * overlap, are zero, are aligned; all memory goes back to the allocator but one empty slab a class;
 * overflowing arrays fail; threads can allocate at once.
 */
#include "tap.h"

#define NR_CLASSES 14u

struct object {
    unsigned char *p;
    size_t size;
    unsigned char fill;
};

static void check_fill(const struct object *o)
{
    size_t i;

    for (i = 0; i < o->size; i++) {
        assert_int_equal(o->p[i], o->fill);
    }
}

static void churn(uint64_t seed, unsigned int steps)
{
    static __thread struct object held[300];
    unsigned int step, i;
    size_t n;

    for (step = 0; step < steps; step++) {
        struct object *o = &held[rnd(&seed) % ARRAY_SIZE(held)];

        if (o->p != NULL) {
            check_fill(o);
            xfree(o->p);
            o->p = NULL;
            continue;
        }
        o->size = rnd(&seed) % 16 == 0 ? rnd(&seed) % 20000 + 1 : rnd(&seed) % 2100 + 1;
        n = 1ul << (rnd(&seed) % 7);
        o->p = xzalloc_bytes(o->size, n);
        assert_non_null(o->p);
        assert_int_equal((uintptr_t)o->p % n, 0);
        for (i = 0; i < o->size; i++) {
            assert_int_equal(o->p[i], 0);
        }
        o->fill = (unsigned char)rnd(&seed);
        memset(o->p, o->fill, o->size);
    }
    for (i = 0; i < ARRAY_SIZE(held); i++) {
        xfree(held[i].p);
        held[i].p = NULL;
    }
}

static void objects_are_apart(void **unused)
{
    uint64_t before = heap_free_pages();

    (void)unused;
    churn(42, 20000);
    assert_in_range(heap_free_pages(), before - NR_CLASSES, before);
}

static void overflow_fails(void **unused)
{
    (void)unused;
    assert_null(xzalloc_array(uint64_t, SIZE_MAX / 4));
    assert_null(xzalloc_bytes(SIZE_MAX, 8));
    assert_null(xzalloc_bytes(SIZE_MAX - 4096, 8));
    xfree(NULL);
}

static void odd_page_counts(void **unused)
{
    uint64_t before = heap_free_pages();
    unsigned int pages;
    void *p;

    (void)unused;
    for (pages = 1; pages < 40; pages++) {
        p = xzalloc_bytes(pages * PAGE_SIZE, 8);
        assert_non_null(p);
        assert_int_equal(heap_free_pages(), before - pages);
        xfree(p);
        assert_int_equal(heap_free_pages(), before);
    }
}

static void out_of_memory(void **unused)
{
    struct page_info *first = NULL, *pg;
    uint64_t before = heap_free_pages();

    (void)unused;
    while ((pg = alloc_frames(0, MEMF_NO_SCRUB)) != NULL) {
        pg->type_info = first ? page_to_mfn(first).v : 0;
        first = pg;
    }
    assert_null(xzalloc_bytes(5000, 8));
    while (first != NULL) {
        pg = first->type_info ? mfn_to_page(mfn(first->type_info)) : NULL;
        first->type_info = 0;
        free_frames(first, 0);
        first = pg;
    }
    assert_int_equal(heap_free_pages(), before);
}

static void *thread(void *cpu)
{
    fake_on_cpu((unsigned int)(uintptr_t)cpu);
    churn((uintptr_t)cpu + 7, 10000);
    return NULL;
}

static void threads(void **unused)
{
    uint64_t before = heap_free_pages();
    pthread_t t[4];
    unsigned int i;

    (void)unused;
    for (i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, thread, (void *)(uintptr_t)i);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
    }
    assert_in_range(heap_free_pages(), before - NR_CLASSES, before + NR_CLASSES);
}

static int set_up(void **unused)
{
    (void)unused;
    fake_init(4);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_apart), cmocka_unit_test(overflow_fails),
        cmocka_unit_test(odd_page_counts),   cmocka_unit_test(out_of_memory),
        cmocka_unit_test(threads),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
