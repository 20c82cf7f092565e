/*
 * Network modes. Contract: mode.h.
 */
#include "network/mode.h"

#include "network/bridge.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char *chosen_bridge;

void net_set_bridge(const char *name)
{
    str_set(&chosen_bridge, name);
}

/* The bridge that a card shall be on; the caller frees it. */
static int bridge_of(const struct vif_spec *vif, char **name, struct error *err)
{
    const char *named = vif->bridge ? vif->bridge : chosen_bridge;

    if (named == NULL) {
        return net_default_bridge(name, err);
    }
    *name = xstrdup(named);
    return net_check_bridge(named, err);
}

static int bridge_check(const struct vif_spec *vif, struct error *err)
{
    auto_str bridge = NULL;

    return bridge_of(vif, &bridge, err);
}

static int bridge_online(const struct vif_spec *vif, const char *ifname, struct error *err)
{
    auto_str bridge = NULL;
    struct net_attach attach = {.ifname = ifname, .rename = vif->vifname};
    int rc = bridge_of(vif, &bridge, err);

    attach.bridge = bridge;
    return rc ? rc : net_attach(&attach, err);
}

static const struct {
    const char *script;
    int (*check)(const struct vif_spec *vif, struct error *err);
    int (*online)(const struct vif_spec *vif, const char *ifname, struct error *err);
} modes[] = {
    {NET_DEFAULT_SCRIPT, bridge_check, bridge_online},
};

#define NR_MODES (sizeof(modes) / sizeof(modes[0]))

static size_t find_mode(const struct vif_spec *vif)
{
    const char *script = vif->script ? vif->script : NET_DEFAULT_SCRIPT;
    const char *name = strrchr(script, '/');
    size_t i = 0;

    name = name ? name + 1 : script;
    while (i < NR_MODES && strcmp(modes[i].script, name) != 0) {
        i++;
    }
    return i;
}

int net_check(const struct vif_spec *vif, struct error *err)
{
    size_t i = find_mode(vif);

    if (i == NR_MODES) {
        return fail(err, EOPNOTSUPP,
                    "There is no network mode %s: remove script= from vif, the card is then put on "
                    "a bridge.",
                    vif->script);
    }
    return modes[i].check(vif, err);
}

int net_online(const struct vif_spec *vif, const char *ifname, struct error *err)
{
    size_t i = find_mode(vif);

    return i == NR_MODES ? net_check(vif, err) : modes[i].online(vif, ifname, err);
}
