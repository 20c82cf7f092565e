/*
 * Disks in configurations. Contract: disk.h. Device numbers: <xen/io/blkif.h>'s documentation
 * "vbd-interface".
 */
#include "xend/lib/disk.h"

#include "xend/lib/alloc.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *prefix;
    enum disk_kind kind;
} prefixes[] = {
    {"phy:", DISK_PHY},
    {"file:", DISK_FILE},
};

void disk_finish(struct disk_spec *disk)
{
    free(disk->path);
    free(disk->dev);
    free(disk->backend);
    memset(disk, 0, sizeof(*disk));
}

void disk_copy(struct disk_spec *to, const struct disk_spec *from)
{
    *to = *from;
    to->path = xstrdup(from->path);
    to->dev = xstrdup(from->dev);
    to->backend = xstrdup(from->backend);
}

char *disk_uname(const struct disk_spec *disk)
{
    static const char *const names[] = {
        [DISK_PHY] = "phy:", [DISK_FILE] = "file:", [DISK_AUTO] = ""};

    return xprintf("%s%s", names[disk->kind], disk->path);
}

const char *disk_mode(const struct disk_spec *disk)
{
    return disk->readonly ? "r" : disk->shared ? "w!" : "w";
}

/* Letters after xvd/sd/hd as a number from 0: a..z, aa..zz. -EINVAL: none, or too many. */
static int disk_letters(const char **p, uint32_t *n)
{
    const char *start = *p;

    *n = 0;
    while (islower((unsigned char)**p)) {
        *n = *n * 26 + (uint32_t)(**p - 'a') + 1;
        if (++*p - start > 4) {
            return -EINVAL;
        }
    }
    if (*p == start) {
        return -EINVAL;
    }
    *n -= 1;
    return 0;
}

static int partition(const char *p, uint32_t limit, uint32_t *part)
{
    char *end;
    unsigned long n;

    *part = 0;
    if (*p == '\0') {
        return 0;
    }
    if (!isdigit((unsigned char)*p) || *p == '0') {
        return -EINVAL;
    }
    n = strtoul(p, &end, 10);
    if (*end != '\0' || n >= limit) {
        return -EINVAL;
    }
    *part = (uint32_t)n;
    return 0;
}

static int xvd_number(const char *p, uint32_t *vdev)
{
    uint32_t n, part;

    if (disk_letters(&p, &n) != 0 || n >= 1 << 20 || partition(p, 256, &part) != 0) {
        return -EINVAL;
    }
    *vdev = n < 16 && part < 16 ? 202u << 8 | n << 4 | part : 1u << 28 | n << 8 | part;
    return 0;
}

static int sd_number(const char *p, uint32_t *vdev)
{
    uint32_t n, part;

    if (disk_letters(&p, &n) != 0 || n >= 16 || partition(p, 16, &part) != 0) {
        return -EINVAL;
    }
    *vdev = 8u << 8 | n << 4 | part;
    return 0;
}

static int hd_number(const char *p, uint32_t *vdev)
{
    static const uint32_t majors[] = {3, 22, 33, 34, 56, 57, 88, 89, 90, 91};
    uint32_t n, part;

    if (disk_letters(&p, &n) != 0 || n >= 20 || partition(p, 64, &part) != 0) {
        return -EINVAL;
    }
    *vdev = majors[n / 2] << 8 | (n & 1) << 6 | part;
    return 0;
}

int disk_number(const char *dev, uint32_t *vdev)
{
    char *end;
    unsigned long n;

    if (isdigit((unsigned char)dev[0])) {
        n = strtoul(dev, &end, 0);
        if (*end != '\0' || n > 0x7fffffff) {
            return -EINVAL;
        }
        *vdev = (uint32_t)n;
        return 0;
    }
    if (str_starts(dev, "/dev/")) {
        dev += 5;
    }
    if (str_starts(dev, "xvd")) {
        return xvd_number(dev + 3, vdev);
    }
    if (str_starts(dev, "sd")) {
        return sd_number(dev + 2, vdev);
    }
    if (str_starts(dev, "hd")) {
        return hd_number(dev + 2, vdev);
    }
    return -EINVAL;
}

