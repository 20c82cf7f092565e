/*
 * Softirqs, deferred calls and lock checks (core/softirq.c, rcu.c, lock_debug.c, panic.c): what
 * this proves. SCHEDULE comes last and not in the middle of a hypercall; a deferred call is made
 * after every CPU was at a quiet point and not before, also when calls keep coming; the debug build
 * stops at every kind of misuse of a lock.
 */
#include "tap.h"
#include <hospes/console.h>

static unsigned int order[8], nr_order;

static void note_time(void)
{
    order[nr_order++] = TIME_CALIBRATE_SOFTIRQ;
}

static void note_scrub(void)
{
    order[nr_order++] = SCRUB_SOFTIRQ;
    if (nr_order == 1) {
        raise_softirq(TIME_CALIBRATE_SOFTIRQ); /* raised meanwhile: still before SCHEDULE */
    }
}

static void note_schedule(void)
{
    order[nr_order++] = SCHEDULE_SOFTIRQ;
}

static void schedule_is_last(void **unused)
{
    (void)unused;
    softirq_open(TIME_CALIBRATE_SOFTIRQ, note_time);
    softirq_open(SCRUB_SOFTIRQ, note_scrub);
    softirq_open(SCHEDULE_SOFTIRQ, note_schedule);
    raise_softirq(SCHEDULE_SOFTIRQ);
    raise_softirq(SCRUB_SOFTIRQ);
    process_pending_softirqs();
    assert_int_equal(nr_order, 2);
    assert_true(softirq_is_pending(0));
    nr_order = 0;
    raise_softirq(SCRUB_SOFTIRQ);
    do_softirq();
    assert_int_equal(nr_order, 3);
    assert_int_equal(order[0], SCRUB_SOFTIRQ);
    assert_int_equal(order[1], TIME_CALIBRATE_SOFTIRQ);
    assert_int_equal(order[2], SCHEDULE_SOFTIRQ);
    assert_false(softirq_is_pending(0));
    softirq_open(SCHEDULE_SOFTIRQ, schedule);
}

struct deferred {
    struct rcu_head rcu;
    bool called;
    struct deferred *next; /* is deferred when this one is called */
};

static void called(struct rcu_head *head)
{
    struct deferred *x = container_of(head, struct deferred, rcu);

    assert_false(x->called);
    x->called = true;
    if (x->next != NULL) {
        call_rcu(&x->next->rcu, called);
    }
}

static void quiet_point(unsigned int cpu)
{
    fake_on_cpu(cpu);
    do_softirq();
    fake_on_cpu(0);
}

static void deferred_calls(void **unused)
{
    struct deferred a = {.called = false}, b = {.called = false}, c = {.called = false};

    (void)unused;
    a.next = &c;
    call_rcu(&a.rcu, called);
    quiet_point(1);
    quiet_point(1);
    quiet_point(2);
    process_pending_softirqs(); /* CPU 0 is in the middle of something */
    assert_false(a.called);
    call_rcu(&b.rcu, called); /* too late for this round */
    quiet_point(0);
    assert_true(a.called);
    assert_false(b.called);
    quiet_point(1);
    assert_false(b.called);
    quiet_point(2); /* CPU 0 was at a quiet point right after the first round */
    assert_true(b.called);
    fake_settle();
    assert_true(c.called);
}

/* ---- lock checks ---- */

static jmp_buf stopped;

static void end(const char *how)
{
    (void)how;
    longjmp(stopped, 1);
}

static spinlock_t low = SPINLOCK_INIT(RANK_DOMAIN), high = SPINLOCK_INIT(RANK_KEYHANDLER);
static spinlock_t twins[2] = {SPINLOCK_INIT(RANK_GRANT_TABLE), SPINLOCK_INIT(RANK_GRANT_TABLE)};
static spinlock_t in_irq = SPINLOCK_INIT(RANK_TIMER), nameless;

static void wrong_order(void)
{
    spin_lock(&high);
    spin_lock(&low);
}
static void twice(void)
{
    spin_lock(&high);
    spin_lock(&high);
}
static void twins_backwards(void)
{
    spin_lock(&twins[1]);
    spin_lock(&twins[0]);
}
static void with_interrupts_on(void)
{
    spin_lock(&in_irq);
}
static void never_initialised(void)
{
    spin_lock(&nameless);
}
static void not_held(void)
{
    spin_unlock(&low);
}
static void right(void)
{
    unsigned long flags;

    spin_lock(&low);
    spin_lock_pair(&twins[1], &twins[0]);
    spin_lock_irqsave(&in_irq, flags);
    assert_false(spin_trylock(&in_irq));
    spin_unlock_irqrestore(&in_irq, flags);
    spin_unlock(&low); /* not in the reverse order: legal */
    spin_unlock_pair(&twins[1], &twins[0]);
    spin_lock_pair(&twins[0], &twins[0]);
    spin_unlock_pair(&twins[0], &twins[0]);
    {
        LOCKED(&high);
        assert_true(spin_is_locked(&high));
    }
    assert_false(spin_is_locked(&high));
}

/* Each in a process of its own: after a panic there is no way back. */
static bool survives(void (*fn)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        fake_machine_end = end;
        if (setjmp(stopped) == 0) {
            fn();
            _exit(0);
        }
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status == 0;
}

static void lock_misuse_stops(void **unused)
{
    (void)unused;
    assert_true(survives(right));
    assert_false(survives(wrong_order));
    assert_false(survives(twice));
    assert_false(survives(twins_backwards));
    assert_false(survives(with_interrupts_on));
    assert_false(survives(never_initialised));
    assert_false(survives(not_held));
}

static int set_up(void **unused)
{
    (void)unused;
    fake_init(3);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedule_is_last),
        cmocka_unit_test(deferred_calls),
        cmocka_unit_test(lock_misuse_stops),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
