/*
 * xenstored: the store daemon.
 *
 * Where to read on: wire.h (what a request is), nodeops.h and transaction.h (what it does), watch.h
 * (who hears of it), connection.h and ring.c (how it comes and goes), persist.h (why nothing is
 * lost).
 */
#include "xenstored/liveupdate.h"
#include "xenstored/loop.h"
#include "xenstored/nodeops.h"
#include "xenstored/options.h"
#include "xenstored/platform.h"
#include "xenstored/process.h"
#include "xenstored/record.h"
#include "xenstored/trace.h"
#include "xenstored/transport.h"
#include "xenstored/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <xen/xen.h>

static volatile sig_atomic_t reopen_trace;

static void on_hangup(int signal_number)
{
    reopen_trace = 1;
}

static void prepare(void)
{
    struct sigaction act = {.sa_handler = on_hangup};
    struct rlimit files;

    /* A descriptor for each client. */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }

    sigaction(SIGHUP, &act, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Opens the hypervisor's side; over a live update, with the event channels of the former program.
 */
static void start_machine(const struct options *o)
{
    struct record_global *global = record_global();
    bool bound = o->live_update && global->event_fd >= 0;
    int rc = platform->init(bound ? global->event_fd : -1);

    if (rc < 0) {
        die("cannot work with the hypervisor: %s. Use --no-domain-init to serve sockets only",
            strerror(-rc));
    }
    if (platform->event_fd() >= 0) {
        fcntl(platform->event_fd(), F_SETFD, FD_CLOEXEC);
        rc = loop_add(platform->event_fd(), NULL, LOOP_EVENT);
        if (rc < 0) {
            die("cannot poll the event channels: %s", strerror(-rc));
        }
        if (!bound) {
            rc = platform->bind_virq(VIRQ_DOM_EXC);
            if (rc < 0) {
                log_msg(LOG_ERR, "cannot bind VIRQ_DOM_EXC: %s. Another xenstored is running?",
                        strerror(-rc));
            }
            global->virq_port = rc > 0 ? (uint32_t)rc : 0;
        }
        loop_set_virq_port(global->virq_port);
    }
}

/* The rings of a former life, and Domain 0's. */
static void start_domains(const struct options *o, bool restored)
{
    int rc;

    if (restored) {
        replay_resume_rings(o->live_update && record_global()->event_fd >= 0);
        domain_check_all();
    }
    if (o->domain_init && !domain_find_introduced(0)) {
        rc = domain_introduce_self();
        if (rc < 0) {
            die("cannot reach Domain 0's own store page: %s. Is xenfs mounted on /proc/xen?",
                strerror(-rc));
        }
    }
}

/* Loads the state; true if there was one. The hypervisor must not be needed for this. */
static bool load_store(const struct options *o)
{
    struct path root = path_str("/");
    int rc;

    rc = persist_open(o->state_dir, o->live_update);
    if (rc < 0) {
        die("cannot keep the state in %s: %s", o->state_dir, strerror(-rc));
    }
    /* No root: the one before us was killed before its first commit. */
    if (rc > 0 && tree_get(&root)) {
        log_msg(LOG_INFO, "going on with the state in %s", o->state_dir);
        return true;
    }
    return false;
}

static void start(const struct options *o)
{
    struct record_global *global = record_global();
    bool restored;
    int rc;

    hash_init();
    rc = loop_init();
    if (rc < 0) {
        die("cannot make an epoll descriptor: %s", strerror(-rc));
    }
    restored = load_store(o);
    start_machine(o);
    if (!restored) {
        perm_special_init();
        nodeops_init_tree();
    }
    start_domains(o, restored);
    rc = socket_listen(o->socket, o->live_update ? global->listen_fd : -1);
    if (rc < 0) {
        die("cannot listen on %s: %s", o->socket, strerror(-rc));
    }
    global->listen_fd = global->event_fd = -1;
    if (restored) {
        persist_snapshot(false);
    }
    persist_commit();
    /* Answers that the one before us had no time to send, and requests it had no time to handle. */
    conn_flush_all();
}

int main(int argc, char **argv)
{
    struct options o;

    liveupdate_init(argv);
    options_parse(argc, argv, &o);
    if (o.domain_init) {
        platform = &platform_xen;
    }
#ifdef XENSTORED_FAKE
    if (o.fake_dir) {
        setenv("XENSTORED_FAKE_DIR", o.fake_dir, 0);
        platform = &platform_fake;
    }
#endif
    trace_open();
    mkdir(o.run_dir, 0755);
    if (o.fork && !o.live_update) {
        process_daemonize();
    }
    if (o.supervise && !o.live_update) {
        process_supervise(o.fork);
    }
    if (o.pid_file) {
        process_pidfile(o.pid_file);
    }
    log_to_syslog(o.fork);
    if (o.fork) {
        openlog("xenstored", 0, LOG_DAEMON);
    }
    prepare();
    start(&o);
    if (o.print_pid) {
        printf("%ld\n", (long)getpid());
        fflush(stdout);
    }
    process_ready(o.fork && !o.live_update);
    for (;;) {
        loop_turn(-1);
        if (reopen_trace) {
            reopen_trace = 0;
            trace_open();
        }
    }
}
