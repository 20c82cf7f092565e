/*
 * Domain 0 for xend's tests: bridges and loop devices that only remember that they were asked for.
 */
#include "network/host.h"
#include "network/bridge.h"
#include "network/filter.h"
#include "network/nat.h"
#include "network/route.h"
#include "xend/host.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int card_name(const struct net_card *card, char name[IFNAMSIZ], struct error *err)
{
    return name_card(card->vif->vifname, card->domain, card->domid, card->id, name, err);
}

int card_rename(const char *from, const char *to, struct error *err)
{
    return 0;
}

int bridge_configure(const char *name, const char *antispoof, struct error *err)
{
    return 0;
}

int bridge_check(const struct net_card *card, struct error *err)
{
    const char *name = card->vif->bridge;

    return name == NULL || strcmp(name, "xenbr0") == 0
               ? 0
               : fail(err, ENODEV, "There is no bridge %s.", name);
}

int bridge_online(struct net_card *card, struct error *err)
{
    return bridge_check(card, err);
}

void bridge_offline(const struct net_card *card)
{
}

int route_check(const struct net_card *card, struct error *err)
{
    return 0;
}

int route_online(struct net_card *card, struct error *err)
{
    return 0;
}

void route_offline(const struct net_card *card)
{
}

int nat_configure(const char *bridge, const char *network, const char *network6, struct error *err)
{
    return 0;
}

int nat_check(const struct net_card *card, struct error *err)
{
    return 0;
}

int nat_online(struct net_card *card, struct error *err)
{
    snprintf(card->address, sizeof(card->address), "192.168.122.7");
    return 0;
}

void nat_offline(const struct net_card *card)
{
}

void nat_adopt(const struct net_card *card)
{
}

void nat_ready(void)
{
}

void host_configure(const char *state_dir, const char *scripts)
{
}

void host_start(void)
{
}

int host_plan(const char *script, bool start, struct value **plan, struct error *err)
{
    *plan = value_dict();
    return 0;
}

int host_run(const char *script, const char *verb, char said[PROCESS_SAID], struct error *err)
{
    snprintf(said, PROCESS_SAID, "%s", verb);
    return 0;
}

void filter_sweep(void)
{
}

int host_disk_open(const struct disk_spec *disk, uint32_t *major, uint32_t *minor, int *fd,
                   struct error *err)
{
    struct disk_identity id;
    int rc = host_disk_identify(disk, &id, err);

    *major = 7;
    *minor = 0;
    *fd = rc == 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    return rc;
}
