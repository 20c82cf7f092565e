/*
 * The host's side of the modes. Contract: host.h.
 */
#include "network/host.h"

#include "network/bridge_options.h"
#include "network/change_service.h"
#include "network/host_modes.h"
#include "network/script.h"
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
    auto_str of_modes = xprintf("%s/network/host", state_dir);

    journals = xprintf("%s/network", state_dir);
    host_programs(NULL, of_modes, NULL);
    change_service = change_do_service; /* for what network-nat may have left */
    configured = xstrdup(scripts);
}

static const char *or_configured(const char *script)
{
    return script != NULL && script[0] != '\0' ? script
           : configured != NULL                ? configured
                                               : "network-bridge";
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
    const struct host_mode *mode = host_mode(s->word[0]);

    said[0] = '\0';
    if (is(s, "network-dummy")) {
        strcpy(said, "There is nothing to do.");
        return 0;
    }
    return mode != NULL ? mode->run(verb, said, err) : run_program(s, verb, said, err);
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
    auto_netlink nl = {0};
    auto_plan plan = {0};
    auto_script s;
    int rc = next_script(&rest, &s, err);

    rc = rc == -ENOENT ? fail(err, EINVAL, "No network script is named.") : rc;
    rc = rc ? rc : netlink_open(&nl, err);
    if (rc != 0) {
        return rc;
    }
    if (is(&s, "network-bridge")) {
        rc = bridge_plan_of(&nl, &s, start, &plan, err);
    } else if (host_mode(s.word[0]) != NULL) {
        rc = host_mode(s.word[0])->plan(&nl, start, &plan, err);
        rc = rc ? rc : host_probe(&nl, &plan, NULL, err);
    } else if (is(&s, "network-dummy")) {
        plan.title = xstrdup("network-dummy changes nothing of the host");
    } else {
        rc = fail(err, EOPNOTSUPP, "%s is a script: what it would do cannot be shown.", s.word[0]);
    }
    if (rc == 0) {
        *out = plan_write(&plan, &nl);
    }
    return rc;
}

static void recover(const char *folder)
{
    struct transaction t;
    struct error err;

    if (transaction_open(&t, folder, &err) != 0) {
        log_error("%s", err.msg);
    } else if (t.undone != NULL) {
        log_warn("Rolled back what a killed program had left: %s.", t.undone);
    }
    transaction_close(&t);
}

void host_start(void)
{
    const char *rest = configured ? configured : "";
    auto_str of_modes = xprintf("%s/host", journals);
    struct error err;

    recover(journals);
    recover(of_modes);
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
