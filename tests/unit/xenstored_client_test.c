/*
 * The client library (xsclient.h) against a real xenstored, which is killed and started again now
 * and then. The daemon's program is the first argument, or build/bin/xenstored.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xenstored/client/xsclient.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *program = "build/bin/xenstored";
static char dir[] = "/tmp/xsclient-test-XXXXXX";
static char path[64];
static pid_t daemon_pid;
static struct xsc *xs;

static void start(void)
{
    daemon_pid = fork();
    if (daemon_pid == 0) {
        if (!freopen("/dev/null", "w", stderr)) {
            _exit(2);
        }
        execl(program, program, "-D", "-N", "--socket", path, (char *)NULL);
        _exit(1);
    }
}

static void stop(void)
{
    kill(daemon_pid, SIGKILL);
    waitpid(daemon_pid, NULL, 0);
}

static int open_client(void **state)
{
    int rc = -ENOENT;

    for (int i = 0; i < 500 && rc < 0; i++) {
        rc = xsc_open(&xs, path);
        usleep(rc < 0 ? 10000 : 0);
    }
    return rc;
}

static int close_client(void **state)
{
    xsc_close(xs);
    return 0;
}

static int set_up(void **state)
{
    if (!mkdtemp(dir)) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/socket", dir);
    start();
    return 0;
}

static int tear_down(void **state)
{
    static const char *const files[] = {"socket", "state.0", "state.1", "state.io"};
    char file[96];

    stop();
    for (size_t i = 0; i < 4; i++) {
        snprintf(file, sizeof(file), "%s/%s", dir, files[i]);
        unlink(file);
    }
    return rmdir(dir);
}

static void test_nodes(void **state)
{
    char *value;
    uint64_t number;
    size_t len;

    assert_int_equal(xsc_write(xs, XSC_NO_TX, "/n/bin", "a\0b", 3), 0);
    assert_int_equal(xsc_read(xs, XSC_NO_TX, "/n/bin", &value, &len), 0);
    assert_int_equal(len, 3);
    assert_memory_equal(value, "a\0b", 4);
    free(value);
    assert_int_equal(xsc_writef(xs, XSC_NO_TX, "/n/42", "0x%x", 42), 0);
    assert_int_equal(xsc_read_u64(xs, XSC_NO_TX, &number, "/n/%d", 42), 0);
    assert_int_equal(number, 42);
    assert_int_equal(xsc_write_str(xs, XSC_NO_TX, "/n/x", "12x"), 0);
    assert_int_equal(xsc_read_u64(xs, XSC_NO_TX, &number, "/n/x"), -EINVAL);
    assert_int_equal(xsc_read_u64(xs, XSC_NO_TX, &number, "/n/none"), -ENOENT);
    assert_int_equal(xsc_read(xs, XSC_NO_TX, "/n/none", &value, NULL), -ENOENT);
    assert_null(value);
    assert_true(xsc_exists(xs, XSC_NO_TX, "/n"));
    assert_int_equal(xsc_mkdir(xs, XSC_NO_TX, "/n"), 0);
    assert_int_equal(xsc_rm(xs, XSC_NO_TX, "/n"), 0);
    assert_false(xsc_exists(xs, XSC_NO_TX, "/n"));
    assert_int_equal(xsc_mkdir(xs, XSC_NO_TX, "bad//path"), -EINVAL);
    assert_int_equal(xsc_domain_path(xs, 9, &value), 0);
    assert_string_equal(value, "/local/domain/9");
    free(value);
    assert_int_equal(xsc_is_introduced(xs, 9), 0);
}

static void test_directory(void **state)
{
    char **names, node[64];
    size_t count;

    assert_int_equal(xsc_mkdir(xs, XSC_NO_TX, "/d"), 0);
    assert_int_equal(xsc_directory(xs, XSC_NO_TX, "/d", &names, &count), 0);
    assert_int_equal(count, 0);
    assert_null(names[0]);
    free(names);
    for (int i = 0; i < 1200; i++) {
        snprintf(node, sizeof(node), "/d/child-%d", i);
        assert_int_equal(xsc_mkdir(xs, XSC_NO_TX, node), 0);
    }
    assert_int_equal(xsc_directory(xs, XSC_NO_TX, "/d", &names, &count), 0);
    assert_int_equal(count, 1200);
    assert_string_equal(names[0], "child-0");
    assert_string_equal(names[1199], "child-1199");
    assert_null(names[1200]);
    free(names);
    assert_int_equal(xsc_directory(xs, XSC_NO_TX, "/none", &names, &count), -ENOENT);
}

static void test_permissions(void **state)
{
    const struct xsc_perm set[] = {{0, XSC_NONE}, {5, XSC_READ}, {6, XSC_READ_WRITE}};
    struct xsc_perm *got;
    size_t count;

    assert_int_equal(xsc_mkdir(xs, XSC_NO_TX, "/p"), 0);
    assert_int_equal(xsc_set_perms(xs, XSC_NO_TX, "/p", set, 3), 0);
    assert_int_equal(xsc_get_perms(xs, XSC_NO_TX, "/p", &got, &count), 0);
    assert_int_equal(count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(got[i].domid, set[i].domid);
        assert_int_equal(got[i].access, set[i].access);
    }
    free(got);
    assert_int_equal(xsc_set_perms(xs, XSC_NO_TX, "/p", set, 0), -EINVAL);
}

static int count_up(struct xsc *handle, uint32_t tx, void *arg)
{
    uint64_t number = 0;
    int *tries = arg;
    int rc = xsc_read_u64(handle, tx, &number, "/t/count");

    if (rc == 0 && ++*tries == 1) {
        /* Somebody else is faster, the first time. */
        rc = xsc_writef(handle, XSC_NO_TX, "/t/count", "%d", 100);
    }
    return rc < 0 ? rc : xsc_writef(handle, tx, "/t/count", "%d", (int)number + 1);
}

