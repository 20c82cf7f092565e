/*
 * shutdown, reboot, destroy, pause and what else is asked of running domains. Rows: table.c.
 */
#include "xm/command.h"

#include "xend/lib/alloc.h"
#include "xend/lib/sxp.h"
#include "xm/client.h"
#include "xm/domains.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Call a method for each word; goes on after a failure and returns the first one. */
static int each(struct args *args, const char *method)
{
    int rc = args_done(args), first = XM_OK;

    for (int i = 0; rc == XM_OK && i < args->count; i++) {
        int one = simple_call(method, client_args("s", args->words[i]));

        first = first ? first : one;
    }
    return rc ? rc : first;
}

int cmd_destroy(struct args *args)
{
    return each(args, "xend.domain.destroy");
}

int cmd_pause(struct args *args)
{
    return each(args, "xend.domain.pause");
}

int cmd_unpause(struct args *args)
{
    return each(args, "xend.domain.unpause");
}

struct target {
    char *name;
    char uuid[64];
    int64_t domid;
};

/* The domains that are meant, by UUID: names and numbers change meanwhile. */
static int find_targets(struct args *args, bool all, struct target **out, size_t *count)
{
    auto_value list = NULL;
    int rc = get_domains(args->words, all ? 0 : args->count, "running", false, &list);

    if (rc != XM_OK) {
        return rc;
    }
    *out = xalloc((list->count + 1) * sizeof(**out));
    for (size_t i = 0; i < list->count; i++) {
        const struct value *d = list->items[i];
        struct target *t = &(*out)[*count];

        t->domid = sxp_get_int(d, "domid", -1);
        if (t->domid == 0 && all) {
            continue;
        }
        t->name = xstrdup(sxp_get_text(d, "name", "?"));
        snprintf(t->uuid, sizeof(t->uuid), "%s", sxp_get_text(d, "uuid", ""));
        ++*count;
    }
    return XM_OK;
}

/* What wait_for() waits for. */
struct wait {
    const struct target *target;
    bool reboot;
};

/* Gone, halted, or (for a reboot) there again with another number. */
static bool has_happened(void *arg)
{
    const struct wait *wait = arg;
    const struct target *t = wait->target;
    auto_value d = NULL;
    struct error err;
    int rc = client_call("xend.domain", client_args("s", t->uuid), &d, &err);
    int64_t now = rc == 0 ? sxp_get_int(d, "domid", -1) : -1;
    const char *state = rc == 0 ? sxp_get_text(d, "state_name", "") : "";

    if (rc != 0 && rc != -ESRCH) {
        return false; /* it is xend that has gone */
    }
    if (wait->reboot) {
        return now >= 0 && now != t->domid && strcmp(state, "running") == 0;
    }
    return now != t->domid || strcmp(state, "shutdown") == 0 || strcmp(state, "crashed") == 0;
}

