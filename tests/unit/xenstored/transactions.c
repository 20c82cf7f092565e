/*
 * Transactions: what each side sees, conflicts, and the events of a commit.
 */
#include "tests/unit/xenstored/store.h"

static void test_transaction(void **state)
{
    uint32_t tx = begin(sock);

    ok(sock, XS_WRITE, 0, "/a|old");
    ok(sock, XS_WRITE, tx, "/b|new");
    reads(sock, tx, "/b", "new");
    fails(sock, XS_READ, 0, "/b|", "ENOENT");
    /* "/" was read inside (for /b) after the change outside: no conflict. */
    ok(sock, XS_TRANSACTION_END, tx, "T|");
    reads(sock, 0, "/b", "new");
    fails(sock, XS_TRANSACTION_END, tx, "T|", "ENOENT");
    fails(sock, XS_TRANSACTION_END, 0, "T|", "ENOENT");

    tx = begin(sock);
    fails(sock, XS_TRANSACTION_START, tx, "|", "EBUSY");
    ok(sock, XS_RM, tx, "/a|");
    fails(sock, XS_READ, tx, "/a|", "ENOENT");
    ok(sock, XS_TRANSACTION_END, tx, "F|");
    reads(sock, 0, "/a", "old");
    assert_int_equal(rate_transactions, 0);
}

static void test_conflict(void **state)
{
    uint32_t one = begin(sock), two = begin(sock), three;

    ok(sock, XS_WRITE, 0, "/n|0");
    reads(sock, one, "/n", "0");
    reads(sock, two, "/n", "0");
    ok(sock, XS_WRITE, one, "/n|1");
    ok(sock, XS_WRITE, two, "/n|2");
    ok(sock, XS_TRANSACTION_END, two, "T|");
    fails(sock, XS_TRANSACTION_END, one, "T|", "EAGAIN");
    reads(sock, 0, "/n", "2");

    /* Looking for a node that comes into being meanwhile is a conflict too. */
    three = begin(sock);
    fails(sock, XS_READ, three, "/m|", "ENOENT");
    ok(sock, XS_WRITE, 0, "/m|x");
    fails(sock, XS_TRANSACTION_END, three, "T|", "EAGAIN");

    /* One that only wrote elsewhere is not. */
    ok(sock, XS_MKDIR, 0, "/p|");
    three = begin(sock);
    ok(sock, XS_WRITE, three, "/p/q|x");
    ok(sock, XS_WRITE, 0, "/m|y");
    ok(sock, XS_TRANSACTION_END, three, "T|");
}

static void test_transaction_watches(void **state)
{
    uint32_t tx;

    ok(sock, XS_WATCH, 0, "/a|t|");
    tx = begin(sock);
    ok(sock, XS_WRITE, tx, "/a/b|x");
    assert_int_equal(event_count, 0);
    ok(sock, XS_WRITE, tx, "/a/b|y");
    ok(sock, XS_WRITE, tx, "/a/c|y");
    ok(sock, XS_TRANSACTION_END, tx, "T|");
    assert_int_equal(event_count, 2);
    assert_string_equal(events[0], "/a/b t");
    assert_string_equal(events[1], "/a/c t");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_transaction, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_conflict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_transaction_watches, set_up, tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("xenstored: transactions", tests, NULL, NULL);
}
