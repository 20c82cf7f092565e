/*
 * Unit tests of xenstored's parts: paths, nodes, the tree, transactions, watches, permissions,
 * quotas, and what comes back out of the log. Requests are put to wire_handle() on connections
 * without a transport; their answers and events are taken from the connections' queues.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xenstored/nodeops.h"
#include "xenstored/permission.h"
#include "xenstored/platform.h"
#include "xenstored/quota.h"
#include "xenstored/rate.h"
#include "xenstored/record.h"
#include "xenstored/transaction.h"
#include "xenstored/tree.h"
#include "xenstored/watch.h"
#include "xenstored/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct conn *sock, *guest1, *guest2;
static char answer[XENSTORE_PAYLOAD_MAX + 1];
static uint32_t answer_len, answer_type;
static char events[2048][256]; /* "path token" */
static unsigned event_count;

static struct conn *make_guest(uint32_t domid)
{
    struct domain *d = domain_get(domid);

    d->introduced = true;
    d->conn = conn_new(d, -1);
    rate_domain_added(d);
    return d->conn;
}

static int set_up(void **state)
{
    platform = &platform_none;
    perm_special_init();
    nodeops_init_tree();
    sock = conn_new(NULL, -1);
    guest1 = make_guest(1);
    guest2 = make_guest(2);
    event_count = 0;
    return 0;
}

static int tear_down(void **state)
{
    conn_destroy(sock);
    domains_clear();
    tree_clear();
    return 0;
}

/* Takes every message off a connection's queue; the answer and the events go to the variables
 * above. */
static void drain(struct conn *c)
{
    struct xsd_sockmsg h;

    event_count = 0;
    while (conn_out_len(c) >= sizeof(h)) {
        const char *body;

        memcpy(&h, conn_out_data(c), sizeof(h));
        body = conn_out_data(c) + sizeof(h);
        if (h.type == XS_WATCH_EVENT) {
            assert_true(event_count < ARRAY_SIZE(events));
            snprintf(events[event_count++], sizeof(events[0]), "%s %s", body,
                     body + strlen(body) + 1);
        } else {
            answer_type = h.type;
            answer_len = h.len;
            memcpy(answer, body, h.len);
            answer[h.len] = '\0';
        }
        conn_out_taken(c, sizeof(h) + h.len);
    }
}

static void ask_bytes(struct conn *c, uint32_t type, uint32_t tx, const char *data, size_t len)
{
    struct xsd_sockmsg h = {.type = type, .req_id = 7, .tx_id = tx, .len = (uint32_t)len};
    char *copy = malloc(len + 1); /* of exactly this size: reading behind it shows */

    memcpy(copy, data, len);
    answer_type = 0xdead;
    wire_handle(c, &h, copy);
    free(copy);
    drain(c);
}

/* '|' stands for NUL. */
static void ask(struct conn *c, uint32_t type, uint32_t tx, const char *text)
{
    char data[XENSTORE_PAYLOAD_MAX];
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        data[i] = text[i] == '|' ? '\0' : text[i];
    }
    ask_bytes(c, type, tx, data, len);
}

static void ok(struct conn *c, uint32_t type, uint32_t tx, const char *text)
{
    ask(c, type, tx, text);
    assert_int_equal(answer_type, type);
    assert_string_equal(answer, "OK");
}

static void fails(struct conn *c, uint32_t type, uint32_t tx, const char *text, const char *error)
{
    ask(c, type, tx, text);
    assert_int_equal(answer_type, XS_ERROR);
    assert_string_equal(answer, error);
}

static void reads(struct conn *c, uint32_t tx, const char *path, const char *value)
{
    char text[300];

    snprintf(text, sizeof(text), "%s|", path);
    ask(c, XS_READ, tx, text);
    assert_int_equal(answer_type, XS_READ);
    assert_string_equal(answer, value);
}

