/*
 * System time: the TSC, scaled. One base (tsc, stime, scale) is made at boot and copied to each
 * CPU, with the CPU's TSC offset where the TSCs are not in step; NOW() reads only its own CPU's
 * copy. The scale is measured again against the platform timer over longer and longer spans, which
 * removes the error of the short measurement at boot (time_refine).
 */
#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/domain.h>
#include <hospes/lib.h>
#include <hospes/percpu.h>
#include <hospes/sched.h>
#include <hospes/softirq.h>
#include <hospes/timer.h>
#include <arch/apic.h>
#include <arch/cpufeature.h>
#include <arch/msr.h>
#include <arch/pv.h>
#include <arch/time.h>
#include "platform_timer.h"
#include "time_internal.h"

DEFINE_PER_CPU(struct time_base, time_base);
static struct time_base master;
struct platform_timer platform_timer;
static uint64_t tsc_hz;
static bool tsc_synchronised = true;

static uint64_t scale_delta(uint64_t delta, const struct time_scale *scale)
{
    delta = scale->shift < 0 ? delta >> -scale->shift : delta << scale->shift;
    return (uint64_t)(((unsigned __int128)delta * scale->mul_frac) >> 32);
}

void set_time_scale(struct time_scale *scale, uint64_t hz)
{
    uint64_t tps = hz;
    uint64_t mul;
    int shift = 0;

    /* mul_frac = 1e9 / tps * 2^32, with tps brought to (1e9, 2e9] so that it has all 32 bits. */
    while (tps > 2000000000ull) {
        tps >>= 1;
        shift--;
    }
    while (tps <= 1000000000ull) {
        tps <<= 1;
        shift++;
    }
    mul = shift < 0 ? mul_div(1000000000u, 1ull << (32 - shift), hz)
                    : mul_div(1000000000u, 1ull << 32, tps);
    scale->shift = shift;
    scale->mul_frac = mul > 0xffffffffu ? 0xffffffffu : (uint32_t)mul;
}

static s_time_t base_time(const struct time_base *b, uint64_t tsc)
{
    return b->stime + (s_time_t)scale_delta(tsc - b->tsc, &b->scale);
}

s_time_t NOW(void)
{
    const struct time_base *b = &this_cpu(time_base);
    unsigned long flags = local_irq_save();
    s_time_t now = base_time(b, rdtsc_ordered());

    local_irq_restore(flags);
    return now;
}

uint64_t stime_to_tsc(s_time_t t)
{
    const struct time_base *b = &this_cpu(time_base);
    uint64_t delta = t > b->stime ? (uint64_t)(t - b->stime) : 0;

    return b->tsc + mul_div(delta, tsc_hz, 1000000000u);
}

uint64_t tsc_khz(void)
{
    return tsc_hz / 1000;
}

void udelay(unsigned int us)
{
    uint64_t end = rdtsc() + us * (tsc_hz ? tsc_hz : 4000000000ull) / 1000000u;

    while ((int64_t)(rdtsc() - end) < 0) {
        cpu_relax();
    }
}

/* ---- measuring ---- */

/* The platform timer and the TSC at one moment, as exactly as the best of some tries says. */
static struct sample take_sample(void)
{
    uint64_t best = ~0ull;
    struct sample s = {0, 0};

    for (unsigned int i = 0; i < 8; i++) {
        uint64_t before = rdtsc_ordered();
        uint64_t count = platform_timer.read();
        uint64_t after = rdtsc_ordered();

        if (after - before < best) {
            best = after - before;
            s.tsc = before + (after - before) / 2;
            s.count = count;
        }
    }
    return s;
}

static uint64_t count_mask(void)
{
    return (1ull << platform_timer.bits) - 1;
}

/* Do two frequencies differ by less than 1 / part? */
static bool agree(uint64_t a, uint64_t b, unsigned int part)
{
    return (a > b ? a - b : b - a) < a / part;
}

