/*
 * xenconsoled: the console daemon.
 *
 * Where to read on: console.h (what a console is), domains.h (where they come from), logfile.h.
 */
#include "xenconsoled/console.h"
#include "xenconsoled/domains.h"
#include "xenconsoled/machine.h"
#include "xenstored/client/xsclient.h"
#include "xenstored/process.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <xen/xen.h>

static struct {
    bool interactive, supervise, log_guest, log_hv, stamp_hv;
    const char *log_dir, *pid_file;
} options = {.log_guest = true, .log_dir = "/var/log/xen/console"};

static volatile sig_atomic_t reopen;
static struct logfile hv_log = {.fd = -1};
static uint32_t hv_port, hv_index;

/* --- command line ---------------------------------------------------------------------------- */

static void usage(void)
{
    puts("Usage: xenconsoled [OPTION...]\n"
         "\n"
         "  -i, --interactive        stay in the foreground\n"
         "      --log=WHAT           none, guest (the default), hv or all\n"
         "      --log-dir=DIR        where the logs are (/var/log/xen/console)\n"
         "      --log-limit=BYTES    a log is rotated when it has this size (16M); 0: never\n"
         "      --log-keep=N         how many rotated logs are kept (3)\n"
         "  -t, --timestamp=WHAT     begin lines with the time: none, guest, hv or all\n"
         "      --replace-escape     write '.' for the escape character into logs\n"
         "      --socket-dir=DIR     where clients find DOMID.sock (/run/xenconsoled)\n"
         "      --pid-file=FILE      write the process id, and run once only\n"
         "      --supervise          start again at once when killed\n"
         "  -v, -o, --overflow-data  accepted and without effect\n"
         "  -h, --help               this text\n"
         "  -V, --version            the version");
    exit(0);
}

static void choose(const char *what, bool *guest, bool *hv)
{
    *guest = strcmp(what, "guest") == 0 || strcmp(what, "all") == 0;
    *hv = strcmp(what, "hv") == 0 || strcmp(what, "all") == 0;
    if (!*guest && !*hv && strcmp(what, "none") != 0) {
        die("'%s' is none of none, guest, hv, all", what);
    }
}

/* A number of bytes; K, M and G are understood. */
static uint64_t size_of(const char *text)
{
    char *end;
    unsigned long long n = strtoull(text, &end, 10);
    int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;

    if (end == text || end[shift ? 1 : 0]) {
        die("'%s' is not a number of bytes", text);
    }
    return (uint64_t)n << shift;
}

enum { OPT_LOG_LIMIT = 256, OPT_LOG_KEEP, OPT_SOCKET_DIR, OPT_SUPERVISE };

static void apply(int opt)
{
    switch (opt) {
    case 'h':
        usage();
        break;
    case 'V':
        puts("xenconsoled (Hospes)");
        exit(0);
    case 'i':
        options.interactive = true;
        break;
    case 'l':
        choose(optarg, &options.log_guest, &options.log_hv);
        break;
    case 'r':
        options.log_dir = optarg;
        break;
    case 'p':
        options.pid_file = optarg;
        break;
    case 't':
        choose(optarg, &console_stamp, &options.stamp_hv);
        break;
    case 'e':
        logfile_no_escape = true;
        break;
    case OPT_LOG_LIMIT:
        logfile_limit = size_of(optarg);
        break;
    case OPT_LOG_KEEP:
        logfile_keep = (unsigned)size_of(optarg);
        break;
    case OPT_SOCKET_DIR:
        console_socket_dir = optarg;
        break;
    case OPT_SUPERVISE:
        options.supervise = true;
        break;
    case '?':
        die("try --help");
        break;
    default:
        break;
    }
}

static void parse(int argc, char **argv)
{
    static const struct option longs[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {"verbose", no_argument, NULL, 'v'},
        {"interactive", no_argument, NULL, 'i'},
        {"log", required_argument, NULL, 'l'},
        {"log-dir", required_argument, NULL, 'r'},
        {"pid-file", required_argument, NULL, 'p'},
        {"timestamp", required_argument, NULL, 't'},
        {"overflow-data", required_argument, NULL, 'o'},
        {"replace-escape", no_argument, NULL, 'e'},
        {"log-limit", required_argument, NULL, OPT_LOG_LIMIT},
        {"log-keep", required_argument, NULL, OPT_LOG_KEEP},
        {"socket-dir", required_argument, NULL, OPT_SOCKET_DIR},
        {"supervise", no_argument, NULL, OPT_SUPERVISE},
        {NULL, 0, NULL, 0},
    };
    int opt;

    console_socket_dir = "/run/xenconsoled";
    while ((opt = getopt_long(argc, argv, "hVvit:o:", longs, NULL)) != -1) {
        apply(opt);
    }
    if (optind != argc) {
        die("no arguments are expected after the options");
    }
}

/* ---- start ---- */

static void on_hangup(int signal_number)
{
    reopen = 1;
}

