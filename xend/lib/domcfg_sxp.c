/*
 * A domain's configuration as a classic S-expression, in both directions. Contract: domcfg.h.
 */
#include "xend/lib/domcfg.h"

#include "xend/lib/alloc.h"
#include "xend/lib/sxp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_optional(struct value *sxp, const char *key, const char *text)
{
    if (text != NULL) {
        sxp_add_string(sxp, key, text);
    }
}

struct value *vif_to_sxp(const struct vif_spec *vif)
{
    struct vif_spec fields = *vif;
    struct value *sxp = sxp_new("vif");

    for (unsigned i = 0; i < VIF_FIELDS; i++) {
        add_optional(sxp, vif_field_names[i], *vif_field(&fields, i));
    }
    return sxp;
}

struct value *disk_to_sxp(const struct disk_spec *disk)
{
    struct value *sxp = sxp_new("vbd");
    char *dev = disk->cdrom ? xprintf("%s:cdrom", disk->dev) : xstrdup(disk->dev);

    list_add(sxp, sxp_new("uname"));
    list_add(sxp->items[1], value_take(disk_uname(disk)));
    sxp_add(sxp, "dev", value_take(dev));
    sxp_add_string(sxp, "mode", disk_mode(disk));
    add_optional(sxp, "backend", disk->backend);
    return sxp;
}

int disk_from_sxp(const struct value *sxp, struct disk_spec *disk, struct error *err)
{
    const char *uname = sxp_get_text(sxp, "uname", NULL);
    const char *dev = sxp_get_text(sxp, "dev", NULL);

    if (uname == NULL || dev == NULL) {
        return fail(err, EINVAL,
                    "A vbd needs uname (what it is) and dev (as what the guest sees "
                    "it).");
    }
    return disk_from_fields(uname, dev, sxp_get_text(sxp, "mode", "w"),
                            sxp_get_text(sxp, "backend", NULL), disk, err);
}

int vif_from_sxp(const struct value *sxp, struct vif_spec *vif, struct error *err)
{
    int rc;

    memset(vif, 0, sizeof(*vif));
    for (unsigned i = 0; i < VIF_FIELDS; i++) {
        const char *text = sxp_get_text(sxp, vif_field_names[i], NULL);

        rc = text != NULL && text[0] != '\0' ? vif_set(vif, vif_field_names[i], text, err) : 0;
        if (rc != 0) {
            vif_finish(vif);
            return rc;
        }
    }
    return 0;
}

static void add_image(const struct domain_config *cfg, struct value *sxp)
{
    struct value *image = sxp_new("linux");

    add_optional(image, "kernel", cfg->kernel);
    add_optional(image, "ramdisk", cfg->ramdisk);
    add_optional(image, "root", cfg->root);
    add_optional(image, "args", cfg->extra);
    add_optional(image, "cmdline", cfg->cmdline);
    sxp_add(sxp, "image", image);
}

void domcfg_to_sxp(const struct domain_config *cfg, struct value *sxp)
{
    struct value *cpus = value_list();

    sxp_add_string(sxp, "name", cfg->name);
    if (cfg->uuid[0] != '\0') {
        sxp_add_string(sxp, "uuid", cfg->uuid);
    }
    sxp_add_int(sxp, "memory", cfg->memory_mb);
    sxp_add_int(sxp, "maxmem", cfg->maxmem_mb ? cfg->maxmem_mb : cfg->memory_mb);
    sxp_add_int(sxp, "vcpus", cfg->maxvcpus ? cfg->maxvcpus : cfg->vcpus);
    sxp_add_int(sxp, "vcpus_start", cfg->vcpus);
    for (size_t i = 0; i < cfg->nr_cpus; i++) {
        list_add(cpus, value_string(cfg->cpus[i]));
    }
    sxp_add(sxp, "cpus", cpus);
    sxp_add_int(sxp, "cpu_weight", cfg->cpu_weight ? cfg->cpu_weight : 256);
    sxp_add_int(sxp, "cpu_cap", cfg->cpu_cap);
    sxp_add_string(sxp, "on_poweroff", end_action_name(cfg->on_poweroff));
    sxp_add_string(sxp, "on_reboot", end_action_name(cfg->on_reboot));
    sxp_add_string(sxp, "on_crash", end_action_name(cfg->on_crash));
    sxp_add_string(sxp, "on_watchdog", end_action_name(cfg->on_watchdog));
    sxp_add_string(sxp, "on_xend_start", cfg->autostart ? "start" : "ignore");
    sxp_add_int(sxp, "autostart_order", cfg->autostart_order);
    sxp_add_string(sxp, "description", cfg->description ? cfg->description : "");
    add_image(cfg, sxp);
    for (size_t i = 0; i < cfg->nr_disks; i++) {
        sxp_add(sxp, "device", disk_to_sxp(&cfg->disks[i]));
    }
    for (size_t i = 0; i < cfg->nr_vifs; i++) {
        sxp_add(sxp, "device", vif_to_sxp(&cfg->vifs[i]));
    }
}

