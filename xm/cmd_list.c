/*
 * list, uptime, domid, domname, vcpu-list, info: looking at domains and the machine. Rows: table.c.
 */
#include "xm/command.h"

#include "xend/lib/alloc.h"
#include "xend/lib/cpuset.h"
#include "xend/lib/sxp.h"
#include "xm/client.h"
#include "xm/domains.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int get_domains(char **names, int count, const char *state, bool full, struct value **out)
{
    struct value *list;
    int rc = 0;

    if (count == 0) {
        return call("xend.domains_with_state", client_args("isi", 1, state, full), out);
    }
    list = value_list();
    for (int i = 0; rc == 0 && i < count; i++) {
        struct value *one = NULL;

        rc = call("xend.domain", client_args("si", names[i], full), &one);
        if (rc == 0) {
            list_add(list, one);
        }
    }
    if (rc != 0) {
        value_free(list);
        return rc;
    }
    *out = list;
    return 0;
}

double sxp_real(const struct value *sxp, const char *key)
{
    const struct value *v = sxp_get(sxp, key);

    if (v == NULL) {
        return 0;
    }
    return v->type == VALUE_REAL ? v->real : v->type == VALUE_INT ? (double)v->integer : 0;
}

int print_objects(const struct value *list)
{
    auto_value objects = sxp_to_object(list);

    return print_json(objects);
}

static void brief(const struct value *list)
{
    printf("%-32s %5s %6s %5s %8s %10s\n", "Name", "ID", "Mem", "VCPUs", "State", "Time(s)");
    for (size_t i = 0; i < list->count; i++) {
        const struct value *d = list->items[i];
        int64_t domid = sxp_get_int(d, "domid", -1);
        auto_str id = domid < 0 ? xstrdup("") : xprintf("%lld", (long long)domid);

        printf("%-32s %5s %6lld %5lld %8s %10.1f\n", sxp_get_text(d, "name", "?"), id,
               (long long)sxp_get_int(d, "memory", 0),
               (long long)sxp_get_int(d, "online_vcpus", sxp_get_int(d, "vcpus", 0)),
               sxp_get_text(d, "state", ""), sxp_real(d, "cpu_time"));
    }
}

int cmd_list(struct args *args)
{
    bool full = args_flag(args, "-l", "--long");
    bool vcpus = args_flag(args, "-v", "--vcpus");
    char *state = args_value(args, NULL, "--state");
    auto_value list = NULL;
    int rc = args_done(args);

    if (rc == XM_OK && vcpus) {
        return cmd_vcpu_list(args);
    }
    if (rc == XM_OK && state != NULL && args->count > 0) {
        fputs("Give a state or names, not both.\n", stderr);
        return XM_USAGE;
    }
    rc = rc ? rc
            : get_domains(args->words, args->count, state ? state : "all", full || args->json,
                          &list);
    if (rc != XM_OK) {
        return rc;
    }
    if (args->json) {
        return print_objects(list);
    }
    for (size_t i = 0; full && i < list->count; i++) {
        auto_str text = sxp_print(list->items[i]);

        fputs(text, stdout);
    }
    if (!full) {
        brief(list);
    }
    return XM_OK;
}

