/*
 * The domains that xend knows, and who may change one.
 *
 * One lock (domains_lock) protects what every struct domain holds in memory. It is held for
 * moments only: never across a hypercall, a request to the store, or a file.
 *
 * Whoever changes a domain first makes it busy (domain_begin): one operation on a domain at a time,
 * any number on different domains. The one who made it busy may read the domain without the lock
 * (nobody else writes) and takes the lock to write. Everyone else reads under the lock.
 *
 * Domains that the hypervisor has and xend did not create (Domain 0, another tool's) are "foreign":
 * a struct domain is made for the moment, so that they can be listed, paused, shut down and
 * destroyed like any other, but no record is written.
 */
#ifndef XEND_DOMAIN_H
#define XEND_DOMAIN_H

#include "xend/record.h"
#include "xend/session.h"

#include <stdbool.h>
#include <time.h>

struct domain {
    struct record rec;
    bool foreign;
    bool preserved;   /* it has ended and stays for someone to look at */
    bool ending;      /* a worker for its end is on its way */
    bool cancel;      /* someone wants it destroyed: waits should end early */
    const char *busy; /* the operation under way, for messages; NULL: none */
    unsigned refs;
    uint64_t reserved_kib; /* memory promised to it and not yet taken: admission.h */
    uint64_t store_mfn, console_mfn;
    /* Loop devices of its file: disks, held open so that they live as long as they are needed. */
    struct loop {
        uint32_t vdev;
        int fd;
    } * loops;
    size_t nr_loops;
    struct domain *next;
};

void domains_lock(void);
void domains_unlock(void);
/* Under the lock: sleep until an operation on some domain has ended, or the real time has come
 * (false). */
bool domains_wait(const struct timespec *until);

/*
 * Find by number, name or UUID; also what only the hypervisor knows. The caller ends with
 * domain_put(). -ESRCH with the sentence.
 */
int domain_get(struct session *s, const char *which, struct domain **out, struct error *err);
void domain_put(struct domain *d); /* NULL is fine */
struct domain *domain_ref(struct domain *d);

void domain_cleanup(struct domain **slot);
#define auto_domain __attribute__((cleanup(domain_cleanup))) struct domain *

/* Known domains, under the lock. find_*: NULL if there is none; no reference is taken. */
struct domain *domains_first(void);
struct domain *domains_find_name(const char *name);
struct domain *domains_find_uuid(const char *uuid);
struct domain *domains_find_domid(int domid);
/* d itself if it is (still) known; takes the lock itself. */
struct domain *domains_find_known(const struct domain *d);

/* A new domain with one reference, its record copied from rec. It is not yet among the known. */
struct domain *domain_new(const struct record *rec);
/* Add to the known ones, which then have a reference. Under the lock. */
void domains_insert(struct domain *d);
/* Take it out again. Not under the lock. */
void domains_remove(struct domain *d);

/*
 * Make d busy with `what` (a gerund: "being started"). Waits for another operation to end, at most
 * a minute: then -EBUSY with the sentence.
 */
int domain_begin(struct domain *d, const char *what, struct error *err);
void domain_end(struct domain *d);

/* Set the phase and write the record; the caller made d busy. 0 or -errno */
int domain_set_phase(struct domain *d, enum phase phase, struct error *err);
/* Write the record as it is. A foreign domain has none. */
int domain_save(struct domain *d, struct error *err);

/* "5" or "web": what to call it in a sentence. Valid as long as d is. */
const char *domain_name(const struct domain *d);

/* The 16 bytes of a UUID in text form, and back. */
void uuid_parse(const char *text, uint8_t bytes[16]);
void uuid_format(const uint8_t bytes[16], char text[DOMCFG_UUID_BYTES]);
/* A new random UUID. */
void uuid_generate(char text[DOMCFG_UUID_BYTES]);

/*
 * What the hypervisor says of d. -ESRCH if its domain is gone, or the number now belongs to
 * another domain (the UUIDs differ).
 */
int domain_info(struct session *s, const struct domain *d, struct xc_domain_info *info);

#endif
