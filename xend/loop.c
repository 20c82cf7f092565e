/*
 * The event loop. Contract: loop.h.
 */
#include "xend/loop.h"

#include "xend/end.h"
#include "xend/log.h"
#include "xend/session.h"
#include "xend/settings.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Look without being told this often: a watch that was lost with the store costs only so long. */
#define LOOK_MS 3000

static sigset_t ending;

void loop_block_signals(void)
{
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Take all events that have come; returns whether any domain may have ended. */
static bool drain(struct xsc *xs)
{
    struct xsc_event *event;
    bool any = false;
    int rc;

    while ((rc = xsc_next_event(xs, &event)) == 0) {
        any = true;
        free(event);
    }
    if (rc == -ECONNRESET) {
        log_warn("The store has gone; waiting for it.");
        usleep(200000);
    }
    return any;
}

static int open_store(struct xsc **xs, struct error *err)
{
    int rc = xsc_open(xs, settings.store);

    rc = rc ? rc : xsc_watch(*xs, "@releaseDomain", "end");
    if (rc != 0) {
        return fail(err, -rc, "The store does not answer (%s): start xenstored.", strerror(-rc));
    }
    return 0;
}

int loop_run(struct error *err)
{
    struct session *s = NULL;
    struct xsc *xs = NULL;
    int signals = signalfd(-1, &ending, SFD_CLOEXEC);
    int rc = open_store(&xs, err);

    rc = rc ? rc : session_get(&s, err);
    while (rc == 0) {
        struct pollfd fds[2] = {{.fd = signals, .events = POLLIN},
                                {.fd = xsc_fd(xs), .events = POLLIN}};
        bool events = drain(xs);
        int r = events ? 0 : poll(fds, 2, LOOK_MS);

        if (r < 0 && errno != EINTR) {
            rc = fail(err, errno, "The event loop cannot wait: %s.", strerror(errno));
        }
        if (r > 0 && (fds[0].revents & POLLIN)) {
            break;
        }
        if (r <= 0) { /* something happened to a domain, or it is time to look */
            end_scan(s);
        }
        if (r == 0 && !events) {
            session_trim();
        }
    }
    session_put(s);
    xsc_close(xs);
    close(signals);
    return rc;
}
