/*
 * The log: what was committed comes back after a kill at any moment, and nothing else.
 */
#include "tests/unit/xenstored/store.h"

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
        cmocka_unit_test_setup_teardown(test_log, set_up, tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("xenstored: the log", tests, NULL, NULL);
}
