/*
 * network-nat and network-route {start|stop|status|plan|recover} [name=value...]: the host's side
 * of NAT and of route mode, as one transaction. xend runs them. Read first: host_modes.h.
 */
#include "network/program/network_host.h"

#include "network/bridge_options.h"
#include "network/change_service.h"
#include "network/dnsmasq.h"
#include "network/forwarding.h"
#include "network/host_modes.h"
#include "network/nat.h"
#include "network/program/common.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "network-nat, network-route: guests behind this machine's address, or routed through it\n"
    "\n"
    "  network-nat start|stop [name=value...]    do it, or roll it back if the network dies\n"
    "  network-nat plan [start|stop] [...]       show what that would do, and do nothing\n"
    "  network-nat status [...]                  how things stand\n"
    "  network-nat recover                       roll back what a killed program left\n"
    "\n"
    "  bridge=virbr0               NAT mode's bridge\n"
    "  network=192.168.122.1/24    this machine's address on it\n"
    "  network6=fd00:122::1/64     the same for IPv6 (default: none)\n"
    "  probe=ADDRESS     what must answer a ping afterwards, besides the gateways\n"
    "  wait=SECONDS      for the cable (15) and, a third of it, for answers\n"
    "  details=yes       plan: every single change\n"
    "  json=yes          plan: for programs\n"
    "  state=FOLDER      of the journal (default " STATE_DIR "/host)\n"
    "  run=FOLDER        of what dnsmasq and forwarding note (default /run/hospes)\n";

struct words {
    struct program_words all;
    const char *bridge, *network, *network6, *probe;
};

static void set_run(const char *folder)
{
    auto_str nat = xprintf("%s/nat", folder);
    auto_str forwarding = xprintf("%s/forwarding", folder);

    dnsmasq_folder(nat);
    forwarding_file(forwarding);
}

static int set_option(const char *word, void *arg, struct error *err)
{
    struct words *w = arg;
    const char *value;

    if ((value = option_value(word, "bridge")) != NULL) {
        w->bridge = value;
    } else if ((value = option_value(word, "network")) != NULL) {
        w->network = value;
    } else if ((value = option_value(word, "network6")) != NULL) {
        w->network6 = value;
    } else if ((value = option_value(word, "probe")) != NULL) {
        w->probe = value;
    } else if ((value = option_value(word, "run")) != NULL) {
        set_run(value);
    } else {
        return fail(err, EINVAL,
                    "%s is not understood: bridge=, network=, network6=, probe=, run= are.", word);
    }
    return 0;
}

static int make_plan(struct netlink *nl, const struct host_mode *mode, const struct words *w,
                     bool start, struct plan *plan, struct error *err)
{
    int rc = mode->plan(nl, start, plan, err);

    return rc ? rc : host_probe(nl, plan, w->probe, err);
}

static int do_run(struct netlink *nl, const struct host_mode *mode, const struct words *w,
                  bool start, struct error *err)
{
    auto_plan plan = {0};
    struct transaction t;
    int rc = program_open(&t, &w->all, err);

    rc = rc ? rc : make_plan(nl, mode, w, start, &plan, err);
    rc = rc ? rc : transaction_run(&t, nl, &plan, &w->all.times, err);
    transaction_close(&t);
    return rc;
}

static int do_plan(struct netlink *nl, const struct host_mode *mode, const struct words *w,
                   struct error *err)
{
    auto_plan plan = {0};
    int rc = make_plan(nl, mode, w, !w->all.stop, &plan, err);

    if (rc == 0) {
        program_print_plan(nl, &plan, &w->all);
    }
    return rc;
}

/* 0; 1: the command is none of these; -errno */
static int run_command(struct netlink *nl, const struct host_mode *mode, const struct words *w,
                       struct error *err)
{
    const char *command = w->all.command;
    bool start = strcmp(command, "start") == 0;
    int rc = 0;

    if (start || strcmp(command, "stop") == 0) {
        rc = do_run(nl, mode, w, start, err);
    } else if (strcmp(command, "plan") == 0) {
        return do_plan(nl, mode, w, err);
    } else if (strcmp(command, "recover") == 0) {
        return program_recover(&w->all, err);
    } else if (strcmp(command, "status") != 0) {
        return 1;
    }
    if (rc == 0) {
        char said[PROCESS_SAID];

        mode->status(nl, said);
        puts(said);
    }
    return rc;
}

int network_host_main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];
    struct words w = {.all = {"", STATE_DIR "/host", .times = transaction_times_usual}};
    const struct host_mode *mode = host_mode(name);
    auto_netlink nl = {0};
    struct error err = {0};
    int rc;

    w.all.times.hold_ms = 100; /* no cable goes down and up in these modes */
    change_service = change_do_service;
    if (mode == NULL || program_parse(argc, argv, &w.all, set_option, &w) != 0) {
        fputs(usage, stderr);
        return 2;
    }
    rc = nat_configure(w.bridge, w.network, w.network6, &err);
    rc = rc ? rc : netlink_open(&nl, &err);
    rc = rc ? rc : run_command(&nl, mode, &w, &err);
    if (rc > 0) {
        bool help = argc > 1 && strcmp(argv[1], "--help") == 0;

        fputs(usage, help ? stdout : stderr);
        return help ? 0 : 2;
    }
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", name, err.msg);
    }
    return rc < 0;
}
