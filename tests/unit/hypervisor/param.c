/*
 * The command line (lib/param.c): what this proves. Options of every type take the values that they
 * should and refuse the rest; unknown and bad ones are named in a warning; nothing overruns.
 */
#include "tap.h"
#include <hospes/console.h>
#include <xen/sysctl.h>

static char text[8] = "none";
static bool flag, other = true;
static uint16_t number = 1;
static uint64_t size = 2;
static char seen[32];

static int custom(const char *value)
{
    strlcpy(seen, value, sizeof(seen));
    return strcmp(value, "bad") == 0 ? -EINVAL : 0;
}

string_param(t_text, "t_text", text, "");
bool_param(t_flag, "t_flag", flag, "");
bool_param(t_other, "t_other", other, "");
uint_param(t_number, "t_number", number, "");
size_param(t_size, "t_size", size, "");
custom_param(t_custom, "t_custom", custom, "");

static void good_values(void **unused)
{
    (void)unused;
    cmdline_parse(
        "t_text=hello  t_flag no-t_other t_number=0x123\tt_size=3G t_custom=\"a b\" -- t_number=9");
    assert_string_equal(text, "hello");
    assert_true(flag);
    assert_false(other);
    assert_int_equal(number, 0x123);
    assert_int_equal(size, 3ull << 30);
    assert_string_equal(seen, "a b");
    cmdline_parse("t_flag=off t_other=yes no-t_custom t_size=512k");
    assert_false(flag);
    assert_true(other);
    assert_string_equal(seen, "no");
    assert_int_equal(size, 512 << 10);
}

static char words[64];

static int take_word(const char *word, size_t n)
{
    snprintf(words + strlen(words), sizeof(words) - strlen(words), "[%.*s]", (int)n, word);
    return n == 3 ? -EINVAL : 0;
}

static void lists_and_booleans(void **unused)
{
    (void)unused;
    assert_int_equal(parse_words("a,bad,,c,", take_word), -EINVAL);
    assert_string_equal(words, "[a][bad][][c]");
    words[0] = '\0';
    assert_int_equal(parse_words("", take_word), 0);
    assert_int_equal(parse_words("on", take_word), 0);
    assert_string_equal(words, "[on]");
    assert_int_equal(parse_bool("", 0), 1);
    assert_int_equal(parse_bool("yes,no", 3), 1);
    assert_int_equal(parse_bool("disable", 7), 0);
    assert_int_equal(parse_bool("disable", 3), -1);
    assert_int_equal(parse_bool("2", 1), -1);
}

/* All that is in the ring, as the toolstack reads it. */
static char *console_text(void)
{
    static char buf[65536];
    struct xen_sysctl_readconsole op = {.count = sizeof(buf) - 1, .clear = 1};

    op.buffer.p = buf;
    assert_int_equal(console_ring_read(&op), 0);
    buf[op.count] = '\0';
    return buf;
}

static void bad_values_are_named(void **unused)
{
    char *log;

    (void)unused;
    number = 7;
    cmdline_parse(
        "t_number=70000 t_number=x t_flag=maybe t_nobody t_custom=bad t_text=far_too_long "
        "t_size=12Q");
    assert_int_equal(number, 7);
    console_text();
    cmdline_report();
    log = console_text();
    assert_non_null(strstr(log, "nobody knows the option \"t_nobody\""));
    assert_non_null(strstr(log, "no such value: \"t_number=70000\""));
    assert_non_null(strstr(log, "no such value: \"t_number=x\""));
    assert_non_null(strstr(log, "no such value: \"t_flag=maybe\""));
    assert_non_null(strstr(log, "no such value: \"t_custom=bad\""));
    assert_non_null(strstr(log, "no such value: \"t_text=far_too_long\""));
    assert_non_null(strstr(log, "no such value: \"t_size=12Q\""));
}

static void sizes(void **unused)
{
    const char *end;

    (void)unused;
    assert_int_equal(parse_size("1M", NULL), 1 << 20);
    assert_int_equal(parse_size("2t,", &end), 2ull << 40);
    assert_string_equal(end, ",");
    assert_int_equal(parse_size("077", NULL), 63);
    assert_true(parse_size("99999999999999T", NULL) == ~0ull);
}

static void random_text(void **unused)
{
    uint64_t state = 17;
    char line[2000];
    unsigned int round, i;

    (void)unused;
    for (round = 0; round < 2000; round++) {
        size_t n = rnd(&state) % sizeof(line);

        for (i = 0; i < n; i++) {
            line[i] = "t_flagnumberc=-\"x19 \t,./KMG"[rnd(&state) % 26];
        }
        line[n ? n - 1 : 0] = '\0';
        cmdline_parse(line);
    }
    cmdline_report();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_values), cmocka_unit_test(bad_values_are_named),
        cmocka_unit_test(sizes),       cmocka_unit_test(lists_and_booleans),
        cmocka_unit_test(random_text),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
