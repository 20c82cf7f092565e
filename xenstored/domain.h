/*
 * The domains that the store knows: those introduced (with a ring), and those that merely own a
 * node or stand in a permission list.
 *
 * Life: a domain becomes known when it is introduced or first named; it is forgotten, with every
 * node it owns, when it is released or no longer exists. Its generation is the store's clock at the
 * time it became known: a permission older than that was meant for a predecessor with the same
 * number.
 */
#ifndef XENSTORED_DOMAIN_H
#define XENSTORED_DOMAIN_H

#include "xenstored/util.h"

struct conn;
struct xenstore_domain_interface;

struct domain {
    struct list link;
    uint32_t domid;
    uint32_t port;        /* ours, 0: not bound */
    uint32_t remote_port; /* the domain's, as introduced */
    struct xenstore_domain_interface *page;
    struct conn *conn;
    uint64_t generation;
    bool introduced;
    bool shutdown; /* its end has been announced */
    char home[32]; /* "/local/domain/N" */

    /* What it uses (quota.h). */
    int64_t memory;
    int nodes, watches, outstanding;
    bool soft_reported, hard_reported, nonsense_reported;
    uint64_t last_report_ms;

    /* Write rate limit (rate.h). */
    int64_t credit;
    uint64_t credit_ms;
    bool delay_reported;
};

/* All domains, introduced or not. */
extern struct list domains;

/* The domain whose mistakes the store trusts besides 0; 0: none. */
extern uint32_t domain_privileged;

/* Do nodes outlive the domain that owns them (and then belong to Domain 0)? A security risk. */
extern bool domain_keep_orphans;

bool domid_unprivileged(uint32_t domid);

struct domain *domain_find(uint32_t domid);
struct domain *domain_find_introduced(uint32_t domid);

/* Finds, or makes known if the hypervisor has such a domain; else NULL. */
struct domain *domain_find_existing(uint32_t domid);

/* Finds or makes known, no questions asked. */
struct domain *domain_get(uint32_t domid);

/*
 * Maps the ring and binds the port of a domain; for one that is introduced already binds a new
 * port. adopt_port: a local port that is bound already (live update), or 0. 0 or -errno.
 */
int domain_introduce(uint32_t domid, uint32_t remote_port, uint32_t adopt_port, bool fire);

/* After a restart: maps and binds again the ring of a domain that was introduced before. 0 or
 * -errno. */
int domain_resume(struct domain *d, bool port_bound);

/* Takes a domain off the list and frees it, without touching nodes or hypervisor. */
void domain_forget(struct domain *d);

/* Forgets a domain: its ring, watches, transactions and nodes; fires @releaseDomain. */
void domain_release(struct domain *d);

/* Domain 0's ring, at start. 0 or -errno. */
int domain_introduce_self(void);

/* Looks for domains that have died or stopped; call on VIRQ_DOM_EXC. */
void domain_check_all(void);

/* Can the domain have meant itself by an entry written at that generation? */
bool domain_existed_at(uint32_t domid, uint64_t generation);

/* Takes delta bytes into account; with check, false (and nothing done) if that breaks the quota. */
bool domain_charge(uint32_t domid, int64_t delta, bool check);

/* Over its memory, its outstanding requests or its write rate: not to be read from now. */
bool domain_is_throttled(struct domain *d);

void domains_clear(void);

#endif
