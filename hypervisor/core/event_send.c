/*
 * Raising events: by other domains, by virtual and physical interrupts; looking whether one is
 * pending, unmasking. Read <hospes/event.h> first: it says which lock protects what.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/event.h>
#include <hospes/lib.h>
#include <hospes/trace.h>

void vcpu_mark_events_pending(struct vcpu *v)
{
    if (!__atomic_exchange_n(&v->vcpu_info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST)) {
        vcpu_kick(v);
    }
}

bool vcpu_event_delivery_pending(const struct vcpu *v)
{
    return READ_ONCE(v->vcpu_info->evtchn_upcall_pending) && arch_events_enabled(v);
}

/* Wakes the vcpus that poll for this port, or for several. */
static void wake_pollers(struct domain *d, evtchn_port_t port)
{
    unsigned int n = ARRAY_SIZE(d->evtchn.poll_mask) * BITS_PER_LONG;
    unsigned int id = find_next_bit(d->evtchn.poll_mask, n, 0);

    for (; id < n; id = find_next_bit(d->evtchn.poll_mask, n, id + 1)) {
        struct vcpu *v = domain_vcpu(d, id);
        unsigned int polled = v ? READ_ONCE(v->sched.poll_evtchn) : 0;

        if (v && (polled == port || polled == ~0u) && test_and_clear_bit(id, d->evtchn.poll_mask)) {
            WRITE_ONCE(v->sched.poll_evtchn, 0);
            vcpu_unblock(v);
        }
    }
}

static __always_inline void set_pending(struct domain *d, struct evtchn *e)
{
    struct vcpu *v = d->vcpu[e->notify_vcpu_id];
    bool polled = false;

    if (unlikely(!v)) {
        return; /* still being built: there is nobody to tell */
    }
    d->evtchn.ops->set_pending(v, e);
    for (unsigned int i = 0; i < ARRAY_SIZE(d->evtchn.poll_mask); i++) {
        polled |= READ_ONCE(d->evtchn.poll_mask[i]) != 0;
    }
    if (unlikely(polled)) {
        wake_pollers(d, e->port);
    }
}

void evtchn_set_pending(struct domain *d, struct evtchn *e)
{
    set_pending(d, e);
}

/* A port that is bound: only then may its ABI state be looked at, because a reset,
 * which frees FIFO's, closes all of those first. The port's lock is held. */
static bool is_usable(const struct evtchn *e)
{
    return e->state > ECS_RESERVED;
}

int evtchn_poll(const struct domain *d, evtchn_port_t port)
{
    struct evtchn *e = evtchn_from_port(d, port);
    unsigned long flags;
    bool pending;

    if (!e) {
        return -EINVAL;
    }
    spin_lock_irqsave(&e->lock, flags);
    pending = is_usable(e) && d->evtchn.ops->is_pending(d, e);
    spin_unlock_irqrestore(&e->lock, flags);
    return pending;
}

int evtchn_unmask(struct domain *d, evtchn_port_t port)
{
    struct evtchn *e = evtchn_from_port(d, port);
    unsigned long flags;

    if (!e) {
        return -EINVAL;
    }
    spin_lock_irqsave(&e->lock, flags);
    if (is_usable(e)) {
        d->evtchn.ops->unmask(d, e);
    }
    spin_unlock_irqrestore(&e->lock, flags);
    return 0;
}

int evtchn_set_priority(struct domain *d, evtchn_port_t port, unsigned int priority)
{
    struct evtchn *e = evtchn_from_port(d, port);
    unsigned long flags;
    int rc;

    if (!e) {
        return -EINVAL;
    }
    spin_lock_irqsave(&e->lock, flags);
    rc = d->evtchn.ops->set_priority(d, e, priority);
    spin_unlock_irqrestore(&e->lock, flags);
    return rc;
}

/* An interdomain send; e's lock is held, and with it the binding. */
static void send_interdomain(struct evtchn *e)
{
    struct domain *rd = e->u.interdomain.remote_dom;
    struct evtchn *remote = evtchn_from_port(rd, e->u.interdomain.remote_port);

    TRACE(TRC_HOSPES_EVENT_SEND, current->domain->domain_id, e->port, rd->domain_id, remote->port);
    set_pending(rd, remote);
}

