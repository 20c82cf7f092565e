/*
 * The command line. Read options.h first.
 */
#include "xenstored/options.h"
#include "xenstored/domain.h"
#include "xenstored/quota.h"
#include "xenstored/trace.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPT_SOCKET = 256, OPT_STATE_DIR, OPT_NO_STATE, OPT_SUPERVISE, OPT_FAKE };

static const struct option long_options[] = {
    {"no-domain-init", no_argument, NULL, 'D'},
    {"entry-nb", required_argument, NULL, 'E'},
    {"pid-file", required_argument, NULL, 'F'},
    {"event", required_argument, NULL, 'e'},
    {"master-domid", required_argument, NULL, 'm'},
    {"help", no_argument, NULL, 'H'},
    {"no-fork", no_argument, NULL, 'N'},
    {"priv-domid", required_argument, NULL, 'p'},
    {"output-pid", no_argument, NULL, 'P'},
    {"entry-size", required_argument, NULL, 'S'},
    {"trace-file", required_argument, NULL, 'T'},
    {"transaction", required_argument, NULL, 't'},
    {"perm-nb", required_argument, NULL, 'A'},
    {"path-max", required_argument, NULL, 'M'},
    {"quota", required_argument, NULL, 'Q'},
    {"quota-soft", required_argument, NULL, 'q'},
    {"timeout", required_argument, NULL, 'w'},
    {"no-recovery", no_argument, NULL, 'R'},
    {"internal-db", optional_argument, NULL, 'I'},
    {"keep-orphans", no_argument, NULL, 'K'},
    {"verbose", no_argument, NULL, 'V'},
    {"watch-nb", required_argument, NULL, 'W'},
    {"live-update", no_argument, NULL, 'U'},
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"state-dir", required_argument, NULL, OPT_STATE_DIR},
    {"no-state", no_argument, NULL, OPT_NO_STATE},
    {"supervise", no_argument, NULL, OPT_SUPERVISE},
    {"fake-xen", required_argument, NULL, OPT_FAKE},
    {NULL, 0, NULL, 0},
};

static void usage(void)
{
    puts("Usage: xenstored [OPTION...]\n"
         "\n"
         "  -D, --no-domain-init    no hypervisor: serve the socket only\n"
         "  -N, --no-fork           stay in the foreground\n"
         "  -F, --pid-file FILE     write the process id, and run once only\n"
         "  -P, --output-pid        print the process id\n"
         "      --socket PATH       listen here (default: $XENSTORED_PATH, or\n"
         "                          $XENSTORED_RUNDIR/socket, or /run/xenstored/socket)\n"
         "      --state-dir DIR     keep the state here (default: the socket's directory)\n"
         "      --no-state          keep no state: a restart starts empty\n"
         "      --supervise         start again at once when killed\n"
         "  -T, --trace-file FILE   write every message\n"
         "  -E, --entry-nb N        nodes per domain\n"
         "  -S, --entry-size N      bytes per node\n"
         "  -W, --watch-nb N        watches per domain\n"
         "  -t, --transaction N     transactions per domain\n"
         "  -A, --perm-nb N         permissions per node\n"
         "  -M, --path-max N        characters of a path\n"
         "  -Q, --quota WHAT=N      transaction-nodes, memory or outstanding\n"
         "  -q, --quota-soft WHAT=N memory: above it, the log says so\n"
         "  -w, --timeout WHAT=SECONDS   watch-event: how long one waits for its domain\n"
         "  -K, --keep-orphans      keep the nodes of domains that have gone (a risk!)\n"
         "  -H, --help              this text\n"
         "\n"
         "-I, -R, -V, -e and -m are accepted and without effect.");
    exit(0);
}

static int number(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (!*text || *end || value < 0 || value > INT_MAX) {
        die("'%s' is not a number that can be used here", text);
    }
    return (int)value;
}

