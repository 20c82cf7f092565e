/*
 * Route and NAT mode of the host. Contract: host_modes.h.
 */
#include "network/host_modes.h"

#include "network/address.h"
#include "network/forwarding.h"
#include "network/nat.h"
#include "network/nat_plan.h"
#include "network/net_record.h"
#include "network/script.h"
#include "network/sysctl.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_S 120 /* longer than the programs let themselves take */

static char *programs, *states, *notes;

void host_programs(const char *folder, const char *state, const char *run)
{
    str_set(&programs, folder);
    str_set(&states, state);
    str_set(&notes, run);
}

/* The program's name in front of what it says. */
static size_t prefix(const char *said, const char *script)
{
    size_t size = strlen(script);

    return strncmp(said, script, size) == 0 && strncmp(said + size, ": ", 2) == 0 ? size + 2 : 0;
}

int host_program(const char *script, const char *verb, struct error *err)
{
    char network[ADDRESS_TEXT], said[PROCESS_SAID];
    auto_str path = xprintf("%s/%s", programs ? programs : SCRIPT_FOLDER, script);
    auto_str state = xprintf("state=%s", states ? states : "/var/lib/xend/network/host");
    auto_str run = xprintf("run=%s", notes ? notes : "/run/hospes");
    auto_str bridge = xprintf("bridge=%s", nat_bridge());
    auto_str net = xprintf("network=%s", address_format(nat_network(), network));
    auto_str net6 = NULL;
    char *argv[] = {path, (char *)(uintptr_t)verb, state, run, bridge, net, NULL, NULL};
    char *envp[] = {(char *)(uintptr_t) "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    int rc;

    if (nat_network6() != NULL) {
        argv[6] = net6 = xprintf("network6=%s", address_format(nat_network6(), network));
    }
    rc = process_run(argv, envp, TIMEOUT_S, said, err);
    if (rc > 128) {
        return fail(err, EIO, "%s was killed: what it had done is rolled back.", script);
    }
    return rc > 0 ? fail(err, EIO, "%s",
                         said[0] ? said + prefix(said, script)
                                 : "The network program failed and did not say why.")
                  : rc;
}

/* The interface of the default route. false: there is none. */
static bool default_link(struct netlink *nl, const struct records *all, struct link *link)
{
    struct address gateway;
    struct link *links;
    bool found = false;
    size_t n;

    if (link_list(nl, &links, &n, NULL) != 0) {
        return false;
    }
    for (size_t r = 0; !found && r < all->count; r++) {
        for (size_t i = 0; !found && i < n; i++) {
            if (net_record_gateway(&all->list[r], &gateway) &&
                net_record_on(&all->list[r], links[i].index)) {
                *link = links[i];
                found = true;
            }
        }
    }
    free(links);
    return found;
}

int host_probe(struct netlink *nl, struct plan *plan, const char *extra, struct error *err)
{
    auto_records all = {NULL, 0};
    struct link link = {.index = 0};
    int rc = plan->count > 0 ? records_take(nl, &all, err) : 0;

    if (rc != 0 || plan->count == 0 || (!default_link(nl, &all, &link) && extra == NULL)) {
        return rc;
    }
    strcpy(plan->probe.name, link.name);
    plan->probe.wire = link.index;
    plan->probe.alive = (link.flags & IFF_LOWER_UP) && (link.flags & IFF_UP);
    return probe_prepare(nl, &plan->probe, &link, &all, extra, err);
}

static bool forwards(void)
{
    char value[16] = "";

    return sysctl_get("ipv4/ip_forward", value, sizeof(value), NULL) == 0 &&
           strcmp(value, "0") != 0;
}

static int route_plan(struct netlink *nl, bool start, struct plan *plan, struct error *err)
{
    auto_str what = forwarding_describe("route");
    bool ends = forwarding_would_end("route");

    memset(plan, 0, sizeof(*plan));
    plan->made = plan_now();
    plan->title = xstrdup(start ? "Route mode: this machine forwards packets"
                                : "Route mode: this machine need not forward packets");
    if (forwarding_needed("route") == start) {
        return 0;
    }
    plan_step(
        plan, 1,
        xstrdup(forwards() ? "Keep IP forwarding on for route mode" : "Turn IP forwarding on"),
        xstrdup(ends ? "Put IP forwarding back as it was"
                     : "Leave IP forwarding on, as others need it"));
    change_add(plan_changes(plan), CHANGE_FORWARDING, 0, NULL, what);
    if (!start) {
        plan_reverse(plan);
    }
    return 0;
}

static void route_status(struct netlink *nl, char said[PROCESS_SAID])
{
    snprintf(said, PROCESS_SAID, "IP forwarding is %s.", forwards() ? "on" : "off");
}

static int route_run(const char *verb, char said[PROCESS_SAID], struct error *err)
{
    int rc = strcmp(verb, "status") == 0 ? 0 : host_program("network-route", verb, err);

    route_status(NULL, said);
    return rc;
}

static int nat_host_plan(struct netlink *nl, bool start, struct plan *plan, struct error *err)
{
    int rc = start ? nat_host_check(err) : 0;

    memset(plan, 0, sizeof(*plan));
    return rc ? rc : nat_plan(nl, start, plan, err);
}

static void nat_status(struct netlink *nl, char said[PROCESS_SAID])
{
    char text[ADDRESS_TEXT];
    struct link link;

    if (link_find(nl, nat_bridge(), &link, NULL) == 0) {
        snprintf(said, PROCESS_SAID, "NAT mode is on: %s has %s.", nat_bridge(),
                 address_format(nat_network(), text));
    } else {
        snprintf(said, PROCESS_SAID, "NAT mode is off.");
    }
}

static int nat_run(const char *verb, char said[PROCESS_SAID], struct error *err)
{
    auto_netlink nl = {0};
    int rc = 0;

    if (strcmp(verb, "start") == 0) {
        rc = nat_start(err);
    } else if (strcmp(verb, "stop") == 0) {
        rc = nat_stop(err);
    }
    rc = rc ? rc : netlink_open(&nl, err);
    if (rc == 0) {
        nat_status(&nl, said);
    }
    return rc;
}

const struct host_mode *host_mode(const char *script)
{
    static const struct host_mode modes[] = {
        {"network-route", route_plan, route_run, route_status},
        {"network-nat", nat_host_plan, nat_run, nat_status},
    };

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(modes[i].script, script) == 0) {
            return &modes[i];
        }
    }
    return NULL;
}
