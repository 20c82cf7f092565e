/*
 * The scheduler (core/sched*.c, core/credit_account.c, core/affinity.c, core/runstate.c) on four
 * played CPUs: what this proves. CPU time follows weights and caps; no CPU idles while a vcpu
 * waits that may run there; affinities are kept; who sleeps mostly runs soon after waking; pausing,
 * blocking and polling end as they should; runstates add up to the time that passed.
 */
#include "tap.h"
#include "hypervisor/core/sched_private.h"

#define NR_CPUS_USED 4u

static double share(struct domain *d, s_time_t from_total, const uint64_t *before)
{
    uint64_t sum = 0;
    struct vcpu *v;

    for_each_vcpu (d, v) {
        sum += vcpu_cpu_time(v) - before[v->vcpu_id];
    }
    return (double)sum / (double)from_total;
}

static void snapshot(struct domain *d, uint64_t *before)
{
    struct vcpu *v;

    for_each_vcpu (d, v) {
        before[v->vcpu_id] = vcpu_cpu_time(v);
    }
}

static void set_params(struct domain *d, uint16_t weight, uint16_t cap)
{
    struct xen_domctl_scheduler_op op = {
        .sched_id = XEN_SCHEDULER_CREDIT,
        .cmd = XEN_DOMCTL_SCHEDOP_putinfo,
    };

    op.u.credit.weight = weight;
    op.u.credit.cap = cap;
    assert_int_equal(sched_adjust(d, &op), 0);
    op.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    assert_int_equal(sched_adjust(d, &op), 0);
    assert_int_equal(op.u.credit.weight, weight);
    assert_int_equal(op.u.credit.cap, cap);
}

/* Starts a domain all of whose vcpus compute. */
static struct domain *burner(domid_t id, unsigned int vcpus, uint16_t weight, uint16_t cap)
{
    struct domain *d = fake_domain(id, vcpus, false);

    set_params(d, weight, cap);
    assert_int_equal(domain_unpause_by_controller(d), 0);
    return d;
}

static void shares_follow_weights(void **unused)
{
    struct domain *a = burner(1, 4, 256, 0), *b = burner(2, 4, 512, 0), *c = burner(3, 4, 1024, 0);
    uint64_t ta[4], tb[4], tc[4];

    (void)unused;
    fake_run_until(fake_now + SECONDS(2));
    snapshot(a, ta);
    snapshot(b, tb);
    snapshot(c, tc);
    fake_run_until(fake_now + SECONDS(20));
    /* Of four CPUs: 1/7, 2/7, 4/7, within a tenth. */
    assert_true(share(a, SECONDS(20), ta) > 0.9 * 4 / 7 && share(a, SECONDS(20), ta) < 1.1 * 4 / 7);
    assert_true(share(b, SECONDS(20), tb) > 0.9 * 8 / 7 && share(b, SECONDS(20), tb) < 1.1 * 8 / 7);
    assert_true(share(c, SECONDS(20), tc) > 0.9 * 16 / 7 &&
                share(c, SECONDS(20), tc) < 1.1 * 16 / 7);
    fake_kill(a);
    fake_kill(b);
    fake_kill(c);
}

/* A heavy domain with one vcpu cannot use more than one CPU: the rest is the others'. */
static void unusable_share_goes_to_others(void **unused)
{
    struct domain *a = burner(1, 1, 60000, 0), *b = burner(2, 8, 256, 0);
    uint64_t ta[8], tb[8];

    (void)unused;
    fake_run_until(fake_now + SECONDS(1));
    snapshot(a, ta);
    snapshot(b, tb);
    fake_run_until(fake_now + SECONDS(10));
    assert_true(share(a, SECONDS(10), ta) > 0.9);
    assert_true(share(b, SECONDS(10), tb) > 2.9);
    fake_kill(a);
    fake_kill(b);
}

static void caps_hold(void **unused)
{
    struct domain *a = burner(1, 2, 256, 50), *b = burner(2, 1, 256, 0);
    uint64_t ta[2], tb[1];

    (void)unused;
    fake_run_until(fake_now + SECONDS(2));
    snapshot(a, ta);
    snapshot(b, tb);
    fake_run_until(fake_now + SECONDS(20));
    assert_true(share(a, SECONDS(20), ta) > 0.4 && share(a, SECONDS(20), ta) < 0.6);
    assert_true(share(b, SECONDS(20), tb) > 0.99);
    set_params(a, 256, 0); /* without a cap it runs at once */
    fake_run_until(fake_now + MILLISECS(100));
    snapshot(a, ta);
    fake_run_until(fake_now + SECONDS(5));
    assert_true(share(a, SECONDS(5), ta) > 1.95);
    fake_kill(a);
    fake_kill(b);
}

