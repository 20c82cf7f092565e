/*
 * What a plan of bridge mode is computed from. Used by bridge_mode.c and bridge_facts.c.
 */
#ifndef NETWORK_BRIDGE_FACTS_H
#define NETWORK_BRIDGE_FACTS_H

#include "network/bridge_mode.h"

#define BRIDGE_NOTE "hospes: bridge mode" /* the alias of what was made here */

struct facts {
    struct bridge_names names;
    enum bridge_state state;
    struct link *all; /* every link of the machine */
    size_t count;
    const struct link *wire;   /* the interface with the cable: eth0, or peth0 */
    const struct link *front;  /* of Domain 0: veth0, or eth0 when taken over; NULL: to be made */
    const struct link *back;   /* vif0.0, or NULL */
    const struct link *bridge; /* or NULL */
    int front_index, back_index, bridge_index; /* also of those that are to be made */
    bool pair_is_ours, bridge_is_ours;         /* made here, or to be made */
    struct records records;                    /* the machine's */
};

int facts_look(struct netlink *nl, const struct bridge_options *options, struct facts *f,
               struct error *err);
void facts_free(struct facts *f);
#define auto_facts __attribute__((cleanup(facts_free))) struct facts

/* The interface that has the machine's addresses now. */
const struct link *facts_holder(const struct facts *f);
/* Is this link, or one that it stands on, `below`? */
bool facts_stands_on(const struct facts *f, const struct link *link, int below);

/* Could the interface be taken over (given back)? 0 or -errno with the sentence. */
int facts_check_start(const struct facts *f, struct error *err);
int facts_check_stop(const struct facts *f, bool force, struct error *err);

#endif
