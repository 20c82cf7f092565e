/*
 * Range sets (core/rangeset.c): what this proves. After any sequence of additions and removals a
 * set answers as a bitmap does, adjacent ranges are one, and nothing leaks.
 */
#include "tap.h"
#include <hospes/rangeset.h>

#define UNIVERSE 300u

static void like_a_bitmap(void **unused)
{
    struct rangeset *r = rangeset_create("test");
    bool model[UNIVERSE] = {false};
    uint64_t state = 5;
    unsigned int step, i;

    (void)unused;
    assert_true(rangeset_is_empty(r));
    for (step = 0; step < 20000; step++) {
        unsigned int a = rnd(&state) % UNIVERSE, b = a + rnd(&state) % (UNIVERSE - a);
        bool add = rnd(&state) % 2, all = true, any = false;

        b = rnd(&state) % 4 == 0 ? b : min(b, a + 6);
        if (rnd(&state) % 3 == 0) {
            for (i = a; i <= b; i++) {
                all &= model[i];
                any |= model[i];
            }
            assert_int_equal(rangeset_contains(r, a, b), all);
            assert_int_equal(rangeset_overlaps(r, a, b), any);
            continue;
        }
        assert_int_equal(add ? rangeset_add(r, a, b) : rangeset_remove(r, a, b), 0);
        for (i = a; i <= b; i++) {
            model[i] = add;
        }
    }
    assert_int_equal(rangeset_remove(r, 0, UNIVERSE), 0);
    assert_true(rangeset_is_empty(r));
    rangeset_destroy(r);
    rangeset_destroy(NULL);
}

static void edges(void **unused)
{
    struct rangeset *r = rangeset_create("edges");

    (void)unused;
    assert_int_equal(rangeset_add(r, 5, 4), -EINVAL);
    assert_int_equal(rangeset_remove(r, 5, 4), -EINVAL);
    assert_int_equal(rangeset_add(r, 0, ~0ull), 0);
    assert_true(rangeset_contains(r, 0, ~0ull));
    assert_int_equal(rangeset_remove(r, ~0ull, ~0ull), 0);
    assert_false(rangeset_contains(r, 0, ~0ull));
    assert_true(rangeset_contains(r, 0, ~0ull - 1));
    assert_int_equal(rangeset_remove(r, 0, 0), 0);
    assert_false(rangeset_overlaps(r, 0, 0));
    assert_false(rangeset_contains(r, 7, 6));
    rangeset_destroy(r);
}

static void nothing_leaks(void **unused)
{
    uint64_t before = heap_free_pages();
    unsigned int i;

    (void)unused;
    for (i = 0; i < 50; i++) {
        struct rangeset *r = rangeset_create("leak");
        unsigned int n;

        for (n = 0; n < 500; n++) {
            assert_int_equal(rangeset_add(r, 3 * n, 3 * n), 0);
        }
        rangeset_destroy(r);
    }
    assert_in_range(heap_free_pages(), before - 2, before + 2);
}

static int set_up(void **unused)
{
    (void)unused;
    fake_init(1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_a_bitmap),
        cmocka_unit_test(edges),
        cmocka_unit_test(nothing_leaks),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
