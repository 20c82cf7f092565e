/*
 * Making domains, finding them, and references to them. A domain is in the list and the hash table
 * from the end of domain_create until its last reference goes (domain_destroy.c); both are read
 * without a lock. Read <hospes/domain.h> first.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include "domain_private.h"

#define HASH_SIZE 256u

struct domain *hardware_domain;
struct domain *dom_xen, *dom_io, *idle_domain;
struct list_head domain_list = LIST_HEAD_INIT(domain_list);
spinlock_t domlist_lock = SPINLOCK_INIT(RANK_DOMLIST);
static struct domain *hash[HASH_SIZE];

/* ---- finding ---- */

struct domain *domain_by_id(domid_t id)
{
    struct domain *d = __atomic_load_n(&hash[id % HASH_SIZE], __ATOMIC_ACQUIRE);

    while (d != NULL && d->domain_id != id) {
        d = __atomic_load_n(&d->hash_next, __ATOMIC_ACQUIRE);
    }
    return d;
}

int domain_by_guest_id(domid_t id, struct domain **out)
{
    *out = id == DOMID_SELF ? current->domain : domain_by_id(id);
    return *out != NULL ? 0 : -ESRCH;
}

bool is_privileged_for(const struct domain *caller, const struct domain *target)
{
    bool yes = caller->is_privileged || caller->target == target;

    block_speculation();
    return yes;
}

int domain_by_guest_id_controlled(domid_t id, struct domain **out)
{
    struct domain *self = current->domain;
    int rc = domain_by_guest_id(id, out);

    if (rc == 0 && *out != self && !is_privileged_for(self, *out)) {
        *out = NULL;
        rc = -EPERM;
    }
    return rc;
}

/* In ascending order of identifiers, before anybody can find it. */
static int domain_list_in_order(struct domain *d)
{
    struct domain *pos;

    spin_lock(&domlist_lock);
    if (domain_by_id(d->domain_id) != NULL) {
        spin_unlock(&domlist_lock);
        return -EEXIST;
    }
    list_for_each_entry (pos, &domain_list, list) {
        if (pos->domain_id > d->domain_id) {
            break;
        }
    }
    d->hash_next = hash[d->domain_id % HASH_SIZE];
    __atomic_store_n(&hash[d->domain_id % HASH_SIZE], d, __ATOMIC_RELEASE);
    list_add_tail_rcu(&d->list, &pos->list);
    spin_unlock(&domlist_lock);
    return 0;
}

void domain_unlist(struct domain *d)
{
    struct domain **at = &hash[d->domain_id % HASH_SIZE];

    spin_lock(&domlist_lock);
    while (*at != d) {
        at = &(*at)->hash_next;
    }
    __atomic_store_n(at, d->hash_next, __ATOMIC_RELEASE);
    list_del_rcu(&d->list);
    spin_unlock(&domlist_lock);
}

