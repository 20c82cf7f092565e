/*
 * XS_CONTROL: what an administrator may ask of the daemon. Read wire.h first.
 */
#include "xenstored/liveupdate.h"
#include "xenstored/nodeops.h"
#include "xenstored/persist.h"
#include "xenstored/quota.h"
#include "xenstored/trace.h"
#include "xenstored/tree.h"
#include "xenstored/wire.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

static int control_check(struct request *r, char *args[], unsigned count)
{
    if (count) {
        return -EINVAL;
    }
    nodeops_check();
    request_ok(r, XS_CONTROL);
    return 0;
}

static int control_log(struct request *r, char *args[], unsigned count)
{
    if (count != 1) {
        return -EINVAL;
    }
    if (strcmp(args[0], "on") == 0) {
        trace_open();
    } else if (strcmp(args[0], "off") == 0) {
        trace_close();
    } else {
        return -EINVAL;
    }
    request_ok(r, XS_CONTROL);
    return 0;
}

static int control_logfile(struct request *r, char *args[], unsigned count)
{
    if (count != 1) {
        return -EINVAL;
    }
    trace_close();
    trace_set_file(args[0]);
    trace_open();
    request_ok(r, XS_CONTROL);
    return 0;
}

static int control_memreport(struct request *r, char *args[], unsigned count)
{
    const char *name = count ? args[0] : trace_file();
    FILE *f;

    if (count > 1) {
        return -EINVAL;
    }
    if (!name) {
        return -EBADF;
    }
    f = fopen(name, "a");
    if (!f) {
        return -errno;
    }
    fprintf(f, "%zu nodes, generation %llu\n", tree_count(), (unsigned long long)tree_generation);
    malloc_info(0, f);
    fclose(f);
    request_ok(r, XS_CONTROL);
    return 0;
}

static int control_print(struct request *r, char *args[], unsigned count)
{
    if (count != 1) {
        return -EINVAL;
    }
    log_msg(LOG_INFO, "control: %s", args[0]);
    trace_line("control: %s", args[0]);
    request_ok(r, XS_CONTROL);
    return 0;
}

static void reply_text(struct request *r, struct buf *text)
{
    conn_reply(r->conn, XS_CONTROL, text->p, text->len + 1);
    buf_free(text);
}

static int quota_show(struct request *r, const struct quota_name *table)
{
    struct buf text = {0};

    buf_printf(&text, "Quota settings:\n");
    for (; table->name; table++) {
        buf_printf(&text, "%-17s: %8d %s\n", table->name, *table->value, table->description);
    }
    reply_text(r, &text);
    return 0;
}

static int quota_set(struct request *r, char *args[], unsigned count,
                     const struct quota_name *table)
{
    int *value;
    int given;

    if (count != 2) {
        return -EINVAL;
    }
    given = atoi(args[1]);
    value = quota_find(table, args[0]);
    if (given < 1 || !value) {
        return -EINVAL;
    }
    *value = given;
    persist_quota();
    request_ok(r, XS_CONTROL);
    return 0;
}

static int quota_of_domain(struct request *r, uint32_t domid)
{
    struct domain *d = domain_find(domid);
    struct buf text = {0};

    if (!d) {
        return -ENOENT;
    }
    buf_printf(&text, "Domain %u:\n", domid);
    buf_printf(&text, "%-16s: %8d\n", "nodes", d->nodes);
    buf_printf(&text, "%-16s: %8d\n", "watches", d->watches);
    buf_printf(&text, "%-16s: %8d\n", "transactions", d->conn ? d->conn->tx_count : 0);
    buf_printf(&text, "%-16s: %8d\n", "outstanding", d->outstanding);
    buf_printf(&text, "%-16s: %8d\n", "memory", (int)d->memory);
    reply_text(r, &text);
    return 0;
}

static int control_quota(struct request *r, char *args[], unsigned count)
{
    if (count == 0) {
        return quota_show(r, quota_hard_names);
    }
    if (strcmp(args[0], "set") == 0) {
        return quota_set(r, args + 1, count - 1, quota_hard_names);
    }
    return count == 1 ? quota_of_domain(r, (uint32_t)atoi(args[0])) : -EINVAL;
}

static int control_quota_soft(struct request *r, char *args[], unsigned count)
{
    if (count == 0) {
        return quota_show(r, quota_soft_names);
    }
    if (strcmp(args[0], "set") == 0) {
        return quota_set(r, args + 1, count - 1, quota_soft_names);
    }
    return -EINVAL;
}

static int control_help(struct request *r, char *args[], unsigned count);

static const struct {
    const char *name;
    int (*handle)(struct request *r, char *args[], unsigned count);
    const char *parameters;
} commands[] = {
    {"check", control_check, ""},
    {"log", control_log, "on|off"},
    {"live-update", liveupdate_control,
     "[-c <cmdline>] [-F] [-t <timeout>] <file>\n    Default timeout is 60 seconds."},
    {"logfile", control_logfile, "<file>"},
    {"memreport", control_memreport, "[<file>]"},
    {"print", control_print, "<string>"},
    {"quota", control_quota, "[set <name> <val>|<domid>]"},
    {"quota-soft", control_quota_soft, "[set <name> <val>]"},
    {"help", control_help, ""},
};

static int control_help(struct request *r, char *args[], unsigned count)
{
    struct buf text = {0};

    if (count) {
        return -EINVAL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        buf_printf(&text, "%s\t%s\n", commands[i].name, commands[i].parameters);
    }
    reply_text(r, &text);
    return 0;
}

int do_control(struct request *r)
{
    char *words[XENSTORE_PAYLOAD_MAX];
    unsigned count = request_strings(r, words, ARRAY_SIZE(words));

    if (count == 0) {
        return -EINVAL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(words[0], commands[i].name) == 0) {
            return commands[i].handle(r, words + 1, count - 1);
        }
    }
    return -EINVAL;
}
