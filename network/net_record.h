/*
 * Records: addresses, routes and neighbours exactly as the kernel tells them, to be given back.
 *
 * A record is a netlink message, cleaned of what only the kernel can set (counters, states), so
 * that everything else comes back: every table, metric, scope, several ways, lifetimes and flags of
 * addresses, attributes that this program has never heard of. Two records of the same thing are the
 * same bytes but for their lifetimes. Records travel through the journal as text.
 *
 * Lifetimes count down from the moment when a record was taken; whoever adds one later says how
 * many seconds have gone by. Read next: change.h.
 */
#ifndef NETWORK_NET_RECORD_H
#define NETWORK_NET_RECORD_H

#include "network/address.h"
#include "network/link_names.h"

struct net_record {
    uint16_t type; /* RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEIGH */
    uint16_t size; /* of body */
    uint8_t *body; /* fixed part and attributes */
};

struct records {
    struct net_record *list;
    size_t count;
};

void records_free(struct records *rs);
#define auto_records __attribute__((cleanup(records_free))) struct records

/*
 * All addresses, then permanent neighbours, then routes (but for the table "local", which is the
 * kernel's own) of this machine, in the order in which they can be added. 0 or -errno
 */
int records_take(struct netlink *nl, struct records *rs, struct error *err);

void records_add(struct records *rs, const struct net_record *r); /* copies */
bool records_have(const struct records *rs, const struct net_record *r);
/* Same but for the lifetimes. */
bool net_record_equal(const struct net_record *a, const struct net_record *b);

/* Does it concern this link (as address, neighbour, or one of the ways of a route)? */
bool net_record_on(const struct net_record *r, int link);
/* Move it from one link to another, in every place. */
void net_record_move(struct net_record *r, int from, int to);
int net_record_family(const struct net_record *r);
/* The address of an address record, the source (or none) of a route. */
void net_record_address(const struct net_record *r, struct address *a);
/* The gateway of a default route; false for everything else. */
bool net_record_gateway(const struct net_record *r, struct address *gateway);

/*
 * Add it, `age` seconds after it was taken. Usable at once: duplicate address detection, which
 * would hold an IPv6 address back for seconds, is left out, as it was done for this address.
 * -EEXIST: it is there.
 */
int net_record_put(struct netlink *nl, const struct net_record *r, uint32_t age, struct error *err);
/*
 * A default route that a router advertised is the kernel's, which asks the routers again whenever a
 * link comes up and would take one of ours for a stranger's. Until they answer, this one serves:
 * one worse, and for a minute only. False: it is no such route.
 */
bool net_record_advertised(const struct net_record *r);
int net_record_put_meanwhile(struct netlink *nl, const struct net_record *r, struct error *err);
int net_record_remove(struct netlink *nl, const struct net_record *r, struct error *err);

/* "192.0.2.7/24 on eth0", "route to 10.0.0.0/8 via 192.0.2.1 on eth0, metric 100, table 7" */
char *net_record_describe(const struct link_names *names, const struct net_record *r);

/* Words separated by blanks; the caller frees it. */
char *records_write(const struct records *rs);
/* 0 or -EINVAL */
int records_read(const char *text, struct records *rs);

#endif
