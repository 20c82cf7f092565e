/*
 * A conversation with the kernel's network configuration (rtnetlink), one request at a time.
 *
 * Above it stand link.h, address.h and route.h, which most callers want. One socket belongs to one
 * thread. It speaks of the network namespace of the thread that opened it. Messages are built with
 * libnl's nlmsg_ and nla_ functions; errors are the kernel's own errno, with the kernel's own words
 * where it has some.
 */
#ifndef NETWORK_NETLINK_H
#define NETWORK_NETLINK_H

#include "xend/lib/error.h"

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdbool.h>

struct netlink {
    struct nl_sock *sock;
    int error;      /* of the request that runs: a positive errno */
    bool answered;  /* it got its end */
    char said[200]; /* what the kernel said to it, or "" */
};

/* 0 or -errno with the sentence. netlink_close() takes one that was never opened (all zero). */
int netlink_open(struct netlink *nl, struct error *err);
void netlink_close(struct netlink *nl);
#define auto_netlink __attribute__((cleanup(netlink_close))) struct netlink

/* A message of this type (RTM_...) with its fixed part; flags: NLM_F_... The next call frees it. */
struct nl_msg *netlink_message(int type, int flags, const void *fixed, size_t size);

/*
 * Send and wait for the kernel's answer; frees msg. Returns 0 or -errno; the sentence is "WHAT: the
 * kernel's reason", so `what` reads like "The interface eth0 cannot be renamed".
 */
int netlink_request(struct netlink *nl, struct nl_msg *msg, struct error *err, const char *what,
                    ...) __attribute__((format(printf, 4, 5)));

/*
 * The same for a question: each answer is given to `each`, which returns 0, or -errno to remember
 * (the dump goes on to its end, and then returns the first). A dump that the kernel interrupted
 * because something changed meanwhile returns -EAGAIN, after having called `each`.
 */
typedef int netlink_each(const struct nlmsghdr *answer, void *arg);
int netlink_query(struct netlink *nl, struct nl_msg *msg, netlink_each *each, void *arg,
                  struct error *err, const char *what, ...) __attribute__((format(printf, 6, 7)));

#endif
