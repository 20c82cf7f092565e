/*
 * Answers about domains. Contract: info.h. About the machine: info_node.c.
 */
#include "xend/info.h"

#include "xend/foreign.h"
#include "xend/lib/alloc.h"
#include "xend/lib/sxp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The classic six columns. */
static void state_string(const struct xc_domain_info *info, char out[7])
{
    bool crashed = info->shutdown && info->shutdown_reason == XC_SHUTDOWN_CRASH;

    memcpy(out, "------", 7);
    out[0] = info->running ? 'r' : '-';
    out[1] = info->blocked ? 'b' : '-';
    out[2] = info->paused ? 'p' : '-';
    out[3] = info->shutdown && !crashed ? 's' : '-';
    out[4] = crashed ? 'c' : '-';
    out[5] = info->dying ? 'd' : '-';
}

static const char *state_name(const struct xc_domain_info *info)
{
    if (info == NULL) {
        return "halted";
    }
    if (info->shutdown) {
        return info->shutdown_reason == XC_SHUTDOWN_CRASH ? "crashed" : "shutdown";
    }
    return info->paused ? "paused" : "running";
}

/* Classic numbers of the states: halted 0, paused 1, running 2, shutdown 4, crashed 5. */
static const char *status_number(const struct xc_domain_info *info)
{
    const char *name = state_name(info);

    return strcmp(name, "halted") == 0     ? "0"
           : strcmp(name, "paused") == 0   ? "1"
           : strcmp(name, "running") == 0  ? "2"
           : strcmp(name, "shutdown") == 0 ? "4"
                                           : "5";
}

static void replace_int(struct value *sxp, const char *key, int64_t number)
{
    for (size_t i = 1; i < sxp->count; i++) {
        if (strcmp(sxp_name(sxp->items[i]), key) == 0 && sxp->items[i]->count == 2) {
            value_free(sxp->items[i]->items[1]);
            sxp->items[i]->items[1] = value_int(number);
            return;
        }
    }
    sxp_add_int(sxp, key, number);
}

static void drop_devices(struct value *sxp)
{
    size_t kept = 0;

    for (size_t i = 0; i < sxp->count; i++) {
        if (strcmp(sxp_name(sxp->items[i]), "device") == 0) {
            value_free(sxp->items[i]);
        } else {
            sxp->items[kept++] = sxp->items[i];
        }
    }
    sxp->count = kept;
}

static void add_live(struct session *s, const struct domain *d, const struct xc_domain_info *info,
                     struct value *sxp)
{
    char state[7];

    state_string(info, state);
    sxp_add_real(sxp, "cpu_time", (double)info->cpu_time_ns / 1e9);
    sxp_add_int(sxp, "online_vcpus", info->online_vcpus);
    sxp_add_int(sxp, "mem_kb", (int64_t)info->tot_pages * 4);
    sxp_add_string(sxp, "state", state);
    sxp_add_string(sxp, "guest_type", info->hvm ? "hvm" : "pv");
    if (d->store_mfn != 0) {
        sxp_add_int(sxp, "store_mfn", (int64_t)d->store_mfn);
        sxp_add_int(sxp, "console_mfn", (int64_t)d->console_mfn);
    }
    replace_int(sxp, "memory", (int64_t)((info->tot_pages + 128) / 256));
}

struct value *info_domain(struct session *s, struct domain *d, const struct xc_domain_info *info,
                          bool full)
{
    struct value *sxp = sxp_new("domain");

    domains_lock();
    if (info != NULL) {
        sxp_add_int(sxp, "domid", info->domid);
    }
    domcfg_to_sxp(&d->rec.cfg, sxp);
    sxp_add_int(sxp, "shadow_memory", 0);
    sxp_add_string(sxp, "features", "");
    sxp_add_string(sxp, "on_xend_stop", "ignore");
    sxp_add_int(sxp, "managed", d->rec.managed);
    sxp_add_int(sxp, "foreign", d->foreign);
    sxp_add_int(sxp, "restarts", d->rec.restarts);
    sxp_add_string(sxp, "phase", d->busy ? d->busy : phase_name(d->rec.phase));
    if (d->rec.start_time != 0) {
        sxp_add_real(sxp, "start_time", (double)d->rec.start_time);
    }
    if (info != NULL) {
        add_live(s, d, info, sxp);
    }
    domains_unlock();
    sxp_add_string(sxp, "status", status_number(info));
    sxp_add_string(sxp, "state_name", state_name(info));
    if (!full) {
        drop_devices(sxp);
    }
    return sxp;
}