int evtchn_send(struct domain *d, evtchn_port_t port)
{
    struct evtchn *e = evtchn_from_port(d, port);
    int rc = 0;

    if (unlikely(!e)) {
        return -EINVAL;
    }
    spin_lock_irq(&e->lock);
    if (likely(e->state == ECS_INTERDOMAIN)) {
        send_interdomain(e);
    } else if (e->state == ECS_IPI) {
        set_pending(d, e);
    } else if (e->state != ECS_UNBOUND) { /* to nobody yet: dropped without a word */
        rc = -EINVAL;
    }
    spin_unlock_irq(&e->lock);
    return rc;
}

/* Raises a port that is looked up from an interrupt number: it may have been closed, and be
 * something else by now, which its state tells. */
static void raise_if(struct domain *d, evtchn_port_t port, enum evtchn_state state, uint32_t number)
{
    struct evtchn *e = port ? evtchn_from_port(d, port) : NULL;
    unsigned long flags;

    if (!e) {
        return;
    }
    spin_lock_irqsave(&e->lock, flags);
    if (e->state == state && (state == ECS_PIRQ ? e->u.pirq : e->u.virq) == number) {
        evtchn_set_pending(d, e);
    }
    spin_unlock_irqrestore(&e->lock, flags);
}

bool virq_is_global(unsigned int virq)
{
    switch (virq) {
    case VIRQ_TIMER:
    case VIRQ_DEBUG:
    case VIRQ_XENOPROF:
    case VIRQ_XENPMU:
        return false;
    default:
        return virq < VIRQ_ARCH_0 || virq > VIRQ_ARCH_7;
    }
}

void send_guest_vcpu_virq(struct vcpu *v, unsigned int virq)
{
    raise_if(v->domain, READ_ONCE(v->evtchn.virq_port[virq]), ECS_VIRQ, virq);
}

void send_guest_global_virq(struct domain *d, unsigned int virq)
{
    struct vcpu *v = d ? domain_vcpu(d, 0) : NULL;

    if (v) {
        TRACE(TRC_HOSPES_EVENT_VIRQ, d->domain_id, 0, virq);
        raise_if(d, READ_ONCE(v->evtchn.virq_port[virq]), ECS_VIRQ, virq);
    }
}

void send_guest_pirq(struct domain *d, unsigned int pirq)
{
    evtchn_port_t *ports = __atomic_load_n(&d->evtchn.pirq_port, __ATOMIC_ACQUIRE);

    if (ports && pirq < NR_PIRQS) {
        TRACE(TRC_HOSPES_EVENT_PIRQ, d->domain_id, pirq, READ_ONCE(ports[pirq]));
        raise_if(d, READ_ONCE(ports[pirq]), ECS_PIRQ, pirq);
    }
}

/* ---- who gets the global virqs ---- */

/* NULL: Domain 0. Each holds a reference; changed one at a time (RANK_DOMCTL). */
static struct domain *virq_handlers[NR_VIRQS_MAX];

void send_global_virq(unsigned int virq)
{
    struct domain *d = __atomic_load_n(&virq_handlers[virq], __ATOMIC_ACQUIRE);

    send_guest_global_virq(d ? d : hardware_domain, virq);
}

static struct domain *swap_virq_handler(unsigned int virq, struct domain *d)
{
    return __atomic_exchange_n(&virq_handlers[virq], d, __ATOMIC_ACQ_REL);
}

int set_global_virq_handler(struct domain *d, unsigned int virq)
{
    struct domain *old;

    /* Who dies has given back what it handles already, or is just doing it: one domctl at a time.
     */
    if (virq >= NR_VIRQS_MAX || !virq_is_global(virq) || d->is_dying != DOMDYING_ALIVE ||
        !get_domain(d)) {
        return -EINVAL;
    }
    virq = (unsigned int)array_index_nospec(virq, NR_VIRQS_MAX);
    old = swap_virq_handler(virq, d);
    if (old) {
        put_domain(old);
    }
    return 0;
}

void forget_virq_handler(struct domain *d)
{
    for (unsigned int virq = 0; virq < NR_VIRQS_MAX; virq++) {
        struct domain *self = d;

        if (__atomic_compare_exchange_n(&virq_handlers[virq], &self, NULL, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            put_domain(d);
        }
    }
}
