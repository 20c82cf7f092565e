/*
 * NAT mode, the guest's side. Contract: nat.h.
 */
#include "network/nat.h"

#include "network/dnsmasq.h"
#include "network/nft.h"
#include "xend/lib/alloc.h"
#include "xend/log.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A card that is online. Addresses are in host byte order. */
struct lease {
    int domid;
    unsigned id;
    uint32_t address;
    char *mac, *domain;
    struct vif_forward *forwards;
    size_t nr_forwards;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below, and of the host's side */
static struct lease *leases;
static size_t nr_leases;

static uint32_t own_address(void)
{
    uint32_t value;

    memcpy(&value, nat_network()->byte, 4);
    return ntohl(value);
}

static uint32_t host_mask(void)
{
    return (1u << (32 - nat_network()->prefix)) - 1;
}

static const char *text_of(uint32_t address, char text[INET_ADDRSTRLEN])
{
    uint32_t value = htonl(address);

    return inet_ntop(AF_INET, &value, text, INET_ADDRSTRLEN);
}

static struct lease *find(const struct net_card *card)
{
    for (size_t i = 0; i < nr_leases; i++) {
        if (leases[i].domid == card->domid && leases[i].id == card->id) {
            return &leases[i];
        }
    }
    return NULL;
}

/* Who has an address; a card that is found again does not stand in its own way. */
static const struct lease *holder(uint32_t address, const char *mac)
{
    for (size_t i = 0; i < nr_leases; i++) {
        if (leases[i].address == address && strcmp(leases[i].mac, mac) != 0) {
            return &leases[i];
        }
    }
    return NULL;
}

static bool is_host(uint32_t address)
{
    uint32_t own = own_address(), mask = host_mask();

    return (address & ~mask) == (own & ~mask) && address != own && (address & mask) != 0 &&
           (address & mask) != mask;
}

/* The one address that ip= names, or 0 if it names none. */
static int configured(const struct net_card *card, uint32_t *address, struct error *err)
{
    struct vif_addr *addrs;
    char network[ADDRESS_TEXT];
    const struct lease *other;
    size_t n;
    int rc = card_addrs(card, &addrs, &n, err);

    *address = 0;
    if (rc != 0 || n == 0) {
        free(addrs);
        return rc;
    }
    memcpy(address, addrs[0].bytes, 4);
    *address = ntohl(*address);
    if (n > 1 || addrs[0].family != AF_INET || addrs[0].prefix != 32 || !is_host(*address)) {
        rc = fail(err, EINVAL,
                  "In NAT mode ip= is one address of Domain 0's network %s and not Domain 0's own: "
                  "\"%s\" is not. Leave it out to have one chosen.",
                  address_format(nat_network(), network), card->vif->ip);
    }
    other = rc ? NULL : holder(*address, card->vif->mac);
    if (other != NULL) {
        rc = fail(err, EADDRINUSE, "The address %s is %s's.", card->vif->ip, other->domain);
    }
    free(addrs);
    return rc;
}

/* From the MAC, so that it is the same each time, and the next one that is free. */
static int choose(const struct net_card *card, uint32_t *address, struct error *err)
{
    uint32_t hash = 2166136261u, mask = host_mask(), base = own_address() & ~mask; /* FNV-1a */
    char text[INET_ADDRSTRLEN];

    for (const char *p = card->vif->mac; *p != '\0'; p++) {
        hash = (hash ^ (uint8_t)*p) * 16777619u;
    }
    for (uint32_t i = 0; i <= mask; i++) {
        *address = base | ((hash + i) & mask);
        if (is_host(*address) && holder(*address, card->vif->mac) == NULL &&
            !dnsmasq_leased(text_of(*address, text), card->vif->mac)) {
            return 0;
        }
    }
    return fail(err, EADDRNOTAVAIL,
                "NAT mode's network has no address left: give it a shorter prefix with nat_network "
                "in xend.conf.");
}

/* As /proc/net writes them: nobody outside can call these. */
static bool is_loopback(const char *address)
{
    return strcmp(address, "0100007F") == 0 ||
           strcmp(address, "00000000000000000000000001000000") == 0;
}

/* Does a program of Domain 0 itself listen there? Then the guest would take its callers away. */
static bool dom0_listens(const struct vif_forward *f)
{
    static const char *const files[] = {"/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp",
                                        "/proc/net/udp6"};
    unsigned first = f->protocol == IPPROTO_TCP ? 0 : 2, idle = first == 0 ? 0x0a : 0x07;
    bool found = false;

    for (unsigned i = first; i < first + 2; i++) {
        FILE *in = fopen(files[i], "re");
        char line[512], address[40];
        unsigned port, state;

        while (in != NULL && fgets(line, sizeof(line), in) != NULL) {
            if (sscanf(line, " %*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x", address, &port, &state) ==
                    3 &&
                port == f->from && state == idle && !is_loopback(address)) {
                found = true;
            }
        }
        if (in != NULL) {
            fclose(in);
        }
    }
    return found;
}

static int check_forward(const struct net_card *card, const struct vif_forward *f,
                         struct error *err)
{
    const char *protocol = f->protocol == IPPROTO_TCP ? "tcp" : "udp";

