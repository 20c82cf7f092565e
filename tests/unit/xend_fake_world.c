/*
 * The world around xend in its tests: backends in Domain 0 and guests, played over the real store.
 *
 * world_step() looks at every device and every guest once and does what Linux's drivers would do
 * next. Read xend_fake.h first; xenbus states: <xen/io/xenbus.h>.
 */
#include "tests/unit/xend_fake.h"

#include "xenstored/client/xsclient.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned state(struct xsc *xs, const char *folder)
{
    uint64_t value = 0;

    return xsc_read_u64(xs, XSC_NO_TX, &value, "%s/state", folder) == 0 ? (unsigned)value : 0;
}

static bool set_state(struct xsc *xs, const char *folder, unsigned value)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/state", folder);
    return xsc_writef(xs, XSC_NO_TX, path, "%u", value) == 0;
}

/* The guest's driver: connects once the backend is ready, closes when the backend closes. */
static bool frontend_step(struct xsc *xs, const struct fake_domain *d, const char *front,
                          unsigned back_state)
{
    unsigned mine = state(xs, front);

    if (d == NULL || d->paused || d->shutdown || d->deaf || mine == 0) {
        return false;
    }
    if (mine == 1 && back_state == 2) {
        return set_state(xs, front, 4);
    }
    if (back_state == 5 && mine != 6 && !d->stubborn) {
        return set_state(xs, front, 6);
    }
    return false;
}

/* Linux's backend drivers. */
static bool backend_step(struct xsc *xs, const char *back, const char *front)
{
    unsigned mine = state(xs, back), theirs = state(xs, front);

    if (mine == 1) {
        return set_state(xs, back, 2);
    }
    if (mine == 2 && theirs == 4) {
        return set_state(xs, back, 4);
    }
    if (mine == 5 && (theirs == 6 || theirs == 0)) {
        return set_state(xs, back, 6);
    }
    return false;
}

static bool devices_step(struct xsc *xs, const struct fake_domain *d, unsigned domid,
                         const char *class)
{
    char path[128], front[192], back[192], **names;
    size_t n;
    bool any = false;

    snprintf(path, sizeof(path), "/local/domain/0/backend/%s/%u", class, domid);
    if (xsc_directory(xs, XSC_NO_TX, path, &names, &n) != 0) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(back, sizeof(back), "%s/%s", path, names[i]);
        snprintf(front, sizeof(front), "/local/domain/%u/device/%s/%s", domid, class, names[i]);
        any = (!fake_hv()->no_backends && backend_step(xs, back, front)) || any;
        any = frontend_step(xs, d, front, state(xs, back)) || any;
    }
    free(names);
    return any;
}

/* control/shutdown: acknowledged by emptying it, and done. */
static bool guest_step(struct xsc *xs, const struct fake_domain *d)
{
    char path[128], *request = NULL;
    uint32_t reason;

    if (d->paused || d->shutdown || d->stubborn || d->domid == 0) {
        return false;
    }
    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", d->domid);
    if (xsc_read(xs, XSC_NO_TX, path, &request, NULL) != 0 || request[0] == '\0') {
        free(request);
        return false;
    }
    reason = strcmp(request, "reboot") == 0 ? 1 : 0;
    free(request);
    xsc_write_str(xs, XSC_NO_TX, path, "");
    fake_end(d->domid, reason);
    return true;
}

bool world_step(struct xsc *xs)
{
    static const char *const classes[] = {"vbd", "vif"};
    struct fake_domain copy[FAKE_DOMAINS];
    bool any = false;

    fake_lock();
    memcpy(copy, fake_hv()->domains, sizeof(copy));
    fake_unlock();
    for (unsigned i = 0; i < FAKE_DOMAINS; i++) {
        if (copy[i].used) {
            any = guest_step(xs, &copy[i]) || any;
        }
    }
    for (unsigned c = 0; c < 2; c++) { /* also backends whose domain is gone */
        char path[64], **names;
        size_t n;

        snprintf(path, sizeof(path), "/local/domain/0/backend/%s", classes[c]);
        if (xsc_directory(xs, XSC_NO_TX, path, &names, &n) != 0) {
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            unsigned domid = (unsigned)atoi(names[i]);
            const struct fake_domain *d = NULL;

            for (unsigned j = 0; j < FAKE_DOMAINS; j++) {
                d = copy[j].used && copy[j].domid == domid ? &copy[j] : d;
            }
            any = devices_step(xs, d, domid, classes[c]) || any;
        }
        free(names);
    }
    return any;
}