static s_time_t all_idle_time(void)
{
    s_time_t sum = 0;
    unsigned int cpu;

    for (cpu = 0; cpu < NR_CPUS_USED; cpu++) {
        sum += cpu_idle_time(cpu);
    }
    return sum;
}

static void work_conserving(void **unused)
{
    struct domain *a = burner(1, 5, 256, 0);
    s_time_t idle;

    (void)unused;
    fake_run_until(fake_now + MILLISECS(100));
    idle = all_idle_time();
    fake_run_until(fake_now + SECONDS(5));
    assert_true(all_idle_time() - idle < MILLISECS(1));
    fake_kill(a);
}

static void hard_affinity(void **unused)
{
    struct domain *a = burner(1, 4, 256, 0);
    struct vcpu *v;
    unsigned int i;

    (void)unused;
    fake_run_until(fake_now + MILLISECS(50));
    for_each_vcpu (a, v) {
        assert_int_equal(vcpu_set_hard_affinity(v, cpumask_of(v->vcpu_id % 2)), 0);
    }
    assert_int_equal(vcpu_set_hard_affinity(a->vcpu[0], (cpumask_t){0xf0ul << 8}), -EINVAL);
    for (i = 0; i < 200; i++) {
        fake_run_until(fake_now + MILLISECS(7));
        for_each_vcpu (a, v) {
            assert_int_equal(v->sched.processor, v->vcpu_id % 2);
        }
        assert_true(fake_current[2]->domain->is_idle);
        assert_true(fake_current[3]->domain->is_idle);
    }
    fake_on_cpu(0);
    fake_kill(a);
}

static void soft_affinity_is_preferred(void **unused)
{
    struct domain *a = burner(1, 1, 256, 0);
    struct vcpu *v = a->vcpu[0];

    (void)unused;
    fake_run_until(fake_now + MILLISECS(50));
    assert_int_equal(vcpu_set_soft_affinity(v, cpumask_of(3)), 0);
    assert_int_equal(vcpu_set_hard_affinity(v, (cpumask_t){0xful & ~BIT(v->sched.processor)}), 0);
    fake_run_until(fake_now + MILLISECS(50));
    assert_int_equal(v->sched.processor, 3);
    fake_kill(a);
}

static void pin_override(void **unused)
{
    struct domain *a = burner(1, 1, 256, 0);
    struct vcpu *v = a->vcpu[0];

    (void)unused;
    assert_int_equal(vcpu_pin_override(v, -1), -EINVAL);
    assert_int_equal(vcpu_pin_override(v, 77), -EINVAL);
    assert_int_equal(vcpu_pin_override(v, 2), 0);
    assert_int_equal(vcpu_pin_override(v, 1), -EBUSY);
    assert_int_equal(vcpu_set_hard_affinity(v, CPUMASK_ALL), -EBUSY);
    fake_run_until(fake_now + MILLISECS(5));
    assert_int_equal(v->sched.processor, 2);
    assert_int_equal(vcpu_pin_override(v, -1), 0);
    assert_int_equal(v->sched.hard_affinity.bits, CPUMASK_ALL.bits);
    fake_kill(a);
}

/* A vcpu that waits most of the time and is woken each 5 ms, beside four that compute. */
static struct vcpu *sleeper;
static struct timer waker;
static s_time_t woken_at;

static void wake_sleeper(void *unused)
{
    (void)unused;
    woken_at = fake_now;
    vcpu_unblock(sleeper);
    timer_set(&waker, fake_now + MILLISECS(5));
}

static bool runs_anywhere(const struct vcpu *v)
{
    unsigned int cpu;

    for (cpu = 0; cpu < NR_CPUS_USED; cpu++) {
        if (fake_current[cpu] == v) {
            return true;
        }
    }
    return false;
}

static void waking_is_boosted(void **unused)
{
    struct domain *a = burner(1, 8, 256, 0), *b = fake_domain(2, 1, false);
    s_time_t worst = 0;
    unsigned int i, cpu, runs = 0;

    (void)unused;
    sleeper = b->vcpu[0];
    set_bit(VPF_BLOCKED, &sleeper->sched.pause_flags);
    assert_int_equal(domain_unpause_by_controller(b), 0);
    fake_run_until(fake_now + SECONDS(1));
    timer_init(&waker, wake_sleeper, NULL, 0);
    timer_set(&waker, fake_now + MILLISECS(5));
    for (i = 0; i < 20000; i++) {
        fake_run_until(fake_now + MICROSECS(100));
        if (woken_at != 0 && runs_anywhere(sleeper)) {
            runs++;
            worst = max(worst, fake_now - woken_at);
            woken_at = 0;
            /* It has done its work: it blocks. */
            for (cpu = 0; fake_current[cpu] != sleeper; cpu++) {
            }
            fake_on_cpu(cpu);
            vcpu_block();
            fake_on_cpu(0);
        }
    }
    /* At most the rate limit of the one that it interrupts. */
    assert_true(runs >= 390);
    assert_true(worst <= MICROSECS(1100));
    timer_kill(&waker);
    fake_kill(a);
    fake_kill(b);
}

