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

/* The same address on the same link, whatever else is said of it (label, flags). */
static bool same_address(const struct record *a, const struct record *b)
{
    struct address x, y;

    record_address(a, &x);
    record_address(b, &y);
    return a->type == RTM_NEWADDR && b->type == RTM_NEWADDR && address_equal(&x, &y) &&
           memcmp(a->body, b->body, 2) == 0 && /* family, prefix */
           memcmp(a->body + offsetof(struct ifaddrmsg, ifa_index),
                  b->body + offsetof(struct ifaddrmsg, ifa_index), sizeof(uint32_t)) == 0;
}

static const struct record *find_address(const struct records *rs, const struct record *r)
{
    for (size_t i = 0; i < rs->count; i++) {
        if (same_address(&rs->list[i], r)) {
            return &rs->list[i];
        }
    }
    return NULL;
}

static bool is_tentative(struct netlink *nl, const struct record *r)
{
    struct link_address *list = NULL;
    struct address a;
    size_t count = 0;
    bool tentative = false;
    uint32_t index;

    memcpy(&index, r->body + offsetof(struct ifaddrmsg, ifa_index), sizeof(index));
    record_address(r, &a);
    if (record_family(r) != AF_INET6 ||
        address_list(nl, (int)index, AF_INET6, &list, &count, NULL) != 0) {
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

/*
 * The kernel gives a second IPv4 address another label when its link is renamed, and begins
 * duplicate address detection on IPv6 addresses that it makes: such are made anew.
 */
static int have_address(struct netlink *nl, const struct records *now, const struct record *r,
                        uint32_t age, struct error *err)
{
    const struct record *there = find_address(now, r);
    int rc;

    if (there != NULL && record_equal(there, r) && !is_tentative(nl, r)) {
        return 0;
    }
    if (there != NULL) {
        rc = record_remove(nl, there, err);
        if (rc != 0 && rc != -EADDRNOTAVAIL) {
            return rc;
        }
    }
    rc = record_put(nl, r, age, err);
    return rc == -EEXIST ? 0 : rc;
}

/* One pass over what is not there; *left counts what still fails, with the last reason in err. */
static int put_missing(struct netlink *nl, const struct records *want, uint32_t age, size_t *left,
                       struct error *err)
{
    auto_records now = {NULL, 0};
    int rc = records_take(nl, &now, err), failed = 0;

    *left = 0;
    for (size_t i = 0; rc == 0 && i < want->count; i++) {
        const struct record *r = &want->list[i];
        int r_rc = 0;

        if (r->type == RTM_NEWADDR) {
            r_rc = have_address(nl, &now, r, age, err);
        } else if (!records_have(&now, r)) {
            r_rc = record_put(nl, r, age, err);
            r_rc = r_rc == -EEXIST ? 0 : r_rc;
        }
        if (r_rc != 0) {
            failed = r_rc;
            ++*left;
        }
    }
    return rc ? rc : failed;
}

/*
 * A route may need another one, or the address that it starts from: passes go on as long as each
 * gets further.
 */
static int have_records(struct netlink *nl, const struct records *want, uint32_t age,
                        struct error *err)
{
    size_t left = want->count + 1, before;
    int rc;

    do {
        before = left;
        rc = put_missing(nl, want, age, &left, err);
    } while (rc != 0 && left != 0 && left < before);
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
        const struct record *there = find_address(&now, &other.list[i]);

        if (there != NULL && find_address(&want, &other.list[i]) == NULL) {
            rc = record_remove(nl, there, err);
            rc = rc == -EADDRNOTAVAIL ? 0 : rc;
        }
    }
    return rc ? rc : have_records(nl, &want, age, err);
}
