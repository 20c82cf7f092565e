/*
 * Waiting for backends and guests, and removing devices. Contract: device.h.
 *
 * Every wait has an end, and ends early when someone wants the domain destroyed: nothing here
 * depends on a guest's good will.
 */
#include "xend/device.h"

#include "xend/lib/alloc.h"
#include "xend/log.h"
#include "xend/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xen/io/xenbus.h>

#define SLICE_MS        250 /* how soon a wait notices that it was cancelled */
#define FORCED_CLOSE_MS 10000

struct wait {
    char back[96], front[96];
    int (*done)(struct session *s, struct wait *w);
    struct session *s;
};

static unsigned state_of(struct session *s, const char *folder)
{
    uint64_t state = 0;

    return xsc_read_u64(s->xs, XSC_NO_TX, &state, "%s/state", folder) == 0 ? (unsigned)state
                                                                           : XenbusStateUnknown;
}

static void wait_init(struct wait *w, struct session *s, int domid, struct device dev)
{
    w->s = s;
    snprintf(w->back, sizeof(w->back), "/local/domain/0/backend/%s/%d/%u", dev.class, domid,
             dev.id);
    snprintf(w->front, sizeof(w->front), "/local/domain/%d/device/%s/%u", domid, dev.class, dev.id);
}

static int test(struct xsc *xs, void *arg)
{
    struct wait *w = arg;

    return w->done(w->s, w);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What done() returned, -ETIMEDOUT, -ECANCELED or an error of the store. */
static int wait_for(struct wait *w, struct domain *d, int timeout_ms)
{
    auto_str path = xprintf("%s/state", w->back);
    int64_t end = now_ms() + timeout_ms;
    bool cancelled = false;
    int rc;

    do {
        int64_t left = end - now_ms();

        rc = xsc_wait_until(w->s->xs, path, test, w, (int)(left < SLICE_MS ? left : SLICE_MS));
        if (d != NULL) {
            domains_lock();
            cancelled = d->cancel;
            domains_unlock();
        }
    } while (rc == -ETIMEDOUT && !cancelled && now_ms() < end);
    return rc == -ETIMEDOUT && cancelled ? -ECANCELED : rc;
}

static int accepted(struct session *s, struct wait *w)
{
    unsigned state = state_of(s, w->back);

    if (state == XenbusStateClosing || state == XenbusStateClosed) {
        return 2;
    }
    return state >= XenbusStateInitWait && state <= XenbusStateConnected ? 1 : 0;
}

static int connected(struct session *s, struct wait *w)
{
    unsigned state = state_of(s, w->back);

    if (state == XenbusStateClosing || state == XenbusStateClosed) {
        return 2;
    }
    return state == XenbusStateConnected ? 1 : 0;
}

static int closed(struct session *s, struct wait *w)
{
    unsigned state = state_of(s, w->back);

    return state == XenbusStateClosed || state == XenbusStateUnknown;
}

/* The backend driver's own words about what went wrong, or NULL. The caller frees it. */
static char *driver_error(struct session *s, const char *back)
{
    char *text = NULL;

    xsc_readf(s->xs, XSC_NO_TX, &text, "/local/domain/0/error/%s/error",
              back + strlen("/local/domain/0/"));
    return text;
}

static int refused(struct session *s, struct wait *w, struct device dev, struct error *err)
{
    auto_str text = driver_error(s, w->back);

    return fail(err, EIO, "The backend of %s %u refuses it: %s.", dev.class, dev.id,
                text ? text : "see dmesg of Domain 0");
}

static int cancelled(struct domain *d, struct error *err)
{
    return fail(err, ECANCELED, "The domain %s was destroyed meanwhile.", domain_name(d));
}

/* 0: what w waits for has come; a negative error, said in err; 1: the time is over. */
static int wait_outcome(struct wait *w, struct session *s, struct domain *d, struct device dev,
                        struct error *err)
{
    int rc;

    wait_init(w, s, d->rec.domid, dev);
    rc = wait_for(w, d, (int)settings.device_timeout * 1000);
    if (rc == 1) {
        return 0;
    }
    if (rc == -ECANCELED) {
        return cancelled(d, err);
    }
    return rc == 2 ? refused(s, w, dev, err) : 1;
}

int device_wait_backend(struct session *s, struct domain *d, struct device dev, struct error *err)
{
    struct wait w = {.done = accepted};
    int rc = wait_outcome(&w, s, d, dev, err);

    if (rc <= 0) {
        return rc;
    }
    return fail(err, ETIMEDOUT,
                "No backend driver took %s %u of %s within %u s: load it in Domain 0 (modprobe "
                "%s).",
                dev.class, dev.id, domain_name(d), settings.device_timeout,
                strcmp(dev.class, "vif") == 0 ? "xen-netback" : "xen-blkback");
}

int device_wait_connected(struct session *s, struct domain *d, struct device dev, struct error *err)
{
    struct wait w = {.done = connected};
    int rc = wait_outcome(&w, s, d, dev, err);

    if (rc <= 0) {
        return rc;
    }
    return fail(err, ETIMEDOUT,
                "The guest %s has not connected its %s %u within %u s: it may lack the driver.",
                domain_name(d), dev.class, dev.id, settings.device_timeout);
}

static void remove_nodes(struct session *s, struct wait *w, int domid, struct device dev)
{
    auto_str failed = xprintf("/local/domain/0/error/%s", w->back + strlen("/local/domain/0/"));

    if (strcmp(dev.class, "vif") == 0) {
        vif_detach(s, domid, dev.id);
    }
    xsc_rm(s->xs, XSC_NO_TX, w->front);
    xsc_rm(s->xs, XSC_NO_TX, w->back);
    xsc_rm(s->xs, XSC_NO_TX, failed);
}

/*
 * Ask the backend to close; by force without asking the guest, by taking the frontend's nodes away.
 * These go last: with them Linux's backend ends at once, and tells of its end only if it was
 * already asked to close.
 */
static int ask_to_close(struct session *s, struct wait *w, bool force)
{
    auto_str online = xprintf("%s/online", w->back);
    auto_str state = xprintf("%s/state", w->back);
    int rc;

    if (!xsc_exists(s->xs, XSC_NO_TX, w->back)) {
        return -ENOENT;
    }
    rc = closed(s, w) ? 0 : xsc_write_str(s->xs, XSC_NO_TX, online, "0");
    if (rc == 0 && !closed(s, w)) {
        rc = xsc_writef(s->xs, XSC_NO_TX, state, "%d", XenbusStateClosing);
    }
    if (force) {
        xsc_rm(s->xs, XSC_NO_TX, w->front);
    }
    return rc;
}

int device_remove(struct session *s, struct domain *d, struct device dev, bool force,
                  struct error *err)
{
    struct wait w = {.done = closed};
    int rc;

    wait_init(&w, s, d->rec.domid, dev);
    rc = ask_to_close(s, &w, force);
    if (rc == -ENOENT) {
        return fail(err, ENOENT, "The domain %s has no %s %u.", domain_name(d), dev.class, dev.id);
    }
    if (rc == 0) {
        rc = wait_for(&w, d, force ? FORCED_CLOSE_MS : (int)settings.device_timeout * 1000);
    }
    if (rc == -ECANCELED) {
        return cancelled(d, err);
    }
    if (rc != 1 && !force) {
        return fail(err, EBUSY,
                    "The guest %s did not let go of %s %u within %u s: unmount it there, or "
                    "detach it with --force.",
                    domain_name(d), dev.class, dev.id, settings.device_timeout);
    }
    remove_nodes(s, &w, d->rec.domid, dev);
    return 0;
}

static void remove_class(struct session *s, int domid, const char *class, bool wait)
{
    uint32_t *ids;
    size_t n = device_ids(s, domid, class, &ids);

    for (size_t i = 0; i < n; i++) {
        struct device dev = {class, ids[i]};
        struct wait w = {.done = closed};

        wait_init(&w, s, domid, dev);
        if (!wait) {
            ask_to_close(s, &w, true);
            continue;
        }
        if (wait_for(&w, NULL, FORCED_CLOSE_MS) != 1) {
            log_warn("The backend of %s %u of domain %d did not close.", class, ids[i], domid);
        }
        remove_nodes(s, &w, domid, dev);
    }
    free(ids);
}

void device_remove_all(struct session *s, int domid)
{
    /* Ask all, then wait for all: they close side by side. */
    remove_class(s, domid, "vbd", false);
    remove_class(s, domid, "vif", false);
    remove_class(s, domid, "vbd", true);
    remove_class(s, domid, "vif", true);
}
