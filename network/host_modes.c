/*
 * Route and NAT mode of the host. Contract: host_modes.h.
 */
#include "network/host_modes.h"

#include "network/address.h"
#include "network/dnsmasq.h"
#include "network/forwarding.h"
#include "network/nat.h"
#include "network/nft.h"
#include "network/sysctl.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool forwards(void)
{
    char value[16] = "";

    return sysctl_get("ipv4/ip_forward", value, sizeof(value), NULL) == 0 &&
           strcmp(value, "0") != 0;
}

/* The step that both modes have. For stop: only if nobody else needs it, and it was off. */
static void plan_forwarding(struct plan *plan, const char *user, bool start)
{
    if (start ? !forwards() : forwarding_would_end(user)) {
        plan_step(plan, (unsigned)plan->count + 1,
                  xstrdup(start ? "Turn IP forwarding on" : "Put IP forwarding back as it was"),
                  NULL);
        if (start) {
            change_add_setting(plan_changes(plan), 0, "ipv4/ip_forward", "0", "1");
        }
    }
}

static int route_plan(struct netlink *nl, bool start, struct plan *plan, struct error *err)
{
    plan->title = xstrdup(start ? "Route mode: this machine forwards packets"
                                : "Route mode: this machine need not forward packets");
    plan_forwarding(plan, "route", start);
    return 0;
}

static int route_run(const char *verb, char said[PROCESS_SAID], struct error *err)
{
    int rc = 0;

    if (strcmp(verb, "start") == 0) {
        rc = forwarding_need("route", AF_INET, NULL, err);
    } else if (strcmp(verb, "stop") == 0) {
        rc = forwarding_release("route", err);
    }
    snprintf(said, PROCESS_SAID, "IP forwarding is %s.", forwards() ? "on" : "off");
    return rc;
}

/* One line of NAT mode's plan, if it is not so yet (or, for stop, is so). */
static void nat_step(struct plan *plan, bool start, bool there, char *up, char *down)
{
    if (there != start) {
        plan_step(plan, (unsigned)plan->count + 1, start ? up : down, start ? down : up);
    } else {
        free(up);
        free(down);
    }
}

static int nat_plan(struct netlink *nl, bool start, struct plan *plan, struct error *err)
{
    auto_str rules = nft_ask("list table inet hospes");
    const char *bridge = nat_bridge();
    char text[ADDRESS_TEXT];
    struct link link;
    bool there = link_find(nl, bridge, &link, NULL) == 0;
    int rc = start ? nat_host_check(err) : 0;

    plan->title = xprintf(
        start ? "NAT mode: guests on %s are behind this machine" : "NAT mode: %s goes", bridge);
    nat_step(plan, start, there,
             xprintf("Make the bridge %s with the address %s", bridge,
                     address_format(nat_network(), text)),
             xprintf("Delete the bridge %s", bridge));
    nat_step(plan, start, rules != NULL,
             xstrdup("Add the packet filter's table \"inet hospes\": masquerading and forwarded "
                     "ports, nothing else gets in"),
             xstrdup("Delete the packet filter's table \"inet hospes\""));
    plan_forwarding(plan, "nat", start);
    nat_step(plan, start, dnsmasq_pid() != 0,
             xprintf("Start dnsmasq for DHCP and DNS on %s", bridge), xstrdup("End dnsmasq"));
    return rc;
}

static int nat_run(const char *verb, char said[PROCESS_SAID], struct error *err)
{
    auto_netlink nl = {0};
    char text[ADDRESS_TEXT];
    struct link link;
    int rc = 0;

    if (strcmp(verb, "start") == 0) {
        rc = nat_start(err);
    } else if (strcmp(verb, "stop") == 0) {
        rc = nat_stop(err);
    }
    rc = rc ? rc : netlink_open(&nl, err);
    if (rc == 0 && link_find(&nl, nat_bridge(), &link, NULL) == 0) {
        snprintf(said, PROCESS_SAID, "NAT mode is on: %s has %s.", nat_bridge(),
                 address_format(nat_network(), text));
    } else if (rc == 0) {
        snprintf(said, PROCESS_SAID, "NAT mode is off.");
    }
    return rc;
}

const struct host_mode *host_mode(const char *script)
{
    static const struct host_mode modes[] = {
        {"network-route", route_plan, route_run},
        {"network-nat", nat_plan, nat_run},
    };

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(modes[i].script, script) == 0) {
            return &modes[i];
        }
    }
    return NULL;
}
