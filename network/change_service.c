/*
 * Forwarding, rules and server as changes. Contract: change_service.h.
 */
#include "network/change_service.h"

#include "network/dnsmasq.h"
#include "network/forwarding.h"
#include "network/nft.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <stdio.h>

static int do_forwarding(const char *want, const char *other, struct error *err)
{
    return want ? forwarding_need_described(want, err) : forwarding_release_described(other, err);
}

static int do_rules(const char *want, struct error *err)
{
    auto_str there = nft_ask("list table inet hospes");

    if ((there != NULL) == (want != NULL)) {
        return 0;
    }
    return nft_run(want ? want : "delete table inet hospes", "NAT mode's rules", err);
}

static int do_server(const char *want, struct error *err)
{
    char bridge[16], address[16], first[16], mask[16], prefix6[48] = "";
    struct dnsmasq_config config = {bridge, address, first, mask, NULL};

    if (want == NULL) {
        dnsmasq_stop();
        return 0;
    }
    if (sscanf(want, "%15s %15s %15s %15s %47s", bridge, address, first, mask, prefix6) < 4) {
        return fail(err, EINVAL, "The plan does not say what dnsmasq shall serve.");
    }
    config.prefix6 = prefix6[0] ? prefix6 : NULL;
    return dnsmasq_start(&config, err);
}

int change_do_service(enum change_kind kind, const char *want, const char *other, struct error *err)
{
    if (kind == CHANGE_FORWARDING && (want != NULL || other != NULL)) {
        return do_forwarding(want, other, err);
    }
    if (kind == CHANGE_RULES) {
        return do_rules(want, err);
    }
    return kind == CHANGE_SERVER ? do_server(want, err)
                                 : fail(err, EINVAL, "The plan has a change of an unknown kind.");
}
