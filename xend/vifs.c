/*
 * Network cards on Linux's netback. Contract: device.h. Nodes: <xen/io/netif.h>.
 *
 * netback makes the interface vifX.Y as soon as it sees the backend's folder, and lets packets
 * through once hotplug-status says "connected": in between its network mode sets it up. What the
 * mode needs to know again at the card's end is in the backend's folder, where only Domain 0
 * writes.
 */
#include "xend/device.h"

#include "network/mode.h"
#include "xend/lib/alloc.h"
#include "xend/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options that are written as they are. The others have a form of their own in the store. */
static const char *const kept[] = {"mac", "bridge", "ip", "vifname", "antispoof", "forward"};

#define NR_KEPT (sizeof(kept) / sizeof(kept[0]))

static char *kept_field(const struct vif_spec *vif, const char *name)
{
    struct vif_spec copy = *vif;
    unsigned i = 0;

    while (strcmp(vif_field_names[i], name) != 0) {
        i++;
    }
    return *vif_field(&copy, i);
}

int vif_add(struct session *s, struct domain *d, const struct vif_spec *vif, uint32_t id,
            struct error *err)
{
    struct device dev = {"vif", id};
    auto_str front_path = xprintf("/local/domain/%d/device/vif/%u", d->rec.domid, id);
    auto_str back_path = xprintf("/local/domain/0/backend/vif/%d/%u", d->rec.domid, id);
    auto_str domid = xprintf("%d", d->rec.domid);
    auto_str handle = xprintf("%u", id);
    auto_str rate = NULL;
    uint64_t bytes, interval;
    struct device_pairs front = {.n = 0}, back = {.n = 0};

    if (vif->rate != NULL && vif_rate(vif->rate, &bytes, &interval) == 0) {
        rate = xprintf("%" PRIu64 ",%" PRIu64, bytes, interval);
    }
    device_pair(&front, "backend", back_path);
    device_pair(&front, "backend-id", "0");
    device_pair(&front, "state", "1");
    device_pair(&front, "handle", handle);
    device_pair(&front, "mac", vif->mac);
    device_pair(&back, "frontend", front_path);
    device_pair(&back, "frontend-id", domid);
    device_pair(&back, "domain", domain_name(d));
    device_pair(&back, "online", "1");
    device_pair(&back, "state", "1");
    device_pair(&back, "handle", handle);
    device_pair(&back, "type", "vif");
    device_pair(&back, "rate", rate);
    device_pair(&back, "script", vif->script ? vif->script : net_default_script());
    for (size_t i = 0; i < NR_KEPT; i++) {
        device_pair(&back, kept[i], kept_field(vif, kept[i]));
    }
    return device_write(s, d->rec.domid, dev, &front, &back, err);
}

/* A script has its own way to say what went wrong. The caller frees it. */
static char *hotplug_error(struct session *s, int domid, uint32_t id)
{
    char *status = NULL, *text = NULL;

    if (xsc_readf(s->xs, XSC_NO_TX, &status, "/local/domain/0/backend/vif/%d/%u/hotplug-status",
                  domid, id) == 0 &&
        strcmp(status, "error") == 0 &&
        xsc_readf(s->xs, XSC_NO_TX, &text, "/local/domain/0/backend/vif/%d/%u/hotplug-error", domid,
                  id) != 0) {
        text = xstrdup("it does not say why");
    }
    free(status);
    return text;
}

static int write_node(struct session *s, int domid, uint32_t id, const char *name,
                      const char *value, struct error *err)
{
    auto_str path = xprintf("/local/domain/0/backend/vif/%d/%u/%s", domid, id, name);
    int rc = xsc_write_str(s->xs, XSC_NO_TX, path, value);

    return rc ? fail(err, -rc, "The store did not take %s of vif %u: %s.", name, id, strerror(-rc))
              : 0;
}

int vif_attach(struct session *s, struct domain *d, const struct vif_spec *vif, uint32_t id,
               struct error *err)
{
    struct net_card card = {.domid = d->rec.domid, .id = id, .domain = domain_name(d), .vif = vif};
    auto_str said = NULL;
    int rc = net_online(&card, err);

