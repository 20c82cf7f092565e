/*
 * xm: the command line of Hospes. Manual: docs/man/xm.1. It speaks to xend and to nobody else.
 *
 * Read next: table.c, which has a row for each command.
 */
#include "xm/command.h"

#include "xend/lib/alloc.h"
#include "xend/lib/options.h"
#include "xend/lib/xmlrpc.h"
#include "xm/client.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define MAX_COMMANDS 64

static int unknown(const char *name)
{
    const char *names[MAX_COMMANDS] = {NULL}, *near;
    size_t n = 0;

    for (const struct command *c = commands; c->name != NULL; c++) {
        names[n++] = c->name;
    }
    near = nearest_name(name, names);
    if (near != NULL) {
        fprintf(stderr, "There is no command %s; did you mean %s?\n", name, near);
    } else {
        fprintf(stderr, "There is no command %s: xm help lists them.\n", name);
    }
    return XM_USAGE;
}

int main(int argc, char **argv)
{
    const struct command *c;
    struct error err;
    struct args args;
    int first = 1;

    client_server(NULL);
    signal(SIGPIPE, SIG_IGN);
    if (xmlrpc_library_init(&err) != 0) {
        fprintf(stderr, "%s\n", err.msg);
        return XM_FAILED;
    }
    if (argc > 2 && (strcmp(argv[1], "--server") == 0 || strcmp(argv[1], "-s") == 0)) {
        client_server(argv[2]);
        first = 3;
    }
    if (first >= argc || strcmp(argv[first], "--help") == 0 || strcmp(argv[first], "-h") == 0) {
        args = (struct args){.command = command_find("help"), .words = argv, .count = 0};
        return cmd_help(&args) ? XM_FAILED : first >= argc ? XM_USAGE : XM_OK;
    }
    c = command_find(argv[first]);
    if (c == NULL) {
        return unknown(argv[first]);
    }
    args = (struct args){.command = c, .words = argv + first + 1, .count = argc - first - 1};
    if (args.count == 1 && (strcmp(args.words[0], "--help") == 0)) {
        args.words[0] = argv[first];
        args.command = command_find("help");
        return cmd_help(&args);
    }
    if (c->run != cmd_complete) {
        args.json = args_flag(&args, NULL, "--json");
    }
    return c->run(&args);
}
