/*
 * Domains that xend did not create. Contract: foreign.h.
 */
#include "xend/foreign.h"

#include "xend/lib/alloc.h"

#include <stdlib.h>
#include <string.h>

/* The name that the domain's maker wrote into the store; what a guest wrote there is its own. */
static char *name_in_store(struct session *s, uint32_t domid)
{
    char *name = NULL;

    if (xsc_readf(s->xs, XSC_NO_TX, &name, "/local/domain/%u/name", domid) != 0 ||
        name[0] == '\0') {
        free(name);
        name = domid == 0 ? xstrdup("Domain-0") : xprintf("(domain-%u)", domid);
    }
    return name;
}

struct domain *foreign_from_info(struct session *s, const struct xc_domain_info *info)
{
    struct record rec = {.phase = PHASE_RUNNING, .domid = (int)info->domid};
    struct domain *d;

    domcfg_init(&rec.cfg);
    rec.cfg.name = name_in_store(s, info->domid);
    uuid_format(info->uuid, rec.cfg.uuid);
    rec.cfg.memory_mb = (uint32_t)(info->tot_pages / 256);
    if (info->max_pages < 1ull << 32) {
        rec.cfg.maxmem_mb = (uint32_t)(info->max_pages / 256);
    }
    rec.cfg.vcpus = info->online_vcpus;
    rec.cfg.maxvcpus = info->max_vcpu_id + 1;
    d = domain_new(&rec);
    d->foreign = true;
    return d;
}

struct domain *foreign_by_domid(struct session *s, uint32_t domid)
{
    struct xc_domain_info info;

    if (xc_domain_get_info(s->xc, domid, &info) != 0) {
        return NULL;
    }
    return foreign_from_info(s, &info);
}

/* Is this one of the domains that xend made, or is making? */
static bool is_known(const struct xc_domain_info *info, const char *uuid)
{
    struct domain *d;
    bool known;

    domains_lock();
    d = domains_find_domid((int)info->domid);
    known = (d != NULL && strcmp(d->rec.cfg.uuid, uuid) == 0) || domains_find_uuid(uuid) != NULL;
    domains_unlock();
    return known;
}

struct domain *foreign_find(struct session *s, const char *name, const char *uuid)
{
    struct xc_domain_info *infos = NULL;
    struct domain *d = NULL;
    int n = xc_domain_list_all(s->xc, &infos);

    for (int i = 0; i < n && d == NULL; i++) {
        char its_uuid[DOMCFG_UUID_BYTES];

        uuid_format(infos[i].uuid, its_uuid);
        if (is_known(&infos[i], its_uuid)) {
            continue; /* the store needn't be asked about those */
        }
        if (uuid == NULL || strcmp(its_uuid, uuid) != 0) {
            auto_str its_name = name_in_store(s, infos[i].domid);

            if (strcmp(its_name, name) != 0) {
                continue;
            }
        }
        d = foreign_from_info(s, &infos[i]);
    }
    free(infos);
    return d;
}
