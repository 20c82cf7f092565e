/*
 * Looking at the machine for bridge mode. Contract: bridge_facts.h.
 */
#include "network/bridge_facts.h"

#include "xend/lib/alloc.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_GAP  100 /* between the links that are there and those that a plan makes */
#define MAX_NUMBER 99

void facts_free(struct facts *f)
{
    free(f->all);
    records_free(&f->records);
    memset(f, 0, sizeof(*f));
}

static const struct link *named(const struct facts *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->all[i].name, name) == 0) {
            return &f->all[i];
        }
    }
    return NULL;
}

static const struct link *numbered(const struct facts *f, int index)
{
    for (size_t i = 0; index != 0 && i < f->count; i++) {
        if (f->all[i].index == index) {
            return &f->all[i];
        }
    }
    return NULL;
}

const struct link *facts_holder(const struct facts *f)
{
    return f->state == BRIDGE_ON ? f->front : f->wire;
}

bool facts_stands_on(const struct facts *f, const struct link *link, int below)
{
    /* A veth's "lower" is its peer, on which it does not stand. */
    for (int depth = 0; link != NULL && depth < 8; depth++) {
        if (!link->lower_here || link_is(link, "veth")) {
            return false;
        }
        if (link->lower == below) {
            return true;
        }
        link = numbered(f, link->lower);
    }
    return false;
}

/* The interface of a default route, IPv4 before IPv6; else the only Ethernet interface. */
static const struct link *find_netdev(const struct facts *f)
{
    static const int families[] = {AF_INET, AF_INET6};
    const struct link *only = NULL;
    struct address gateway;
    size_t ethernets = 0;

    for (int family = 0; family < 2; family++) {
        for (size_t i = 0; i < f->records.count; i++) {
            const struct net_record *r = &f->records.list[i];

            if (!net_record_gateway(r, &gateway) || net_record_family(r) != families[family]) {
                continue;
            }
            for (size_t n = 0; n < f->count; n++) {
                if (net_record_on(r, f->all[n].index)) {
                    return &f->all[n];
                }
            }
        }
    }
    only = named(f, "eth0");
    for (size_t i = 0; only == NULL && i < f->count; i++) {
        const struct link *link = &f->all[i];

        if (link->ethernet && link->kind[0] == '\0' && !(link->flags & IFF_LOOPBACK)) {
            only = ethernets++ == 0 ? link : NULL;
        }
    }
    return only;
}

static bool fits(struct error *err, char *to, const char *before, const char *name)
{
    if (snprintf(to, IFNAMSIZ, "%s%s", before, name) >= IFNAMSIZ) {
        fail(err, ENAMETOOLONG, "%s is too long a name: %s%s has more than %d characters.", name,
             before, name, IFNAMSIZ - 1);
        return false;
    }
    return true;
}

/* The number N of vethN, vif0.N and xenbrN. */
static int find_number(const struct facts *f, const struct bridge_options *options)
{
    const char *netdev = f->names.netdev;
    char name[IFNAMSIZ];
    const struct link *peer;
    int n = 0;

    if (options->vifnum >= 0) {
        return options->vifnum;
    }
    if (strncmp(netdev, "eth", 3) == 0 && isdigit((unsigned char)netdev[3])) {
        return atoi(netdev + 3);
    }
    peer = named(f, netdev);
    peer = peer != NULL && link_is(peer, "veth") ? numbered(f, peer->lower) : NULL;
    if (peer != NULL && sscanf(peer->name, "vif0.%d", &n) == 1) {
        return n; /* it is taken over */
    }
    for (n = 0; n < MAX_NUMBER; n++) {
        snprintf(name, sizeof(name), "vif0.%u", (uint8_t)n);
        if (named(f, name) == NULL) {
            break;
        }
    }
    return n;
}

static int find_names(struct facts *f, const struct bridge_options *options, struct error *err)
{
    const struct link *link = options->netdev ? named(f, options->netdev) : find_netdev(f);
    struct bridge_names *names = &f->names;
    int n;

    if (link == NULL) {
        return options->netdev
                   ? fail(err, ENODEV, "There is no interface %s: ip link lists them.",
                          options->netdev)
                   : fail(err, ENODEV, "No interface has a default route: name one with netdev=.");
    }
    strcpy(names->netdev, link->name);
    n = find_number(f, options);
    if (n > MAX_NUMBER) {
        return fail(err, EINVAL, "vifnum goes from 0 to %d.", MAX_NUMBER);
    }
    snprintf(names->vdev, IFNAMSIZ, "veth%u", (uint8_t)n);
    snprintf(names->vif, IFNAMSIZ, "vif0.%u", (uint8_t)n);
    snprintf(names->bridge, IFNAMSIZ, "xenbr%u", (uint8_t)n);
    if (!fits(err, names->pdev, "p", names->netdev) ||
        (options->bridge && !fits(err, names->bridge, "", options->bridge))) {
        return -ENAMETOOLONG;
    }
    return 0;
}