    for (size_t i = 0; i < nr_leases; i++) {
        for (size_t j = 0; j < leases[i].nr_forwards; j++) {
            const struct vif_forward *its = &leases[i].forwards[j];

            if (its->protocol == f->protocol && its->from == f->from &&
                strcmp(leases[i].mac, card->vif->mac) != 0) {
                return fail(err, EADDRINUSE, "Domain 0's %s port %u leads to %s already.", protocol,
                            f->from, leases[i].domain);
            }
        }
    }
    if (dom0_listens(f)) {
        return fail(err, EADDRINUSE,
                    "A program of Domain 0 listens on %s port %u itself, and would be cut off: "
                    "forward another port.",
                    protocol, f->from);
    }
    return 0;
}

static int check_forwards(const struct net_card *card, const struct vif_forward *forwards, size_t n,
                          struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = check_forward(card, &forwards[i], err);
    }
    return rc;
}

int nat_check(const struct net_card *card, struct error *err)
{
    struct vif_forward *forwards = NULL;
    uint32_t address;
    size_t n;
    int rc = 0;

    if (card->vif->bridge != NULL && strcmp(card->vif->bridge, nat_bridge()) != 0) {
        return fail(err, EINVAL,
                    "A network card in NAT mode is on %s: remove bridge=%s, or script= to have it "
                    "on that bridge.",
                    nat_bridge(), card->vif->bridge);
    }
    rc = nat_host_check(err);
    rc = rc ? rc : vif_forwards(card->vif->forward, &forwards, &n, err);
    pthread_mutex_lock(&lock);
    rc = rc ? rc : configured(card, &address, err);
    rc = rc ? rc : check_forwards(card, forwards, n, err);
    pthread_mutex_unlock(&lock);
    free(forwards);
    return rc;
}

static void drop(struct lease *lease)
{
    free(lease->mac);
    free(lease->domain);
    free(lease->forwards);
    *lease = leases[--nr_leases];
}

/* What a domain's name is in DNS; the second card of a domain has its number behind it. */
static char *host_name(const struct lease *lease)
{
    char *name = lease->id == 0 ? xprintf("%.60s", lease->domain)
                                : xprintf("%.50s-%u", lease->domain, lease->id);

    for (char *p = name; *p != '\0'; p++) {
        *p = isalnum((unsigned char)*p) ? (char)tolower((unsigned char)*p) : '-';
    }
    return name;
}

/* What a guest with this MAC makes of what is advertised. false: no IPv6 */
static bool address6(const char *mac, uint8_t bytes[16])
{
    if (nat_network6() == NULL || !address_interface_id(mac, bytes + 8)) {
        return false;
    }
    memcpy(bytes, nat_network6()->byte, 8);
    return true;
}

static int tell_server(struct error *err)
{
    struct dnsmasq_host *hosts = xalloc((nr_leases + 1) * sizeof(*hosts));
    char(*texts)[INET_ADDRSTRLEN] = xalloc((nr_leases + 1) * sizeof(*texts));
    char(*texts6)[INET6_ADDRSTRLEN] = xalloc((nr_leases + 1) * sizeof(*texts6));
    char **names = xalloc((nr_leases + 1) * sizeof(*names));
    uint8_t bytes[16];
    int rc;

    for (size_t i = 0; i < nr_leases; i++) {
        names[i] = host_name(&leases[i]);
        hosts[i] = (struct dnsmasq_host){leases[i].mac, text_of(leases[i].address, texts[i]),
                                         names[i], NULL};
        if (address6(leases[i].mac, bytes)) {
            hosts[i].address6 = inet_ntop(AF_INET6, bytes, texts6[i], sizeof(texts6[i]));
        }
    }
    rc = dnsmasq_hosts(hosts, nr_leases, err);
    for (size_t i = 0; i < nr_leases; i++) {
        free(names[i]);
    }
    free(names);
    free(texts6);
    free(texts);
    free(hosts);
    return rc;
}

/* "add" or "delete" what leads to a card. */
static int set_ports(const struct lease *lease, const char *verb, struct error *err)
{
    char address[INET_ADDRSTRLEN], *text = NULL;
    size_t size;
    FILE *out;
    int rc = 0;

    if (lease->nr_forwards == 0) {
        return 0;
    }
    text_of(lease->address, address);
    out = open_memstream(&text, &size);
    for (size_t i = 0; i < lease->nr_forwards; i++) {
        const struct vif_forward *f = &lease->forwards[i];

        /* Protocols by number: a small Domain 0 has no /etc/protocols. */
        fprintf(out, "%s element inet hospes ports { %u . %u : %s . %u }\n", verb, f->protocol,
                f->from, address, f->to);
    }
    fclose(out);
    rc = nft_run(text, "Forwarded ports", err);
    free(text);
    return rc;
}

