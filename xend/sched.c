/*
 * CPUs of domains. Contract: sched.h.
 */
#include "xend/sched.h"

#include "xend/lib/alloc.h"
#include "xend/lib/cpuset.h"
#include "xend/lib/sxp.h"
#include "xend/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t max_vcpus(const struct domain *d)
{
    return d->rec.cfg.maxvcpus ? d->rec.cfg.maxvcpus : d->rec.cfg.vcpus;
}

static int set_affinity(struct session *s, struct domain *d, uint32_t vcpu, const char *cpus,
                        struct error *err)
{
    struct cpuset set;
    size_t size = xc_cpumap_size(s->xc);
    int rc = cpuset_parse(cpus, &set, err);

    if (rc != 0) {
        return rc;
    }
    size = size < sizeof(set.bits) ? size : sizeof(set.bits);
    rc = xc_vcpu_set_affinity(s->xc, (uint32_t)d->rec.domid, vcpu, set.bits, NULL, size);
    if (rc != 0) {
        return fail(err, -rc, "Virtual CPU %u of %s cannot run on \"%s\": %s", vcpu, domain_name(d),
                    cpus, xc_error(s->xc));
    }
    return 0;
}

static int set_share(struct session *s, struct domain *d, int weight, int cap, struct error *err)
{
    struct xc_sched_domain share;
    enum xc_scheduler scheduler;
    int rc = xc_sched_get_id(s->xc, &scheduler);

    rc = rc ? rc : xc_sched_domain_get(s->xc, (uint32_t)d->rec.domid, scheduler, &share);
    if (rc == 0) {
        share.weight = weight > 0 ? (uint16_t)weight : share.weight;
        share.cap = cap >= 0 ? (uint16_t)cap : share.cap;
        rc = xc_sched_domain_set(s->xc, (uint32_t)d->rec.domid, scheduler, &share);
    }
    if (rc != 0) {
        return fail(err, -rc, "The share of %s cannot be set: %s", domain_name(d), xc_error(s->xc));
    }
    return 0;
}

int sched_apply(struct session *s, struct domain *d, struct error *err)
{
    const struct domain_config *cfg = &d->rec.cfg;
    int rc = 0;

    for (uint32_t v = 0; cfg->nr_cpus > 0 && rc == 0 && v < max_vcpus(d); v++) {
        if (cfg->nr_cpus == 1 || v < cfg->nr_cpus) {
            rc = set_affinity(s, d, v, cfg->cpus[cfg->nr_cpus == 1 ? 0 : v], err);
        }
    }
    if (rc == 0 && ((cfg->cpu_weight != 0 && cfg->cpu_weight != 256) || cfg->cpu_cap != 0)) {
        rc = set_share(s, d, (int)cfg->cpu_weight, (int)cfg->cpu_cap, err);
    }
    return rc;
}

/* Make cfg->cpus one entry for each vCPU, so that one of them can differ. */
static void spread(struct domain_config *cfg, uint32_t n)
{
    char **cpus = xalloc(n * sizeof(cpus[0]));

    for (uint32_t i = 0; i < n; i++) {
        const char *old = cfg->nr_cpus == 1  ? cfg->cpus[0]
                          : i < cfg->nr_cpus ? cfg->cpus[i]
                                             : "all";

        cpus[i] = xstrdup(old);
    }
    for (size_t i = 0; i < cfg->nr_cpus; i++) {
        free(cfg->cpus[i]);
    }
    free(cfg->cpus);
    cfg->cpus = cpus;
    cfg->nr_cpus = n;
}

int sched_pin(struct session *s, struct domain *d, int vcpu, const char *cpus, struct error *err)
{
    uint32_t n = max_vcpus(d);
    struct cpuset set;
    int rc = cpuset_parse(cpus, &set, err);

    if (rc == 0 && vcpu >= (int)n) {
        rc = fail(err, EINVAL, "%s has the virtual CPUs 0 to %u, and no %d.", domain_name(d), n - 1,
                  vcpu);
    }
    for (uint32_t v = 0; rc == 0 && d->rec.domid >= 0 && v < n; v++) {
        if (vcpu < 0 || v == (uint32_t)vcpu) {
            rc = set_affinity(s, d, v, cpus, err);
        }
    }
    if (rc != 0) {
        return rc;
    }
    domains_lock();
    spread(&d->rec.cfg, n);
    for (uint32_t v = 0; v < n; v++) {
        if (vcpu < 0 || v == (uint32_t)vcpu) {
            str_set(&d->rec.cfg.cpus[v], cpus);
        }
    }
    domains_unlock();
    return domain_save(d, err);
}

