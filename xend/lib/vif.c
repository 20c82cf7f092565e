/*
 * Network cards in configurations. Contract: vif.h.
 */
#include "xend/lib/vif.h"

#include "xend/lib/alloc.h"

#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The kernel allows more; these need no quoting anywhere. %: network/names.h */
#define IFNAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-%"

const char *const vif_field_names[VIF_FIELDS] = {"mac",     "bridge",    "ip",     "script",
                                                 "vifname", "rate",      "type",   "model",
                                                 "backend", "antispoof", "forward"};

char **vif_field(struct vif_spec *vif, unsigned i)
{
    char **const fields[VIF_FIELDS] = {&vif->mac,     &vif->bridge,    &vif->ip,     &vif->script,
                                       &vif->vifname, &vif->rate,      &vif->type,   &vif->model,
                                       &vif->backend, &vif->antispoof, &vif->forward};

    return fields[i];
}

void vif_finish(struct vif_spec *vif)
{
    for (unsigned i = 0; i < VIF_FIELDS; i++) {
        free(*vif_field(vif, i));
    }
    memset(vif, 0, sizeof(*vif));
}

void vif_copy(struct vif_spec *to, const struct vif_spec *from)
{
    *to = *from;
    for (unsigned i = 0; i < VIF_FIELDS; i++) {
        *vif_field(to, i) = xstrdup(*vif_field(to, i));
    }
}

static int check_mac(const char *mac, struct error *err)
{
    bool ok = strlen(mac) == 17;

    for (unsigned i = 0; ok && i < 17; i++) {
        ok = i % 3 == 2 ? mac[i] == ':' : isxdigit((unsigned char)mac[i]) != 0;
    }
    if (!ok) {
        return fail(err, EINVAL,
                    "\"%s\" is no MAC address: write six pairs of hexadecimal digits with colons, "
                    "as in 00:16:3e:01:02:03.",
                    mac);
    }
    if (strtoul((char[]){mac[0], mac[1], '\0'}, NULL, 16) & 1) {
        return fail(err, EINVAL,
                    "The MAC address %s is a multicast address, which no card can have: make its "
                    "first byte even.",
                    mac);
    }
    return 0;
}

static int check_ifname(const char *what, const char *name, struct error *err)
{
    /* What %n, %d and %i become is known when the card is checked: network/names.h. */
    bool pattern = strchr(name, '%') != NULL;

    if (name[0] == '\0' || (strlen(name) >= IFNAMSIZ && !pattern) ||
        strspn(name, IFNAME_CHARACTERS) != strlen(name) || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0) {
        return fail(err, EINVAL,
                    "\"%s\" is no name for a %s: use 1 to %d letters, digits, dots, dashes and "
                    "underscores.",
                    name, what, IFNAMSIZ - 1);
    }
    return 0;
}

/* Values that are lists: they are parsed again where they are used. */
static int check_list(const char *key, const char *value, struct error *err)
{
    struct vif_addr *addrs = NULL;
    struct vif_forward *forwards = NULL;
    unsigned guards;
    size_t n;
    int rc = 0;

    if (strcmp(key, "ip") == 0) {
        rc = vif_addrs(value, &addrs, &n, err);
        free(addrs);
    } else if (strcmp(key, "forward") == 0) {
        rc = vif_forwards(value, &forwards, &n, err);
        free(forwards);
    } else if (strcmp(key, "antispoof") == 0) {
        rc = vif_guards(value, &guards, err);
    }
    return rc;
}

static int check_field(const char *key, const char *value, struct error *err)
{
    uint64_t bytes, interval;

    if (strcmp(key, "mac") == 0) {
        return check_mac(value, err);
    }
    if (strcmp(key, "bridge") == 0) {
        return check_ifname("bridge", value, err);
    }
    if (strcmp(key, "vifname") == 0) {
        return check_ifname("network interface", value, err);
    }
    if (strcmp(key, "rate") == 0 && vif_rate(value, &bytes, &interval) != 0) {
        return fail(err, EINVAL,
                    "\"%s\" is no rate: write a number and a unit, as in 10Mb/s, 2MB/s or "
                    "10Mb/s@50ms.",
                    value);
    }
    return check_list(key, value, err);
}

