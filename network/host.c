/*
 * The host's side of the modes. Contract: host.h.
 */
#include "network/host.h"

#include "network/bridge_options.h"
#include "network/script.h"
#include "network/sysctl.h"
#include "network/transaction.h"
#include "xend/lib/alloc.h"
#include "xend/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 16
#define TIMEOUT_S 300 /* longer than network-bridge lets itself take */

static char *journals, *configured;

/* A script taken apart. */
struct script {
    char *text;
    char *word[MAX_WORDS]; /* the name first */
    size_t count;
};

static void script_free(struct script *s)
{
    free(s->text);
}

#define auto_script __attribute__((cleanup(script_free))) struct script

/* Take the next script out of *text, which goes on behind it. -ENOENT: there is none. */
static int next_script(const char **text, struct script *s, struct error *err)
{
    size_t size;
    char *save = NULL;

    memset(s, 0, sizeof(*s));
    while (**text == ';' || **text == ' ') {
        ++*text;
    }
    size = strcspn(*text, ";");
    if (size == 0) {
        return -ENOENT;
    }
    s->text = xprintf("%s%.*s",
                      memchr(*text, '=', size) != NULL && strcspn(*text, " ;") > strcspn(*text, "=")
                          ? "network-bridge "
                          : "",
                      (int)size, *text);
    *text += size;
    for (char *word = strtok_r(s->text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        if (s->count == MAX_WORDS) {
            return fail(err, E2BIG, "The network script %s has too many words.", s->word[0]);
        }
        s->word[s->count++] = word;
    }
    if (strchr(s->word[0], '/') != NULL || strncmp(s->word[0], "network-", 8) != 0) {
        return fail(
            err, EINVAL,
            "A network script is network-bridge, network-route, network-nat, or network-... "
            "in " SCRIPT_FOLDER "; %s is none of these.",
            s->word[0]);
    }
    return 0;
}

static bool is(const struct script *s, const char *name)
{
    return strcmp(s->word[0], name) == 0;
}

void host_configure(const char *state_dir, const char *scripts)
{
    journals = xprintf("%s/network", state_dir);
    configured = xstrdup(scripts);
}

static const char *or_configured(const char *script)
{
    return script != NULL && script[0] != '\0' ? script
           : configured != NULL                ? configured
                                               : "network-bridge";
}

/* The settings of route mode, one step that changes what is not so yet. */
static int forwarding_plan(struct plan *plan)
{
    static const char *const names[] = {"ipv4/ip_forward", "ipv6/conf/all/forwarding"};
    char value[16];

    plan->title = xstrdup("Route mode: this machine forwards packets");
    plan_step(plan, 1, xstrdup("Turn IP forwarding on"), xstrdup("Turn IP forwarding off"));
    for (size_t i = 0; i < 2; i++) {
        if (sysctl_get(names[i], value, sizeof(value), NULL) == 0 && strcmp(value, "1") != 0) {
            change_add_setting(plan_changes(plan), 0, names[i], value, "1");
        }
    }
    return plan_changes(plan)->count;
}

/*
 * A machine that forwards IPv6 listens to router advertisements only where it is told so twice:
 * without this it would lose its own default route.
 */
static void keep_listening(struct netlink *nl)
{
    struct link *list;
    size_t count;

    if (link_list(nl, &list, &count, NULL) != 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        auto_str path = xprintf("ipv6/conf/%s/accept_ra", list[i].name);
        char value[16];

        if (sysctl_get(path, value, sizeof(value), NULL) == 0 && strcmp(value, "1") == 0) {
            sysctl_set(path, "2", NULL);
        }
    }
    free(list);
}

static int start_forwarding(struct netlink *nl, char said[PROCESS_SAID], struct error *err)
{
    auto_plan plan = {NULL};
    int rc = 0;

    forwarding_plan(&plan);
    keep_listening(nl);
    for (size_t i = 0; rc == 0 && i < plan_changes(&plan)->count; i++) {
        rc = change_do(nl, &plan_changes(&plan)->list[i], true, 0, err);
    }
    strcpy(said, "IP forwarding is on.");
    return rc;
}

static int run_program(const struct script *s, const char *verb, char said[PROCESS_SAID],
                       struct error *err)
{
    auto_str path = xprintf(SCRIPT_FOLDER "/%s", s->word[0]);
    auto_str state = xprintf("state=%s", journals);
    char *argv[MAX_WORDS + 3] = {path, (char *)(uintptr_t)verb};
    char *envp[] = {(char *)(uintptr_t) "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    size_t n = 2;
    int rc;

    for (size_t i = 1; i < s->count; i++) {
        argv[n++] = s->word[i];
    }
    if (is(s, "network-bridge")) {
        argv[n++] = state;
    }
    rc = process_run(argv, envp, TIMEOUT_S, said, err);
    if (rc == 3 && strcmp(verb, "status") == 0) {
        return 0; /* it is stopped: no failure to say so */
    }
    return rc > 0 ? fail(err, EIO, "%s",
                         said[0] ? said : "The network script failed and did not say why.")
                  : rc;
}

static int run_one(const struct script *s, const char *verb, char said[PROCESS_SAID],
                   struct error *err)
{
    auto_netlink nl = {NULL};
    int rc;

    said[0] = '\0';
    if (is(s, "network-nat") || is(s, "network-dummy")) {
        strcpy(said, "There is nothing to do.");
        return 0;
    }
    if (!is(s, "network-route")) {
        return run_program(s, verb, said, err);
    }
    if (strcmp(verb, "start") != 0) {
        strcpy(said, "IP forwarding is left as it is: others may need it.");
        return 0;
    }
    rc = netlink_open(&nl, err);
    return rc ? rc : start_forwarding(&nl, said, err);
}

int host_run(const char *script, const char *verb, char said[PROCESS_SAID], struct error *err)
{
    const char *rest = or_configured(script);
    int rc = 0;

    said[0] = '\0';
    for (;;) {
        auto_script s;

        rc = next_script(&rest, &s, err);
        if (rc != 0) {
            return rc == -ENOENT ? 0 : rc;
        }
        rc = run_one(&s, verb, said, err);
        if (rc != 0) {
            return rc;
        }
    }
}

static int bridge_plan_of(struct netlink *nl, const struct script *s, bool start, struct plan *plan,
                          struct error *err)
{
    struct bridge_options options = BRIDGE_OPTIONS_NONE;
    int rc = 0;

    for (size_t i = 1; rc == 0 && i < s->count; i++) {
        rc = option_value(s->word[i], "wait") ? 0 : bridge_option(&options, s->word[i], err);
    }
    return rc ? rc : bridge_plan(nl, &options, start, plan, NULL, NULL, err);
}

int host_plan(const char *script, bool start, struct value **out, struct error *err)
{
    const char *rest = or_configured(script);
    auto_netlink nl = {NULL};
    auto_plan plan = {NULL};
    auto_script s;
    int rc = next_script(&rest, &s, err);

    rc = rc == -ENOENT ? fail(err, EINVAL, "No network script is named.") : rc;
    rc = rc ? rc : netlink_open(&nl, err);
    if (rc != 0) {
        return rc;
    }
    if (is(&s, "network-bridge")) {
        rc = bridge_plan_of(&nl, &s, start, &plan, err);
    } else if (is(&s, "network-route") && start) {
        if (forwarding_plan(&plan) == 0) {
            plan_finish(&plan);
            plan.title = xstrdup("Route mode: this machine forwards packets");
        }
    } else if (is(&s, "network-route") || is(&s, "network-nat") || is(&s, "network-dummy")) {
        plan.title = xprintf("%s changes nothing of the host", s.word[0]);
    } else {
        rc = fail(err, EOPNOTSUPP, "%s is a script: what it would do cannot be shown.", s.word[0]);
    }
    if (rc == 0) {
        *out = plan_write(&plan, &nl);
    }
    return rc;
}

void host_start(void)
{
    const char *rest = configured ? configured : "";
    struct transaction t;
    struct error err;

    if (transaction_open(&t, journals, &err) != 0) {
        log_error("%s", err.msg);
    } else if (t.undone != NULL) {
        log_warn("Rolled back what a killed program had left: %s.", t.undone);
    }
    transaction_close(&t);
    for (;;) {
        char said[PROCESS_SAID];
        auto_script s;
        int rc = next_script(&rest, &s, &err);

        if (rc == -ENOENT) {
            return;
        }
        rc = rc ? rc : run_one(&s, "start", said, &err);
        if (rc != 0) {
            log_error("network_script: %s", err.msg);
        } else {
            log_info("%s", said);
        }
    }
}
