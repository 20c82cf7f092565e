/*
 * The two-level event channel ABI: a pending and a mask bit per port in the shared info page, and
 * per vcpu a selector word with a bit for each word of pending bits. Source: struct shared_info in
 * <xen/xen.h>. All of it is writable by the guest: nothing here may rely on what it finds.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/event.h>

_Static_assert(sizeof(((struct shared_info *)0)->evtchn_pending) * 8 == EVTCHN_2L_NR_CHANNELS,
               "one bit a port");

static bool port_fits(const struct evtchn *e)
{
    return e->port < EVTCHN_2L_NR_CHANNELS;
}

/* The port became deliverable: tell its vcpu, once for each word of ports. */
static __always_inline void select_port(struct vcpu *v, const struct evtchn *e)
{
    if (!test_and_set_bit(e->port / BITS_PER_LONG, &v->vcpu_info->evtchn_pending_sel)) {
        vcpu_mark_events_pending(v);
    }
}

static void set_pending_2l(struct vcpu *v, struct evtchn *e)
{
    struct shared_info *s = v->domain->shared_info;

    if (!port_fits(e) || test_and_set_bit(e->port, s->evtchn_pending)) {
        return;
    }
    if (!test_bit(e->port, s->evtchn_mask)) {
        select_port(v, e);
    }
}

static void clear_pending_2l(struct domain *d, struct evtchn *e)
{
    if (port_fits(e)) {
        clear_bit(e->port, d->shared_info->evtchn_pending);
    }
}

static void unmask_2l(struct domain *d, struct evtchn *e)
{
    struct shared_info *s = d->shared_info;

    if (port_fits(e) && test_and_clear_bit(e->port, s->evtchn_mask) &&
        test_bit(e->port, s->evtchn_pending)) {
        select_port(d->vcpu[e->notify_vcpu_id], e);
    }
}

static bool is_pending_2l(const struct domain *d, const struct evtchn *e)
{
    return port_fits(e) && test_bit(e->port, d->shared_info->evtchn_pending);
}

static bool is_masked_2l(const struct domain *d, const struct evtchn *e)
{
    return !port_fits(e) || test_bit(e->port, d->shared_info->evtchn_mask);
}

static bool is_busy_2l(const struct domain *d, const struct evtchn *e)
{
    (void)d;
    (void)e;
    return false;
}

static void init_2l(struct domain *d, struct evtchn *e)
{
    (void)d;
    (void)e;
}

static int set_priority_2l(struct domain *d, struct evtchn *e, unsigned int priority)
{
    (void)d;
    (void)e;
    (void)priority;
    return -ENOSYS; /* this ABI has no priorities */
}

const struct evtchn_ops evtchn_ops_2l = {
    .init = init_2l,
    .set_pending = set_pending_2l,
    .clear_pending = clear_pending_2l,
    .unmask = unmask_2l,
    .is_pending = is_pending_2l,
    .is_masked = is_masked_2l,
    .is_busy = is_busy_2l,
    .set_priority = set_priority_2l,
};
