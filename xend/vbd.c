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

int vbd_add(struct session *s, struct domain *d, const struct disk_spec *disk, struct error *err)
{
    struct device dev = {"vbd", disk->vdev};
    auto_str front_path = xprintf("/local/domain/%d/device/vbd/%u", d->rec.domid, dev.id);
    auto_str back_path = xprintf("/local/domain/0/backend/vbd/%d/%u", d->rec.domid, dev.id);
    auto_str domid = xprintf("%d", d->rec.domid);
    auto_str vdev = xprintf("%u", disk->vdev);
    auto_str physical = NULL;
    uint32_t major = 0, minor = 0;
    int fd, rc = host_disk_open(disk, &major, &minor, &fd, err);

    if (rc != 0) {
        return rc;
    }
    physical = xprintf("%x:%x", major, minor);
    {
        const char *const front[] = {"backend",
                                     back_path,
                                     "backend-id",
                                     "0",
                                     "state",
                                     "1",
                                     "virtual-device",
                                     vdev,
                                     "device-type",
                                     disk->cdrom ? "cdrom" : "disk",
                                     NULL};
        const char *const back[] = {"frontend",
                                    front_path,
                                    "frontend-id",
                                    domid,
                                    "online",
                                    "1",
                                    "removable",
                                    disk->cdrom ? "1" : "0",
                                    "bootable",
                                    "1",
                                    "state",
                                    "1",
                                    "dev",
                                    disk->dev,
                                    "type",
                                    fd < 0 ? "phy" : "file",
                                    "mode",
                                    disk->readonly ? "r" : "w",
                                    "device-type",
                                    disk->cdrom ? "cdrom" : "disk",
                                    "params",
                                    disk->path,
                                    "discard-enable",
                                    disk->readonly ? "0" : "1",
                                    "physical-device",
                                    physical,
                                    "hotplug-status",
                                    "connected",
                                    NULL};

        rc = device_write(s, d->rec.domid, dev, front, back, err);
    }
    if (rc != 0 && fd >= 0) {
        close(fd);
        fd = -1;
    }
    keep_loop(d, disk->vdev, fd);
    return rc;
}
