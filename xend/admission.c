/*
 * Admission of domains: names and memory. Contract: admission.h. Disks: disks.c.
 */
#include "xend/admission.h"

#include "xend/balloon.h"
#include "xend/disks.h"
#include "xend/foreign.h"
#include "xend/lib/alloc.h"
#include "xend/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Held while something is checked and entered. Taken before the domains' lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* What the hypervisor needs for a domain besides its memory: structures, page tables, grants. */
static uint64_t overhead_kib(const struct domain_config *cfg)
{
    uint32_t vcpus = cfg->maxvcpus ? cfg->maxvcpus : cfg->vcpus;

    return 1024 + (uint64_t)vcpus * 64;
}

/* Memory promised to domains that are being built, less what they have already. */
static uint64_t promised_kib(struct session *s)
{
    struct xc_domain_info *infos = NULL;
    int n = xc_domain_list_all(s->xc, &infos);
    uint64_t sum = 0;

    domains_lock();
    for (struct domain *d = domains_first(); d != NULL; d = d->next) {
        uint64_t open = d->reserved_kib;

        for (int i = 0; open > 0 && i < n; i++) {
            char uuid[DOMCFG_UUID_BYTES];

            uuid_format(infos[i].uuid, uuid);
            if (strcmp(uuid, d->rec.cfg.uuid) == 0) {
                uint64_t has = infos[i].tot_pages * 4;

                open = open > has ? open - has : 0;
            }
        }
        sum += open;
    }
    domains_unlock();
    free(infos);
    return sum;
}

int admission_free_kib(struct session *s, uint64_t *kib, struct error *err)
{
    struct xc_host_info host;
    uint64_t free_kib, kept;
    int rc = xc_host_get_info(s->xc, &host);

    if (rc != 0) {
        return fail(err, -rc, "The hypervisor does not tell its free memory: %s", xc_error(s->xc));
    }
    free_kib = (host.free_pages + host.scrub_pages) * 4;
    kept =
        host.outstanding_pages * 4 + (uint64_t)settings.hypervisor_reserve * 1024 + promised_kib(s);
    *kib = free_kib > kept ? free_kib - kept : 0;
    return 0;
}

static int check_memory(struct session *s, const struct domain_config *cfg, uint64_t *need,
                        struct error *err)
{
    uint64_t have = 0;
    int rc = admission_free_kib(s, &have, err);

    *need = (uint64_t)cfg->memory_mb * 1024 + overhead_kib(cfg);
    if (rc == 0 && have < *need && settings.dom0_ballooning) {
        balloon_dom0(s, *need - have);
        rc = admission_free_kib(s, &have, err);
    }
    if (rc != 0 || have >= *need) {
        return rc;
    }
    return fail(err, ENOMEM,
                "There is not enough memory for %s: it needs %" PRIu64 " MiB and %" PRIu64
                " MiB are free; lower memory=, shrink another domain with xm mem-set, or give "
                "Domain 0 less (dom0_mem= on the hypervisor's command line).",
                cfg->name, (*need + 1023) / 1024, have / 1024);
}

/* Says whose name it is; the domains' lock is held. */
static int name_taken(const struct domain *same, struct error *err)
{
    if (same->rec.phase == PHASE_HALTED) {
        return fail(err, EEXIST,
                    "The name %s belongs to a stored domain: start that one (xm start), delete it "
                    "(xm delete), or choose another name.",
                    domain_name(same));
    }
    if (same->rec.domid < 0) {
        return fail(err, EEXIST,
                    "The name %s is taken by a domain that is being built or taken down: try again "
                    "soon, or choose another.",
                    domain_name(same));
    }
    return fail(err, EEXIST,
                "The name %s is taken by domain %d: choose another, or destroy that one.",
                domain_name(same), same->rec.domid);
}

/* Name and UUID. */
static int check_identity(struct session *s, const struct domain *self,
                          const struct domain_config *cfg, bool name_only, struct error *err)
{
    struct domain *same, *other;

    domains_lock();
    same = domains_find_name(cfg->name);
    if (same != NULL && same != self) {
        int rc = name_taken(same, err);

        domains_unlock();
        return rc;
    }
    same = name_only ? NULL : domains_find_uuid(cfg->uuid);
    domains_unlock();
    if (same != NULL && same != self) {
        return fail(err, EEXIST,
                    "The UUID %s is taken by another domain: remove uuid= to get a "
                    "new one.",
                    cfg->uuid);
    }
    other = foreign_find(s, cfg->name, name_only ? NULL : cfg->uuid);
    if (other != NULL && (self == NULL || other->rec.domid != self->rec.domid)) {
        int rc = fail(err, EEXIST,
                      "The name or UUID of %s is taken by domain %d, which xend did not create: "
                      "choose another.",
                      cfg->name, other->rec.domid);
        domain_put(other);
        return rc;
    }
    domain_put(other);
    return 0;
}

int admission_enter(struct session *s, const struct record *rec, bool start, struct domain **out,
                    struct error *err)
{
    uint64_t need = 0;
    struct domain *d;
    int rc;

    pthread_mutex_lock(&lock);
    rc = check_identity(s, NULL, &rec->cfg, false, err);
    rc = rc || !start ? rc : disks_check(NULL, &rec->cfg, err);
    rc = rc || !start ? rc : check_memory(s, &rec->cfg, &need, err);
    if (rc == 0) {
        d = domain_new(rec);
        d->reserved_kib = need;
        domains_lock();
        domains_insert(d);
        domains_unlock();
        *out = d;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

int admission_start(struct session *s, struct domain *d, struct error *err)
{
    uint64_t need;
    int rc;

    pthread_mutex_lock(&lock);
    rc = disks_check(d, &d->rec.cfg, err);
    rc = rc ? rc : check_memory(s, &d->rec.cfg, &need, err);
    if (rc == 0) {
        domains_lock();
        d->reserved_kib = need;
        d->rec.phase = PHASE_BUILDING; /* from here on its disks count as used */
        domains_unlock();
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

int admission_disk(struct domain *d, const struct disk_spec *disk, struct error *err)
{
    int rc;

    pthread_mutex_lock(&lock);
    rc = disks_check_one(d, d, disk, err);
    if (rc == 0) {
        domains_lock();
        domcfg_add_disk(&d->rec.cfg, disk);
        domains_unlock();
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

void admission_release(struct domain *d)
{
    domains_lock();
    d->reserved_kib = 0;
    domains_unlock();
}

int admission_rename(struct session *s, struct domain *d, const char *name, struct error *err)
{
    struct domain_config wanted;
    int rc = domcfg_check_name(name, err);

    if (rc != 0) {
        return rc;
    }
    domcfg_init(&wanted);
    wanted.name = xstrdup(name);
    pthread_mutex_lock(&lock);
    rc = check_identity(s, d, &wanted, true, err);
    if (rc == 0) {
        domains_lock();
        str_set(&d->rec.cfg.name, name);
        domains_unlock();
    }
    pthread_mutex_unlock(&lock);
    domcfg_finish(&wanted);
    return rc;
}
