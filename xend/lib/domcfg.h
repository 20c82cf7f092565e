/*
 * The configuration of one domain, checked.
 *
 * A config file (options.h), a classic S-expression and a state file all end up in this structure
 * before anything is done with them; it is written back as an S-expression, which is the form that
 * travels in XML-RPC and lies in /var/lib/xend (as JSON arrays).
 */
#ifndef XEND_LIB_DOMCFG_H
#define XEND_LIB_DOMCFG_H

#include "xend/lib/disk.h"
#include "xend/lib/error.h"
#include "xend/lib/value.h"
#include "xend/lib/vif.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOMCFG_MAX_VCPUS  512
#define DOMCFG_MAX_NAME   127
#define DOMCFG_CMDLINE    1023 /* bytes of a PV kernel's command line */
#define DOMCFG_UUID_BYTES 37

/* What happens when a domain ends. */
enum end_action {
    END_DESTROY,
    END_RESTART,
    END_RENAME_RESTART,
    END_PRESERVE,
    END_COREDUMP_DESTROY,
    END_COREDUMP_RESTART,
};

struct domain_config {
    char *name;
    char uuid[DOMCFG_UUID_BYTES]; /* "" until one is chosen */
    uint32_t memory_mb;           /* at start */
    uint32_t maxmem_mb;           /* at most; 0: as memory_mb */
    uint32_t vcpus;               /* online at start */
    uint32_t maxvcpus;            /* at most; 0: as vcpus */
    char **cpus;                  /* for each vCPU where it may run; one entry: for all */
    size_t nr_cpus;
    uint32_t cpu_weight, cpu_cap; /* 0: the scheduler's default weight; no cap */

    char *kernel, *ramdisk;
    char *root;    /* becomes root=... in front of extra */
    char *extra;   /* further words for the kernel */
    char *cmdline; /* the whole command line, instead of root and extra */

    enum end_action on_poweroff, on_reboot, on_crash, on_watchdog;
    bool autostart;
    int32_t autostart_order; /* lower starts earlier */
    char *description;

    struct disk_spec *disks;
    size_t nr_disks;
    struct vif_spec *vifs;
    size_t nr_vifs;
};

void domcfg_init(struct domain_config *cfg);
void domcfg_finish(struct domain_config *cfg);

void domcfg_add_disk(struct domain_config *cfg, const struct disk_spec *disk);
void domcfg_add_vif(struct domain_config *cfg, const struct vif_spec *vif);
void domcfg_remove_disk(struct domain_config *cfg, uint32_t vdev);
void domcfg_remove_vif(struct domain_config *cfg, size_t index);

/*
 * What no single option can tell: names, limits that depend on each other, disks and MACs that are
 * given twice. 0 or -EINVAL with the sentence.
 */
int domcfg_check(const struct domain_config *cfg, struct error *err);
/* Whether text can be a domain's name. 0 or -EINVAL */
int domcfg_check_name(const char *name, struct error *err);
/* Whether text is a UUID in lower case with four dashes. */
bool domcfg_is_uuid(const char *text);

/* The kernel's command line, from cmdline or from root and extra. The caller frees it. */
char *domcfg_cmdline(const struct domain_config *cfg);

const char *end_action_name(enum end_action action);
/* 0 or -EINVAL */
int end_action_parse(const char *text, enum end_action *action);

/* Append the configuration's own pairs (not domid, state, ...) to sxp, devices last. */
void domcfg_to_sxp(const struct domain_config *cfg, struct value *sxp);
/* ['vif', ['mac', ...], ...] and ['vbd', ['uname', ...], ...] */
struct value *vif_to_sxp(const struct vif_spec *vif);
struct value *disk_to_sxp(const struct disk_spec *disk);
int vif_from_sxp(const struct value *sxp, struct vif_spec *vif, struct error *err);
int disk_from_sxp(const struct value *sxp, struct disk_spec *disk, struct error *err);

/*
 * Read ['vm' or 'domain', [key, value], ...] and check it. Keys that only describe a running domain
 * are ignored, so that what xend answers can be given back to it. cfg is initialised by this.
 * 0 or -EINVAL
 */
int domcfg_from_sxp(const struct value *sxp, struct domain_config *cfg, struct error *err);

#endif
