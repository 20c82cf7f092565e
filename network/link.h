/*
 * Interfaces of this machine: bridges, veth pairs, VLANs; names, MACs, flags. Read netlink.h first.
 *
 * Everything that changes a link names it by its index, which stays when the name changes. Each
 * call sets one thing, may be repeated (setting what is set already is no error), and returns 0 or
 * -errno with a sentence. Deleting and adding are strict: -ENODEV, -EEXIST.
 */
#ifndef NETWORK_LINK_H
#define NETWORK_LINK_H

#include "network/netlink.h"

#include <linux/if.h>
#include <stdbool.h>
#include <stdint.h>

struct mac {
    uint8_t byte[6];
};

/* What every interface behind a bridge has, so that the bridge never takes a port's for its own. */
#define MAC_BACKEND ((struct mac){{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff}})

struct link {
    int index;
    int master;          /* index of its bridge (or bond...), 0: none */
    int lower;           /* index of what it stands on (VLAN) or of its peer (veth), 0: none */
    bool lower_here;     /* `lower` is in this network namespace */
    unsigned flags;      /* IFF_UP, IFF_NOARP, IFF_LOOPBACK, IFF_LOWER_UP (the wire is alive)... */
    unsigned mtu, queue; /* bytes; packets */
    bool ethernet;
    struct mac mac;
    char name[IFNAMSIZ];
    char kind[16];  /* "bridge", "veth", "vlan", "" for hardware... */
    uint16_t vlan;  /* of a VLAN */
    char alias[64]; /* a note that the link carries, or "" */
};

/* -ENODEV: there is none. err may be NULL in all of them. */
int link_find(struct netlink *nl, const char *name, struct link *link, struct error *err);
int link_get(struct netlink *nl, int index, struct link *link, struct error *err);
/* All of them, in the order of their indexes; the caller frees *list. */
int link_list(struct netlink *nl, struct link **list, size_t *count, struct error *err);
bool link_is(const struct link *link, const char *kind);

/*
 * What a new link shall be. index 0: the kernel chooses one. A MAC that is given protects against
 * programs (udev) that replace the random one behind our back.
 */
struct link_new {
    const char *name;
    int index;
    const struct mac *mac; /* or NULL */
};

/* A bridge that forwards at once (no spanning tree, no forward delay). It is down. */
int link_add_bridge(struct netlink *nl, const struct link_new *new, struct error *err);
/* Two interfaces that are each other's wire. Both are down. */
int link_add_veth(struct netlink *nl, const struct link_new *new, const struct link_new *peer,
                  struct error *err);
int link_add_vlan(struct netlink *nl, const struct link_new *new, int lower, uint16_t vlan,
                  struct error *err);
/* A veth's peer goes with it. */
int link_delete(struct netlink *nl, int index, struct error *err);

int link_rename(struct netlink *nl, int index, const char *name, struct error *err);
int link_set_mac(struct netlink *nl, int index, const struct mac *mac, struct error *err);
int link_set_mtu(struct netlink *nl, int index, unsigned mtu, struct error *err);
int link_set_queue(struct netlink *nl, int index, unsigned packets, struct error *err);
int link_set_up(struct netlink *nl, int index, bool up, struct error *err);
int link_set_arp(struct netlink *nl, int index, bool arp, struct error *err);
/* Set the IFF_ flags of mask to those in flags. */
int link_set_flags(struct netlink *nl, int index, unsigned mask, unsigned flags, struct error *err);
int link_set_alias(struct netlink *nl, int index, const char *alias, struct error *err);
/* Put it on a bridge; 0 takes it from the one it is on. */
int link_set_master(struct netlink *nl, int index, int master, struct error *err);

/* "52:54:00:12:34:56"; false: not a MAC. */
bool mac_parse(const char *text, struct mac *mac);
void mac_format(const struct mac *mac, char text[18]);
bool mac_equal(const struct mac *a, const struct mac *b);

/*
 * Whether the interface leaves checksums of what is sent to hardware that may not be there (ethtool
 * "tx-checksumming"). -EOPNOTSUPP: it can't be changed.
 */
int link_set_tx_checksum(const char *name, bool offload, struct error *err);

#endif
