/*
 * The stream of events. Contract: events.h.
 */
#include "xend/events.h"

#include "xend/lib/alloc.h"
#include "xend/lib/json.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char *ring[EVENTS_KEPT]; /* event number n is in ring[n % EVENTS_KEPT] */
static uint64_t newest;
static bool stopped;

static void init(void)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &attr);
    pthread_condattr_destroy(&attr);
}

void event_emit(const char *type, struct value *details)
{
    struct value *event = details ? details : value_dict();
    struct timespec now;

    pthread_once(&once, init);
    clock_gettime(CLOCK_REALTIME, &now);
    dict_set(event, "type", value_string(type));
    dict_set(event, "time", value_real((double)now.tv_sec + (double)now.tv_nsec / 1e9));
    pthread_mutex_lock(&lock);
    newest++;
    dict_set(event, "id", value_int((int64_t)newest));
    free(ring[newest % EVENTS_KEPT]);
    ring[newest % EVENTS_KEPT] = json_write(event, false);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    value_free(event);
}

void event_domain(const char *type, const char *name, const char *uuid, int domid)
{
    struct value *details = value_dict();

    dict_set(details, "domain", value_string(name));
    dict_set(details, "uuid", value_string(uuid));
    dict_set(details, "domid", value_int(domid));
    event_emit(type, details);
}

char *event_next(uint64_t *last, unsigned milliseconds)
{
    struct timespec until;
    char *text = NULL;

    pthread_once(&once, init);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += milliseconds / 1000;
    until.tv_nsec += (long)(milliseconds % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&lock);
    while (!stopped && *last >= newest) {
        if (pthread_cond_timedwait(&changed, &lock, &until) != 0) {
            break;
        }
    }
    if (!stopped && *last < newest) {
        uint64_t next = *last + 1;

        if (newest >= EVENTS_KEPT && next < newest - EVENTS_KEPT + 1) {
            next = newest - EVENTS_KEPT + 1;
        }
        text = xstrdup(ring[next % EVENTS_KEPT]);
        *last = next;
    }
    pthread_mutex_unlock(&lock);
    return text;
}

uint64_t event_newest(void)
{
    uint64_t id;

    pthread_mutex_lock(&lock);
    id = newest;
    pthread_mutex_unlock(&lock);
    return id;
}

void events_stop(void)
{
    pthread_once(&once, init);
    pthread_mutex_lock(&lock);
    stopped = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}
