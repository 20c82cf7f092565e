/*
 * The words of network-bridge: netdev=eth0 and the like. Read first: bridge_mode.h.
 */
#ifndef NETWORK_BRIDGE_OPTIONS_H
#define NETWORK_BRIDGE_OPTIONS_H

#include "network/bridge_mode.h"

#define BRIDGE_OPTIONS_NONE ((struct bridge_options){.vifnum = -1})

/* Take one word, which must live as long as the options. 0, or -EINVAL with the sentence. */
int bridge_option(struct bridge_options *options, const char *word, struct error *err);

/* "name=value": the value if the name is this one, else NULL. */
const char *option_value(const char *word, const char *name);

#endif
