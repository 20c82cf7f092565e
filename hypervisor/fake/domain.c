/* fake: the architecture's part of domains and vcpus, and helpers that tests make domains with. */
#include <stdlib.h>
#include <string.h>
#include <fake.h>
#include <hospes/hypercall.h>

int arch_sanitise_domain_config(struct xen_domctl_createdomain *config)
{
    (void)config;
    return 0;
}

int arch_domain_create(struct domain *d, const struct xen_domctl_createdomain *config)
{
    (void)d, (void)config;
    return 0;
}

void arch_domain_destroy(struct domain *d)
{
    (void)d;
}

/* Each page gives up its allocation; preempted after every third one. */
int arch_domain_relinquish(struct domain *d)
{
    struct page_info *pg;
    unsigned int n = 0;

    d->arch.relinquish_calls++;
    while ((pg = page_list_first(&d->page_list)) != NULL) {
        if (!(pg->count_info & PGC_ALLOCATED)) {
            page_list_del(pg, &d->page_list);
            page_list_add_tail(pg, &d->relmem_list);
            continue;
        }
        put_page_alloc_ref(pg);
        if (++n == 3) {
            return -ERESTART;
        }
    }
    return 0;
}

int arch_vcpu_create(struct vcpu *v)
{
    (void)v;
    return 0;
}

void arch_vcpu_destroy(struct vcpu *v)
{
    (void)v;
}

int arch_vcpu_reset(struct vcpu *v)
{
    (void)v;
    return 0;
}

int arch_initialise_vcpu(struct vcpu *v, XEN_GUEST_HANDLE(void) ctxt)
{
    (void)ctxt;
    v->is_initialised = true;
    return 0;
}

void arch_vcpu_dump(const struct vcpu *v)
{
    (void)v;
}

void arch_update_vcpu_time(struct vcpu *v)
{
    v->arch.time_updates++;
}

bool arch_events_enabled(const struct vcpu *v)
{
    return !READ_ONCE(v->vcpu_info->evtchn_upcall_mask);
}

void arch_set_events_enabled(struct vcpu *v, bool on)
{
    v->vcpu_info->evtchn_upcall_mask = !on;
}

long arch_max_gpfn(const struct domain *d)
{
    (void)d;
    return 0;
}

int arch_physmap_add(struct domain *d, gfn_t g, mfn_t m, unsigned int order)
{
    (void)d, (void)g, (void)m, (void)order;
    return -EOPNOTSUPP;
}

int arch_physmap_remove(struct domain *d, gfn_t g, mfn_t m, unsigned int order)
{
    (void)d, (void)g, (void)m, (void)order;
    return -EOPNOTSUPP;
}

int arch_grant_map(uint64_t addr, mfn_t m, unsigned int flags, unsigned int cache_flags)
{
    (void)addr, (void)m, (void)flags, (void)cache_flags;
    return GNTST_okay;
}

int arch_grant_unmap(uint64_t addr, mfn_t m, uint64_t new_addr, unsigned int flags)
{
    (void)addr, (void)m, (void)new_addr, (void)flags;
    return GNTST_okay;
}

void arch_grant_flush(struct domain *d)
{
    (void)d;
}

int arch_pirq_bind(struct vcpu *v, unsigned int pirq, bool will_share)
{
    (void)v, (void)will_share;
    return pirq < MAX_PIRQS ? 0 : -EINVAL;
}

void arch_pirq_unbind(struct domain *d, unsigned int pirq)
{
    (void)d, (void)pirq;
}

void arch_pirq_set_affinity(struct domain *d, unsigned int pirq, const struct vcpu *v)
{
    (void)d, (void)pirq, (void)v;
}

void arch_pirq_unmasked(struct domain *d, unsigned int pirq)
{
    (void)d, (void)pirq;
}

unsigned int arch_build_id(const uint8_t **id)
{
    static const uint8_t fake_id[] = {0x0f, 0xa1, 0xce};

    *id = fake_id;
    return sizeof(fake_id);
}

void arch_get_xen_caps(char *buf, size_t size)
{
    strlcpy(buf, "xen-3.0-x86_64 ", size);
}

long arch_do_vcpu_op(unsigned int cmd, struct vcpu *v, XEN_GUEST_HANDLE(void) arg)
{
    (void)cmd, (void)v, (void)arg;
    return -ENOSYS;
}

/* The test calls again with what it gave: no arguments are kept. */
unsigned long hypercall_create_continuation(unsigned int op, const char *fmt, ...)
{
    (void)op, (void)fmt;
    return (unsigned long)-ERESTART;
}

struct domain *fake_domain(domid_t id, unsigned int vcpus, bool privileged)
{
    struct xen_domctl_createdomain config = {
        .max_vcpus = vcpus,
        .max_evtchn_port = 1023,
        .max_grant_frames = 4,
        .max_maptrack_frames = 4,
        .grant_opts = XEN_DOMCTL_GRANT_version(2),
    };
    struct domain *d;
    struct vcpu *v;
    unsigned int i;

    if (domain_create(id, &config, privileged, &d) != 0) {
        abort();
    }
    d->max_pages = ~0u;
    for (i = 0; i < vcpus; i++) {
        if (vcpu_create(d, i, &v) != 0) {
            abort();
        }
        v->is_initialised = true;
        clear_bit(VPF_DOWN, &v->sched.pause_flags);
    }
    return d;
}

void fake_kill(struct domain *d)
{
    /* In one thread nobody can wait for another CPU: its vcpus leave the CPUs first. */
    domain_pause_nosync(d);
    fake_settle();
    while (domain_kill(d) == -ERESTART) {
        fake_settle();
    }
    fake_settle();
}
