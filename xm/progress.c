/*
 * Progress of a creation on the terminal, from xend's event stream. Contract: command.h.
 *
 * A thread follows the events of the domain while the call that creates it is under way. Without a
 * terminal nothing is shown.
 */
#include "xm/command.h"

#include "xend/lib/alloc.h"
#include "xend/lib/json.h"
#include "xm/client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct progress {
    pthread_t thread;
    char *domain;
    int stop; /* an event descriptor: readable when the thread is to end */
    bool shown;
};

static bool on_event(const char *json, void *arg)
{
    struct progress *p = arg;
    auto_value event = NULL;
    int64_t percent = 0;

    if (json_read(json, strlen(json), &event, NULL) != 0) {
        return true;
    }
    if (strcmp(value_text(dict_get(event, "type"), ""), "progress") == 0) {
        value_to_int(dict_get(event, "percent"), &percent);
        fprintf(stderr, "\r\033[K%s: %s %lld%%", p->domain,
                value_text(dict_get(event, "step"), "?"), (long long)percent);
        p->shown = true;
    }
    return true;
}

static void *follow(void *arg)
{
    struct progress *p = arg;
    struct error err;

    client_events(p->domain, on_event, p, p->stop, &err); /* without events: no progress */
    return NULL;
}

struct progress *progress_start(const char *domain)
{
    struct progress *p;

    if (!isatty(STDERR_FILENO)) {
        return NULL;
    }
    p = xalloc(sizeof(*p));
    p->domain = xstrdup(domain);
    p->stop = eventfd(0, EFD_CLOEXEC);
    if (p->stop < 0 || pthread_create(&p->thread, NULL, follow, p) != 0) {
        if (p->stop >= 0) {
            close(p->stop);
        }
        free(p->domain);
        free(p);
        return NULL;
    }
    return p;
}

void progress_stop(struct progress *p)
{
    if (p == NULL) {
        return;
    }
    eventfd_write(p->stop, 1);
    pthread_join(p->thread, NULL);
    close(p->stop);
    if (p->shown) {
        fputs("\r\033[K", stderr);
    }
    free(p->domain);
    free(p);
}
