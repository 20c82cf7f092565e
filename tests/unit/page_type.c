/*
 * Page types (hypervisor/core/page_type.c): what this proves.
 *
 * 1. Every state that can be reached from a free frame by taking and dropping types, locking,
 * pinning and preemption at any point, with every answer that validation can give, keeps the
 * invariants: the type changes at count 0 only, after a flush; content is validated before anybody
 * holds the type and devalidated exactly once before count 0; PARTIAL holds exactly one general
 * reference; no operation leaks or invents a reference. The states are enumerated in full (breadth
 * first).
 * 2. Threads that take and drop types of one frame at random never hold two different ones at once,
 *    and the counts end where they began.
 *
 * Linear page tables are part of both: a table is used by others of its type, or has such entries
 * itself, never both; the last use's end devalidates it.
 *
 * The frame's validation is played by the test: nothing of x86/ is in here.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* The machine that page_type.c sees: one CPU-local word says "something waits". */
#undef __always_inline /* the C library has one too */
#define HOSPES_HOST_TEST 1
#define ARCH_PERCPU_H
#define ARCH_CURRENT_H
#define PERCPU_SECTION
#define this_cpu(name)     percpu_##name
#define per_cpu(name, cpu) percpu_##name
#define smp_processor_id() 0u
#define current            ((struct vcpu *)NULL)
#include "hypervisor/core/page_type.c"

__thread unsigned long fake_softirq_pending;
unsigned long percpu_softirq_pending;

void bug(const char *file, int line, const char *what)
{
    fprintf(stderr, "BUG %s:%d %s\n", file, line, what);
    abort();
}

/* ---- the frame and its content ---- */

static uint64_t flushes, clock_value;
static bool threaded;

/* What the played validation answers next. */
static int script_validate, script_devalidate;
static uint16_t script_progress; /* entries done when it does not finish */

/* What the content is: validated entries and of which type. */
static uint64_t content_type;
static uint16_t content_done;
static uint64_t last_usable_type; /* the type since which no flush was made */

uint32_t tlb_clock_now(void)
{
    return (uint32_t)__atomic_add_fetch(&clock_value, 1, __ATOMIC_RELAXED);
}

void arch_flush_before_reuse(struct page_info *pg)
{
    (void)pg;
    __atomic_add_fetch(&flushes, 1, __ATOMIC_RELAXED);
    if (!threaded) {
        last_usable_type = 0;
    }
}

void get_page_again(struct page_info *pg)
{
    __atomic_add_fetch(&pg->count_info, 1, __ATOMIC_RELAXED);
}

void put_page(struct page_info *pg)
{
    uint64_t old = __atomic_fetch_sub(&pg->count_info, 1, __ATOMIC_RELAXED);

    assert_true((old & PGC_COUNT_MASK) > 1); /* the test keeps one to the end */
}

/* ---- 1. enumeration ---- */

static unsigned int entries; /* linear entries that the played table has */
static void drop_entry(void);

int arch_validate_page(struct page_info *pg, uint64_t type, bool preemptible)
{
    int rc = script_validate;

    if (threaded) {
        extern int threaded_validate(struct page_info * p, uint64_t t, bool preempt);
        return threaded_validate(pg, type, preemptible);
    }
    assert_true((pg->type_info & (PGT_VALIDATED | PGT_PARTIAL | PGT_LOCKED)) == 0);
    assert_int_equal(pg->type_info & PGT_COUNT_MASK, 1);
    assert_int_equal(pg->type_info & PGT_TYPE_MASK, type);
    if (is_table(type)) {
        assert_int_equal(pg->nr_validated, content_done);
        assert_true(content_done == 0 || content_type == type);
    }
    if (!preemptible && (rc == -ERESTART || rc == -EINTR)) {
        rc = 0;
    }
    if (!is_table(type) && (rc == -ERESTART || rc == -EINTR)) {
        rc = -EINVAL;
    }
    content_type = type;
    switch (rc) {
    case 0:
        content_done = is_table(type) ? 512 : 0;
        break;
    case -EINTR: /* only where nothing has been done */
        if (content_done != 0) {
            rc = -ERESTART;
        }
        break;
    default:
        if (is_table(type)) {
            if (script_progress > content_done) { /* validating never goes back */
                content_done = script_progress;
            } else if (rc == -ERESTART && content_done == 0) {
                content_done = 1;
            }
            pg->nr_validated = content_done;
        }
        break;
    }
    return rc;
}

