/*
 * One domain: references, being busy, its record. Contract: domain.h. The list: registry.c.
 */
#include "xend/domain.h"

#include "xend/lib/alloc.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define BUSY_WAIT_S 60

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;

void domains_lock(void)
{
    pthread_mutex_lock(&lock);
}

void domains_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

struct domain *domain_new(const struct record *rec)
{
    struct domain *d = xalloc(sizeof(*d));

    d->rec = *rec;
    d->refs = 1;
    return d;
}

struct domain *domain_ref(struct domain *d)
{
    domains_lock();
    d->refs++;
    domains_unlock();
    return d;
}

void domain_put(struct domain *d)
{
    unsigned left;

    if (d == NULL) {
        return;
    }
    domains_lock();
    left = --d->refs;
    domains_unlock();
    if (left > 0) {
        return;
    }
    for (size_t i = 0; i < d->nr_loops; i++) {
        close(d->loops[i].fd);
    }
    free(d->loops);
    domcfg_finish(&d->rec.cfg);
    free(d);
}

void domain_cleanup(struct domain **slot)
{
    domain_put(*slot);
    *slot = NULL;
}

const char *domain_name(const struct domain *d)
{
    return d->rec.cfg.name ? d->rec.cfg.name : "(unnamed)";
}

bool domains_wait(const struct timespec *until)
{
    return pthread_cond_timedwait(&idle, &lock, until) == 0;
}

int domain_begin(struct domain *d, const char *what, struct error *err)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += BUSY_WAIT_S;
    domains_lock();
    while (d->busy != NULL && domains_wait(&until)) {
    }
    if (d->busy != NULL) {
        rc = fail(err, EBUSY, "The domain %s is %s: try again when that has ended.", domain_name(d),
                  d->busy);
    } else {
        d->busy = what;
    }
    domains_unlock();
    return rc;
}

void domain_end(struct domain *d)
{
    domains_lock();
    d->busy = NULL;
    d->cancel = false;
    pthread_cond_broadcast(&idle);
    domains_unlock();
}

int domain_save(struct domain *d, struct error *err)
{
    return d->foreign ? 0 : record_write(&d->rec, err);
}

int domain_set_phase(struct domain *d, enum phase phase, struct error *err)
{
    domains_lock();
    d->rec.phase = phase;
    domains_unlock();
    return domain_save(d, err);
}

void uuid_parse(const char *text, uint8_t bytes[16])
{
    unsigned n = 0;

    memset(bytes, 0, 16);
    for (const char *p = text; *p != '\0' && n < 16;) {
        unsigned byte;

        if (*p == '-') {
            p++;
            continue;
        }
        if (sscanf(p, "%2x", &byte) != 1) {
            return;
        }
        bytes[n++] = (uint8_t)byte;
        p += p[1] != '\0' ? 2 : 1;
    }
}

void uuid_format(const uint8_t b[16], char text[DOMCFG_UUID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char *p = text;

    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *p++ = '-';
        }
        *p++ = digits[b[i] >> 4];
        *p++ = digits[b[i] & 15];
    }
    *p = '\0';
}

void uuid_generate(char text[DOMCFG_UUID_BYTES])
{
    uint8_t bytes[16];

    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) {
        abort();
    }
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40); /* version 4: random */
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    uuid_format(bytes, text);
}

int domain_info(struct session *s, const struct domain *d, struct xc_domain_info *info)
{
    char uuid[DOMCFG_UUID_BYTES];
    int rc;

    if (d->rec.domid < 0) {
        return -ESRCH;
    }
    rc = xc_domain_get_info(s->xc, (uint32_t)d->rec.domid, info);
    if (rc != 0) {
        return rc;
    }
    uuid_format(info->uuid, uuid);
    return strcmp(uuid, d->rec.cfg.uuid) == 0 ? 0 : -ESRCH;
}
