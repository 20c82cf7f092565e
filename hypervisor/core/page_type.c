/*
 * The type of a frame: the state machine behind get_page_type and put_page_type.
 *
 * type_info is one word, changed by compare-and-exchange only, so that every transition is decided
 * on one consistent view. Its states, as (count, flags):
 *
 *   free         0, -                  any type may be taken; VALIDATED may be set for WRITABLE and
 *                                      SEGDESC, whose content stays what it was
 *   validating   1, -                  one CPU works on it: others wait (same type) or fail (other)
 *   partial      1, PARTIAL            that work was preempted. The flag itself holds one general
 *                                      reference; whoever asks next for the type goes on with it
 *   validated    n > 0, VALIDATED      in use as what it is
 *   devalidating 1, -                  the last reference is going; looks like validating
 *   locked       n > 1, VALIDATED|LOCKED  page_lock: its entries are being written
 *
 * Beside these, a table that is not free has a count of linear uses or of linear entries (page.h).
 * A use is one of the n; so a free frame has none, and the last use's end devalidates.
 *
 * Invariants: the type changes only at count 0, and then no CPU keeps a translation of the old use
 * (arch_flush_before_reuse) before the new one is usable; the time stamp that this needs is taken
 * while the frame is "devalidating", so nobody can use it between stamp and count 0; PARTIAL and
 * VALIDATED exclude each other; LOCKED owns one of the count. Who waits for a table holds only
 * tables above it, so waiting ends. Read first: <hospes/page.h>.
 */
#include <hospes/arch.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <hospes/page.h>

enum step {
    STEP_DONE,   /* the exchange is all there is to do */
    STEP_WAIT,   /* somebody else's turn: look again */
    STEP_REFUSE, /* -EINVAL */
    STEP_WORK,   /* after the exchange: (de)validate from the first entry */
    STEP_RESUME, /* after the exchange: go on where the last one was preempted */
};

static bool needs_validation(uint64_t type)
{
    return type >= PGT_L1 && type <= PGT_SEGDESC;
}

static bool is_table(uint64_t type)
{
    return type >= PGT_L1 && type <= PGT_L4;
}

/* What taking a reference of `type` to a frame in state x means; *nx: the next state. */
static enum step plan_get(uint64_t x, uint64_t type, uint64_t *nx)
{
    uint64_t count = x & PGT_COUNT_MASK;

    *nx = x + 1;
    if (count == PGT_COUNT_MASK) {
        return STEP_REFUSE;
    }
    if (count == 0) {
        if ((x & PGT_TYPE_MASK) == type && (x & PGT_VALIDATED)) {
            return STEP_DONE;
        }
        *nx = type | 1;
        return STEP_WORK;
    }
    if ((x & PGT_TYPE_MASK) != type) {
        return STEP_REFUSE;
    }
    if (x & PGT_VALIDATED) {
        return STEP_DONE;
    }
    if (!(x & PGT_PARTIAL)) {
        return STEP_WAIT;
    }
    *nx = x & ~PGT_PARTIAL;
    return STEP_RESUME;
}

/* What dropping a full reference (to a validated frame) means. */
static enum step plan_put(uint64_t x, uint64_t *nx)
{
    uint64_t left = (x & PGT_COUNT_MASK) - 1;

    *nx = x - 1;
    if (left == 1 && (x & PGT_LOCKED)) {
        return STEP_WAIT; /* only the lock's own would be left; its holder is quick */
    }
    if (left == 0) {
        *nx = x & ~PGT_VALIDATED;
        return STEP_WORK;
    }
    return STEP_DONE;
}