static int refuse(struct xsc *handle, uint32_t tx, void *arg)
{
    xsc_write_str(handle, tx, "/t/count", "never");
    return -EBUSY;
}

static void test_transactions(void **state)
{
    uint64_t number;
    uint32_t tx;
    int tries = 0;

    assert_int_equal(xsc_write_str(xs, XSC_NO_TX, "/t/count", "1"), 0);
    assert_int_equal(xsc_transact(xs, count_up, &tries), 0);
    assert_int_equal(tries, 2);
    assert_int_equal(xsc_transact(xs, refuse, NULL), -EBUSY);
    assert_int_equal(xsc_read_u64(xs, XSC_NO_TX, &number, "/t/count"), 0);
    assert_int_equal(number, 101);
    assert_int_equal(xsc_tx_start(xs, &tx), 0);
    assert_int_equal(xsc_write_str(xs, tx, "/t/x", "1"), 0);
    assert_int_equal(xsc_tx_end(xs, tx, false), 0);
    assert_false(xsc_exists(xs, XSC_NO_TX, "/t/x"));
    assert_int_equal(xsc_tx_end(xs, tx, true), -ENOENT);
}

#define MANY 2000 /* more than is sent at once */

static int write_many(struct xsc *handle, uint32_t tx, void *arg)
{
    const char *last = arg;
    int rc = xsc_tx_post(handle, tx);

    for (int i = 0; rc == 0 && i < MANY; i++) {
        char node[32];

        snprintf(node, sizeof(node), "/many/%d", i);
        rc = xsc_writef(handle, tx, node, "value %d", i);
    }
    rc = rc ? rc : xsc_write_str(handle, tx, last, "x");
    return rc ? rc : xsc_writef(handle, tx, "/many/after", "x");
}

static void test_posted(void **state)
{
    uint32_t tx, other;
    char *value = NULL, good[] = "/many/last", bad[] = "/many/not valid";

    /* The error of one of them is the end's, and nothing has changed. */
    assert_int_equal(xsc_transact(xs, write_many, bad), -EINVAL);
    assert_false(xsc_exists(xs, XSC_NO_TX, "/many"));
    assert_int_equal(xsc_transact(xs, write_many, good), 0);
    assert_int_equal(xsc_readf(xs, XSC_NO_TX, &value, "/many/%d", MANY - 1), 0);
    assert_string_equal(value, "value 1999");
    free(value);
    assert_true(xsc_exists(xs, XSC_NO_TX, good));

    /* In order with what is waited for, also of another transaction; dropped ones are not done. */
    assert_int_equal(xsc_tx_start(xs, &tx), 0);
    assert_int_equal(xsc_tx_post(xs, tx), 0);
    assert_int_equal(xsc_write_str(xs, tx, "/many/new", "x"), 0);
    assert_true(xsc_exists(xs, tx, "/many/new"));
    assert_false(xsc_exists(xs, XSC_NO_TX, "/many/new"));
    assert_int_equal(xsc_rm(xs, tx, good), 0);
    assert_int_equal(xsc_tx_start(xs, &other), 0);
    assert_int_equal(xsc_tx_post(xs, other), 0);
    assert_int_equal(xsc_write_str(xs, other, "/other", "x"), 0);
    assert_int_equal(xsc_rm(xs, tx, "/many/0"), 0);
    assert_int_equal(xsc_tx_end(xs, other, true), 0);
    assert_true(xsc_exists(xs, XSC_NO_TX, "/other"));
    assert_int_equal(xsc_tx_end(xs, tx, false), 0);
    assert_true(xsc_exists(xs, XSC_NO_TX, good));
    assert_int_equal(xsc_tx_post(xs, tx), -ENOENT);
}

