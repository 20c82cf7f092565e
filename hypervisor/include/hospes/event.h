/*
 * Event channels: ports between domains, to virtual interrupts, to other vcpus, to physical
 * interrupts. The state of ports is core/event.c; how a pending port reaches the guest is one of
 * two ABIs behind struct evtchn_ops: two-level bitmaps (core/event_2l.c) or FIFO queues
 * (core/event_fifo.c).
 */
#ifndef HOSPES_EVENT_H
#define HOSPES_EVENT_H

#include <hospes/bitops.h>
#include <hospes/list.h>
#include <hospes/lock.h>
#include <xen/event_channel.h>

#define MAX_EVTCHN_BUCKETS 1024u /* FIFO's 131072 ports in buckets of 128 */

struct evtchn {
    spinlock_t lock;
    uint8_t state;     /* ECS_* (event.c) */
    bool pending_fifo; /* FIFO: raised while no event array page was there */
    uint8_t priority, last_priority;
    uint16_t notify_vcpu_id;
    uint16_t last_vcpu_id;
    evtchn_port_t port;
    union {
        struct {
            domid_t remote_domid;
        } unbound; /* also the other end's right to bind */
        struct {
            evtchn_port_t remote_port;
            struct domain *remote_dom;
        } interdomain;
        struct {
            uint32_t irq;
            evtchn_port_t next_port, prev_port;
        } pirq;
        uint16_t virq;
    } u;
    void (*xen_consumer)(struct vcpu *v, evtchn_port_t port); /* bound by the hypervisor itself */
};

struct evtchn_ops {
    void (*init)(struct domain *d, struct evtchn *e);
    void (*set_pending)(struct vcpu *v, struct evtchn *e);
    void (*clear_pending)(struct domain *d, struct evtchn *e);
    void (*unmask)(struct domain *d, struct evtchn *e);
    bool (*is_pending)(const struct domain *d, const struct evtchn *e);
    bool (*is_masked)(const struct domain *d, const struct evtchn *e);
    bool (*is_busy)(const struct domain *d, const struct evtchn *e); /* still linked in a queue */
    int (*set_priority)(struct domain *d, struct evtchn *e, unsigned int priority);
    void (*print_state)(struct domain *d, const struct evtchn *e);
};

struct evtchn_fifo_domain;
struct evtchn_fifo_vcpu;

struct domain_events {
    spinlock_t lock;          /* RANK_EVTCHN_DOMAIN: allocation and binding */
    struct evtchn **buckets;  /* ports in arrays of EVTCHNS_PER_BUCKET, grown on demand */
    unsigned int valid_ports; /* ports below this have a struct */
    unsigned int max_ports;   /* limit: by ABI and by domctl */
    unsigned int active_ports;
    const struct evtchn_ops *ops;
    struct evtchn_fifo_domain *fifo;
    BITMAP(poll_mask, 128); /* vcpus in SCHEDOP_poll */
};

#define NR_VIRQS_MAX 24u
struct vcpu_events {
    evtchn_port_t virq_port[NR_VIRQS_MAX]; /* 0: not bound */
    spinlock_t virq_lock;
    struct evtchn_fifo_vcpu *fifo;
};

/* ---- life with the domain ---- */
int evtchn_init(struct domain *d) __must_check;
/* Closes every port; -ERESTART when preempted. */
int evtchn_destroy(struct domain *d) __must_check;
void evtchn_free(struct domain *d); /* the memory, when no reference is left */
int evtchn_init_vcpu(struct vcpu *v) __must_check;
int evtchn_reset(struct domain *d, bool resuming) __must_check;

/* ---- raising ---- */
void send_guest_vcpu_virq(struct vcpu *v, unsigned int virq);
/* To vcpu 0 (or wherever it was rebound). */
void send_guest_global_virq(struct domain *d, unsigned int virq);
void send_guest_pirq(struct domain *d, unsigned int pirq);
/* By the hypervisor's own end of a port. */
int evtchn_notify_from_xen(struct domain *d, evtchn_port_t port);
/* Allocates a port of d bound to remote whose other end is the hypervisor itself. */
int evtchn_alloc_xen_channel(struct vcpu *v, domid_t remote,
                             void (*consumer)(struct vcpu *, evtchn_port_t),
                             evtchn_port_t *out) __must_check;
/* Sets the upcall pending on v and kicks it. */
void vcpu_mark_events_pending(struct vcpu *v);
/* Is there something the guest must be told of (pending and not masked)? */
bool vcpu_event_delivery_pending(const struct vcpu *v);

/* Prints a domain's ports; debug key 'e'. */
void evtchn_dump(struct domain *d);

#endif
