/*
 * Changes: the smallest things that a plan does to the network, as data that can be written down.
 *
 * A change says what something is before and after it. Doing it forwards means "make it so that it
 * is as after", backwards "as before"; both look first and do nothing where it is so already. So
 * either can be repeated, can be done after a half-done attempt, and needs no other memory: that is
 * what makes a plan safe to kill at any moment. Links are known by their indexes, which new links
 * are given by the plan, as names wander while a plan runs. Read next: plan.h.
 */
#ifndef NETWORK_CHANGE_H
#define NETWORK_CHANGE_H

#include "network/link.h"
#include "network/net_record.h"
#include "xend/lib/value.h"

enum change_kind {
    CHANGE_LINK,   /* that it exists; the text: "bridge NAME MAC", "veth NAME MAC PEER INDEX MAC" */
    CHANGE_NAME,   /* its name */
    CHANGE_ALIAS,  /* the note that it carries: who made it */
    CHANGE_UP,     /* "1", "0" */
    CHANGE_ARP,    /* "1", "0" */
    CHANGE_MAC,    /* its MAC */
    CHANGE_MTU,    /* bytes */
    CHANGE_QUEUE,  /* packets */
    CHANGE_MASTER, /* index of its bridge, "0" */
    CHANGE_SETTING,   /* `setting` of the kernel */
    CHANGE_ADDRESSES, /* records that it has, and no others of the other side */
    CHANGE_RECORDS,   /* records that must be there (of any link) */
    CHANGE_ADDRESS,   /* one address with its network: "192.168.122.1/24" */
    /* Of programs that set change_service: */
    CHANGE_FORWARDING, /* whose need for IP forwarding: forwarding_describe() */
    CHANGE_RULES,      /* commands of nftables that make the table "inet hospes" */
    CHANGE_SERVER,     /* NAT mode's dnsmasq: "BRIDGE ADDRESS FIRST MASK [PREFIX6]" */
    CHANGE_KINDS
};

struct change {
    enum change_kind kind;
    int link;      /* index; 0: of no link */
    char *setting; /* "ipv4/conf/%s/rp_filter" with the link's name at that moment, or NULL */
    char *before;  /* NULL: does not exist; or, of records, nothing is to be done backwards */
    char *after;
};

struct changes {
    struct change *list;
    size_t count;
};

/* Append; the texts are copied. */
void change_add(struct changes *cs, enum change_kind kind, int link, const char *before,
                const char *after);
void change_add_setting(struct changes *cs, int link, const char *setting, const char *before,
                        const char *after);
void changes_free(struct changes *cs);

/* Turn round: what was before is after. */
void change_reverse(struct change *c);

/*
 * Make it so. age: seconds since the plan was made. 0 or -errno with the sentence. Backwards, a
 * link that is not there is no error: what it had went with it.
 */
int change_do(struct netlink *nl, const struct change *c, bool forwards, uint32_t age,
              struct error *err);

/*
 * How the last three kinds are made: change_do_service() of change_service.h, or NULL in a program
 * whose plans have none of them. want: what shall be, NULL: nothing; other: what it was otherwise.
 */
extern int (*change_service)(enum change_kind kind, const char *want, const char *other,
                             struct error *err);

/*
 * "eth0 is renamed to peth0" and the like, for one who reads a plan; the caller frees it. Changes
 * are described in their order: names that they give are kept in `names`.
 */
char *change_describe(struct link_names *names, const struct change *c);

/* As a value for the journal, and back. 0 or -EINVAL with the sentence. */
struct value *change_write(const struct change *c);
int change_read(const struct value *v, struct changes *cs, struct error *err);

#endif
