/*
 * Watches: whom a change is told, how deep, by which path, in which order, and what queues hold.
 */
#include "tests/unit/xenstored/store.h"

static void test_watches(void **state)
{
    ok(sock, XS_WATCH, 0, "/a|one|");
    assert_int_equal(event_count, 1);
    assert_string_equal(events[0], "/a one");
    fails(sock, XS_WATCH, 0, "/a|one|", "EEXIST");
    ok(sock, XS_WATCH, 0, "/|root|");
    ok(sock, XS_WATCH, 0, "/a/b|two|");
    ok(sock, XS_WRITE, 0, "/a/b/c|x");
    assert_int_equal(event_count, 3);
    assert_string_equal(events[0], "/a/b/c one");
    assert_string_equal(events[1], "/a/b/c root");
    assert_string_equal(events[2], "/a/b/c two");
    ok(sock, XS_WRITE, 0, "/ab|x");
    assert_int_equal(event_count, 1);
    ok(sock, XS_UNWATCH, 0, "/|root|");
    fails(sock, XS_UNWATCH, 0, "/|root|", "ENOENT");
    /* Below what is removed only watches on exactly the node fire, deepest first. */
    ok(sock, XS_RM, 0, "/a|");
    assert_int_equal(event_count, 2);
    assert_string_equal(events[0], "/a/b two");
    assert_string_equal(events[1], "/a one");
    ok(sock, XS_RESET_WATCHES, 0, "|");
    ok(sock, XS_WRITE, 0, "/a|x");
    assert_int_equal(event_count, 0);
}

static void test_watch_depth(void **state)
{
    ok(sock, XS_WATCH, 0, "/a|zero|0|");
    ok(sock, XS_WATCH, 0, "/a|one|1|");
    fails(sock, XS_WATCH, 0, "/a|x|-1|", "EINVAL");
    fails(sock, XS_WATCH, 0, "/a|x|1x|", "EINVAL");
    fails(sock, XS_WATCH, 0, "/a|x||", "EINVAL");
    fails(sock, XS_WATCH, 0, "/a|x|1|2|", "EINVAL");
    ok(sock, XS_WRITE, 0, "/a|x");
    assert_int_equal(event_count, 2);
    ok(sock, XS_WRITE, 0, "/a/b|x");
    assert_int_equal(event_count, 1);
    assert_string_equal(events[0], "/a/b one");
    ok(sock, XS_WRITE, 0, "/a/b/c|x");
    assert_int_equal(event_count, 0);
}

static void test_relative_watch(void **state)
{
    ok(sock, XS_SET_PERMS, 0, "/|r0|");
    ok(sock, XS_MKDIR, 0, "/local/domain/1|");
    ok(sock, XS_SET_PERMS, 0, "/local/domain/1|n1|");
    ok(guest1, XS_WATCH, 0, "dev|t|");
    assert_string_equal(events[0], "dev t");
    ok(guest1, XS_WRITE, 0, "dev/x|1");
    assert_int_equal(event_count, 1);
    assert_string_equal(events[0], "dev/x t");
}

static void test_event_queue(void **state)
{
    ok(sock, XS_MKDIR, 0, "/g|");
    ok(sock, XS_SET_PERMS, 0, "/g|b1|");
    ok(guest1, XS_WATCH, 0, "/g|t|");
    /* The same event waits once only; others and special ones as often as they come. */
    for (int i = 0; i < 5; i++) {
        ok(guest2, XS_WRITE, 0, i % 2 ? "/g/a|x" : "/g/b|x");
    }
    assert_int_equal(guest2->domain->outstanding, 2);
    drain(guest1);
    assert_int_equal(event_count, 2);
    assert_int_equal(guest2->domain->outstanding, 0);
    /* What nobody takes is dropped after its time, but not once it has been begun. */
    quota.event_timeout_ms = 1000;
    ok(guest2, XS_WRITE, 0, "/g/a|x");
    ok(guest2, XS_WRITE, 0, "/g/b|x");
    conn_out_taken(guest1, 3);
    assert_int_not_equal(conn_out_expire(guest1, now_ms()), 0);
    assert_int_equal(guest1->marks.count, 2);
    conn_out_expire(guest1, now_ms() + 2000);
    assert_int_equal(guest1->marks.count, 1);
    assert_int_equal(guest2->domain->outstanding, 1);
    assert_int_equal(conn_out_len(guest1), 16 + 7 - 3);
    conn_out_taken(guest1, conn_out_len(guest1));
    assert_int_equal(guest2->domain->outstanding, 0);
    quota.event_timeout_ms = 20000;
}

static void test_special_watches(void **state)
{
    ok(sock, XS_WATCH, 0, "@releaseDomain|t|");
    ok(guest1, XS_WATCH, 0, "@releaseDomain|t|");
    ok(sock, XS_RELEASE, 0, "2|");
    assert_int_equal(event_count, 1);
    assert_string_equal(events[0], "@releaseDomain t");
    drain(guest1);
    assert_int_equal(event_count, 0); /* guests aren't told, unless allowed: */
    guest2 = make_guest(2);
    ok(sock, XS_SET_PERMS, 0, "@releaseDomain|n0|r1|");
    fails(guest2, XS_SET_PERMS, 0, "@releaseDomain|n0|r2|", "EACCES");
    ok(sock, XS_RELEASE, 0, "2|");
    drain(guest1);
    assert_int_equal(event_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_watches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_watch_depth, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_relative_watch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_event_queue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_special_watches, set_up, tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("xenstored: watches", tests, NULL, NULL);
}
