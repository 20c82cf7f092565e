/*
 * Changes that are no business of netlink: IP forwarding, NAT mode's rules and its server. Set
 * change_service of change.h to this function to have them done. Read first: change.h.
 */
#ifndef NETWORK_CHANGE_SERVICE_H
#define NETWORK_CHANGE_SERVICE_H

#include "network/change.h"

/* Contract: change_service. Each can be repeated, also after a half-done attempt. */
int change_do_service(enum change_kind kind, const char *want, const char *other,
                      struct error *err);

#endif
