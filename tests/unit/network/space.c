/*
 * Contract: space.h.
 */
#include "tests/unit/network/space.h"

#include "network/link.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void skip(const char *why)
{
    printf("1..0 # SKIP %s\n", why);
    exit(0);
}

void space_enter(void)
{
    auto_netlink nl = {0};
    struct error err = {0};
    struct link lo;
    char why[128];

    if (unshare(CLONE_NEWNET) != 0) {
        snprintf(why, sizeof(why), "no network namespace: %s", strerror(errno));
        skip(why);
    }
    if (netlink_open(&nl, &err) != 0 || link_find(&nl, "lo", &lo, &err) != 0 ||
        link_set_up(&nl, lo.index, true, &err) != 0) {
        skip(err.msg);
    }
}
