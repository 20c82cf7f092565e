/*
 * One network card of a guest, as 'mac=00:16:3e:01:02:03, bridge=xenbr0' writes it.
 */
#ifndef XEND_LIB_VIF_H
#define XEND_LIB_VIF_H

#include "xend/lib/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every field may be NULL: not given. */
struct vif_spec {
    char *mac;       /* "00:16:3e:01:02:03", lower case */
    char *bridge;    /* bridge in the backend's domain */
    char *ip;        /* addresses of the guest, separated by blanks: vif_addrs() */
    char *script;    /* a classic hook script, or "vif-bridge" and friends for the built-in modes */
    char *vifname;   /* name of the backend's interface instead of vifX.Y: network/names.h */
    char *rate;      /* "10Mb/s@50ms" */
    char *type;      /* "netfront" (PV), "ioemu" (HVM) */
    char *model;     /* HVM: the card to emulate */
    char *backend;   /* name or id of the backend's domain */
    char *antispoof; /* what the guest may not forge: vif_guards() */
    char *forward;   /* ports of Domain 0 that lead to the guest: vif_forwards() */
};

/* Parse "key=value, key=value"; "" is a card with everything chosen by xend. 0 or -EINVAL */
int vif_parse(const char *text, struct vif_spec *vif, struct error *err);
/* Set one field by its name, checked. 0 or -EINVAL */
int vif_set(struct vif_spec *vif, const char *key, const char *value, struct error *err);
void vif_finish(struct vif_spec *vif);
void vif_copy(struct vif_spec *to, const struct vif_spec *from);

/* The names of the fields, and the fields in the same order, for writing a card down. */
#define VIF_FIELDS 11
extern const char *const vif_field_names[VIF_FIELDS];
char **vif_field(struct vif_spec *vif, unsigned i);

/*
 * "10Mb/s@50ms" as netback's pair: bytes that may be sent in each interval, and the interval in
 * microseconds. 0 or -EINVAL
 */
int vif_rate(const char *text, uint64_t *bytes, uint64_t *interval_us);

/* An address with its prefix; a single one has 32 or 128. Bits below the prefix are zero. */
struct vif_addr {
    int family;        /* AF_INET or AF_INET6 */
    unsigned prefix;   /* in bits */
    uint8_t bytes[16]; /* network order; 4 or 16 of them */
};

/*
 * "10.0.0.5 10.1.0.0/24 2001:db8::5" as a list, which the caller frees; NULL and "" are an empty
 * one. 0 or -EINVAL with the sentence.
 */
int vif_addrs(const char *text, struct vif_addr **list, size_t *n, struct error *err);
/* One of them. 0 or -EINVAL */
int vif_addr_parse(const char *word, struct vif_addr *addr, struct error *err);
/* "10.0.0.5" or "10.1.0.0/24". */
#define VIF_ADDR_TEXT 52
const char *vif_addr_text(const struct vif_addr *addr, char text[VIF_ADDR_TEXT]);

/* What antispoof= stops. */
#define VIF_GUARD_MAC  1u /* frames, ARP and NDP with another MAC than the card's */
#define VIF_GUARD_IP   2u /* packets, ARP and NDP with addresses that ip= does not list */
#define VIF_GUARD_DHCP 4u /* answers of a DHCP server */
#define VIF_GUARD_RA   8u /* IPv6 router advertisements and redirects */
#define VIF_GUARD_ALL  15u

/* "on", "off", or words of "mac ip dhcp ra". 0 or -EINVAL with the sentence. */
int vif_guards(const char *text, unsigned *guards, struct error *err);

/* A port of Domain 0 whose connections go to a port of the guest. */
struct vif_forward {
    uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
    uint16_t from;    /* in Domain 0 */
    uint16_t to;      /* in the guest */
};

#define VIF_MAX_FORWARDS 64

/*
 * "tcp:8080:80 udp:53:53" as a list, which the caller frees; NULL and "" are an empty one.
 * 0 or -EINVAL with the sentence.
 */
int vif_forwards(const char *text, struct vif_forward **list, size_t *n, struct error *err);

/*
 * A MAC for card number i of the domain with this UUID, in Xen's range 00:16:3e. The same card gets
 * the same address at every start. The caller frees it.
 */
char *vif_default_mac(const char *uuid, unsigned i);

#endif