/* A descriptor that can be read when the time is over, or -1. */
static int start_timer(long seconds)
{
    struct itimerspec end = {.it_value = {.tv_sec = seconds > 0 ? seconds : 0, .tv_nsec = 1}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

    if (fd >= 0 && timerfd_settime(fd, 0, &end, NULL) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* A xend that was killed is given a second to come back. 0, -ETIME or -errno. */
static int wait_for_one(const struct target *t, bool reboot, int timer, struct error *err)
{
    struct wait wait = {t, reboot};
    int rc;

    do {
        struct pollfd pfd = {.fd = timer, .events = POLLIN};

        rc = client_wait(has_happened, &wait, timer, err);
        if (rc != 0 && rc != -ETIME) {
            rc = poll(&pfd, 1, 1000) > 0 ? -ETIME : rc;
        }
    } while (rc == -ECONNRESET || rc == -ECONNREFUSED);
    return rc;
}

static int wait_for(struct target *targets, size_t count, bool reboot, long seconds)
{
    int timer = start_timer(seconds), rc = XM_OK;
    struct error err;

    for (size_t i = 0; i < count; i++) {
        int one = wait_for_one(&targets[i], reboot, timer, &err);

        if (one == -ETIME) {
            fprintf(stderr, "The domain %s has not %s within %ld s: xm destroy ends it.\n",
                    targets[i].name, reboot ? "rebooted" : "shut down", seconds);
            rc = XM_TIMEOUT;
        } else if (one != 0) {
            rc = report(one, &err);
        } else {
            printf("Domain %s %s\n", targets[i].name, reboot ? "rebooted" : "terminated");
            fflush(stdout);
        }
    }
    if (timer >= 0) {
        close(timer);
    }
    return rc;
}

static int ask(struct args *args, const char *reason)
{
    bool wait = args_flag(args, "-w", "--wait"), all = args_flag(args, "-a", "--all");
    bool reboot = args_flag(args, "-R", NULL) || strcmp(reason, "reboot") == 0;
    bool halt = args_flag(args, "-H", NULL);
    char *timeout = args_value(args, "-t", "--timeout");
    struct target *targets = NULL;
    size_t count = 0;
    int rc = args_done(args), first = XM_OK;

    if (rc == XM_OK && all == (args->count > 0)) {
        fprintf(stderr, "Write it as: xm %s %s, or with --all.\n", args->command->name,
                args->command->words);
        return XM_USAGE;
    }
    rc = rc ? rc : find_targets(args, all, &targets, &count);
    for (size_t i = 0; rc == XM_OK && i < count; i++) {
        int one = simple_call("xend.domain.shutdown", client_args("ss", targets[i].uuid,
                                                                  reboot ? "reboot"
                                                                  : halt ? "halt"
                                                                         : "poweroff"));

        first = first ? first : one;
    }
    rc = rc ? rc : first;
    if (rc == XM_OK && wait) {
        rc = wait_for(targets, count, reboot, timeout ? strtol(timeout, NULL, 10) : 300);
    }
    for (size_t i = 0; i < count; i++) {
        free(targets[i].name);
    }
    free(targets);
    return rc;
}

int cmd_shutdown(struct args *args)
{
    return ask(args, "poweroff");
}

int cmd_reboot(struct args *args)
{
    return ask(args, "reboot");
}

int cmd_rename(struct args *args)
{
    int rc = args_done(args);

    return rc ? rc
              : simple_call("xend.domain.setName",
                            client_args("ss", args->words[0], args->words[1]));
}

int cmd_sysrq(struct args *args)
{
    int rc = args_done(args);

    return rc ? rc
              : simple_call("xend.domain.send_sysrq",
                            client_args("ss", args->words[0], args->words[1]));
}

int cmd_dump_core(struct args *args)
{
    bool live = args_flag(args, "-L", "--live"), crash = args_flag(args, "-C", "--crash");
    bool reset = args_flag(args, "-R", "--reset");
    auto_value written = NULL;
    auto_str file = NULL;
    int rc = args_done(args);

    if (rc == XM_OK && crash && reset) {
        fputs("Give --crash or --reset, not both.\n", stderr);
        return XM_USAGE;
    }
    if (rc == XM_OK && args->count > 1) {
        auto_str here = getcwd(NULL, 0);

        file = args->words[1][0] == '/' ? xstrdup(args->words[1])
                                        : xprintf("%s/%s", here ? here : "", args->words[1]);
    }
    rc = rc ? rc
            : call("xend.domain.dump",
                   client_args("ssiii", args->words[0], file ? file : "", live, crash, reset),
                   &written);
    if (rc == XM_OK) {
        printf("%s was dumped to %s\n", args->words[0], value_text(written, "?"));
    }
    return rc;
}

static int set_memory(struct args *args, const char *method)
{
    int rc = args_done(args);
    unsigned mib = rc == XM_OK ? parse_mib(args->words[1]) : 0;

    if (rc == XM_OK && mib == 0) {
        rc = XM_USAGE;
    }
    return rc ? rc : simple_call(method, client_args("si", args->words[0], (int)mib));
}

int cmd_mem_set(struct args *args)
{
    return set_memory(args, "xend.domain.setMemoryTarget");
}

int cmd_mem_max(struct args *args)
{
    return set_memory(args, "xend.domain.maxmem_set");
}
