/*
 * Probes. Contract: probe.h. Packets: probe_packet.c.
 */
#include "network/probe.h"

#include "network/probe_packet.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BASELINE_MS 1200 /* for what answers before the plan */
#define PACKET_MS   200  /* for one packet */

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void add_target(struct probe *p, const struct address *a, bool ping)
{
    for (size_t i = 0; i < p->count; i++) {
        if (memcmp(&p->target[i].address, a, sizeof(*a)) == 0) {
            return;
        }
    }
    if (p->count < PROBE_TARGETS) {
        p->target[p->count++] = (struct probe_target){*a, ping};
    }
}

struct neighbours {
    struct probe *probe;
    int link;
};

static int take_neighbour(const struct nlmsghdr *answer, void *arg)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)answer;
    struct neighbours *n = arg;
    struct nlattr *attr[NDA_MAX + 1];
    struct address a = {0};
    struct ndmsg fixed;

    if (nlmsg_parse(header, sizeof(fixed), attr, NDA_MAX, NULL) < 0) {
        return -EPROTO;
    }
    memcpy(&fixed, nlmsg_data(header), sizeof(fixed));
    if (fixed.ndm_ifindex == n->link && attr[NDA_DST] != NULL && nla_len(attr[NDA_DST]) <= 16 &&
        (fixed.ndm_state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)) &&
        n->probe->count < PROBE_TARGETS / 2) {
        a.family = fixed.ndm_family;
        a.prefix = address_bits(&a);
        memcpy(a.byte, nla_data(attr[NDA_DST]), (size_t)nla_len(attr[NDA_DST]));
        add_target(n->probe, &a, false);
    }
    return 0;
}

static int add_neighbours(struct netlink *nl, struct probe *p, int link, struct error *err)
{
    struct neighbours n = {p, link};
    struct ndmsg fixed = {.ndm_family = AF_UNSPEC};

    return netlink_query(nl, netlink_message(RTM_GETNEIGH, NLM_F_DUMP, &fixed, sizeof(fixed)),
                         take_neighbour, &n, err, "The kernel does not list its neighbours");
}

/* An address of the link to ask from: one of whom's network, else any of its family. */
static void pick_source(struct netlink *nl, const struct link *link, const struct address *whom,
                        struct address *from)
{
    struct link_address *list = NULL;
    size_t count = 0;

    memset(from, 0, sizeof(*from));
    if (address_list(nl, link->index, whom->family, &list, &count, NULL) != 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (from->family == 0 || address_inside(whom, &list[i].local)) {
            *from = list[i].local;
        }
    }
    free(list);
}

static bool answers(struct netlink *nl, const struct probe *p, const struct probe_target *t)
{
    struct address from;
    struct link link;

    if (t->ping) {
        return packet_ping(&t->address, PACKET_MS * 2);
    }
    if (link_find(nl, p->name, &link, NULL) != 0 || !(link.flags & IFF_UP)) {
        return false;
    }
    pick_source(nl, &link, &t->address, &from);
    return packet_ask(&link, &from, &t->address, PACKET_MS);
}

/* Ask all until all have answered or the time is over. Returns a bit for each that did. */
static unsigned ask_all(struct netlink *nl, const struct probe *p, int wait_ms)
{
    unsigned all = (1u << p->count) - 1, got = 0;
    long end = now_ms() + wait_ms;

    while (got != all) {
        for (size_t i = 0; i < p->count; i++) {
            if (!(got & 1u << i) && answers(nl, p, &p->target[i])) {
                got |= 1u << i;
            }
        }
        if (got == all || now_ms() >= end) {
            break;
        }
        usleep(20000);
    }
    return got;
}

int probe_prepare(struct netlink *nl, struct probe *p, const struct link *link,
                  const struct records *all, const char *extra, struct error *err)
{
    struct address a;
    unsigned got;
    size_t kept = 0;
    int rc = 0;

    memset(p->target, 0, sizeof(p->target));
    p->count = 0;
    if (extra != NULL && (!address_parse(extra, &a) || a.prefix != address_bits(&a))) {
        return fail(err, EINVAL, "probe=%s: an address to ping is wanted.", extra);
    }
    if (extra != NULL) {
        add_target(p, &a, true);
    }
    for (size_t i = 0; i < all->count; i++) {
        if (net_record_gateway(&all->list[i], &a) && net_record_on(&all->list[i], link->index)) {
            add_target(p, &a, false);
        }
    }
    if (p->count == 0) {
        rc = add_neighbours(nl, p, link->index, err);
    }
    if (rc != 0 || p->count == 0) {
        return rc;
    }
    got = ask_all(nl, p, BASELINE_MS);
    if (extra != NULL && !(got & 1)) {
        return fail(err, EHOSTUNREACH, "%s does not answer a ping now: name an address that does.",
                    extra);
    }
    for (size_t i = 0; i < p->count; i++) {
        if (got & 1u << i) {
            p->target[kept++] = p->target[i];
        }
    }
    p->count = kept;
    return 0;
}

static bool wire_is_alive(struct netlink *nl, const struct probe *p)
{
    struct link wire;

    return link_get(nl, p->wire, &wire, NULL) == 0 && (wire.flags & IFF_LOWER_UP);
}

int probe_run(struct netlink *nl, const struct probe *p, int carrier_ms, int answer_ms,
              struct error *err)
{
    long end = now_ms() + carrier_ms;
    char text[ADDRESS_TEXT];
    unsigned got;

    while (p->alive && !wire_is_alive(nl, p) && now_ms() < end) {
        usleep(20000);
    }
    got = p->alive && !wire_is_alive(nl, p) ? 0 : ask_all(nl, p, answer_ms);
    if (p->alive && !wire_is_alive(nl, p)) {
        return fail(err, ENETDOWN, "The wire of %s is dead: its link did not come up again.",
                    p->name);
    }
    for (size_t i = 0; i < p->count; i++) {
        if (!(got & 1u << i)) {
            return fail(err, EHOSTUNREACH, "%s answered before and does not answer any more.",
                        address_format(&p->target[i].address, text));
        }
    }
    return 0;
}

char *probe_describe(const struct probe *p)
{
    char *line = NULL;

    if (p->count == 0 && p->name[0] == '\0') {
        return xstrdup("every step must have worked, as there is no gateway to ask");
    }
    if (p->count == 0) {
        return p->alive
                   ? xprintf("the link of %s must be alive", p->name)
                   : xprintf("%s has no link and nothing answers: nothing can be asked", p->name);
    }
    for (size_t i = 0; i < p->count; i++) {
        char text[ADDRESS_TEXT];
        char *longer = xprintf("%s%s%s", line ? line : "", line ? ", " : "",
                               address_format(&p->target[i].address, text));

        free(line);
        line = longer;
    }
    {
        char *whole = xprintf("%s must answer on %s", line, p->name);

        free(line);
        return whole;
    }
}

struct value *probe_write(const struct probe *p)
{
    struct value *v = value_dict(), *targets = value_list();

    dict_set(v, "name", value_string(p->name));
    dict_set(v, "wire", value_int(p->wire));
    dict_set(v, "alive", value_bool(p->alive));
    for (size_t i = 0; i < p->count; i++) {
        char text[ADDRESS_TEXT];

        list_add(targets, value_take(xprintf("%s %s", p->target[i].ping ? "ping" : "neighbour",
                                             address_format(&p->target[i].address, text))));
    }
    dict_set(v, "targets", targets);
    return v;
}
