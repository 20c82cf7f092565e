/*
 * Methods that begin, end and change domains. The rows: api.c. The work: life.h, sched.h,
 * balloon.h.
 */
#include "xend/api.h"

#include "xend/balloon.h"
#include "xend/lib/alloc.h"
#include "xend/info.h"
#include "xend/life.h"
#include "xend/sched.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

int api_domain_create(struct call *c)
{
    struct domain_config cfg;
    struct xc_domain_info info;
    auto_domain d = NULL;
    int rc = domcfg_from_sxp(c->args->items[0], &cfg, &c->err);

    rc = rc ? rc : life_create(c->s, &cfg, &d, &c->err);
    if (rc == 0) {
        bool live = domain_info(c->s, d, &info) == 0;

        c->result = info_domain(c->s, d, live ? &info : NULL, true);
    }
    return rc;
}

int api_domain_check(struct call *c)
{
    struct domain_config cfg;
    int rc = domcfg_from_sxp(c->args->items[0], &cfg, &c->err);

    if (rc == 0) {
        rc = life_check(c->s, &cfg, &c->err);
        domcfg_finish(&cfg);
    }
    return rc;
}

int api_domain_new(struct call *c)
{
    struct domain_config cfg;
    int rc = domcfg_from_sxp(c->args->items[0], &cfg, &c->err);

    return rc ? rc : life_new(c->s, &cfg, &c->err);
}

int api_domain_start(struct call *c)
{
    return life_start(c->s, c->d, arg_bool(c, 1), &c->err);
}

int api_domain_delete(struct call *c)
{
    return life_delete(c->s, c->d, &c->err);
}

int api_domain_destroy(struct call *c)
{
    return life_destroy(c->s, c->d, &c->err);
}

int api_domain_shutdown(struct call *c)
{
    char buffer[24];
    const char *reason = arg_text(c, 1, buffer);

    return life_shutdown(c->s, c->d, reason[0] ? reason : "poweroff", &c->err);
}

int api_domain_pause(struct call *c)
{
    return life_pause(c->s, c->d, &c->err);
}

int api_domain_unpause(struct call *c)
{
    return life_unpause(c->s, c->d, &c->err);
}

int api_domain_rename(struct call *c)
{
    char buffer[24];

    return life_rename(c->s, c->d, arg_text(c, 1, buffer), &c->err);
}

int api_domain_sysrq(struct call *c)
{
    char buffer[24];

    return life_sysrq(c->s, c->d, arg_text(c, 1, buffer), &c->err);
}

int api_domain_dump(struct call *c)
{
    char buffer[24], *written = NULL;
    const char *path = arg_text(c, 1, buffer);
    int rc;

    if (path[0] != '\0' && path[0] != '/') {
        return fail(&c->err, EINVAL,
                    "The dump's file needs its whole path, beginning with a slash.");
    }
    rc = life_dump(c->s, c->d, path[0] ? path : NULL, arg_bool(c, 2), arg_bool(c, 3),
                   arg_bool(c, 4), &written, &c->err);
    if (rc == 0) {
        c->result = value_take(written);
    } else {
        free(written);
    }
    return rc;
}

static int memory_arg(struct call *c, int64_t *mib)
{
    int rc = arg_int(c, 1, "The amount of memory", 0, mib);

    if (rc == 0 && (*mib < 0 || *mib > INT_MAX)) {
        rc = fail(&c->err, EINVAL, "%lld MiB is no amount of memory.", (long long)*mib);
    }
    return rc;
}

int api_domain_mem_set(struct call *c)
{
    int64_t mib;
    int rc = memory_arg(c, &mib);

    return rc ? rc : balloon_set_target(c->s, c->d, (uint64_t)mib, &c->err);
}

int api_domain_mem_max(struct call *c)
{
    int64_t mib;
    int rc = memory_arg(c, &mib);

    return rc ? rc : balloon_set_max(c->s, c->d, (uint64_t)mib, &c->err);
}

int api_domain_vcpus(struct call *c)
{
    return sched_vcpus(c->s, c->d, &c->result, &c->err);
}

int api_domain_vcpu_set(struct call *c)
{
    int64_t n;
    int rc = arg_int(c, 1, "The number of virtual CPUs", 0, &n);

    return rc ? rc : sched_set_vcpus(c->s, c->d, n < 0 || n > INT_MAX ? 0 : (unsigned)n, &c->err);
}

int api_domain_pin(struct call *c)
{
    char buffer[24], cpus[24];
    int64_t vcpu = -1;
    int rc = 0;

    if (strcmp(arg_text(c, 1, buffer), "all") != 0) {
        rc = arg_int(c, 1, "The virtual CPU", 0, &vcpu);
        if (rc == 0 && (vcpu < 0 || vcpu > INT_MAX)) {
            rc = fail(&c->err, EINVAL, "A virtual CPU is a number from 0, or all.");
        }
    }
    return rc ? rc : sched_pin(c->s, c->d, (int)vcpu, arg_text(c, 2, cpus), &c->err);
}

int api_domain_credit_get(struct call *c)
{
    return sched_get(c->s, c->d, &c->result, &c->err);
}

int api_domain_credit_set(struct call *c)
{
    int64_t weight, cap;
    int rc = arg_int(c, 1, "The weight", 0, &weight);

    rc = rc ? rc : arg_int(c, 2, "The cap", -1, &cap);
    if (rc == 0 && (weight < 0 || weight > 65535 || cap < -1 || cap > 65535)) {
        rc = fail(&c->err, EINVAL, "A weight goes from 1 to 65535, a cap from 0 (none).");
    }
    return rc ? rc : sched_set(c->s, c->d, (int)weight, (int)cap, &c->err);
}

int api_domain_restarts(struct call *c)
{
    c->result = value_int(c->d->rec.restarts);
    return 0;
}
