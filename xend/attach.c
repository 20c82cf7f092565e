/*
 * Devices of running domains come and go. Contract: attach.h.
 *
 * The order is: devices first, record last. A kill in between leaves a device without a record (it
 * was being attached: attach_reconcile() removes it) or a record without a device (it was being
 * detached: it is forgotten).
 */
#include "xend/attach.h"

#include "network/mode.h"
#include "xend/admission.h"
#include "xend/events.h"
#include "xend/lib/alloc.h"
#include "xend/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void announce(const char *type, const struct domain *d, struct device dev)
{
    struct value *details = value_dict();

    dict_set(details, "domain", value_string(domain_name(d)));
    dict_set(details, "uuid", value_string(d->rec.cfg.uuid));
    dict_set(details, "domid", value_int(d->rec.domid));
    dict_set(details, "class", value_string(dev.class));
    dict_set(details, "device", value_int(dev.id));
    event_emit(type, details);
}

static void close_loop(struct domain *d, uint32_t vdev)
{
    int fd = -1;

    domains_lock();
    for (size_t i = 0; i < d->nr_loops; i++) {
        if (d->loops[i].vdev == vdev) {
            fd = d->loops[i].fd;
            d->loops[i] = d->loops[--d->nr_loops];
            break;
        }
    }
    domains_unlock();
    if (fd >= 0) {
        close(fd);
    }
}

static void forget_disk(struct domain *d, uint32_t vdev)
{
    domains_lock();
    domcfg_remove_disk(&d->rec.cfg, vdev);
    domains_unlock();
    close_loop(d, vdev);
}

static int attach_disk(struct session *s, struct domain *d, const struct value *sxp, uint32_t *id,
                       struct error *err)
{
    struct disk_spec disk;
    struct device dev = {"vbd", 0};
    int rc = disk_from_sxp(sxp, &disk, err);

    if (rc != 0) {
        return rc;
    }
    dev.id = *id = disk.vdev;
    rc = admission_disk(d, &disk, err);
    if (rc == 0 && d->rec.domid >= 0) {
        rc = vbd_add(s, d, &disk, err);
        rc = rc ? rc : device_wait_backend(s, d, dev, err);
        rc = rc ? rc : device_wait_connected(s, d, dev, err);
        if (rc != 0) {
            device_remove(s, d, dev, true, NULL);
            forget_disk(d, disk.vdev);
        }
    }
    disk_finish(&disk);
    return rc;
}

static int check_mac(struct domain *d, const struct vif_spec *vif, struct error *err)
{
    for (size_t i = 0; i < d->rec.cfg.nr_vifs; i++) {
        if (str_eq(d->rec.cfg.vifs[i].mac, vif->mac)) {
            return fail(err, EEXIST, "The domain %s has a card with the MAC address %s already.",
                        domain_name(d), vif->mac);
        }
    }
    return 0;
}

static int attach_vif(struct session *s, struct domain *d, const struct value *sxp, uint32_t *id,
                      struct error *err)
{
    struct vif_spec vif;
    struct device dev = {"vif", 0};
    struct net_card card;
    int rc = vif_from_sxp(sxp, &vif, err);

    if (rc != 0) {
        return rc;
    }
    dev.id = *id = d->rec.domid >= 0 ? vif_free_id(s, d) : (uint32_t)d->rec.cfg.nr_vifs;
    if (vif.mac == NULL) {
        vif.mac = vif_default_mac(d->rec.cfg.uuid, dev.id);
    }
    rc = check_mac(d, &vif, err);
    card = (struct net_card){
        .domid = d->rec.domid, .id = dev.id, .domain = domain_name(d), .vif = &vif};
    rc = rc ? rc : net_check(&card, err);
    if (rc == 0 && d->rec.domid >= 0) {
        rc = vif_add(s, d, &vif, dev.id, err);
        rc = rc ? rc : device_wait_backend(s, d, dev, err);
        rc = rc ? rc : vif_attach(s, d, &vif, dev.id, err);
        rc = rc ? rc : device_wait_connected(s, d, dev, err);
        if (rc != 0) {
            device_remove(s, d, dev, true, NULL);
        }
    }
    if (rc == 0) {
        domains_lock();
        domcfg_add_vif(&d->rec.cfg, &vif);
        domains_unlock();
    }
    vif_finish(&vif);
    return rc;
}