/* Numbers for the links that a plan makes, away from those that the kernel gives meanwhile. */
static void choose_indexes(struct facts *f)
{
    int highest = 0;

    for (size_t i = 0; i < f->count; i++) {
        highest = f->all[i].index > highest ? f->all[i].index : highest;
    }
    f->front_index = f->front ? f->front->index : highest + INDEX_GAP;
    f->back_index = f->back ? f->back->index : highest + INDEX_GAP + 1;
    f->bridge_index = f->bridge ? f->bridge->index : highest + INDEX_GAP + 2;
}

static bool noted(const struct link *link)
{
    return link == NULL || strcmp(link->alias, BRIDGE_NOTE) == 0;
}

static void find_state(struct facts *f)
{
    const struct link *holder = named(f, f->names.netdev), *pdev = named(f, f->names.pdev);
    const struct link *peer = numbered(f, holder->lower), *master;

    f->bridge = named(f, f->names.bridge);
    if (pdev != NULL && peer != NULL && strcmp(peer->name, f->names.vif) == 0 &&
        pdev->master != 0 && pdev->master == peer->master) {
        f->state = BRIDGE_ON;
        f->wire = pdev;
        f->front = holder;
        f->back = peer;
        f->bridge = numbered(f, pdev->master);
        strcpy(f->names.bridge, f->bridge->name);
    } else {
        f->wire = holder;
        f->front = named(f, f->names.vdev);
        f->back = named(f, f->names.vif);
        master = link_is(holder, "bridge") ? holder : numbered(f, holder->master);
        if (master != NULL && link_is(master, "bridge")) {
            f->state = BRIDGE_OTHERS;
            f->bridge = master;
            strcpy(f->names.bridge, master->name);
        }
    }
    f->pair_is_ours = noted(f->front);
    f->bridge_is_ours = noted(f->bridge);
    choose_indexes(f);
}

int facts_look(struct netlink *nl, const struct bridge_options *options, struct facts *f,
               struct error *err)
{
    int rc;

    memset(f, 0, sizeof(*f));
    rc = link_list(nl, &f->all, &f->count, err);
    rc = rc ? rc : records_take(nl, &f->records, err);
    rc = rc ? rc : find_names(f, options, err);
    if (rc == 0) {
        find_state(f);
    }
    return rc;
}

static int check_wire(const struct facts *f, struct error *err)
{
    const struct link *wire = f->wire;

    if (!wire->ethernet || (wire->flags & IFF_LOOPBACK)) {
        return fail(err, EINVAL, "%s is no Ethernet interface: only such can be on a bridge.",
                    wire->name);
    }
    if (wire->master != 0) {
        const struct link *master = numbered(f, wire->master);

        return fail(err, EBUSY, "%s belongs to %s: name that with netdev=.", wire->name,
                    master ? master->name : "another interface");
    }
    for (size_t i = 0; i < f->count; i++) {
        const struct link *link = &f->all[i];

        if (link->lower_here && link->lower == wire->index &&
            (link_is(link, "macvlan") || link_is(link, "macvtap") || link_is(link, "ipvlan"))) {
            return fail(err, EBUSY,
                        "%s (%s) stands on %s, which then cannot be on a bridge: delete it, or "
                        "use its interface directly.",
                        link->name, link->kind, wire->name);
        }
    }
    return 0;
}

int facts_check_start(const struct facts *f, struct error *err)
{
    const struct link *taken = named(f, f->names.pdev);
    int rc = check_wire(f, err);

    if (rc != 0) {
        return rc;
    }
    if (taken != NULL) {
        return fail(err, EEXIST,
                    "%s is there already, so %s cannot get that name: is it left from "
                    "another tool?",
                    taken->name, f->wire->name);
    }
    if ((f->front == NULL) != (f->back == NULL)) {
        return fail(err, EEXIST, "%s is there without %s: delete it, or choose another vifnum=.",
                    f->front ? f->names.vdev : f->names.vif,
                    f->front ? f->names.vif : f->names.vdev);
    }
    if (f->front != NULL && (f->front->lower != f->back->index || f->front->master != 0 ||
                             f->back->master != 0 || (f->front->flags & IFF_UP))) {
        return fail(err, EBUSY, "%s and %s are in use: choose another vifnum=.", f->front->name,
                    f->back->name);
    }
    if (f->bridge != NULL && !link_is(f->bridge, "bridge")) {
        return fail(err, EEXIST, "%s is no bridge: name another one with bridge=.",
                    f->bridge->name);
    }
    return 0;
}

int facts_check_stop(const struct facts *f, bool force, struct error *err)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct link *link = &f->all[i];

        if (facts_stands_on(f, link, f->front->index)) {
            return fail(err, EBUSY,
                        "%s stands on %s and would be deleted with it: delete it first.",
                        link->name, f->front->name);
        }
        if (!force && link->master == f->bridge->index && link != f->wire && link != f->back) {
            return fail(err, EBUSY,
                        "%s is still on %s and would lose the network: take it away first, or say "
                        "force=yes.",
                        link->name, f->bridge->name);
        }
    }
    return 0;
}
