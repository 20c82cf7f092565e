/*
 * Event channels: allocating and freeing ports, and their life with the domain. Bindings are
 * event_bind.c, sending is event_send.c. Read <hospes/event.h> first: it says which lock protects
 * what.
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

/* ---- the end of a domain ---- */

int evtchn_destroy(struct domain *d)
{
    forget_virq_handler(d);
    /* After this nobody can allocate: who held the lock before us saw the domain alive and is done.
     */
    spin_lock(&d->evtchn.lock);
    spin_unlock(&d->evtchn.lock);

    /* From the top down, so that a preempted run finds what is left by the counts. */
    for (unsigned int port = d->evtchn.valid_ports; port-- > 1 && d->evtchn.active_ports;) {
        (void)evtchn_close(d, port);
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
    for (; port < de->valid_ports && READ_ONCE(de->active_ports) > 0; port++) {
        (void)evtchn_close(d, port);
        if (port % 64 == 0 && hypercall_preempt_check()) {
            WRITE_ONCE(de->reset_next, port + 1);
            return -ERESTART;
        }
    }
    spin_lock(&de->lock);
    de->reset_next = 0;
    if (de->active_ports > 0) {
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
            printk(" for d%u\n", e->u.unbound_remote);
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
