/*
 * Who uses which disk. Contract: disks.h.
 */
#include "xend/disks.h"

#include "xend/host.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What the others use, copied so that files are looked at without the lock. */
struct used {
    struct disk_spec disk;
    char *domain;
};

static size_t collect(const struct domain *self, const struct domain *owner, struct used **out)
{
    size_t n = 0;

    *out = NULL;
    domains_lock();
    for (struct domain *d = domains_first(); d != NULL; d = d->next) {
        if (d->rec.phase == PHASE_HALTED || (d == self && d != owner)) {
            continue;
        }
        for (size_t i = 0; i < d->rec.cfg.nr_disks; i++) {
            *out = xrealloc(*out, (n + 1) * sizeof(**out));
            disk_copy(&(*out)[n].disk, &d->rec.cfg.disks[i]);
            (*out)[n++].domain = xstrdup(domain_name(d));
        }
    }
    domains_unlock();
    return n;
}

static void used_free(struct used *used, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        disk_finish(&used[i].disk);
        free(used[i].domain);
    }
    free(used);
}

static bool conflict(const struct disk_spec *a, const struct disk_spec *b)
{
    return !(a->readonly && b->readonly) && !(a->shared && b->shared) &&
           !(a->shared && b->readonly) && !(a->readonly && b->shared);
}

static int check_against(const struct disk_spec *disk, const struct disk_identity *id,
                         const struct used *used, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        struct disk_identity other;

        if (!conflict(disk, &used[i].disk) ||
            host_disk_identify(&used[i].disk, &other, NULL) != 0 ||
            !disk_identity_equal(id, &other)) {
            continue;
        }
        return fail(err, EBUSY,
                    "The disk %s is in use by %s (%s): shut that domain down, give both \"r\", or "
                    "both \"w!\" if they can share it.",
                    disk->path, used[i].domain,
                    used[i].disk.readonly ? "read only" : "read and write");
    }
    return 0;
}

int disks_check_one(struct domain *self, struct domain *owner, const struct disk_spec *disk,
                    struct error *err)
{
    struct disk_identity id;
    struct used *used;
    size_t n;
    int rc = 0;

    if (disk->backend != NULL && strcmp(disk->backend, "0") != 0 &&
        strcmp(disk->backend, "Domain-0") != 0) {
        return fail(err, EOPNOTSUPP,
                    "The disk %s asks for a backend in %s: only Domain 0 serves disks so far.",
                    disk->path, disk->backend);
    }
    rc = host_disk_identify(disk, &id, err);
    rc = rc ? rc : host_disk_free(disk, &id, err);
    if (rc != 0) {
        return rc;
    }
    n = collect(self, owner, &used);
    for (size_t i = 0; owner != NULL && rc == 0 && i < n; i++) {
        if (used[i].disk.vdev == disk->vdev && str_eq(used[i].domain, domain_name(owner))) {
            rc = fail(err, EEXIST, "The domain %s has a disk %s already: choose another name.",
                      domain_name(owner), disk->dev);
        }
    }
    rc = rc ? rc : check_against(disk, &id, used, n, err);
    used_free(used, n);
    return rc;
}

int disks_check(struct domain *self, const struct domain_config *cfg, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < cfg->nr_disks; i++) {
        struct disk_identity id, other;

        rc = disks_check_one(self, NULL, &cfg->disks[i], err);
        rc = rc ? rc : host_disk_identify(&cfg->disks[i], &id, err);
        for (size_t j = 0; rc == 0 && j < i; j++) {
            rc = host_disk_identify(&cfg->disks[j], &other, err);
            if (rc == 0 && disk_identity_equal(&id, &other) &&
                conflict(&cfg->disks[i], &cfg->disks[j])) {
                rc = fail(err, EINVAL, "%s and %s are the same disk %s, and one would write to it.",
                          cfg->disks[j].dev, cfg->disks[i].dev, cfg->disks[i].path);
            }
        }
    }
    return rc;
}
