/*
 * help, and what the shell's completion asks. Rows: table.c.
 */
#include "xm/command.h"

#include "xend/lib/alloc.h"
#include "xend/lib/options.h"
#include "xm/client.h"

#include <stdio.h>
#include <string.h>

static void help_one(const struct command *c)
{
    printf("xm %s %s\n    %s\n", c->name, c->words, c->summary);
    if (c->options != NULL) {
        printf("%s\n", c->options);
    }
}

static void help_all(void)
{
    const char *group = "";

    puts("xm: domains on this machine. xm help COMMAND tells all about one.\n");
    puts("  xm [--server SOCKET|URL] COMMAND [--json] ...");
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (c->group == NULL) {
            continue;
        }
        if (strcmp(c->group, group) != 0) {
            group = c->group;
            printf("\n%s\n", group);
        }
        printf("  %-15s %-30s %s\n", c->name, c->words, c->summary);
    }
}

int cmd_help(struct args *args)
{
    bool all = args_flag(args, NULL, "--long");
    const struct command *c;
    int rc = args_done(args);

    if (rc != XM_OK) {
        return rc;
    }
    if (args->count == 1) {
        c = command_find(args->words[0]);
        if (c == NULL) {
            fprintf(stderr, "There is no command %s: xm help lists them.\n", args->words[0]);
            return XM_USAGE;
        }
        help_one(c);
        return XM_OK;
    }
    if (!all) {
        help_all();
        return XM_OK;
    }
    for (c = commands; c->name != NULL; c++) {
        if (c->group != NULL) {
            help_one(c);
            putchar('\n');
        }
    }
    return XM_OK;
}

static void candidate(const char *word, const char *start)
{
    if (str_starts(word, start)) {
        puts(word);
    }
}

static void complete_domains(const char *start)
{
    auto_value names = NULL;
    struct error err;

    if (client_call("xend.domains_with_state", client_args("is", 0, "all"), &names, &err) == 0) {
        for (size_t i = 0; i < names->count; i++) {
            candidate(value_text(names->items[i], ""), start);
        }
    }
}

/* Long options stand in the rows' own help. */
static void complete_options(const struct command *c, const char *start)
{
    const char *p = c->options;

    while (p != NULL && (p = strstr(p, "--")) != NULL) {
        auto_str option = xstrndup(p, strspn(p, "-abcdefghijklmnopqrstuvwxyz_"));

        if (strlen(option) > 2) {
            candidate(option, start);
        }
        p += strlen(option);
    }
}

/* xm complete WORD...: candidates for the last word, one a line. */
int cmd_complete(struct args *args)
{
    const char *start = args->count > 0 ? args->words[args->count - 1] : "";
    const struct command *c = args->count > 1 ? command_find(args->words[0]) : NULL;

    if (args->count <= 1 || (c != NULL && c->completes == COMPLETE_COMMAND)) {
        for (const struct command *each = commands; each->name != NULL; each++) {
            if (each->group != NULL) {
                candidate(each->name, start);
            }
        }
        return XM_OK;
    }
    if (c == NULL) {
        return XM_FAILED;
    }
    if (start[0] == '-') {
        complete_options(c, start);
    } else if (c->completes == COMPLETE_DOMAIN) {
        complete_domains(start);
    } else if (c->completes == COMPLETE_FILE && args->count > 2) {
        for (const char *const *name = options_names(); *name != NULL; name++) {
            auto_str assignment = xprintf("%s=", *name);

            candidate(assignment, start);
        }
    }
    return XM_OK;
}