static char *duration(long long seconds)
{
    long long days = seconds / 86400;
    char *clock =
        xprintf("%lld:%02lld:%02lld", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    char *text =
        days ? xprintf("%lld day%s, %s", days, days == 1 ? "" : "s", clock) : xstrdup(clock);

    free(clock);
    return text;
}

/* Domain 0's start is the machine's. */
static long long uptime_of(const struct value *d)
{
    double start = sxp_real(d, "start_time"), up = 0;
    FILE *in;

    if (sxp_get_int(d, "domid", -1) == 0 && (in = fopen("/proc/uptime", "re")) != NULL) {
        if (fscanf(in, "%lf", &up) != 1) {
            up = 0;
        }
        fclose(in);
        return (long long)up;
    }
    return start > 0 ? (long long)((double)time(NULL) - start) : -1;
}

int cmd_uptime(struct args *args)
{
    bool brief_form = args_flag(args, "-s", "--short");
    auto_value list = NULL;
    auto_value json = value_list();
    int rc = args_done(args);

    rc = rc ? rc : get_domains(args->words, args->count, "running", false, &list);
    if (rc != XM_OK) {
        return rc;
    }
    if (!args->json && !brief_form) {
        printf("%-32s %5s %s\n", "Name", "ID", "Uptime");
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct value *d = list->items[i];
        long long up = uptime_of(d);
        auto_str text = up < 0 ? xstrdup("unknown") : duration(up);
        struct value *row = value_dict();

        dict_set(row, "name", value_string(sxp_get_text(d, "name", "?")));
        dict_set(row, "domid", value_int(sxp_get_int(d, "domid", -1)));
        dict_set(row, "uptime", up < 0 ? value_nil() : value_int(up));
        list_add(json, row);
        if (!args->json) {
            printf("%-32s %5lld %s\n", sxp_get_text(d, "name", "?"),
                   (long long)sxp_get_int(d, "domid", -1), text);
        }
    }
    return args->json ? print_json(json) : XM_OK;
}

int cmd_domid(struct args *args)
{
    auto_value d = NULL;
    int rc = args_done(args);

    rc = rc ? rc : call("xend.domain", client_args("s", args->words[0]), &d);
    if (rc == XM_OK && sxp_get(d, "domid") == NULL) {
        fprintf(stderr, "The domain %s is not running.\n", args->words[0]);
        return XM_NO_DOMAIN;
    }
    if (rc == XM_OK) {
        printf("%lld\n", (long long)sxp_get_int(d, "domid", -1));
    }
    return rc;
}

int cmd_domname(struct args *args)
{
    auto_value d = NULL;
    int rc = args_done(args);

    rc = rc ? rc : call("xend.domain", client_args("s", args->words[0]), &d);
    if (rc == XM_OK) {
        puts(sxp_get_text(d, "name", "?"));
    }
    return rc;
}

static char *affinity(const struct value *vcpu, unsigned nr_cpus)
{
    const struct value *map = sxp_get(vcpu, "cpumap");
    struct cpuset set = {{0}};

    for (size_t i = 0; map != NULL && map->type == VALUE_LIST && i < map->count; i++) {
        int64_t cpu;

        if (value_to_int(map->items[i], &cpu) == 0 && cpu >= 0 && cpu < CPUSET_MAX) {
            cpuset_add(&set, (unsigned)cpu);
        }
    }
    return cpuset_format(&set, nr_cpus);
}

static void print_vcpus(const struct value *d, unsigned nr_cpus)
{
    const struct value *vcpu;
    int64_t domid = sxp_get_int(d, "domid", -1);
    auto_str id = domid < 0 ? xstrdup("") : xprintf("%lld", (long long)domid);

    for (size_t i = 0; (vcpu = sxp_child(d, "vcpu", i)) != NULL; i++) {
        auto_str cpus = affinity(vcpu, nr_cpus);
        int64_t cpu = sxp_get_int(vcpu, "cpu", -1);
        bool online = sxp_get_int(vcpu, "online", 0) != 0;
        auto_str where = cpu < 0 || !online ? xstrdup("-") : xprintf("%lld", (long long)cpu);
        char state[4] = {sxp_get_int(vcpu, "running", 0) ? 'r' : '-',
                         sxp_get_int(vcpu, "blocked", 0) ? 'b' : '-', online ? '-' : 'p', '\0'};

        printf("%-32s %5s %5lld %5s %5s %9.1f %s\n", sxp_get_text(d, "name", "?"), id,
               (long long)sxp_get_int(vcpu, "number", 0), where, state, sxp_real(vcpu, "cpu_time"),
               cpus);
    }
}

int cmd_vcpu_list(struct args *args)
{
    auto_value names = NULL;
    auto_value all = value_list();
    auto_value node = NULL;
    int rc = args_done(args);

    if (rc == XM_OK && args->count > 0) {
        names = value_list();
        for (int i = 0; i < args->count; i++) {
            list_add(names, value_string(args->words[i]));
        }
    } else {
        rc = rc ? rc : call("xend.domains_with_state", client_args("is", 0, "all"), &names);
    }
    rc = rc ? rc : call("xend.node.info", NULL, &node);
    for (size_t i = 0; rc == XM_OK && i < names->count; i++) {
        struct value *d = NULL;

        rc =
            call("xend.domain.getVCPUInfo", client_args("s", value_text(names->items[i], "?")), &d);
        if (rc == XM_OK) {
            list_add(all, d);
        }
    }
    if (rc != XM_OK || args->json) {
        return rc ? rc : print_objects(all);
    }
    printf("%-32s %5s %5s %5s %5s %9s %s\n", "Name", "ID", "VCPU", "CPU", "State", "Time(s)",
           "CPU Affinity");
    for (size_t i = 0; i < all->count; i++) {
        print_vcpus(all->items[i], (unsigned)sxp_get_int(node, "nr_cpus", 1));
    }
    return XM_OK;
}

int cmd_info(struct args *args)
{
    auto_value node = NULL;
    int rc = args_done(args);

    rc = rc ? rc : call("xend.node.info", NULL, &node);
    if (rc != XM_OK || args->json) {
        return rc ? rc : print_objects(node);
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct value *pair = node->items[i];
        const struct value *v = pair->count > 1 ? pair->items[1] : NULL;

        if (v != NULL && v->type == VALUE_INT) {
            printf("%-22s : %lld\n", sxp_name(pair), (long long)v->integer);
        } else {
            printf("%-22s : %s\n", sxp_name(pair), value_text(v, ""));
        }
    }
    return XM_OK;
}