static bool wanted(const char *state, const struct xc_domain_info *info)
{
    if (strcmp(state, "all") == 0) {
        return true;
    }
    if (strcmp(state, "running") == 0) {
        return info != NULL;
    }
    return strcmp(state, state_name(info)) == 0;
}

static void answer(struct session *s, struct domain *d, const struct xc_domain_info *info,
                   bool detail, bool full, struct value *list)
{
    list_add(list, detail ? info_domain(s, d, info, full) : value_string(domain_name(d)));
}

static int by_name(const void *a, const void *b)
{
    const struct domain *const *x = a, *const *y = b;

    return strcmp(domain_name(*x), domain_name(*y));
}

static bool listed(const struct domain *d, const struct xc_domain_info *infos, int n)
{
    char uuid[DOMCFG_UUID_BYTES];

    for (int i = 0; i < n; i++) {
        uuid_format(infos[i].uuid, uuid);
        if (strcmp(uuid, d->rec.cfg.uuid) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * Known domains that the hypervisor doesn't have, referenced, by name: stored ones, and those that
 * are being built or restarted right now.
 */
static size_t halted_ones(const struct xc_domain_info *infos, int nr_infos, struct domain ***out)
{
    size_t n = 0;

    *out = NULL;
    domains_lock();
    for (struct domain *d = domains_first(); d != NULL; d = d->next) {
        if (!listed(d, infos, nr_infos)) {
            *out = xrealloc(*out, (n + 1) * sizeof(**out));
            (*out)[n++] = d;
            d->refs++;
        }
    }
    if (n > 0) {
        qsort(*out, n, sizeof(**out), by_name);
    }
    domains_unlock();
    return n;
}

/* By UUID: one that is being built has a number already that its record does not know yet. */
static struct domain *known_as(const struct xc_domain_info *info)
{
    char uuid[DOMCFG_UUID_BYTES];
    struct domain *d;

    uuid_format(info->uuid, uuid);
    domains_lock();
    d = domains_find_uuid(uuid);
    if (d != NULL) {
        d->refs++;
    }
    domains_unlock();
    return d;
}

int info_domains(struct session *s, const char *state, bool detail, bool full, struct value **out,
                 struct error *err)
{
    static const char *const states[] = {"all",     "running",  "paused",
                                         "crashed", "shutdown", "halted"};
    struct xc_domain_info *infos = NULL;
    struct value *list = value_list();
    struct domain **halted;
    size_t nr_halted;
    bool known = false;
    int n = xc_domain_list_all(s->xc, &infos);

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        known = known || strcmp(state, states[i]) == 0;
    }
    if (n < 0 || !known) {
        free(infos);
        value_free(list);
        return n < 0
                   ? fail(err, -n, "The hypervisor does not list its domains: %s", xc_error(s->xc))
                   : fail(err, EINVAL,
                          "There is no state \"%s\": there are all, running, "
                          "paused, crashed, shutdown and halted.",
                          state);
    }
    for (int i = 0; i < n; i++) {
        struct domain *d = wanted(state, &infos[i]) ? known_as(&infos[i]) : NULL;

        if (d == NULL && wanted(state, &infos[i])) {
            d = foreign_from_info(s, &infos[i]);
        }
        if (d != NULL) {
            answer(s, d, &infos[i], detail, full, list);
        }
        domain_put(d);
    }
    nr_halted = halted_ones(infos, n, &halted);
    for (size_t i = 0; i < nr_halted; i++) {
        if (wanted(state, NULL)) {
            answer(s, halted[i], NULL, detail, full, list);
        }
        domain_put(halted[i]);
    }
    free(halted);
    free(infos);
    *out = list;
    return 0;
}