static void make_dir(const char *path, mode_t mode)
{
    char part[256];

    /* Every directory on the way. */
    for (size_t i = 1; path[i] && i < sizeof(part) - 1; i++) {
        if (path[i] == '/') {
            memcpy(part, path, i);
            part[i] = '\0';
            mkdir(part, 0755);
        }
    }
    if (mkdir(path, mode) < 0 && errno != EEXIST) {
        log_msg(LOG_ERR, "cannot make the directory %s: %m", path);
    }
}

static void prepare(void)
{
    struct sigaction act = {.sa_handler = on_hangup};
    struct rlimit files;

    sigaction(SIGHUP, &act, NULL);
    signal(SIGPIPE, SIG_IGN);
    /* A pty, its other end, a socket and a log for each guest. */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    make_dir(console_socket_dir, 0755);
    make_dir(options.log_dir, 0755);
    console_log_dir = options.log_guest ? options.log_dir : NULL;
}

static void start_hv_log(void)
{
    int port;

    if (!options.log_hv) {
        return;
    }
    port = machine->bind_virq(VIRQ_CON_RING);
    if (port < 0) {
        log_msg(LOG_ERR, "cannot bind VIRQ_CON_RING: %s", strerror(-port));
        return;
    }
    hv_port = (uint32_t)port;
    logfile_open(&hv_log, options.log_dir, "hypervisor", "");
}

static void take_hv_log(void)
{
    char data[4096];
    int n;

    while ((n = machine->read_log(data, sizeof(data), &hv_index)) > 0) {
        logfile_make_room(&hv_log);
        logfile_write(&hv_log, data, (size_t)n, options.stamp_hv);
    }
}

static struct xsc *start(void)
{
    struct epoll_event e = {.events = EPOLLIN};
    struct xsc *xs;
    int rc;

    rc = console_init();
    if (rc < 0) {
        die("cannot use the directory %s: %s", console_socket_dir, strerror(-rc));
    }
    rc = machine->init();
    if (rc < 0) {
        die("cannot work with the hypervisor: %s", strerror(-rc));
    }
    rc = xsc_open(&xs, NULL);
    if (rc < 0) {
        die("cannot reach the store: %s. Is xenstored running?", strerror(-rc));
    }
    xsc_set_retry(xs, 60000);
    console_epoll = epoll_create1(EPOLL_CLOEXEC);
    e.data.u64 = 0; /* 0: an event channel. Anything else: a reader. */
    if (console_epoll < 0 || epoll_ctl(console_epoll, EPOLL_CTL_ADD, machine->event_fd(), &e) < 0) {
        die("cannot poll the event channels: %m");
    }
    start_hv_log();
    rc = domains_watch(xs);
    if (rc < 0) {
        die("cannot watch the store: %s", strerror(-rc));
    }
    return xs;
}

/* ---- work ---- */

static void take_ports(void)
{
    uint32_t ports[64];
    int n = machine->pending(ports, 64);

    for (int i = 0; i < n; i++) {
        if (hv_port && ports[i] == hv_port) {
            machine->unmask(ports[i]);
            take_hv_log();
        } else if (!console_event(ports[i])) {
            machine->unmask(ports[i]);
        }
    }
}

/* The store's descriptor can change (it reconnects): put the one that counts into epoll. */
static void poll_store(struct xsc *xs)
{
    static int polled = -1;
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = 1};

    if (xsc_fd(xs) != polled || epoll_ctl(console_epoll, EPOLL_CTL_MOD, xsc_fd(xs), &e) < 0) {
        polled = xsc_fd(xs);
        epoll_ctl(console_epoll, EPOLL_CTL_ADD, polled, &e);
    }
}

static void turn(struct xsc *xs)
{
    struct epoll_event events[1];
    int rc = domains_take_events(xs);

    if (rc < 0) {
        die("the store is gone: %s", strerror(-rc));
    }
    poll_store(xs);
    /* One at a time: handling one may free what another one is about. */
    if (epoll_wait(console_epoll, events, 1, console_timers(now_ms())) == 1) {
        if (events[0].data.u64 == 0) {
            take_ports();
        } else if (events[0].data.u64 != 1) {
            console_reader_event(events[0].data.ptr, events[0].events);
        }
    }
    if (reopen) {
        reopen = 0;
        console_reopen_logs();
        logfile_reopen(&hv_log);
    }
}

int main(int argc, char **argv)
{
    struct xsc *xs;

    parse(argc, argv);
#ifdef XENCONSOLED_FAKE
    machine = &machine_fake;
#endif
    if (!options.interactive) {
        process_daemonize();
    }
    if (options.supervise) {
        process_supervise(!options.interactive);
    }
    if (options.pid_file) {
        process_pidfile(options.pid_file);
    }
    if (!options.interactive) {
        log_to_syslog(true);
        openlog("xenconsoled", LOG_CONS, LOG_DAEMON);
    }
    prepare();
    xs = start();
    if (options.log_hv) {
        take_hv_log();
    }
    process_ready(!options.interactive);
    for (;;) {
        turn(xs);
    }
}