/* "name=value": the value, and the name cut off. */
static int assignment(char *text)
{
    char *eq = strchr(text, '=');

    if (!eq) {
        die("'%s': <what>=<number> is needed", text);
    }
    *eq = '\0';
    return number(eq + 1);
}

static void set_quota(const char *arg, bool soft)
{
    char *text = strdup(arg);
    int value = text ? assignment(text) : 0;
    int *where = text ? quota_find(soft ? quota_soft_names : quota_hard_names, text) : NULL;

    if (!where) {
        die("there is no %squota '%s'", soft ? "soft " : "", text ? text : "");
    }
    *where = value;
    free(text);
}

static void set_timeout(const char *arg)
{
    char *text = strdup(arg);
    int value = text ? assignment(text) : 0;

    if (!text || strcmp(text, "watch-event") != 0 || value > INT_MAX / 1000) {
        die("there is no timeout '%s'", text ? text : "");
    }
    quota.event_timeout_ms = value * 1000;
    free(text);
}

/* Options that set a limit; false if it is none. */
static bool limit(int opt, const char *arg)
{
    switch (opt) {
    case 'E':
        quota.nodes = number(arg);
        return true;
    case 'S':
        quota.node_size = number(arg);
        return true;
    case 'W':
        quota.watches = number(arg);
        return true;
    case 't':
        quota.transactions = number(arg);
        return true;
    case 'A':
        quota.permissions = number(arg);
        return true;
    case 'M':
        quota.path_max = number(arg) < quota.path_max ? number(arg) : quota.path_max;
        return true;
    case 'Q':
    case 'q':
        set_quota(arg, opt == 'q');
        return true;
    case 'w':
        set_timeout(arg);
        return true;
    default:
        return false;
    }
}

static void defaults(struct options *o)
{
    static char path[256];
    const char *run = getenv("XENSTORED_RUNDIR");

    *o = (struct options){.domain_init = true, .fork = true, .keep_state = true};
    o->run_dir = run ? run : "/run/xenstored";
    o->socket = getenv("XENSTORED_PATH");
    if (!o->socket) {
        snprintf(path, sizeof(path), "%s/socket", o->run_dir);
        o->socket = path;
    }
}

static void mode(int opt, const char *arg, struct options *o)
{
    switch (opt) {
    case 'D':
        o->domain_init = false;
        break;
    case 'F':
        o->pid_file = arg;
        break;
    case 'N':
        o->fork = false;
        break;
    case 'P':
        o->print_pid = true;
        break;
    case 'T':
        trace_set_file(arg);
        break;
    case 'U':
        o->live_update = true;
        break;
    case 'K':
        domain_keep_orphans = true;
        break;
    case 'p':
        domain_privileged = (uint32_t)number(arg);
        break;
    case OPT_SOCKET:
        o->socket = arg;
        break;
    case OPT_STATE_DIR:
        o->state_dir = arg;
        break;
    case OPT_NO_STATE:
        o->keep_state = false;
        break;
    case OPT_SUPERVISE:
        o->supervise = true;
        break;
    case OPT_FAKE:
        o->fake_dir = arg;
        break;
    case 'H':
        usage();
        break;
    case '?':
        die("try --help");
        break;
    default:
        break; /* accepted and without effect */
    }
}

void options_parse(int argc, char **argv, struct options *o)
{
    static char dir[256];
    const char *slash;
    int opt;

    defaults(o);
    while ((opt = getopt_long(argc, argv, "DE:F:HI::KNPS:t:A:M:Q:q:T:RVW:w:Ue:m:p:", long_options,
                              NULL)) != -1) {
        if (!limit(opt, optarg)) {
            mode(opt, optarg, o);
        }
    }
    if (optind != argc) {
        die("no arguments are expected after the options");
    }
    if (!o->keep_state) {
        o->state_dir = NULL;
    } else if (!o->state_dir) {
        slash = strrchr(o->socket, '/');
        snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - o->socket) : 1,
                 slash ? o->socket : ".");
        o->state_dir = dir;
    }
}
