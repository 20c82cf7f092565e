/*
 * Classic hook scripts: script=/etc/xen/scripts/NAME, for what the built-in modes do not do.
 *
 * A script is started as Xen's tools always started it: with "online" or "offline" (and
 * "type_if=vif") as arguments, and in its environment
 *
 *     XENBUS_PATH       backend/vif/DOMID/ID        XENBUS_BASE_PATH  backend
 *     XENBUS_TYPE       vif                         vif               vifDOMID.ID
 *     script            its own path                PATH              the system's
 *
 * It reads the card's options from the store (xenstore-read "$XENBUS_PATH/ip") and may write
 * hotplug-status and hotplug-error there; xend writes hotplug-status itself if it does not.
 */
#ifndef NETWORK_SCRIPT_H
#define NETWORK_SCRIPT_H

#include "network/card.h"

#define SCRIPT_FOLDER "/etc/xen/scripts"

/* Its whole path: names without a slash are in SCRIPT_FOLDER. The caller frees it. */
char *script_path(const char *script);

/* The seconds that a script gets. Before any thread exists. */
void script_set_timeout(unsigned seconds);

/* It is there, can be run, and only root can change it. 0 or -errno with the sentence. */
int script_check(const struct net_card *card, struct error *err);

/*
 * Run it and wait. -EIO: it failed, and the sentence has the last line it printed; -ETIMEDOUT: it
 * was killed, with what it had started.
 */
int script_online(struct net_card *card, struct error *err);

/* The same with "offline"; a failure is logged. */
void script_offline(const struct net_card *card);

#endif
