/*
 * Two vcpus on one page. The types of frames are changed by one vcpu while the other maps, pins,
 * writes or validates the same frames; whatever wins, no writable mapping of a live table may ever
 * exist and every reference must come back. Proves, after a few thousand rounds:
 *
 *   - pin as table against map writable: exactly one of them succeeds, and a table that is pinned
 * has not been written by the other vcpu's stale translation;
 *   - the same table pinned by both: one succeeds;
 *   - entries written by both at once (mmu_update and direct writes): the table is one of the two
 *     values, and all frames can be used freely afterwards;
 *   - a table torn down by one while the other maps its lower table writable.
 */
#include "guest.h"

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define ROUNDS      600u

/* What the other vcpu does, in step with this one. */
enum job { JOB_WAIT, JOB_MAP_WRITABLE, JOB_PIN, JOB_WRITE_ENTRIES, JOB_MAP_LOWER, JOB_STOP };
static volatile unsigned int job, job_round, done_round;
static volatile unsigned long job_late; /* how long the other vcpu hesitates before its job */
static volatile long job_result;
static uint64_t *table, *lower, *window; /* window: a spare virtual address */
static unsigned long data_mfn;
static volatile bool other_wrote;

static long pin(const void *t, unsigned int level)
{
    return mmuext1(MMUEXT_PIN_L1_TABLE + level - 1, virt_to_mfn(t), 0);
}

static long unpin(const void *t)
{
    return mmuext1(MMUEXT_UNPIN_TABLE, virt_to_mfn(t), 0);
}

static long map_window(const void *page, bool writable)
{
    return remap(window,
                 make_pte(virt_to_mfn(page), writable ? TABLE_FLAGS : TABLE_FLAGS & ~PTE_RW));
}

static long job_map(const void *page)
{
    long rc = map_window(page, true);

    if (rc == 0) {
        window[100] = 0; /* a live table would now be written behind the hypervisor's back */
        other_wrote = true;
        if (map_window(page, false) != 0) {
            tap_bail_out("the other vcpu cannot give up its mapping");
        }
    }
    return rc;
}

static long job_write(void)
{
    for (unsigned int i = 0; i < 16; i++) {
        mmu_update1(virt_to_maddr(&table[i]), make_pte(data_mfn, TABLE_FLAGS));
        mmu_update1(virt_to_maddr(&table[i]), 0);
    }
    return 0;
}

static void hesitate(unsigned long n)
{
    while (n--) {
        __asm__ volatile("");
    }
}

static void other_vcpu(void)
{
    unsigned int seen = 0;

    for (;;) {
        while (job_round == seen) {
            pause_cpu();
        }
        seen = job_round;
        hesitate(job_late);
        switch (job) {
        case JOB_MAP_WRITABLE:
            job_result = job_map(table);
            break;
        case JOB_PIN:
            job_result = pin(table, 1);
            break;
        case JOB_WRITE_ENTRIES:
            job_result = job_write();
            break;
        case JOB_MAP_LOWER:
            job_result = job_map(lower);
            break;
        case JOB_STOP:
            done_round = seen;
            return;
        default:
            break;
        }
        done_round = seen;
    }
}

/* One of the two begins later than the other, now this, now that one: whichever is the slower can
 * win. */
static void start_job(enum job j)
{
    unsigned long late = guest_random() % 6000;

    job = j;
    job_late = late > 3000 ? late - 3000 : 0;
    other_wrote = false;
    __atomic_store_n(&job_round, job_round + 1, __ATOMIC_SEQ_CST);
    hesitate(late < 3000 ? late : 0);
}

static long finish_job(void)
{
    while (done_round != job_round) {
        pause_cpu();
    }
    return job_result;
}

/* ---- the rounds ---- */