bool get_domain(struct domain *d)
{
    unsigned int n = __atomic_load_n(&d->refcount, __ATOMIC_RELAXED);

    do {
        if (n == 0) {
            return false;
        }
    } while (!__atomic_compare_exchange_n(&d->refcount, &n, n + 1, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return true;
}

void put_domain(struct domain *d)
{
    if (__atomic_sub_fetch(&d->refcount, 1, __ATOMIC_ACQ_REL) == 0) {
        domain_destroy(d);
    }
}

/* ---- making ---- */

static struct domain *domain_alloc(domid_t id, unsigned int max_vcpus)
{
    struct domain *d = xzalloc(struct domain);

    if (d == NULL) {
        return NULL;
    }
    d->domain_id = id;
    d->refcount = 1;
    d->shutdown_code = -1;
    d->shared_info_mfn = MFN_NONE;
    spin_lock_init(&d->lock, RANK_DOMAIN);
    spin_lock_init(&d->page_lock, RANK_PAGE_ALLOC);
    spin_lock_init(&d->shutdown_lock, RANK_SHUTDOWN);
    spin_lock_init(&d->console.lock, RANK_CONSOLE_LINE);
    page_list_init(&d->page_list);
    page_list_init(&d->xenpage_list);
    page_list_init(&d->relmem_list);
    watchdogs_init(d);
    d->max_vcpus = max_vcpus;
    if (max_vcpus != 0) {
        d->vcpu = xzalloc_array(struct vcpu *, max_vcpus);
        if (d->vcpu == NULL) {
            xfree(d);
            return NULL;
        }
    }
    return d;
}

#define KNOWN_FLAGS                                                             \
    (XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_s3_integrity |    \
     XEN_DOMCTL_CDF_oos_off | XEN_DOMCTL_CDF_xs_domain | XEN_DOMCTL_CDF_iommu | \
     XEN_DOMCTL_CDF_nested_virt | XEN_DOMCTL_CDF_vpmu)

static int check_config(struct xen_domctl_createdomain *c)
{
    if ((c->flags & ~(uint32_t)KNOWN_FLAGS) != 0 || c->max_vcpus < 1 || c->max_vcpus > MAX_VCPUS ||
        (c->grant_opts & ~(uint32_t)XEN_DOMCTL_GRANT_version_mask) != 0 || c->vmtrace_size != 0 ||
        c->cpupool_id != 0) {
        return -EINVAL;
    }
    /* HAP is of HVM domains only. */
    if (!(c->flags & XEN_DOMCTL_CDF_hvm) && (c->flags & XEN_DOMCTL_CDF_hap)) {
        return -EINVAL;
    }
    return arch_sanitise_domain_config(c);
}

#define DEFAULT_GRANT_FRAMES    64u
#define DEFAULT_MAPTRACK_FRAMES 1024u
#define DEFAULT_GRANT_VERSION   2u

static unsigned int or_default(int32_t value, unsigned int otherwise)
{
    return value < 0 ? otherwise : (unsigned int)value;
}

/* What events and grants ask for. */
static int init_channels(struct domain *d, const struct xen_domctl_createdomain *c)
{
    unsigned int version = c->grant_opts & XEN_DOMCTL_GRANT_version_mask;
    int rc = evtchn_init(d);

    if (rc != 0) {
        return rc;
    }
    if (c->max_evtchn_port < d->evtchn.max_ports) {
        d->evtchn.max_ports = c->max_evtchn_port + 1;
    }
    return grant_table_init(d, or_default(c->max_grant_frames, DEFAULT_GRANT_FRAMES),
                            or_default(c->max_maptrack_frames, DEFAULT_MAPTRACK_FRAMES),
                            version != 0 ? version : DEFAULT_GRANT_VERSION);
}

static int init_shared_info(struct domain *d)
{
    d->shared_info = alloc_xenheap_pages(0, MEMF_ADDR_BITS(32 + PAGE_SHIFT));
    if (d->shared_info == NULL) {
        return -ENOMEM;
    }
    d->shared_info_mfn = virt_to_mfn(d->shared_info);
    share_xen_page_with_guest(virt_to_page(d->shared_info), d, SHARE_RW);
    return 0;
}

/* Step by step; domain_free undoes what was done. */
static int domain_init(struct domain *d, const struct xen_domctl_createdomain *c)
{
    int rc;

    d->ioport_caps = rangeset_create("I/O ports");
    d->iomem_caps = rangeset_create("I/O memory");
    d->irq_caps = rangeset_create("interrupts");
    if (d->ioport_caps == NULL || d->iomem_caps == NULL || d->irq_caps == NULL) {
        return -ENOMEM;
    }
    rc = init_channels(d, c);
    if (rc != 0) {
        return rc;
    }
    rc = sched_init_domain(d);
    if (rc != 0) {
        return rc;
    }
    rc = arch_domain_create(d, c);
    if (rc != 0) {
        return rc;
    }
    /* From here on arch_domain_destroy has to be called. */
    d->reclaim_stage = 1;
    return init_shared_info(d);
}

int domain_create(domid_t id, const struct xen_domctl_createdomain *config, bool privileged,
                  struct domain **out)
{
    struct xen_domctl_createdomain c = *config;
    struct domain *d;
    int rc;

    if (id >= DOMID_FIRST_RESERVED) {
        return -EINVAL;
    }
    rc = check_config(&c);
    if (rc != 0) {
        return rc;
    }
    if (domain_by_id(id) != NULL) {
        return -EEXIST;
    }
    d = domain_alloc(id, c.max_vcpus);
    if (d == NULL) {
        return -ENOMEM;
    }
    d->is_privileged = privileged;
    d->is_hardware = privileged && id == 0;
    d->is_hvm = (c.flags & XEN_DOMCTL_CDF_hvm) != 0;
    d->create_flags = c.flags;
    d->ssidref = c.ssidref;
    d->pause_count = d->controller_pause_count = 1;
    memcpy(d->handle, c.handle, sizeof(d->handle));
    rc = domain_init(d, &c);
    if (rc == 0) {
        rc = domain_list_in_order(d);
    }
    if (rc != 0) {
        domain_free(d);
        return rc;
    }
    *out = d;
    return 0;
}

/* One of the hypervisor's own: it owns frames or idle vcpus, and is never found by number. */
static struct domain *xen_domain(domid_t id, unsigned int max_vcpus)
{
    struct domain *d = domain_alloc(id, max_vcpus);

    if (d == NULL) {
        panic("No memory for the hypervisor's own domains");
    }
    d->is_xen = true;
    spin_lock_init(&d->evtchn.lock, RANK_EVTCHN_DOMAIN); /* it has no events, but vcpus */
    list_init(&d->list);
    return d;
}

void domains_init(void)
{
    dom_xen = xen_domain(DOMID_XEN, 0);
    dom_io = xen_domain(DOMID_IO, 0);
    idle_domain = xen_domain(DOMID_IDLE, NR_CPUS);
    idle_domain->is_idle = true;
    domain_pause_init();
    domain_keys_init();
}
