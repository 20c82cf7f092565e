/*
 * Names of interfaces in Domain 0.
 *
 *     vifX.Y            card Y of domain X, as netback makes it
 *     vifname=          another name for it, literally or with %n (the domain's name), %d (its
 *                       number), %i (the card's number) and %%. Names with %n follow the domain
 *                       when it is renamed, names with %d when it reboots under a new number.
 *     xenbrY, pethY     bridge mode's bridge and the machine's own card (plan of the host)
 *     virbrY            NAT mode's bridge
 */
#ifndef NETWORK_NAMES_H
#define NETWORK_NAMES_H

#include "xend/lib/error.h"

#include <linux/if.h>
#include <stdbool.h>

/* What netback calls the interface. */
void name_vif(int domid, unsigned id, char name[IFNAMSIZ]);

/*
 * The name that a card's interface shall have. pattern: vifname=, or NULL for the backend's own.
 * Characters of a domain's name that an interface cannot have become '-'. 0, or -EINVAL with the
 * sentence: too long, no such % word.
 */
int name_card(const char *pattern, const char *domain, int domid, unsigned id, char name[IFNAMSIZ],
              struct error *err);

/* Whether the name depends on the domain's. */
bool name_follows_domain(const char *pattern);

#endif
