/*
 * Timers (core/timer.c): what this proves. Thousands of timers, armed, re-armed, stopped and moved
 * between CPUs at random, fire exactly once each, on their CPU, in order, and not before their
 * time; a killed timer never fires again.
 */
#include "tap.h"
#include <hospes/timer.h>

#define NR 3000u

static struct item {
    struct timer t;
    s_time_t due; /* 0: must not fire */
    unsigned int cpu, fired;
} items[NR];
static s_time_t last_fired[FAKE_CPUS];

static void fire(void *data)
{
    struct item *it = data;

    assert_int_not_equal(it->due, 0);
    assert_true(fake_now >= it->due);
    assert_int_equal(smp_processor_id(), it->cpu);
    assert_true(it->t.expires >= last_fired[it->cpu]);
    assert_true(local_irq_is_enabled());
    last_fired[it->cpu] = it->t.expires;
    it->due = 0;
    it->fired++;
}

static void random_use(void **unused)
{
    uint64_t state = 99;
    unsigned int i, step, armed = 0, fired = 0, expected = 0;

    (void)unused;
    for (i = 0; i < NR; i++) {
        items[i].cpu = i % 4;
        timer_init(&items[i].t, fire, &items[i], items[i].cpu);
    }
    for (step = 0; step < 40000; step++) {
        struct item *it = &items[rnd(&state) % NR];

        fake_on_cpu(rnd(&state) % 4);
        switch (rnd(&state) % 8) {
        case 0:
            expected -= it->due != 0;
            timer_stop(&it->t);
            it->due = 0;
            assert_false(timer_is_active(&it->t));
            break;
        case 1:
            it->cpu = rnd(&state) % 4;
            timer_migrate(&it->t, it->cpu);
            break;
        case 2:
            memset(last_fired, 0, sizeof(last_fired));
            fake_run_until(fake_now + rnd(&state) % 100000);
            break;
        default:
            expected += it->due == 0;
            it->due = fake_now + 1 + rnd(&state) % 10000000;
            timer_set(&it->t, it->due);
            assert_true(timer_is_active(&it->t));
            break;
        }
    }
    memset(last_fired, 0, sizeof(last_fired));
    fake_run_until(fake_now + 20000000);
    for (i = 0; i < NR; i++) {
        armed += timer_is_active(&items[i].t);
        fired += items[i].fired;
        assert_int_equal(items[i].due, 0);
    }
    assert_int_equal(armed, 0);
    assert_int_equal(fired, expected);
}

static void past_fires_at_once(void **unused)
{
    struct item it = {.cpu = 1, .due = 1};

    (void)unused;
    memset(last_fired, 0, sizeof(last_fired));
    timer_init(&it.t, fire, &it, 1);
    timer_set(&it.t, 1);
    fake_settle();
    assert_int_equal(it.fired, 1);
}

static void killed_is_silent(void **unused)
{
    struct item it = {.cpu = 0};

    (void)unused;
    timer_init(&it.t, fire, &it, 0);
    timer_set(&it.t, fake_now + 1000);
    timer_kill(&it.t);
    timer_set(&it.t, fake_now + 1000);
    assert_false(timer_is_active(&it.t));
    fake_run_until(fake_now + 5000);
    assert_int_equal(it.fired, 0);
    timer_kill(&it.t);
    memset(&it, 0, sizeof(it));
    timer_stop(&it.t); /* never initialised: nothing happens */
    timer_kill(&it.t);
}

static void rearm_fn(void *data)
{
    struct item *it = data;

    if (++it->fired < 10) {
        timer_set(&it->t, it->t.expires + 1000);
    }
}

static void periodic(void **unused)
{
    struct item it = {.cpu = 2};
    s_time_t start = fake_now;

    (void)unused;
    timer_init(&it.t, rearm_fn, &it, 2);
    timer_set(&it.t, start + 1000);
    fake_run_until(start + 5500);
    assert_int_equal(it.fired, 5);
    fake_run_until(start + 50000);
    assert_int_equal(it.fired, 10);
}

static int set_up(void **unused)
{
    (void)unused;
    fake_init(4);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_use),
        cmocka_unit_test(past_fires_at_once),
        cmocka_unit_test(killed_is_silent),
        cmocka_unit_test(periodic),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