int attach_device(struct session *s, struct domain *d, const struct value *sxp, uint32_t *id,
                  struct error *err)
{
    const char *class = sxp_name(sxp);
    bool disk = strcmp(class, "vbd") == 0;
    uint32_t number = 0;
    int rc;

    if (!disk && strcmp(class, "vif") != 0) {
        return fail(err, EINVAL, "Devices of the class \"%s\" are not offered: vbd and vif are.",
                    class);
    }
    rc = domain_begin(d, "being given a device", err);
    if (rc != 0) {
        return rc;
    }
    rc = disk ? attach_disk(s, d, sxp, &number, err) : attach_vif(s, d, sxp, &number, err);
    rc = rc ? rc : domain_save(d, err);
    if (rc == 0) {
        log_info("%s has got %s %u.", domain_name(d), class, number);
        announce("device.attached", d, (struct device){disk ? "vbd" : "vif", number});
    }
    domain_end(d);
    if (id != NULL) {
        *id = number;
    }
    return rc;
}

/* The number of the card with this MAC, from the store. */
static int find_mac(struct session *s, struct domain *d, const char *mac, uint32_t *id)
{
    uint32_t *ids;
    size_t n = device_ids(s, d->rec.domid, "vif", &ids);
    int rc = -ENOENT;

    for (size_t i = 0; rc != 0 && i < n; i++) {
        char *its = NULL;

        if (xsc_readf(s->xs, XSC_NO_TX, &its, "/local/domain/0/backend/vif/%d/%u/mac", d->rec.domid,
                      ids[i]) == 0 &&
            strcasecmp(its, mac) == 0) {
            *id = ids[i];
            rc = 0;
        }
        free(its);
    }
    free(ids);
    return rc;
}

static int find_device(struct session *s, struct domain *d, const char *class, const char *which,
                       uint32_t *id, struct error *err)
{
    char *end;
    int rc = 0;

    if (strcmp(class, "vbd") == 0) {
        const char *slash = strrchr(which, '/'); /* "vbd/51712", "/dev/xvda" */

        rc = disk_number(slash ? slash + 1 : which, id);
    } else if (strchr(which, ':') != NULL) {
        rc = find_mac(s, d, which, id);
    } else {
        *id = (uint32_t)strtoul(which, &end, 10);
        rc = *end != '\0' || end == which ? -ENOENT : 0;
    }
    return rc ? fail(err, ENOENT, "The domain %s has no %s %s.", domain_name(d), class, which) : 0;
}

static void forget_vif(struct domain *d, const char *mac)
{
    domains_lock();
    for (size_t i = 0; i < d->rec.cfg.nr_vifs; i++) {
        if (str_eq(d->rec.cfg.vifs[i].mac, mac)) {
            domcfg_remove_vif(&d->rec.cfg, i);
            break;
        }
    }
    domains_unlock();
}

static int detach(struct session *s, struct domain *d, struct device dev, bool force,
                  struct error *err)
{
    auto_str mac = NULL;
    bool disk = strcmp(dev.class, "vbd") == 0;
    int rc = 0;

    if (!disk && d->rec.domid >= 0) {
        xsc_readf(s->xs, XSC_NO_TX, &mac, "/local/domain/0/backend/vif/%d/%u/mac", d->rec.domid,
                  dev.id);
    } else if (!disk && dev.id < d->rec.cfg.nr_vifs) {
        mac = xstrdup(d->rec.cfg.vifs[dev.id].mac);
    }
    if (d->rec.domid >= 0) {
        rc = device_remove(s, d, dev, force, err);
    }
    if (rc == 0 && disk) {
        forget_disk(d, dev.id);
    } else if (rc == 0) {
        forget_vif(d, mac);
    }
    return rc ? rc : domain_save(d, err);
}