int vif_set(struct vif_spec *vif, const char *key, const char *value, struct error *err)
{
    int rc;

    for (unsigned i = 0; i < VIF_FIELDS; i++) {
        if (strcmp(key, vif_field_names[i]) == 0) {
            rc = check_field(key, value, err);
            if (rc == 0) {
                str_set(vif_field(vif, i), value);
                for (char *p = i == 0 ? vif->mac : NULL; p != NULL && *p != '\0'; p++) {
                    *p = (char)tolower((unsigned char)*p);
                }
            }
            return rc;
        }
    }
    return fail(err, EINVAL,
                "A network card has no option %s: there are mac, bridge, ip, script, vifname, "
                "rate, antispoof, forward, type, model and backend.",
                key);
}

int vif_parse(const char *text, struct vif_spec *vif, struct error *err)
{
    auto_str copy = xstrdup(text);
    char *save = NULL;
    int rc = 0;

    memset(vif, 0, sizeof(*vif));
    for (char *word = strtok_r(copy, ",", &save); rc == 0 && word != NULL;
         word = strtok_r(NULL, ",", &save)) {
        char *equals = strchr(word, '='), *end;

        word += strspn(word, " \t");
        if (*word == '\0') {
            continue;
        }
        if (equals == NULL) {
            rc = fail(err, EINVAL,
                      "The network card has \"%s\" without a value: write key=value, as in "
                      "bridge=xenbr0.",
                      word);
            break;
        }
        end = equals + strlen(equals);
        while (end > equals + 1 && isspace((unsigned char)end[-1])) {
            *--end = '\0';
        }
        *equals = '\0';
        for (end = equals; end > word && isspace((unsigned char)end[-1]);) {
            *--end = '\0';
        }
        rc = vif_set(vif, word, equals + 1 + strspn(equals + 1, " \t"), err);
    }
    if (rc != 0) {
        vif_finish(vif);
    }
    return rc;
}

int vif_rate(const char *text, uint64_t *bytes, uint64_t *interval_us)
{
    uint64_t number, unit = 1, interval = 50000;
    bool bits;
    char *p;

    if (!isdigit((unsigned char)text[0])) {
        return -EINVAL;
    }
    number = strtoull(text, &p, 10);
    if (*p == 'K' || *p == 'M' || *p == 'G') {
        unit = *p == 'K' ? 1000 : *p == 'M' ? 1000000 : 1000000000;
        p++;
    }
    if ((*p != 'b' && *p != 'B') || p[1] != '/' || p[2] != 's') {
        return -EINVAL;
    }
    bits = *p == 'b';
    p += 3;
    if (*p == '@' && isdigit((unsigned char)p[1])) {
        interval = strtoull(p + 1, &p, 10);
        unit *= 1;
        if (strcmp(p, "us") == 0) {
            p += 2;
        } else if (strcmp(p, "ms") == 0) {
            interval *= 1000;
            p += 2;
        } else if (strcmp(p, "s") == 0) {
            interval *= 1000000;
            p += 1;
        }
    }
    if (*p != '\0' || number == 0 || number > 1000000000 || interval == 0 || interval > 4000000) {
        return -EINVAL;
    }
    *bytes = (uint64_t)((__uint128_t)number * unit / (bits ? 8 : 1) * interval / 1000000);
    *interval_us = interval;
    return *bytes == 0 || *bytes > UINT32_MAX ? -EINVAL : 0;
}

char *vif_default_mac(const char *uuid, unsigned i)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (const char *p = uuid; *p != '\0'; p++) {
        hash = (hash ^ (uint8_t)*p) * 16777619u;
    }
    hash = (hash ^ i) * 16777619u;
    hash ^= hash >> 15;
    return xprintf("00:16:3e:%02x:%02x:%02x", hash >> 16 & 0x7f, hash >> 8 & 0xff, hash & 0xff);
}
