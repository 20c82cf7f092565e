/*
 * Creating, starting, stopping and storing domains. Contract: life.h. Smaller requests: requests.c.
 */
#include "xend/life.h"

#include "network/mode.h"
#include "xend/admission.h"
#include "xend/build.h"
#include "xend/disks.h"
#include "xend/events.h"
#include "xend/lib/alloc.h"
#include "xend/log.h"
#include "xend/prepare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void announce(const char *type, const struct domain *d)
{
    event_domain(type, domain_name(d), d->rec.cfg.uuid, d->rec.domid);
}

/* What a configuration may leave open. */
static void choose(struct domain_config *cfg)
{
    if (cfg->uuid[0] == '\0') {
        uuid_generate(cfg->uuid);
    }
    for (size_t i = 0; i < cfg->nr_vifs; i++) {
        if (cfg->vifs[i].mac == NULL) {
            cfg->vifs[i].mac = vif_default_mac(cfg->uuid, (unsigned)i);
        }
    }
}

/* What needs no lock: the cards' modes and bridges are there. */
static int check_vifs(const struct domain_config *cfg, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < cfg->nr_vifs; i++) {
        const struct vif_spec *vif = &cfg->vifs[i];
        struct net_card card = {.domid = -1, .id = (unsigned)i, .domain = cfg->name, .vif = vif};

        if (vif->backend != NULL && strcmp(vif->backend, "0") != 0 &&
            strcmp(vif->backend, "Domain-0") != 0) {
            rc = fail(err, EOPNOTSUPP,
                      "A network card asks for a backend in %s: only Domain 0 serves cards so far.",
                      vif->backend);
        } else {
            rc = net_check(&card, err);
        }
    }
    return rc;
}

int life_check(struct session *s, struct domain_config *cfg, struct error *err)
{
    struct record rec = {.phase = PHASE_BUILDING, .domid = -1};
    struct domain *d;
    int rc;

    choose(cfg);
    rc = check_vifs(cfg, err);
    rc = rc ? rc : domain_check_kernel(s, cfg, err);
    if (rc != 0) {
        return rc;
    }
    rec.cfg = *cfg; /* lent: taken back before the domain goes */
    rc = admission_enter(s, &rec, true, &d, err);
    if (rc == 0) {
        domains_lock();
        *cfg = d->rec.cfg;
        domains_unlock();
        domains_remove(d);
        domcfg_init(&d->rec.cfg);
        domain_put(d);
    }
    return rc;
}

void life_gone(struct domain *d)
{
    struct error err;

    admission_release(d);
    if (d->foreign) {
        announce("domain.destroyed", d);
        return;
    }
    if (d->rec.managed) {
        domains_lock();
        d->rec.start_time = 0;
        domains_unlock();
        if (domain_set_phase(d, PHASE_HALTED, &err) != 0) {
            log_error("%s", err.msg);
        }
    } else {
        if (record_remove(d->rec.cfg.uuid, &err) != 0) {
            log_error("%s", err.msg);
        }
        domains_remove(d);
    }
    announce("domain.destroyed", d);
}

/* Build d, whose record says so already, and say that it runs. */
static int build_and_record(struct session *s, struct domain *d, struct error *err)
{
    int rc = domain_build(s, d, err);

    if (rc == 0) {
        rc = domain_set_phase(d, PHASE_RUNNING, err);
        if (rc != 0) {
            domain_unbuild(s, d);
        }
    }
    if (rc == 0) {
        announce("domain.created", d);
    }
    return rc;
}

int life_create(struct session *s, struct domain_config *cfg, struct domain **out,
                struct error *err)
{
    struct record rec = {.phase = PHASE_BUILDING, .domid = -1};
    struct domain *d = NULL;
    int rc;

    choose(cfg);
    rc = check_vifs(cfg, err);
    if (rc == 0) {
        rec.cfg = *cfg;
        rc = admission_enter(s, &rec, true, &d, err);
    }
    if (rc != 0) {
        domcfg_finish(cfg);
        return rc;
    }
    domain_begin(d, "being created", NULL);
    rc = domain_save(d, err);
    rc = rc ? rc : build_and_record(s, d, err);
    if (rc != 0) {
        struct error ignored;

        admission_release(d);
        record_remove(d->rec.cfg.uuid, &ignored);
        domains_remove(d);
        announce("domain.failed", d);
    }
    domain_end(d);
    if (rc != 0) {
        domain_put(d);
        return rc;
    }
    *out = d;
    return 0;
}

/* A stored domain of the same name that does not run is replaced and keeps its UUID. */
static int replace(struct session *s, struct domain_config *cfg, bool *replaced, struct error *err)
{
    struct domain *d;
    int rc;

    *replaced = false;
    domains_lock();
    d = domains_find_name(cfg->name);
    if (d != NULL && (d->rec.phase != PHASE_HALTED || d->busy != NULL)) {
        rc = fail(err, EEXIST, "The domain %s is running: shut it down before it is stored anew.",
                  cfg->name);
        domains_unlock();
        return rc;
    }
    if (d != NULL) {
        if (cfg->uuid[0] == '\0') {
            memcpy(cfg->uuid, d->rec.cfg.uuid, sizeof(cfg->uuid));
        }
        if (strcmp(cfg->uuid, d->rec.cfg.uuid) != 0) {
            rc = fail(err, EEXIST,
                      "A stored domain is named %s and has another UUID: delete it "
                      "first.",
                      cfg->name);
            domains_unlock();
            return rc;
        }
        d->refs++;
    }
    domains_unlock();
    if (d == NULL) {
        return 0;
    }
    rc = domain_begin(d, "being replaced", err);
    if (rc == 0) {
        choose(cfg);
        domains_lock();
        domcfg_finish(&d->rec.cfg);
        d->rec.cfg = *cfg;
        domains_unlock();
        rc = domain_save(d, err);
        domain_end(d);
        *replaced = true;
    }
    domain_put(d);
    return rc;
}

