/*
 * network-bridge {start|stop|status|plan|recover} [name=value...]: the classic script's interface,
 * as a program. It does the whole of bridge mode itself, without a shell. xend runs it.
 */
#include "network/program/network_bridge.h"

#include "network/bridge_options.h"
#include "network/program/common.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static const char usage[] =
    "network-bridge: put this machine's network interface on a bridge for guests, and back\n"
    "\n"
    "  network-bridge start|stop [name=value...]    do it, or roll it back if the network dies\n"
    "  network-bridge plan [start|stop] [...]       show what that would do, and do nothing\n"
    "  network-bridge status [...]                  how things stand\n"
    "  network-bridge recover                       roll back what a killed program left\n"
    "\n"
    "  netdev=eth0       the interface (default: the one of the default route)\n"
    "  bridge=xenbr0     the bridge; one that exists is used as it is\n"
    "  vifnum=0          the number in veth0, vif0.0 and xenbr0 (default: the interface's)\n"
    "  probe=ADDRESS     what must answer a ping afterwards, besides the gateways\n"
    "  wait=SECONDS      for the cable (15) and, a third of it, for answers\n"
    "  force=yes         stop although guests are on the bridge\n"
    "  details=yes       plan: every single change\n"
    "  json=yes          plan: for programs\n"
    "  state=FOLDER      of the journal (default " STATE_DIR ")\n";

struct words {
    struct program_words all;
    struct bridge_options options;
};

static int set_option(const char *word, void *arg, struct error *err)
{
    struct words *w = arg;

    return bridge_option(&w->options, word, err);
}

static int do_plan(struct netlink *nl, const struct words *w, bool start, struct error *err)
{
    auto_plan plan = {0};
    int rc = bridge_plan(nl, &w->options, start, &plan, NULL, NULL, err);

    if (rc == 0) {
        program_print_plan(nl, &plan, &w->all);
    }
    return rc;
}

static int do_run(struct netlink *nl, const struct words *w, bool start, struct error *err)
{
    auto_plan plan = {0};
    enum bridge_state state;
    struct bridge_names names;
    struct transaction t;
    int rc = program_open(&t, &w->all, err);

    mlockall(MCL_CURRENT | MCL_FUTURE); /* what runs without network must not wait for a net disk */
    rc = rc ? rc : bridge_plan(nl, &w->options, start, &plan, &names, &state, err);
    if (rc == 0 && plan.count == 0) {
        printf(state == BRIDGE_OTHERS ? "%s is on the bridge %s, which is used as it is.\n"
               : start                ? "%s is on %s already.\n"
                                      : "%s is not on %s.\n",
               names.netdev, names.bridge);
    } else if (rc == 0) {
        rc = transaction_run(&t, nl, &plan, &w->all.times, err);
        if (rc == 0) {
            printf(start ? "%s is on %s: guests can use it.\n" : "%s has left %s.\n", names.netdev,
                   names.bridge);
        }
    }
    transaction_close(&t);
    return rc;
}

static int do_status(struct netlink *nl, const struct words *w, struct error *err)
{
    auto_plan plan = {0};
    enum bridge_state state;
    struct bridge_names names;
    struct bridge_options options = w->options;
    int rc;

    options.force = true;
    rc = bridge_plan(nl, &options, false, &plan, &names, &state, err);
    if (rc != 0) {
        return rc;
    }
    if (state == BRIDGE_ON) {
        printf("%s is on %s, through %s (the wire) and %s.\n", names.netdev, names.bridge,
               names.pdev, names.vif);
    } else if (state == BRIDGE_OTHERS) {
        printf("%s is on the bridge %s, which somebody else made.\n", names.netdev, names.bridge);
    } else {
        printf("%s is on no bridge.\n", names.netdev);
    }
    return state == BRIDGE_OFF ? 1 : 0;
}

int network_bridge_main(int argc, char **argv)
{
    struct words w = {.options = BRIDGE_OPTIONS_NONE,
                      .all = {"", STATE_DIR, .times = transaction_times_usual}};
    const char *command;
    auto_netlink nl = {0};
    struct error err = {0};
    int rc;

    if (program_parse(argc, argv, &w.all, set_option, &w) != 0) {
        fputs(usage, stderr);
        return 2;
    }
    command = w.all.command;
    rc = netlink_open(&nl, &err);
    if (rc != 0) {
        /* the sentence is printed below */
    } else if (strcmp(command, "start") == 0 || strcmp(command, "stop") == 0) {
        rc = do_run(&nl, &w, strcmp(command, "start") == 0, &err);
    } else if (strcmp(command, "plan") == 0) {
        rc = do_plan(&nl, &w, !w.all.stop, &err);
    } else if (strcmp(command, "recover") == 0) {
        rc = program_recover(&w.all, &err);
    } else if (strcmp(command, "status") == 0) {
        rc = do_status(&nl, &w, &err);
        if (rc > 0) {
            return 3;
        }
    } else {
        fputs(usage, argc > 1 && strcmp(argv[1], "--help") == 0 ? stdout : stderr);
        return argc > 1 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    if (rc < 0) {
        fprintf(stderr, "network-bridge: %s\n", err.msg);
    }
    return rc < 0;
}
