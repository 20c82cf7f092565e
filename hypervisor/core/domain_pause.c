/* Pausing, shutting down, crashing and resuming domains. Read <hospes/domain.h> first. */
#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <xen/sched.h>
#include "domain_private.h"

/* ---- pause ---- */

void domain_pause_nosync(struct domain *d)
{
    struct vcpu *v;

    __atomic_add_fetch(&d->pause_count, 1, __ATOMIC_SEQ_CST);
    for_each_vcpu (d, v) {
        vcpu_sleep_nosync(v);
    }
}

void domain_pause(struct domain *d)
{
    struct vcpu *v;

    ASSERT(d != current->domain);
    domain_pause_nosync(d);
    for_each_vcpu (d, v) {
        vcpu_sleep_sync(v);
    }
}

void domain_unpause(struct domain *d)
{
    struct vcpu *v;

    if (__atomic_sub_fetch(&d->pause_count, 1, __ATOMIC_SEQ_CST) == 0) {
        for_each_vcpu (d, v) {
            vcpu_wake(v);
        }
    }
}

int domain_pause_by_controller(struct domain *d)
{
    unsigned int n = __atomic_load_n(&d->controller_pause_count, __ATOMIC_RELAXED);

    do {
        if (n >= 255) {
            return -EUSERS;
        }
    } while (!__atomic_compare_exchange_n(&d->controller_pause_count, &n, n + 1, false,
                                          __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    domain_pause(d);
    return 0;
}

int domain_unpause_by_controller(struct domain *d)
{
    unsigned int n = __atomic_load_n(&d->controller_pause_count, __ATOMIC_RELAXED);

    do {
        if (n == 0) {
            return -EINVAL;
        }
    } while (!__atomic_compare_exchange_n(&d->controller_pause_count, &n, n - 1, false,
                                          __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    if (n == 1) {
        WRITE_ONCE(d->creation_finished, true);
    }
    domain_unpause(d);
    return 0;
}

/* ---- shutdown ---- */

void domain_exception_notify(void)
{
    raise_softirq(DOM_EXC_SOFTIRQ);
}

/* In a softirq, because whoever shuts a domain down may hold any lock. */
static void tell_toolstack(void)
{
    send_global_virq(VIRQ_DOM_EXC);
}

/* shutdown_lock held. Complete when the last vcpu has stopped. */
static void finish_shutdown(struct domain *d)
{
    struct vcpu *v;

    if (d->is_shut_down) {
        return;
    }
    for_each_vcpu (d, v) {
        if (!v->paused_for_shutdown) {
            return;
        }
    }
    d->is_shut_down = true;
    domain_exception_notify();
}

static void __noreturn hardware_domain_shutdown(int reason)
{
    switch (reason) {
    case SHUTDOWN_poweroff:
        printk("Domain 0 halted: switching the machine off.\n");
        machine_power_off();
    case SHUTDOWN_crash:
        printk(LOG_ERR "Domain 0 crashed.\n");
        break;
    case SHUTDOWN_reboot:
        printk("Domain 0 shut down: rebooting the machine.\n");
        machine_restart(0);
    case SHUTDOWN_watchdog:
        printk(LOG_ERR "Domain 0's watchdog fired.\n");
        break;
    default:
        printk(LOG_ERR "Domain 0 shut down, reason %d.\n", reason);
        break;
    }
    if (opt_noreboot) {
        printk(LOG_ERR "The machine needs a reset by hand (\"noreboot\" was given).\n");
        machine_halt();
    }
    machine_restart(5000);
}

/* shutdown_lock held. */
static void stop_vcpu(struct vcpu *v)
{
    if (!v->paused_for_shutdown) {
        vcpu_pause_nosync(v);
        v->paused_for_shutdown = true;
    }
}

void domain_shutdown(struct domain *d, int reason)
{
    struct vcpu *v;

    spin_lock(&d->shutdown_lock);
    if (d->shutdown_code == -1) {
        d->shutdown_code = reason;
    }
    reason = d->shutdown_code;
    if (d->is_hardware) {
        spin_unlock(&d->shutdown_lock);
        hardware_domain_shutdown(reason);
    }
    if (!d->is_shutting_down) {
        WRITE_ONCE(d->is_shutting_down, true);
        smp_mb();
        for_each_vcpu (d, v) {
            if (reason == SHUTDOWN_crash) {
                v->defer_shutdown = false;
            }
            if (!READ_ONCE(v->defer_shutdown)) {
                stop_vcpu(v);
            }
        }
        finish_shutdown(d);
    }
    spin_unlock(&d->shutdown_lock);
}

void domain_resume(struct domain *d)
{
    struct vcpu *v;

    domain_pause(d); /* nobody sees the state half changed */
    spin_lock(&d->shutdown_lock);
    d->is_shutting_down = d->is_shut_down = false;
    d->shutdown_code = -1;
    for_each_vcpu (d, v) {
        if (v->paused_for_shutdown) {
            v->paused_for_shutdown = false;
            vcpu_unpause(v);
        }
    }
    spin_unlock(&d->shutdown_lock);
    domain_unpause(d);
}

static void stop_deferred(struct vcpu *v)
{
    struct domain *d = v->domain;

    spin_lock(&d->shutdown_lock);
    if (d->is_shutting_down) {
        stop_vcpu(v);
        v->defer_shutdown = false;
        finish_shutdown(d);
    }
    spin_unlock(&d->shutdown_lock);
}

void vcpu_start_shutdown_deferral(struct vcpu *v)
{
    if (v->defer_shutdown) {
        return;
    }
    WRITE_ONCE(v->defer_shutdown, true);
    smp_mb();
    if (unlikely(READ_ONCE(v->domain->is_shutting_down))) {
        stop_deferred(v);
    }
}

void vcpu_end_shutdown_deferral(struct vcpu *v)
{
    WRITE_ONCE(v->defer_shutdown, false);
    smp_mb();
    if (unlikely(READ_ONCE(v->domain->is_shutting_down))) {
        stop_deferred(v);
    }
}

void domain_crash(struct domain *d, const char *fmt, ...)
{
    va_list args;
    char why[160];

    if (READ_ONCE(d->is_shutting_down)) {
        return;
    }
    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    printk(LOG_G_ERR "Domain %u crashed (%pv runs): %s%s", d->domain_id, current, why,
           strchr(why, '\n') != NULL ? "" : "\n");
    if (current->domain == d) {
        arch_vcpu_dump(current);
    }
    domain_shutdown(d, SHUTDOWN_crash);
}

void domain_pause_init(void)
{
    softirq_open(DOM_EXC_SOFTIRQ, tell_toolstack);
}
