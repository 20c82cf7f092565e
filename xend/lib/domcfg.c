/*
 * The configuration of one domain: its life and its checks. Contract: domcfg.h; its S-expression:
 * domcfg_sxp.c; its config file: options.c.
 */
#include "xend/lib/domcfg.h"

#include "xend/lib/alloc.h"
#include "xend/lib/cpuset.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const action_names[] = {
    [END_DESTROY] = "destroy",
    [END_RESTART] = "restart",
    [END_RENAME_RESTART] = "rename-restart",
    [END_PRESERVE] = "preserve",
    [END_COREDUMP_DESTROY] = "coredump-destroy",
    [END_COREDUMP_RESTART] = "coredump-restart",
};

const char *end_action_name(enum end_action action)
{
    return action_names[action];
}

int end_action_parse(const char *text, enum end_action *action)
{
    for (unsigned i = 0; i < sizeof(action_names) / sizeof(action_names[0]); i++) {
        if (strcmp(text, action_names[i]) == 0) {
            *action = (enum end_action)i;
            return 0;
        }
    }
    return -EINVAL;
}

void domcfg_init(struct domain_config *cfg)
{
    memset(cfg, 0, sizeof(*cfg));
    cfg->memory_mb = 128;
    cfg->vcpus = 1;
    cfg->on_poweroff = END_DESTROY;
    cfg->on_reboot = END_RESTART;
    cfg->on_crash = END_DESTROY;
    cfg->on_watchdog = END_DESTROY;
}

void domcfg_finish(struct domain_config *cfg)
{
    for (size_t i = 0; i < cfg->nr_cpus; i++) {
        free(cfg->cpus[i]);
    }
    for (size_t i = 0; i < cfg->nr_disks; i++) {
        disk_finish(&cfg->disks[i]);
    }
    for (size_t i = 0; i < cfg->nr_vifs; i++) {
        vif_finish(&cfg->vifs[i]);
    }
    free(cfg->cpus);
    free(cfg->disks);
    free(cfg->vifs);
    free(cfg->name);
    free(cfg->kernel);
    free(cfg->ramdisk);
    free(cfg->root);
    free(cfg->extra);
    free(cfg->cmdline);
    free(cfg->description);
    memset(cfg, 0, sizeof(*cfg));
}

void domcfg_add_disk(struct domain_config *cfg, const struct disk_spec *disk)
{
    cfg->disks = xrealloc(cfg->disks, (cfg->nr_disks + 1) * sizeof(cfg->disks[0]));
    disk_copy(&cfg->disks[cfg->nr_disks++], disk);
}

void domcfg_add_vif(struct domain_config *cfg, const struct vif_spec *vif)
{
    cfg->vifs = xrealloc(cfg->vifs, (cfg->nr_vifs + 1) * sizeof(cfg->vifs[0]));
    vif_copy(&cfg->vifs[cfg->nr_vifs++], vif);
}

void domcfg_remove_disk(struct domain_config *cfg, uint32_t vdev)
{
    for (size_t i = 0; i < cfg->nr_disks; i++) {
        if (cfg->disks[i].vdev == vdev) {
            disk_finish(&cfg->disks[i]);
            cfg->nr_disks--;
            memmove(&cfg->disks[i], &cfg->disks[i + 1],
                    (cfg->nr_disks - i) * sizeof(cfg->disks[0]));
            return;
        }
    }
}

void domcfg_remove_vif(struct domain_config *cfg, size_t index)
{
    if (index < cfg->nr_vifs) {
        vif_finish(&cfg->vifs[index]);
        cfg->nr_vifs--;
        memmove(&cfg->vifs[index], &cfg->vifs[index + 1],
                (cfg->nr_vifs - index) * sizeof(cfg->vifs[0]));
    }
}

bool domcfg_is_uuid(const char *text)
{
    if (strlen(text) != 36) {
        return false;
    }
    for (unsigned i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text[i] != '-'
                 : !(isdigit((unsigned char)text[i]) || (text[i] >= 'a' && text[i] <= 'f'))) {
            return false;
        }
    }
    return true;
}

int domcfg_check_name(const char *name, struct error *err)
{
    bool letter = false;

    if (name == NULL || name[0] == '\0') {
        return fail(err, EINVAL, "The domain has no name: add name = \"...\".");
    }
    if (strlen(name) > DOMCFG_MAX_NAME) {
        return fail(err, EINVAL, "The domain's name is longer than %d characters: shorten it.",
                    DOMCFG_MAX_NAME);
    }
    for (const char *p = name; *p != '\0'; p++) {
        if (!isalnum((unsigned char)*p) && strchr("_-.:+", *p) == NULL) {
            return fail(err, EINVAL,
                        "The name \"%s\" has a character that is not allowed: use letters, digits "
                        "and _-.:+.",
                        name);
        }
        letter = letter || !isdigit((unsigned char)*p);
    }
    if (!letter) {
        return fail(err, EINVAL,
                    "The name \"%s\" could be mistaken for a domain's number: add a letter.", name);
    }
    if (domcfg_is_uuid(name)) {
        return fail(err, EINVAL, "The name \"%s\" could be mistaken for a UUID: change it.", name);
    }
    return 0;
}

