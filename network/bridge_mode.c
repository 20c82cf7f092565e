/*
 * The plan of bridge mode. Contract: bridge_mode.h.
 *
 * One description serves both ways: what start does is written down here, and stop is the same plan
 * turned round, with the addresses and routes as they are then.
 */
#include "network/bridge_mode.h"

#include "network/bridge_facts.h"
#include "network/sysctl.h"
#include "xend/lib/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char backend_mac[] = "fe:ff:ff:ff:ff:ff";

/* All that the plan's steps need. */
struct work {
    const struct facts *f;
    struct plan *plan;
    char mac[18];
    char *on_wire;   /* records of the machine while the wire has the addresses */
    char *on_front;  /* the same while Domain 0's own interface has them */
    char *wire_ipv4; /* the IPv4 addresses alone */
    char *front_ipv4;
};

static char *number_text(int n)
{
    return xprintf("%d", n);
}

/* A route whose source goes away for a moment is deleted by the kernel, wherever it leads. */
static bool starts_from_holder(const struct facts *f, const struct net_record *r)
{
    struct address source, a;

    net_record_address(r, &source);
    for (size_t i = 0; source.family != 0 && i < f->records.count; i++) {
        const struct net_record *other = &f->records.list[i];

        if (other->type == RTM_NEWADDR && net_record_on(other, facts_holder(f)->index)) {
            net_record_address(other, &a);
            if (address_equal(&a, &source)) {
                return true;
            }
        }
    }
    return false;
}

/* Would taking the wire and Domain 0's interface down lose this record? */
static bool is_affected(const struct facts *f, const struct net_record *r)
{
    int holder = facts_holder(f)->index;

    if (net_record_on(r, holder)) {
        return true;
    }
    for (size_t i = 0; i < f->count; i++) {
        const struct link *link = &f->all[i];

        if (net_record_on(r, link->index) &&
            (facts_stands_on(f, link, f->wire->index) || facts_stands_on(f, link, holder))) {
            return true;
        }
    }
    return r->type == RTM_NEWROUTE && starts_from_holder(f, r);
}

/* The affected records, as they are when `holder` has what the present holder has. */
static char *records_with(const struct facts *f, int holder, bool ipv4_only)
{
    auto_records rs = {NULL, 0};

    for (size_t i = 0; i < f->records.count; i++) {
        const struct net_record *r = &f->records.list[i];
        bool ours = ipv4_only ? r->type == RTM_NEWADDR && net_record_family(r) == AF_INET &&
                                    net_record_on(r, facts_holder(f)->index)
                              : is_affected(f, r);

        if (ours) {
            records_add(&rs, r);
            net_record_move(&rs.list[rs.count - 1], facts_holder(f)->index, holder);
        }
    }
    return records_write(&rs);
}

/* Links that stand on the wire (VLANs) stay there; their state follows the wire's and is kept. */
static void keep_uppers(struct work *w, bool before, bool after)
{
    const struct facts *f = w->f;

    for (size_t i = 0; i < f->count; i++) {
        const char *up = f->all[i].flags & IFF_UP ? "1" : "0";

        if (facts_stands_on(f, &f->all[i], f->wire->index)) {
            change_add(plan_changes(w->plan), CHANGE_UP, f->all[i].index, before ? up : NULL,
                       after ? up : NULL);
        }
    }
}

/* A VLAN takes over the MAC of what it stands on, unless it has been given its own. */
static void keep_upper_macs(struct work *w)
{
    const struct facts *f = w->f;
    char mac[18];

    for (size_t i = 0; i < f->count; i++) {
        if (facts_stands_on(f, &f->all[i], f->wire->index)) {
            mac_format(&f->all[i].mac, mac);
            change_add(plan_changes(w->plan), CHANGE_MAC, f->all[i].index, mac, mac);
        }
    }
}

/* Other names for settings in milliseconds; the kernel complains of who uses them. */
static bool is_deprecated(const char *setting)
{
    return strcmp(setting, "base_reachable_time") == 0 || strcmp(setting, "retrans_time") == 0;
}

