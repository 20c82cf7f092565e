/*
 * network-bridge {start|stop|status|plan|recover} [name=value...]: the classic script's interface,
 * as a program. It does the whole of bridge mode itself, without a shell. xend runs it.
 */
#include "network/program/network_bridge.h"

#include "network/bridge_options.h"
#include "network/transaction.h"
#include "xend/lib/alloc.h"
#include "xend/lib/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STATE_DIR "/var/lib/xend/network"

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
    struct bridge_options options;
    const char *command, *state;
    bool stop, details, json;
    struct transaction_times times;
};

static int set_wait(struct words *w, const char *value)
{
    char *end;
    unsigned long seconds = strtoul(value, &end, 10);

    w->times.carrier_ms = (int)seconds * 1000;
    w->times.answer_ms = (int)seconds * 1000 / 3;
    w->times.limit_ms = (int)seconds * 4000;
    return *value >= '1' && *value <= '9' && *end == '\0' && seconds <= 3600 ? 0 : -EINVAL;
}

static int set_option(struct words *w, const char *word, struct error *err)
{
    const char *value;

    if ((value = option_value(word, "state")) != NULL) {
        w->state = value;
    } else if ((value = option_value(word, "details")) != NULL) {
        w->details = strcmp(value, "yes") == 0;
    } else if ((value = option_value(word, "json")) != NULL) {
        w->json = strcmp(value, "yes") == 0;
    } else if ((value = option_value(word, "wait")) != NULL) {
        return set_wait(w, value) ? fail(err, EINVAL, "%s: seconds are wanted.", word) : 0;
    } else {
        return bridge_option(&w->options, word, err);
    }
    return 0;
}

static int parse(int argc, char **argv, struct words *w)
{
    int i = 1;

    if (i < argc && strchr(argv[i], '=') == NULL) {
        w->command = argv[i++];
    }
    if (i < argc && strcmp(w->command, "plan") == 0 && strchr(argv[i], '=') == NULL) {
        w->stop = strcmp(argv[i], "stop") == 0;
        if (!w->stop && strcmp(argv[i], "start") != 0) {
            return -EINVAL;
        }
        i++;
    }
    for (; i < argc; i++) {
        struct error err;

        if (set_option(w, argv[i], &err) != 0) {
            fprintf(stderr, "network-bridge: %s\n", err.msg);
            return -EINVAL;
        }
    }
    return 0;
}

static void print_plan(struct netlink *nl, const struct plan *plan, const struct words *w)
{
    auto_value v = plan_write(plan, nl);

    if (w->json) {
        auto_str text = json_write(v, true);

        puts(text);
        return;
    }
    printf("%s\n", plan->title);
    for (size_t i = 0; i < plan->count; i++) {
        const struct value *details = dict_get(dict_get(v, "steps")->items[i], "details");

        printf("  %zu. %s\n", i + 1, plan->steps[i].text);
        for (size_t n = 0; w->details && n < details->count; n++) {
            printf("       %s\n", value_text(details->items[n], ""));
        }
    }
    if (plan->count == 0) {
        puts("  Nothing is to be done: it is so already.");
    } else {
        printf("Then: %s; if not, everything is rolled back.\n",
               value_text(dict_get(v, "asked"), ""));
    }
}

static int do_plan(struct netlink *nl, const struct words *w, bool start, struct error *err)
{
    auto_plan plan = {0};
    int rc = bridge_plan(nl, &w->options, start, &plan, NULL, NULL, err);

    if (rc == 0) {
        print_plan(nl, &plan, w);
    }
    return rc;
}

static int do_run(struct netlink *nl, const struct words *w, bool start, struct error *err)
{
    auto_plan plan = {0};
    enum bridge_state state;
    struct bridge_names names;
    struct transaction t;
    int rc = transaction_open(&t, w->state, err);

    mlockall(MCL_CURRENT | MCL_FUTURE); /* what runs without network must not wait for a net disk */
    if (rc == 0 && t.undone != NULL) {
        printf("Rolled back what a killed program had left: %s\n", t.undone);
    }
    rc = rc ? rc : bridge_plan(nl, &w->options, start, &plan, &names, &state, err);
    if (rc == 0 && plan.count == 0) {
        printf(state == BRIDGE_OTHERS ? "%s is on the bridge %s, which is used as it is.\n"
               : start                ? "%s is on %s already.\n"
                                      : "%s is not on %s.\n",
               names.netdev, names.bridge);
    } else if (rc == 0) {
        rc = transaction_run(&t, nl, &plan, &w->times, err);
        if (rc == 0) {
            printf(start ? "%s is on %s: guests can use it.\n" : "%s has left %s.\n", names.netdev,
                   names.bridge);
        }
    }
    transaction_close(&t);
    return rc;
}

static int do_recover(const struct words *w, struct error *err)
{
    struct transaction t;
    int rc = transaction_open(&t, w->state, err);

    if (rc == 0) {
        printf("%s%s\n", t.undone ? "Rolled back: " : "There was nothing to roll back.",
               t.undone ? t.undone : "");
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
                      .command = "",
                      .state = STATE_DIR,
                      .times = transaction_times_usual};
    auto_netlink nl = {0};
    struct error err = {0};
    int rc;

    if (parse(argc, argv, &w) != 0) {
        fputs(usage, stderr);
        return 2;
    }
    rc = netlink_open(&nl, &err);
    if (rc != 0) {
        /* the sentence is printed below */
    } else if (strcmp(w.command, "start") == 0 || strcmp(w.command, "stop") == 0) {
        rc = do_run(&nl, &w, strcmp(w.command, "start") == 0, &err);
    } else if (strcmp(w.command, "plan") == 0) {
        rc = do_plan(&nl, &w, !w.stop, &err);
    } else if (strcmp(w.command, "recover") == 0) {
        rc = do_recover(&w, &err);
    } else if (strcmp(w.command, "status") == 0) {
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