static bool exchange(struct page_info *pg, uint64_t *x, uint64_t nx)
{
    return __atomic_compare_exchange_n(&pg->type_info, x, nx, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

/* While it is (de)validating nobody else writes type_info, so these are plain releasing stores. */
static void publish(struct page_info *pg, uint64_t state)
{
    __atomic_store_n(&pg->type_info, state, __ATOMIC_RELEASE);
}

/* A table's linear entries live on with it. */
static void publish_in_use(struct page_info *pg, uint64_t state)
{
    publish(pg, state | (READ_ONCE(pg->type_info) & PGT_LINEAR_MASK));
}

/* Leaves a half-done table to whoever comes next. */
static void leave_partial(struct page_info *pg, uint64_t type)
{
    get_page_again(pg);
    publish_in_use(pg, type | PGT_PARTIAL | 1);
}

static void release_last(struct page_info *pg, uint64_t state)
{
    ASSERT(!(READ_ONCE(pg->type_info) & PGT_LINEAR_MASK));
    pg->tlbflush_timestamp = tlb_clock_now();
    publish(pg, state);
}

/* The content does not fit: takes back what has been taken. -EINVAL, or -EAGAIN when preempted. */
static int undo_validation(struct page_info *pg, uint64_t type, bool preemptible)
{
    if (is_table(type) && (pg->nr_validated != 0 || pg->partial_flags != 0) &&
        arch_devalidate_page(pg, type, preemptible) != 0) {
        leave_partial(pg, type);
        return -EAGAIN;
    }
    release_last(pg, PGT_NONE);
    return -EINVAL;
}

static int validate(struct page_info *pg, uint64_t type, bool preemptible)
{
    int rc = arch_validate_page(pg, type, preemptible);

    switch (rc) {
    case 0:
        publish_in_use(pg, type | PGT_VALIDATED | 1);
        return 0;
    case -ERESTART:
        leave_partial(pg, type);
        return rc;
    case -EINTR:
        release_last(pg, PGT_NONE);
        return rc;
    default:
        return undo_validation(pg, type, preemptible);
    }
}

/* x: the state at which this CPU became the one that works on the frame. */
static int begin_type(struct page_info *pg, uint64_t x, uint64_t type, bool preemptible)
{
    if ((x & PGT_TYPE_MASK) != type) {
        arch_flush_before_reuse(pg);
    }
    if (!needs_validation(type)) {
        publish(pg, type | PGT_VALIDATED | 1);
        return 0;
    }
    if (is_table(type)) {
        pg->nr_validated = 0;
        pg->partial_flags = 0;
    }
    return validate(pg, type, preemptible);
}

int get_page_type(struct page_info *pg, uint64_t type, bool preemptible)
{
    uint64_t x = READ_ONCE(pg->type_info), nx;
    int rc;

    for (;;) {
        enum step step = plan_get(x, type, &nx);

        if (step == STEP_REFUSE) {
            return -EINVAL;
        }
        if (step == STEP_WAIT) {
            cpu_relax();
            x = __atomic_load_n(&pg->type_info, __ATOMIC_ACQUIRE);
        } else if (exchange(pg, &x, nx)) {
            if (step == STEP_DONE) {
                return 0;
            }
            if (step == STEP_WORK) {
                return begin_type(pg, x, type, preemptible);
            }
            rc = validate(pg, type, preemptible);
            put_page(pg); /* PARTIAL's own reference; a new one was taken if it is partial again */
            return rc;
        }
        if (preemptible && hypercall_preempt_check()) {
            return -EINTR;
        }
    }
}

/* This CPU has made the table "devalidating" from state x. */
static int devalidate(struct page_info *pg, uint64_t x, bool preemptible)
{
    uint64_t type = x & PGT_TYPE_MASK;
    bool was_partial = (x & PGT_PARTIAL) != 0;
    int rc;

    if (!is_table(type)) {
        release_last(pg, type | PGT_VALIDATED);
        return 0;
    }
    if (!was_partial) {
        pg->nr_validated = PTES_PER_PAGE;
        pg->partial_flags = 0;
    }
    rc = arch_devalidate_page(pg, type, preemptible);
    switch (rc) {
    case 0:
        release_last(pg, type);
        break;
    case -EINTR:
        if (!was_partial) { /* as it was */
            publish(pg, x);
            return rc;
        }
        rc = -ERESTART;
        /* fall through */
    default:
        leave_partial(pg, type);
        break;
    }
    if (was_partial) {
        put_page(pg);
    }
    return rc;
}

int put_page_type(struct page_info *pg, bool preemptible)
{
    uint64_t x = READ_ONCE(pg->type_info), nx;

    /* What is most frequent: the last writable mapping goes. */
    if (likely((x & (PGT_COUNT_MASK | PGT_TYPE_MASK)) == (PGT_WRITABLE | 1)) &&
        likely(exchange(pg, &x, x & ~PGT_VALIDATED))) {
        release_last(pg, PGT_WRITABLE | PGT_VALIDATED);
        return 0;
    }
    for (;;) {
        enum step step = plan_put(x, &nx);

        ASSERT((x & PGT_COUNT_MASK) != 0 && (x & PGT_VALIDATED));
        if (step == STEP_WAIT) {
            cpu_relax();
            x = __atomic_load_n(&pg->type_info, __ATOMIC_ACQUIRE);
        } else if (exchange(pg, &x, nx)) {
            return step == STEP_DONE ? 0 : devalidate(pg, x, preemptible);
        }
        if (preemptible && hypercall_preempt_check()) {
            return -EINTR;
        }
    }
}

int put_page_type_partial(struct page_info *pg, bool preemptible)
{
    uint64_t x = READ_ONCE(pg->type_info);

    while (x & PGT_PARTIAL) {
        if (exchange(pg, &x, x & ~PGT_PARTIAL)) {
            return devalidate(pg, x, preemptible);
        }
    }
    return 0; /* somebody else has taken it over */
}

/* ---- linear page tables ---- */

/* Changes the count of linear entries of a table that the caller has locked or is validating. */
static bool count_entries(struct page_info *table, bool more)
{
    uint64_t x = READ_ONCE(table->type_info);

    do {
        if (more && ((x & PGT_LINEAR_USED) || (x & PGT_LINEAR_MASK) == PGT_LINEAR_MASK)) {
            return false;
        }
        ASSERT(more || (!(x & PGT_LINEAR_USED) && (x & PGT_LINEAR_MASK)));
    } while (!exchange(table, &x, more ? x + PGT_LINEAR_ONE : x - PGT_LINEAR_ONE));
    return true;
}

static bool may_use(uint64_t x, uint64_t type)
{
    return (x & (PGT_TYPE_MASK | PGT_VALIDATED)) == (type | PGT_VALIDATED) &&
           (x & PGT_COUNT_MASK) != 0 && (x & PGT_COUNT_MASK) != PGT_COUNT_MASK &&
           ((x & PGT_LINEAR_USED) || !(x & PGT_LINEAR_MASK)) &&
           (x & PGT_LINEAR_MASK) != PGT_LINEAR_MASK;
}

static uint64_t one_use_less(uint64_t x)
{
    ASSERT((x & PGT_LINEAR_USED) && (x & PGT_LINEAR_MASK));
    x -= PGT_LINEAR_ONE;
    return x & PGT_LINEAR_MASK ? x : x & ~PGT_LINEAR_USED;
}

int get_page_type_linear(struct page_info *pg, struct page_info *table)
{
    uint64_t type = READ_ONCE(table->type_info) & PGT_TYPE_MASK, x = READ_ONCE(pg->type_info);

    ASSERT(is_table(type) && pg != table);
    if (!count_entries(table, true)) {
        return -EINVAL;
    }
    do {
        if (!may_use(x, type)) {
            (void)count_entries(table, false);
            return -EINVAL;
        }
    } while (!exchange(pg, &x, (x + 1 + PGT_LINEAR_ONE) | PGT_LINEAR_USED));
    return 0;
}

int put_page_type_linear(struct page_info *pg, struct page_info *table, bool preemptible)
{
    uint64_t x = READ_ONCE(pg->type_info), nx;

    for (;;) {
        enum step step = plan_put(one_use_less(x), &nx);

        ASSERT((x & PGT_COUNT_MASK) != 0 && (x & PGT_VALIDATED));
        if (step == STEP_WAIT) {
            cpu_relax();
            x = __atomic_load_n(&pg->type_info, __ATOMIC_ACQUIRE);
        } else if (exchange(pg, &x, nx)) {
            int rc = step == STEP_DONE ? 0 : devalidate(pg, x, preemptible);

            if (rc != -EINTR) {
                (void)count_entries(table, false);
            }
            return rc;
        }
        if (preemptible && hypercall_preempt_check()) {
            return -EINTR;
        }
    }
}

void page_type_linear_to_plain(struct page_info *pg, struct page_info *table)
{
    uint64_t x = READ_ONCE(pg->type_info);

    while (!exchange(pg, &x, one_use_less(x))) {
    }
    (void)count_entries(table, false);
}

/* ---- locking a table's entries, pins ---- */

bool page_lock(struct page_info *pg)
{
    uint64_t x = READ_ONCE(pg->type_info);

    for (;;) {
        uint64_t count = x & PGT_COUNT_MASK;

        if (!(x & PGT_VALIDATED) || count == 0 || count == PGT_COUNT_MASK) {
            return false;
        }
        if (x & PGT_LOCKED) {
            cpu_relax();
            x = __atomic_load_n(&pg->type_info, __ATOMIC_ACQUIRE);
        } else if (exchange(pg, &x, (x + 1) | PGT_LOCKED)) {
            block_speculation();
            return true;
        }
    }
}

void page_unlock(struct page_info *pg)
{
    uint64_t x = READ_ONCE(pg->type_info);

    do {
        ASSERT((x & PGT_LOCKED) && (x & PGT_COUNT_MASK) > 1);
    } while (!exchange(pg, &x, (x - 1) & ~PGT_LOCKED));
}

bool page_set_pinned(struct page_info *pg)
{
    return !(__atomic_fetch_or(&pg->type_info, PGT_PINNED, __ATOMIC_ACQ_REL) & PGT_PINNED);
}

bool page_clear_pinned(struct page_info *pg)
{
    return (__atomic_fetch_and(&pg->type_info, ~PGT_PINNED, __ATOMIC_ACQ_REL) & PGT_PINNED) != 0;
}
