/*
 * NAT mode's DHCP and DNS server: one dnsmasq, started by network-nat, watched and fed by xend.
 *
 * It lives on when xend ends, and the next xend finds it again by its process file; one that dies
 * is started again. Everything it reads and writes is in one folder under /run: dnsmasq.conf (made
 * anew at each start), hosts (MAC, address and name of each card), names (for DNS), leases, pid,
 * log. Only cards that are listed get an address. All functions but dnsmasq_folder() are for one
 * thread at a time: nat.c's lock.
 */
#ifndef NETWORK_DNSMASQ_H
#define NETWORK_DNSMASQ_H

#include "xend/lib/error.h"

#include <stdbool.h>
#include <stddef.h>

struct dnsmasq_config {
    const char *bridge;  /* the interface that it serves, and no other */
    const char *address; /* of Domain 0 on it: router and DNS server, "192.168.122.1" */
    const char *first;   /* the network's first address, "192.168.122.0" */
    const char *mask;    /* "255.255.255.0" */
    const char *prefix6; /* of 64 bits, "fd00:122::", which it advertises; NULL: no IPv6 */
};

struct dnsmasq_host {
    const char *mac, *address, *name;
    const char *address6; /* for DNS, or NULL */
};

/* Where it keeps its files; NULL: /run/hospes/nat. Before anything else. */
void dnsmasq_folder(const char *path);

/* Is the program there? 0, or -ENOENT with the sentence that says how to get it. */
int dnsmasq_check(struct error *err);

/* Start it, unless it runs. Its interface must be there. 0 or -errno with its own words. */
int dnsmasq_start(const struct dnsmasq_config *config, struct error *err);

/* Tell it all cards there are, at any time. 0 or -errno */
int dnsmasq_hosts(const struct dnsmasq_host *hosts, size_t n, struct error *err);

/* Start it again whenever it ends, by a thread of this process; or let it end. */
void dnsmasq_watch(void);
void dnsmasq_unwatch(void);

/* End it, also one that is just starting, and remove its files. */
void dnsmasq_stop(void);

/* Its process, or 0. */
int dnsmasq_pid(void);

/* Whether `address` has been leased to another MAC, which may still use it. */
bool dnsmasq_leased(const char *address, const char *mac);

#endif
