/*
 * The console (core/console.c, printk.c, console_input.c, keyhandler.c): what this proves. The ring
 * keeps the last of what was printed and can be read in pieces; levels and the limit for guests
 * hold; a guest's text cannot carry control characters; three Ctrl-A switch the input, and fewer
 * are input; keys run their handlers.
 */
#include "tap.h"
#include <hospes/console.h>
#include <hospes/hypercall.h>
#include <xen/sysctl.h>

static char written[1 << 20];
static size_t nr_written;

static void dev_write(const char *s, size_t n)
{
    if (nr_written + n < sizeof(written)) {
        memcpy(written + nr_written, s, n);
        nr_written += n;
        written[nr_written] = '\0';
    }
}
static struct console_device dev = {.name = "vga", .write = dev_write, .write_panic = dev_write};

static void forget(void)
{
    nr_written = 0;
    written[0] = '\0';
}

static bool printed(const char *text)
{
    return strstr(written, text) != NULL;
}

static unsigned int lines(void)
{
    unsigned int n = 0;
    const char *s;

    for (s = written; (s = strchr(s, '\n')) != NULL; s++) {
        n++;
    }
    return n;
}

/* A device that comes late gets what was printed before. */
static void late_device(void **unused)
{
    (void)unused;
    printk("before the device\n");
    console_add_device(&dev);
    assert_true(printed("before the device"));
}

static void prefix_and_pieces(void **unused)
{
    (void)unused;
    forget();
    fake_now = SECONDS(12) + MICROSECS(345678);
    fake_on_cpu(1);
    printk("one");
    printk(" line\n");
    fake_on_cpu(0);
    printk("two\nthree\n");
    assert_string_equal(written, "(HV) [   12.345678 c1] one line\n"
                                 "(HV) [   12.345678 c0] two\n"
                                 "(HV) [   12.345678 c0] three\n");
}

static void levels(void **unused)
{
    (void)unused;
    cmdline_parse("loglvl=warning");
    forget();
    printk(LOG_ERR "E\n" LOG_WARNING "W\n" LOG_INFO "I\n" LOG_DEBUG "D\n");
    printk("plain\n");
    assert_true(printed("E\n") && printed("W\n"));
    assert_false(printed("I\n") || printed("D\n") || printed("plain"));
    cmdline_parse("loglvl=all");
    forget();
    printk(LOG_DEBUG "debug\n");
    assert_true(printed("debug\n"));
    cmdline_parse("loglvl=info loglvl=nonsense");
    forget();
    printk("plain\n" LOG_DEBUG "debug\n");
    assert_true(printed("plain") && !printed("debug"));
}

static void guests_are_limited(void **unused)
{
    unsigned int i;

    (void)unused;
    cmdline_parse("guest_loglvl=none/warning");
    fake_now += SECONDS(100);
    forget();
    for (i = 0; i < 1000; i++) {
        printk(LOG_G_WARNING "guest %u\n", i);
    }
    assert_int_equal(lines(), 10);
    forget();
    fake_now += SECONDS(1);
    printk(LOG_G_WARNING "again\n");
    assert_true(printed("990 messages of guests were left out"));
    assert_true(printed("again"));
    forget();
    printk(LOG_G_INFO "not at this level\n");
    printk(LOG_ERR "the hypervisor's own are not limited\n");
    assert_int_equal(lines(), 1);
}

static void guest_output(void **unused)
{
    struct domain *d = fake_domain(3, 1, false);
    char text[] = "hello\r\x1b[31m\x01\n no end";
    char big[1000];

    (void)unused;
    cmdline_parse("guest_loglvl=all");
    forget();
    console_write_guest(d, text, sizeof(text) - 1);
    assert_true(printed("(d3) hello[31m\n"));
    assert_false(printed("no end"));
    memset(big, 'x', sizeof(big));
    console_write_guest(d, big, sizeof(big));
    assert_true(lines() >= 6); /* a line without an end is cut */
    fake_kill(d);
}

