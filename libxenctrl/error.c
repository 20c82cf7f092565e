/*
 * error.c: what went wrong, in one sentence, and what an errno value of the hypervisor means.
 *
 * Read private.h first.
 */
#include <stdarg.h>
#include <stdio.h>

#include "libxenctrl/private.h"

const char *xc_error(const struct xc_handle *h)
{
    return h->error;
}

int xc_fail(struct xc_handle *h, int rc, const char *format, ...)
{
    va_list ap;

    if (h != NULL) {
        va_start(ap, format);
        (void)vsnprintf(h->error, sizeof(h->error), format, ap);
        va_end(ap);
    }
    return rc;
}

void xc_explain(char *why, size_t why_size, const char *format, ...)
{
    va_list ap;

    if (why == NULL || why_size == 0) {
        return;
    }
    va_start(ap, format);
    (void)vsnprintf(why, why_size, format, ap);
    va_end(ap);
}

const char *xc_reason(int rc)
{
    static const struct {
        int rc;
        const char *text;
    } reasons[] = {
        {-ESRCH, "there is no such domain (`xm list` shows those there are)"},
        {-EPERM, "the hypervisor allows it to Domain 0 only"},
        {-EACCES, "the hypervisor refuses access"},
        {-ENOMEM, "the hypervisor has not enough free memory (`xm info` shows how much)"},
        {-ENOSYS, "this hypervisor doesn't have it"},
        {-EOPNOTSUPP, "this hypervisor or this machine can't do it"},
        {-EINVAL, "the hypervisor takes an argument for wrong"},
        {-EBUSY, "it is in use"},
        {-EEXIST, "it is there already"},
        {-EFAULT, "the hypervisor couldn't reach the arguments"},
        {-ENODEV, "there is no such device"},
        {-ENOENT, "it isn't there"},
        {-E2BIG, "it is more than the hypervisor takes at once"},
        {-EXDEV, "it belongs to another domain"},
        {-ENOSPC, "the hypervisor has no room left for it"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        if (reasons[i].rc == rc) {
            return reasons[i].text;
        }
    }
    return strerror(-rc);
}
