/*
 * Giving devices to running domains and taking them away, with the domain's record.
 *
 * Attaching waits for the guest to connect; one that does not in time gets nothing. Detaching waits
 * for the guest to let go. All return 0 or -errno with the sentence.
 */
#ifndef XEND_ATTACH_H
#define XEND_ATTACH_H

#include "xend/device.h"

/* sxp: ['vbd', ...] or ['vif', ...]. id (may be NULL) gets the device's number. */
int attach_device(struct session *s, struct domain *d, const struct value *sxp, uint32_t *id,
                  struct error *err);
/* which: a number, a disk's name ("xvdb") or a card's MAC. */
int detach_device(struct session *s, struct domain *d, const char *class, const char *which,
                  bool force, struct error *err);
/* Wait until all devices of d have backends that serve them. */
int attach_wait_all(struct session *s, struct domain *d, struct error *err);

/*
 * After xend was killed in the middle of one of these: devices in the store that the record does
 * not know are removed, and the record forgets those that the store does not have.
 */
void attach_reconcile(struct session *s, struct domain *d);

#endif
