/* CPU policies to and from the form in which tools handle them. See policy_abi.h. */
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <arch/msr.h>
#include "policy_abi.h"

#define EXT_FIRST     0x80000000u
#define HYP_FIRST     0x40000000u
#define VIRIDIAN_LEAF 0x40000100u

/* ---- out ---- */

struct leaf_writer {
    XEN_GUEST_HANDLE(xen_cpuid_leaf_t) h;
    uint32_t done, room;
};

static int put_leaf(struct leaf_writer *w, uint32_t leaf, uint32_t subleaf,
                    const struct cpuid_leaf *l)
{
    xen_cpuid_leaf_t out = {
        .leaf = leaf, .subleaf = subleaf, .a = l->a, .b = l->b, .c = l->c, .d = l->d};

    if (w->done == w->room) {
        return -ENOBUFS;
    }
    return copy_to_guest_offset(w->h, w->done++, &out, 1) ? -EFAULT : 0;
}

static int put_subleaves(struct leaf_writer *w, uint32_t leaf, const struct cpuid_leaf *l,
                         uint32_t n)
{
    int rc = 0;

    for (uint32_t i = 0; i < n && !rc; i++) {
        rc = put_leaf(w, leaf, i, &l[i]);
    }
    return rc;
}

/* How many subleaves say something: cache types end with a type of 0. */
static uint32_t cache_subleaves(const struct cpu_policy *p)
{
    uint32_t n = 0;

    while (n < POLICY_CACHE - 1 && (p->cache[n].a & 0x1f)) {
        n++;
    }
    return n + 1;
}

static int put_basic(struct leaf_writer *w, const struct cpu_policy *p)
{
    static const struct cpuid_leaf no_topology;
    int rc = 0;

    for (uint32_t leaf = 0; leaf <= min(p->basic[0].a, POLICY_BASIC - 1) && !rc; leaf++) {
        switch (leaf) {
        case 4:
            rc = put_subleaves(w, leaf, p->cache, cache_subleaves(p));
            break;
        case 7:
            rc = put_subleaves(w, leaf, p->feat,
                               min(p->feat[0].a, (uint32_t)ARRAY_SIZE(p->feat) - 1) + 1);
            break;
        case 0xb:
            rc = put_leaf(w, leaf, 0, &no_topology);
            break;
        case 0xd:
            rc = put_subleaves(w, leaf, p->xstate, POLICY_XSTATE);
            break;
        default:
            rc = put_leaf(w, leaf, XEN_CPUID_NO_SUBLEAF, &p->basic[leaf]);
            break;
        }
    }
    return rc;
}

int policy_leaves_to_user(const struct cpu_policy *p, XEN_GUEST_HANDLE(xen_cpuid_leaf_t) h,
                          uint32_t *nr)
{
    static const struct cpuid_leaf zero;
    struct leaf_writer w = {.h = h, .room = *nr};
    int rc = put_basic(&w, p);

    if (!rc) {
        rc = put_leaf(&w, HYP_FIRST, XEN_CPUID_NO_SUBLEAF, &zero);
    }
    if (!rc) {
        rc = put_leaf(&w, VIRIDIAN_LEAF, XEN_CPUID_NO_SUBLEAF, &zero);
    }
    for (uint32_t i = 0; i <= min(p->ext[0].a & 0xffff, POLICY_EXT - 1) && !rc; i++) {
        rc = put_leaf(&w, EXT_FIRST | i, XEN_CPUID_NO_SUBLEAF, &p->ext[i]);
    }
    if (!rc) {
        *nr = w.done;
    }
    return rc;
}

int policy_msrs_to_user(const struct cpu_policy *p, XEN_GUEST_HANDLE(xen_msr_entry_t) h,
                        uint32_t *nr)
{
    static const xen_msr_entry_t msrs[POLICY_MAX_MSRS] = {{.idx = MSR_PLATFORM_INFO},
                                                          {.idx = MSR_ARCH_CAPABILITIES}};

    if (*nr < POLICY_MAX_MSRS) {
        return -ENOBUFS;
    }
    *nr = POLICY_MAX_MSRS;
    return copy_to_guest(h, msrs, POLICY_MAX_MSRS) ? -EFAULT : 0;
}

