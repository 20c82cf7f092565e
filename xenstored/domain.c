/*
 * Domains: making them known, introducing their rings, noticing their end. Read domain.h first.
 */
#include "xenstored/domain.h"
#include "xenstored/connection.h"
#include "xenstored/nodeops.h"
#include "xenstored/permission.h"
#include "xenstored/persist.h"
#include "xenstored/platform.h"
#include "xenstored/quota.h"
#include "xenstored/rate.h"
#include "xenstored/transport.h"
#include "xenstored/tree.h"
#include "xenstored/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <xen/xen.h>

#define REPORT_EVERY_MS 10000

/* What this server can do with a ring, beyond the original protocol (<xen/io/xs_wire.h>). */
#define FEATURE_WATCH_DEPTH 4u
#define SERVER_FEATURES \
    (XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR | FEATURE_WATCH_DEPTH)

struct list domains = {&domains, &domains};
uint32_t domain_privileged;
bool domain_keep_orphans;

static struct domain *by_number[DOMID_FIRST_RESERVED];

bool domid_unprivileged(uint32_t domid)
{
    return domid != 0 && domid != domain_privileged;
}

struct domain *domain_find(uint32_t domid)
{
    return domid < DOMID_FIRST_RESERVED ? by_number[domid] : NULL;
}

struct domain *domain_find_introduced(uint32_t domid)
{
    struct domain *d = domain_find(domid);

    return d && d->introduced ? d : NULL;
}

struct domain *domain_get(uint32_t domid)
{
    struct domain *d = domain_find(domid);

    if (d || domid >= DOMID_FIRST_RESERVED) {
        return d;
    }
    d = xcalloc(1, sizeof(*d));
    d->domid = domid;
    /* Younger than every node there is, so that no older permission is taken for this domain's. */
    d->generation = ++tree_generation;
    snprintf(d->home, sizeof(d->home), "/local/domain/%u", domid);
    list_append(&domains, &d->link);
    by_number[domid] = d;
    persist_domain(d);
    return d;
}

struct domain *domain_find_existing(uint32_t domid)
{
    struct domain *d = domain_find(domid);
    struct domain_state state;

    if (d || platform->domain_state(domid, &state) < 0) {
        return d;
    }
    return domain_get(domid);
}

bool domain_existed_at(uint32_t domid, uint64_t generation)
{
    struct domain *d = domain_find(domid);

    return d && d->generation <= generation;
}

static void report_memory(struct domain *d, int64_t bytes)
{
    uint64_t now = now_ms();
    bool hard = quota.memory_hard && bytes >= quota.memory_hard;
    bool soft = quota.memory_soft && bytes >= quota.memory_soft;

    if (hard && !d->hard_reported) {
        log_msg(LOG_ERR, "Domain %u exceeds its hard memory quota, it is not served", d->domid);
        d->hard_reported = true;
        d->last_report_ms = now;
        return;
    }
    if (now - d->last_report_ms < REPORT_EVERY_MS || (soft == d->soft_reported && hard)) {
        return;
    }
    if (soft != d->soft_reported) {
        log_msg(LOG_WARNING, "Domain %u is %s its soft memory quota", d->domid,
                soft ? "above" : "below");
        d->soft_reported = soft;
        d->last_report_ms = now;
    }
    if (!hard && d->hard_reported) {
        log_msg(LOG_INFO, "Domain %u is below its hard memory quota again", d->domid);
        d->hard_reported = false;
        d->last_report_ms = now;
    }
}

bool domain_charge(uint32_t domid, int64_t delta, bool check)
{
    struct domain *d = domain_find(domid);
    int64_t bytes;

    if (!d) {
        return true;
    }
    bytes = d->memory + delta;
    if (domid_unprivileged(domid) && !(d->conn && d->conn->ignored)) {
        if (bytes >= quota.memory_soft || d->soft_reported || d->hard_reported) {
            report_memory(d, bytes);
        }
        if (check && quota.memory_hard && bytes >= quota.memory_hard) {
            return false;
        }
    }
    d->memory = bytes;
    return true;
}

bool domain_is_throttled(struct domain *d)
{
    int wait;

    if (!domid_unprivileged(d->domid)) {
        return false;
    }
    return d->outstanding >= quota.outstanding ||
           (quota.memory_hard && d->memory >= quota.memory_hard) ||
           (d->credit < 0 && !rate_may_run(d, now_ms(), &wait));
}

