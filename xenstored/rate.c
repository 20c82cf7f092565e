/*
 * Credits of the write rate limit. Read rate.h first.
 *
 * Numbers: 200 writes a second shared by all rings, 10 saved up per domain, 5 domains' worth of
 * burst in a common reserve, as guests know it from Xen's store.
 */
#include "xenstored/rate.h"
#include "xenstored/quota.h"

#include <syslog.h>

#define UNIT          1000 /* one write */
#define RATE          (200 * UNIT)
#define DOMAIN_BURST  (10 * UNIT)
#define RESERVE_BURST (1000 * UNIT)
#define RESERVE_FLOOR (-5 * DOMAIN_BURST)

long rate_transactions;

static long ring_domains;
static int64_t reserve;

/* Moves as much as both bounds allow. */
static void move_credit(int64_t *from, int64_t floor, int64_t *to, int64_t ceiling)
{
    int64_t a = *from - floor, b = ceiling - *to;
    int64_t amount = a < b ? a : b;

    if (amount > 0) {
        *from -= amount;
        *to += amount;
    }
}

void rate_domain_added(struct domain *d)
{
    ring_domains++;
    d->credit = 0;
    d->credit_ms = now_ms();
    move_credit(&reserve, RESERVE_FLOOR, &d->credit, DOMAIN_BURST);
}

void rate_domain_removed(struct domain *d)
{
    ring_domains--;
    move_credit(&d->credit, 0, &reserve, DOMAIN_BURST);
}

static void update(struct domain *d, uint64_t now)
{
    uint64_t elapsed = now - d->credit_ms;

    if (elapsed > 1000000000) {
        elapsed = 1000000000;
    }
    d->credit_ms = now;
    d->credit += (int64_t)(elapsed * RATE / ((uint64_t)(ring_domains ? ring_domains : 1) * 1000));
    move_credit(&reserve, 0, &d->credit, 0);
    if (d->credit > DOMAIN_BURST) {
        int64_t surplus = d->credit - DOMAIN_BURST;

        d->credit = DOMAIN_BURST;
        move_credit(&surplus, 0, &reserve, RESERVE_BURST);
    }
}

static void charge(struct domain *d)
{
    if (!d || !domid_unprivileged(d->domid)) {
        return;
    }
    update(d, now_ms());
    d->credit -= UNIT;
    if (d->credit < 0 && !d->delay_reported) {
        d->delay_reported = true;
        log_msg(LOG_WARNING, "write rate limit: domain %u is affected", d->domid);
    }
}

void rate_charge_write(struct domain *d)
{
    if (rate_transactions > 0) {
        charge(d);
    }
}

void rate_charge_commit(struct domain *d)
{
    if (rate_transactions > 1) {
        charge(d);
    }
}

bool rate_may_run(struct domain *d, uint64_t now, int *wait_ms)
{
    if (d->credit >= 0) {
        return true;
    }
    update(d, now);
    if (d->credit >= 0) {
        return true;
    }
    *wait_ms = (int)(-d->credit * 1000 * ring_domains / RATE) + 1;
    return false;
}