static int check_numbers(const struct domain_config *cfg, struct error *err)
{
    uint32_t maxvcpus = cfg->maxvcpus ? cfg->maxvcpus : cfg->vcpus;

    if (cfg->memory_mb < 1 || cfg->memory_mb > 16u << 20) {
        return fail(err, EINVAL, "memory is %u MiB: give the domain 1 MiB to 16 TiB.",
                    cfg->memory_mb);
    }
    if (cfg->maxmem_mb != 0 && cfg->maxmem_mb < cfg->memory_mb) {
        return fail(err, EINVAL,
                    "maxmem (%u MiB) is less than memory (%u MiB): raise maxmem or lower memory.",
                    cfg->maxmem_mb, cfg->memory_mb);
    }
    if (cfg->vcpus < 1 || maxvcpus > DOMCFG_MAX_VCPUS) {
        return fail(err, EINVAL, "vcpus is %u: a domain has 1 to %u virtual CPUs.",
                    cfg->vcpus < 1 ? cfg->vcpus : maxvcpus, DOMCFG_MAX_VCPUS);
    }
    if (maxvcpus < cfg->vcpus) {
        return fail(err, EINVAL, "maxvcpus (%u) is less than vcpus (%u): raise maxvcpus.", maxvcpus,
                    cfg->vcpus);
    }
    if (cfg->cpu_weight > 65535) {
        return fail(err, EINVAL, "cpu_weight is %u: it goes from 1 to 65535.", cfg->cpu_weight);
    }
    if (cfg->cpu_cap > maxvcpus * 100) {
        return fail(err, EINVAL, "cpu_cap is %u%%: %u virtual CPUs can use at most %u%%.",
                    cfg->cpu_cap, maxvcpus, maxvcpus * 100);
    }
    return 0;
}

static int check_devices(const struct domain_config *cfg, struct error *err)
{
    for (size_t i = 0; i < cfg->nr_disks; i++) {
        for (size_t j = 0; j < i; j++) {
            if (cfg->disks[i].vdev == cfg->disks[j].vdev) {
                return fail(err, EINVAL, "Two disks are both %s: give each its own device name.",
                            cfg->disks[i].dev);
            }
        }
    }
    for (size_t i = 0; i < cfg->nr_vifs; i++) {
        for (size_t j = 0; j < i; j++) {
            if (cfg->vifs[i].mac != NULL && str_eq(cfg->vifs[i].mac, cfg->vifs[j].mac)) {
                return fail(err, EINVAL, "Two network cards have the MAC address %s: change one.",
                            cfg->vifs[i].mac);
            }
        }
    }
    return 0;
}

int domcfg_check(const struct domain_config *cfg, struct error *err)
{
    struct cpuset set;
    auto_str cmdline = domcfg_cmdline(cfg);
    int rc = domcfg_check_name(cfg->name, err);

    rc = rc ? rc : check_numbers(cfg, err);
    rc = rc ? rc : check_devices(cfg, err);
    for (size_t i = 0; rc == 0 && i < cfg->nr_cpus; i++) {
        rc = cpuset_parse(cfg->cpus[i], &set, err);
    }
    if (rc == 0 && (cfg->kernel == NULL || cfg->kernel[0] != '/')) {
        rc = fail(err, EINVAL,
                  cfg->kernel == NULL
                      ? "The domain has no kernel: add kernel = \"/path\" (PV GRUB's path if the "
                        "guest shall boot its own)."
                      : "The kernel needs its whole path, beginning with a slash.");
    }
    if (rc == 0 && strlen(cmdline) > DOMCFG_CMDLINE) {
        rc = fail(err, EINVAL,
                  "The kernel's command line has %zu bytes and a PV kernel takes %d: shorten "
                  "extra.",
                  strlen(cmdline), DOMCFG_CMDLINE);
    }
    return rc;
}

char *domcfg_cmdline(const struct domain_config *cfg)
{
    if (cfg->cmdline != NULL) {
        return xstrdup(cfg->cmdline);
    }
    return xprintf("%s%s%s%s", cfg->root ? "root=" : "", cfg->root ? cfg->root : "",
                   cfg->root && cfg->extra ? " " : "", cfg->extra ? cfg->extra : "");
}
