/*
 * dmesg, log, debug-keys, events, top: the machine and what happens on it. Rows: table.c.
 */
#include "xm/command.h"

#include "xend/lib/alloc.h"
#include "xend/lib/sxp.h"
#include "xm/client.h"
#include "xm/domains.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int print_text(const char *method)
{
    auto_value text = NULL;
    int rc = call(method, NULL, &text);

    if (rc == XM_OK) {
        fputs(value_text(text, ""), stdout);
    }
    return rc;
}

int cmd_dmesg(struct args *args)
{
    bool clear = args_flag(args, "-c", "--clear");
    int rc = args_done(args);

    return rc ? rc : print_text(clear ? "xend.node.dmesg.clear" : "xend.node.dmesg.info");
}

int cmd_log(struct args *args)
{
    int rc = args_done(args);

    return rc ? rc : print_text("xend.node.log");
}

int cmd_debug_keys(struct args *args)
{
    int rc = args_done(args);

    return rc ? rc : simple_call("xend.node.send_debug_keys", client_args("s", args->words[0]));
}

static bool on_event(const char *json, void *arg)
{
    puts(json);
    return fflush(stdout) == 0;
}

int cmd_events(struct args *args)
{
    struct error err = {0};
    int rc = args_done(args);

    return rc ? rc
              : report(client_events(args->count ? args->words[0] : NULL, on_event, NULL, -1, &err),
                       &err);
}

/* CPU time of the domain with this number in an earlier answer, or -1. */
static double time_before(const struct value *before, int64_t domid)
{
    for (size_t i = 0; before != NULL && i < before->count; i++) {
        if (sxp_get_int(before->items[i], "domid", -1) == domid) {
            return sxp_real(before->items[i], "cpu_time");
        }
    }
    return -1;
}

static void show_top(const struct value *before, const struct value *list, double seconds,
                     bool batch)
{
    if (!batch) {
        fputs("\033[H\033[J", stdout);
    }
    printf("%-24s %5s %-6s %8s %7s %9s %5s\n", "Name", "ID", "State", "CPU(%)", "VCPUs", "Mem(MiB)",
           "Time");
    for (size_t i = 0; i < list->count; i++) {
        const struct value *d = list->items[i];
        int64_t domid = sxp_get_int(d, "domid", -1);
        double then = time_before(before, domid), now = sxp_real(d, "cpu_time");

        printf("%-24s %5lld %-6s %8.1f %7lld %9lld %5.0f\n", sxp_get_text(d, "name", "?"),
               (long long)domid, sxp_get_text(d, "state", ""),
               then < 0 || seconds <= 0 ? 0.0 : (now - then) / seconds * 100,
               (long long)sxp_get_int(d, "online_vcpus", 0), (long long)sxp_get_int(d, "memory", 0),
               now);
    }
    fflush(stdout);
}

int cmd_top(struct args *args)
{
    bool batch = args_flag(args, "-b", "--batch") || !isatty(STDOUT_FILENO);
    char *delay = args_value(args, "-d", "--delay"),
         *count = args_value(args, "-i", "--iterations");
    double seconds = delay ? strtod(delay, NULL) : 3;
    long left = count ? strtol(count, NULL, 10) : -1;
    auto_value before = NULL;
    struct timespec last = {0}, now;
    int rc = args_done(args);

    if (rc == XM_OK && !(seconds >= 0.1 && seconds < 3600)) {
        fputs("A delay goes from 0.1 to 3600 seconds.\n", stderr);
        rc = XM_USAGE;
    }
    while (rc == XM_OK && left != 0) {
        struct value *list = NULL;

        rc = get_domains(NULL, 0, "running", false, &list);
        if (rc != XM_OK) {
            break;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        show_top(before, list,
                 (double)(now.tv_sec - last.tv_sec) + (double)(now.tv_nsec - last.tv_nsec) / 1e9,
                 batch);
        value_free(before);
        before = list;
        last = now;
        left -= left > 0;
        if (left != 0) {
            usleep((useconds_t)(seconds * 1e6));
        }
    }
    return rc;
}
