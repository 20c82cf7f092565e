/* placeholder until the next commit */
#include "libxenctrl/private.h"
int xc_domain_dump_core(struct xc_handle *h, uint32_t domid, int fd, xc_dump_progress *progress, void *context)
{
    return xc_fail(h, -ENOSYS, "not yet");
}
