/*
 * A neighbour: a small guest for the tests of many guests and of hostile ones. Words of its command
 * line say what it is:
 *
 *   crash, poweroff, reboot   ends so after two seconds; the others never end by themselves
 *   idle     does nothing: what remains is what creation and destruction cost
 *   meter    well-behaved: counts a fixed piece of work and says every second how often it was done
 *   spin     runs on all its vcpus, for ever
 *   events   all vcpus: takes ports until there are none, sends and closes them, floods Domain 0's
 *   grants   all vcpus: grants, maps, copies, and wrong arguments of all of them
 *   rings    writes garbage into the rings of its console and store
 *   devices  connects to its disk's backend, then writes garbage into the disk's ring
 *   store    nonsense of every kind to the store: types, lengths, paths, and its own nodes
 *   quota    nodes, watches, transactions and sizes until the store refuses; then again and again
 *
 * Its console says "neighbour: MODE at work" when it has begun; nothing else is promised.
 */
#include "neighbour.h"

static void end(unsigned int reason)
{
    struct sched_shutdown s = {.reason = reason};

    sleep_ns(2000000000);
    for (;;) {
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &s);
    }
}

static void end_crash(void)
{
    end(SHUTDOWN_crash);
}

static void end_poweroff(void)
{
    end(SHUTDOWN_poweroff);
}

static void end_reboot(void)
{
    end(SHUTDOWN_reboot);
}

static const struct mode {
    const char *name;
    void (*run)(void);
    bool all_vcpus; /* run on the others too */
} modes[] = {
    {"idle", neighbour_idle, false},       {"meter", neighbour_meter, false},
    {"spin", neighbour_spin, true},        {"events", neighbour_events, true},
    {"grants", neighbour_grants, true},    {"rings", neighbour_rings, false},
    {"devices", neighbour_devices, false}, {"store", neighbour_store, false},
    {"quota", neighbour_quota, false},     {"crash", end_crash, false},
    {"poweroff", end_poweroff, false},     {"reboot", end_reboot, false},
};

void neighbour_idle(void)
{
    for (;;) {
        sleep_ns(3600ull * 1000000000);
    }
}

void neighbour_spin(void)
{
    for (volatile unsigned long n = 0;; n++) {
    }
}

/* One piece of work: some microseconds of arithmetic that no compiler takes away. */
static uint64_t work(uint64_t x)
{
    for (unsigned int i = 0; i < 10000; i++) {
        x = x * 6364136223846793005ull + 1442695040888963407ull;
    }
    return x;
}

/* The time that this guest was runnable but did not run, as the hypervisor accounts it. */
static uint64_t stolen_ns(void)
{
    static struct vcpu_runstate_info rs;

    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 0, &rs);
    return rs.time[RUNSTATE_runnable];
}

void neighbour_meter(void)
{
    uint64_t x = 1, begin = now_ns(), stolen = stolen_ns();
    unsigned long done = 0;

    for (;;) {
        uint64_t now;

        x = work(x);
        done++;
        now = now_ns();
        if (now - begin >= 1000000000) {
            uint64_t s = stolen_ns();

            say("meter: did %lu in %lu ms, waited %lu ms (%lu)", done,
                (unsigned long)((now - begin) / 1000000), (unsigned long)((s - stolen) / 1000000),
                (unsigned long)(x & 1));
            begin = now;
            stolen = s;
            done = 0;
        }
    }
}

void test_main(void)
{
    domu_init();
    for (unsigned int i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (guest_option(modes[i].name) == NULL) {
            continue;
        }
        say("neighbour: %s at work", modes[i].name);
        for (unsigned int v = 1; modes[i].all_vcpus && v < GUEST_MAX_VCPUS; v++) {
            if (start_vcpu(v, modes[i].run) != 0) {
                break;
            }
        }
        modes[i].run();
    }
    say("neighbour: what is to be done?");
    neighbour_idle();
}
