/*
 * Network cards on Linux's netback. Contract: device.h. Nodes: <xen/io/netif.h>.
 *
 * netback makes the interface vifX.Y as soon as it sees the backend's folder, and lets packets
 * through once hotplug-status says "connected": in between it is put on its bridge.
 */
#include "xend/device.h"

#include "network/mode.h"
#include "xend/lib/alloc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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
    device_pair(&back, "online", "1");
    device_pair(&back, "state", "1");
    device_pair(&back, "handle", handle);
    device_pair(&back, "mac", vif->mac);
    device_pair(&back, "type", "vif");
    device_pair(&back, "bridge", vif->bridge);
    device_pair(&back, "ip", vif->ip);
    device_pair(&back, "vifname", vif->vifname);
    device_pair(&back, "rate", rate);
    device_pair(&back, "script", vif->script ? vif->script : NET_DEFAULT_SCRIPT);
    return device_write(s, d->rec.domid, dev, &front, &back, err);
}

int vif_attach(struct session *s, struct domain *d, const struct vif_spec *vif, uint32_t id,
               struct error *err)
{
    auto_str ifname = xprintf("vif%d.%u", d->rec.domid, id);
    auto_str status = xprintf("/local/domain/0/backend/vif/%d/%u/hotplug-status", d->rec.domid, id);
    int rc = net_online(vif, ifname, err);

    if (rc != 0) {
        return rc;
    }
    rc = xsc_write_str(s->xs, XSC_NO_TX, status, "connected");
    return rc ? fail(err, -rc, "The store did not take hotplug-status of %s: %s.", ifname,
                     strerror(-rc))
              : 0;
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