uint64_t __init measure_until_agreed(uint64_t (*once)(void), const char *what)
{
    uint64_t hz[9];
    unsigned int n = 0;

    while (n < ARRAY_SIZE(hz)) {
        uint64_t new = once();
        unsigned int i = n++;

        for (; i > 0 && hz[i - 1] > new; i--) {
            hz[i] = hz[i - 1];
        }
        hz[i] = new;
        if ((i > 0 && agree(new, hz[i - 1], 2000)) || (i + 1 < n && agree(new, hz[i + 1], 2000))) {
            return new;
        }
    }
    printk(LOG_WARNING "Time: the %s is measured at %lu to %lu MHz\n", what,
           (unsigned long)(hz[0] / 1000000), (unsigned long)(hz[n - 1] / 1000000));
    return hz[n / 2];
}

static uint64_t __init measure_tsc(void)
{
    unsigned int ms = platform_timer.bits < 24 ? 40 : 50; /* before a short counter wraps */
    struct sample a = take_sample(), b;
    uint64_t want = platform_timer.hz * ms / 1000;

    do {
        cpu_relax();
    } while (((platform_timer.read() - a.count) & count_mask()) < want);
    b = take_sample();
    return mul_div(b.tsc - a.tsc, platform_timer.hz, (b.count - a.count) & count_mask());
}

static struct {
    struct sample last;
    uint64_t total_count, total_tsc;
    unsigned int seconds, next;
    unsigned int strange; /* intervals in a row that contradict what was measured before */
    struct timer timer;
} refine;

static void copy_base(void *unused)
{
    struct time_base *b = &this_cpu(time_base);
    int64_t offset = b->tsc_offset;
    unsigned long flags = local_irq_save();

    *b = master;
    b->tsc_offset = offset;
    b->tsc += (uint64_t)offset;
    local_irq_restore(flags);
    raise_softirq(TIME_CALIBRATE_SOFTIRQ); /* the guest's copy: not from an interrupt */
}

static void tell_vcpu(void)
{
    arch_update_vcpu_time(current);
}

/* A new frequency from now on; time is continuous. */
static void set_frequency(uint64_t hz)
{
    uint64_t tsc = rdtsc_ordered();

    master.stime = base_time(&master, tsc);
    master.tsc = tsc;
    set_time_scale(&master.scale, hz);
    tsc_hz = hz;
    on_cpus(cpu_online_map, copy_base, NULL, true);
}

/*
 * One more interval of both clocks. False: it is not counted, as it took so long that the platform
 * timer may have wrapped, or says something else than all before; when that happens again and
 * again, what was before was wrong.
 */
static bool add_interval(uint64_t tsc, uint64_t count)
{
    uint64_t wraps = mul_div(count_mask(), tsc_hz, platform_timer.hz);
    uint64_t expected = mul_div(tsc, platform_timer.hz, tsc_hz);
    bool strange = !agree(expected, count, 100);

    if (strange && ++refine.strange >= 4 && count > expected / 1000) {
        refine.total_count = refine.total_tsc = 0;
        set_frequency(mul_div(tsc, platform_timer.hz, count));
    } else if (strange || tsc > wraps / 2) {
        return false;
    }
    refine.strange = 0;
    refine.total_count += count;
    refine.total_tsc += tsc;
    return true;
}

/* Every second on CPU 0: adds up the platform timer before it wraps, and at 2, 4, 8... s corrects.
 */
static void time_refine(void *unused)
{
    struct sample s = take_sample(), last = refine.last;

    refine.last = s;
    refine.seconds += add_interval(s.tsc - last.tsc, (s.count - last.count) & count_mask());
    if (refine.total_count != 0 && refine.seconds >= refine.next && refine.seconds <= 1024) {
        refine.next *= 2;
        set_frequency(mul_div(refine.total_tsc, platform_timer.hz, refine.total_count));
    }
    timer_set(&refine.timer, NOW() + SECONDS(1));
}

/* ---- the vcpu's view ---- */

