/*
 * The FIFO event channel ABI. Each port has a word in an array of guest pages: PENDING, MASKED,
 * LINKED, BUSY and the number of the next port. Each vcpu has 16 queues (by priority) whose heads,
 * and a word of "ready" bits, are in its control block, a piece of another guest page. Source:
 * <xen/event_channel.h>.
 *
 * The guest takes events off the head and may write anything anywhere: the hypervisor keeps the
 * tails to itself and only ever uses port numbers of its own, never a link that it has read. A
 * guest that breaks the protocol loses its own events.
 *
 * Locks: a queue's tail, and fifo_last of the ports on it, are under the queue's lock. Moving a
 * port to another queue takes both. Pages once mapped stay until the domain is reset or dies.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/event.h>
#include <hospes/lib.h>
#include <hospes/memory.h>

#define NR_PRIORITIES  (EVTCHN_FIFO_PRIORITY_MIN + 1)
#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define ARRAY_PAGES    (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE)

struct fifo_queue {
    spinlock_t lock;
    uint32_t *head; /* in the control block; written, never believed */
    uint32_t tail;  /* last port linked; 0: none */
    uint8_t priority;
};

struct evtchn_fifo_vcpu {
    struct evtchn_fifo_control_block *control;
    struct page_info *control_page;
    struct fifo_queue queue[NR_PRIORITIES];
};

struct evtchn_fifo_domain {
    unsigned int nr_ports; /* that have a word; grows by a page at a time */
    event_word_t *array[ARRAY_PAGES];
    struct page_info *page[ARRAY_PAGES];
};

static uint32_t pack_last(unsigned int vcpu_id, unsigned int priority)
{
    return vcpu_id << 8 | priority;
}

/* NULL: the guest has not given that page yet. */
static event_word_t *word_of(const struct domain *d, evtchn_port_t port)
{
    const struct evtchn_fifo_domain *f = d->evtchn.fifo;
    unsigned int n = __atomic_load_n(&f->nr_ports, __ATOMIC_ACQUIRE);

    if (port >= n) {
        return NULL;
    }
    port = (evtchn_port_t)array_index_nospec(port, n);
    return f->array[port / WORDS_PER_PAGE] + port % WORDS_PER_PAGE;
}

static bool word_test(const event_word_t *w, unsigned int bit)
{
    return (__atomic_load_n(w, __ATOMIC_SEQ_CST) >> bit) & 1u;
}
static bool word_test_and_set(event_word_t *w, unsigned int bit)
{
    return (__atomic_fetch_or(w, 1u << bit, __ATOMIC_SEQ_CST) >> bit) & 1u;
}
static void word_clear(event_word_t *w, unsigned int bit)
{
    __atomic_fetch_and(w, ~(1u << bit), __ATOMIC_SEQ_CST);
}

/*
 * Points the tail's word at port while it is still LINKED: true. False: the guest has taken it off,
 * the queue is empty. A guest may legally change the word a few times meanwhile (mask, unmask,
 * clear pending, unlink); BUSY keeps it from unmasking. One that keeps changing it is no longer in
 * the protocol.
 */
