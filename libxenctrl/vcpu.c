/*
 * vcpu.c: virtual CPUs: state, registers, and where they run.
 *
 * Read private.h first.
 */
#include "libxenctrl/private.h"

int xc_vcpu_get_info(struct xc_handle *h, uint32_t domid, uint32_t vcpu, struct xc_vcpu_info *info)
{
    struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_getvcpuinfo, domid);
    const struct xen_domctl_getvcpuinfo *v = &d->u.getvcpuinfo;
    int rc;

    d->u.getvcpuinfo.vcpu = vcpu;
    rc = xc_domctl(h);
    if (rc < 0) {
        return xc_fail(h, rc, "Nothing can be learnt of virtual CPU %u of domain %u: %s.", vcpu,
                       domid, rc == -ESRCH ? "there is no such one" : xc_reason(rc));
    }
    *info = (struct xc_vcpu_info){
        .online = v->online,
        .blocked = v->blocked,
        .running = v->running,
        .cpu = v->cpu,
        .cpu_time_ns = v->cpu_time,
    };
    return 0;
}

static int context_call(struct xc_handle *h, uint32_t cmd, uint32_t domid, uint32_t vcpu,
                        struct xc_buffer *buffer)
{
    struct xen_domctl *d = xc_domctl_begin(h, cmd, domid);
    int rc;

    d->u.vcpucontext.vcpu = vcpu;
    set_xen_guest_handle(d->u.vcpucontext.ctxt, (struct vcpu_guest_context *)buffer->p);
    rc = xc_domctl(h);
    if (rc < 0) {
        return xc_fail(h, rc, "The registers of virtual CPU %u of domain %u can't be %s: %s.", vcpu,
                       domid, cmd == XEN_DOMCTL_setvcpucontext ? "set" : "read", xc_reason(rc));
    }
    return 0;
}

int xc_vcpu_get_context(struct xc_handle *h, uint32_t domid, uint32_t vcpu,
                        struct vcpu_guest_context *context)
{
    XC_SCOPED_BUFFER buffer = xc_buffer_new(h, sizeof(*context));
    int rc;

    if (buffer.p == NULL) {
        return -ENOMEM;
    }
    rc = context_call(h, XEN_DOMCTL_getvcpucontext, domid, vcpu, &buffer);
    if (rc == 0) {
        memcpy(context, buffer.p, sizeof(*context));
    }
    return rc;
}

int xc_vcpu_set_context(struct xc_handle *h, uint32_t domid, uint32_t vcpu,
                        const struct vcpu_guest_context *context)
{
    XC_SCOPED_BUFFER buffer = xc_buffer_new(h, sizeof(*context));

    if (buffer.p == NULL) {
        return -ENOMEM;
    }
    memcpy(buffer.p, context, sizeof(*context));
    return context_call(h, XEN_DOMCTL_setvcpucontext, domid, vcpu, &buffer);
}

size_t xc_cpumap_size(struct xc_handle *h)
{
    struct xc_host_info info;

    if (h->nr_cpu_bits == 0) {
        h->nr_cpu_bits = xc_host_get_info(h, &info) == 0 ? info.max_cpu_id + 1 : 1;
    }
    return (h->nr_cpu_bits + 7) / 8;
}

/*
 * Get or set affinities: @hard and @soft are the caller's maps or NULL. The hypervisor returns the
 * effective maps from a set; they are of no interest here.
 */
static int affinity_call(struct xc_handle *h, uint32_t cmd, uint32_t domid, uint32_t vcpu,
                         uint8_t *hard, uint8_t *soft, size_t size)
{
    XC_SCOPED_BUFFER buffer = xc_buffer_new(h, 2 * size);
    struct xen_domctl *d;
    uint8_t *maps = buffer.p;
    bool set = cmd == XEN_DOMCTL_setvcpuaffinity;
    int rc;

    if (buffer.p == NULL) {
        return -ENOMEM;
    }
    d = xc_domctl_begin(h, cmd, domid);
    d->u.vcpuaffinity.vcpu = vcpu;
    if (hard != NULL) {
        d->u.vcpuaffinity.flags |= XEN_VCPUAFFINITY_HARD;
        d->u.vcpuaffinity.cpumap_hard.nr_bits = (uint32_t)size * 8;
        set_xen_guest_handle(d->u.vcpuaffinity.cpumap_hard.bitmap, maps);
        memcpy(maps, hard, size);
    }
    if (soft != NULL) {
        d->u.vcpuaffinity.flags |= XEN_VCPUAFFINITY_SOFT;
        d->u.vcpuaffinity.cpumap_soft.nr_bits = (uint32_t)size * 8;
        set_xen_guest_handle(d->u.vcpuaffinity.cpumap_soft.bitmap, maps + size);
        memcpy(maps + size, soft, size);
    }
    rc = xc_domctl(h);
    if (rc < 0) {
        return xc_fail(h, rc, "The CPUs of virtual CPU %u of domain %u can't be %s: %s.", vcpu,
                       domid, set ? "chosen" : "read",
                       set && rc == -EINVAL ? "none of them is online in the domain's CPU pool"
                                            : xc_reason(rc));
    }
    if (!set && hard != NULL) {
        memcpy(hard, maps, size);
    }
    if (!set && soft != NULL) {
        memcpy(soft, maps + size, size);
    }
    return 0;
}

int xc_vcpu_set_affinity(struct xc_handle *h, uint32_t domid, uint32_t vcpu, const uint8_t *hard,
                         const uint8_t *soft, size_t size)
{
    uint8_t maps[2][1024];

    if (size == 0 || size > sizeof(maps[0])) {
        return xc_fail(h, -EINVAL, "A CPU map of %zu bytes can't be: it has 1 to %zu.", size,
                       sizeof(maps[0]));
    }
    if (hard != NULL) {
        memcpy(maps[0], hard, size);
    }
    if (soft != NULL) {
        memcpy(maps[1], soft, size);
    }
    return affinity_call(h, XEN_DOMCTL_setvcpuaffinity, domid, vcpu, hard ? maps[0] : NULL,
                         soft ? maps[1] : NULL, size);
}

int xc_vcpu_get_affinity(struct xc_handle *h, uint32_t domid, uint32_t vcpu, uint8_t *hard,
                         uint8_t *soft, size_t size)
{
    if (size == 0 || size > 1024) {
        return xc_fail(h, -EINVAL, "A CPU map of %zu bytes can't be: it has 1 to 1024.", size);
    }
    return affinity_call(h, XEN_DOMCTL_getvcpuaffinity, domid, vcpu, hard, soft, size);
}
