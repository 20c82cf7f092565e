/*
 * Disks on Linux's blkback. Contract: device.h. Nodes: <xen/io/blkif.h>.
 */
#include "xend/device.h"

#include "xend/host.h"
#include "xend/lib/alloc.h"

#include <stdlib.h>
#include <unistd.h>

static void keep_loop(struct domain *d, uint32_t vdev, int fd)
{
    if (fd < 0) {
        return;
    }
    domains_lock();
    d->loops = xrealloc(d->loops, (d->nr_loops + 1) * sizeof(d->loops[0]));
    d->loops[d->nr_loops].vdev = vdev;
    d->loops[d->nr_loops++].fd = fd;
    domains_unlock();
}

static void front_pairs(const struct disk_spec *disk, struct device_pairs *p)
{
    device_pair(p, "backend-id", "0");
    device_pair(p, "state", "1");
    device_pair(p, "device-type", disk->cdrom ? "cdrom" : "disk");
}

static void back_pairs(const struct disk_spec *disk, bool loop, struct device_pairs *p)
{
    device_pair(p, "online", "1");
    device_pair(p, "state", "1");
    device_pair(p, "removable", disk->cdrom ? "1" : "0");
    device_pair(p, "bootable", "1");
    device_pair(p, "dev", disk->dev);
    device_pair(p, "type", loop ? "file" : "phy");
    device_pair(p, "mode", disk->readonly ? "r" : "w");
    device_pair(p, "device-type", disk->cdrom ? "cdrom" : "disk");
    device_pair(p, "params", disk->path);
    device_pair(p, "discard-enable", disk->readonly ? "0" : "1");
    device_pair(p, "hotplug-status", "connected");
}

int vbd_add(struct session *s, struct domain *d, const struct disk_spec *disk, struct error *err)
{
    struct device dev = {"vbd", disk->vdev};
    auto_str front_path = xprintf("/local/domain/%d/device/vbd/%u", d->rec.domid, dev.id);
    auto_str back_path = xprintf("/local/domain/0/backend/vbd/%d/%u", d->rec.domid, dev.id);
    auto_str domid = xprintf("%d", d->rec.domid);
    auto_str vdev = xprintf("%u", disk->vdev);
    auto_str physical = NULL;
    struct device_pairs front = {.n = 0}, back = {.n = 0};
    uint32_t major = 0, minor = 0;
    int fd, rc = host_disk_open(disk, &major, &minor, &fd, err);

    if (rc != 0) {
        return rc;
    }
    physical = xprintf("%x:%x", major, minor);
    device_pair(&front, "backend", back_path);
    device_pair(&front, "virtual-device", vdev);
    front_pairs(disk, &front);
    device_pair(&back, "frontend", front_path);
    device_pair(&back, "frontend-id", domid);
    device_pair(&back, "physical-device", physical);
    back_pairs(disk, fd >= 0, &back);
    rc = device_write(s, d->rec.domid, dev, &front, &back, err);
    if (rc != 0 && fd >= 0) {
        close(fd);
        fd = -1;
    }
    keep_loop(d, disk->vdev, fd);
    return rc;
}
