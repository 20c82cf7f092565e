/*
 * Event channels: finding, allocating and freeing ports, and raising events. Bindings are
 * event_bind.c. Read <hospes/event.h> first: it says which lock protects what.
 *
 * A struct evtchn, once made, stays until its domain is freed; so a port number can be looked up
 * without a lock, and a stale one is recognised by the state under the port's lock.
 */
#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/event.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <hospes/trace.h>

/* ---- ports ---- */

/* Makes the next bucket of ports; the domain's event lock held. */
static int grow_ports(struct domain *d)
{
    struct domain_events *de = &d->evtchn;
    unsigned int bucket = de->valid_ports / EVTCHNS_PER_BUCKET;
    unsigned int group = bucket / BUCKETS_PER_GROUP;
    struct evtchn *e;

    if (group >= EVTCHN_GROUPS) {
        return -ENOSPC;
    }
    if (!de->groups[group]) {
        de->groups[group] = xzalloc_array(struct evtchn *, BUCKETS_PER_GROUP);
    }
    e = de->groups[group] ? xzalloc_array(struct evtchn, EVTCHNS_PER_BUCKET) : NULL;
    if (!e) {
        return -ENOMEM;
    }
    for (unsigned int i = 0; i < EVTCHNS_PER_BUCKET; i++) {
        spin_lock_init(&e[i].lock, RANK_EVTCHN_PORT);
        e[i].port = de->valid_ports + i;
    }
    de->groups[group][bucket % BUCKETS_PER_GROUP] = e;
    __atomic_store_n(&de->valid_ports, de->valid_ports + EVTCHNS_PER_BUCKET, __ATOMIC_RELEASE);
    return 0;
}

/* How many ports the ABI in use can express. */
static unsigned int abi_max_ports(const struct domain *d)
{
    return d->evtchn.fifo ? EVTCHN_FIFO_NR_CHANNELS : EVTCHN_2L_NR_CHANNELS;
}

static int take_port(struct domain *d, struct evtchn *e)
{
    if (e->state != ECS_FREE || d->evtchn.ops->is_busy(d, e)) {
        return -EBUSY;
    }
    d->evtchn.active_ports++;
    return 0;
}

int evtchn_alloc_port(struct domain *d, evtchn_port_t port, struct evtchn **out)
{
    struct domain_events *de = &d->evtchn;
    unsigned int limit = min(de->max_ports, abi_max_ports(d)), linked = 0;
    bool any = port == 0;

    ASSERT(spin_is_locked(&de->lock));
    if (d->is_dying) {
        return -EINVAL;
    }
    if (any) {
        port = de->first_free;
    } else if (port >= limit) {
        return -EINVAL;
    }
    for (; port < limit; port++) {
        int rc;

        while (port >= de->valid_ports) {
            rc = grow_ports(d);
            if (rc) {
                return rc;
            }
        }
        *out = evtchn_from_port(d, port);
        rc = take_port(d, *out);
        if (rc != 0 && linked == 0 && (*out)->state == ECS_FREE) {
            linked = port; /* until the guest takes it off its queue: the next search begins here */
        }
        if (rc == 0 && any) {
            de->first_free = linked != 0 ? linked : port + 1;
        }
        if (rc == 0 || !any) {
            return rc;
        }
    }
    return -ENOSPC;
}

void evtchn_release_port(struct domain *d, struct evtchn *e)
{
    d->evtchn.ops->clear_pending(d, e);
    e->pending_fifo = false;
    if (e->xen_consumer) {
        e->xen_consumer = NULL;
        d->evtchn.xen_ports--;
    }
    d->evtchn.active_ports--;
    d->evtchn.first_free = min(d->evtchn.first_free, (unsigned int)e->port);
    e->notify_vcpu_id = 0;
    e->state = ECS_FREE;
}

/* ---- life with the domain ---- */

int evtchn_init(struct domain *d)
{
    struct domain_events *de = &d->evtchn;
    struct evtchn *zero;

    spin_lock_init(&de->lock, RANK_EVTCHN_DOMAIN);
    de->ops = &evtchn_ops_2l;
    de->max_ports = EVTCHN_FIFO_NR_CHANNELS;
    if (grow_ports(d)) {
        evtchn_free(d);
        return -ENOMEM;
    }
    zero = evtchn_from_port(d, 0);
    zero->state = ECS_RESERVED;
    de->first_free = 1;
    return 0;
}

void evtchn_free(struct domain *d)
{
    struct domain_events *de = &d->evtchn;

    if (de->fifo) {
        evtchn_fifo_destroy(d);
    }
    for (unsigned int g = 0; g < EVTCHN_GROUPS; g++) {
        for (unsigned int b = 0; de->groups[g] && b < BUCKETS_PER_GROUP; b++) {
            xfree(de->groups[g][b]);
        }
        xfree(de->groups[g]);
        de->groups[g] = NULL;
    }
    xfree(de->pirq_port);
    de->pirq_port = NULL;
    de->valid_ports = 0;
}

/* ---- raising ---- */

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

/* A port of the guest's that is bound: only then may its ABI state be looked at, because a reset,
 * which frees FIFO's, closes all of those first. The port's lock is held. */
