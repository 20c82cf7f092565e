/*
 * xend: the management daemon. Manual: docs/man/xend.8.
 *
 * Read next: api.c (what can be asked), life.h (what then happens), record.h (why xend may be
 * killed at any moment), domain.h (who may change what).
 */
#include "network/bridge.h"
#include "network/host.h"
#include "network/mode.h"
#include "network/nat.h"
#include "network/script.h"
#include "xend/background.h"
#include "xend/events.h"
#include "xend/http.h"
#include "xend/lib/alloc.h"
#include "xend/lib/xmlrpc.h"
#include "xend/log.h"
#include "xend/loop.h"
#include "xend/prepare.h"
#include "xend/record.h"
#include "xend/recover.h"
#include "xend/session.h"
#include "xend/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STORE_WAIT_S 10
#define STOP_WAIT_MS 10000

static const char usage[] =
    "xend: the management daemon of Hospes\n"
    "\n"
    "  xend [options] [start | stop | status]\n"
    "\n"
    "  start            run in the background (the default is the foreground)\n"
    "  stop, status     end the one that runs, or say whether one does\n"
    "  -c, --config FILE      settings, instead of " XEND_CONF "\n"
    "  -s, --socket PATH      socket of the API\n"
    "  -d, --state-dir PATH   where records of domains are kept\n"
    "  -x, --store PATH       socket of xenstored\n"
    "  -l, --log FILE         log; without it standard error\n"
    "  -S, --supervise        start it again when a signal kills it\n"
    "  -h, --help\n";

static bool supervise;

/* The lock names the running xend: two with one state folder would destroy each other's work. */
static int take_lock(int *fd, struct error *err)
{
    auto_str path = xprintf("%s/lock", settings.state_dir);
    char pid[16];

    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0) {
        return fail(err, errno, "The lock %s cannot be opened: %s.", path, strerror(errno));
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        return fail(err, EBUSY, "Another xend is running: xend stop ends it.");
    }
    snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    if (ftruncate(*fd, 0) != 0 || pwrite(*fd, pid, strlen(pid), 0) < 0) {
        return fail(err, errno, "The lock %s cannot be written: %s.", path, strerror(errno));
    }
    return 0;
}

/* The process that holds the lock, or 0. */
static pid_t running_pid(void)
{
    auto_str path = xprintf("%s/lock", settings.state_dir);
    char text[16] = "";
    int fd = open(path, O_RDWR | O_CLOEXEC);
    pid_t pid = 0;

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && pread(fd, text, sizeof(text) - 1, 0) > 0) {
        pid = (pid_t)atoi(text);
    }
    if (fd >= 0) {
        close(fd);
    }
    return pid;
}

static int stop_running(void)
{
    pid_t pid = running_pid();
    struct pollfd end = {.events = POLLIN};

    if (pid <= 0) {
        puts("xend is not running.");
        return 0;
    }
    end.fd = (int)syscall(SYS_pidfd_open, pid, 0);
    kill(pid, SIGTERM);
    if (end.fd >= 0) {
        poll(&end, 1, STOP_WAIT_MS);
        close(end.fd);
    }
    return running_pid() == pid;
}

static void *autostart_thread(void *arg)
{
    autostart();
    return NULL;
}

/* Domain 0's own nodes, which every listing tool looks for. */
static void name_dom0(void)
{
    struct error err;
    auto_session s = NULL;

    if (session_get(&s, &err) == 0 && !xsc_exists(s->xs, XSC_NO_TX, "/local/domain/0/name")) {
        xsc_write_str(s->xs, XSC_NO_TX, "/local/domain/0/name", "Domain-0");
        xsc_write_str(s->xs, XSC_NO_TX, "/local/domain/0/domid", "0");
    }
}

/* The store may still be starting: give it some seconds. */
static int wait_for_store(struct error *err)
{
    auto_session s = NULL;
    int rc = session_get(&s, err);

    for (int i = 0; rc != 0 && i < STORE_WAIT_S * 5; i++) {
        usleep(200000);
        rc = session_get(&s, err);
    }
    return rc;
}

