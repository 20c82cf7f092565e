/*
 * Is the network still there? Asked before and after a plan, with packets on the wire.
 *
 * What is asked: the gateways of the interface by ARP and neighbour discovery, which every gateway
 * answers; without a gateway, neighbours that the kernel has heard of lately; an address that the
 * administrator names, by ping. Only what answered before can be missed afterwards. Where nothing
 * answers, the state of the link is all there is to look at.
 */
#ifndef NETWORK_PROBE_H
#define NETWORK_PROBE_H

#include "network/link.h"
#include "network/net_record.h"
#include "xend/lib/value.h"

#define PROBE_TARGETS 8

struct probe_target {
    struct address address;
    bool ping; /* it need not be on the link */
};

struct probe {
    char name[IFNAMSIZ]; /* of the interface that has the machine's addresses */
    int wire;            /* index of the interface that has the cable */
    bool alive;          /* the cable is plugged in */
    struct probe_target target[PROBE_TARGETS];
    size_t count;
};

/*
 * Find what answers on this interface (about a second if nothing does). `all` are the machine's
 * records; extra: an address to ping, or NULL. 0 or -errno
 */
int probe_prepare(struct netlink *nl, struct probe *p, const struct link *link,
                  const struct records *all, const char *extra, struct error *err);

/*
 * Does all that answered answer again? Waits up to carrier_ms for the cable and then up to
 * answer_ms for the answers. 0, or -ENETDOWN or -EHOSTUNREACH with the sentence that says what is
 * dead.
 */
int probe_run(struct netlink *nl, const struct probe *p, int carrier_ms, int answer_ms,
              struct error *err);

/* "the gateway 192.0.2.1 must answer" for one who reads a plan; the caller frees it. */
char *probe_describe(const struct probe *p);

/* For programs that read a plan. */
struct value *probe_write(const struct probe *p);

#endif
