/*
 * Addresses of interfaces, and static routes to them, IPv4 and IPv6. Read netlink.h and link.h.
 *
 * Adding is strict (-EEXIST: it is there already), and so is deleting (-EADDRNOTAVAIL, -ESRCH).
 * For whole sets of addresses and routes, exactly as the kernel has them, see net_record.h.
 */
#ifndef NETWORK_ADDRESS_H
#define NETWORK_ADDRESS_H

#include "network/netlink.h"

#include <stdbool.h>
#include <stdint.h>

/* An address or, with a prefix below the full length, a network. */
struct address {
    int family;       /* AF_INET, AF_INET6; 0: none */
    unsigned prefix;  /* bits */
    uint8_t byte[16]; /* network order; IPv4 uses the first four */
};

#define ADDRESS_TEXT 64

/* "10.0.0.1", "10.0.0.0/24", "fd00::1/64"; without a prefix the full length. false: none of these.
 */
bool address_parse(const char *text, struct address *a);
/* With "/prefix" if that is shorter than the address. */
const char *address_format(const struct address *a, char text[ADDRESS_TEXT]);
bool address_equal(const struct address *a, const struct address *b);
/* Is a (its full length) inside the network? */
bool address_inside(const struct address *a, const struct address *network);
unsigned address_bits(const struct address *a); /* 32 or 128 */
/*
 * The last eight bytes of the IPv6 address that a card with this MAC gives itself (RFC 4291,
 * appendix A). false: it is no MAC.
 */
bool address_interface_id(const char *mac, uint8_t id[8]);

/* An address as an interface has it. */
struct link_address {
    int link; /* index of the interface */
    struct address local;
    uint32_t flags;            /* IFA_F_PERMANENT, IFA_F_TENTATIVE, IFA_F_NODAD... */
    uint8_t scope;             /* RT_SCOPE_UNIVERSE, RT_SCOPE_LINK... */
    uint32_t preferred, valid; /* seconds left; UINT32_MAX: for ever */
};

/* flags: 0, or IFA_F_NODAD, IFA_F_NOPREFIXROUTE: the network gets no route of its own. */
int address_add(struct netlink *nl, int link, const struct address *a, uint32_t flags,
                struct error *err);
int address_delete(struct netlink *nl, int link, const struct address *a, struct error *err);
/* Of one interface, or of all if link is 0; family 0: both. The caller frees *list. */
int address_list(struct netlink *nl, int link, int family, struct link_address **list,
                 size_t *count, struct error *err);

/* One way to a network. What is 0 is left to the kernel. */
struct route {
    struct address to; /* prefix 0: the default route; its family must be set */
    struct address via, source;
    int link;       /* index of the interface */
    uint32_t table; /* 0: main */
    uint32_t metric;
    uint8_t scope;    /* of an IPv4 route; 0 with no via: RT_SCOPE_LINK */
    uint8_t protocol; /* 0: RTPROT_STATIC */
    uint8_t type;     /* 0: RTN_UNICAST */
    bool onlink;      /* via is on the link although no address says so */
};

int route_add(struct netlink *nl, const struct route *r, struct error *err);
int route_delete(struct netlink *nl, const struct route *r, struct error *err);
/*
 * All routes of a family (0: both) in a table (0: all but "local"), without those of several ways.
 * The caller frees *list.
 */
int route_list(struct netlink *nl, int family, uint32_t table, struct route **list, size_t *count,
               struct error *err);

#endif
