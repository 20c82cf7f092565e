/*
 * Kernels unpacked before they are needed. Contract: prepare.h.
 */
#include "xend/prepare.h"

#include "libxenctrl/include/xc_build.h"
#include "xend/domain.h"
#include "xend/lib/alloc.h"
#include "xend/log.h"
#include "xend/settings.h"

#include <errno.h>
#include <glob.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MOST 6 /* the cache holds eight */
#define IDLE 19

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static const char *kernel; /* being unpacked here, or NULL */
static bool poked = true;
static pid_t worker; /* the thread's number */

struct list {
    char *paths[MOST];
    size_t n;
};

static void add(struct list *l, const char *path)
{
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->paths[i], path) == 0) {
            return;
        }
    }
    if (l->n < MOST) {
        l->paths[l->n++] = xstrdup(path);
    }
}

/* Stored domains' first: they are sure to be needed. */
static void collect(struct list *l)
{
    auto_str words = xstrdup(settings.prepare_kernels ? settings.prepare_kernels : "");
    char *save, *word;

    domains_lock();
    for (struct domain *d = domains_first(); d != NULL; d = d->next) {
        if (d->rec.managed && d->rec.cfg.kernel != NULL) {
            add(l, d->rec.cfg.kernel);
        }
    }
    domains_unlock();
    for (word = strtok_r(words, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        glob_t found;

        if (glob(word, 0, NULL, &found) == 0) {
            for (size_t i = 0; i < found.gl_pathc; i++) {
                add(l, found.gl_pathv[i]);
            }
            globfree(&found);
        }
    }
}

static void set_kernel(const char *path)
{
    pthread_mutex_lock(&lock);
    kernel = path;
    pthread_mutex_unlock(&lock);
}

static void prepare(const char *path)
{
    int rc;

    set_kernel(path);
    rc = xc_kernel_prepare(path, settings.kernel_cache, NULL, NULL);
    set_kernel(NULL);
    setpriority(PRIO_PROCESS, (id_t)worker, IDLE); /* a creation may have been in a hurry */
    if (rc < 0) {
        log_warn("The kernel %s was not prepared: %s.", path, strerror(-rc));
    }
}

static void *run(void *arg)
{
    pthread_mutex_lock(&lock);
    worker = gettid();
    pthread_mutex_unlock(&lock);
    setpriority(PRIO_PROCESS, (id_t)worker, IDLE);
    for (;;) {
        struct list l = {.n = 0};

        pthread_mutex_lock(&lock);
        while (!poked) {
            pthread_cond_wait(&changed, &lock);
        }
        poked = false;
        pthread_mutex_unlock(&lock);
        collect(&l);
        for (size_t i = 0; i < l.n; i++) {
            prepare(l.paths[i]);
            free(l.paths[i]);
        }
    }
    return NULL;
}

void prepare_start(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, NULL) == 0) {
        pthread_detach(thread);
    }
}

void prepare_poke(void)
{
    pthread_mutex_lock(&lock);
    poked = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

void prepare_building(const char *path)
{
    pthread_mutex_lock(&lock);
    if (kernel != NULL && strcmp(kernel, path) == 0) {
        setpriority(PRIO_PROCESS, (id_t)worker, 0);
    }
    pthread_mutex_unlock(&lock);
}
