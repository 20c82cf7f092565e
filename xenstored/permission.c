/*
 * Permission lists: evaluation, text form, and those of the special watches. Read permission.h
 * first.
 */
#include "xenstored/permission.h"
#include "xenstored/connection.h"
#include "xenstored/domain.h"
#include "xenstored/persist.h"

#include <errno.h>
#include <stdlib.h>

static struct {
    const char *name;
    struct perms perms;
} special[] = {{"@introduceDomain", {0}}, {"@releaseDomain", {0}}};

/* Is this entry about the connection's domain, or about the one it serves? */
static bool concerns(const struct conn *c, uint32_t domid)
{
    return domid == c->id || (c->target >= 0 && domid == (uint32_t)c->target);
}

unsigned perm_of(const struct conn *c, const struct perm *p, uint32_t count, uint64_t generation)
{
    if (!conn_unprivileged(c) || concerns(c, p[0].domid)) {
        return PERM_READ | PERM_WRITE | PERM_OWNER;
    }
    for (uint32_t i = 1; i < count; i++) {
        if (concerns(c, p[i].domid) && !(p[i].bits & PERM_IGNORE) &&
            domain_existed_at(p[i].domid, generation)) {
            return p[i].bits & (PERM_READ | PERM_WRITE | PERM_OWNER);
        }
    }
    return p[0].bits & (PERM_READ | PERM_WRITE | PERM_OWNER);
}

void perm_mark_stale(struct perm *p, uint32_t count, uint64_t generation)
{
    for (uint32_t i = 1; i < count; i++) {
        if (!domain_existed_at(p[i].domid, generation)) {
            p[i].bits |= PERM_IGNORE;
        }
    }
}

int perm_parse(struct perm *out, uint32_t count, const char *strings)
{
    const char *at = strings;
    char *end;

    for (uint32_t i = 0; i < count; i++) {
        switch (*at) {
        case 'r':
            out[i].bits = PERM_READ;
            break;
        case 'w':
            out[i].bits = PERM_WRITE;
            break;
        case 'b':
            out[i].bits = PERM_READ | PERM_WRITE;
            break;
        case 'n':
            out[i].bits = PERM_NONE;
            break;
        default:
            return -EINVAL;
        }
        at++;
        out[i].domid = (uint32_t)strtol(at, &end, 0);
        if (*end || !*at) {
            return -EINVAL;
        }
        at = end + 1;
    }
    return 0;
}

void perm_format(struct buf *out, const struct perm *p, uint32_t count)
{
    static const char letters[] = {'n', 'r', 'w', 'b'};

    for (uint32_t i = 0; i < count; i++) {
        buf_printf(out, "%c%i", letters[p[i].bits & 3], (int)p[i].domid);
        out->len++; /* its NUL, which buf_printf has written */
    }
}

void perm_adopt_domains(struct perm *p, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!domain_find_existing(p[i].domid)) {
            p[i].bits |= PERM_IGNORE;
        }
    }
}

void perm_special_init(void)
{
    static const struct perm nobody = {.domid = 0, .bits = PERM_NONE};

    for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
        perm_special_set(special[i].name, &nobody, 1);
    }
}

static struct perms *find_special(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
        if (strlen(special[i].name) == len && memcmp(special[i].name, name, len) == 0) {
            return &special[i].perms;
        }
    }
    return NULL;
}

const struct perms *perm_special(const char *name, size_t len)
{
    return find_special(name, len);
}

int perm_special_set(const char *name, const struct perm *p, uint32_t count)
{
    struct perms *perms = find_special(name, strlen(name));
    struct perm *copy;

    if (!perms) {
        return -EINVAL;
    }
    copy = xmalloc(count * sizeof(*copy));
    memcpy(copy, p, count * sizeof(*copy));
    free(perms->p);
    perms->p = copy;
    perms->count = count;
    persist_special(name, copy, count);
    return 0;
}

void perm_special_forget(uint32_t domid)
{
    for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
        struct perms *perms = &special[i].perms;
        uint32_t kept = 1, before = perms->count;

        if (before == 0) {
            continue;
        }
        if (perms->p[0].domid == domid) {
            perms->p[0].domid = domain_privileged;
            before = 0; /* changed */
        }
        for (uint32_t j = 1; j < perms->count; j++) {
            if (perms->p[j].domid != domid) {
                perms->p[kept++] = perms->p[j];
            }
        }
        perms->count = kept;
        if (kept != before) {
            persist_special(special[i].name, perms->p, kept);
        }
    }
}
