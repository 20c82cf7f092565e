/*
 * What xend answers about domains and about the machine.
 */
#ifndef XEND_INFO_H
#define XEND_INFO_H

#include "xend/domain.h"
#include "xend/lib/value.h"

/*
 * ['domain', ['domid', ..], ...]. info: what the hypervisor says, NULL if it has no such domain.
 * full: with the devices.
 */
struct value *info_domain(struct session *s, struct domain *d, const struct xc_domain_info *info,
                          bool full);

/*
 * All domains in a state: "running" (whatever is in the hypervisor), "paused", "shutdown",
 * "crashed", "halted" (stored and not running) or "all"; ascending by domid, halted ones last.
 * detail: S-expressions as above, otherwise names.
 */
int info_domains(struct session *s, const char *state, bool detail, bool full, struct value **out,
                 struct error *err);

/* [['system', 'Linux'], ..., ['free_memory', 512], ...] */
int info_node(struct session *s, struct value **out, struct error *err);

#endif
