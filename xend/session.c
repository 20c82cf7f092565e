/*
 * The pool of sessions. Contract: session.h.
 */
#include "xend/session.h"

#include "xend/lib/alloc.h"
#include "xend/settings.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define POOLED 8 /* connections are kept for the next threads: so many while there is work */
#define KEPT   1 /* and so many where there is none */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct session *pool;
static unsigned pooled;
static unsigned unused; /* the fewest that were in the pool since session_trim() looked */

static void session_close(struct session *s)
{
    xc_close(s->xc);
    xsc_close(s->xs);
    free(s);
}

int session_get(struct session **out, struct error *err)
{
    struct session *s;
    char why[256] = "";
    int rc;

    pthread_mutex_lock(&lock);
    s = pool;
    if (s != NULL) {
        pool = s->next;
        pooled--;
        unused = pooled < unused ? pooled : unused;
    }
    pthread_mutex_unlock(&lock);
    if (s != NULL) {
        *out = s;
        return 0;
    }
    s = xalloc(sizeof(*s));
    rc = xc_open(&s->xc, why, sizeof(why));
    if (rc != 0) {
        free(s);
        return fail(err, -rc, "%s", why[0] ? why : "The hypervisor does not answer.");
    }
    rc = xsc_open(&s->xs, settings.store);
    if (rc != 0) {
        xc_close(s->xc);
        free(s);
        return fail(err, -rc, "The store does not answer (%s): start xenstored.", strerror(-rc));
    }
    *out = s;
    return 0;
}

void session_put(struct session *s)
{
    if (s == NULL) {
        return;
    }
    pthread_mutex_lock(&lock);
    if (pooled < POOLED) {
        s->next = pool;
        pool = s;
        pooled++;
        s = NULL;
    }
    pthread_mutex_unlock(&lock);
    if (s != NULL) {
        session_close(s);
    }
}

void session_trim(void)
{
    struct session **tail = &pool, *old;

    pthread_mutex_lock(&lock);
    /* The last that came in is the first to go out: those that nobody needed are at the end. */
    pooled -= unused < KEPT ? 0 : unused - KEPT;
    for (unsigned n = pooled; n > 0; n--) {
        tail = &(*tail)->next;
    }
    old = *tail;
    *tail = NULL;
    unused = pooled;
    pthread_mutex_unlock(&lock);
    while (old != NULL) {
        struct session *s = old;

        old = s->next;
        session_close(s);
    }
}

void session_drain(void)
{
    while (pool != NULL) {
        struct session *s = pool;

        pool = s->next;
        pooled--;
        session_close(s);
    }
}

void session_cleanup(struct session **slot)
{
    session_put(*slot);
    *slot = NULL;
}