int life_new(struct session *s, struct domain_config *cfg, struct error *err)
{
    struct record rec = {.phase = PHASE_HALTED, .domid = -1, .managed = true};
    struct domain *d;
    bool replaced;
    int rc = replace(s, cfg, &replaced, err);

    if (replaced) {
        return rc;
    }
    if (rc != 0) {
        domcfg_finish(cfg);
        return rc;
    }
    choose(cfg);
    rec.cfg = *cfg;
    rc = admission_enter(s, &rec, false, &d, err);
    if (rc != 0) {
        domcfg_finish(cfg);
        return rc;
    }
    rc = domain_save(d, err);
    if (rc == 0) {
        announce("domain.stored", d);
        prepare_poke();
    } else {
        domains_remove(d);
    }
    domain_put(d);
    return rc;
}

int life_start(struct session *s, struct domain *d, bool paused, struct error *err)
{
    int rc = domain_begin(d, "being started", err);

    if (rc != 0) {
        return rc;
    }
    if (d->rec.phase != PHASE_HALTED) {
        rc = fail(err, EALREADY, "The domain %s runs already, as domain %d.", domain_name(d),
                  d->rec.domid);
        domain_end(d);
        return rc;
    }
    rc = check_vifs(&d->rec.cfg, err);
    rc = rc ? rc : admission_start(s, d, err);
    if (rc == 0) {
        d->rec.restarts = 0;
        rc = domain_set_phase(d, PHASE_BUILDING, err);
        rc = rc ? rc : build_and_record(s, d, err);
        if (rc == 0 && !paused) {
            rc = xc_domain_unpause(s->xc, (uint32_t)d->rec.domid);
            if (rc != 0) {
                fail(err, -rc, "%s", xc_error(s->xc));
                domain_unbuild(s, d);
            } else {
                announce("domain.started", d);
            }
        }
        if (rc != 0) {
            life_gone(d);
        }
    }
    domain_end(d);
    return rc;
}

int life_delete(struct session *s, struct domain *d, struct error *err)
{
    int rc = domain_begin(d, "being deleted", err);

    if (rc != 0) {
        return rc;
    }
    if (!d->rec.managed) {
        rc = fail(err, EINVAL, "The domain %s is not stored: xm destroy ends a running one.",
                  domain_name(d));
    } else if (d->rec.phase != PHASE_HALTED) {
        rc = fail(err, EBUSY, "The domain %s is running: shut it down before it is deleted.",
                  domain_name(d));
    } else {
        rc = record_remove(d->rec.cfg.uuid, err);
    }
    if (rc == 0) {
        domains_remove(d);
        announce("domain.deleted", d);
        log_info("%s was deleted.", domain_name(d));
    }
    domain_end(d);
    return rc;
}

int life_destroy(struct session *s, struct domain *d, struct error *err)
{
    int rc;

    if (d->rec.domid == 0) {
        return fail(err, EPERM, "Domain 0 cannot be destroyed: shut the machine down instead.");
    }
    domains_lock();
    d->cancel = true; /* whoever waits for one of its devices stops waiting */
    domains_unlock();
    rc = domain_begin(d, "being destroyed", err);
    if (rc != 0) {
        return rc;
    }
    if (!d->foreign && domains_find_known(d) == NULL) {
        domain_end(d); /* its creation was under way and has undone itself */
        return 0;
    }
    if (d->rec.phase == PHASE_HALTED) {
        rc = fail(err, ESRCH, "The domain %s is not running.", domain_name(d));
    } else {
        rc = domain_set_phase(d, PHASE_STOPPING, err);
    }
    if (rc == 0) {
        log_info("%s (domain %d) is destroyed.", domain_name(d), d->rec.domid);
        domain_unbuild(s, d);
        life_gone(d);
    }
    domain_end(d);
    return rc;
}

int life_restart(struct session *s, struct domain *d, struct error *err)
{
    int rc = domain_set_phase(d, PHASE_REBOOTING, err);

    if (rc != 0) {
        log_error("%s", err->msg); /* go on: the guest matters more than its record */
    }
    domain_unbuild(s, d);
    rc = admission_start(s, d, err);
    d->rec.restarts++;
    rc = rc ? rc : domain_set_phase(d, PHASE_RESTARTING, err);
    rc = rc ? rc : build_and_record(s, d, err);
    if (rc == 0) {
        rc = xc_domain_unpause(s->xc, (uint32_t)d->rec.domid);
        if (rc != 0) {
            fail(err, -rc, "%s", xc_error(s->xc));
            domain_unbuild(s, d);
        }
    }
    if (rc != 0) {
        log_error("%s was not restarted: %s", domain_name(d), err->msg);
        announce("domain.failed", d);
        life_gone(d);
    } else {
        announce("domain.restarted", d);
    }
    return rc;
}
