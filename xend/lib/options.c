/*
 * The table of options. Contract: options.h.
 */
#include "xend/lib/options.h"

#include "xend/lib/alloc.h"
#include "xend/lib/cpuset.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *file;
    struct domain_config *cfg;
    struct value *warnings;
    struct error *err;
};

struct option;
typedef int option_reader(struct reader *rd, const struct option *opt, const struct value *v);

struct option {
    const char *name;
    option_reader *read;
    size_t offset; /* of the field in struct domain_config, where read uses one */
    uint32_t lowest, highest;
    const char *remark; /* for read_refused and read_ignored: why */
};

/* The sentence in err gets the place where v stands. */
static int misplaced(struct reader *rd, const struct value *v)
{
    if (v->line != 0) {
        return fail_prefix(rd->err, "%s:%u:%u: ", rd->file, v->line, v->column);
    }
    return -rd->err->code;
}

static void *field(struct reader *rd, const struct option *opt)
{
    return (char *)rd->cfg + opt->offset;
}

static int read_string(struct reader *rd, const struct option *opt, const struct value *v)
{
    if (v->type != VALUE_STRING) {
        fail(rd->err, EINVAL, "%s must be a string in quotes, not %s.", opt->name,
             value_type_name(v));
        return misplaced(rd, v);
    }
    if (v->string[0] != '\0') {
        str_set(field(rd, opt), v->string);
    }
    return 0;
}

static int read_number(struct reader *rd, const struct option *opt, const struct value *v)
{
    int64_t number;

    if (value_to_int(v, &number) != 0) {
        fail(rd->err, EINVAL, "%s must be a whole number, not %s.", opt->name,
             v->type == VALUE_STRING ? v->string : value_type_name(v));
        return misplaced(rd, v);
    }
    if (number < opt->lowest || number > opt->highest) {
        fail(rd->err, EINVAL, "%s is %lld, and goes from %u to %u.", opt->name, (long long)number,
             opt->lowest, opt->highest);
        return misplaced(rd, v);
    }
    *(uint32_t *)field(rd, opt) = (uint32_t)number;
    return 0;
}

static int read_autostart(struct reader *rd, const struct option *opt, const struct value *v)
{
    int64_t number;

    if (value_to_int(v, &number) != 0 || number < 0 || number > 1) {
        fail(rd->err, EINVAL, "%s must be 1 (start it with the host) or 0.", opt->name);
        return misplaced(rd, v);
    }
    rd->cfg->autostart = number != 0;
    return 0;
}

