/*
 * xend is killed with SIGKILL at random moments under load, again and again. Whatever the moment:
 * no guest that nobody touched changes, no stored configuration is lost, no creation or destruction
 * stays half done, and at the end everything that was taken is given back.
 */
#include "tests/unit/xend_env.h"

#include "xend/lib/alloc.h"
#include "xend/lib/sxp.h"
#include "xend/lib/xmlrpc.h"
#include "xenstored/client/xsclient.h"
#include "xm/client.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLS   100
#define WORKERS 3

static pid_t daemon_pid;
static volatile bool ending;
static unsigned done, refused; /* calls of the workers, for the report */

static void start_daemon_with(const char *option)
{
    const char *socket = env_file("api", 0), *state = env_file("state", 0);
    const char *store = env_file("socket", 0), *log = env_file("xend.log", 0);

    daemon_pid = fork();
    if (daemon_pid == 0) {
        execl("build/tests/xend-fake", "xend", "-c", "/dev/null", "-s", socket, "-d", state, "-x",
              store, "-l", log, option, (char *)NULL);
        _exit(127);
    }
}

static void start_daemon(void)
{
    start_daemon_with(NULL);
}

static void kill_daemon(void)
{
    kill(daemon_pid, SIGKILL);
    waitpid(daemon_pid, NULL, 0);
}

static int api(const char *method, struct value *args, struct value **result)
{
    struct error err;

    return client_call(method, args, result, &err);
}

static void wait_for_api(void)
{
    for (int i = 0; api("xend.domains", NULL, NULL) != 0; i++) {
        if (i > 1000) {
            fail_msg("xend does not answer");
        }
        env_nap();
    }
}

/* Everything that changes a domain, in a random order; many calls fail, because xend is dead. */
static void *worker(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    char name[16], config[200];

    snprintf(name, sizeof(name), "w%u", seed);
    snprintf(config, sizeof(config),
             "name='%s'\nmemory=32\nvif=['']\ndisk=['file:%s/%s.img,xvda,w']", name, env_folder(),
             name);
    while (!ending) {
        int rc;

        switch (rand_r(&seed) % 6) {
        case 0:
        case 1:
            rc = api("xend.domain.create", client_args("v", env_config(config)), NULL);
            api("xend.domain.unpause", client_args("s", name), NULL);
            break;
        case 2:
            rc = api("xend.domain.destroy", client_args("s", name), NULL);
            break;
        case 3:
            rc = api("xend.domain.shutdown", client_args("ss", name, "reboot"), NULL);
            break;
        case 4:
            rc = api("xend.domain.destroyDevice", client_args("sssi", name, "vif", "0", 1), NULL);
            break;
        default:
            rc = api("xend.domain.setMemoryTarget", client_args("si", name, 16 + (int)seed % 16),
                     NULL);
            break;
        }
        rc == 0 ? __atomic_add_fetch(&done, 1, __ATOMIC_RELAXED)
                : __atomic_add_fetch(&refused, 1, __ATOMIC_RELAXED);
        usleep(1000 + (unsigned)rand_r(&seed) % 4000);
    }
    return NULL;
}

static int64_t number(const char *which, const char *key)
{
    auto_value d = NULL;

    return api("xend.domain", client_args("si", which, 1), &d) == 0 ? sxp_get_int(d, key, -1) : -1;
}

/* Every domain of the hypervisor is known and no operation is under way. */
static bool settled(void)
{
    auto_value list = NULL;

    if (api("xend.domains_with_state", client_args("isi", 1, "all", 0), &list) != 0) {
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct value *d = list->items[i];
        const char *phase = sxp_get_text(d, "phase", "");

        if (sxp_get_int(d, "domid", -1) != 0 &&
            (sxp_get_int(d, "foreign", 1) != 0 ||
             (strcmp(phase, "running") != 0 && strcmp(phase, "halted") != 0))) {
            return false;
        }
    }
    return true;
}

/* Children of a path of the store that are no domain of the hypervisor. */
static unsigned strays(const char *path)
{
    char **names;
    struct xsc *xs;
    size_t n;
    unsigned count = 0;

    assert_int_equal(xsc_open(&xs, env_file("socket", 0)), 0);
    if (xsc_directory(xs, XSC_NO_TX, path, &names, &n) == 0) {
        for (size_t i = 0; i < n; i++) {
            fake_lock();
            count += fake_find((uint32_t)atoi(names[i])) == NULL;
            fake_unlock();
        }
        free(names);
    }
    xsc_close(xs);
    return count;
}

static void check_rest(int rock)
{
    env_until(settled());
    assert_int_equal(number("rock", "domid"), rock);
    assert_int_equal(number("rock", "restarts"), 0);
    assert_int_equal(fake_find((uint32_t)rock)->runs, 1);
    assert_string_equal(env_store("/local/domain/0/backend/vbd/%d/51712/state", rock), "4");
    assert_int_equal(number("kept", "memory"), 77);
    assert_int_equal(strays("/local/domain"), 0);
    assert_int_equal(strays("/local/domain/0/backend/vbd"), 0);
    assert_int_equal(strays("/local/domain/0/backend/vif"), 0);
}

static void destroy_all(void)
{
    auto_value names = NULL;

    assert_int_equal(api("xend.domains", client_args("i", 0), &names), 0);
    for (size_t i = 0; i < names->count; i++) {
        api("xend.domain.destroy", client_args("s", names->items[i]->string), NULL);
    }
    env_until(fake_guests() == 0);
    assert_int_equal(fake_free_pages(), 3072ull * 256);
}