/* ABI: <xen/xen.h>, struct vcpu_time_info. An odd version says "being written". */
void arch_update_vcpu_time(struct vcpu *v)
{
    const struct time_base *b = &this_cpu(time_base);
    struct vcpu_time_info *t;

    if (!v || !v->vcpu_info || v->domain->is_idle) {
        return;
    }
    t = &v->vcpu_info->time;
    if (READ_ONCE(t->tsc_timestamp) == b->tsc && READ_ONCE(t->system_time) == (uint64_t)b->stime &&
        t->tsc_to_system_mul == b->scale.mul_frac && (t->version & 1) == 0) {
        if (unlikely(v->arch.pv.time_area_stale)) {
            pv_update_time_area(v);
        }
        return;
    }
    WRITE_ONCE(t->version, (t->version + 1) | 1);
    smp_wmb();
    t->tsc_timestamp = b->tsc;
    t->system_time = (uint64_t)b->stime;
    t->tsc_to_system_mul = b->scale.mul_frac;
    t->tsc_shift = (int8_t)b->scale.shift;
    t->flags = tsc_synchronised && cpu_has(X86_ITSC) ? XEN_PVCLOCK_TSC_STABLE_BIT : 0;
    smp_wmb();
    WRITE_ONCE(t->version, t->version + 1);
    pv_update_time_area(v);
}

/* ---- start ---- */

static void dump_time(char key)
{
    printk("System time %ld ns; TSC %lu kHz against %s at %lu Hz, %u s measured; TSCs %s\n",
           (long)NOW(), (unsigned long)tsc_khz(), platform_timer.name,
           (unsigned long)platform_timer.hz, refine.seconds,
           tsc_synchronised ? "in step" : "with offsets");
}

void __init time_init(void)
{
    platform_timer_init(&platform_timer);
    tsc_hz = measure_until_agreed(measure_tsc, "TSC");
    set_time_scale(&master.scale, tsc_hz);
    master.tsc = rdtsc_ordered();
    this_cpu(time_base) = master;
    printk("Time: TSC %lu.%03lu MHz measured by %s at %lu Hz\n", (unsigned long)(tsc_hz / 1000000),
           (unsigned long)(tsc_hz / 1000 % 1000), platform_timer.name,
           (unsigned long)platform_timer.hz);
    wallclock_init();
    lapic_timer_calibrate();
    lapic_timer_init_cpu();
    keyhandler_register('t', dump_time, "clocks");
}

void __init time_start(void)
{
    refine.last = take_sample();
    refine.next = 2;
    softirq_open(TIME_CALIBRATE_SOFTIRQ, tell_vcpu);
    timer_init(&refine.timer, time_refine, NULL, 0);
    /* A 16-bit counter wraps too fast to be added up. */
    if (platform_timer.bits >= 24) {
        timer_set(&refine.timer, NOW() + SECONDS(1));
    }
}

/* ---- another CPU: is its TSC in step with CPU 0's? ---- */

static struct {
    unsigned int turn; /* odd: the new CPU's */
    uint64_t tsc;
} handshake;
#define ROUNDS 32u

/* By the CPU that brings another one up, while that one is in time_init_cpu. */
void time_sync_master(void)
{
    for (unsigned int i = 0; i < ROUNDS; i++) {
        while (__atomic_load_n(&handshake.turn, __ATOMIC_ACQUIRE) != 2 * i + 1) {
            cpu_relax();
        }
        handshake.tsc = rdtsc_ordered();
        __atomic_store_n(&handshake.turn, 2 * i + 2, __ATOMIC_RELEASE);
    }
    while (__atomic_load_n(&handshake.turn, __ATOMIC_ACQUIRE) != 0) {
        cpu_relax();
    }
}

void time_init_cpu(void)
{
    uint64_t best = ~0ull;
    int64_t offset = 0;
    struct time_base *b = &this_cpu(time_base);

    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint64_t before = rdtsc_ordered(), after;

        __atomic_store_n(&handshake.turn, 2 * i + 1, __ATOMIC_RELEASE);
        while (__atomic_load_n(&handshake.turn, __ATOMIC_ACQUIRE) != 2 * i + 2) {
            cpu_relax();
        }
        after = rdtsc_ordered();
        if (after - before < best) {
            best = after - before;
            offset = (int64_t)(before + (after - before) / 2 - handshake.tsc);
            /* CPU 0's reading lies between ours: in step as far as one can tell. */
            if (handshake.tsc >= before && handshake.tsc <= after) {
                offset = 0;
            }
        }
    }
    *b = master;
    b->tsc_offset = offset;
    b->tsc += (uint64_t)offset;
    if (offset != 0) {
        tsc_synchronised = false;
    }
    __atomic_store_n(&handshake.turn, 0, __ATOMIC_RELEASE);
    lapic_timer_init_cpu();
}
