/*
 * Timers: a pairing heap per CPU, so that arming needs no memory and cannot fail. A heap is a tree
 * whose children expire no earlier than their parent: `child` is the first child, `sibling` the
 * next child of the same parent, `link` the pointer that points here. Armed: link is not NULL.
 *
 * A timer's cpu changes only under the locks of both CPUs. See <hospes/timer.h>.
 */
#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/lib.h>
#include <hospes/softirq.h>
#include <hospes/timer.h>

enum { TIMER_READY = 1, TIMER_KILLED };

struct timer_cpu {
    spinlock_t lock;
    struct timer *root;
    struct timer *running; /* whose function runs now */
    s_time_t programmed;   /* what the hardware is set to; 0: off */
};
static DEFINE_PER_CPU(struct timer_cpu, timers);

static void attach(struct timer *t, struct timer **link)
{
    *link = t;
    if (t != NULL) {
        t->link = link;
    }
}

/* Joins two trees without siblings; either may be NULL. The result's link is not set. */
static struct timer *meld(struct timer *a, struct timer *b)
{
    struct timer *t;

    if (a == NULL || b == NULL) {
        return a ? a : b;
    }
    if (b->expires < a->expires) {
        t = a;
        a = b;
        b = t;
    }
    attach(a->child, &b->sibling);
    attach(b, &a->child);
    return a;
}

/* Joins a list of siblings to one tree: in pairs first, then the pairs. */
static struct timer *meld_siblings(struct timer *first)
{
    struct timer *pairs = NULL, *a, *b, *root = NULL;

    while (first != NULL) {
        a = first;
        b = a->sibling;
        first = b ? b->sibling : NULL;
        a->sibling = NULL;
        if (b != NULL) {
            b->sibling = NULL;
        }
        a = meld(a, b);
        a->sibling = pairs;
        pairs = a;
    }
    while (pairs != NULL) {
        a = pairs;
        pairs = a->sibling;
        a->sibling = NULL;
        root = meld(root, a);
    }
    return root;
}

static void heap_insert(struct timer_cpu *tc, struct timer *t)
{
    t->child = t->sibling = NULL;
    attach(meld(tc->root, t), &tc->root);
}

static void heap_remove(struct timer_cpu *tc, struct timer *t)
{
    struct timer *rest = meld_siblings(t->child);

    attach(t->sibling, t->link); /* nothing at all when t is the root */
    t->child = t->sibling = NULL;
    t->link = NULL;
    attach(meld(tc->root, rest), &tc->root);
}

/* The lock of the CPU that t is on. */
static struct timer_cpu *lock_timer(const struct timer *t, unsigned long *flags)
{
    struct timer_cpu *tc;
    unsigned int cpu;

    for (;;) {
        cpu = READ_ONCE(t->cpu);
        tc = &per_cpu(timers, cpu);
        spin_lock_irqsave(&tc->lock, *flags);
        if (likely(cpu == READ_ONCE(t->cpu))) {
            return tc;
        }
        spin_unlock_irqrestore(&tc->lock, *flags);
    }
}

void timer_init(struct timer *t, void (*fn)(void *), void *data, unsigned int cpu)
{
    *t = (struct timer){.fn = fn, .data = data, .cpu = (uint16_t)cpu, .status = TIMER_READY};
}

/* The earliest timer of the CPU is a new one: its hardware must be told. */
static void poke(struct timer_cpu *tc, unsigned int cpu)
{
    if (tc->root != NULL && (tc->programmed == 0 || tc->root->expires < tc->programmed)) {
        cpu_raise_softirq(cpu, TIMER_SOFTIRQ);
    }
}

void timer_set(struct timer *t, s_time_t expires)
{
    unsigned long flags;
    struct timer_cpu *tc = lock_timer(t, &flags);

    if (t->link != NULL) {
        heap_remove(tc, t);
    }
    if (t->status == TIMER_READY) {
        t->expires = expires;
        heap_insert(tc, t);
        poke(tc, t->cpu);
    }
    spin_unlock_irqrestore(&tc->lock, flags);
}

