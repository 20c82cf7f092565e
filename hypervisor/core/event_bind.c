/*
 * Binding and closing event channels: the operations of event_channel_op. Each takes the domain's
 * event lock (both domains' for an interdomain channel), then the port locks. Read <hospes/event.h>
 * first.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/event.h>
#include <hospes/lib.h>
#include <hospes/memory.h>

/* Gives a free port its new state: what every bind ends with. */
static void bind_port(struct domain *d, struct evtchn *e, enum evtchn_state state,
                      unsigned int vcpu_id)
{
    e->notify_vcpu_id = (uint16_t)vcpu_id;
    d->evtchn.ops->init(d, e);
    e->state = (uint8_t)state;
}

/* Allocates any port and binds it in one step; the domain's event lock held. */
static int alloc_and_bind(struct domain *d, enum evtchn_state state, unsigned int vcpu_id,
                          uint32_t number, evtchn_port_t *port)
{
    struct evtchn *e;
    unsigned long flags;
    int rc = evtchn_alloc_port(d, 0, &e);

    if (rc) {
        return rc;
    }
    spin_lock_irqsave(&e->lock, flags);
    if (state == ECS_UNBOUND) {
        e->u.unbound_remote = (domid_t)number;
    } else if (state == ECS_PIRQ) {
        e->u.pirq = number;
    } else {
        e->u.virq = number;
    }
    bind_port(d, e, state, vcpu_id);
    spin_unlock_irqrestore(&e->lock, flags);
    *port = e->port;
    return 0;
}

static domid_t resolve_self(domid_t id)
{
    return id == DOMID_SELF ? current->domain->domain_id : id;
}

int evtchn_alloc_unbound(struct evtchn_alloc_unbound *op)
{
    struct domain *d;
    int rc = domain_by_guest_id_controlled(op->dom, &d);

    if (rc) {
        return rc;
    }
    LOCKED(&d->evtchn.lock);
    return alloc_and_bind(d, ECS_UNBOUND, 0, resolve_self(op->remote_dom), &op->port);
}

/* Both domains' event locks are held. */
static int bind_interdomain_locked(struct domain *ld, struct domain *rd,
                                   struct evtchn_bind_interdomain *op)
{
    struct evtchn *l, *r = evtchn_from_port(rd, op->remote_port);
    unsigned long flags;
    int rc;

    if (!r || r->state != ECS_UNBOUND || r->u.unbound_remote != ld->domain_id) {
        return -EINVAL;
    }
    rc = evtchn_alloc_port(ld, 0, &l);
    if (rc) {
        return rc;
    }
    flags = local_irq_save();
    spin_lock_pair(&l->lock, &r->lock);
    l->u.interdomain.remote_dom = rd;
    l->u.interdomain.remote_port = r->port;
    bind_port(ld, l, ECS_INTERDOMAIN, 0);
    r->u.interdomain.remote_dom = ld;
    r->u.interdomain.remote_port = l->port;
    r->state = ECS_INTERDOMAIN;
    /* The other end may have sent before there was anyone to hear: better one event too many. */
    evtchn_set_pending(ld, l);
    spin_unlock_pair(&l->lock, &r->lock);
    local_irq_restore(flags);
    op->local_port = l->port;
    return 0;
}

int evtchn_bind_interdomain(struct evtchn_bind_interdomain *op)
{
    struct domain *ld = current->domain, *rd;
    int rc = domain_by_guest_id(op->remote_dom, &rd);

    if (rc) {
        return rc;
    }
    spin_lock_pair(&ld->evtchn.lock, &rd->evtchn.lock);
    rc = bind_interdomain_locked(ld, rd, op);
    spin_unlock_pair(&ld->evtchn.lock, &rd->evtchn.lock);
    return rc;
}