static void expect_event(const char *node, const char *token)
{
    struct xsc_event *event;

    assert_int_equal(xsc_wait_event(xs, &event, 5000), 0);
    assert_string_equal(event->path, node);
    assert_string_equal(event->token, token);
    free(event);
}

static int is_there(struct xsc *handle, void *arg)
{
    return xsc_exists(handle, XSC_NO_TX, arg);
}

static void test_watches(void **state)
{
    struct xsc_event *event;
    char node[] = "/w/late";

    assert_int_equal(xsc_watch(xs, "/w", "one"), 0);
    assert_int_equal(xsc_watch(xs, "/w", "one"), -EEXIST);
    expect_event("/w", "one");
    assert_int_equal(xsc_watch_depth(xs, "/w", "flat", 1), 0);
    expect_event("/w", "flat");
    assert_int_equal(xsc_write_str(xs, XSC_NO_TX, "/w/a/b", "x"), 0);
    expect_event("/w/a/b", "one");
    assert_int_equal(xsc_next_event(xs, &event), -EAGAIN);
    assert_int_equal(xsc_wait_event(xs, &event, 20), -ETIMEDOUT);
    assert_int_equal(xsc_write_str(xs, XSC_NO_TX, "/w/c", "x"), 0);
    assert_int_equal(xsc_unwatch(xs, "/w", "one"), 0); /* and its event is gone */
    expect_event("/w/c", "flat");
    assert_int_equal(xsc_wait_until(xs, node, is_there, node, 30), -ETIMEDOUT);
    if (fork() == 0) {
        struct xsc *other;

        usleep(50000);
        _exit(xsc_open(&other, path) || xsc_write_str(other, XSC_NO_TX, node, "x"));
    }
    assert_int_equal(xsc_wait_until(xs, node, is_there, node, 5000), 1);
    assert_int_equal(xsc_wait_until(xs, node, is_there, node, 0), 1);
    waitpid(-1, NULL, WNOHANG);
}

static void test_restart(void **state)
{
    uint64_t number;
    uint32_t tx, other;

    assert_int_equal(xsc_write_str(xs, XSC_NO_TX, "/r/n", "1"), 0);
    assert_int_equal(xsc_watch(xs, "/r", "tok"), 0);
    expect_event("/r", "tok");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(xsc_tx_start(xs, &tx), 0);
        assert_int_equal(xsc_write_str(xs, tx, "/r/lost", "1"), 0);
        if (i % 2) {
            assert_int_equal(xsc_tx_post(xs, tx), 0);
            assert_int_equal(xsc_write_str(xs, tx, "/r/lost", "2"), 0); /* on its way */
        }
        stop();
        start();
        assert_int_equal(xsc_writef(xs, XSC_NO_TX, "/r/n", "%d", i), 0);
        expect_event("/r", "tok"); /* set again */
        expect_event("/r/n", "tok");
        assert_int_equal(xsc_tx_start(xs, &other), 0);
        assert_int_not_equal(tx, other);
        assert_int_equal(xsc_write_str(xs, tx, "/r/lost", "1"), -EAGAIN);
        assert_int_equal(xsc_tx_end(xs, tx, true), -EAGAIN);
        assert_int_equal(xsc_tx_end(xs, other, true), 0);
        assert_int_equal(xsc_read_u64(xs, XSC_NO_TX, &number, "/r/n"), 0);
        assert_int_equal(number, i);
    }
    assert_false(xsc_exists(xs, XSC_NO_TX, "/r/lost"));
    xsc_set_retry(xs, 0);
    stop();
    assert_int_equal(xsc_read_u64(xs, XSC_NO_TX, &number, "/r/n"), -ECONNRESET);
    start();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nodes, open_client, close_client),
        cmocka_unit_test_setup_teardown(test_directory, open_client, close_client),
        cmocka_unit_test_setup_teardown(test_permissions, open_client, close_client),
        cmocka_unit_test_setup_teardown(test_posted, open_client, close_client),
        cmocka_unit_test_setup_teardown(test_transactions, open_client, close_client),
        cmocka_unit_test_setup_teardown(test_watches, open_client, close_client),
        cmocka_unit_test_setup_teardown(test_restart, open_client, close_client),
    };

    if (argc > 1) {
        program = argv[1];
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("xsclient", tests, set_up, tear_down);
}