/*
 * Settings of Domain 0's interface that differ from those of a new one. (Outside of the first
 * network namespace the kernel does not show all of the latter.)
 */
static void copy_settings_of(struct work *w, const char *group)
{
    const char *holder = facts_holder(w->f)->name;
    auto_str folder = xprintf("/proc/sys/net/%s/%s", group, holder);
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        auto_str now_path = xprintf("%s/%s/%s", group, holder, entry->d_name);
        auto_str new_path = xprintf("%s/default/%s", group, entry->d_name);
        auto_str setting = xprintf("%s/%%s/%s", group, entry->d_name);
        char now[200], new[200];

        /* The MTU has its own change; what can't be read was never set. */
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "mtu") != 0 &&
            strcmp(entry->d_name, "mc_forwarding") != 0 && !is_deprecated(entry->d_name) &&
            sysctl_get(now_path, now, sizeof(now), NULL) == 0) {
            bool known = sysctl_get(new_path, new, sizeof(new), NULL) == 0;

            if (!known || strcmp(now, new) != 0) {
                change_add_setting(plan_changes(w->plan), w->f->front_index, setting,
                                   known ? new : now, now);
            }
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

static void copy_settings(struct work *w)
{
    copy_settings_of(w, "ipv4/conf");
    copy_settings_of(w, "ipv4/neigh");
    copy_settings_of(w, "ipv6/conf");
    copy_settings_of(w, "ipv6/neigh");
}

static bool has_ipv6(void)
{
    char value[16];

    return sysctl_get("ipv6/conf/default/disable_ipv6", value, sizeof(value), NULL) == 0;
}

/* Links of the bridge take no IPv6 address for themselves. before: what it is without us. */
static void no_ipv6(struct work *w, int link, const char *before)
{
    if (has_ipv6()) {
        change_add_setting(plan_changes(w->plan), link, "ipv6/conf/%s/disable_ipv6", before, "1");
    }
}

static void step_prepare(struct work *w)
{
    const struct facts *f = w->f;
    const struct bridge_names *n = &f->names;

    plan_step(w->plan, 0,
              f->pair_is_ours ? xprintf("Make the pair %s and %s", n->vdev, n->vif)
                              : xprintf("Find the pair %s and %s", n->vdev, n->vif),
              xprintf("Restore %s's addresses and the machine's routes%s", n->netdev,
                      f->pair_is_ours ? ", and delete the pair" : ""));
    change_add(plan_changes(w->plan), CHANGE_RECORDS, 0, w->on_wire, NULL);
    keep_uppers(w, true, false);
    if (f->pair_is_ours) {
        auto_str spec = xprintf("veth %s %s %s %d %s", n->vdev, backend_mac, n->vif, f->back_index,
                                backend_mac);

        change_add(plan_changes(w->plan), CHANGE_LINK, f->front_index, NULL, spec);
        change_add(plan_changes(w->plan), CHANGE_ALIAS, f->front_index, "", BRIDGE_NOTE);
    }
}

static void step_bridge(struct work *w)
{
    const struct facts *f = w->f;
    auto_str spec = xprintf("bridge %s %s", f->names.bridge, backend_mac);

    if (!f->bridge_is_ours) {
        plan_step(w->plan, 1, xprintf("Use the bridge %s as it is", f->names.bridge),
                  xprintf("Leave the bridge %s as it is", f->names.bridge));
        return;
    }
    plan_step(w->plan, 1, xprintf("Create the bridge %s", f->names.bridge),
              xprintf("Delete the bridge %s", f->names.bridge));
    change_add(plan_changes(w->plan), CHANGE_LINK, f->bridge_index, NULL, spec);
    change_add(plan_changes(w->plan), CHANGE_ALIAS, f->bridge_index, "", BRIDGE_NOTE);
    /* Else it answers for Domain 0's addresses, too, with its own MAC, which all such bridges have.
     */
    change_add(plan_changes(w->plan), CHANGE_ARP, f->bridge_index, "1", "0");
    no_ipv6(w, f->bridge_index, "0");
}

static void step_down(struct work *w)
{
    const char *netdev = w->f->names.netdev;

    plan_step(w->plan, 2, xprintf("Take %s down", netdev), xprintf("Bring %s up", netdev));
    change_add(plan_changes(w->plan), CHANGE_UP, w->f->wire->index,
               facts_holder(w->f)->flags & IFF_UP ? "1" : "0", "0");
}

static void step_copy(struct work *w)
{
    const struct facts *f = w->f;
    struct changes *cs;
    auto_str mtu = number_text((int)facts_holder(f)->mtu);
    auto_str queue = number_text((int)facts_holder(f)->queue);
    bool usual = facts_holder(f)->mtu == 1500;

    plan_step(
        w->plan, 3,
        xprintf("Copy the MAC and the IP address of %s to %s", f->names.netdev, f->names.vdev),
        xprintf("Take the MAC and the IP address from %s", f->names.vdev));
    cs = plan_changes(w->plan);
    change_add(cs, CHANGE_MAC, f->front_index, backend_mac, w->mac);
    change_add(cs, CHANGE_QUEUE, f->front_index, "1000", queue);
    if (!usual) {
        change_add(cs, CHANGE_MTU, f->front_index, "1500", mtu);
        change_add(cs, CHANGE_MTU, f->back_index, "1500", mtu);
    }
    copy_settings(w);
    change_add(plan_changes(w->plan), CHANGE_ADDRESSES, f->front_index, "", w->front_ipv4);
}

static void step_rename(struct work *w, unsigned number, int link, const char *from, const char *to)
{
    plan_step(w->plan, number, xprintf("Rename %s to %s", from, to),
              xprintf("Rename %s to %s", to, from));
    change_add(plan_changes(w->plan), CHANGE_NAME, link, from, to);
}

static void step_disguise(struct work *w)
{
    const struct facts *f = w->f;
    auto_str path = xprintf("ipv6/conf/%s/disable_ipv6", facts_holder(f)->name);
    struct changes *cs;
    char ipv6[16] = "0";

    plan_step(w->plan, 6,
              xprintf("Give %s the MAC %s, no ARP and no address", f->names.pdev, backend_mac),
              xprintf("Give %s its MAC, its ARP and its addresses back", f->names.pdev));
    cs = plan_changes(w->plan);
    change_add(cs, CHANGE_MAC, f->wire->index, w->mac, backend_mac);
    keep_upper_macs(w);
    change_add(cs, CHANGE_ARP, f->wire->index, facts_holder(f)->flags & IFF_NOARP ? "0" : "1", "0");
    change_add(cs, CHANGE_ADDRESSES, f->wire->index, w->wire_ipv4, "");
    sysctl_get(path, ipv6, sizeof(ipv6), NULL);
    no_ipv6(w, f->wire->index, ipv6);
}

static void step_connect(struct work *w)
{
    const struct facts *f = w->f;
    auto_str bridge = number_text(f->bridge_index);

    plan_step(w->plan, 7,
              xprintf("Put %s and %s on %s", f->names.pdev, f->names.vif, f->names.bridge),
              xprintf("Take %s and %s from %s", f->names.pdev, f->names.vif, f->names.bridge));
    change_add(plan_changes(w->plan), CHANGE_MASTER, f->wire->index, "0", bridge);
    change_add(plan_changes(w->plan), CHANGE_MASTER, f->back_index, "0", bridge);
}

static void step_up(struct work *w)
{
    const struct facts *f = w->f;
    const struct bridge_names *n = &f->names;

    plan_step(w->plan, 8, xprintf("Bring %s, %s and %s up", n->bridge, n->pdev, n->vif),
              xprintf("Take %s, %s and %s down", n->vif, n->pdev, n->bridge));
    if (f->bridge_is_ours) {
        change_add(plan_changes(w->plan), CHANGE_UP, f->bridge_index, "0", "1");
    } else {
        change_add(plan_changes(w->plan), CHANGE_UP, f->bridge_index, NULL, "1");
    }
    no_ipv6(w, f->back_index, "0");
    change_add(plan_changes(w->plan), CHANGE_UP, f->wire->index, "0", "1");
    change_add(plan_changes(w->plan), CHANGE_UP, f->back_index, "0", "1");
}

static void step_finish(struct work *w)
{
    const struct facts *f = w->f;

    plan_step(
        w->plan, 9,
        xprintf("Bring %s up, with its IPv6 addresses and the machine's routes", f->names.netdev),
        xprintf("Take %s down", f->names.netdev));
    change_add(plan_changes(w->plan), CHANGE_UP, f->front_index, "0",
               facts_holder(f)->flags & IFF_UP ? "1" : "0");
    keep_uppers(w, false, true);
    change_add(plan_changes(w->plan), CHANGE_RECORDS, 0, NULL, w->on_front);
}

static void make_steps(struct work *w)
{
    const struct bridge_names *n = &w->f->names;

    mac_format(&facts_holder(w->f)->mac, w->mac);
    w->on_wire = records_with(w->f, w->f->wire->index, false);
    w->on_front = records_with(w->f, w->f->front_index, false);
    w->wire_ipv4 = records_with(w->f, w->f->wire->index, true);
    w->front_ipv4 = records_with(w->f, w->f->front_index, true);
    step_prepare(w);
    step_bridge(w);
    step_down(w);
    step_copy(w);
    step_rename(w, 4, w->f->wire->index, n->netdev, n->pdev);
    step_rename(w, 5, w->f->front_index, n->vdev, n->netdev);
    step_disguise(w);
    step_connect(w);
    step_up(w);
    step_finish(w);
    free(w->on_wire);
    free(w->on_front);
    free(w->wire_ipv4);
    free(w->front_ipv4);
}

/* Others on our bridge keep it, when we leave by force. */
static void keep_shared_bridge(struct facts *f)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct link *link = &f->all[i];

        if (link->master == f->bridge->index && link != f->wire && link != f->back) {
            f->bridge_is_ours = false;
        }
    }
}

