/* A domain's watchdogs (SCHEDOP_watchdog): one that is not set again in time shuts it down. */
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <xen/sched.h>

static void watchdog_fired(void *data)
{
    struct domain *d = data;

    if (d->is_shutting_down || d->is_dying != DOMDYING_ALIVE) {
        return;
    }
    printk(LOG_G_WARNING "Domain %u's watchdog was not reset in time\n", d->domain_id);
    domain_shutdown(d, SHUTDOWN_watchdog);
}

void watchdogs_init(struct domain *d)
{
    unsigned int i;

    spin_lock_init(&d->watchdog_lock, RANK_WATCHDOG);
    for (i = 0; i < NR_DOMAIN_WATCHDOGS; i++) {
        timer_init(&d->watchdog[i], watchdog_fired, d, 0);
    }
}

void watchdogs_destroy(struct domain *d)
{
    unsigned int i;

    for (i = 0; i < NR_DOMAIN_WATCHDOGS; i++) {
        timer_kill(&d->watchdog[i]);
    }
}

/* Lock held. */
static int start_new(struct domain *d, uint32_t timeout)
{
    unsigned int i;

    if (timeout == 0) {
        return -EINVAL;
    }
    for (i = 0; i < NR_DOMAIN_WATCHDOGS; i++) {
        if (!(d->watchdog_inuse & (1u << i))) {
            d->watchdog_inuse |= 1u << i;
            timer_set(&d->watchdog[i], NOW() + SECONDS(timeout));
            return (int)i + 1;
        }
    }
    return -ENOSPC;
}

/* Lock held. */
static int change(struct domain *d, unsigned int i, uint32_t timeout)
{
    if (i >= NR_DOMAIN_WATCHDOGS || !(d->watchdog_inuse & (1u << i))) {
        return -EINVAL;
    }
    if (timeout == 0) {
        timer_stop(&d->watchdog[i]);
        d->watchdog_inuse &= ~(1u << i);
    } else {
        timer_set(&d->watchdog[i], NOW() + SECONDS(timeout));
    }
    return 0;
}

int domain_watchdog(struct domain *d, uint32_t id, uint32_t timeout)
{
    int rc;

    spin_lock(&d->watchdog_lock);
    rc = id == 0 ? start_new(d, timeout) : change(d, id - 1, timeout);
    spin_unlock(&d->watchdog_lock);
    return rc;
}
