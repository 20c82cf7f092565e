/*
 * block-* and network-*: devices of domains. Rows: table.c.
 */
#include "xm/command.h"

#include "xend/lib/alloc.h"
#include "xend/lib/domcfg.h"
#include "xend/lib/sxp.h"
#include "xm/client.h"
#include "xm/domains.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int attach(const char *domain, struct value *device)
{
    auto_value id = NULL;
    int64_t number = 0;
    int rc = call("xend.domain.device_create", client_args("sv", domain, device), &id);

    value_to_int(id, &number);
    if (rc == XM_OK) {
        printf("%s has device %lld\n", domain, (long long)number);
    }
    return rc;
}

int cmd_block_attach(struct args *args)
{
    struct disk_spec disk;
    struct error err = {0};
    struct value *sxp;
    int rc = args_done(args), bad;

    if (rc != XM_OK) {
        return rc;
    }
    if (args->count == 2) {
        bad = disk_parse(args->words[1], &disk, &err);
    } else {
        bad =
            disk_from_fields(args->words[1], args->words[2], args->count > 3 ? args->words[3] : "w",
                             args->count > 4 ? args->words[4] : NULL, &disk, &err);
    }
    if (bad != 0) {
        fprintf(stderr, "%s\n", err.msg);
        return XM_USAGE;
    }
    sxp = disk_to_sxp(&disk);
    disk_finish(&disk);
    return attach(args->words[0], sxp);
}

int cmd_network_attach(struct args *args)
{
    struct vif_spec vif = {.mac = NULL};
    struct error err = {0};
    struct value *sxp;
    int rc = args_done(args);

    for (int i = 1; rc == XM_OK && i < args->count; i++) {
        auto_str word = xstrdup(args->words[i]);
        char *equals = strchr(word, '=');

        if (equals == NULL) {
            fprintf(stderr, "\"%s\" is no KEY=VALUE.\n", word);
            rc = XM_USAGE;
            break;
        }
        *equals = '\0';
        if (vif_set(&vif, word, equals + 1, &err) != 0) {
            fprintf(stderr, "%s\n", err.msg);
            rc = XM_USAGE;
        }
    }
    sxp = vif_to_sxp(&vif);
    vif_finish(&vif);
    if (rc != XM_OK) {
        value_free(sxp);
        return rc;
    }
    return attach(args->words[0], sxp);
}

static int detach(struct args *args, const char *class)
{
    bool force = args_flag(args, "-f", "--force");
    int rc = args_done(args);

    return rc ? rc
              : simple_call("xend.domain.destroyDevice",
                            client_args("sssi", args->words[0], class, args->words[1], force));
}

int cmd_block_detach(struct args *args)
{
    return detach(args, "vbd");
}

int cmd_network_detach(struct args *args)
{
    return detach(args, "vif");
}

/* For --json: [{"domain": .., "device": .., "backend-id": .., ...}, ...] */
static void add_json(const char *domain, const struct value *devices, struct value *json)
{
    for (size_t i = 0; i < devices->count; i++) {
        const struct value *dev = devices->items[i];
        struct value *row = value_dict();

        dict_set(row, "domain", value_string(domain));
        dict_set(row, "device", value_copy(dev->items[0]));
        for (size_t j = 0; dev->count > 1 && j < dev->items[1]->count; j++) {
            const struct value *pair = dev->items[1]->items[j];

            if (pair->type == VALUE_LIST && pair->count > 1) {
                dict_set(row, sxp_name(pair), value_copy(pair->items[1]));
            }
        }
        list_add(json, row);
    }
}

static int64_t number_of(const struct value *dev)
{
    int64_t n = -1;

    value_to_int(dev->count > 0 ? dev->items[0] : NULL, &n);
    return n;
}

static void print_disk(const struct value *dev)
{
    const struct value *x = dev->items[1];

    printf("%-7lld %-6s %-4s %-5s %-6s %-8s %s\n", (long long)number_of(dev),
           sxp_get_text(x, "dev", "?"), sxp_get_text(x, "mode", "?"), sxp_get_text(x, "state", "-"),
           sxp_get_text(x, "event-channel", "-"), sxp_get_text(x, "ring-ref", "-"),
           sxp_get_text(x, "params", sxp_get_text(x, "uname", "?")));
}

static void print_card(const struct value *dev)
{
    const struct value *x = dev->items[1];

    printf("%-4lld %-17s  %-5s %-6s %s/%s  %s\n", (long long)number_of(dev),
           sxp_get_text(x, "mac", "?"), sxp_get_text(x, "state", "-"),
           sxp_get_text(x, "event-channel", sxp_get_text(x, "event-channel-tx", "-")),
           sxp_get_text(x, "tx-ring-ref", "-"), sxp_get_text(x, "rx-ring-ref", "-"),
           sxp_get_text(x, "bridge", sxp_get_text(x, "be-path", "")));
}

static int list_devices(struct args *args, const char *class, const char *header,
                        void (*print)(const struct value *dev))
{
    bool full = args_flag(args, "-l", "--long");
    auto_value json = value_list();
    int rc = args_done(args);

    if (rc == XM_OK && !full && !args->json) {
        puts(header);
    }
    for (int i = 0; rc == XM_OK && i < args->count; i++) {
        auto_value devices = NULL;

        rc = call("xend.domain.getDeviceSxprs", client_args("ss", args->words[i], class), &devices);
        if (rc == XM_OK && args->json) {
            add_json(args->words[i], devices, json);
        }
        for (size_t j = 0; rc == XM_OK && !args->json && j < devices->count; j++) {
            auto_str text = full ? sxp_print(devices->items[j]) : NULL;

            if (full) {
                fputs(text, stdout);
            } else if (devices->items[j]->count > 1) {
                print(devices->items[j]);
            }
        }
    }
    return rc == XM_OK && args->json ? print_json(json) : rc;
}

int cmd_block_list(struct args *args)
{
    return list_devices(args, "vbd", "Vdev    Device Mode State Evt-ch Ring-ref Disk", print_disk);
}

int cmd_network_list(struct args *args)
{
    return list_devices(args, "vif", "Idx  MAC                State Evt-ch Rings    Bridge",
                        print_card);
}
