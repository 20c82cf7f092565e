/*
 * What xend's tests stand on. Read xend_env.h first.
 */
#include "tests/unit/xend_env.h"

#include "xend/api.h"
#include "xend/lib/alloc.h"
#include "xend/lib/cfg_parse.h"
#include "xend/lib/options.h"
#include "xend/lib/sxp.h"
#include "xend/lib/xmlrpc.h"
#include "xend/log.h"
#include "xend/loop.h"
#include "xend/recover.h"
#include "xend/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];
static pid_t store;
static struct xsc *xs;
static volatile bool ending;
static pthread_t world_thread, loop_thread;
static bool has_core;

const char *env_folder(void)
{
    return folder;
}

const char *env_file(const char *name, unsigned size)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char paths[64][160];
    static unsigned count;
    unsigned i;
    int fd;

    pthread_mutex_lock(&lock);
    for (i = 0; i < count && strcmp(paths[i] + strlen(folder) + 1, name) != 0; i++) {
    }
    if (i == count) {
        count++;
        snprintf(paths[i], sizeof(paths[i]), "%s/%s", folder, name);
    }
    pthread_mutex_unlock(&lock);
    if (size > 0) {
        fd = open(paths[i], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0 && ftruncate(fd, size) == 0);
        close(fd);
    }
    return paths[i];
}

static void start_store(void)
{
    const char *socket = env_file("socket", 0);

    store = fork();
    if (store == 0) {
        setenv("XENSTORED_FAKE_DIR", folder, 1);
        execl("build/tests/xenstored-fake", "xenstored-fake", "-N", "--socket", socket,
              "--no-state", "--fake-xen", folder, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; xsc_open(&xs, socket) != 0; i++) {
        if (i > 500) {
            fail_msg("xenstored-fake does not start");
        }
        usleep(10000);
    }
}

static void *world(void *arg)
{
    struct xsc *own = NULL;

    if (xsc_open(&own, env_file("socket", 0)) != 0) {
        return NULL;
    }
    while (!ending) {
        if (!world_step(own)) {
            usleep(2000);
        }
    }
    xsc_close(own);
    return NULL;
}

static void *loop(void *arg)
{
    struct error err;

    loop_run(&err);
    return NULL;
}

static void start_core(void)
{
    struct error err = {0};

    settings_init();
    str_set(&settings.state_dir, env_file("state", 0));
    str_set(&settings.store, env_file("socket", 0));
    settings.device_timeout = 1;
    assert_int_equal(log_open(env_file("log", 0), &err), 0);
    assert_int_equal(record_init(&err), 0);
    assert_int_equal(xmlrpc_library_init(&err), 0);
    if (recover(&err) != 0) {
        fail_msg("%s", err.msg);
    }
    loop_block_signals();
    pthread_create(&loop_thread, NULL, loop, NULL);
}

void env_start(bool core)
{
    snprintf(folder, sizeof(folder), "/tmp/xend-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    setenv("XEND_FAKE", folder, 1);
    fake_hv();
    env_file("kernel", 4096);
    env_file("ring-0", 4096);
    env_file("dom-0", 1);
    start_store();
    ending = false;
    pthread_create(&world_thread, NULL, world, NULL);
    has_core = core;
    if (core) {
        start_core();
    }
}

void env_stop(void)
{
    char command[128];

    if (has_core) {
        pthread_kill(loop_thread, SIGTERM);
        pthread_join(loop_thread, NULL);
        session_drain();
    }
    ending = true;
    pthread_join(world_thread, NULL);
    xsc_close(xs);
    kill(store, SIGKILL);
    waitpid(store, NULL, 0);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    if (system(command) != 0) {
        fprintf(stderr, "# %s was not removed\n", folder);
    }
}

int env_group_start(void **state)
{
    env_start(true);
    return 0;
}

int env_group_stop(void **state)
{
    env_stop();
    return 0;
}

struct value *env_config(const char *text)
{
    auto_value config = NULL;
    auto_value warnings = value_list();
    auto_str whole = xprintf("%s\nkernel = '%s'\n", text, env_file("kernel", 0));
    struct domain_config cfg;
    struct error err = {0};
    struct value *sxp = sxp_new("vm");

    if (cfg_parse("test", whole, strlen(whole), &config, &err) != 0 ||
        options_read("test", config, &cfg, warnings, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    domcfg_to_sxp(&cfg, sxp);
    domcfg_finish(&cfg);
    return sxp;
}

struct value *env_ok(const char *method, struct value *args)
{
    auto_value owned = args ? args : value_list();
    struct value *result = NULL;
    struct error err = {0};
    int fault = 0;

    if (api_call(method, owned, false, &result, &fault, &err) != 0) {
        fail_msg("%s: %s", method, err.msg);
    }
    return result;
}

void env_do(const char *method, struct value *args)
{
    value_free(env_ok(method, args));
}

void env_fails(int code, const char *part, const char *method, struct value *args)
{
    auto_value owned = args ? args : value_list();
    struct value *result = NULL;
    struct error err = {0};
    int fault = 0, rc = api_call(method, owned, false, &result, &fault, &err);

    if (rc != -code || strstr(err.msg, part) == NULL) {
        fail_msg("%s: got %d (%s) instead of %d (%s)", method, rc, rc ? err.msg : "it worked",
                 -code, part);
    }
}

struct value *env_args(const char *types, ...)
{
    struct value *list = value_list();
    va_list ap;

    va_start(ap, types);
    for (; *types != '\0'; types++) {
        if (*types == 's') {
            list_add(list, value_string(va_arg(ap, const char *)));
        } else if (*types == 'i') {
            list_add(list, value_int(va_arg(ap, int)));
        } else {
            list_add(list, va_arg(ap, struct value *));
        }
    }
    va_end(ap);
    return list;
}

void env_nap(void)
{
    usleep(10000);
}

const char *env_store(const char *fmt, ...)
{
    static char text[512];
    char path[256], *value = NULL;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    snprintf(text, sizeof(text), "%s",
             xsc_read(xs, XSC_NO_TX, path, &value, NULL) == 0 ? value : "");
    free(value);
    return text;
}

const char *env_perms(const char *fmt, ...)
{
    static char text[128];
    static const char letters[] = "nrwb";
    char path[256];
    struct xsc_perm *perms = NULL;
    size_t n = 0, used = 0;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    text[0] = '\0';
    if (xsc_get_perms(xs, XSC_NO_TX, path, &perms, &n) == 0) {
        for (size_t i = 0; i < n && used < 100; i++) {
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%c%u", i ? "," : "",
                                     letters[perms[i].access & 3], perms[i].domid);
        }
    }
    free(perms);
    return text;
}

void env_store_write(const char *value, const char *fmt, ...)
{
    char path[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    assert_int_equal(xsc_write_str(xs, XSC_NO_TX, path, value), 0);
}