static void dom0_output_is_raw(void **unused)
{
    struct domain *d = fake_domain(0, 1, true);

    (void)unused;
    forget();
    console_write_guest(d, "\x1b[0m raw", 8);
    assert_string_equal(written, "\x1b[0m raw");
    printk("mine\n"); /* on a line of its own */
    assert_true(printed("raw\n(HV)"));
    d->is_hardware = false;
    fake_kill(d);
}

static void ring_wraps_and_is_read_in_pieces(void **unused)
{
    struct xen_sysctl_readconsole op = {.clear = 1};
    static char all[1 << 16], part[100];
    uint32_t index = 0, total = 0;
    unsigned int i;

    (void)unused;
    op.buffer.p = all;
    op.count = sizeof(all);
    assert_int_equal(console_ring_read(&op), 0);
    for (i = 0; i < 5000; i++) {
        printk("line %u\n", i);
    }
    op = (struct xen_sysctl_readconsole){.count = sizeof(all) - 1};
    op.buffer.p = all;
    assert_int_equal(console_ring_read(&op), 0);
    assert_int_equal(op.count, 32768);
    all[op.count] = '\0';
    assert_non_null(strstr(all, "line 4999\n"));
    assert_null(strstr(all, "line 1000\n"));
    assert_string_equal(all + op.count - 10, "line 4999\n");
    /* The same in pieces. */
    for (;;) {
        op = (struct xen_sysctl_readconsole){
            .count = sizeof(part), .incremental = 1, .index = index};
        op.buffer.p = part;
        assert_int_equal(console_ring_read(&op), 0);
        if (op.count == 0) {
            break;
        }
        assert_memory_equal(part, all + total, op.count);
        total += op.count;
        index = op.index;
    }
    assert_int_equal(total, 32768);
    op = (struct xen_sysctl_readconsole){.count = 10};
    op.buffer.p = (char *)8;
    assert_int_equal(console_ring_read(&op), -EFAULT);
}

static unsigned int key_runs;

static void key(char k)
{
    assert_int_equal(k, 'z');
    key_runs++;
}

static void type(const char *s)
{
    while (*s != '\0') {
        console_rx(*s++);
    }
    fake_settle();
}

static void input_switches(void **unused)
{
    char buf[64];

    (void)unused;
    keyhandler_register('z', key, "test");
    type("z");
    assert_int_equal(key_runs, 1);
    assert_int_equal(console_guest_read(buf, sizeof(buf)), 0);
    hardware_domain = fake_domain(0, 1, true);
    console_end_boot();
    type("z\x01z");
    assert_int_equal(key_runs, 1);
    assert_int_equal(console_guest_read(buf, 2), 2);
    assert_int_equal(console_guest_read(buf + 2, 10), 1);
    assert_memory_equal(buf, "z\x01z", 3);
    type("\x01\x01\x01z");
    assert_int_equal(key_runs, 2);
    assert_int_equal(console_guest_read(buf, sizeof(buf)), 0);
    forget();
    type("h");
    assert_true(printed("test"));
    type("\x01\x01\x01");
    /* More than fits is dropped, not overwritten. */
    for (key_runs = 0; key_runs < 1000; key_runs++) {
        console_rx('a');
    }
    fake_settle();
    for (key_runs = 0; console_guest_read(buf, 1) == 1; key_runs++) {
        assert_int_equal(buf[0], 'a');
    }
    assert_int_equal(key_runs, 256);
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
        cmocka_unit_test(late_device),
        cmocka_unit_test(prefix_and_pieces),
        cmocka_unit_test(levels),
        cmocka_unit_test(guests_are_limited),
        cmocka_unit_test(guest_output),
        cmocka_unit_test(dom0_output_is_raw),
        cmocka_unit_test(ring_wraps_and_is_read_in_pieces),
        cmocka_unit_test(input_switches),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
