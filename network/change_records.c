/*
 * Changes of addresses, neighbours and routes. Contract: change_internal.h.
 */
#include "network/change_internal.h"

#include "xend/lib/alloc.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PASSES 16

/* The same address on the same link, whatever else is said of it (label, flags). */
static bool same_address(const struct net_record *a, const struct net_record *b)
{
    struct address x, y;

    net_record_address(a, &x);
    net_record_address(b, &y);
    return a->type == RTM_NEWADDR && b->type == RTM_NEWADDR && address_equal(&x, &y) &&
           memcmp(a->body, b->body, 2) == 0 && /* family, prefix */
           memcmp(a->body + offsetof(struct ifaddrmsg, ifa_index),
                  b->body + offsetof(struct ifaddrmsg, ifa_index), sizeof(uint32_t)) == 0;
}

static const struct net_record *find_address(const struct records *rs, const struct net_record *r)
{
    for (size_t i = 0; i < rs->count; i++) {
        if (same_address(&rs->list[i], r)) {
            return &rs->list[i];
        }
    }
    return NULL;
}

static int link_of(const struct net_record *r)
{
    int32_t index;

    memcpy(&index, r->body + offsetof(struct ifaddrmsg, ifa_index), sizeof(index));
    return index;
}

static bool is_tentative(struct netlink *nl, const struct net_record *r)
{
    struct link_address *list = NULL;
    struct address a;
    size_t count = 0;
    bool tentative = false;

    net_record_address(r, &a);
    if (net_record_family(r) != AF_INET6 ||
        address_list(nl, link_of(r), AF_INET6, &list, &count, NULL) != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (memcmp(list[i].local.byte, a.byte, 16) == 0) {
            tentative = (list[i].flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0;
        }
    }
    free(list);
    return tentative;
}

/* The next IPv4 address of a link from *i on, if it is among `those` as well; NULL at the end. */
static const struct net_record *next_ipv4(const struct records *rs, size_t *i, int link,
                                          const struct records *those)
{
    while (*i < rs->count) {
        const struct net_record *r = &rs->list[(*i)++];

        if (r->type == RTM_NEWADDR && net_record_family(r) == AF_INET && link_of(r) == link &&
            find_address(those, r) != NULL) {
            return r;
        }
    }
    return NULL;
}

/* Are the wanted IPv4 addresses that the link has the first of the wanted, in the same order? */
static bool in_order(const struct records *now, const struct records *want, int link)
{
    size_t n = 0, w = 0;
    const struct net_record *is;

    while ((is = next_ipv4(now, &n, link, want)) != NULL) {
        const struct net_record *should = next_ipv4(want, &w, link, want);

        if (should == NULL || !net_record_equal(is, should)) {
            return false;
        }
    }
    return true;
}

/*
 * The order of IPv4 addresses says which one is spoken from, and renaming a link gives all but the
 * first another label. Addresses that are not as they were are taken away, and then added in order.
 */
static int clear_disorder(struct netlink *nl, const struct records *want, struct error *err)
{
    auto_records now = {NULL, 0};
    int rc = records_take(nl, &now, err);

    for (size_t i = now.count; rc == 0 && i-- > 0;) { /* secondary addresses go first */
        const struct net_record *r = &now.list[i];

        if (r->type == RTM_NEWADDR && net_record_family(r) == AF_INET &&
            find_address(want, r) != NULL && !in_order(&now, want, link_of(r))) {
            rc = net_record_remove(nl, r, err);
            rc = rc == -EADDRNOTAVAIL ? 0 : rc;
        }
    }
    return rc;
}

/*
 * The kernel begins duplicate address detection on IPv6 addresses that it makes: such are made
 * anew. *done: something was to do.
 */
static int have_address(struct netlink *nl, const struct records *now, const struct net_record *r,
                        uint32_t age, bool *done, struct error *err)
{
    const struct net_record *there = find_address(now, r);
    int rc;

    if (there != NULL && net_record_equal(there, r) && !is_tentative(nl, r)) {
        return 0;
    }
    *done = true;
    if (there != NULL) {
        rc = net_record_remove(nl, there, err);
        if (rc != 0 && rc != -EADDRNOTAVAIL) {
            return rc;
        }
    }
    rc = net_record_put(nl, r, age, err);
    return rc == -EEXIST ? 0 : rc;
}

static int have_other(struct netlink *nl, const struct records *now, const struct net_record *r,
                      uint32_t age, bool *done, struct error *err)
{
    int rc;

    if (records_have(now, r)) {
        return 0;
    }
    if (net_record_advertised(r)) {
        return net_record_put_meanwhile(nl, r, err);
    }
    rc = net_record_put(nl, r, age, err);
    *done = *done || rc == 0;
    return rc == -EEXIST ? 0 : rc;
}

/* One pass over the addresses, or over the rest. Returns the last error, *done: something was new.
 */
static int pass(struct netlink *nl, const struct records *want, bool addresses, uint32_t age,
                bool *done, struct error *err)
{
    auto_records now = {NULL, 0};
    int rc = records_take(nl, &now, err), last = 0;

    *done = false;
    for (size_t i = 0; rc == 0 && i < want->count; i++) {
        const struct net_record *r = &want->list[i];
        int one = 0;

        if ((r->type == RTM_NEWADDR) == addresses) {
            one = addresses ? have_address(nl, &now, r, age, done, err)
                            : have_other(nl, &now, r, age, done, err);
        }
        last = one ? one : last;
    }
    return rc ? rc : last;
}

/*
 * Making an address anew may take others and routes with it, and a route may need another one:
 * passes go on until one finds nothing to do, or no help against what is missing.
 */
static int have_records(struct netlink *nl, const struct records *want, uint32_t age,
                        struct error *err)
{
    int rc = clear_disorder(nl, want, err);

    for (int addresses = 1; rc == 0 && addresses >= 0; addresses--) {
        bool done = true;

        for (int i = 0; done && i < MAX_PASSES; i++) {
            rc = pass(nl, want, addresses, age, &done, err);
        }
    }
    return rc;
}

int change_do_records(struct netlink *nl, const char *text, uint32_t age, struct error *err)
{
    auto_records want = {NULL, 0};

    if (records_read(text, &want) != 0) {
        return fail(err, EINVAL, "The plan's addresses and routes can't be read.");
    }
    return have_records(nl, &want, age, err);
}

int change_do_addresses(struct netlink *nl, const char *text, const char *other_text, uint32_t age,
                        struct error *err)
{
    auto_records want = {NULL, 0};
    auto_records other = {NULL, 0};
    auto_records now = {NULL, 0};
    int rc;

    if (records_read(text, &want) != 0 || records_read(other_text ? other_text : "", &other) != 0) {
        return fail(err, EINVAL, "The plan's addresses can't be read.");
    }
    rc = records_take(nl, &now, err);
    /* The last first: secondary addresses go before the one that they depend on. */
    for (size_t i = other.count; rc == 0 && i-- > 0;) {
        const struct net_record *there = find_address(&now, &other.list[i]);

        if (there != NULL && find_address(&want, &other.list[i]) == NULL) {
            rc = net_record_remove(nl, there, err);
            rc = rc == -EADDRNOTAVAIL ? 0 : rc;
        }
    }
    return rc ? rc : have_records(nl, &want, age, err);
}