/* ---- in ---- */

/* Where a leaf is kept; NULL: nowhere. *ignore: the ABI has it, this policy does not keep it. */
static struct cpuid_leaf *find_leaf(struct cpu_policy *p, uint32_t leaf, uint32_t subleaf,
                                    bool *ignore)
{
    struct cpuid_leaf *array = NULL;
    uint32_t n = 0, i = subleaf;

    *ignore = leaf == 0xb || leaf == HYP_FIRST || leaf == VIRIDIAN_LEAF;
    if (leaf == 4) {
        array = p->cache;
        n = POLICY_CACHE;
    } else if (leaf == 7) {
        array = p->feat;
        n = ARRAY_SIZE(p->feat);
    } else if (leaf == 0xd) {
        array = p->xstate;
        n = POLICY_XSTATE;
        *ignore = subleaf >= n && subleaf < 63;
    } else if (subleaf == XEN_CPUID_NO_SUBLEAF && leaf < POLICY_BASIC) {
        array = p->basic;
        n = POLICY_BASIC;
        i = leaf;
    } else if (subleaf == XEN_CPUID_NO_SUBLEAF && leaf >= EXT_FIRST) {
        array = p->ext;
        n = POLICY_EXT;
        i = leaf - EXT_FIRST;
    }
    return i < n ? &array[array_index_nospec(i, n)] : NULL;
}

int policy_leaves_from_user(struct cpu_policy *p, XEN_GUEST_HANDLE(xen_cpuid_leaf_t) h, uint32_t nr,
                            uint32_t *err_leaf, uint32_t *err_subleaf)
{
    *err_leaf = *err_subleaf = ~0u;
    if (nr > POLICY_MAX_LEAVES) {
        return -E2BIG;
    }
    for (uint32_t i = 0; i < nr; i++) {
        struct cpuid_leaf *to;
        xen_cpuid_leaf_t in;
        bool ignore;

        if (copy_from_guest_offset(&in, h, i, 1)) {
            return -EFAULT;
        }
        to = find_leaf(p, in.leaf, in.subleaf, &ignore);
        if (to) {
            *to = (struct cpuid_leaf){in.a, in.b, in.c, in.d};
        } else if (!ignore) {
            *err_leaf = in.leaf;
            *err_subleaf = in.subleaf;
            return -ERANGE;
        }
    }
    return 0;
}

/* The two MSRs that a policy has are 0 in every guest of ours: others' values are refused. */
int policy_msrs_from_user(XEN_GUEST_HANDLE(xen_msr_entry_t) h, uint32_t nr, uint32_t *err_msr)
{
    *err_msr = ~0u;
    if (nr > POLICY_MAX_MSRS) {
        return -E2BIG;
    }
    for (uint32_t i = 0; i < nr; i++) {
        xen_msr_entry_t in;

        if (copy_from_guest_offset(&in, h, i, 1)) {
            return -EFAULT;
        }
        *err_msr = in.idx;
        if (in.flags) {
            return -EINVAL;
        }
        if (in.idx != MSR_PLATFORM_INFO && in.idx != MSR_ARCH_CAPABILITIES) {
            return -ERANGE;
        }
        if (in.val) {
            return -EINVAL;
        }
    }
    *err_msr = ~0u;
    return 0;
}

/* The ABI's words: 1d 1c e1d e1c Da1 7b0 7c0 e7d e8b 7d0 7a1 e21a 7b1 7d2 7c1 7d1. */
void policy_to_featureset(const struct cpu_policy *p, uint32_t *words)
{
    static const uint8_t order[] = {FEAT_1_EDX, FEAT_1_ECX, FEAT_E1_EDX, FEAT_E1_ECX, FEAT_D1_EAX,
                                    FEAT_7_EBX, FEAT_7_ECX, FEAT_E7_EDX, FEAT_E8_EBX, FEAT_7_EDX};

    memset(words, 0, FEATURESET_WORDS * sizeof(*words));
    for (unsigned int i = 0; i < ARRAY_SIZE(order); i++) {
        words[i] = p->feature[order[i]];
    }
    words[11] = p->feature[FEAT_E21_EAX];
}