static int open_ring(struct domain *d, uint32_t remote_port, uint32_t adopt_port)
{
    int rc, port = (int)adopt_port;
    struct xenstore_domain_interface *page = platform->map(d->domid, &rc);

    if (!page) {
        return rc;
    }
    if (port == 0) {
        port = platform->bind(d->domid, remote_port);
        if (port < 0) {
            platform->unmap(d->domid, page);
            return port;
        }
    }
    d->page = page;
    d->port = (uint32_t)port;
    page->server_features = SERVER_FEATURES;
    return 0;
}

static void rebind(struct domain *d, uint32_t remote_port)
{
    int port;

    if (d->port) {
        platform->unbind(d->port);
    }
    port = platform->bind(d->domid, remote_port);
    d->port = port < 0 ? 0 : (uint32_t)port;
}

int domain_introduce(uint32_t domid, uint32_t remote_port, uint32_t adopt_port, bool fire)
{
    struct domain *d = domain_get(domid);
    bool known = d && d->introduced;
    int rc;

    if (!d) {
        return -EINVAL;
    }
    if (known) {
        rebind(d, remote_port);
    } else {
        rc = open_ring(d, remote_port, adopt_port);
        if (rc < 0) {
            return rc;
        }
        d->shutdown = false;
        d->introduced = true;
        d->conn = conn_new(d, -1);
        rate_domain_added(d);
    }
    d->remote_port = remote_port;
    persist_domain(d);
    if (!known) {
        persist_ring_reset(d->conn);
    }
    ring_mark_ready(d->conn);
    if (fire && !known) {
        watch_fire_special("@introduceDomain");
    }
    return 0;
}

int domain_introduce_self(void)
{
    int port = platform->dom0_port();
    int rc;

    if (port <= 0) {
        return port < 0 ? port : -EINVAL;
    }
    rc = domain_introduce(0, (uint32_t)port, 0, false);
    if (rc == 0) {
        platform->notify(domain_find(0)->port);
    }
    return rc;
}

int domain_resume(struct domain *d, bool port_bound)
{
    uint32_t port = port_bound ? d->port : 0;

    d->port = 0;
    return open_ring(d, d->remote_port, port);
}

void domain_forget(struct domain *d)
{
    if (d->conn) {
        conn_destroy(d->conn);
    }
    by_number[d->domid] = NULL;
    list_remove(&d->link);
    free(d);
}

void domain_release(struct domain *d)
{
    bool introduced = d->introduced;

    if (d->conn) {
        conn_destroy(d->conn);
        d->conn = NULL;
    }
    d->introduced = false;
    nodeops_forget_owner(d);
    perm_special_forget(d->domid);
    if (d->port) {
        platform->unbind(d->port);
    }
    if (d->page) {
        platform->unmap(d->domid, d->page);
    }
    if (introduced) {
        rate_domain_removed(d);
    }
    for (struct list *pos = connections.next; pos != &connections; pos = pos->next) {
        struct conn *c = container_of(pos, struct conn, link);

        if (c->target == (int)d->domid) {
            c->target = -1;
            persist_domain(c->domain);
        }
    }
    persist_domain_gone(d->domid);
    domain_forget(d);
    if (introduced) {
        watch_fire_special("@releaseDomain");
    }
}

void domain_check_all(void)
{
    struct list *pos, *tmp;
    bool announce = false;

    list_each_safe(pos, tmp, &domains)
    {
        struct domain *d = container_of(pos, struct domain, link);
        struct domain_state state = {0};
        bool exists = platform->domain_state(d->domid, &state) == 0;

        if (exists && d->introduced && state.stopped && !d->shutdown) {
            d->shutdown = true;
            persist_domain(d);
            announce = true;
        }
        if (!exists || (d->introduced && state.dying)) {
            announce = announce && !d->introduced; /* its release announces it */
            domain_release(d);
        }
    }
    if (announce) {
        watch_fire_special("@releaseDomain");
    }
}

void domains_clear(void)
{
    while (!list_empty(&domains)) {
        struct domain *d = list_first(&domains, struct domain, link);

        if (d->port) {
            platform->unbind(d->port);
        }
        if (d->page) {
            platform->unmap(d->domid, d->page);
        }
        if (d->introduced) {
            rate_domain_removed(d);
        }
        domain_forget(d);
    }
}