static uint32_t begin(struct conn *c)
{
    ask(c, XS_TRANSACTION_START, 0, "|");
    assert_int_equal(answer_type, XS_TRANSACTION_START);
    return (uint32_t)strtoul(answer, NULL, 10);
}

/* --- paths
 * ---------------------------------------------------------------------------------------------------
 * /  */

static bool valid(const char *s)
{
    return path_is_valid(s, strlen(s), 20);
}

static void test_paths(void **state)
{
    struct path p = path_str("/a/bc"), up = path_parent(&p), root = path_parent(&up);
    size_t len;

    assert_true(valid("/") && valid("/a") && valid("/a/b-_@Z9"));
    assert_false(valid("") || valid("a") || valid("/a/") || valid("//") || valid("/a//b"));
    assert_false(valid("/a b") || valid("/a\n") || valid("/\xc3\xa4"));
    assert_true(valid("/123456789/123456789"));
    assert_false(valid("/123456789/1234567890"));
    assert_true(valid("/local/domain/12345/123456789/1234567890"));
    assert_false(valid("/local/domain/12345/123456789/12345678901"));
    assert_int_equal(up.len, 2);
    assert_int_equal(root.len, 1);
    assert_true(path_is_root(&root));
    assert_memory_equal(path_base(&p, &len), "bc", 2);
    assert_int_equal(len, 2);
    assert_true(path_is_below(&p, &up) && path_is_below(&p, &root) && path_is_below(&p, &p));
    assert_int_equal(path_levels_below(&p, &root), 2);
    assert_int_equal(path_levels_below(&p, &up), 1);
    assert_int_equal(path_levels_below(&p, &p), 0);
    p = path_str("/ab");
    assert_false(path_is_below(&p, &up));
}

/* --- nodes
 * ---------------------------------------------------------------------------------------------------
 * /  */

static void test_children(void **state)
{
    struct perm owner = {0};
    struct node *n[60];

    n[0] = node_new(&owner, 1, "data", 4, NULL);
    for (int i = 1; i < 60; i++) {
        char name[16];

        snprintf(name, sizeof(name), "n%d", i);
        n[i] = node_with_child(n[i - 1], name, strlen(name));
    }
    /* Every version still has its own list. */
    for (int i = 0; i < 60; i++) {
        size_t count = 0;

        for (uint32_t at = 0; at < n[i]->childlen; at++) {
            count += node_children(n[i])[at] == '\0';
        }
        assert_int_equal(count, i);
    }
    /* A branch off an old version doesn't disturb the newer ones. */
    struct node *branch = node_with_child(n[2], "other", 5);
    struct node *less = node_without_child(n[3], "n2", 2);

    assert_memory_equal(node_children(branch), "n1\0n2\0other", 12);
    assert_memory_equal(node_children(n[3]), "n1\0n2\0n3", 9);
    assert_int_equal(less->childlen, 6);
    assert_memory_equal(node_children(less), "n1\0n3", 6);
    assert_null(node_without_child(n[3], "n", 1));
    assert_null(node_without_child(n[3], "n22", 3));
    node_put(branch);
    node_put(less);
    for (int i = 0; i < 60; i++) {
        node_put(n[i]);
    }
}

static void test_nodes(void **state)
{
    ok(sock, XS_WRITE, 0, "/a/b/c|value");
    reads(sock, 0, "/a/b/c", "value");
    reads(sock, 0, "/a/b", "");
    ask(sock, XS_DIRECTORY, 0, "/a|");
    assert_string_equal(answer, "b");
    ok(sock, XS_MKDIR, 0, "/a/b/c|");
    reads(sock, 0, "/a/b/c", "value");
    ok(sock, XS_RM, 0, "/a/b/none|");
    fails(sock, XS_RM, 0, "/x/y|", "ENOENT");
    fails(sock, XS_RM, 0, "/|", "EINVAL");
    ok(sock, XS_RM, 0, "/a|");
    fails(sock, XS_READ, 0, "/a/b/c|", "ENOENT");
    assert_int_equal(tree_count(), 3);
    ok(sock, XS_WRITE, 0, "rel|1");
    reads(sock, 0, "/local/domain/0/rel", "1");
    assert_int_equal(nodeops_check(), 0);
}

