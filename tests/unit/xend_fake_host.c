/*
 * Domain 0 for xend's tests: bridges and loop devices that only remember that they were asked for.
 */
#include "network/bridge.h"
#include "xend/host.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int net_attach(const struct net_attach *what, struct error *err)
{
    return what->bridge ? net_check_bridge(what->bridge, err) : 0;
}

int net_default_bridge(char **name, struct error *err)
{
    *name = xstrdup("xenbr0");
    return 0;
}

int net_check_bridge(const char *name, struct error *err)
{
    return strcmp(name, "xenbr0") == 0 ? 0 : fail(err, ENODEV, "There is no bridge %s.", name);
}

int host_disk_open(const struct disk_spec *disk, uint32_t *major, uint32_t *minor, int *fd,
                   struct error *err)
{
    struct disk_identity id;
    int rc = host_disk_identify(disk, &id, err);

    *major = 7;
    *minor = 0;
    *fd = rc == 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    return rc;
}