static int configure_network(struct error *err)
{
    int rc = bridge_configure(settings.bridge, settings.vif_antispoof, err);

    net_set_script(settings.vif_script);
    script_set_timeout(settings.device_timeout);
    return rc ? rc
              : nat_configure(settings.nat_bridge, settings.nat_network, settings.nat_network6,
                              err);
}

static int run(struct error *err)
{
    pthread_t thread;
    int lock, rc = record_init(err);

    rc = rc ? rc : take_lock(&lock, err);
    rc = rc ? rc : log_open(settings.log_file, err);
    rc = rc ? rc : xmlrpc_library_init(err);
    if (rc != 0) {
        return rc;
    }
    rc = configure_network(err);
    if (rc != 0) {
        return rc;
    }
    host_configure(settings.state_dir, settings.network_script);
    host_start();
    loop_block_signals();
    rc = wait_for_store(err);
    rc = rc ? rc : recover(err);
    if (rc != 0) {
        return rc;
    }
    name_dom0();
    rc = http_start(err);
    if (rc == 0 && pthread_create(&thread, NULL, autostart_thread, NULL) == 0) {
        pthread_detach(thread);
    }
    if (rc == 0) {
        prepare_start();
        background_ready(NULL);
        rc = loop_run(err);
        log_info("xend ends.");
    }
    http_stop();
    events_stop();
    return rc;
}

static int parse(int argc, char **argv, const char **config, const char **command)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"socket", required_argument, NULL, 's'},
        {"state-dir", required_argument, NULL, 'd'},
        {"store", required_argument, NULL, 'x'},
        {"log", required_argument, NULL, 'l'},
        {"supervise", no_argument, NULL, 'S'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    char **fields[128] = {
        ['s'] = &settings.socket,
        ['d'] = &settings.state_dir,
        ['x'] = &settings.store,
        ['l'] = &settings.log_file,
    };
    bool second = *config != NULL; /* the command line goes over the file: it is read twice */
    int c;

    optind = 1;
    while ((c = getopt_long(argc, argv, "c:s:d:x:l:Sh", options, NULL)) != -1) {
        if (c == 'h') {
            fputs(usage, stdout);
            exit(0);
        }
        if (c == 'c' && !second) {
            *config = optarg;
        } else if (c == 'S') {
            supervise = true;
        } else if (c == '?') {
            return -EINVAL;
        } else if (c != 'c') {
            str_set(fields[c], optarg);
        }
    }
    *command = optind < argc ? argv[optind] : "";
    return 0;
}

int main(int argc, char **argv)
{
    const char *config = NULL, *command = "";
    struct error err = {0};
    bool named;
    int rc;

    settings_init();
    if (parse(argc, argv, &config, &command) != 0) {
        fputs(usage, stderr);
        return 2;
    }
    named = config != NULL;
    config = named ? config : XEND_CONF;
    rc = settings_read(config, !named, &err);
    if (rc == 0) {
        parse(argc, argv, &config, &command);
        rc = settings_check(&err);
    }
    if (rc == 0 && command[0] != '\0' && strcmp(command, "start") != 0 &&
        strcmp(command, "stop") != 0 && strcmp(command, "status") != 0) {
        fputs(usage, stderr);
        return 2;
    }
    if (rc == 0 && strcmp(command, "stop") == 0) {
        return stop_running();
    }
    if (rc == 0 && strcmp(command, "status") == 0) {
        pid_t pid = running_pid();

        printf(pid > 0 ? "xend is running (process %d).\n" : "xend is not running.\n", (int)pid);
        return pid > 0 ? 0 : 3;
    }
    if (rc == 0 && strcmp(command, "start") == 0) {
        rc = background_start(settings.log_file == NULL, &err);
    }
    rc = rc || !supervise ? rc : background_supervise(&err);
    rc = rc ? rc : run(&err);
    if (rc != 0) {
        fprintf(stderr, "xend: %s\n", err.msg);
        background_ready(err.msg);
    }
    /* Threads of running requests are not waited for: xend may end at any moment. */
    fflush(NULL);
    _exit(rc ? 1 : 0);
}
