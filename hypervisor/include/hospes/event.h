/*
 * Event channels: ports between domains, to virtual interrupts, to other vcpus, to physical
 * interrupts. The life of ports is core/event.c and
 * core/event_bind.c, sending core/event_send.c; how a pending port
 * reaches the guest is one of two ABIs behind struct evtchn_ops: two-level bitmaps
 * (core/event_2l.c) or FIFO queues (core/event_fifo.c).
 *
 * Locks. d->evtchn.lock: which ports are free, and every change of a binding. A port's own lock:
 * its state; an interdomain binding changes under both ends' locks, so who holds one end's may use
 * the other end. Port locks are taken with interrupts off, because physical interrupts send events.
 */
#ifndef HOSPES_EVENT_H
#define HOSPES_EVENT_H

#include <hospes/bitops.h>
#include <hospes/lock.h>
#include <xen/event_channel.h>

enum evtchn_state {
    ECS_FREE,
    ECS_RESERVED, /* never handed out: port 0 */
    ECS_UNBOUND,
    ECS_INTERDOMAIN,
    ECS_PIRQ,
    ECS_VIRQ,
    ECS_IPI,
};

struct evtchn {
    spinlock_t lock;
    evtchn_port_t port;
    uint8_t state;     /* enum evtchn_state */
    bool pending_fifo; /* FIFO: raised while its array page was missing */
    uint8_t priority;
    uint16_t notify_vcpu_id;
    uint32_t fifo_last; /* FIFO: the queue it was last on (event_fifo.c), under that queue's lock */
    union {
        domid_t unbound_remote; /* ECS_UNBOUND: who may bind to it */
        struct {
            struct domain *remote_dom;
            evtchn_port_t remote_port;
        } interdomain;
        uint32_t pirq;
        uint32_t virq;
    } u;
};

/* All with the port's lock held (set_pending: or its peer's) and interrupts off. */
struct evtchn_ops {
    void (*init)(struct domain *d, struct evtchn *e); /* a port gets bound */
    void (*set_pending)(struct vcpu *v, struct evtchn *e);
    void (*clear_pending)(struct domain *d, struct evtchn *e);
    void (*unmask)(struct domain *d, struct evtchn *e);
    bool (*is_pending)(const struct domain *d, const struct evtchn *e);
    bool (*is_masked)(const struct domain *d, const struct evtchn *e);
    bool (*is_busy)(const struct domain *d, const struct evtchn *e); /* still linked in a queue */
    int (*set_priority)(struct domain *d, struct evtchn *e, unsigned int priority);
};

/* Ports come in buckets of 64, buckets in groups of 64; both are made when first needed. */
#define EVTCHNS_PER_BUCKET 64u
#define BUCKETS_PER_GROUP  64u
#define EVTCHN_GROUPS      32u /* 131072 ports, FIFO's limit */
#define NR_VIRQS_MAX       24u
#define NR_PIRQS           1024u

struct evtchn_fifo_domain;
struct evtchn_fifo_vcpu;

struct domain_events {
    spinlock_t lock; /* RANK_EVTCHN_DOMAIN */
    struct evtchn **groups[EVTCHN_GROUPS];
    unsigned int valid_ports;  /* ports below this have a struct; grows, read without the lock */
    unsigned int max_ports;    /* limit set at creation */
    unsigned int first_free;   /* no free port is below this */
    unsigned int active_ports; /* not ECS_FREE */
    unsigned int reset_next;   /* a reset in progress goes on here; 0: none */
    const struct evtchn_ops *ops;
    struct evtchn_fifo_domain *fifo; /* NULL: two-level */
    evtchn_port_t *pirq_port;        /* NR_PIRQS of them, 0: unbound; NULL until the first */
    BITMAP(poll_mask, 128);          /* vcpus in SCHEDOP_poll */
};

struct vcpu_events {
    evtchn_port_t virq_port[NR_VIRQS_MAX]; /* 0: not bound */
    struct evtchn_fifo_vcpu *fifo;
};

extern const struct evtchn_ops evtchn_ops_2l, evtchn_ops_fifo;

