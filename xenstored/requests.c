/*
 * The requests about watches and domains. Read wire.h first.
 */
#include "xenstored/domain.h"
#include "xenstored/permission.h"
#include "xenstored/persist.h"
#include "xenstored/platform.h"
#include "xenstored/quota.h"
#include "xenstored/transaction.h"
#include "xenstored/transport.h"
#include "xenstored/watch.h"
#include "xenstored/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <xen/xen.h>

/* --- watches --------------------------------------------------------------------------------- */

/* "path|token|" or "path|token|depth|". */
static int parse_watch(struct request *r, struct path *p, char **token, bool *relative,
                       uint32_t *depth)
{
    char *strings[3], *end;
    unsigned n = request_strings(r, strings, 3);

    if (n != 2 && n != 3) {
        return -EINVAL;
    }
    *depth = WATCH_ANY_DEPTH;
    if (n == 3) {
        unsigned long value = strtoul(strings[2], &end, 10);

        if (strings[2][0] < '0' || strings[2][0] > '9' || *end || value >= WATCH_ANY_DEPTH) {
            return -EINVAL;
        }
        *depth = (uint32_t)value;
    }
    *token = strings[1];
    *relative = strings[0][0] != '/' && strings[0][0] != '@';
    if (!request_path(r, strings[0], p)) {
        return -EINVAL;
    }
    if (p->s[0] == '@') {
        return p->len > XENSTORE_REL_PATH_MAX ? -EINVAL : 0;
    }
    return path_is_valid(p->s, p->len, (size_t)quota.path_max) ? 0 : -EINVAL;
}

int do_watch(struct request *r)
{
    struct conn *c = r->conn;
    const char *path;
    char *token;
    uint32_t depth;
    struct path p;
    bool relative;
    size_t len;
    int rc = parse_watch(r, &p, &token, &relative, &depth);

    if (rc < 0) {
        return rc;
    }
    if (watch_find(c, &p, token)) {
        return -EEXIST;
    }
    if (conn_unprivileged(c) && c->domain->watches > quota.watches) {
        return -E2BIG;
    }
    rc = watch_add(c, &p, token, relative, depth, false);
    if (rc < 0) {
        return rc;
    }
    request_ok(r, XS_WATCH);
    /* It fires once at once: whoever sets it needn't look first. */
    path = watch_event_path(watch_find(c, &p, token), &p, &len);
    conn_event(c, NULL, path, len, token);
    return 0;
}

int do_unwatch(struct request *r)
{
    char *strings[2];
    struct watch *w;
    struct path p;

    if (request_strings(r, strings, 2) != 2 || !request_path(r, strings[0], &p)) {
        return -EINVAL;
    }
    w = watch_find(r->conn, &p, strings[1]);
    if (!w) {
        return -ENOENT;
    }
    watch_delete(w);
    request_ok(r, XS_UNWATCH);
    return 0;
}

int do_reset_watches(struct request *r)
{
    watch_delete_all(r->conn);
    transaction_delete_all(r->conn);
    request_ok(r, XS_RESET_WATCHES);
    return 0;
}

/* --- domains --------------------------------------------------------------------------------- */

/* An introduced domain with its connection, or NULL and *error. */
static struct domain *connected(uint32_t domid, int *error)
{
    struct domain *d = domain_find_introduced(domid);

    if (!d) {
        *error = -ENOENT;
    } else if (!d->conn) {
        *error = -EINVAL;
        d = NULL;
    }
    return d;
}

static struct domain *named_domain(struct request *r, int *error)
{
    const char *text = request_string(r);
    int domid = text ? atoi(text) : 0;

    if (!domid) {
        *error = -EINVAL;
        return NULL;
    }
    return connected((uint32_t)domid, error);
}

/* "domid|gfn|port|": the frame is not needed, the page is a grant. */
int do_introduce(struct request *r)
{
    struct xenstore_domain_interface *page;
    struct domain *d;
    uint32_t domid, port;
    char *strings[3];
    int rc;

    if (request_strings(r, strings, 3) < 3) {
        return -EINVAL;
    }
    domid = (uint32_t)atoi(strings[0]);
    port = (uint32_t)atoi(strings[2]);
    if (port == 0) {
        return -EINVAL;
    }
    rc = domain_introduce(domid, port, 0, domid != 0);
    if (rc < 0) {
        return rc;
    }
    d = domain_find(domid);
    conn_reset(d->conn);
    page = d->page;
    page->req_cons = page->req_prod = 0;
    page->rsp_cons = page->rsp_prod = 0;
    if (page->connection == XENSTORE_RECONNECT) {
        page->connection = XENSTORE_CONNECTED;
        platform->notify(d->port);
    }
    request_ok(r, XS_INTRODUCE);
    return 0;
}

int do_release(struct request *r)
{
    int rc = 0;
    struct domain *d = named_domain(r, &rc);

    if (!d) {
        return rc;
    }
    if (d->conn == r->conn) {
        return -EINVAL; /* cannot saw off the branch that the answer has to take */
    }
    domain_release(d);
    request_ok(r, XS_RELEASE);
    return 0;
}

int do_resume(struct request *r)
{
    int rc = 0;
    struct domain *d = named_domain(r, &rc);

    if (!d) {
        return rc;
    }
    d->shutdown = false;
    persist_domain(d);
    request_ok(r, XS_RESUME);
    return 0;
}

int do_set_target(struct request *r)
{
    struct domain *d, *target;
    char *strings[2];
    int rc = 0;

    if (request_strings(r, strings, 2) < 2) {
        return -EINVAL;
    }
    d = connected((uint32_t)atoi(strings[0]), &rc);
    target = d ? connected((uint32_t)atoi(strings[1]), &rc) : NULL;
    if (!target) {
        return rc;
    }
    d->conn->target = (int)target->domid;
    persist_domain(d);
    request_ok(r, XS_SET_TARGET);
    return 0;
}

int do_is_introduced(struct request *r)
{
    const char *text = request_string(r);
    uint32_t domid;

    if (!text) {
        return -EINVAL;
    }
    domid = (uint32_t)atoi(text);
    conn_reply(r->conn, XS_IS_DOMAIN_INTRODUCED,
               domid == DOMID_SELF || domain_find_introduced(domid) ? "T" : "F", 2);
    return 0;
}

int do_get_domain_path(struct request *r)
{
    const char *text = request_string(r);
    char path[40];
    int len;

    if (!text) {
        return -EINVAL;
    }
    len = snprintf(path, sizeof(path), "/local/domain/%u", (unsigned)atoi(text));
    conn_reply(r->conn, XS_GET_DOMAIN_PATH, path, (size_t)len + 1);
    return 0;
}
