/*
 * network-plan, network-start, network-stop, network-status: the host's own network. Rows: table.c.
 */
#include "xm/command.h"

#include "xend/lib/alloc.h"
#include "xm/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The words that are left, as one script: "network-bridge netdev=eth0". */
static char *join(const struct args *args, int first)
{
    char *line = xstrdup("");

    for (int i = first; i < args->count; i++) {
        char *longer = xprintf("%s%s%s", line, i > first ? " " : "", args->words[i]);

        free(line);
        line = longer;
    }
    return line;
}

static void print_steps(const struct value *plan, bool details)
{
    const struct value *steps = dict_get(plan, "steps");

    printf("%s\n", value_text(dict_get(plan, "title"), ""));
    for (size_t i = 0; steps != NULL && i < steps->count; i++) {
        const struct value *each = dict_get(steps->items[i], "details");

        printf("  %2zu. %s\n", i + 1, value_text(dict_get(steps->items[i], "text"), ""));
        for (size_t n = 0; details && each != NULL && n < each->count; n++) {
            printf("        %s\n", value_text(each->items[n], ""));
        }
    }
    if (steps == NULL || steps->count == 0) {
        puts("  Nothing is to be done: it is so already.");
    } else {
        printf("Then: %s; if not, everything is rolled back.\n",
               value_text(dict_get(plan, "asked"), ""));
    }
}

int cmd_network_plan(struct args *args)
{
    bool details = args_flag(args, "-l", "--long");
    int rc = args_done(args), first;
    auto_value plan = NULL;
    auto_str script = NULL;
    const char *action;

    if (rc != XM_OK) {
        return rc;
    }
    first = args->count > 0 &&
            (strcmp(args->words[0], "start") == 0 || strcmp(args->words[0], "stop") == 0);
    action = first ? args->words[0] : "start";
    script = join(args, first);
    rc = call("xend.network.plan", client_args("ss", action, script), &plan);
    if (rc == XM_OK && args->json) {
        return print_json(plan);
    }
    if (rc == XM_OK) {
        print_steps(plan, details);
    }
    return rc;
}

static int ask(struct args *args, const char *method)
{
    int rc = args_done(args);
    auto_value said = NULL;
    auto_str script = NULL;

    if (rc != XM_OK) {
        return rc;
    }
    script = join(args, 0);
    rc = call(method, client_args("s", script), &said);
    if (rc == XM_OK) {
        puts(value_text(said, ""));
    }
    return rc;
}

int cmd_network_start(struct args *args)
{
    return ask(args, "xend.network.start");
}

int cmd_network_stop(struct args *args)
{
    return ask(args, "xend.network.stop");
}

int cmd_network_status(struct args *args)
{
    return ask(args, "xend.network.status");
}
