/*
 * lib/: what this proves. vsnprintf writes what libc's writes for every combination of flags,
 * width, precision and length that it knows, cut anywhere; the hypervisor's own formats; sort and
 * the bitmap functions agree with the obvious loops; sizes with suffixes.
 */
#include "tap.h"
#include <hospes/bitops.h>

#undef snprintf

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat"

static unsigned int compared;

#define COMPARE(fmt, value)                                   \
    do {                                                      \
        char ours[80], libcs[80];                             \
        size_t size_ = 1 + compared % 79;                     \
        int a_, b_;                                           \
                                                              \
        memset(ours, 'x', sizeof(ours));                      \
        memset(libcs, 'x', sizeof(libcs));                    \
        a_ = hv_snprintf(ours, size_, (fmt), (value));        \
        b_ = snprintf(libcs, size_, (fmt), (value));          \
        if (a_ != b_ || memcmp(ours, libcs, sizeof(ours))) {  \
            print_error("%s: '%s' '%s'\n", fmt, ours, libcs); \
        }                                                     \
        assert_int_equal(a_, b_);                             \
        assert_memory_equal(ours, libcs, sizeof(ours));       \
        compared++;                                           \
    } while (0)

static void numbers(const char *prefix)
{
    static const long values[] = {0,
                                  1,
                                  -1,
                                  42,
                                  255,
                                  -128,
                                  65536,
                                  2147483647,
                                  -2147483648l,
                                  1234567890123l,
                                  0x7fffffffffffffffl,
                                  -0x7fffffffffffffffl - 1};
    static const char *const lengths[] = {"hh", "h", "", "l", "ll", "z", "j", "t"};
    static const char letters[] = "diuxXo";
    char fmt[32];
    unsigned int v, l, c;

    for (l = 0; l < ARRAY_SIZE(lengths); l++) {
        for (c = 0; c < sizeof(letters) - 1; c++) {
            snprintf(fmt, sizeof(fmt), "%s%s%c", prefix, lengths[l], letters[c]);
            for (v = 0; v < ARRAY_SIZE(values); v++) {
                COMPARE(fmt, values[v]);
            }
        }
    }
}

static void like_libc(void **unused)
{
    static const char *const flags[] = {"", "0", "-", "#", "+", " ", "#0", "-#", "+0", "-+", "0-"};
    static const char *const widths[] = {"", "1", "8", "21"};
    static const char *const precisions[] = {"", ".0", ".1", ".5", ".20"};
    static const char *const strings[] = {"", "a", "hello", "something longer than the width"};
    unsigned int f, w, p, s;
    char fmt[32];

    (void)unused;
    for (f = 0; f < ARRAY_SIZE(flags); f++) {
        for (w = 0; w < ARRAY_SIZE(widths); w++) {
            for (p = 0; p < ARRAY_SIZE(precisions); p++) {
                snprintf(fmt, sizeof(fmt), "%%%s%s%s", flags[f], widths[w], precisions[p]);
                numbers(fmt);
                snprintf(fmt, sizeof(fmt), "<%%%s%s%ss>", strcmp(flags[f], "-") ? "" : "-",
                         widths[w], precisions[p]);
                for (s = 0; s < ARRAY_SIZE(strings); s++) {
                    COMPARE(fmt, strings[s]);
                }
            }
        }
    }
    COMPARE("%%%d", 7);
    COMPARE("[%c]", 'q');
    COMPARE("[%3c]", 'q');
    COMPARE("[%-3c]", 'q');
    COMPARE("%p", (void *)0x1234abcd);
}

static void star_arguments(void **unused)
{
    char ours[64], libcs[64];

    (void)unused;
    hv_snprintf(ours, sizeof(ours), "%*d|%-*d|%.*s|%*s", 6, 42, 5, 7, 3, "abcdef", -4, "x");
    snprintf(libcs, sizeof(libcs), "%*d|%-*d|%.*s|%*s", 6, 42, 5, 7, 3, "abcdef", -4, "x");
    assert_string_equal(ours, libcs);
    assert_int_equal(hv_snprintf(NULL, 0, "%d", 12345), 5);
}

static void own_formats(void **unused)
{
    struct domain d = {.domain_id = 3}, idle = {.is_idle = true};
    struct vcpu v = {.domain = &d, .vcpu_id = 2}, i = {.domain = &idle, .vcpu_id = 5};
    char buf[64];

    (void)unused;
    hv_snprintf(buf, sizeof(buf), "%pv %pv %pv", (void *)&v, (void *)&i, (void *)0);
    assert_string_equal(buf, "d3v2 idle5 no vcpu");
    hv_snprintf(buf, sizeof(buf), "%ps!", (void *)0x1000);
    assert_string_equal(buf, "sym_1000+0/0!");
}

static int compare_ints(const void *a, const void *b)
{
    return *(const int *)a < *(const int *)b ? -1 : *(const int *)a > *(const int *)b;
}

static void sorting(void **unused)
{
    int a[300], b[300];
    uint64_t state = 3;
    unsigned int n, i;

    (void)unused;
    for (n = 0; n < 300; n++) {
        for (i = 0; i < n; i++) {
            a[i] = b[i] = (int)(rnd(&state) % 100);
        }
        sort(a, n, sizeof(a[0]), compare_ints);
        qsort(b, n, sizeof(b[0]), compare_ints);
        assert_memory_equal(a, b, n * sizeof(a[0]));
    }
}

static void bitmaps(void **unused)
{
    BITMAP(map, 200) = {0};
    uint64_t state = 8;
    unsigned int round, n, from, i, weight;

    (void)unused;
    for (round = 0; round < 3000; round++) {
        n = rnd(&state) % 200 + 1;
        from = rnd(&state) % 210;
        map[rnd(&state) % 4] = round % 5 == 0   ? 0
                               : round % 5 == 1 ? ~0ul
                                                : (unsigned long)rnd(&state) << (rnd(&state) % 40);
        for (i = from; i < n && !test_bit(i, map); i++) {
        }
        assert_int_equal(find_next_bit(map, n, from), min(i, n));
        for (i = from; i < n && test_bit(i, map); i++) {
        }
        assert_int_equal(find_next_zero_bit(map, n, from), min(i, n));
        for (weight = 0, i = 0; i < n; i++) {
            weight += test_bit(i, map);
        }
        assert_int_equal(bitmap_weight(map, n), weight);
    }
}

static void orders(void **unused)
{
    (void)unused;
    assert_int_equal(get_order_from_bytes(0), 0);
    assert_int_equal(get_order_from_bytes(1), 0);
    assert_int_equal(get_order_from_bytes(4096), 0);
    assert_int_equal(get_order_from_bytes(4097), 1);
    assert_int_equal(get_order_from_bytes(16384), 2);
    assert_int_equal(get_order_from_bytes(16385), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_libc),   cmocka_unit_test(star_arguments),
        cmocka_unit_test(own_formats), cmocka_unit_test(sorting),
        cmocka_unit_test(bitmaps),     cmocka_unit_test(orders),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