int arch_devalidate_page(struct page_info *pg, uint64_t type, bool preemptible)
{
    int rc = preemptible ? script_devalidate : 0;

    if (threaded) {
        extern int threaded_devalidate(struct page_info * p, uint64_t t, bool preempt);
        return threaded_devalidate(pg, type, preemptible);
    }
    assert_true((pg->type_info & (PGT_VALIDATED | PGT_PARTIAL | PGT_LOCKED)) == 0);
    assert_true(is_table(type));
    assert_int_equal(content_type, type);
    assert_int_equal(pg->nr_validated, content_done);
    if (rc == 0) {
        content_done = 0;
        pg->nr_validated = 0;
        while (entries > 0) {
            drop_entry();
        }
    } else if (rc == -ERESTART) {
        if (entries > 0) {
            drop_entry();
        }
        content_done = content_done > 1 ? content_done / 2 : 1;
        pg->nr_validated = content_done;
    } else if (content_done != 512) {
        rc = -ERESTART; /* -EINTR: as it was, and it was complete */
    }
    return rc;
}

struct state {
    uint64_t type_info, count_info, content_type;
    uint16_t content_done, nr_validated;
    uint8_t partial_flags;
    uint8_t held;    /* full type references that the test holds */
    uint8_t locked;  /* page_lock held */
    uint8_t uses;    /* linear references that the test holds */
    uint8_t entries; /* linear entries that the table has */
};

#define MAX_STATES 100000
static struct state states[MAX_STATES];
static unsigned int nr_states;

static bool seen(const struct state *s)
{
    for (unsigned int i = 0; i < nr_states; i++) {
        if (memcmp(&states[i], s, sizeof(*s)) == 0) {
            return true;
        }
    }
    return false;
}

static struct page_info page;
static struct state now;

static void load(const struct state *s)
{
    memset(&page, 0, sizeof(page));
    page.type_info = s->type_info;
    page.count_info = s->count_info;
    page.partial_flags = s->partial_flags;
    page.nr_validated = s->nr_validated;
    content_type = s->content_type;
    content_done = s->content_done;
    last_usable_type = s->type_info & PGT_TYPE_MASK;
    now = *s;
    entries = s->entries;
}

/* Another table of the same type, with its counts of linear entries (none: 0) or uses. */
static struct page_info other;
static void other_table(unsigned int n, bool used)
{
    uint64_t type = page.type_info & PGT_TYPE_MASK;

    memset(&other, 0, sizeof(other));
    other.type_info = (is_table(type) ? type : PGT_L2) | PGT_VALIDATED | (1 + (used ? n : 0)) |
                      n * PGT_LINEAR_ONE | (used && n ? PGT_LINEAR_USED : 0);
}

static void drop_entry(void)
{
    other_table(1, true);
    page_type_linear_to_plain(&other, &page);
    entries--;
}

/* The invariants of every state at rest, then its place among the others. */
static void store(void)
{
    uint64_t x = page.type_info, count = x & PGT_COUNT_MASK, type = x & PGT_TYPE_MASK;
    struct state s;

    memset(&s, 0, sizeof(s));
    assert_false((x & PGT_VALIDATED) && (x & PGT_PARTIAL));
    if (x & PGT_PARTIAL) {
        assert_int_equal(count, 1);
        assert_true(is_table(type));
        assert_int_equal(page.count_info, 2);
        assert_int_equal(now.held, 0);
        assert_int_equal(now.uses, 0);
        assert_int_equal(page.nr_validated, content_done);
    } else {
        assert_int_equal(page.count_info, 1);
        assert_int_equal(count, now.held + now.locked + now.uses);
    }
    assert_true(now.uses == 0 || entries == 0);
    assert_int_equal((x & PGT_LINEAR_MASK) / PGT_LINEAR_ONE, now.uses + entries);
    assert_int_equal(!!(x & PGT_LINEAR_USED), now.uses != 0);
    if (count > 0 && !(x & PGT_PARTIAL)) {
        assert_true(x & PGT_VALIDATED);
        if (is_table(type)) {
            assert_int_equal(content_type, type);
            assert_int_equal(content_done, 512);
        }
    }
    if (count == 0) {
        assert_int_equal(content_done % 512, 0);
        assert_true(!is_table(type) || (content_done == 0 && !(x & PGT_VALIDATED)));
        assert_false(x & PGT_PINNED);
        assert_int_equal(entries, 0);
    }
    assert_int_equal(!!(x & PGT_LOCKED), now.locked);
    s.type_info = x;
    s.count_info = page.count_info;
    s.content_type = is_table(type) ? content_type : 0;
    s.content_done = is_table(type) ? content_done : 0;
    s.nr_validated = x & PGT_PARTIAL ? page.nr_validated : 0;
    s.partial_flags = x & PGT_PARTIAL ? page.partial_flags : 0;
    s.held = now.held;
    s.locked = now.locked;
    s.uses = now.uses;
    s.entries = (uint8_t)entries;
    if (!seen(&s)) {
        assert_true(nr_states < MAX_STATES);
        states[nr_states++] = s;
    }
}

