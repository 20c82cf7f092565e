/*
 * Devices of running domains: a pair of folders in the store, a backend in Domain 0, and waiting.
 *
 *     /local/domain/N/device/CLASS/ID           the guest's: it owns it, the backend reads it
 *     /local/domain/0/backend/CLASS/N/ID        the backend's: Domain 0 owns it, the guest reads it
 *
 * Both hold a xenbus state (<xen/io/xenbus.h>). Adding writes both and waits for the backend driver
 * to look at them (InitWait), not for the guest. Removing asks both sides to close and waits for
 * the backend to be Closed; by force it pulls the guest's side away first.
 */
#ifndef XEND_DEVICE_H
#define XEND_DEVICE_H

#include "xend/domain.h"
#include "xend/lib/sxp.h"

struct device {
    const char *class; /* "vbd", "vif" */
    uint32_t id;
};

/* Write a disk's nodes and make its block device. Then: device_wait_backend(). 0 or -errno */
int vbd_add(struct session *s, struct domain *d, const struct disk_spec *disk, struct error *err);

/* Write a card's nodes, with the number id. Then: device_wait_backend(), vif_attach(). */
int vif_add(struct session *s, struct domain *d, const struct vif_spec *vif, uint32_t id,
            struct error *err);
/* Put the backend's interface where the configuration says and tell the backend to begin. */
int vif_attach(struct session *s, struct domain *d, const struct vif_spec *vif, uint32_t id,
               struct error *err);
/*
 * Undo what vif_attach() did to Domain 0's network: rules, routes, leases. The card's nodes must
 * still be there; its interface may be gone.
 */
void vif_detach(struct session *s, int domid, uint32_t id);
/* The domain has a new name: interfaces whose vifname asks for it follow. 0 or -errno */
int vif_rename_all(struct session *s, int domid, const char *name, struct error *err);
/* At the start of xend: find the cards that are online, remove what belongs to none. */
void vif_recover(struct session *s);
/* The lowest number that no card of d has. */
uint32_t vif_free_id(struct session *s, const struct domain *d);

/*
 * Wait until the backend has accepted the device. -ETIMEDOUT: no driver took it; -EIO: it refused
 * (its own words are in the sentence); -ECANCELED.
 */
int device_wait_backend(struct session *s, struct domain *d, struct device dev, struct error *err);
/* Wait until both sides are connected. -ETIMEDOUT: the guest has not answered. */
int device_wait_connected(struct session *s, struct domain *d, struct device dev,
                          struct error *err);

/* Remove one device. -ENOENT: there is none; -EBUSY: the guest does not let go of it. */
int device_remove(struct session *s, struct domain *d, struct device dev, bool force,
                  struct error *err);
/* Remove all, by force, together. What does not close in time is logged and removed anyway. */
void device_remove_all(struct session *s, int domid);

/* [[id, [['backend-id', '0'], ['mac', ..], ...]], ...]: the answer of getDeviceSxprs. */
struct value *device_list(struct session *s, const struct domain *d, const char *class);

/* All of a domain's numbers of a class, in *ids (the caller frees it). Returns how many. */
size_t device_ids(struct session *s, int domid, const char *class, uint32_t **ids);

/* Names and values of a folder's nodes; for vbd.c and vifs.c. */
struct device_pairs {
    const char *list[48]; /* name, value, ..., NULL */
    unsigned n;
};
/* Append one; a NULL value is left out. Both strings must live as long as the pairs. */
void device_pair(struct device_pairs *pairs, const char *name, const char *value);

/* Write the guest's and the backend's folder anew, in one transaction. 0 or -errno */
int device_write(struct session *s, int domid, struct device dev, const struct device_pairs *front,
                 const struct device_pairs *back, struct error *err);

#endif