int evtchn_bind_virq(struct evtchn_bind_virq *op)
{
    struct domain *d = current->domain;
    struct vcpu *v;
    unsigned int virq = op->virq;
    int rc;

    if (virq >= NR_VIRQS_MAX || (virq_is_global(virq) && op->vcpu != 0)) {
        return -EINVAL;
    }
    virq = (unsigned int)array_index_nospec(virq, NR_VIRQS_MAX);
    v = domain_vcpu(d, op->vcpu);
    if (!v) {
        return -ENOENT;
    }
    LOCKED(&d->evtchn.lock);
    if (v->evtchn.virq_port[virq]) {
        return -EEXIST;
    }
    rc = alloc_and_bind(d, ECS_VIRQ, v->vcpu_id, virq, &op->port);
    if (!rc) {
        WRITE_ONCE(v->evtchn.virq_port[virq], op->port);
    }
    return rc;
}

int evtchn_bind_ipi(struct evtchn_bind_ipi *op)
{
    struct domain *d = current->domain;

    if (!domain_vcpu(d, op->vcpu)) {
        return -ENOENT;
    }
    LOCKED(&d->evtchn.lock);
    return alloc_and_bind(d, ECS_IPI, op->vcpu, 0, &op->port);
}

static void free_port(struct domain *d, struct evtchn *e)
{
    unsigned long flags;

    spin_lock_irqsave(&e->lock, flags);
    evtchn_release_port(d, e);
    spin_unlock_irqrestore(&e->lock, flags);
}

int evtchn_bind_pirq(struct evtchn_bind_pirq *op)
{
    struct domain *d = current->domain;
    unsigned int pirq = op->pirq;
    int rc;

    if (pirq >= NR_PIRQS) {
        return -EINVAL;
    }
    pirq = (unsigned int)array_index_nospec(pirq, NR_PIRQS);
    if (!rangeset_contains(d->irq_caps, pirq, pirq)) {
        return -EPERM;
    }
    LOCKED(&d->evtchn.lock);
    if (!d->evtchn.pirq_port) {
        evtchn_port_t *ports = xzalloc_array(evtchn_port_t, NR_PIRQS);

        if (!ports) {
            return -ENOMEM;
        }
        __atomic_store_n(&d->evtchn.pirq_port, ports, __ATOMIC_RELEASE);
    }
    if (d->evtchn.pirq_port[pirq]) {
        return -EEXIST;
    }
    rc = alloc_and_bind(d, ECS_PIRQ, 0, pirq, &op->port);
    if (rc) {
        return rc;
    }
    /* From the next line on the interrupt may come: the port is ready for it. */
    WRITE_ONCE(d->evtchn.pirq_port[pirq], op->port);
    rc = arch_pirq_bind(d->vcpu[0], pirq, (op->flags & BIND_PIRQ__WILL_SHARE) != 0);
    if (rc) {
        WRITE_ONCE(d->evtchn.pirq_port[pirq], 0);
        free_port(d, evtchn_from_port(d, op->port));
    }
    return rc;
}

int evtchn_bind_vcpu(evtchn_port_t port, unsigned int vcpu_id)
{
    struct domain *d = current->domain;
    struct vcpu *v = domain_vcpu(d, vcpu_id);
    struct evtchn *e = evtchn_from_port(d, port);
    unsigned long flags;
    uint32_t pirq = 0;
    bool is_pirq;
    int rc = 0;

    if (!v) {
        return -ENOENT;
    }
    if (!e) {
        return -EINVAL;
    }
    LOCKED(&d->evtchn.lock);
    spin_lock_irqsave(&e->lock, flags);
    is_pirq = e->state == ECS_PIRQ;
    if (!(e->state == ECS_UNBOUND || e->state == ECS_INTERDOMAIN || is_pirq ||
          (e->state == ECS_VIRQ && virq_is_global(e->u.virq)))) {
        rc = -EINVAL;
    } else {
        pirq = is_pirq ? e->u.pirq : 0;
        e->notify_vcpu_id = (uint16_t)v->vcpu_id;
    }
    spin_unlock_irqrestore(&e->lock, flags);
    if (!rc && is_pirq) {
        arch_pirq_set_affinity(d, pirq, v);
    }
    return rc;
}

