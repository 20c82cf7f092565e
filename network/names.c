/*
 * Names of interfaces. Contract: names.h.
 */
#include "network/names.h"

#include "xend/lib/alloc.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void name_vif(int domid, unsigned id, char name[IFNAMSIZ])
{
    snprintf(name, IFNAMSIZ, "vif%d.%u", domid, id);
}

/* What one % word stands for; NULL: there is none such. The caller frees it. */
static char *word(char which, const char *domain, int domid, unsigned id)
{
    char *text;

    switch (which) {
    case 'n':
        text = xstrdup(domain ? domain : "");
        for (char *p = text; *p != '\0'; p++) {
            *p = isalnum((unsigned char)*p) || strchr("._-", *p) ? *p : '-';
        }
        return text;
    case 'd':
        return xprintf("%d", domid);
    case 'i':
        return xprintf("%u", id);
    case '%':
        return xstrdup("%");
    default:
        return NULL;
    }
}

static int check(const char *pattern, const char *name, struct error *err)
{
    if (strlen(name) >= IFNAMSIZ) {
        return fail(err, EINVAL,
                    "vifname=%s makes the name %s, and an interface's name has at most %d "
                    "characters: shorten it.",
                    pattern, name, IFNAMSIZ - 1);
    }
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return fail(err, EINVAL, "vifname=%s makes \"%s\", which is no name.", pattern, name);
    }
    return 0;
}

int name_card(const char *pattern, const char *domain, int domid, unsigned id, char name[IFNAMSIZ],
              struct error *err)
{
    auto_str whole = xstrdup("");
    int rc;

    if (pattern == NULL) {
        name_vif(domid, id, name);
        return 0;
    }
    for (const char *p = pattern; *p != '\0'; p++) {
        auto_str text = *p == '%' ? word(*++p, domain, domid, id) : xprintf("%c", *p);
        char *longer;

        if (text == NULL) {
            return fail(err, EINVAL,
                        "vifname=%s has an unknown %% word: there are %%n (the domain's name), %%d "
                        "(its number), %%i (the card's number) and %%%%.",
                        pattern);
        }
        longer = xprintf("%s%s", whole, text);
        free(whole);
        whole = longer;
    }
    rc = check(pattern, whole, err);
    if (rc == 0) {
        memcpy(name, whole, strlen(whole) + 1);
    }
    return rc;
}

bool name_follows_domain(const char *pattern)
{
    for (const char *p = pattern ? pattern : ""; *p != '\0'; p++) {
        if (*p == '%' && *++p == 'n') {
            return true;
        }
        if (*p == '\0') {
            break;
        }
    }
    return false;
}