static const uint64_t types[] = {PGT_L1, PGT_L2, PGT_L4, PGT_SEGDESC, PGT_SHARED, PGT_WRITABLE};
static const int answers[] = {0, -EINVAL, -ERESTART, -EINTR};
static const uint16_t progress[] = {0, 1, 300};

static void try_get(const struct state *s, uint64_t type, bool preemptible)
{
    uint64_t before, old_type;
    int rc;

    load(s);
    before = page.type_info;
    old_type = before & PGT_TYPE_MASK;
    rc = get_page_type(&page, type, preemptible);
    assert_true(rc == 0 || rc == -EINVAL || rc == -ERESTART || rc == -EINTR || rc == -EAGAIN);
    if ((before & PGT_COUNT_MASK) != 0 && old_type != type) {
        assert_int_equal(rc, -EINVAL);
        assert_int_equal(page.type_info, before);
    }
    if (rc == 0) {
        now.held++;
        assert_int_equal(page.type_info & PGT_TYPE_MASK, type);
        assert_true(old_type == type || last_usable_type == 0); /* flushed */
    } else if (rc == -ERESTART || rc == -EAGAIN) {
        assert_true(page.type_info & PGT_PARTIAL);
        assert_true(preemptible);
    }
    store();
}

static void try_put(const struct state *s, bool preemptible)
{
    uint64_t before;
    int rc;

    load(s);
    before = page.type_info;
    if (now.held == 0 || (now.held + now.uses == 1 && now.locked) ||
        (now.held == 1 && (before & PGT_PINNED))) {
        return; /* it would wait for the lock; the pin keeps its own */
    }
    rc = put_page_type(&page, preemptible);
    if (rc == 0) {
        now.held--;
    } else if (rc == -EINTR) {
        assert_int_equal(page.type_info, before);
    } else {
        assert_int_equal(rc, -ERESTART);
        now.held = 0;
        assert_true(page.type_info & PGT_PARTIAL);
    }
    store();
}

/* Another table gets, or lets go of, an entry that refers to this one. */
static void try_linear_use(const struct state *s, bool preemptible)
{
    uint64_t before;
    bool may;
    int rc;

    load(s);
    before = page.type_info;
    other_table(s->uses, false);
    may = (before & PGT_VALIDATED) && (before & PGT_COUNT_MASK) && entries == 0 &&
          is_table(before & PGT_TYPE_MASK);
    if (s->uses < 2) {
        rc = get_page_type_linear(&page, &other);
        assert_int_equal(rc, may ? 0 : -EINVAL);
        assert_int_equal((other.type_info & PGT_LINEAR_MASK) / PGT_LINEAR_ONE, s->uses + (rc == 0));
        now.uses += rc == 0;
        store();
    }
    load(s);
    other_table(s->uses, false);
    if (s->uses == 0) {
        return;
    }
    if (s->held < 3) {
        page_type_linear_to_plain(&page, &other);
        now.uses--;
        now.held++;
        store();
    }
    load(s);
    other_table(s->uses, false);
    if (now.held + now.uses == 1 && now.locked) {
        return;
    }
    rc = put_page_type_linear(&page, &other, preemptible);
    assert_int_equal((other.type_info & PGT_LINEAR_MASK) / PGT_LINEAR_ONE,
                     s->uses - (rc != -EINTR));
    if (rc == 0) {
        now.uses--;
    } else if (rc == -EINTR) {
        assert_int_equal(page.type_info, before);
    } else {
        assert_int_equal(rc, -ERESTART);
        now.uses = 0;
    }
    store();
}

/* This table, locked, gets and loses an entry that refers to another one. */
static void try_linear_entry(const struct state *s)
{
    load(s);
    if (!now.locked || !is_table(page.type_info & PGT_TYPE_MASK)) {
        return;
    }
    if (s->entries < 2) {
        int rc;

        other_table(1, true);
        rc = get_page_type_linear(&other, &page);
        assert_int_equal(rc, now.uses == 0 ? 0 : -EINVAL);
        entries += rc == 0;
        store();
        load(s);
        other_table(1, false); /* which has linear entries itself: no chain of two */
        assert_int_equal(get_page_type_linear(&other, &page), -EINVAL);
        store();
    }
    load(s);
    if (entries > 0) {
        drop_entry();
        store();
    }
}