static char *trimmed(const char *s, size_t n)
{
    while (n > 0 && isspace((unsigned char)*s)) {
        s++;
        n--;
    }
    while (n > 0 && isspace((unsigned char)s[n - 1])) {
        n--;
    }
    return xstrndup(s, n);
}

static int set_target(struct disk_spec *disk, const char *uname, struct error *err)
{
    if (strncmp(uname, "tap", 3) == 0 && strchr(uname, ':') != NULL) {
        return fail(err, EINVAL,
                    "The disk %s asks for blktap, which does not exist here: write "
                    "file:/path for a raw image.",
                    uname);
    }
    disk->kind = DISK_AUTO;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (str_starts(uname, prefixes[i].prefix)) {
            disk->kind = prefixes[i].kind;
            uname += strlen(prefixes[i].prefix);
        }
    }
    if (disk->kind == DISK_PHY && uname[0] != '\0' && uname[0] != '/') {
        free(disk->path);
        disk->path = xprintf("/dev/%s", uname);
    } else {
        str_set(&disk->path, uname);
    }
    return 0;
}

static int set_dev(struct disk_spec *disk, const char *dev, struct error *err)
{
    auto_str name = NULL;
    char *colon;

    if (str_starts(dev, "ioemu:")) {
        dev += 6;
    }
    name = xstrdup(dev);
    colon = strchr(name, ':');
    if (colon != NULL) {
        if (strcmp(colon, ":cdrom") == 0) {
            disk->cdrom = true;
        } else if (strcmp(colon, ":disk") != 0) {
            return fail(err, EINVAL,
                        "The disk's device %s ends in %s; only :disk and :cdrom are "
                        "known.",
                        dev, colon);
        }
        *colon = '\0';
    }
    if (disk_number(name, &disk->vdev) != 0) {
        return fail(err, EINVAL,
                    "\"%s\" is no name of a disk: write xvda, xvdb1, sda or hda, as the guest "
                    "shall see it.",
                    name);
    }
    str_set(&disk->dev, name);
    return 0;
}

static int set_mode(struct disk_spec *disk, const char *mode, struct error *err)
{
    static const struct {
        const char *word;
        bool readonly, shared;
    } modes[] = {
        {"r", true, false},   {"ro", true, false}, {"w", false, false},
        {"rw", false, false}, {"w!", false, true}, {"rw!", false, true},
    };

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(mode, modes[i].word) == 0) {
            disk->readonly = modes[i].readonly;
            disk->shared = modes[i].shared;
            return 0;
        }
    }
    return fail(err, EINVAL,
                "A disk's mode is r (read only), w (read and write) or w! (shared writable), not "
                "\"%s\".",
                mode);
}

static int set_format(const char *format, struct error *err)
{
    if (strcmp(format, "raw") == 0 || format[0] == '\0') {
        return 0;
    }
    return fail(err, EINVAL,
                "The disk's format %s is not served: convert the image with qemu-img convert -O "
                "raw.",
                format);
}

/* What every form must have at its end. */
static int check(struct disk_spec *disk, const char *text, struct error *err)
{
    if (disk->dev == NULL) {
        return fail(err, EINVAL,
                    "The disk \"%s\" does not say as which device the guest sees it: write "
                    "phy:/dev/...,xvda,w or file:/...,xvda,w.",
                    text);
    }
    if (disk->path == NULL || disk->path[0] != '/') {
        return fail(err, EINVAL,
                    "The disk \"%s\" needs the whole path of a device or an image file.", text);
    }
    if (disk->cdrom) {
        disk->readonly = true;
    }
    return 0;
}

int disk_from_fields(const char *uname, const char *dev, const char *mode, const char *backend,
                     struct disk_spec *disk, struct error *err)
{
    int rc;

    memset(disk, 0, sizeof(*disk));
    rc = set_target(disk, uname, err);
    rc = rc ? rc : set_dev(disk, dev, err);
    rc = rc ? rc : set_mode(disk, mode, err);
    rc = rc ? rc : check(disk, uname, err);
    if (rc == 0 && backend != NULL && backend[0] != '\0') {
        disk->backend = xstrdup(backend);
    }
    if (rc != 0) {
        disk_finish(disk);
    }
    return rc;
}