static int make_rock(void)
{
    char config[200];

    snprintf(config, sizeof(config), "name='rock'\nmemory=32\ndisk=['file:%s,xvda,w']",
             env_file("rock.img", 4096));
    assert_int_equal(api("xend.domain.create", client_args("v", env_config(config)), NULL), 0);
    assert_int_equal(api("xend.domain.unpause", client_args("s", "rock"), NULL), 0);
    assert_int_equal(
        api("xend.domain.new", client_args("v", env_config("name='kept'\nmemory=77")), NULL), 0);
    return (int)number("rock", "domid");
}

static void test_killed(void **state)
{
    pthread_t threads[WORKERS];
    unsigned seed = 1;
    int rock;

    fake_hv()->build_ms = 20;
    for (int i = 0; i < WORKERS; i++) {
        char image[24];

        snprintf(image, sizeof(image), "w%d.img", i);
        env_file(image, 4096);
    }
    start_daemon();
    wait_for_api();
    rock = make_rock();
    for (int i = 0; i < WORKERS; i++) {
        pthread_create(&threads[i], NULL, worker, (void *)(uintptr_t)i);
    }
    for (int i = 0; i < KILLS; i++) {
        usleep(100000 + (unsigned)rand_r(&seed) % 250000);
        kill_daemon();
        start_daemon();
        if (i % 10 == 9) {
            wait_for_api();
        }
    }
    wait_for_api();
    ending = true;
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("# %u calls worked, %u were refused or met a dead xend\n", done, refused);
    assert_true(done > KILLS);
    check_rest(rock);
    destroy_all();
    assert_int_equal(number("kept", "memory"), 77);
}

/* How often a domain was unpaused; -1: there is none. */
static int64_t runs(const char *which)
{
    int64_t domid = number(which, "domid"), n = -1;

    fake_lock();
    if (domid > 0 && fake_find((uint32_t)domid) != NULL) {
        n = (int64_t)fake_find((uint32_t)domid)->runs;
    }
    fake_unlock();
    return n;
}

/* Stored domains start with the machine, in their order, and not again when only xend starts. */
static void test_autostart(void **state)
{
    struct value *first = env_config("name='auto-b'\nmemory=16\nautostart=1\nautostart_order=1");
    struct value *second = env_config("name='auto-a'\nmemory=16\nautostart=1\nautostart_order=2");

    assert_int_equal(api("xend.domain.new", client_args("v", second), NULL), 0);
    assert_int_equal(api("xend.domain.new", client_args("v", first), NULL), 0);
    kill_daemon();
    unlink(env_file("state/autostarted", 0)); /* as after a boot of the machine */
    fake_hv()->build_ms = 200;
    start_daemon();
    wait_for_api();
    env_until(runs("auto-b") == 1);
    kill_daemon(); /* while auto-a is being built */
    start_daemon();
    wait_for_api();
    env_until(runs("auto-a") == 1);
    assert_int_equal(runs("auto-b"), 1);
    assert_in_range(number("auto-b", "domid"), 1, number("auto-a", "domid") - 1);
    assert_int_equal(api("xend.domain.shutdown", client_args("s", "auto-a"), NULL), 0);
    env_until(number("auto-a", "domid") == -1);
    kill_daemon();
    start_daemon();
    wait_for_api();
    usleep(300000);
    assert_int_equal(number("auto-a", "domid"), -1);
    assert_true(number("auto-b", "domid") > 0);
    destroy_all();
}

static void test_two_daemons(void **state)
{
    pid_t first = daemon_pid, pid;
    int status;

    start_daemon();
    pid = daemon_pid;
    daemon_pid = first;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    assert_int_equal(api("xend.domains", NULL, NULL), 0);
}

/* The process that serves, as its lock names it. */
static pid_t serving(void)
{
    FILE *f = fopen(env_file("state/lock", 0), "r");
    int pid = 0;

    if (f != NULL) {
        if (fscanf(f, "%d", &pid) != 1) {
            pid = 0;
        }
        fclose(f);
    }
    return pid;
}

/* Killed, it comes back by itself; told to end, it ends, and its supervisor with it. */
static void test_supervised(void **state)
{
    pid_t killed = 0;
    int status;

    kill_daemon();
    start_daemon_with("--supervise");
    for (int i = 0; i < 12; i++) {
        env_until(serving() > 0 && serving() != killed && serving() != daemon_pid);
        wait_for_api();
        killed = serving();
        assert_int_equal(kill(killed, SIGKILL), 0);
    }
    env_until(serving() != killed);
    wait_for_api();
    assert_int_equal(kill(daemon_pid, SIGTERM), 0);
    assert_int_equal(waitpid(daemon_pid, &status, 0), daemon_pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(api("xend.domains", NULL, NULL) != 0);
    start_daemon();
    wait_for_api();
}

static int begin(void **state)
{
    struct error err;

    env_start(false);
    client_server(env_file("api", 0));
    return xmlrpc_library_init(&err);
}

static int end(void **state)
{
    kill_daemon();
    env_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_autostart),
        cmocka_unit_test(test_two_daemons),
        cmocka_unit_test(test_supervised),
    };

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
    return cmocka_run_group_tests(tests, begin, end);
}