/* Enter a card; an entry that it has already is replaced. */
static int enter(const struct net_card *card, uint32_t address, struct lease **lease,
                 struct error *err)
{
    struct lease *old = find(card), *fresh;
    struct vif_forward *forwards;
    size_t n;
    int rc = vif_forwards(card->vif->forward, &forwards, &n, err);

    if (rc != 0) {
        return rc;
    }
    if (old != NULL) {
        set_ports(old, "delete", NULL);
        drop(old);
    }
    leases = xrealloc(leases, (nr_leases + 1) * sizeof(*leases));
    fresh = &leases[nr_leases++];
    *fresh = (struct lease){card->domid,           card->id, address, xstrdup(card->vif->mac),
                            xstrdup(card->domain), forwards, n};
    *lease = fresh;
    return 0;
}

static int take_address(struct net_card *card, struct error *err)
{
    struct lease *lease;
    uint32_t address = 0;
    int rc = configured(card, &address, err);

    if (rc == 0 && address == 0 && inet_pton(AF_INET, card->address, &address) == 1) {
        address = ntohl(address);
        address = is_host(address) && holder(address, card->vif->mac) == NULL ? address : 0;
    }
    if (rc == 0 && address == 0) {
        rc = choose(card, &address, err);
    }
    rc = rc ? rc : enter(card, address, &lease, err);
    if (rc != 0) {
        return rc;
    }
    text_of(address, card->address);
    rc = check_forwards(card, lease->forwards, lease->nr_forwards, err);
    rc = rc ? rc : set_ports(lease, "add", err);
    rc = rc ? rc : tell_server(err);
    if (rc != 0) {
        drop(lease);
    }
    return rc;
}

/* What a guest may speak from: its lease and, if there is IPv6, what it makes of its MAC. */
static int its_addresses(const struct net_card *card, struct vif_addr addrs[2], size_t *n,
                         struct error *err)
{
    int rc = vif_addr_parse(card->address, &addrs[0], err);

    addrs[1] = (struct vif_addr){.family = AF_INET6, .prefix = 128};
    *n = rc == 0 && address6(card->vif->mac, addrs[1].bytes) ? 2 : 1;
    return rc;
}

int nat_online(struct net_card *card, struct error *err)
{
    auto_netlink nl = {0};
    struct vif_addr addrs[2];
    size_t n;
    struct link link;
    int rc;

    pthread_mutex_lock(&lock);
    rc = nat_host_check(err);
    rc = rc ? rc : nat_host_up(err);
    rc = rc ? rc : take_address(card, err);
    pthread_mutex_unlock(&lock);
    if (rc != 0) {
        return rc;
    }
    rc = netlink_open(&nl, err);
    rc = rc ? rc : card_appear(&nl, card, &link, err);
    rc = rc ? rc : its_addresses(card, addrs, &n, err);
    rc = rc ? rc : card_guard(card, link.name, VIF_GUARD_ALL, addrs, n, err);
    rc = rc ? rc : card_to_bridge(&nl, &link, nat_bridge(), err);
    if (rc != 0) {
        nat_offline(card);
    }
    return rc;
}

void nat_offline(const struct net_card *card)
{
    struct lease *lease;
    struct error err;

    card_unguard(card);
    pthread_mutex_lock(&lock);
    lease = find(card);
    if (lease != NULL) {
        if (set_ports(lease, "delete", &err) != 0) {
            log_warn("%s", err.msg);
        }
        drop(lease);
        if (tell_server(&err) != 0) {
            log_warn("%s", err.msg);
        }
    }
    pthread_mutex_unlock(&lock);
}

void nat_adopt(const struct net_card *card)
{
    struct lease *lease;
    uint32_t address;

    if (inet_pton(AF_INET, card->address, &address) != 1) {
        return;
    }
    pthread_mutex_lock(&lock);
    enter(card, ntohl(address), &lease, NULL);
    pthread_mutex_unlock(&lock);
}

void nat_ready(void)
{
    struct error err;
    int rc = 0;

    pthread_mutex_lock(&lock);
    if (nr_leases > 0) {
        rc = nat_host_up(&err);
        rc = rc ? rc : nft_run("flush map inet hospes ports", "Forwarded ports", &err);
        for (size_t i = 0; rc == 0 && i < nr_leases; i++) {
            rc = set_ports(&leases[i], "add", &err);
        }
        rc = rc ? rc : tell_server(&err);
    }
    pthread_mutex_unlock(&lock);
    if (rc != 0) {
        log_error("NAT mode: %s", err.msg);
    }
}

int nat_start(struct error *err)
{
    int rc;

    pthread_mutex_lock(&lock);
    rc = nat_host_check(err);
    rc = rc ? rc : nat_host_up(err);
    pthread_mutex_unlock(&lock);
    return rc;
}

int nat_stop(struct error *err)
{
    int rc = 0;

    pthread_mutex_lock(&lock);
    if (nr_leases > 0) {
        rc = fail(err, EBUSY, "%s has a card in NAT mode: shut it down first.", leases[0].domain);
    } else {
        rc = nat_host_down(err);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}
