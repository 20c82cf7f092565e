/*
 * Lists in a network card's options: addresses, guards, forwarded ports. Contract: vif.h.
 */
#include "xend/lib/alloc.h"
#include "xend/lib/vif.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATORS " \t+" /* a comma would end the option */

/* A whole number from lowest to highest and nothing else. */
static bool number(const char *text, unsigned long lowest, unsigned long highest,
                   unsigned long *value)
{
    char *end;

    if (!isdigit((unsigned char)text[0])) {
        return false;
    }
    errno = 0;
    *value = strtoul(text, &end, 10);
    return *end == '\0' && errno == 0 && *value >= lowest && *value <= highest;
}

static void clear_host_bits(struct vif_addr *addr)
{
    for (unsigned bit = addr->prefix; bit < 8 * sizeof(addr->bytes); bit++) {
        addr->bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
    }
}

static bool is_usable(const struct vif_addr *addr)
{
    static const uint8_t zero[16];

    if (addr->prefix == 0 || memcmp(addr->bytes, zero, sizeof(zero)) == 0) {
        return false;
    }
    return addr->family == AF_INET ? addr->bytes[0] != 127 && addr->bytes[0] < 224
                                   : addr->bytes[0] != 0xff;
}

int vif_addr_parse(const char *word, struct vif_addr *addr, struct error *err)
{
    auto_str text = xstrdup(word);
    char *slash = strchr(text, '/');
    unsigned long prefix;
    bool ok;

    memset(addr, 0, sizeof(*addr));
    if (slash != NULL) {
        *slash++ = '\0';
    }
    addr->family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    prefix = addr->family == AF_INET ? 32 : 128;
    ok = inet_pton(addr->family, text, addr->bytes) == 1 &&
         (slash == NULL || number(slash, 0, prefix, &prefix));
    addr->prefix = (unsigned)prefix;
    clear_host_bits(addr);
    if (!ok) {
        return fail(err, EINVAL,
                    "\"%s\" is no IP address: write addresses such as 192.168.1.5, 10.1.0.0/24 or "
                    "2001:db8::5, with blanks between them.",
                    word);
    }
    if (!is_usable(addr)) {
        return fail(err, EINVAL, "%s is no address that a guest can have: name its own.", word);
    }
    return 0;
}

int vif_addrs(const char *text, struct vif_addr **list, size_t *n, struct error *err)
{
    auto_str copy = xstrdup(text ? text : "");
    char *save = NULL;
    int rc = 0;

    *list = NULL;
    *n = 0;
    for (char *word = strtok_r(copy, SEPARATORS, &save); rc == 0 && word != NULL;
         word = strtok_r(NULL, SEPARATORS, &save)) {
        *list = xrealloc(*list, (*n + 1) * sizeof(**list));
        rc = vif_addr_parse(word, &(*list)[(*n)++], err);
    }
    if (rc != 0) {
        free(*list);
        *list = NULL;
        *n = 0;
    }
    return rc;
}

const char *vif_addr_text(const struct vif_addr *addr, char text[VIF_ADDR_TEXT])
{
    size_t used;

    inet_ntop(addr->family, addr->bytes, text, INET6_ADDRSTRLEN);
    used = strlen(text);
    if (addr->prefix != (addr->family == AF_INET ? 32 : 128)) {
        snprintf(text + used, VIF_ADDR_TEXT - used, "/%u", addr->prefix);
    }
    return text;
}

int vif_guards(const char *text, unsigned *guards, struct error *err)
{
    static const struct {
        const char *word;
        unsigned guards;
    } rows[] = {
        {"on", VIF_GUARD_ALL},
        {"yes", VIF_GUARD_ALL},
        {"1", VIF_GUARD_ALL},
        {"off", 0},
        {"no", 0},
        {"0", 0},
        {"mac", VIF_GUARD_MAC},
        {"ip", VIF_GUARD_IP},
        {"dhcp", VIF_GUARD_DHCP},
        {"ra", VIF_GUARD_RA},
    };
    const size_t count = sizeof(rows) / sizeof(rows[0]);
    auto_str copy = xstrdup(text);
    char *save = NULL;

    *guards = 0;
    for (char *word = strtok_r(copy, SEPARATORS, &save); word != NULL;
         word = strtok_r(NULL, SEPARATORS, &save)) {
        size_t i = 0;

        while (i < count && strcmp(rows[i].word, word) != 0) {
            i++;
        }
        if (i == count) {
            return fail(err, EINVAL,
                        "antispoof has no word \"%s\": write on, off, or some of mac, ip, dhcp and "
                        "ra with blanks between them.",
                        word);
        }
        *guards |= rows[i].guards;
    }
    return 0;
}

/* "tcp:8080:80" */
static int parse_forward(char *word, struct vif_forward *forward, struct error *err)
{
    auto_str whole = xstrdup(word);
    char *from = strchr(word, ':'), *to = from != NULL ? strchr(from + 1, ':') : NULL;
    unsigned long a = 0, b = 0;
    bool tcp, ok = to != NULL;

    if (ok) {
        *from++ = '\0';
        *to++ = '\0';
        ok = number(from, 1, 65535, &a) && number(to, 1, 65535, &b);
    }
    tcp = strcmp(word, "tcp") == 0;
    if (!ok || (!tcp && strcmp(word, "udp") != 0)) {
        return fail(err, EINVAL,
                    "\"%s\" forwards no port: write tcp or udp, Domain 0's port and the guest's "
                    "port, as in tcp:8080:80.",
                    whole);
    }
    *forward = (struct vif_forward){tcp ? IPPROTO_TCP : IPPROTO_UDP, (uint16_t)a, (uint16_t)b};
    return 0;
}

int vif_forwards(const char *text, struct vif_forward **list, size_t *n, struct error *err)
{
    auto_str copy = xstrdup(text ? text : "");
    char *save = NULL;
    int rc = 0;

    *list = xalloc(VIF_MAX_FORWARDS * sizeof(**list));
    *n = 0;
    for (char *word = strtok_r(copy, SEPARATORS, &save); rc == 0 && word != NULL;
         word = strtok_r(NULL, SEPARATORS, &save)) {
        struct vif_forward *next = &(*list)[*n];

        if (*n == VIF_MAX_FORWARDS) {
            rc = fail(err, EINVAL, "A network card forwards at most %d ports.", VIF_MAX_FORWARDS);
            break;
        }
        rc = parse_forward(word, next, err);
        for (size_t i = 0; rc == 0 && i < *n; i++) {
            if ((*list)[i].protocol == next->protocol && (*list)[i].from == next->from) {
                rc = fail(err, EINVAL, "forward names Domain 0's port %u twice.", next->from);
            }
        }
        ++*n;
    }
    if (rc != 0) {
        free(*list);
        *list = NULL;
        *n = 0;
    }
    return rc;
}