/* ---- life with the domain ---- */
/* No ports but 0. max_ports is set to the FIFO ABI's limit: the creator may lower it. -ENOMEM. */
int evtchn_init(struct domain *d) __must_check;
/* Closes every port of a dying domain; -ERESTART when preempted. */
int evtchn_destroy(struct domain *d) __must_check;
/* The memory, when no reference to the domain is left. */
void evtchn_free(struct domain *d);
/* Of a vcpu that nobody can find yet; the domain's event lock is held. -ENOMEM. */
int evtchn_init_vcpu(struct vcpu *v) __must_check;
/* EVTCHNOP_reset: closes the guest's ports and goes back to the two-level ABI. -EINVAL (not
 * paused), -EBUSY (another is in progress), -EAGAIN, -ERESTART (call again with resuming). */
int evtchn_reset(struct domain *d, bool resuming) __must_check;

/* ---- ports ---- */
/* NULL: no such port yet. The struct lives as long as the domain. */
#define evtchn_from_port(d, port) evtchn_find(&(d)->evtchn, port)
static inline struct evtchn *evtchn_find(const struct domain_events *de, evtchn_port_t port)
{
    unsigned int valid = __atomic_load_n(&de->valid_ports, __ATOMIC_ACQUIRE);
    unsigned int bucket, i;

    if (unlikely(port >= valid)) {
        return NULL;
    }
    i = (unsigned int)array_index_nospec(port, valid);
    bucket = i / EVTCHNS_PER_BUCKET;
    return &de->groups[bucket / BUCKETS_PER_GROUP][bucket % BUCKETS_PER_GROUP]
                      [i % EVTCHNS_PER_BUCKET];
}
/* Takes a free port (port 0: the lowest) for the caller to bind; d->evtchn.lock held. 0, -EINVAL
 * (dying, out of range), -EBUSY, -ENOSPC, -ENOMEM. */
int evtchn_alloc_port(struct domain *d, evtchn_port_t port, struct evtchn **out) __must_check;
/* Makes it free again; both locks held. */
void evtchn_release_port(struct domain *d, struct evtchn *e);
/* Sets it pending and tells pollers; the port's lock or its peer's held, interrupts off. */
void evtchn_set_pending(struct domain *d, struct evtchn *e);
bool virq_is_global(unsigned int virq);

/* The operations of event_channel_op, with its errors; on the current domain but where a domain is
 * named. */
int evtchn_alloc_unbound(struct evtchn_alloc_unbound *op) __must_check;
int evtchn_bind_interdomain(struct evtchn_bind_interdomain *op) __must_check;
int evtchn_bind_virq(struct evtchn_bind_virq *op) __must_check;
int evtchn_bind_ipi(struct evtchn_bind_ipi *op) __must_check;
int evtchn_bind_pirq(struct evtchn_bind_pirq *op) __must_check;
int evtchn_bind_vcpu(evtchn_port_t port, unsigned int vcpu_id) __must_check;
int evtchn_status(struct evtchn_status *op) __must_check;
int evtchn_close(struct domain *d, evtchn_port_t port);
/* Interrupts are on. */
int evtchn_send(struct domain *d, evtchn_port_t port) __must_check;
int evtchn_unmask(struct domain *d, evtchn_port_t port) __must_check;
int evtchn_set_priority(struct domain *d, evtchn_port_t port, unsigned int priority) __must_check;
int evtchn_fifo_init_control(struct evtchn_init_control *op) __must_check;
int evtchn_fifo_expand_array(const struct evtchn_expand_array *op) __must_check;
void evtchn_fifo_destroy(struct domain *d);
/* For SCHEDOP_poll: 1 pending, 0 not, -EINVAL no such port. */
int evtchn_poll(const struct domain *d, evtchn_port_t port) __must_check;

/* ---- raising; any context ---- */
void send_guest_vcpu_virq(struct vcpu *v, unsigned int virq);
/* To vcpu 0, or wherever it was rebound. */
void send_guest_global_virq(struct domain *d, unsigned int virq);
/* A global virq to the domain that handles it: Domain 0, or who XEN_DOMCTL_set_virq_handler named.
 */
void send_global_virq(unsigned int virq);
/* Under the domctl lock. -EINVAL: not a global virq, or d is dying. */
int set_global_virq_handler(struct domain *d, unsigned int virq) __must_check;
/* d is dying: what it handles is Domain 0's again. */
void forget_virq_handler(struct domain *d);
void send_guest_pirq(struct domain *d, unsigned int pirq);
/* Sets the upcall pending on v and kicks it. */
void vcpu_mark_events_pending(struct vcpu *v);
/* Is there something the guest must be told of (pending and not masked)? */
bool vcpu_event_delivery_pending(const struct vcpu *v);

/* Prints a domain's ports; debug key 'e'. */
void evtchn_dump(struct domain *d);

#endif
