/*
 * What the files of change.c share. Contract of the whole: change.h.
 */
#ifndef NETWORK_CHANGE_INTERNAL_H
#define NETWORK_CHANGE_INTERNAL_H

#include "network/change.h"

/* Path of the setting for a link of that name; the caller frees it. */
char *change_setting_path(const struct change *c, const char *name);

/* Have all these records, in their order. 0 or -errno */
int change_do_records(struct netlink *nl, const char *want, uint32_t age, struct error *err);
/* Have these, and none that are only in `other` (which may be NULL). */
int change_do_addresses(struct netlink *nl, const char *want, const char *other, uint32_t age,
                        struct error *err);

#endif
