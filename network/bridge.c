/*
 * Bridge mode, the guest's side. Contract: bridge.h.
 */
#include "network/bridge.h"

#include "network/nat.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char *chosen;
static unsigned standard_guards;

int bridge_configure(const char *name, const char *antispoof, struct error *err)
{
    str_set(&chosen, name);
    return antispoof ? vif_guards(antispoof, &standard_guards, err) : 0;
}

static int check_bridge(struct netlink *nl, const char *name, struct error *err)
{
    struct link link;

    if (link_find(nl, name, &link, NULL) != 0) {
        return fail(err, ENODEV,
                    "There is no bridge %s in Domain 0: make it (ip link add %s type bridge; ip "
                    "link set %s up) or name another with bridge=.",
                    name, name, name);
    }
    if (!link_is(&link, "bridge")) {
        return fail(err, EINVAL, "%s in Domain 0 is no bridge: name one with bridge=.", name);
    }
    return 0;
}

int bridge_default(char **name, struct error *err)
{
    auto_netlink nl = {0};
    struct link *links;
    size_t n, count = 0;
    int rc = netlink_open(&nl, err);

    *name = NULL;
    rc = rc ? rc : link_list(&nl, &links, &n, err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        if (!link_is(&links[i], "bridge") || strcmp(links[i].name, nat_bridge()) == 0) {
            continue;
        }
        count++;
        if (*name == NULL || strcmp(*name, "xenbr0") != 0) {
            str_set(name, links[i].name);
        }
    }
    free(links);
    if (count == 1 || (count > 1 && strcmp(*name, "xenbr0") == 0)) {
        return 0;
    }
    free(*name);
    *name = NULL;
    return fail(err, ENODEV,
                count == 0
                    ? "There is no bridge in Domain 0 for the network card: make one (ip link add "
                      "xenbr0 type bridge; ip link set xenbr0 up)."
                    : "There are several bridges in Domain 0: name one with bridge= in vif.");
}

/* The bridge that a card shall be on; the caller frees it. */
static int bridge_of(struct netlink *nl, const struct net_card *card, char **name,
                     struct error *err)
{
    const char *named = card->vif->bridge ? card->vif->bridge : chosen;

    if (named == NULL) {
        return bridge_default(name, err);
    }
    *name = xstrdup(named);
    return check_bridge(nl, named, err);
}

/* An explicit antispoof=ip without addresses would stop everything, or nothing. */
static int check_guards(const struct net_card *card, size_t nr_addrs, struct error *err)
{
    unsigned guards = 0;
    int rc = card->vif->antispoof ? vif_guards(card->vif->antispoof, &guards, err) : 0;

    if (rc == 0 && guards != VIF_GUARD_ALL && (guards & VIF_GUARD_IP) && nr_addrs == 0) {
        rc = fail(err, EINVAL,
                  "antispoof=%s needs the guest's addresses: add ip= with all of them to vif.",
                  card->vif->antispoof);
    }
    return rc;
}

int bridge_check(const struct net_card *card, struct error *err)
{
    auto_netlink nl = {0};
    auto_str bridge = NULL;
    struct vif_addr *addrs = NULL;
    size_t n;
    int rc = card_addrs(card, &addrs, &n, err);

    rc = rc ? rc : check_guards(card, n, err);
    rc = rc ? rc : netlink_open(&nl, err);
    rc = rc ? rc : bridge_of(&nl, card, &bridge, err);
    free(addrs);
    return rc;
}

int bridge_online(struct net_card *card, struct error *err)
{
    auto_netlink nl = {0};
    auto_str bridge = NULL;
    struct vif_addr *addrs = NULL;
    struct link link;
    size_t n;
    int rc = card_addrs(card, &addrs, &n, err);

    rc = rc ? rc : netlink_open(&nl, err);
    rc = rc ? rc : bridge_of(&nl, card, &bridge, err);
    rc = rc ? rc : card_appear(&nl, card, &link, err);
    rc = rc ? rc : card_guard(card, link.name, standard_guards, addrs, n, err);
    rc = rc ? rc : card_to_bridge(&nl, &link, bridge, err);
    free(addrs);
    return rc;
}

void bridge_offline(const struct net_card *card)
{
    unsigned guards = standard_guards;

    /* Nothing to ask the packet filter for where there never was a guard: most cards. */
    if (card->vif->antispoof != NULL && vif_guards(card->vif->antispoof, &guards, NULL) != 0) {
        guards = VIF_GUARD_ALL;
    }
    if (guards != 0) {
        card_unguard(card);
    }
}