static int prepare(struct netlink *nl, const struct bridge_options *options, bool start,
                   struct facts *f, struct plan *plan, struct error *err)
{
    struct work w = {.f = f, .plan = plan};
    int rc = start ? facts_check_start(f, err) : facts_check_stop(f, options->force, err);

    if (rc != 0) {
        return rc;
    }
    if (!start) {
        keep_shared_bridge(f);
    }
    strcpy(plan->probe.name, f->names.netdev);
    plan->probe.wire = f->wire->index;
    plan->probe.alive = (f->wire->flags & IFF_LOWER_UP) && (facts_holder(f)->flags & IFF_UP);
    rc = probe_prepare(nl, &plan->probe, facts_holder(f), &f->records, options->probe, err);
    if (rc == 0) {
        make_steps(&w);
        if (!start) {
            plan_reverse(plan);
        }
    }
    return rc;
}

int bridge_plan(struct netlink *nl, const struct bridge_options *options, bool start,
                struct plan *plan, struct bridge_names *names, enum bridge_state *state,
                struct error *err)
{
    auto_facts f = {0};
    int rc = facts_look(nl, options, &f, err);

    memset(plan, 0, sizeof(*plan));
    if (rc != 0) {
        return rc;
    }
    plan->made = plan_now();
    plan->title = xprintf(start ? "Bridge mode: %s goes on %s" : "Bridge mode: %s leaves %s",
                          f.names.netdev, f.names.bridge);
    if (f.state == (start ? BRIDGE_OFF : BRIDGE_ON)) {
        rc = prepare(nl, options, start, &f, plan, err);
    }
    if (names != NULL) {
        *names = f.names;
    }
    if (state != NULL) {
        *state = f.state;
    }
    return rc;
}