static bool is_usable(const struct evtchn *e)
{
    return e->state > ECS_RESERVED && !e->xen_consumer;
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

/* An interdomain send; e's lock is held, interrupts are off; both end here. */
static void send_interdomain(struct evtchn *e)
{
    struct domain *rd = e->u.interdomain.remote_dom;
    struct evtchn *remote = evtchn_from_port(rd, e->u.interdomain.remote_port);
    evtchn_consumer_t consumer = remote->xen_consumer;

    TRACE(TRC_HOSPES_EVENT_SEND, current->domain->domain_id, e->port, rd->domain_id, remote->port);
    if (!consumer) {
        evtchn_set_pending(rd, remote);
        spin_unlock_irq(&e->lock);
        return;
    }
    /* The consumer may do anything but must not find the port locked; rd cannot be freed before
     * this CPU has been through a quiet point. */
    evtchn_port_t port = remote->port;
    struct vcpu *v = rd->vcpu[remote->notify_vcpu_id];

    spin_unlock_irq(&e->lock);
    consumer(v, port);
}

int evtchn_send(struct domain *d, evtchn_port_t port)
{
    struct evtchn *e = evtchn_from_port(d, port);
    int rc = 0;

    if (unlikely(!e)) {
        return -EINVAL;
    }
    spin_lock_irq(&e->lock);
    if (unlikely(e->xen_consumer)) {
        rc = -EINVAL;
    } else if (e->state == ECS_INTERDOMAIN) {
        send_interdomain(e);
        return 0;
    } else if (e->state == ECS_IPI) {
        set_pending(d, e);
    } else if (e->state != ECS_UNBOUND) { /* to nobody yet: dropped without a word */
        rc = -EINVAL;
    }
    spin_unlock_irq(&e->lock);
    return rc;
}

void evtchn_notify_from_xen(struct domain *d, evtchn_port_t port)
{
    struct evtchn *e = evtchn_from_port(d, port);
    unsigned long flags;

    if (!e) {
        return;
    }
    spin_lock_irqsave(&e->lock, flags);
    if (e->state == ECS_INTERDOMAIN && e->xen_consumer) {
        struct domain *rd = e->u.interdomain.remote_dom;

        evtchn_set_pending(rd, evtchn_from_port(rd, e->u.interdomain.remote_port));
    }
    spin_unlock_irqrestore(&e->lock, flags);
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

/* ---- the end of a domain ---- */

int evtchn_destroy(struct domain *d)
{
    for (unsigned int virq = 0; virq < NR_VIRQS_MAX; virq++) {
        struct domain *self = d;

        if (__atomic_compare_exchange_n(&virq_handlers[virq], &self, NULL, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            put_domain(d);
        }
    }
    /* After this nobody can allocate: who held the lock before us saw the domain alive and is done.
     */
    spin_lock(&d->evtchn.lock);
    spin_unlock(&d->evtchn.lock);

    /* From the top down, so that a preempted run finds what is left by the counts. */
    for (unsigned int port = d->evtchn.valid_ports; port-- > 1 && d->evtchn.active_ports;) {
        (void)evtchn_close(d, port, false);
        if (port % 64 == 0 && hypercall_preempt_check()) {
            return -ERESTART;
        }
    }
    spin_lock(&d->evtchn.lock);
    evtchn_fifo_destroy(d);
    spin_unlock(&d->evtchn.lock);
    return 0;
}

int evtchn_reset(struct domain *d, bool resuming)
{
    struct domain_events *de = &d->evtchn;
    unsigned int port;
    int rc = 0;

    if (d != current->domain && !d->controller_pause_count) {
        return -EINVAL;
    }
    spin_lock(&de->lock);
    port = resuming ? de->reset_next : !de->reset_next;
    de->reset_next = max(port, de->reset_next);
    spin_unlock(&de->lock);
    if (!port) {
        return -EBUSY;
    }
    for (; port < de->valid_ports && READ_ONCE(de->active_ports) > READ_ONCE(de->xen_ports);
         port++) {
        (void)evtchn_close(d, port, true);
        if (port % 64 == 0 && hypercall_preempt_check()) {
            WRITE_ONCE(de->reset_next, port + 1);
            return -ERESTART;
        }
    }
    spin_lock(&de->lock);
    de->reset_next = 0;
    if (de->active_ports > de->xen_ports) {
        rc = -EAGAIN;
    } else if (de->fifo) {
        evtchn_fifo_destroy(d);
    }
    spin_unlock(&de->lock);
    return rc;
}

/* ---- debug key ---- */

void evtchn_dump(struct domain *d)
{
    static const char *const names[] = {"free", "-",    "unbound", "interdomain",
                                        "pirq", "virq", "ipi"};

    LOCKED(&d->evtchn.lock);
    printk("d%u: %u event channels (%s)\n", d->domain_id, d->evtchn.active_ports,
           d->evtchn.fifo ? "FIFO" : "two-level");
    for (evtchn_port_t port = 1; port < d->evtchn.valid_ports; port++) {
        const struct evtchn *e = evtchn_from_port(d, port);
        uint8_t state = READ_ONCE(e->state);

        if (state == ECS_FREE || state >= ARRAY_SIZE(names)) {
            continue;
        }
        printk("  %4u [%c%c] v%u %s", port, d->evtchn.ops->is_pending(d, e) ? 'p' : ' ',
               d->evtchn.ops->is_masked(d, e) ? 'm' : ' ', e->notify_vcpu_id, names[state]);
        switch (state) {
        case ECS_UNBOUND:
            printk(" for d%u%s\n", e->u.unbound_remote, e->xen_consumer ? " (hypervisor)" : "");
            break;
        case ECS_INTERDOMAIN:
            printk(" d%u:%u\n", e->u.interdomain.remote_dom->domain_id,
                   e->u.interdomain.remote_port);
            break;
        case ECS_PIRQ:
        case ECS_VIRQ:
            printk(" %u\n", state == ECS_PIRQ ? e->u.pirq : e->u.virq);
            break;
        default:
            printk("\n");
            break;
        }
    }
}