static bool link_behind(event_word_t *tail, evtchn_port_t port)
{
    for (unsigned int attempt = 0; attempt < 5; attempt++) {
        event_word_t old = __atomic_load_n(tail, __ATOMIC_SEQ_CST);

        if (!(old & (1u << EVTCHN_FIFO_LINKED))) {
            word_clear(tail, EVTCHN_FIFO_BUSY);
            return false;
        }
        if (__atomic_compare_exchange_n(
                tail, &old, (old & ~((1u << EVTCHN_FIFO_BUSY) | EVTCHN_FIFO_LINK_MASK)) | port,
                false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            return true;
        }
        if (attempt == 0) {
            (void)word_test_and_set(tail, EVTCHN_FIFO_BUSY);
        }
    }
    word_clear(tail, EVTCHN_FIFO_BUSY);
    return true;
}

static struct fifo_queue *queue_of(const struct domain *d, uint32_t last)
{
    return &d->vcpu[last >> 8]->evtchn.fifo->queue[last & 0xff];
}

/* Locks the queue that e goes on and the one it was last on: *old. NULL: it moved all the time. */
static struct fifo_queue *lock_queues(struct vcpu *v, const struct evtchn *e,
                                      struct fifo_queue **old)
{
    for (unsigned int attempt = 0; attempt < 3; attempt++) {
        struct fifo_queue *q = &v->evtchn.fifo->queue[READ_ONCE(e->priority)];
        uint32_t last = READ_ONCE(e->fifo_last);

        *old = queue_of(v->domain, last);
        spin_lock_pair(&q->lock, &(*old)->lock);
        if (READ_ONCE(e->fifo_last) == last) {
            return q;
        }
        spin_unlock_pair(&q->lock, &(*old)->lock);
    }
    return NULL;
}

/* Puts a port that was just marked LINKED at the end of q; both queues locked. True: q was empty.
 */
static bool enqueue(struct vcpu *v, struct evtchn *e, struct fifo_queue *q, struct fifo_queue *old)
{
    event_word_t *tail_word = NULL;
    bool linked = false;

    /* Were it the old queue's tail, adding there later would write into a word that is on q now. */
    if (old->tail == e->port) {
        old->tail = 0;
    }
    WRITE_ONCE(e->fifo_last, pack_last(v->vcpu_id, q->priority));
    if (q->tail) {
        tail_word = word_of(v->domain, q->tail);
    }
    if (tail_word) {
        linked = link_behind(tail_word, e->port);
    }
    if (!linked) {
        WRITE_ONCE(*q->head, e->port);
    }
    q->tail = e->port;
    return !linked;
}

static void set_pending_fifo(struct vcpu *v, struct evtchn *e)
{
    event_word_t *word = word_of(v->domain, e->port);
    struct fifo_queue *q, *old;
    bool was_empty = false;

    if (!word) {
        e->pending_fifo = true; /* until the page comes: expand_array */
        return;
    }
    q = lock_queues(v, e, &old);
    (void)word_test_and_set(word, EVTCHN_FIFO_PENDING);
    if (!q) {
        printk(LOG_G_WARNING "%pv: port %u changes queues faster than it can be raised\n", v,
               e->port);
        return;
    }
    if (v->evtchn.fifo->control && !word_test(word, EVTCHN_FIFO_MASKED) &&
        !word_test_and_set(word, EVTCHN_FIFO_LINKED)) {
        was_empty = enqueue(v, e, q, old);
    }
    spin_unlock_pair(&q->lock, &old->lock);
    if (was_empty && !word_test_and_set(&v->evtchn.fifo->control->ready, q->priority)) {
        vcpu_mark_events_pending(v);
    }
}

static void clear_pending_fifo(struct domain *d, struct evtchn *e)
{
    event_word_t *word = word_of(d, e->port);

    if (word) { /* the guest unlinks it and ignores what is not pending */
        word_clear(word, EVTCHN_FIFO_PENDING);
    }
}

static void unmask_fifo(struct domain *d, struct evtchn *e)
{
    event_word_t *word = word_of(d, e->port);

    if (!word) {
        return;
    }
    word_clear(word, EVTCHN_FIFO_MASKED);
    if (word_test(word, EVTCHN_FIFO_PENDING)) {
        set_pending_fifo(d->vcpu[e->notify_vcpu_id], e);
    }
}

static bool is_pending_fifo(const struct domain *d, const struct evtchn *e)
{
    const event_word_t *word = word_of(d, e->port);

    return word && word_test(word, EVTCHN_FIFO_PENDING);
}

static bool is_masked_fifo(const struct domain *d, const struct evtchn *e)
{
    const event_word_t *word = word_of(d, e->port);

    return !word || word_test(word, EVTCHN_FIFO_MASKED);
}

static bool is_busy_fifo(const struct domain *d, const struct evtchn *e)
{
    const event_word_t *word = word_of(d, e->port);

    return word && word_test(word, EVTCHN_FIFO_LINKED);
}

static int set_priority_fifo(struct domain *d, struct evtchn *e, unsigned int priority)
{
    (void)d;
    if (priority > EVTCHN_FIFO_PRIORITY_MIN) {
        return -EINVAL;
    }
    e->priority = (uint8_t)priority; /* from the next time it is raised */
    return 0;
}

static void init_fifo(struct domain *d, struct evtchn *e)
{
    (void)d;
    e->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
}

const struct evtchn_ops evtchn_ops_fifo = {
    .init = init_fifo,
    .set_pending = set_pending_fifo,
    .clear_pending = clear_pending_fifo,
    .unmask = unmask_fifo,
    .is_pending = is_pending_fifo,
    .is_masked = is_masked_fifo,
    .is_busy = is_busy_fifo,
    .set_priority = set_priority_fifo,
};

/* ---- set-up; the domain's event lock is held ---- */

/* A page of the guest's that stays writable: *va is its address here. -EINVAL. */
static int hold_guest_page(struct domain *d, uint64_t frame, struct page_info **pg, void **va)
{
    mfn_t m;
    int rc = get_guest_frame(d, gfn(frame), true, pg, &m);

    if (rc) {
        return -EINVAL;
    }
    if (get_page_type(*pg, PGT_WRITABLE, false)) {
        put_page(*pg);
        return -EINVAL;
    }
    *va = mfn_to_virt(m);
    return 0;
}

static int alloc_vcpu_queues(struct vcpu *v)
{
    struct evtchn_fifo_vcpu *f = xzalloc(struct evtchn_fifo_vcpu);

    if (!f) {
        return -ENOMEM;
    }
    for (unsigned int i = 0; i < NR_PRIORITIES; i++) {
        spin_lock_init(&f->queue[i].lock, RANK_EVTCHN_FIFO);
        f->queue[i].priority = (uint8_t)i;
    }
    v->evtchn.fifo = f;
    return 0;
}

int evtchn_init_vcpu(struct vcpu *v)
{
    return v->domain->evtchn.fifo ? alloc_vcpu_queues(v) : 0;
}

static int alloc_fifo(struct domain *d)
{
    struct evtchn_fifo_domain *f = xzalloc(struct evtchn_fifo_domain);
    struct vcpu *v;
    int rc = f ? 0 : -ENOMEM;

    for_each_vcpu (d, v) {
        rc = rc ? rc : alloc_vcpu_queues(v);
    }
    d->evtchn.fifo = f;
    if (rc) {
        evtchn_fifo_destroy(d);
    }
    return rc;
}

static int map_control(struct vcpu *v, uint64_t frame, uint32_t offset)
{
    struct evtchn_fifo_vcpu *f = v->evtchn.fifo;
    struct evtchn_fifo_control_block *control;
    void *va;
    int rc;

    if (f->control) {
        return -EINVAL;
    }
    rc = hold_guest_page(v->domain, frame, &f->control_page, &va);
    if (rc) {
        return rc;
    }
    control = (struct evtchn_fifo_control_block *)((char *)va + offset);
    for (unsigned int i = 0; i < NR_PRIORITIES; i++) {
        f->queue[i].head = &control->head[i];
    }
    __atomic_store_n(&f->control, control, __ATOMIC_RELEASE);
    return 0;
}

/* Switches a domain to this ABI: every bound port keeps its pending state. */
static void start_fifo(struct domain *d)
{
    for (evtchn_port_t port = 1; port < min(d->evtchn.valid_ports, EVTCHN_2L_NR_CHANNELS); port++) {
        struct evtchn *e = evtchn_from_port(d, port);

        e->pending_fifo = evtchn_ops_2l.is_pending(d, e);
        e->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
        e->fifo_last = 0;
    }
    __atomic_store_n(&d->evtchn.ops, &evtchn_ops_fifo, __ATOMIC_RELEASE);
}

int evtchn_fifo_init_control(struct evtchn_init_control *op)
{
    struct domain *d = current->domain;
    struct vcpu *v = domain_vcpu(d, op->vcpu);
    const uint32_t last_offset = PAGE_SIZE - sizeof(evtchn_fifo_control_block_t);
    bool first;
    int rc = 0;

    op->link_bits = EVTCHN_FIFO_LINK_BITS;
    if (!v) {
        return -ENOENT;
    }
    if (op->offset > last_offset || op->offset % 8) {
        return -EINVAL;
    }
    spin_lock(&d->evtchn.lock);
    first = !d->evtchn.fifo;
    if (first) {
        rc = alloc_fifo(d);
    }
    if (!rc) {
        rc = map_control(v, op->control_gfn,
                         (uint32_t)array_index_nospec(op->offset, last_offset + 1));
        if (!rc && first) {
            start_fifo(d);
        } else if (rc && first) { /* nobody uses it yet: the ABI in force is still the other */
            evtchn_fifo_destroy(d);
        }
    }
    spin_unlock(&d->evtchn.lock);
    return rc;
}

/* Raises what was waiting for the words that have just come. */
static void raise_waiting(struct domain *d, evtchn_port_t from, evtchn_port_t to)
{
    for (evtchn_port_t port = from; port < min(to, d->evtchn.valid_ports); port++) {
        struct evtchn *e = evtchn_from_port(d, port);
        unsigned long flags;

        spin_lock_irqsave(&e->lock, flags);
        if (e->pending_fifo) {
            e->pending_fifo = false;
            set_pending_fifo(d->vcpu[e->notify_vcpu_id], e);
        }
        spin_unlock_irqrestore(&e->lock, flags);
    }
}

int evtchn_fifo_expand_array(const struct evtchn_expand_array *op)
{
    struct domain *d = current->domain;
    struct evtchn_fifo_domain *f;
    int rc = -EOPNOTSUPP;

    spin_lock(&d->evtchn.lock);
    f = d->evtchn.fifo;
    if (f) {
        unsigned int slot = f->nr_ports / WORDS_PER_PAGE, from = f->nr_ports;
        void *va;

        rc = slot < ARRAY_PAGES ? hold_guest_page(d, op->array_gfn, &f->page[slot], &va) : -ENOSPC;
        if (!rc) {
            f->array[slot] = va;
            __atomic_store_n(&f->nr_ports, from + (unsigned int)WORDS_PER_PAGE, __ATOMIC_RELEASE);
            raise_waiting(d, from, f->nr_ports);
        }
    }
    spin_unlock(&d->evtchn.lock);
    return rc;
}

static void free_vcpu_queues(struct vcpu *v)
{
    struct evtchn_fifo_vcpu *f = v->evtchn.fifo;

    if (f && f->control) {
        put_page_and_type(f->control_page);
    }
    xfree(f);
    v->evtchn.fifo = NULL;
}

/* No port of the guest's is bound any more, or the domain is going. */
void evtchn_fifo_destroy(struct domain *d)
{
    struct evtchn_fifo_domain *f = d->evtchn.fifo;
    struct vcpu *v;

    __atomic_store_n(&d->evtchn.ops, &evtchn_ops_2l, __ATOMIC_RELEASE);
    for_each_vcpu (d, v) {
        free_vcpu_queues(v);
    }
    for (unsigned int i = 0; f && i < f->nr_ports / WORDS_PER_PAGE; i++) {
        put_page_and_type(f->page[i]);
    }
    xfree(f);
    d->evtchn.fifo = NULL;
}