static void try_put_partial(const struct state *s, bool preemptible)
{
    uint64_t before;
    int rc;

    load(s);
    before = page.type_info;
    rc = put_page_type_partial(&page, preemptible);
    if (!(before & PGT_PARTIAL)) {
        assert_int_equal(rc, 0);
        assert_int_equal(page.type_info, before);
    } else if (rc == 0) {
        assert_int_equal(page.type_info & PGT_COUNT_MASK, 0);
    } else {
        assert_int_equal(rc, -ERESTART);
    }
    store();
}

static void try_lock(const struct state *s)
{
    load(s);
    if (!now.locked) {
        bool may = (page.type_info & PGT_VALIDATED) && (page.type_info & PGT_COUNT_MASK);

        assert_int_equal(page_lock(&page), may);
        now.locked = may;
    } else {
        page_unlock(&page);
        now.locked = 0;
    }
    store();
}

static void try_pin(const struct state *s)
{
    load(s);
    if (now.held > 0) {
        bool was = (page.type_info & PGT_PINNED) != 0;

        assert_int_equal(page_set_pinned(&page), !was);
        assert_true(page.type_info & PGT_PINNED);
        store();
    }
    load(s);
    assert_int_equal(page_clear_pinned(&page), (s->type_info & PGT_PINNED) != 0);
    store();
}

static void explore(const struct state *s)
{
    for (unsigned int preempt = 0; preempt < 2; preempt++) {
        for (unsigned int t = 0; t < ARRAY_SIZE(types); t++) {
            if (s->held < 3) {
                try_get(s, types[t], preempt);
            }
        }
        try_put(s, preempt);
        try_put_partial(s, preempt);
        try_linear_use(s, preempt);
    }
    try_linear_entry(s);
    try_lock(s);
    try_pin(s);
}

static void test_enumerate(void **unused)
{
    struct state start;

    (void)unused;
    memset(&start, 0, sizeof(start));
    start.count_info = 1;
    states[nr_states++] = start;
    for (unsigned int i = 0; i < nr_states; i++) {
        for (unsigned int v = 0; v < ARRAY_SIZE(answers); v++) {
            for (unsigned int d = 0; d < ARRAY_SIZE(answers); d++) {
                for (unsigned int p = 0; p < ARRAY_SIZE(progress); p++) {
                    struct state s = states[i];

                    if (answers[d] == -EINVAL) {
                        continue; /* devalidation does not fail */
                    }
                    script_validate = answers[v];
                    script_devalidate = answers[d];
                    script_progress = progress[p];
                    explore(&s);
                }
            }
        }
    }
    print_message("# %u states\n", nr_states);
    assert_true(nr_states > 50);
}

/* The count cannot wrap: the last value is refused. */
static void test_full_count(void **unused)
{
    (void)unused;
    memset(&page, 0, sizeof(page));
    page.count_info = 1;
    page.type_info = PGT_WRITABLE | PGT_VALIDATED | PGT_COUNT_MASK;
    assert_int_equal(get_page_type(&page, PGT_WRITABLE, false), -EINVAL);
    assert_false(page_lock(&page));
    assert_int_equal(page.type_info, PGT_WRITABLE | PGT_VALIDATED | PGT_COUNT_MASK);
    page.type_info = PGT_L4 | PGT_VALIDATED | PGT_COUNT_MASK;
    other_table(0, false);
    assert_int_equal(get_page_type_linear(&page, &other), -EINVAL);
    page.type_info = PGT_L4 | PGT_VALIDATED | PGT_LINEAR_USED | PGT_LINEAR_MASK | 40000;
    assert_int_equal(get_page_type_linear(&page, &other), -EINVAL);
    assert_int_equal(other.type_info & PGT_LINEAR_MASK, 0);
    page.type_info = PGT_L4 | PGT_VALIDATED | PGT_LINEAR_MASK | 1; /* as many entries as can be */
    assert_int_equal(get_page_type_linear(&other, &page), -EINVAL);
}

/* ---- 2. threads ---- */

#define THREADS 4
#define ROUNDS  300000
static unsigned int successes, preemptions;
static unsigned int users[16]; /* holders of each type */
static unsigned int workers;   /* inside (de)validation */
static uint32_t table_state;   /* 0 clean, 1 validated */

int threaded_validate(struct page_info *pg, uint64_t type, bool preemptible);
int threaded_devalidate(struct page_info *pg, uint64_t type, bool preemptible);

static unsigned int random_of(unsigned int *seed, unsigned int n)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % n;
}

static __thread unsigned int seed;

static void enter(void)
{
    assert_int_equal(__atomic_fetch_add(&workers, 1, __ATOMIC_SEQ_CST), 0);
}

