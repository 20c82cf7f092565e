/*
 * list.c: what the hypervisor tells of its domains.
 *
 * Read private.h first.
 */
#include <stdlib.h>

#include "libxenctrl/private.h"

/* Domains in one call of the hypervisor: what fits in the largest cached buffer. */
#define BATCH ((XC_CACHE_PAGES * XC_PAGE_SIZE) / sizeof(struct xen_domctl_getdomaininfo))

void xc_domain_info_from(const struct xen_domctl_getdomaininfo *from, struct xc_domain_info *info)
{
    uint32_t f = from->flags;

    *info = (struct xc_domain_info){
        .domid = from->domain,
        .dying = f & XEN_DOMINF_dying,
        .shutdown = f & XEN_DOMINF_shutdown,
        .paused = f & XEN_DOMINF_paused,
        .blocked = f & XEN_DOMINF_blocked,
        .running = f & XEN_DOMINF_running,
        .hvm = f & XEN_DOMINF_hvm_guest,
        .hap = f & XEN_DOMINF_hap,
        .xenstore = f & XEN_DOMINF_xs_domain,
        .debugged = f & XEN_DOMINF_debugged,
        .shutdown_reason =
            (enum xc_shutdown_reason)((f >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask),
        .tot_pages = from->tot_pages,
        .max_pages = from->max_pages,
        .outstanding_pages = from->outstanding_pages,
        .shared_info_mfn = from->shared_info_frame,
        .cpu_time_ns = from->cpu_time,
        .online_vcpus = from->nr_online_vcpus,
        .max_vcpu_id = from->max_vcpu_id,
        .ssidref = from->ssidref,
        .cpupool = from->cpupool,
    };
    memcpy(info->uuid, from->handle, sizeof(info->uuid));
}

int xc_domain_get_info(struct xc_handle *h, uint32_t domid, struct xc_domain_info *info)
{
    const struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_getdomaininfo, domid);
    int rc = xc_domctl(h);

    /* Xen answers for the next domain where there is none of this number. */
    if (rc == 0 && d->u.getdomaininfo.domain != domid) {
        rc = -ESRCH;
    }
    if (rc < 0) {
        return xc_fail(h, rc, "Nothing can be learnt of domain %u: %s.", domid, xc_reason(rc));
    }
    xc_domain_info_from(&d->u.getdomaininfo, info);
    return 0;
}

/* One call: at most @max domains from @first, into @buffer. */
static int list_batch(struct xc_handle *h, uint32_t first, struct xc_buffer *buffer,
                      unsigned int max)
{
    struct xen_sysctl *s = xc_sysctl_begin(h, XEN_SYSCTL_getdomaininfolist);
    int rc;

    s->u.getdomaininfolist.first_domain = (domid_t)first;
    s->u.getdomaininfolist.max_domains = max;
    set_xen_guest_handle(s->u.getdomaininfolist.buffer,
                         (struct xen_domctl_getdomaininfo *)buffer->p);
    rc = xc_sysctl(h);
    if (rc < 0) {
        return xc_fail(h, rc, "The domains can't be listed: %s.", xc_reason(rc));
    }
    return s->u.getdomaininfolist.num_domains < max ? (int)s->u.getdomaininfolist.num_domains
                                                    : (int)max;
}

int xc_domain_list(struct xc_handle *h, uint32_t first, struct xc_domain_info *infos,
                   unsigned int max)
{
    XC_SCOPED_BUFFER buffer = xc_buffer_new(h, BATCH * sizeof(struct xen_domctl_getdomaininfo));
    const struct xen_domctl_getdomaininfo *from = buffer.p;
    unsigned int n = 0;

    if (buffer.p == NULL) {
        return -ENOMEM;
    }
    while (n < max && first < XC_DOMID_RESERVED) {
        unsigned int want = max - n < BATCH ? max - n : (unsigned int)BATCH;
        int got = list_batch(h, first, &buffer, want);

        if (got < 0) {
            return got;
        }
        for (int i = 0; i < got; i++) {
            xc_domain_info_from(&from[i], &infos[n++]);
        }
        if (got < (int)want) {
            break;
        }
        first = infos[n - 1].domid + 1;
    }
    return (int)n;
}

int xc_domain_list_all(struct xc_handle *h, struct xc_domain_info **infos)
{
    struct xc_domain_info *all = NULL, *more;
    unsigned int n = 0, room = 0;
    int got = 0;

    do {
        room = room == 0 ? 64 : room * 2;
        more = reallocarray(all, room, sizeof(*all));
        if (more == NULL) {
            free(all);
            return xc_fail(h, -ENOMEM, "There is no memory for a list of %u domains.", room);
        }
        all = more;
        got = xc_domain_list(h, n == 0 ? 0 : all[n - 1].domid + 1, all + n, room - n);
        if (got < 0) {
            free(all);
            return got;
        }
        n += (unsigned int)got;
    } while (n == room);
    *infos = all;
    return (int)n;
}
