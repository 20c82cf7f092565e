/*
 * vcpu-set, vcpu-pin, sched-credit: CPUs of domains. Rows: table.c.
 */
#include "xm/command.h"

#include "xend/lib/alloc.h"
#include "xend/lib/sxp.h"
#include "xm/client.h"
#include "xm/domains.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cmd_vcpu_set(struct args *args)
{
    int rc = args_done(args);
    char *end = NULL;
    long n = rc == XM_OK ? strtol(args->words[1], &end, 10) : 0;

    if (rc == XM_OK && (*end != '\0' || n < 1 || n > 4096)) {
        fprintf(stderr, "\"%s\" is no number of virtual CPUs.\n", args->words[1]);
        rc = XM_USAGE;
    }
    return rc ? rc
              : simple_call("xend.domain.setVCpuCount", client_args("si", args->words[0], (int)n));
}

int cmd_vcpu_pin(struct args *args)
{
    int rc = args_done(args);

    return rc ? rc
              : simple_call("xend.domain.pincpu",
                            client_args("sss", args->words[0], args->words[1], args->words[2]));
}

static int show_shares(struct args *args, char *domain)
{
    auto_value list = NULL;
    auto_value json = value_list();
    int rc = get_domains(&domain, domain != NULL, "all", false, &list);

    if (rc == XM_OK && !args->json) {
        printf("%-32s %5s %6s %4s\n", "Name", "ID", "Weight", "Cap");
    }
    for (size_t i = 0; rc == XM_OK && i < list->count; i++) {
        const struct value *d = list->items[i];
        const char *name = sxp_get_text(d, "name", "?");
        int64_t domid = sxp_get_int(d, "domid", -1), weight = 0, cap = 0;
        auto_value share = NULL;

        rc = call("xend.domain.sched_credit_get", client_args("s", name), &share);
        value_to_int(dict_get(share, "weight"), &weight);
        value_to_int(dict_get(share, "cap"), &cap);
        if (rc == XM_OK && args->json) {
            struct value *row = value_dict();

            dict_set(row, "name", value_string(name));
            dict_set(row, "domid", value_int(domid));
            dict_set(row, "weight", value_int(weight));
            dict_set(row, "cap", value_int(cap));
            list_add(json, row);
        } else if (rc == XM_OK) {
            auto_str id = domid < 0 ? xstrdup("") : xprintf("%lld", (long long)domid);

            printf("%-32s %5s %6lld %4lld\n", name, id, (long long)weight, (long long)cap);
        }
    }
    return rc == XM_OK && args->json ? print_json(json) : rc;
}

int cmd_sched_credit(struct args *args)
{
    char *domain = args_value(args, "-d", "--domain");
    char *weight = args_value(args, "-w", "--weight");
    char *cap = args_value(args, "-c", "--cap");
    char *end = NULL;
    int rc = args_done(args);
    long w = 0, c = -1;

    if (rc == XM_OK && weight == NULL && cap == NULL) {
        return show_shares(args, domain);
    }
    if (rc == XM_OK && domain == NULL) {
        fputs("Say whose share: -d DOMAIN.\n", stderr);
        return XM_USAGE;
    }
    if (weight != NULL) {
        w = strtol(weight, &end, 10);
    }
    if (rc == XM_OK && weight != NULL && (*end != '\0' || w < 1 || w > 65535)) {
        fputs("A weight goes from 1 to 65535.\n", stderr);
        rc = XM_USAGE;
    }
    if (cap != NULL) {
        c = strtol(cap, &end, 10);
    }
    if (rc == XM_OK && cap != NULL && (*end != '\0' || c < 0 || c > 65535)) {
        fputs("A cap is a percentage of one CPU, from 0 (none).\n", stderr);
        rc = XM_USAGE;
    }
    return rc ? rc
              : simple_call("xend.domain.sched_credit_set",
                            client_args("sii", domain, (int)w, (int)c));
}