int evtchn_status(struct evtchn_status *op)
{
    struct domain *d;
    const struct evtchn *e;
    int rc = domain_by_guest_id_controlled(op->dom, &d);

    if (rc) {
        return rc;
    }
    e = evtchn_from_port(d, op->port);
    if (!e) {
        return -EINVAL;
    }
    LOCKED(&d->evtchn.lock);
    switch ((enum evtchn_state)e->state) {
    case ECS_FREE:
    case ECS_RESERVED:
        op->status = EVTCHNSTAT_closed;
        break;
    case ECS_UNBOUND:
        op->status = EVTCHNSTAT_unbound;
        op->u.unbound.dom = e->u.unbound_remote;
        break;
    case ECS_INTERDOMAIN:
        op->status = EVTCHNSTAT_interdomain;
        op->u.interdomain.dom = e->u.interdomain.remote_dom->domain_id;
        op->u.interdomain.port = e->u.interdomain.remote_port;
        break;
    case ECS_PIRQ:
        op->status = EVTCHNSTAT_pirq;
        op->u.pirq = e->u.pirq;
        break;
    case ECS_VIRQ:
        op->status = EVTCHNSTAT_virq;
        op->u.virq = e->u.virq;
        break;
    case ECS_IPI:
        op->status = EVTCHNSTAT_ipi;
        break;
    }
    op->vcpu = e->notify_vcpu_id;
    return 0;
}

/* ---- closing ---- */

/* Ends the binding to something inside this machine; d's event lock held. */
static void close_local(struct domain *d, struct evtchn *e)
{
    if (e->state == ECS_PIRQ) {
        arch_pirq_unbind(d, e->u.pirq);
        WRITE_ONCE(d->evtchn.pirq_port[e->u.pirq], 0);
    } else if (e->state == ECS_VIRQ) {
        unsigned int id = virq_is_global(e->u.virq) ? 0 : e->notify_vcpu_id;

        WRITE_ONCE(d->vcpu[id]->evtchn.virq_port[e->u.virq], 0);
    }
    free_port(d, e);
}

/* Both event locks held. The far end can be bound to again by this domain. */
static void close_interdomain(struct domain *d, struct evtchn *e)
{
    struct domain *rd = e->u.interdomain.remote_dom;
    struct evtchn *r = evtchn_from_port(rd, e->u.interdomain.remote_port);
    unsigned long flags = local_irq_save();

    spin_lock_pair(&e->lock, &r->lock);
    evtchn_release_port(d, e);
    r->state = ECS_UNBOUND;
    r->u.unbound_remote = d->domain_id;
    spin_unlock_pair(&e->lock, &r->lock);
    local_irq_restore(flags);
}

/* Locks d and the domain at e's far end, if it has one; returns that domain or d. */
static struct domain *lock_both_ends(struct domain *d, const struct evtchn *e)
{
    for (;;) {
        struct domain *rd = d;

        spin_lock(&d->evtchn.lock);
        if (e->state == ECS_INTERDOMAIN) {
            rd = e->u.interdomain.remote_dom;
        }
        if (rd == d) {
            return d;
        }
        /* rd lives at least until this CPU's next quiet point, also if e is closed meanwhile. */
        spin_unlock(&d->evtchn.lock);
        spin_lock_pair(&d->evtchn.lock, &rd->evtchn.lock);
        if (e->state == ECS_INTERDOMAIN && e->u.interdomain.remote_dom == rd) {
            return rd;
        }
        spin_unlock_pair(&d->evtchn.lock, &rd->evtchn.lock);
    }
}

int evtchn_close(struct domain *d, evtchn_port_t port)
{
    struct evtchn *e = evtchn_from_port(d, port);
    struct domain *rd;
    int rc = 0;

    if (!e) {
        return -EINVAL;
    }
    rd = lock_both_ends(d, e);
    if (e->state <= ECS_RESERVED) {
        rc = -EINVAL;
    } else if (e->state == ECS_INTERDOMAIN) {
        close_interdomain(d, e);
    } else {
        close_local(d, e);
    }
    spin_unlock_pair(&d->evtchn.lock, &rd->evtchn.lock);
    return rc;
}
