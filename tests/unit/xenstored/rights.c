/*
 * Permissions, and the limits on what a guest can take: nodes, watches, memory, requests in a time.
 */
#include "tests/unit/xenstored/store.h"

static void test_permissions(void **state)
{
    ok(sock, XS_WRITE, 0, "/n|x");
    fails(guest1, XS_READ, 0, "/n|", "EACCES");
    fails(guest1, XS_READ, 0, "/missing|", "EACCES");
    fails(guest1, XS_WRITE, 0, "/n/m|", "EACCES");
    ok(sock, XS_SET_PERMS, 0, "/n|n0|r1|w2|");
    reads(guest1, 0, "/n", "x");
    fails(guest1, XS_WRITE, 0, "/n|y", "EACCES");
    fails(guest2, XS_READ, 0, "/n|", "EACCES");
    ok(guest2, XS_WRITE, 0, "/n|y");
    ok(guest2, XS_WRITE, 0, "/n/own|z");
    ask(sock, XS_GET_PERMS, 0, "/n/own|");
    assert_memory_equal(answer, "n2\0r1\0w2", 9);
    fails(guest2, XS_SET_PERMS, 0, "/n/own|n1|", "EPERM");
    ok(guest2, XS_SET_PERMS, 0, "/n/own|n2|b1|");
    ok(guest1, XS_WRITE, 0, "/n/own|w");
    fails(guest1, XS_SET_PERMS, 0, "/n/own|n2|", "EACCES");
    fails(guest2, XS_SET_PERMS, 0, "/n/own|n2|r0|r1|r3|r4|r5|", "ENOSPC");
    fails(sock, XS_SET_PERMS, 0, "/n|q0|", "EINVAL");
    fails(sock, XS_SET_PERMS, 0, "/n|n|", "EINVAL");
    fails(sock, XS_SET_PERMS, 0, "/n|n40000|", "ENOENT");
}

static void test_target(void **state)
{
    ok(sock, XS_WRITE, 0, "/n|x");
    ok(sock, XS_SET_PERMS, 0, "/n|n2|");
    fails(guest1, XS_READ, 0, "/n|", "EACCES");
    ok(sock, XS_SET_TARGET, 0, "1|2|");
    reads(guest1, 0, "/n", "x");
    fails(guest2, XS_SET_TARGET, 0, "2|1|", "EACCES");
    ok(sock, XS_RELEASE, 0, "2|");
    assert_int_equal(guest1->target, -1);
}

static void test_successor_domain(void **state)
{
    /* A permission for a domain means that domain, not a later one of the same number. */
    ok(sock, XS_WRITE, 0, "/n|x");
    ok(sock, XS_SET_PERMS, 0, "/n|n0|b2|");
    ok(guest2, XS_WRITE, 0, "/n/mine|x");
    ok(sock, XS_RELEASE, 0, "2|");
    guest2 = make_guest(2);
    fails(guest2, XS_READ, 0, "/n|", "EACCES");
    /* What it owned has gone with it. */
    fails(sock, XS_READ, 0, "/n/mine|", "ENOENT");
    ask(sock, XS_DIRECTORY, 0, "/n|");
    assert_int_equal(answer_len, 0);
    /* Writing the node doesn't bring the permission back. */
    ok(sock, XS_WRITE, 0, "/n|y");
    fails(guest2, XS_READ, 0, "/n|", "EACCES");
    ok(sock, XS_SET_PERMS, 0, "/n|n0|r2|");
    reads(guest2, 0, "/n", "y");
}

static void test_quotas(void **state)
{
    struct quotas saved = quota;
    char text[64], large[3000];
    int made = 0;

    ok(sock, XS_MKDIR, 0, "/g|");
    ok(sock, XS_SET_PERMS, 0, "/g|n1|");
    quota.nodes = 20;
    for (int i = 0; i < 30; i++) {
        snprintf(text, sizeof(text), "/g/%d|", i);
        ask(guest1, XS_MKDIR, 0, text);
        made += answer_type == XS_MKDIR;
    }
    assert_int_equal(made, 19); /* and /g itself */
    assert_int_equal(guest1->domain->nodes, 20);
    assert_string_equal(answer, "ENOSPC");
    memset(large, 'x', sizeof(large));
    memcpy(large, "/g/1", 5);
    ask_bytes(guest1, XS_WRITE, 0, large, 2100);
    assert_string_equal(answer, "ENOSPC");
    ask_bytes(sock, XS_WRITE, 0, large, 2100);
    assert_string_equal(answer, "OK");
    for (int i = 0; i < 11; i++) {
        begin(guest1);
    }
    fails(guest1, XS_TRANSACTION_START, 0, "|", "ENOSPC");
    ok(guest1, XS_RESET_WATCHES, 0, "|");
    begin(guest1);
    quota.watches = 3;
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof(text), "/g|t%d|", i);
        ok(guest1, XS_WATCH, 0, text);
    }
    fails(guest1, XS_WATCH, 0, "/g|t4|", "E2BIG");
    quota.memory_hard = (int)guest1->domain->memory + 10;
    assert_false(domain_is_throttled(guest1->domain));
    fails(guest1, XS_WRITE, 0, "/g/2|much more than ten bytes", "EIO");
    quota.memory_hard = 10;
    assert_true(domain_is_throttled(guest1->domain));
    quota = saved;
    ok(sock, XS_RELEASE, 0, "1|");
    assert_null(domain_find(1));
}

static void test_memory_comes_back(void **state)
{
    int64_t before;
    uint32_t tx;

    ok(sock, XS_MKDIR, 0, "/g|");
    ok(sock, XS_SET_PERMS, 0, "/g|n1|");
    before = guest1->domain->memory;
    ok(guest1, XS_WATCH, 0, "/g|token|");
    tx = begin(guest1);
    ok(guest1, XS_WRITE, tx, "/g/a/b/c|value");
    ok(guest1, XS_TRANSACTION_END, tx, "T|");
    tx = begin(guest1);
    ok(guest1, XS_WRITE, tx, "/g/x|value");
    ok(guest1, XS_RM, tx, "/g/a|");
    ok(guest1, XS_TRANSACTION_END, tx, "F|");
    tx = begin(guest1);
    ok(guest1, XS_RM, tx, "/g/a|");
    ok(guest1, XS_TRANSACTION_END, tx, "T|");
    ok(guest1, XS_UNWATCH, 0, "/g|token|");
    assert_int_equal(guest1->domain->memory, before);
    assert_int_equal(guest1->domain->nodes, 1);
    assert_int_equal(guest1->domain->watches, 0);
    assert_int_equal(guest1->domain->outstanding, 0);
    assert_int_equal(nodeops_check(), 0);
}

static void test_rate_limit(void **state)
{
    int writes = 0, wait;

    ok(sock, XS_MKDIR, 0, "/g|");
    ok(sock, XS_SET_PERMS, 0, "/g|n1|");
    guest1->domain->credit = 5000;
    begin(sock); /* somebody who could be hurt */
    while (!domain_is_throttled(guest1->domain) && writes < 500) {
        ok(guest1, XS_WRITE, 0, "/g/a|x");
        writes++;
    }
    assert_in_range(writes, 5, 200);
    assert_false(rate_may_run(guest1->domain, now_ms(), &wait) && wait <= 0);
    assert_true(rate_may_run(guest1->domain, now_ms() + 5000, &wait));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_permissions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_target, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_successor_domain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_quotas, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rate_limit, set_up, tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("xenstored: permissions and quotas", tests, NULL, NULL);
}