static void leave(void)
{
    assert_int_equal(__atomic_fetch_sub(&workers, 1, __ATOMIC_SEQ_CST), 1);
}

int threaded_validate(struct page_info *pg, uint64_t type, bool preemptible)
{
    int rc = 0;

    enter();
    if (is_table(type)) {
        if (preemptible && random_of(&seed, 4) == 0) {
            pg->nr_validated = (uint16_t)(pg->nr_validated < 500 ? pg->nr_validated + 1 : 500);
            rc = -ERESTART;
        } else if (random_of(&seed, 8) == 0) {
            rc = -EINVAL;
        } else {
            assert_int_equal(__atomic_exchange_n(&table_state, 1, __ATOMIC_SEQ_CST), 0);
        }
    }
    leave();
    return rc;
}

int threaded_devalidate(struct page_info *pg, uint64_t type, bool preemptible)
{
    int rc = 0;

    (void)type;
    enter();
    if (preemptible && random_of(&seed, 4) == 0) {
        if (pg->nr_validated == 512) {
            assert_int_equal(__atomic_exchange_n(&table_state, 0, __ATOMIC_SEQ_CST), 1);
        }
        pg->nr_validated = (uint16_t)(pg->nr_validated > 2 ? pg->nr_validated / 2 : 1);
        rc = -ERESTART;
    } else {
        if (pg->nr_validated == 512) {
            assert_int_equal(__atomic_exchange_n(&table_state, 0, __ATOMIC_SEQ_CST), 1);
        }
        pg->nr_validated = 0;
    }
    leave();
    return rc;
}

static void hold_and_check(uint64_t type)
{
    unsigned int mine = (unsigned int)(type >> PGT_TYPE_SHIFT);

    __atomic_add_fetch(&users[mine], 1, __ATOMIC_SEQ_CST);
    for (unsigned int i = 0; i < ARRAY_SIZE(users); i++) {
        if (i != mine) {
            assert_int_equal(__atomic_load_n(&users[i], __ATOMIC_SEQ_CST), 0);
        }
    }
    if (random_of(&seed, 3) == 0 && page_lock(&page)) {
        page_unlock(&page);
    }
    __atomic_sub_fetch(&users[mine], 1, __ATOMIC_SEQ_CST);
}

static void *hammer(void *arg)
{
    seed = (unsigned int)(uintptr_t)arg;
    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint64_t type = types[random_of(&seed, ARRAY_SIZE(types))];
        bool preemptible = random_of(&seed, 2) == 0;
        int rc = get_page_type(&page, type, preemptible);

        if (rc == 0 && is_table(type) && random_of(&seed, 2)) {
            /* A table of this thread's own, which gets a linear entry. */
            struct page_info mine = {.type_info = type | PGT_VALIDATED | 1};
            int use = get_page_type_linear(&page, &mine);

            assert_int_equal(use, 0);
            if (random_of(&seed, 2)) {
                rc = put_page_type(&page, preemptible);
                assert_int_equal(rc, 0); /* ours is still there */
                rc = put_page_type_linear(&page, &mine, false);
            } else {
                page_type_linear_to_plain(&page, &mine);
                rc = put_page_type(&page, false);
                assert_int_equal(rc, 0);
                rc = put_page_type(&page, preemptible);
            }
            assert_true(rc == -EINTR || !(mine.type_info & PGT_LINEAR_MASK));
        } else if (rc == 0) {
            __atomic_add_fetch(&successes, 1, __ATOMIC_RELAXED);
            hold_and_check(type);
            rc = put_page_type(&page, preemptible);
        }
        if (rc == -ERESTART || rc == -EAGAIN) {
            __atomic_add_fetch(&preemptions, 1, __ATOMIC_RELAXED);
            while (random_of(&seed, 2) == 0 && put_page_type_partial(&page, true) != 0) {
            }
        }
    }
    return NULL;
}

static void test_threads(void **unused)
{
    pthread_t t[THREADS];

    (void)unused;
    threaded = true;
    memset(&page, 0, sizeof(page));
    page.count_info = 1;
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&t[i], NULL, hammer, (void *)(i + 1)), 0);
    }
    for (unsigned int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
    }
    print_message("# %u taken, %u preempted\n", successes, preemptions);
    assert_true(successes > 1000 && preemptions > 100);
    assert_int_equal(put_page_type_partial(&page, false), 0);
    assert_int_equal(page.type_info & PGT_COUNT_MASK, 0);
    assert_int_equal(page.count_info, 1);
    assert_int_equal(table_state, 0);
    threaded = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enumerate),
        cmocka_unit_test(test_full_count),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
