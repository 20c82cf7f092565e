/*
 * Names of interfaces, for sentences: as the kernel has them now, or as a plan will have made them.
 */
#ifndef NETWORK_LINK_NAMES_H
#define NETWORK_LINK_NAMES_H

#include "network/link.h"

struct link_names {
    struct link_name {
        int index;
        char name[IFNAMSIZ];
    } * list;
    size_t count;
};

/* As they are now; none if the kernel does not say. */
void link_names_take(struct netlink *nl, struct link_names *names);
void link_names_free(struct link_names *names);
#define auto_link_names __attribute__((cleanup(link_names_free))) struct link_names

/* From now on this link is called so. */
void link_names_set(struct link_names *names, int index, const char *name);
/* "number 7" (in a buffer of the thread's own, until the next call) for one that is not known. */
const char *link_names_get(const struct link_names *names, int index);

#endif