static int read_u32(const struct value *sxp, const char *key, uint32_t *out, struct error *err)
{
    const struct value *v = sxp_get(sxp, key);
    int64_t number;

    if (v == NULL || v->type == VALUE_NIL) {
        return 0;
    }
    if (value_to_int(v, &number) != 0 || number < 0 || number > UINT32_MAX) {
        return fail(err, EINVAL, "%s must be a whole number that is not negative.", key);
    }
    *out = (uint32_t)number;
    return 0;
}

static int read_action(const struct value *sxp, const char *key, enum end_action *out,
                       struct error *err)
{
    const char *text = sxp_get_text(sxp, key, NULL);

    if (text != NULL && end_action_parse(text, out) != 0) {
        return fail(err, EINVAL,
                    "%s is \"%s\": it must be destroy, restart, rename-restart, preserve, "
                    "coredump-destroy or coredump-restart.",
                    key, text);
    }
    return 0;
}

static void read_text(const struct value *sxp, const char *key, char **out)
{
    const char *text = sxp_get_text(sxp, key, NULL);

    if (text != NULL && text[0] != '\0') {
        str_set(out, text);
    }
}

/* One vCPU's CPUs: a string, or a list of numbers as classic xend answered them. */
static char *cpus_entry(const struct value *v)
{
    char *text = NULL;
    int64_t cpu;

    if (v->type == VALUE_STRING) {
        return xstrdup(v->string);
    }
    if (v->type == VALUE_INT) {
        return xprintf("%u", (unsigned)v->integer);
    }
    if (v->type != VALUE_LIST) {
        return NULL;
    }
    for (size_t i = 0; i < v->count; i++) {
        char *longer;

        if (value_to_int(v->items[i], &cpu) != 0) {
            free(text);
            return NULL;
        }
        longer = xprintf("%s%s%u", text ? text : "", text ? "," : "", (unsigned)cpu);
        free(text);
        text = longer;
    }
    return text ? text : xstrdup("all");
}

static int read_cpus(const struct value *sxp, struct domain_config *cfg, struct error *err)
{
    const struct value *v = sxp_get(sxp, "cpus");
    size_t n;

    if (v == NULL || v->type == VALUE_NIL || (v->type == VALUE_STRING && v->string[0] == '\0')) {
        return 0;
    }
    n = v->type == VALUE_LIST ? v->count : 1;
    if (n > DOMCFG_MAX_VCPUS) {
        return fail(err, EINVAL, "cpus has more entries than a domain can have virtual CPUs.");
    }
    cfg->cpus = xalloc(n * sizeof(cfg->cpus[0]));
    for (size_t i = 0; i < n; i++) {
        char *entry = cpus_entry(v->type == VALUE_LIST ? v->items[i] : v);

        if (entry == NULL) {
            return fail(err, EINVAL,
                        "cpus must be a list such as \"0-3,^2\", or one such list "
                        "for each virtual CPU.");
        }
        cfg->cpus[cfg->nr_cpus++] = entry;
    }
    return 0;
}

static int read_image(const struct value *sxp, struct domain_config *cfg, struct error *err)
{
    const struct value *image = sxp_get(sxp, "image");

    if (image == NULL) {
        return 0;
    }
    if (strcmp(sxp_name(image), "linux") != 0) {
        return fail(err, EINVAL,
                    "The image is of the kind \"%s\", and only para-virtualised guests (\"linux\") "
                    "can be built.",
                    sxp_name(image));
    }
    read_text(image, "kernel", &cfg->kernel);
    read_text(image, "ramdisk", &cfg->ramdisk);
    read_text(image, "root", &cfg->root);
    read_text(image, "args", &cfg->extra);
    read_text(image, "cmdline", &cfg->cmdline);
    return 0;
}