static int set_pair(struct disk_spec *disk, const char *key, const char *value, struct error *err)
{
    if (strcmp(key, "target") == 0) {
        return set_target(disk, value, err);
    }
    if (strcmp(key, "vdev") == 0) {
        return set_dev(disk, value, err);
    }
    if (strcmp(key, "access") == 0) {
        return set_mode(disk, value, err);
    }
    if (strcmp(key, "format") == 0) {
        return set_format(value, err);
    }
    if (strcmp(key, "devtype") == 0) {
        disk->cdrom = strcmp(value, "cdrom") == 0;
        return 0;
    }
    if (strcmp(key, "backend") == 0) {
        str_set(&disk->backend, value);
        return 0;
    }
    if (strcmp(key, "backendtype") == 0) {
        return strcmp(value, "phy") == 0
                   ? 0
                   : fail(err, EINVAL,
                          "The disk's backendtype %s does not exist here: leave it "
                          "out.",
                          value);
    }
    return fail(err, EINVAL,
                "A disk has no option %s: there are target, vdev, access, format, devtype and "
                "backend.",
                key);
}

/* The xl way: key=value pairs, and words by position (target, format, vdev, access). */
static int parse_pairs(struct disk_spec *disk, const char *text, struct error *err)
{
    static const char *const order[] = {"target", "format", "vdev", "access"};
    const char *p = text;
    size_t position = 0;
    int rc = 0;

    while (rc == 0 && *p != '\0') {
        size_t n = strcspn(p, ",");
        auto_str word = trimmed(p, n);
        char *equals = strchr(word, '=');

        if (str_starts(word, "target=")) { /* the path may have commas: it goes to the end */
            word[0] = '\0';
            return set_target(disk, strstr(p, "target=") + 7, err);
        }
        if (equals != NULL && word[0] != '/') {
            *equals = '\0';
            rc = set_pair(disk, word, equals + 1, err);
        } else if (strcmp(word, "cdrom") == 0) {
            disk->cdrom = true;
        } else if (position < 4) {
            rc = set_pair(disk, order[position++], word, err);
        } else {
            rc =
                fail(err, EINVAL, "The disk \"%s\" has too many parts: remove \"%s\".", text, word);
        }
        p += n + (p[n] == ',');
    }
    return rc;
}

/* The classic way: uname,dev,mode[,backend]. Only uname may contain commas. */
static int parse_classic(struct disk_spec *disk, const char *text, struct error *err)
{
    char *part[4] = {NULL};
    size_t n = 0;
    int rc;

    for (const char *p = text; n < 4;) {
        size_t length = strcspn(p, ",");

        part[n] = trimmed(p, n == 3 ? strlen(p) : length);
        n++;
        if (p[length] == '\0') {
            break;
        }
        p += length + 1;
    }
    if (n < 3) {
        rc = fail(err, EINVAL,
                  "The disk \"%s\" has %zu of three parts: write what, as what and how, as in "
                  "phy:/dev/vg/web,xvda,w.",
                  text, n);
    } else {
        rc = disk_from_fields(part[0], part[1], part[2], part[3], disk, err);
    }
    for (size_t i = 0; i < n; i++) {
        free(part[i]);
    }
    return rc;
}

int disk_parse(const char *text, struct disk_spec *disk, struct error *err)
{
    int rc;

    memset(disk, 0, sizeof(*disk));
    if (text[strspn(text, " ")] == '\0') {
        return fail(err, EINVAL, "A disk is empty: write phy:/dev/...,xvda,w or remove it.");
    }
    if (str_starts(text, "phy:") || str_starts(text, "file:") || str_starts(text, "tap")) {
        return parse_classic(disk, text, err);
    }
    rc = parse_pairs(disk, text, err);
    rc = rc ? rc : check(disk, text, err);
    if (rc != 0) {
        disk_finish(disk);
    }
    return rc;
}
