/*
 * Memory of running guests. Contract: balloon.h.
 */
#include "xend/balloon.h"

#include "xend/admission.h"
#include "xend/lib/alloc.h"
#include "xend/log.h"
#include "xend/settings.h"
#include "xend/tree.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define SLACK_KIB 1024 /* a guest's limit lies that much above its target, as libxl has it */

static int write_target(struct session *s, int domid, uint64_t kib)
{
    auto_str text = xprintf("%" PRIu64, kib);

    return tree_change(s, domid, "memory/target", text);
}

static int check_target(struct session *s, struct domain *d, uint64_t mib, uint64_t has_kib,
                        struct error *err)
{
    uint64_t max_mb = d->rec.cfg.maxmem_mb ? d->rec.cfg.maxmem_mb : d->rec.cfg.memory_mb;
    uint64_t free_kib;
    int rc;

    if (d->rec.domid == 0 && mib < settings.dom0_min_mem) {
        return fail(err, EINVAL,
                    "Domain 0 keeps at least %u MiB: lower dom0_min_mem in xend.conf if it can "
                    "live with less.",
                    settings.dom0_min_mem);
    }
    if (d->rec.domid != 0 && mib > max_mb) {
        return fail(err, EINVAL,
                    "%s can have at most %" PRIu64 " MiB (maxmem): it cannot grow to %" PRIu64 ".",
                    domain_name(d), max_mb, mib);
    }
    if (mib == 0) {
        return fail(err, EINVAL, "A domain cannot live without memory.");
    }
    rc = admission_free_kib(s, &free_kib, err);
    if (rc == 0 && mib * 1024 > has_kib && mib * 1024 - has_kib > free_kib) {
        rc = fail(err, ENOMEM,
                  "%s would need %" PRIu64 " MiB more and %" PRIu64 " MiB are free: shrink another "
                  "domain first.",
                  domain_name(d), (mib * 1024 - has_kib) / 1024, free_kib / 1024);
    }
    return rc;
}

int balloon_set_target(struct session *s, struct domain *d, uint64_t mib, struct error *err)
{
    struct xc_domain_info info;
    int rc = domain_info(s, d, &info);

    if (mib > UINT32_MAX / 1024) {
        return fail(err, EINVAL, "%" PRIu64 " MiB is more than any machine has.", mib);
    }
    if (rc != 0) {
        return fail(err, -rc, "The domain %s is not running.", domain_name(d));
    }
    rc = check_target(s, d, mib, info.tot_pages * 4, err);
    if (rc != 0) {
        return rc;
    }
    if (d->rec.domid != 0 && mib * 1024 > info.max_pages * 4) {
        rc = xc_domain_max_mem(s->xc, (uint32_t)d->rec.domid, mib * 1024 + SLACK_KIB);
        if (rc != 0) {
            return fail(err, -rc, "The hypervisor does not raise the limit of %s: %s",
                        domain_name(d), xc_error(s->xc));
        }
    }
    rc = write_target(s, d->rec.domid, mib * 1024);
    if (rc != 0) {
        return fail(err, -rc, "The store did not take the target: %s.", strerror(-rc));
    }
    domains_lock();
    if (d->rec.cfg.maxmem_mb == 0) { /* "as memory" meant what that was before */
        d->rec.cfg.maxmem_mb = d->rec.cfg.memory_mb;
    }
    d->rec.cfg.memory_mb = (uint32_t)mib;
    domains_unlock();
    return domain_save(d, err);
}

int balloon_set_max(struct session *s, struct domain *d, uint64_t mib, struct error *err)
{
    struct xc_domain_info info;
    int rc = domain_info(s, d, &info);

    if (mib == 0 || mib > UINT32_MAX / 1024) {
        return fail(err, EINVAL, "%" PRIu64 " MiB is no amount of memory.", mib);
    }
    if (rc == 0 && mib * 256 < info.tot_pages) {
        return fail(err, EINVAL,
                    "%s has %" PRIu64 " MiB now: shrink it with xm mem-set before its maximum is "
                    "lowered to %" PRIu64 ".",
                    domain_name(d), info.tot_pages / 256, mib);
    }
    if (rc == 0) {
        rc = xc_domain_max_mem(s->xc, (uint32_t)d->rec.domid, mib * 1024 + SLACK_KIB);
        if (rc != 0) {
            return fail(err, -rc, "The hypervisor does not take the limit: %s", xc_error(s->xc));
        }
        auto_str text = xprintf("%" PRIu64, mib * 1024);

        tree_change(s, d->rec.domid, "memory/static-max", text);
    }
    domains_lock();
    d->rec.cfg.maxmem_mb = (uint32_t)mib;
    if (d->rec.cfg.memory_mb > mib) {
        d->rec.cfg.memory_mb = (uint32_t)mib;
    }
    domains_unlock();
    return domain_save(d, err);
}

void balloon_dom0(struct session *s, uint64_t kib)
{
    uint64_t floor_kib = (uint64_t)settings.dom0_min_mem * 1024, target, has;
    struct xc_domain_info info;

    if (xc_domain_get_info(s->xc, 0, &info) != 0) {
        return;
    }
    has = info.tot_pages * 4;
    if (has <= floor_kib) {
        return;
    }
    target = has - floor_kib > kib ? has - kib : floor_kib;
    log_info("Domain 0 is shrunk from %" PRIu64 " to %" PRIu64 " MiB for a new domain.", has / 1024,
             target / 1024);
    if (write_target(s, 0, target) != 0) {
        return;
    }
    for (int i = 0; i < 200 && xc_domain_get_info(s->xc, 0, &info) == 0; i++) {
        if (info.tot_pages * 4 <= target + 64) {
            return;
        }
        usleep(100000);
    }
}
