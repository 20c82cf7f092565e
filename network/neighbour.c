/*
 * Proxy entries of neighbours. Contract: neighbour.h.
 */
#include "network/neighbour.h"

#include "network/link.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

static int request(struct netlink *nl, int type, int flags, int link, const struct address *a,
                   struct error *err)
{
    struct ndmsg fixed = {.ndm_family = (uint8_t)a->family,
                          .ndm_ifindex = link,
                          .ndm_flags = NTF_PROXY,
                          .ndm_state = NUD_PERMANENT};
    struct nl_msg *msg = netlink_message(type, flags, &fixed, sizeof(fixed));
    char text[ADDRESS_TEXT];

    if (msg != NULL) {
        nla_put(msg, NDA_DST, (int)address_bits(a) / 8, a->byte);
    }
    return netlink_request(nl, msg, err, "Domain 0 cannot answer for %s", address_format(a, text));
}

int neighbour_proxy_add(struct netlink *nl, int link, const struct address *a, struct error *err)
{
    return request(nl, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, link, a, err);
}

void neighbour_proxy_remove(struct netlink *nl, const struct address *a)
{
    struct link *links;
    size_t n;

    if (link_list(nl, &links, &n, NULL) != 0) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        request(nl, RTM_DELNEIGH, 0, links[i].index, a, NULL);
    }
    free(links);
}
