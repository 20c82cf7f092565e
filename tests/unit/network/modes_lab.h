/*
 * The machine of the tests of network modes, in network namespaces: eth0 with 192.0.2.1/24 and
 * 2001:db8::1/64 and, on its wire, a host "outside" with .9 and ::9; two guests, with the cards
 * vif1.0 and vif2.0. In bridge mode eth0 is a port of xenbr0, which then has the addresses.
 */
#ifndef TESTS_NETWORK_MODES_LAB_H
#define TESTS_NETWORK_MODES_LAB_H

#include "network/mode.h"
#include "tests/unit/network/guest.h"

#define MAC1 "00:16:3e:00:00:01"
#define MAC2 "00:16:3e:00:00:02"

/* For files; exists while the tests run. */
extern char folder[];
extern struct guest outside, one, two;

/* A card with options as a configuration has them; card_end() frees it. */
struct net_card *card_new(int domid, const char *domain, const char *options);
void card_end(struct net_card *card);
/* Both must work; offline() also frees the card. */
void online(struct net_card *card);
void offline(struct net_card *card);
/* It is refused, with these words in the sentence. */
void refused(int domid, const char *options, const char *words);

void addresses_on(const char *ifname);
/* For cmocka: the machines and the wire; the same with a bridge; the end of all, clean or not. */
int start(void **state);
int start_bridge(void **state);
int end(void **state);

/* In main(): enter a network namespace, run the tests, remove the folder. */
int run_modes(const struct CMUnitTest *tests, size_t count);

#endif