static void race_pin_against_map(void)
{
    unsigned int both = 0, neither = 0, pinned = 0;

    for (unsigned int i = 0; i < ROUNDS; i++) {
        long mine, theirs;

        start_job(JOB_MAP_WRITABLE);
        mine = pin(table, 1);
        if (mine == 0) {
            /* It is a table now: while it is, nobody may write it. */
            other_wrote = false;
            for (unsigned int n = 0; n < 50; n++) {
                both += other_wrote && done_round != job_round;
            }
        }
        theirs = finish_job();
        neither += mine != 0 && theirs != 0;
        pinned += mine == 0;
        if (mine == 0 && unpin(table) != 0) {
            tap_bail_out("a pinned table cannot be unpinned");
        }
    }
    tap_ok(both == 0, "a pinned table was never written by the other vcpu");
    tap_ok(neither == 0, "pin against writable mapping: one of them always wins");
    tap_ok(pinned > 0, "and the pin at times (%u of %u)", pinned, ROUNDS);
}

static void race_pin_against_pin(void)
{
    unsigned int wrong = 0;

    for (unsigned int i = 0; i < ROUNDS; i++) {
        long mine, theirs;

        start_job(JOB_PIN);
        mine = pin(table, 1);
        theirs = finish_job();
        wrong += (mine == 0) == (theirs == 0);
        if (unpin(table) != 0) {
            tap_bail_out("the table that one of us pinned cannot be unpinned");
        }
        wrong += unpin(table) == 0;
    }
    tap_is(wrong, 0, "pin against pin: exactly one wins, and one unpin undoes it");
}

static void race_entries(void)
{
    unsigned int wrong = 0;

    if (pin(table, 1) != 0) {
        tap_bail_out("no table for the race of entries");
    }
    for (unsigned int i = 0; i < ROUNDS / 10; i++) {
        start_job(JOB_WRITE_ENTRIES);
        for (unsigned int n = 0; n < 16; n++) {
            *(volatile uint64_t *)&table[n] = make_pte(data_mfn, TABLE_FLAGS & ~PTE_RW);
            *(volatile uint64_t *)&table[n] = 0;
        }
        finish_job();
        for (unsigned int n = 0; n < 16; n++) {
            wrong += table[n] != 0;
        }
    }
    tap_is(wrong, 0, "entries written by two vcpus end as the last one left them");
    tap_is(unpin(table), 0, "the table can be unpinned");
    tap_is(set_readonly(table, false), 0, "and is data again");
    tap_is(set_readonly(table, true), 0, "and can be made ready for the next");
}

/* table is a level 2 with `lower` below it; the other vcpu wants to write `lower`. */
static void race_teardown(void)
{
    unsigned int got = 0, wrong = 0;

    set_readonly(table, false);
    memset(table, 0, PAGE_SIZE);
    table[3] = make_pte(virt_to_mfn(lower), TABLE_FLAGS);
    set_readonly(table, true);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        if (pin(table, 2) != 0) {
            wrong++;
            continue;
        }
        start_job(JOB_MAP_LOWER);
        if (unpin(table) != 0) {
            wrong++;
        }
        got += finish_job() == 0;
    }
    tap_is(wrong, 0, "a table is pinned and torn down while the other vcpu wants its lower table");
    tap_ok(got > 0, "which it got at times (%u of %u)", got, ROUNDS);
}

void test_main(void)
{
    table = alloc_page();
    lower = alloc_page();
    window = alloc_page();
    data_mfn = virt_to_mfn(alloc_page());
    if (set_readonly(table, true) != 0 || set_readonly(lower, true) != 0) {
        tap_bail_out("pages cannot be made read-only");
    }
    if (start_vcpu(1, other_vcpu) != 0) {
        tap_bail_out("no second vcpu");
    }
    race_pin_against_map();
    race_pin_against_pin();
    race_entries();
    race_teardown();
    start_job(JOB_STOP);
    finish_job();
    /* Everything is as it was: all three can be written. */
    tap_ok(set_readonly(table, false) == 0 && set_readonly(lower, false) == 0,
           "no reference was lost");
}
