/*
 * The write rate limit: an unprivileged domain whose writes make other people's transactions fail
 * earns credit over time and pays for every such write; out of credit it waits.
 */
#ifndef XENSTORED_RATE_H
#define XENSTORED_RATE_H

#include "xenstored/domain.h"

/* Transactions open now, over all connections; a write with none open hurts nobody and is free. */
extern long rate_transactions;

void rate_domain_added(struct domain *d);
void rate_domain_removed(struct domain *d);

/* A write outside a transaction, or the commit of one. d may be NULL (a socket). */
void rate_charge_write(struct domain *d);
void rate_charge_commit(struct domain *d);

/* Brings the credit up to date; true if the domain may go on, else *wait_ms says how long not. */
bool rate_may_run(struct domain *d, uint64_t now, int *wait_ms);

#endif