static void pause_and_runstate(void **unused)
{
    struct domain *a = burner(1, 2, 256, 0);
    struct vcpu *v = a->vcpu[0];
    struct vcpu_runstate_info r;
    s_time_t start = (s_time_t)v->runstate.state_entry_time;
    uint64_t sum;

    (void)unused;
    fake_run_until(fake_now + MILLISECS(30));
    vcpu_pause_nosync(v);
    vcpu_pause_nosync(v);
    fake_run_until(fake_now + MILLISECS(30));
    assert_false(runs_anywhere(v));
    vcpu_runstate_get(v, &r);
    assert_int_equal(r.state, RUNSTATE_offline);
    assert_true(r.time[RUNSTATE_offline] >= (uint64_t)MILLISECS(30));
    vcpu_unpause(v);
    fake_run_until(fake_now + MILLISECS(1));
    assert_false(runs_anywhere(v));
    vcpu_unpause(v);
    fake_run_until(fake_now + MILLISECS(10));
    assert_true(runs_anywhere(v));
    vcpu_runstate_get(v, &r);
    sum = r.time[0] + r.time[1] + r.time[2] + r.time[3];
    assert_true(sum <= (uint64_t)(fake_now - start) + (uint64_t)SECONDS(1));
    assert_true(r.time[RUNSTATE_running] >= (uint64_t)MILLISECS(39));
    fake_kill(a);
}

/* The guest's copy has the update mark while it changes, and not afterwards. */
static void runstate_copy(void **unused)
{
    struct domain *a = burner(1, 1, 256, 0);
    struct vcpu *v = a->vcpu[0];
    struct vcpu_runstate_info copy;

    (void)unused;
    fake_run_until(fake_now + MILLISECS(3));
    memset(&copy, 0xff, sizeof(copy));
    v->runstate_guest.p = &copy;
    assert_true(update_runstate_area(v));
    assert_memory_equal(&copy, &v->runstate, sizeof(copy));
    __set_bit(VMASST_TYPE_runstate_update_flag, &a->vm_assist);
    assert_true(update_runstate_area(v));
    assert_memory_equal(&copy, &v->runstate, sizeof(copy));
    v->runstate_guest.p = (void *)16;
    assert_false(update_runstate_area(v));
    v->runstate_guest.p = NULL;
    fake_kill(a);
}

static void global_parameters(void **unused)
{
    struct xen_sysctl_scheduler_op op = {.sched_id = XEN_SCHEDULER_CREDIT,
                                         .cmd = XEN_SYSCTL_SCHEDOP_getinfo};

    (void)unused;
    assert_int_equal(sched_adjust_global(&op), 0);
    assert_int_equal(op.u.sched_credit.tslice_ms, 30);
    assert_int_equal(op.u.sched_credit.ratelimit_us, 1000);
    op.cmd = XEN_SYSCTL_SCHEDOP_putinfo;
    op.u.sched_credit.tslice_ms = 0;
    assert_int_equal(sched_adjust_global(&op), -EINVAL);
    op.u.sched_credit.tslice_ms = 5;
    op.u.sched_credit.ratelimit_us = 50000;
    assert_int_equal(sched_adjust_global(&op), -EINVAL);
    op.u.sched_credit.ratelimit_us = 500;
    assert_int_equal(sched_adjust_global(&op), 0);
    op.u.sched_credit.tslice_ms = 30;
    op.u.sched_credit.ratelimit_us = 1000;
    assert_int_equal(sched_adjust_global(&op), 0);
    op.sched_id = XEN_SCHEDULER_RTDS;
    assert_int_equal(sched_adjust_global(&op), -EINVAL);
}

static int set_up(void **unused)
{
    (void)unused;
    fake_init(NR_CPUS_USED);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_follow_weights),
        cmocka_unit_test(unusable_share_goes_to_others),
        cmocka_unit_test(caps_hold),
        cmocka_unit_test(work_conserving),
        cmocka_unit_test(hard_affinity),
        cmocka_unit_test(soft_affinity_is_preferred),
        cmocka_unit_test(pin_override),
        cmocka_unit_test(waking_is_boosted),
        cmocka_unit_test(pause_and_runstate),
        cmocka_unit_test(runstate_copy),
        cmocka_unit_test(global_parameters),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
