/*
 * Network modes. Contract: mode.h.
 */
#include "network/mode.h"

#include "network/bridge.h"
#include "network/filter.h"
#include "network/nat.h"
#include "network/route.h"
#include "network/script.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DOMID 32751 /* DOMID_FIRST_RESERVED - 1 */

static char *default_script;

void net_set_script(const char *script)
{
    str_set(&default_script, script);
}

const char *net_default_script(void)
{
    return default_script ? default_script : "vif-bridge";
}

struct mode {
    const char *script;
    int (*check)(const struct net_card *card, struct error *err);
    int (*online)(struct net_card *card, struct error *err);
    void (*offline)(const struct net_card *card);
    void (*adopt)(const struct net_card *card);
};

static void adopt_nothing(const struct net_card *card)
{
    /* the kernel has it all */
}

static const struct mode modes[] = {
    {"vif-bridge", bridge_check, bridge_online, bridge_offline, adopt_nothing},
    {"vif-route", route_check, route_online, route_offline, adopt_nothing},
    {"vif-nat", nat_check, nat_online, nat_offline, nat_adopt},
};

static const struct mode script_mode = {NULL, script_check, script_online, script_offline,
                                        adopt_nothing};

#define NR_MODES (sizeof(modes) / sizeof(modes[0]))

static const struct mode *mode_of(const struct net_card *card)
{
    const char *script = card->vif->script ? card->vif->script : net_default_script();

    if (str_starts(script, SCRIPT_FOLDER "/")) {
        script += strlen(SCRIPT_FOLDER "/");
    }
    for (size_t i = 0; i < NR_MODES; i++) {
        if (strcmp(modes[i].script, script) == 0) {
            return &modes[i];
        }
    }
    return &script_mode;
}

/* The interface's name, with the longest number where the domain has none yet. */
static int check_name(const struct net_card *card, struct error *err)
{
    struct net_card longest = *card;
    char name[IFNAMSIZ];

    if (longest.domid < 0) {
        longest.domid = MAX_DOMID;
    }
    return card_name(&longest, name, err);
}

/* Options that only one mode has would be ignored silently in another. */
static int check_options(const struct net_card *card, const struct mode *mode, struct error *err)
{
    if (card->vif->forward != NULL && mode->check != nat_check) {
        return fail(err, EINVAL,
                    "Only a network card in NAT mode forwards ports: add script=vif-nat to vif, or "
                    "remove forward=.");
    }
    if (card->vif->antispoof != NULL && mode == &script_mode) {
        return fail(err, EINVAL,
                    "antispoof= is for the built-in modes: the script %s would have to do it.",
                    card->vif->script);
    }
    return 0;
}

int net_check(const struct net_card *card, struct error *err)
{
    const struct mode *mode = mode_of(card);
    int rc = check_name(card, err);

    rc = rc ? rc : check_options(card, mode, err);
    return rc ? rc : mode->check(card, err);
}

int net_online(struct net_card *card, struct error *err)
{
    return mode_of(card)->online(card, err);
}

void net_offline(const struct net_card *card)
{
    mode_of(card)->offline(card);
}

int net_rename(struct net_card *card, const char *domain, struct error *err)
{
    const struct mode *mode = mode_of(card);
    struct net_card renamed = *card;
    char from[IFNAMSIZ], to[IFNAMSIZ];
    int rc = card_name(card, from, err);

    renamed.domain = domain;
    rc = rc ? rc : card_name(&renamed, to, err);
    if (rc != 0) {
        return rc;
    }
    if (strcmp(from, to) == 0 || mode == &script_mode) {
        mode->adopt(&renamed);
        net_ready();
        return 0;
    }
    mode->offline(card);
    rc = card_rename(from, to, err);
    if (rc != 0) {
        struct error ignored;

        mode->online(card, &ignored);
        return rc;
    }
    return mode->online(&renamed, err);
}

void net_adopt(const struct net_card *card)
{
    mode_of(card)->adopt(card);
}

void net_ready(void)
{
    nat_ready();
    filter_sweep();
}
