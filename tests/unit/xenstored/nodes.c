/*
 * Paths, nodes and the requests about them: what is valid, what a node keeps of its children, what
 * each request answers, directories that are too long for one answer.
 */
#include "tests/unit/xenstored/store.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_children),
        cmocka_unit_test_setup_teardown(test_nodes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_directory_part, set_up, tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("xenstored: nodes", tests, NULL, NULL);
}
