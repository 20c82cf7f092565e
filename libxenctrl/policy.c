/*
 * policy.c: the CPUID policy of a new domain.
 *
 * Read private.h first. The hypervisor gives a new domain its default policy. Two things are left
 * to the tools, as Xen 4.17's do them: a PV guest sees the machine's real topology (without CPUID
 * faulting nothing can hide it), so its HTT and CMP_LEGACY bits must be the machine's; and an
 * invariant time stamp counter is not promised, because a migrated guest would lose it.
 */
#include "libxenctrl/private.h"

/* Words of a CPU feature set, in the order of <xen/arch-x86/cpufeatureset.h>. */
enum { WORD_1D = 0, WORD_E1C = 3, NR_WORDS = 32 };

#define BIT_HTT        (1u << 28) /* leaf 1, EDX */
#define BIT_CMP_LEGACY (1u << 1)  /* leaf 0x80000001, ECX */
#define BIT_ITSC       (1u << 8)  /* leaf 0x80000007, EDX */

#define MOST_LEAVES 4096u

/* Without this the hypervisor's default stands as it is. */
static bool unavailable(int rc)
{
    return rc == -ENOSYS || rc == -EOPNOTSUPP;
}

static int host_featureset(struct xc_handle *h, uint32_t words[NR_WORDS])
{
    XC_SCOPED_BUFFER buffer = xc_buffer_new(h, NR_WORDS * sizeof(uint32_t));
    struct xen_sysctl *s;
    int rc;

    if (buffer.p == NULL) {
        return -ENOMEM;
    }
    s = xc_sysctl_begin(h, XEN_SYSCTL_get_cpu_featureset);
    s->u.cpu_featureset.index = XEN_SYSCTL_cpu_featureset_host;
    s->u.cpu_featureset.nr_features = NR_WORDS;
    set_xen_guest_handle(s->u.cpu_featureset.features, (uint32_t *)buffer.p);
    rc = xc_sysctl(h);
    if (rc < 0 && rc != -ENOBUFS) {
        return rc;
    }
    memcpy(words, buffer.p, NR_WORDS * sizeof(uint32_t));
    return 0;
}

/* Read the system's default for PV or HVM; with no buffer, how many leaves it has. */
static int default_leaves(struct xc_handle *h, bool hvm, void *leaves, uint32_t *count)
{
    struct xen_sysctl *s = xc_sysctl_begin(h, XEN_SYSCTL_get_cpu_policy);
    int rc;

    s->u.cpu_policy.index =
        hvm ? XEN_SYSCTL_cpu_policy_hvm_default : XEN_SYSCTL_cpu_policy_pv_default;
    s->u.cpu_policy.nr_leaves = *count;
    set_xen_guest_handle(s->u.cpu_policy.leaves, (xen_cpuid_leaf_t *)leaves);
    rc = xc_sysctl(h);
    if (rc == 0) {
        *count = s->u.cpu_policy.nr_leaves;
    }
    return rc;
}

static void copy_bit(uint32_t *to, uint32_t from, uint32_t bit)
{
    *to = (*to & ~bit) | (from & bit);
}

static void adjust(xen_cpuid_leaf_t *leaf, const uint32_t host[NR_WORDS])
{
    if (leaf->leaf == 1) {
        copy_bit(&leaf->d, host[WORD_1D], BIT_HTT);
    } else if (leaf->leaf == 0x80000001) {
        copy_bit(&leaf->c, host[WORD_E1C], BIT_CMP_LEGACY);
    } else if (leaf->leaf == 0x80000007) {
        leaf->d &= ~BIT_ITSC;
    }
}

static int set_leaves(struct xc_handle *h, uint32_t domid, void *leaves, uint32_t count)
{
    struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_set_cpu_policy, domid);
    struct xen_domctl_cpu_policy *p = &d->u.cpu_policy;
    int rc;

    p->nr_leaves = count;
    set_xen_guest_handle(p->leaves, (xen_cpuid_leaf_t *)leaves);
    p->err_leaf = p->err_subleaf = p->err_msr = ~0u;
    rc = xc_domctl(h);
    if (rc < 0 && !unavailable(rc)) {
        return xc_fail(h, rc,
                       "The hypervisor refuses domain %u's CPUID policy (leaf %#x, subleaf %#x): "
                       "%s.",
                       domid, p->err_leaf, p->err_subleaf, xc_reason(rc));
    }
    return 0;
}

int xc_domain_default_cpu_policy(struct xc_handle *h, uint32_t domid)
{
    uint32_t host[NR_WORDS] = {0}, count = 0;
    struct xc_domain_info info;
    int rc = xc_domain_get_info(h, domid, &info);

    if (rc < 0) {
        return rc;
    }
    rc = host_featureset(h, host);
    if (rc == 0) {
        rc = default_leaves(h, info.hvm, NULL, &count);
    }
    if (unavailable(rc) || info.hvm) {
        return 0;
    }
    if (rc < 0 || count == 0 || count > MOST_LEAVES) {
        return xc_fail(h, rc < 0 ? rc : -E2BIG, "The hypervisor's CPUID policy can't be read: %s.",
                       rc < 0 ? xc_reason(rc) : "its size makes no sense");
    }
    XC_SCOPED_BUFFER buffer = xc_buffer_new(h, count * sizeof(xen_cpuid_leaf_t));
    if (buffer.p == NULL) {
        return -ENOMEM;
    }
    uint32_t room = count;

    rc = default_leaves(h, info.hvm, buffer.p, &count);
    if (rc < 0) {
        return xc_fail(h, rc, "The hypervisor's CPUID policy can't be read: %s.", xc_reason(rc));
    }
    count = count < room ? count : room;
    for (uint32_t i = 0; i < count; i++) {
        adjust((xen_cpuid_leaf_t *)buffer.p + i, host);
    }
    return set_leaves(h, domid, buffer.p, count);
}