int detach_device(struct session *s, struct domain *d, const char *class, const char *which,
                  bool force, struct error *err)
{
    struct device dev = {strcmp(class, "vbd") == 0 ? "vbd" : "vif", 0};
    int rc;

    if (strcmp(class, dev.class) != 0) {
        return fail(err, EINVAL, "Devices of the class \"%s\" are not offered: vbd and vif are.",
                    class);
    }
    rc = domain_begin(d, "being deprived of a device", err);
    if (rc != 0) {
        return rc;
    }
    rc = find_device(s, d, dev.class, which, &dev.id, err);
    rc = rc ? rc : detach(s, d, dev, force, err);
    if (rc == 0) {
        log_info("%s has lost %s %u.", domain_name(d), dev.class, dev.id);
        announce("device.detached", d, dev);
    }
    domain_end(d);
    return rc;
}

int attach_wait_all(struct session *s, struct domain *d, struct error *err)
{
    static const char *const classes[] = {"vbd", "vif"};
    int rc = 0;

    for (size_t c = 0; c < 2 && d->rec.domid >= 0; c++) {
        uint32_t *ids;
        size_t n = device_ids(s, d->rec.domid, classes[c], &ids);

        for (size_t i = 0; rc == 0 && i < n; i++) {
            rc = device_wait_backend(s, d, (struct device){classes[c], ids[i]}, err);
        }
        free(ids);
    }
    return rc;
}

static bool has_disk(const struct domain_config *cfg, uint32_t vdev)
{
    for (size_t i = 0; i < cfg->nr_disks; i++) {
        if (cfg->disks[i].vdev == vdev) {
            return true;
        }
    }
    return false;
}

/* Disks: both directions. Returns whether the record changed. */
static bool reconcile_disks(struct session *s, struct domain *d)
{
    uint32_t *ids;
    size_t n = device_ids(s, d->rec.domid, "vbd", &ids);
    bool changed = false;

    for (size_t i = 0; i < n; i++) {
        if (!has_disk(&d->rec.cfg, ids[i])) {
            log_warn("vbd %u of %s was being attached when xend ended: it is removed.", ids[i],
                     domain_name(d));
            device_remove(s, d, (struct device){"vbd", ids[i]}, true, NULL);
        }
    }
    for (size_t i = d->rec.cfg.nr_disks; i-- > 0;) {
        uint32_t vdev = d->rec.cfg.disks[i].vdev;
        bool there = false;

        for (size_t j = 0; j < n; j++) {
            there = there || ids[j] == vdev;
        }
        if (!there) {
            forget_disk(d, vdev);
            changed = true;
        }
    }
    free(ids);
    return changed;
}

static bool reconcile_vifs(struct session *s, struct domain *d)
{
    uint32_t *ids, id;
    size_t n = device_ids(s, d->rec.domid, "vif", &ids);
    bool changed = false;

    for (size_t i = 0; i < n; i++) {
        bool known = false;
        char *mac = NULL;

        xsc_readf(s->xs, XSC_NO_TX, &mac, "/local/domain/0/backend/vif/%d/%u/mac", d->rec.domid,
                  ids[i]);
        for (size_t j = 0; j < d->rec.cfg.nr_vifs; j++) {
            known = known || str_eq(d->rec.cfg.vifs[j].mac, mac);
        }
        free(mac);
        if (!known) {
            log_warn("vif %u of %s was being attached when xend ended: it is removed.", ids[i],
                     domain_name(d));
            device_remove(s, d, (struct device){"vif", ids[i]}, true, NULL);
        }
    }
    for (size_t i = d->rec.cfg.nr_vifs; i-- > 0;) {
        if (find_mac(s, d, d->rec.cfg.vifs[i].mac, &id) != 0) {
            domains_lock();
            domcfg_remove_vif(&d->rec.cfg, i);
            domains_unlock();
            changed = true;
        }
    }
    free(ids);
    return changed;
}

void attach_reconcile(struct session *s, struct domain *d)
{
    bool changed = reconcile_disks(s, d);

    if (reconcile_vifs(s, d) || changed) {
        domain_save(d, NULL);
    }
}
