/*
 * Records on disk. Contract: record.h.
 */
#include "xend/record.h"

#include "xend/lib/alloc.h"
#include "xend/lib/json.h"
#include "xend/lib/sxp.h"
#include "xend/log.h"
#include "xend/settings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_RECORD (1 << 20)

static const char *const phase_names[] = {
    [PHASE_HALTED] = "halted",   [PHASE_BUILDING] = "building", [PHASE_RESTARTING] = "restarting",
    [PHASE_RUNNING] = "running", [PHASE_STOPPING] = "stopping", [PHASE_REBOOTING] = "rebooting",
};

const char *phase_name(enum phase phase)
{
    return phase_names[phase];
}

static char *folder(void)
{
    return xprintf("%s/domains", settings.state_dir);
}

static int make_folder(const char *path, mode_t mode, struct error *err)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST) {
        return fail(err, errno, "The folder %s cannot be made: %s.", path, strerror(errno));
    }
    return 0;
}

int record_init(struct error *err)
{
    auto_str domains = folder();
    auto_str dumps = xprintf("%s/dumps", settings.state_dir);
    int rc = make_folder(settings.state_dir, 0700, err);

    rc = rc ? rc : make_folder(domains, 0700, err);
    return rc ? rc : make_folder(dumps, 0700, err);
}

static int sync_folder(void)
{
    auto_str path = folder();
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = 0;

    if (fd < 0 || fsync(fd) != 0) {
        rc = -errno;
    }
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

static int write_all(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t r = write(fd, text, n);

        if (r < 0 && errno == EINTR) {
            continue;
        }
        if (r < 0) {
            return -errno;
        }
        text += r;
        n -= (size_t)r;
    }
    return 0;
}

static int write_durably(const char *path, const char *text)
{
    auto_str fresh = xprintf("%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int rc;

    if (fd < 0) {
        return -errno;
    }
    rc = write_all(fd, text, strlen(text));
    if (rc == 0 && fsync(fd) != 0) {
        rc = -errno;
    }
    if (close(fd) != 0 && rc == 0) {
        rc = -errno;
    }
    if (rc == 0 && rename(fresh, path) != 0) {
        rc = -errno;
    }
    if (rc != 0) {
        unlink(fresh);
        return rc;
    }
    return sync_folder();
}

int record_write(const struct record *rec, struct error *err)
{
    auto_value doc = value_dict();
    auto_str text = NULL;
    auto_str path = xprintf("%s/domains/%s.json", settings.state_dir, rec->cfg.uuid);
    struct value *sxp = sxp_new("vm");
    int rc;

    domcfg_to_sxp(&rec->cfg, sxp);
    dict_set(doc, "version", value_int(1));
    dict_set(doc, "phase", value_string(phase_names[rec->phase]));
    dict_set(doc, "managed", value_bool(rec->managed));
    dict_set(doc, "domid", value_int(rec->domid));
    dict_set(doc, "restarts", value_int(rec->restarts));
    dict_set(doc, "start_time", value_int(rec->start_time));
    dict_set(doc, "config", sxp);
    text = json_write(doc, true);
    rc = write_durably(path, text);
    if (rc != 0) {
        return fail(err, -rc,
                    "The record %s of %s cannot be written (%s): make room or repair the disk.",
                    path, rec->cfg.name, strerror(-rc));
    }
    return 0;
}

int record_remove(const char *uuid, struct error *err)
{
    auto_str path = xprintf("%s/domains/%s.json", settings.state_dir, uuid);

    if (unlink(path) != 0 && errno != ENOENT) {
        return fail(err, errno, "The record %s cannot be removed: %s.", path, strerror(errno));
    }
    sync_folder();
    return 0;
}

static int read_whole(const char *path, char **text, size_t *n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t r = 0;

    if (fd < 0) {
        return -errno;
    }
    *text = xalloc(MAX_RECORD + 1);
    *n = 0;
    while (*n < MAX_RECORD && (r = read(fd, *text + *n, MAX_RECORD - *n)) > 0) {
        *n += (size_t)r;
    }
    close(fd);
    return r < 0 ? -EIO : 0;
}

static int parse_phase(const char *name, enum phase *phase)
{
    for (unsigned i = 0; i < sizeof(phase_names) / sizeof(phase_names[0]); i++) {
        if (strcmp(name, phase_names[i]) == 0) {
            *phase = (enum phase)i;
            return 0;
        }
    }
    return -EINVAL;
}

static int record_parse(const char *text, size_t n, struct record *rec, struct error *err)
{
    auto_value doc = NULL;
    int64_t domid = -1, restarts = 0, version = 0;
    int rc = json_read(text, n, &doc, err);

    if (rc != 0) {
        return rc;
    }
    memset(rec, 0, sizeof(*rec));
    if (value_to_int(dict_get(doc, "version"), &version) != 0 || version != 1) {
        return fail(err, EINVAL, "it is of another version");
    }
    if (parse_phase(value_text(dict_get(doc, "phase"), ""), &rec->phase) != 0) {
        return fail(err, EINVAL, "it has no phase");
    }
    if (dict_get(doc, "config") == NULL) {
        return fail(err, EINVAL, "it has no configuration");
    }
    rc = domcfg_from_sxp(dict_get(doc, "config"), &rec->cfg, err);
    if (rc != 0) {
        return rc;
    }
    if (rec->cfg.uuid[0] == '\0') {
        domcfg_finish(&rec->cfg);
        return fail(err, EINVAL, "it has no UUID");
    }
    value_to_int(dict_get(doc, "domid"), &domid);
    value_to_int(dict_get(doc, "restarts"), &restarts);
    value_to_int(dict_get(doc, "start_time"), &rec->start_time);
    rec->domid = (int)domid;
    rec->restarts = (uint32_t)restarts;
    rec->managed = dict_get(doc, "managed") != NULL && dict_get(doc, "managed")->boolean;
    return 0;
}

static void read_one(const char *path, void (*found)(struct record *rec, void *arg), void *arg)
{
    auto_str text = NULL;
    auto_str damaged = xprintf("%s.damaged", path);
    struct record rec;
    struct error err = {0};
    size_t n = 0;
    int rc = read_whole(path, &text, &n);

    if (rc == 0) {
        rc = record_parse(text, n, &rec, &err);
    } else {
        fail(&err, -rc, "%s", strerror(-rc));
    }
    if (rc != 0) {
        log_error("The record %s is not usable: %s It is kept as %s.", path, err.msg, damaged);
        rename(path, damaged);
        return;
    }
    found(&rec, arg);
}

int record_each(void (*found)(struct record *rec, void *arg), void *arg, struct error *err)
{
    auto_str path = folder();
    struct dirent *entry;
    DIR *dir = opendir(path);

    if (dir == NULL) {
        return fail(err, errno, "The folder %s cannot be read: %s.", path, strerror(errno));
    }
    while ((entry = readdir(dir)) != NULL) {
        auto_str file = xprintf("%s/%s", path, entry->d_name);
        size_t n = strlen(entry->d_name);

        if (n == 36 + 5 && strcmp(entry->d_name + 36, ".json") == 0) {
            read_one(file, found, arg);
        } else if (n > 4 && strcmp(entry->d_name + n - 4, ".new") == 0) {
            unlink(file); /* a write that did not end */
        }
    }
    closedir(dir);
    return 0;
}
