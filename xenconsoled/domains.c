/*
 * Domains and their consoles in the store. Read domains.h first.
 *
 * The store has /local/domain/N/console/{ring-ref,port}; "type", if it is there and is not
 * "xenconsoled", says that someone else (a device model) serves this console.
 */
#include "xenconsoled/domains.h"
#include "xenconsoled/console.h"
#include "xenstored/client/xsclient.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#define MAX_DOMID 0x7ff0u

/* Domains whose console node is watched. */
static bool watched[MAX_DOMID];

int domains_watch(struct xsc *xs)
{
    int rc = xsc_watch(xs, "@introduceDomain", "new");

    return rc < 0 ? rc : xsc_watch(xs, "@releaseDomain", "scan");
}

static bool is_ours(struct xsc *xs, unsigned domid)
{
    char *type;
    bool ours;

    if (xsc_readf(xs, XSC_NO_TX, &type, "/local/domain/%u/console/type", domid) < 0) {
        return true;
    }
    ours = strcmp(type, "xenconsoled") == 0;
    free(type);
    return ours;
}

/* Starts a domain's console, if the store has all that is needed. */
static void look_at(struct xsc *xs, unsigned domid)
{
    char tty[64], path[64], *name = NULL;
    uint64_t gfn, port;
    bool new_tty;
    int rc;

    if (xsc_read_u64(xs, XSC_NO_TX, &gfn, "/local/domain/%u/console/ring-ref", domid) < 0 ||
        xsc_read_u64(xs, XSC_NO_TX, &port, "/local/domain/%u/console/port", domid) < 0 ||
        port == 0 || port > UINT32_MAX || !is_ours(xs, domid)) {
        return;
    }
    xsc_readf(xs, XSC_NO_TX, &name, "/local/domain/%u/name", domid);
    rc = console_start(domid, name && *name ? name : NULL, gfn, (uint32_t)port, tty, sizeof(tty),
                       &new_tty);
    free(name);
    if (rc < 0 || !new_tty) {
        return;
    }
    snprintf(path, sizeof(path), "/local/domain/%u/console/tty", domid);
    rc = xsc_write_str(xs, XSC_NO_TX, path, tty);
    if (rc < 0) {
        log_msg(LOG_ERR, "cannot publish the pty of domain %u: %s", domid, strerror(-rc));
    }
}

static void watch_node(struct xsc *xs, unsigned domid, bool on)
{
    char path[64], token[24];

    if (watched[domid] == on) {
        return;
    }
    watched[domid] = on;
    snprintf(path, sizeof(path), "/local/domain/%u/console", domid);
    snprintf(token, sizeof(token), "dom%u", domid);
    if (on) {
        xsc_watch(xs, path, token);
    } else {
        xsc_unwatch(xs, path, token);
    }
}

/*
 * Goes through the domains there are. new_only: those whose console is served already are what they
 * were (a change of their nodes has an event of its own), so a new domain costs the same whether
 * there are two or two hundred.
 */
static void scan(struct xsc *xs, bool new_only)
{
    static bool seen[MAX_DOMID];
    char **names, *end;
    size_t count;

    if (xsc_directory(xs, XSC_NO_TX, "/local/domain", &names, &count) < 0) {
        names = NULL;
        count = 0;
    }
    memset(seen, 0, sizeof(seen));
    for (size_t i = 0; i < count; i++) {
        unsigned long domid = strtoul(names[i], &end, 10);

        if (*end || domid == 0 || domid >= MAX_DOMID) {
            continue;
        }
        if (new_only && watched[domid] && console_find((unsigned)domid)) {
            seen[domid] = true;
            continue;
        }
        if (xsc_is_introduced(xs, (unsigned)domid) != 1) {
            continue;
        }
        seen[domid] = true;
        watch_node(xs, (unsigned)domid, true);
        look_at(xs, (unsigned)domid);
    }
    free(names);
    for (unsigned domid = 1; domid < MAX_DOMID; domid++) {
        if (watched[domid] && !seen[domid]) {
            struct console *con = console_find(domid);

            watch_node(xs, domid, false);
            if (con) {
                console_stop(con);
            }
        }
    }
}

int domains_take_events(struct xsc *xs)
{
    struct xsc_event *event;
    bool rescan = false, look_for_new = false;
    int rc;

    while ((rc = xsc_next_event(xs, &event)) == 0) {
        if (strcmp(event->token, "scan") == 0) {
            rescan = true;
        } else if (strcmp(event->token, "new") == 0) {
            look_for_new = true;
        } else if (strncmp(event->token, "dom", 3) == 0) {
            unsigned long domid = strtoul(event->token + 3, NULL, 10);

            if (domid < MAX_DOMID && watched[domid]) {
                look_at(xs, (unsigned)domid);
            }
        }
        free(event);
        /* Many events can mean one scan: look only when there are no more. */
    }
    if (rescan || look_for_new) {
        scan(xs, !rescan);
    }
    return rc == -EAGAIN ? 0 : rc;
}