static void test_requests(void **state)
{
    fails(sock, 99, 0, "", "ENOSYS");
    fails(sock, XS_WATCH_EVENT, 0, "", "ENOSYS");
    fails(sock, XS_READ, 5, "/|", "ENOENT");
    fails(sock, XS_READ, 0, "", "EINVAL");
    fails(sock, XS_READ, 0, "/tool", "EINVAL");
    fails(sock, XS_READ, 0, "/tool|x|", "EINVAL");
    fails(sock, XS_WRITE, 0, "/tool", "EINVAL");
    fails(guest1, XS_INTRODUCE, 0, "3|4|5|", "EACCES");
    fails(guest1, XS_CONTROL, 0, "help|", "EACCES");
    fails(sock, XS_INTRODUCE, 0, "3|4|", "EINVAL");
    fails(sock, XS_INTRODUCE, 0, "3|4|0|", "EINVAL");
    ask(sock, XS_IS_DOMAIN_INTRODUCED, 0, "1|");
    assert_string_equal(answer, "T");
    ask(sock, XS_GET_DOMAIN_PATH, 0, "7|");
    assert_string_equal(answer, "/local/domain/7");
}

static void test_directory_part(void **state)
{
    char text[64];
    size_t len = 0, rounds = 0;

    for (int i = 0; i < 1500; i++) {
        snprintf(text, sizeof(text), "/many/child-%d|", i);
        ok(sock, XS_MKDIR, 0, text);
    }
    fails(sock, XS_DIRECTORY, 0, "/many|", "E2BIG");
    for (;;) {
        size_t head;

        snprintf(text, sizeof(text), "/many|%zu|", len);
        ask(sock, XS_DIRECTORY_PART, 0, text);
        assert_int_equal(answer_type, XS_DIRECTORY_PART);
        head = strlen(answer) + 1;
        len += answer_len - head;
        rounds++;
        if (answer[answer_len - 2] == '\0') {
            break;
        }
    }
    assert_int_equal(rounds, 4);
    assert_int_equal(len, 10 * 8 + 90 * 9 + 900 * 10 + 500 * 11 + 1);
}

/* --- transactions ---------------------------------------------------------------------------- */

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

/* --- watches
 * ----------------------------------------------------------------------------------------------------
 * /  */

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

/* --- permissions
 * --------------------------------------------------------------------------------------------------
 * /  */

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

/* --- quotas
 * ---------------------------------------------------------------------------------------------------------
 * /  */

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

/* --- the log
 * ----------------------------------------------------------------------------------------------------------
 * /  */

/* A picture of the store, to compare. */
static void picture_node(const struct path *p, struct node *n, void *arg)
{
    uint64_t *sum = arg;
    struct buf b = {0};

    buf_append(&b, p->s, p->len);
    buf_append(&b, &n->generation, sizeof(n->generation));
    buf_append(&b, node_data(n), n->datalen);
    buf_append(&b, n->perms, n->nperms * sizeof(n->perms[0]));
    buf_append(&b, node_children(n), n->childlen);
    *sum += hash_bytes(b.p, b.len);
    buf_free(&b);
}

static uint64_t picture(void)
{
    uint64_t sum = 0;

    tree_each(picture_node, &sum);
    return sum;
}