void timer_stop(struct timer *t)
{
    unsigned long flags;
    struct timer_cpu *tc;

    if (t->status == 0) {
        return;
    }
    tc = lock_timer(t, &flags);
    if (t->link != NULL) {
        heap_remove(tc, t);
    }
    spin_unlock_irqrestore(&tc->lock, flags);
}

void timer_kill(struct timer *t)
{
    unsigned long flags;
    struct timer_cpu *tc;
    bool runs;

    if (t->status == 0) {
        return;
    }
    do {
        tc = lock_timer(t, &flags);
        t->status = TIMER_KILLED;
        if (t->link != NULL) {
            heap_remove(tc, t);
        }
        runs = tc->running == t;
        spin_unlock_irqrestore(&tc->lock, flags);
        cpu_relax();
    } while (runs);
}

void timer_migrate(struct timer *t, unsigned int cpu)
{
    struct timer_cpu *from, *to = &per_cpu(timers, cpu);
    unsigned int old = READ_ONCE(t->cpu);
    unsigned long flags;

    if (old == cpu || t->status == 0) {
        return;
    }
    from = &per_cpu(timers, old);
    flags = local_irq_save();
    spin_lock_pair(&from->lock, &to->lock);
    /* When somebody else has moved it meanwhile, that is as good. */
    if (t->cpu == old) {
        bool armed = t->link != NULL;

        if (armed) {
            heap_remove(from, t);
        }
        t->cpu = (uint16_t)cpu;
        if (armed) {
            heap_insert(to, t);
            poke(to, cpu);
        }
    }
    spin_unlock_pair(&from->lock, &to->lock);
    local_irq_restore(flags);
}

bool timer_is_active(const struct timer *t)
{
    return READ_ONCE(t->link) != NULL;
}

/* Lock held, interrupts off. False: the earliest has expired meanwhile. */
static bool program_hardware(struct timer_cpu *tc)
{
    s_time_t deadline = tc->root ? max(tc->root->expires, (s_time_t)1) : 0;

    tc->programmed = deadline;
    return arch_reprogram_timer(deadline) || deadline == 0;
}

static void timer_softirq(void)
{
    struct timer_cpu *tc = &this_cpu(timers);
    struct timer *t;

    spin_lock_irq(&tc->lock);
    do {
        while ((t = tc->root) != NULL && t->expires <= NOW()) {
            heap_remove(tc, t);
            tc->running = t;
            spin_unlock_irq(&tc->lock);
            t->fn(t->data);
            spin_lock_irq(&tc->lock);
            tc->running = NULL;
        }
    } while (!program_hardware(tc));
    spin_unlock_irq(&tc->lock);
}

static void dump_tree(const struct timer *t, s_time_t now, unsigned int depth)
{
    for (; t != NULL; t = t->sibling) {
        printk("  in %8ld us: %ps(%p)\n", (long)((t->expires - now) / 1000), (void *)t->fn,
               t->data);
        if (depth < 16) {
            dump_tree(t->child, now, depth + 1);
        }
    }
}

static void dump_timers(char key)
{
    struct timer_cpu *tc;
    unsigned int cpu;
    unsigned long flags;

    for_each_online_cpu (cpu) {
        tc = &per_cpu(timers, cpu);
        spin_lock_irqsave(&tc->lock, flags);
        printk("CPU%u:\n", cpu);
        dump_tree(tc->root, NOW(), 0);
        spin_unlock_irqrestore(&tc->lock, flags);
    }
}

void timers_init_cpu(unsigned int cpu)
{
    struct timer_cpu *tc = &per_cpu(timers, cpu);

    if (cpu == 0) {
        softirq_open(TIMER_SOFTIRQ, timer_softirq);
        keyhandler_register('a', dump_timers, "timers");
    }
    spin_lock_init(&tc->lock, RANK_TIMER);
}