    said = hotplug_error(s, card.domid, id);
    if (rc == 0 && said != NULL) {
        rc = fail(err, EIO, "The script %s refuses the network card: %s.", vif->script, said);
    }
    if (rc == 0 && card.address[0] != '\0') {
        rc = write_node(s, card.domid, id, "address", card.address, err);
    }
    return rc ? rc : write_node(s, card.domid, id, "hotplug-status", "connected", err);
}

/* A card as the store has it. */
struct stored {
    struct net_card card;
    struct vif_spec vif;
    char *domain;
};

static void stored_finish(struct stored *stored)
{
    vif_finish(&stored->vif);
    free(stored->domain);
}

static int stored_read(struct session *s, int domid, uint32_t id, struct stored *stored)
{
    char *text = NULL;

    memset(stored, 0, sizeof(*stored));
    for (unsigned i = 0; i < VIF_FIELDS; i++) {
        const char *name = vif_field_names[i];

        if ((kept_field(&stored->vif, name) == NULL && strcmp(name, "rate") != 0 &&
             strcmp(name, "type") != 0) &&
            xsc_readf(s->xs, XSC_NO_TX, &text, "/local/domain/0/backend/vif/%d/%u/%s", domid, id,
                      name) == 0) {
            vif_set(&stored->vif, name, text, NULL);
            free(text);
        }
    }
    if (stored->vif.mac == NULL) {
        vif_finish(&stored->vif);
        return -ENOENT;
    }
    stored->card = (struct net_card){.domid = domid, .id = id, .vif = &stored->vif};
    if (xsc_readf(s->xs, XSC_NO_TX, &stored->domain, "/local/domain/0/backend/vif/%d/%u/domain",
                  domid, id) != 0) {
        stored->domain = xprintf("%d", domid);
    }
    stored->card.domain = stored->domain;
    if (xsc_readf(s->xs, XSC_NO_TX, &text, "/local/domain/0/backend/vif/%d/%u/address", domid,
                  id) == 0) {
        snprintf(stored->card.address, sizeof(stored->card.address), "%s", text);
        free(text);
    }
    return 0;
}

void vif_detach(struct session *s, int domid, uint32_t id)
{
    struct stored stored;

    if (stored_read(s, domid, id, &stored) == 0) {
        net_offline(&stored.card);
        stored_finish(&stored);
    }
}

static int rename_one(struct session *s, int domid, uint32_t id, const char *name,
                      struct error *err)
{
    struct stored stored;
    int rc;

    if (stored_read(s, domid, id, &stored) != 0) {
        return 0;
    }
    rc = net_rename(&stored.card, name, err);
    rc = rc ? rc : write_node(s, domid, id, "domain", name, err);
    stored_finish(&stored);
    return rc;
}

int vif_rename_all(struct session *s, int domid, const char *name, struct error *err)
{
    uint32_t *ids;
    size_t n = device_ids(s, domid, "vif", &ids);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = rename_one(s, domid, ids[i], name, err);
    }
    free(ids);
    return rc;
}

void vif_recover(struct session *s)
{
    char **domids = NULL;
    size_t count = 0;

    if (xsc_directory(s->xs, XSC_NO_TX, "/local/domain/0/backend/vif", &domids, &count) != 0) {
        count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        int domid = atoi(domids[i]);
        uint32_t *ids;
        size_t n = device_ids(s, domid, "vif", &ids);

        for (size_t j = 0; j < n; j++) {
            struct stored stored;

            if (stored_read(s, domid, ids[j], &stored) == 0) {
                net_adopt(&stored.card);
                stored_finish(&stored);
            }
        }
        free(ids);
    }
    free(domids);
    net_ready();
}

uint32_t vif_free_id(struct session *s, const struct domain *d)
{
    uint32_t *ids, free_id = 0;
    size_t n = device_ids(s, d->rec.domid, "vif", &ids);

    for (size_t i = 0; i < n; i++) {
        if (ids[i] == free_id) {
            free_id++;
            i = (size_t)-1; /* look at all again */
        }
    }
    free(ids);
    return free_id;
}