static void random_requests(unsigned steps, unsigned seed)
{
    static const char *const paths[] = {"/a", "/a/b", "/a/b/c", "/x", "/x/y", "/x/z", "/q/r/s"};
    struct conn *who[] = {sock, guest1, guest2};
    char text[200];

    srand(seed);
    for (unsigned i = 0; i < steps; i++) {
        const char *path = paths[(unsigned)rand() % ARRAY_SIZE(paths)];
        struct conn *c = who[(unsigned)rand() % 3];

        switch (rand() % 7) {
        case 0:
        case 1:
            snprintf(text, sizeof(text), "%s/n%d|value%d", path, rand() % 9, rand());
            ask(c, XS_WRITE, 0, text);
            break;
        case 2:
            snprintf(text, sizeof(text), "%s/n%d|", path, rand() % 9);
            ask(c, XS_RM, 0, text);
            break;
        case 3:
            snprintf(text, sizeof(text), "%s|", path);
            ask(c, rand() % 4 ? XS_MKDIR : XS_RM, 0, text);
            break;
        case 4:
            snprintf(text, sizeof(text), "%s|b%d|r%d|", path, rand() % 3, rand() % 3);
            ask(sock, XS_SET_PERMS, 0, text);
            break;
        case 5:
            snprintf(text, sizeof(text), "%s|t%d|", path, rand() % 3);
            ask(c, rand() % 2 ? XS_WATCH : XS_UNWATCH, 0, text);
            break;
        default: {
            uint32_t tx = begin(sock);

            snprintf(text, sizeof(text), "%s/tx%d|%d", path, rand() % 5, rand());
            ask(sock, XS_WRITE, tx, text);
            ask(sock, XS_TRANSACTION_END, tx, rand() % 3 ? "T|" : "F|");
            break;
        }
        }
        persist_commit();
        if (i % 97 == 0) {
            persist_maintain();
        }
    }
}

static unsigned count_watches(const struct conn *c)
{
    unsigned n = 0;

    for (struct list *pos = c->watches.next; pos != &c->watches; pos = pos->next) {
        n++;
    }
    return n;
}

static void test_log(void **state)
{
    char dir[] = "/tmp/xenstored-test-XXXXXX";
    char file[64];
    uint64_t before = 0;
    unsigned watches1 = 0, watches2 = 0;
    uint32_t tx = 0;

    assert_non_null(mkdtemp(dir));
    tear_down(state);
    for (unsigned round = 0; round < 4; round++) {
        int rc = persist_open(dir, false);

        assert_int_equal(rc, round > 0);
        if (rc == 0) {
            perm_special_init();
            nodeops_init_tree();
            sock = conn_new(NULL, -1);
            guest1 = make_guest(1);
            guest2 = make_guest(2);
            persist_domain(guest1->domain);
            persist_domain(guest2->domain);
        } else {
            assert_int_equal(picture(), before);
            sock = conn_new(NULL, -1);
            guest1 = domain_find(1)->conn;
            guest2 = domain_find(2)->conn;
            assert_int_equal(count_watches(guest1), watches1);
            assert_int_equal(count_watches(guest2), watches2);
            /* A transaction that was open is known, and ends in EAGAIN. */
            assert_int_equal(guest1->tx_count, 1);
            ask(guest1, XS_READ, tx, "/a|");
            fails(guest1, XS_TRANSACTION_END, tx, "T|", "EAGAIN");
        }
        random_requests(3000, round);
        tx = begin(guest1);
        persist_commit();
        before = picture();
        watches1 = count_watches(guest1);
        watches2 = count_watches(guest2);
        ask(sock, XS_WRITE, 0, "/never/committed|x"); /* as if killed before the commit */
        persist_forget();
        tear_down(state);
    }
    for (int i = 0; i < 3; i++) {
        snprintf(file, sizeof(file), "%s/state.%s", dir, i == 2 ? "io" : i ? "1" : "0");
        unlink(file);
    }
    rmdir(dir);
    set_up(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_children),
        cmocka_unit_test_setup_teardown(test_nodes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_directory_part, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_transaction, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_conflict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_transaction_watches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_watches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_watch_depth, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_relative_watch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_event_queue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_special_watches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_permissions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_target, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_successor_domain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_quotas, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rate_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log, set_up, tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("xenstored", tests, NULL, NULL);
}
