/*
 * Names of interfaces. Contract: link_names.h.
 */
#include "network/link_names.h"

#include "xend/lib/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void link_names_take(struct netlink *nl, struct link_names *names)
{
    struct link *links;
    size_t count;

    memset(names, 0, sizeof(*names));
    if (link_list(nl, &links, &count, NULL) != 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        link_names_set(names, links[i].index, links[i].name);
    }
    free(links);
}

void link_names_free(struct link_names *names)
{
    free(names->list);
    memset(names, 0, sizeof(*names));
}

void link_names_set(struct link_names *names, int index, const char *name)
{
    size_t i = 0;

    while (i < names->count && names->list[i].index != index) {
        i++;
    }
    if (i == names->count) {
        names->list = xrealloc(names->list, (names->count + 1) * sizeof(*names->list));
        names->list[names->count++].index = index;
    }
    snprintf(names->list[i].name, IFNAMSIZ, "%s", name);
}

const char *link_names_get(const struct link_names *names, int index)
{
    static __thread char unknown[32];

    for (size_t i = 0; i < names->count; i++) {
        if (names->list[i].index == index) {
            return names->list[i].name;
        }
    }
    snprintf(unknown, sizeof(unknown), "number %d", index);
    return unknown;
}
