/*
 * Spin locks: fair (ticket), with a rank. In debug builds taking a lock whose rank is not above the
 * highest one held by this CPU is a BUG, as is taking a lock with interrupts on that is also taken
 * in interrupt context. The ranks, and what each lock protects, are in <hospes/lock_ranks.h>.
 */
#ifndef HOSPES_LOCK_H
#define HOSPES_LOCK_H

#include <hospes/types.h>
#include <hospes/lock_ranks.h>
#include <arch/cpu.h> /* cpu_relax, irq flags */

typedef struct {
    union {
        uint32_t word;
        struct {
            uint16_t serving, next;
        };
    };
#ifdef CONFIG_DEBUG
    uint16_t rank;
    uint16_t holder; /* CPU + 1, 0 when free */
#endif
} spinlock_t;

#ifdef CONFIG_DEBUG
#define SPINLOCK_INIT(r)       \
    {                          \
        .word = 0, .rank = (r) \
    }
void lock_debug_before(const spinlock_t *l);
void lock_debug_taken(spinlock_t *l);
void lock_debug_released(spinlock_t *l);
#else
#define SPINLOCK_INIT(r) \
    {                    \
        .word = 0        \
    }
#define lock_debug_before(l)   ((void)0)
#define lock_debug_taken(l)    ((void)0)
#define lock_debug_released(l) ((void)0)
#endif

static inline void spin_lock_init(spinlock_t *l, enum lock_rank rank)
{
    *l = (spinlock_t)SPINLOCK_INIT(rank);
    (void)rank;
}

static inline void spin_lock(spinlock_t *l)
{
    uint16_t ticket;

    lock_debug_before(l);
    ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_ACQUIRE);
    while (__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != ticket) {
        cpu_relax();
    }
    block_speculation(); /* nobody speculates that the lock is held */
    lock_debug_taken(l);
}

static inline bool spin_trylock(spinlock_t *l)
{
    uint32_t old = __atomic_load_n(&l->word, __ATOMIC_RELAXED);

    if ((old & 0xffff) != (old >> 16) ||
        !__atomic_compare_exchange_n(&l->word, &old, old + 0x10000u, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED)) {
        return false;
    }
    block_speculation();
    lock_debug_taken(l);
    return true;
}

static inline void spin_unlock(spinlock_t *l)
{
    lock_debug_released(l);
    __atomic_store_n(&l->serving, (uint16_t)(l->serving + 1), __ATOMIC_RELEASE);
}

static inline bool spin_is_locked(const spinlock_t *l)
{
    uint32_t w = __atomic_load_n(&l->word, __ATOMIC_RELAXED);

    return (w & 0xffff) != (w >> 16);
}

static inline void spin_lock_irq(spinlock_t *l)
{
    local_irq_disable();
    spin_lock(l);
}
static inline void spin_unlock_irq(spinlock_t *l)
{
    spin_unlock(l);
    local_irq_enable();
}
/* flags is an unsigned long lvalue. */
#define spin_lock_irqsave(l, flags) \
    do {                            \
        (flags) = local_irq_save(); \
        spin_lock(l);               \
    } while (0)
#define spin_unlock_irqrestore(l, flags) \
    do {                                 \
        spin_unlock(l);                  \
        local_irq_restore(flags);        \
    } while (0)

/* Two locks of one rank, which may be the same lock, in the order that cannot deadlock. */
static inline void spin_lock_pair(spinlock_t *a, spinlock_t *b)
{
    spin_lock(a < b ? a : b);
    if (a != b) {
        spin_lock(a < b ? b : a);
    }
}
static inline void spin_unlock_pair(spinlock_t *a, spinlock_t *b)
{
    spin_unlock(a < b ? b : a);
    if (a != b) {
        spin_unlock(a < b ? a : b);
    }
}

/* A guard: LOCKED(&d->lock); holds the lock to the end of the block. */
static inline void spin_guard_release_(spinlock_t **l)
{
    spin_unlock(*l);
}
#define LOCKED(l)                                                                          \
    spinlock_t *PASTE(guard_, __LINE__) __cleanup(spin_guard_release_) __maybe_unused = ({ \
        spinlock_t *l_ = (l);                                                              \
        spin_lock(l_);                                                                     \
        l_;                                                                                \
    })

#endif