static int read_uuid(struct reader *rd, const struct option *opt, const struct value *v)
{
    char uuid[DOMCFG_UUID_BYTES];

    snprintf(uuid, sizeof(uuid), "%s", value_text(v, ""));
    for (char *p = uuid; *p != '\0'; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    if (!domcfg_is_uuid(uuid)) {
        fail(rd->err, EINVAL,
             "uuid is no UUID: write 8-4-4-4-12 hexadecimal digits, or leave it "
             "out.");
        return misplaced(rd, v);
    }
    memcpy(rd->cfg->uuid, uuid, sizeof(uuid));
    return 0;
}

static int read_action(struct reader *rd, const struct option *opt, const struct value *v)
{
    if (end_action_parse(value_text(v, ""), field(rd, opt)) != 0) {
        fail(rd->err, EINVAL,
             "%s must be \"destroy\", \"restart\", \"rename-restart\", \"preserve\", "
             "\"coredump-destroy\" or \"coredump-restart\".",
             opt->name);
        return misplaced(rd, v);
    }
    return 0;
}

static int add_cpus(struct reader *rd, const struct value *v)
{
    struct cpuset set;
    char *text =
        v->type == VALUE_INT ? xprintf("%lld", (long long)v->integer) : xstrdup(value_text(v, "?"));

    rd->cfg->cpus = xrealloc(rd->cfg->cpus, (rd->cfg->nr_cpus + 1) * sizeof(rd->cfg->cpus[0]));
    rd->cfg->cpus[rd->cfg->nr_cpus++] = text;
    return cpuset_parse(text, &set, rd->err) != 0 ? misplaced(rd, v) : 0;
}

static int read_cpus(struct reader *rd, const struct option *opt, const struct value *v)
{
    int rc = 0;

    if (v->type != VALUE_LIST) {
        return add_cpus(rd, v);
    }
    for (size_t i = 0; rc == 0 && i < v->count; i++) {
        rc = add_cpus(rd, v->items[i]);
    }
    return rc;
}

static int read_extra(struct reader *rd, const struct option *opt, const struct value *v)
{
    return read_string(rd, opt, v);
}

/* A list of strings, or one string alone; `one` is called for each. */
static int each_string(struct reader *rd, const struct option *opt, const struct value *v,
                       int (*one)(struct reader *rd, const char *text))
{
    const struct value *only = v;
    bool list = v->type == VALUE_LIST;

    if (v->type == VALUE_STRING && v->string[0] == '\0') {
        return 0; /* "disk=" on the command line: none */
    }
    for (size_t i = 0; i < (list ? v->count : 1); i++) {
        const struct value *item = list ? v->items[i] : only;

        if (item->type != VALUE_STRING) {
            fail(rd->err, EINVAL, "%s must be a list of strings, and this is %s.", opt->name,
                 value_type_name(item));
            return misplaced(rd, item);
        }
        if (one(rd, item->string) != 0) {
            return misplaced(rd, item);
        }
    }
    return 0;
}

static int one_disk(struct reader *rd, const char *text)
{
    struct disk_spec disk;
    int rc = disk_parse(text, &disk, rd->err);

    if (rc == 0) {
        domcfg_add_disk(rd->cfg, &disk);
        disk_finish(&disk);
    }
    return rc;
}

static int read_disks(struct reader *rd, const struct option *opt, const struct value *v)
{
    return each_string(rd, opt, v, one_disk);
}

static int one_vif(struct reader *rd, const char *text)
{
    struct vif_spec vif;
    int rc = vif_parse(text, &vif, rd->err);

    if (rc == 0) {
        if (vif.model != NULL || str_eq(vif.type, "ioemu")) {
            list_add(rd->warnings,
                     value_take(xprintf("%s: %s=%s of a network card is ignored: a "
                                        "para-virtualised guest has no emulated card.",
                                        rd->file, vif.model ? "model" : "type",
                                        vif.model ? vif.model : vif.type)));
        }
        domcfg_add_vif(rd->cfg, &vif);
        vif_finish(&vif);
    }
    return rc;
}

static int read_vifs(struct reader *rd, const struct option *opt, const struct value *v)
{
    return each_string(rd, opt, v, one_vif);
}

static int read_nics(struct reader *rd, const struct option *opt, const struct value *v)
{
    int64_t number;

    if (value_to_int(v, &number) != 0 || number < 0 || number > 8) {
        fail(rd->err, EINVAL, "nics must be a number from 0 to 8: use vif = [...] for more.");
        return misplaced(rd, v);
    }
    while ((size_t)number > rd->cfg->nr_vifs) {
        struct vif_spec vif = {.mac = NULL};

        domcfg_add_vif(rd->cfg, &vif);
    }
    return 0;
}

/* An option whose value says "nothing": it is there in many files, and harmless. */
static bool is_off(const struct value *v)
{
    switch (v->type) {
    case VALUE_NIL:
        return true;
    case VALUE_BOOL:
        return !v->boolean;
    case VALUE_INT:
        return v->integer == 0;
    case VALUE_STRING:
        return v->string[0] == '\0';
    case VALUE_LIST:
    case VALUE_DICT:
        return v->count == 0;
    case VALUE_REAL:
        break;
    }
    return false;
}

static int read_refused(struct reader *rd, const struct option *opt, const struct value *v)
{
    if (is_off(v)) {
        return 0;
    }
    fail(rd->err, EOPNOTSUPP, "%s: %s", opt->name, opt->remark);
    return misplaced(rd, v);
}

static int read_ignored(struct reader *rd, const struct option *opt, const struct value *v)
{
    if (!is_off(v)) {
        list_add(rd->warnings, value_take(xprintf("%s:%u:%u: %s is ignored: %s", rd->file, v->line,
                                                  v->column, opt->name, opt->remark)));
    }
    return 0;
}

static int read_type(struct reader *rd, const struct option *opt, const struct value *v)
{
    const char *text = value_text(v, "");

    if (strcmp(text, "pv") == 0 || strcmp(text, "generic") == 0 || strcmp(text, "linux") == 0) {
        return 0;
    }
    fail(rd->err, EOPNOTSUPP,
         "%s is \"%s\", and only para-virtualised guests can be built: remove it or write \"pv\".",
         opt->name, text);
    return misplaced(rd, v);
}

#define FIELD(f) .offset = offsetof(struct domain_config, f)
#define PV_GRUB                                                                           \
    "guest disks are never parsed in Domain 0: install grub-xen-host and write kernel = " \
    "\"/usr/lib/grub-xen/grub-x86_64-xen.bin\", which boots the guest's own kernel."
#define HVM_ONLY "it is for fully virtualised guests, and this one is para-virtualised."

static const struct option options[] = {
    {"name", read_string, FIELD(name)},
    {.name = "uuid", .read = read_uuid},
    {"memory", read_number, FIELD(memory_mb), 1, 16 << 20},
    {"maxmem", read_number, FIELD(maxmem_mb), 0, 16 << 20},
    {"vcpus", read_number, FIELD(vcpus), 1, DOMCFG_MAX_VCPUS},
    {"maxvcpus", read_number, FIELD(maxvcpus), 1, DOMCFG_MAX_VCPUS},
    {.name = "cpus", .read = read_cpus},
    {.name = "cpu", .read = read_cpus},
    {"cpu_weight", read_number, FIELD(cpu_weight), 1, 65535},
    {"cpu_cap", read_number, FIELD(cpu_cap), 0, DOMCFG_MAX_VCPUS * 100},
    {"kernel", read_string, FIELD(kernel)},
    {"ramdisk", read_string, FIELD(ramdisk)},
    {"root", read_string, FIELD(root)},
    {"extra", read_extra, FIELD(extra)},
    {"cmdline", read_string, FIELD(cmdline)},
    {.name = "disk", .read = read_disks},
    {.name = "vif", .read = read_vifs},
    {.name = "nics", .read = read_nics},
    {"on_poweroff", read_action, FIELD(on_poweroff)},
    {"on_shutdown", read_action, FIELD(on_poweroff)},
    {"on_reboot", read_action, FIELD(on_reboot)},
    {"on_crash", read_action, FIELD(on_crash)},
    {"on_watchdog", read_action, FIELD(on_watchdog)},
    {.name = "autostart", .read = read_autostart},
    {"autostart_order", read_number, FIELD(autostart_order), 0, 1000000},
    {"description", read_string, FIELD(description)},
    {.name = "builder", .read = read_type},
    {.name = "type", .read = read_type},
    {"bootloader", read_refused, .remark = PV_GRUB},
    {"bootargs", read_ignored, .remark = "there is no boot loader in Domain 0."},
    {"bootentry", read_ignored, .remark = "there is no boot loader in Domain 0."},
    {"pci", read_refused, .remark = "devices can't be passed to a guest: remove it."},
    {"usb", read_ignored, .remark = HVM_ONLY},
    {"usbdevice", read_ignored, .remark = HVM_ONLY},
    {"vfb", read_ignored,
     .remark = "there is no virtual frame buffer: use the console (xm console)."},
    {"vnc", read_ignored,
     .remark = "there is no virtual frame buffer: use the console (xm console)."},
    {"sdl", read_ignored,
     .remark = "there is no virtual frame buffer: use the console (xm console)."},
    {"vtpm", read_refused, .remark = "there is no virtual TPM: remove it."},
    {"vscsi", read_refused, .remark = "there is no virtual SCSI: use disk = [...]."},
    {"ioports", read_refused, .remark = "hardware can't be given to a guest: remove it."},
    {"irq", read_refused, .remark = "hardware can't be given to a guest: remove it."},
    {"device_model", read_ignored, .remark = HVM_ONLY},
    {"pae", read_ignored, .remark = HVM_ONLY},
    {"acpi", read_ignored, .remark = HVM_ONLY},
    {"apic", read_ignored, .remark = HVM_ONLY},
    {"boot", read_ignored, .remark = HVM_ONLY},
    {"serial", read_ignored, .remark = HVM_ONLY},
    {"stdvga", read_ignored, .remark = HVM_ONLY},
    {"shadow_memory", read_ignored, .remark = HVM_ONLY},
    {"localtime", read_ignored, .remark = "a PV guest sets its own time zone."},
    {"features", read_ignored, .remark = "the kernel's own notes decide."},
    {"on_xend_start", read_ignored, .remark = "write autostart = 1."},
    {"on_xend_stop", read_ignored, .remark = "guests live on while xend is stopped."},
    {"dhcp", read_ignored, .remark = "put ip=dhcp into extra."},
    {"ip", read_ignored, .remark = "put ip=... into extra."},
    {"netmask", read_ignored, .remark = "put ip=... into extra."},
    {"gateway", read_ignored, .remark = "put ip=... into extra."},
    {"hostname", read_ignored, .remark = "put ip=... into extra."},
    {"nfs_server", read_ignored, .remark = "put nfsroot=... into extra."},
    {"nfs_root", read_ignored, .remark = "put nfsroot=... into extra."},
};

#define NR_OPTIONS (sizeof(options) / sizeof(options[0]))

const char *const *options_names(void)
{
    static const char *names[NR_OPTIONS + 1];
    size_t n = 0;

    for (size_t i = 0; i < NR_OPTIONS; i++) {
        if (options[i].remark == NULL) {
            names[n++] = options[i].name;
        }
    }
    names[n] = NULL;
    return names;
}

static const struct option *find_option(const char *name)
{
    for (size_t i = 0; i < NR_OPTIONS; i++) {
        if (strcmp(options[i].name, name) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static void warn_unknown(struct reader *rd, const char *name, const struct value *v)
{
    const char *near = nearest_name(name, options_names());

    if (near != NULL) {
        list_add(rd->warnings, value_take(xprintf("%s:%u:%u: there is no option %s, it is ignored; "
                                                  "did you mean %s?",
                                                  rd->file, v->line, v->column, name, near)));
    } else {
        list_add(rd->warnings, value_take(xprintf("%s:%u:%u: there is no option %s, it is ignored.",
                                                  rd->file, v->line, v->column, name)));
    }
}

int options_read(const char *file, const struct value *config, struct domain_config *cfg,
                 struct value *warnings, struct error *err)
{
    struct reader rd = {.file = file, .cfg = cfg, .warnings = warnings, .err = err};
    int rc = 0;

    domcfg_init(cfg);
    for (size_t i = 0; rc == 0 && i < config->count; i++) {
        const struct option *opt = find_option(config->keys[i]);

        if (opt == NULL) {
            warn_unknown(&rd, config->keys[i], config->items[i]);
        } else {
            rc = opt->read(&rd, opt, config->items[i]);
        }
    }
    if (rc == 0 && domcfg_check(cfg, err) != 0) {
        rc = fail_prefix(err, "%s: ", file);
    }
    if (rc != 0) {
        domcfg_finish(cfg);
    }
    return rc;
}
