/*
 * The list of known domains, and finding one by whatever a person calls it. Contract: domain.h.
 */
#include "xend/domain.h"

#include "xend/foreign.h"
#include "xend/lib/alloc.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct domain *first;

struct domain *domains_first(void)
{
    return first;
}

struct domain *domains_find_name(const char *name)
{
    for (struct domain *d = first; d != NULL; d = d->next) {
        if (str_eq(d->rec.cfg.name, name)) {
            return d;
        }
    }
    return NULL;
}

struct domain *domains_find_uuid(const char *uuid)
{
    for (struct domain *d = first; d != NULL; d = d->next) {
        if (strcmp(d->rec.cfg.uuid, uuid) == 0) {
            return d;
        }
    }
    return NULL;
}

struct domain *domains_find_domid(int domid)
{
    for (struct domain *d = first; domid >= 0 && d != NULL; d = d->next) {
        if (d->rec.domid == domid) {
            return d;
        }
    }
    return NULL;
}

void domains_insert(struct domain *d)
{
    d->refs++;
    d->next = first;
    first = d;
}

void domains_remove(struct domain *d)
{
    bool found = false;

    domains_lock();
    for (struct domain **p = &first; *p != NULL; p = &(*p)->next) {
        if (*p == d) {
            *p = d->next;
            d->next = NULL;
            found = true;
            break;
        }
    }
    domains_unlock();
    if (found) {
        domain_put(d);
    }
}

static bool all_digits(const char *s)
{
    return s[0] != '\0' && s[strspn(s, "0123456789")] == '\0' && strlen(s) < 6;
}

int domain_get(struct session *s, const char *which, struct domain **out, struct error *err)
{
    bool number = all_digits(which);
    struct domain *d;

    domains_lock();
    d = number ? domains_find_domid(atoi(which)) : domains_find_name(which);
    if (d == NULL && !number && domcfg_is_uuid(which)) {
        d = domains_find_uuid(which);
    }
    if (d != NULL) {
        d->refs++;
    }
    domains_unlock();
    if (d == NULL) {
        d = number ? foreign_by_domid(s, (uint32_t)atoi(which)) : foreign_find(s, which, which);
    }
    if (d == NULL) {
        return fail(err, ESRCH, "There is no domain %s: xm list shows those there are.", which);
    }
    *out = d;
    return 0;
}

struct domain *domains_find_known(const struct domain *which)
{
    struct domain *d;

    domains_lock();
    for (d = first; d != NULL && d != which; d = d->next) {
    }
    domains_unlock();
    return d;
}