int sched_set(struct session *s, struct domain *d, int weight, int cap, struct error *err)
{
    int rc = 0;

    if (weight > 65535 || cap > (int)max_vcpus(d) * 100) {
        return fail(err, EINVAL, "A weight goes from 1 to 65535, and the cap of %s to %u.",
                    domain_name(d), max_vcpus(d) * 100);
    }
    if (d->rec.domid >= 0) {
        rc = set_share(s, d, weight, cap, err);
    }
    if (rc != 0) {
        return rc;
    }
    domains_lock();
    d->rec.cfg.cpu_weight = weight > 0 ? (uint32_t)weight : d->rec.cfg.cpu_weight;
    d->rec.cfg.cpu_cap = cap >= 0 ? (uint32_t)cap : d->rec.cfg.cpu_cap;
    domains_unlock();
    return domain_save(d, err);
}

int sched_get(struct session *s, struct domain *d, struct value **out, struct error *err)
{
    struct xc_sched_domain share = {(uint16_t)d->rec.cfg.cpu_weight, (uint16_t)d->rec.cfg.cpu_cap};
    enum xc_scheduler scheduler;
    int rc = 0;

    if (d->rec.domid >= 0) {
        rc = xc_sched_get_id(s->xc, &scheduler);
        rc = rc ? rc : xc_sched_domain_get(s->xc, (uint32_t)d->rec.domid, scheduler, &share);
    }
    if (rc != 0) {
        return fail(err, -rc, "The share of %s cannot be read: %s", domain_name(d),
                    xc_error(s->xc));
    }
    *out = value_dict();
    dict_set(*out, "weight", value_int(share.weight ? share.weight : 256));
    dict_set(*out, "cap", value_int(share.cap));
    return 0;
}

int sched_set_vcpus(struct session *s, struct domain *d, unsigned n, struct error *err)
{
    uint32_t max = max_vcpus(d);
    int rc = 0;

    if (n < 1 || n > max) {
        return fail(err, EINVAL,
                    "%s can have 1 to %u virtual CPUs, and not %u: a higher maxvcpus needs a new "
                    "start.",
                    domain_name(d), max, n);
    }
    for (uint32_t i = 0; rc == 0 && d->rec.domid >= 0 && i < max; i++) {
        auto_str name = xprintf("cpu/%u/availability", i);

        rc = tree_change(s, d->rec.domid, name, i < n ? "online" : "offline");
    }
    if (rc != 0) {
        return fail(err, -rc, "The store did not take the number of CPUs: %s.", strerror(-rc));
    }
    domains_lock();
    d->rec.cfg.maxvcpus = max;
    d->rec.cfg.vcpus = n;
    domains_unlock();
    return domain_save(d, err);
}

static void add_vcpu(struct session *s, struct domain *d, uint32_t v, unsigned nr_cpus,
                     struct value *sxp)
{
    struct xc_vcpu_info info = {.cpu = 0};
    struct cpuset set;
    struct value *vcpu = sxp_new("vcpu"), *map = value_list();
    size_t size = xc_cpumap_size(s->xc);
    bool up = d->rec.domid >= 0 && xc_vcpu_get_info(s->xc, (uint32_t)d->rec.domid, v, &info) == 0;

    memset(&set, 0xff, sizeof(set));
    if (up && xc_vcpu_get_affinity(s->xc, (uint32_t)d->rec.domid, v, set.bits, NULL,
                                   size < sizeof(set.bits) ? size : sizeof(set.bits)) != 0) {
        memset(&set, 0xff, sizeof(set));
    }
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++) {
        if (cpuset_has(&set, cpu)) {
            list_add(map, value_int(cpu));
        }
    }
    sxp_add_int(vcpu, "number", v);
    sxp_add_int(vcpu, "online", up && info.online);
    sxp_add_int(vcpu, "blocked", up && info.blocked);
    sxp_add_int(vcpu, "running", up && info.running);
    sxp_add_real(vcpu, "cpu_time", up ? (double)info.cpu_time_ns / 1e9 : 0.0);
    sxp_add_int(vcpu, "cpu", up ? (int64_t)info.cpu : -1);
    sxp_add(vcpu, "cpumap", map);
    list_add(sxp, vcpu);
}

int sched_vcpus(struct session *s, struct domain *d, struct value **out, struct error *err)
{
    struct xc_host_info host;
    struct value *sxp = sxp_new("domain");
    int rc = xc_host_get_info(s->xc, &host);

    if (rc != 0) {
        value_free(sxp);
        return fail(err, -rc, "The hypervisor does not tell its CPUs: %s", xc_error(s->xc));
    }
    if (d->rec.domid >= 0) {
        sxp_add_int(sxp, "domid", d->rec.domid);
    }
    sxp_add_string(sxp, "name", domain_name(d));
    sxp_add_int(sxp, "vcpu_count", max_vcpus(d));
    for (uint32_t v = 0; v < max_vcpus(d); v++) {
        add_vcpu(s, d, v, host.nr_cpus, sxp);
    }
    *out = sxp;
    return 0;
}