static int read_device(const struct value *device, struct domain_config *cfg, struct error *err)
{
    const struct value *sxp = device->count > 1 ? device->items[1] : NULL;
    const char *class = sxp_name(sxp);
    struct disk_spec disk;
    struct vif_spec vif;
    int rc;

    if (strcmp(class, "vbd") == 0) {
        rc = disk_from_sxp(sxp, &disk, err);
        if (rc == 0) {
            domcfg_add_disk(cfg, &disk);
            disk_finish(&disk);
        }
    } else if (strcmp(class, "vif") == 0) {
        rc = vif_from_sxp(sxp, &vif, err);
        if (rc == 0) {
            domcfg_add_vif(cfg, &vif);
            vif_finish(&vif);
        }
    } else if (strcmp(class, "console") == 0 || strcmp(class, "vfb") == 0 ||
               strcmp(class, "vkbd") == 0) {
        rc = 0; /* every domain has a console; frame buffers are noted by options.c */
    } else {
        rc = fail(err, EINVAL, "Devices of the class \"%s\" are not offered: vbd and vif are.",
                  class);
    }
    return rc;
}

static int read_numbers(const struct value *sxp, struct domain_config *cfg, struct error *err)
{
    uint32_t mask = 0, vcpus = 0, start = 0;
    int64_t order;
    int rc = read_u32(sxp, "memory", &cfg->memory_mb, err);

    rc = rc ? rc : read_u32(sxp, "maxmem", &cfg->maxmem_mb, err);
    rc = rc ? rc : read_u32(sxp, "vcpus", &vcpus, err);
    rc = rc ? rc : read_u32(sxp, "vcpus_start", &start, err);
    rc = rc ? rc : read_u32(sxp, "vcpu_avail", &mask, err);
    rc = rc ? rc : read_u32(sxp, "cpu_weight", &cfg->cpu_weight, err);
    rc = rc ? rc : read_u32(sxp, "cpu_cap", &cfg->cpu_cap, err);
    if (rc != 0) {
        return rc;
    }
    if (vcpus != 0 || sxp_get(sxp, "vcpus") != NULL) {
        cfg->maxvcpus = vcpus;
        cfg->vcpus = start != 0 ? start : vcpus;
    }
    if (start == 0 && mask != 0 && vcpus <= 32) {
        cfg->vcpus = (uint32_t)__builtin_popcount(mask);
        cfg->vcpus = cfg->vcpus > vcpus ? vcpus : cfg->vcpus;
    }
    if (value_to_int(sxp_get(sxp, "autostart_order"), &order) == 0) {
        cfg->autostart_order = (int32_t)order;
    }
    return 0;
}

static int read_rest(const struct value *sxp, struct domain_config *cfg, struct error *err)
{
    const char *uuid = sxp_get_text(sxp, "uuid", "");
    const char *autostart = sxp_get_text(sxp, "on_xend_start", "ignore");
    int rc;

    if (uuid[0] != '\0') {
        if (!domcfg_is_uuid(uuid)) {
            return fail(err, EINVAL,
                        "\"%s\" is no UUID: write 8-4-4-4-12 lower-case hexadecimal "
                        "digits, or leave it out.",
                        uuid);
        }
        snprintf(cfg->uuid, sizeof(cfg->uuid), "%s", uuid);
    }
    cfg->autostart = strcmp(autostart, "start") == 0;
    read_text(sxp, "name", &cfg->name);
    read_text(sxp, "description", &cfg->description);
    rc = read_numbers(sxp, cfg, err);
    rc = rc ? rc : read_cpus(sxp, cfg, err);
    rc = rc ? rc : read_image(sxp, cfg, err);
    rc = rc ? rc : read_action(sxp, "on_poweroff", &cfg->on_poweroff, err);
    rc = rc ? rc : read_action(sxp, "on_reboot", &cfg->on_reboot, err);
    rc = rc ? rc : read_action(sxp, "on_crash", &cfg->on_crash, err);
    rc = rc ? rc : read_action(sxp, "on_watchdog", &cfg->on_watchdog, err);
    return rc;
}

int domcfg_from_sxp(const struct value *sxp, struct domain_config *cfg, struct error *err)
{
    const struct value *device;
    int rc;

    domcfg_init(cfg);
    if (strcmp(sxp_name(sxp), "vm") != 0 && strcmp(sxp_name(sxp), "domain") != 0) {
        return fail(err, EINVAL, "A configuration must be a list that begins with 'vm'.");
    }
    rc = read_rest(sxp, cfg, err);
    for (size_t i = 0; rc == 0 && (device = sxp_child(sxp, "device", i)) != NULL; i++) {
        rc = read_device(device, cfg, err);
    }
    rc = rc ? rc : domcfg_check(cfg, err);
    if (rc != 0) {
        domcfg_finish(cfg);
    }
    return rc;
}
