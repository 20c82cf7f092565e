/*
 * What a domain sees of the processor: CPUID leaves as of its creation, and the few MSRs that
 * follow from them. x86/cpu/policy.c makes them from the host's, x86/cpu/cpuid.c answers a guest's
 * CPUID.
 */
#ifndef ARCH_POLICY_H
#define ARCH_POLICY_H

#include <hospes/types.h>
#include <arch/cpufeature.h>

#define POLICY_BASIC  0x0eu /* leaves 0..0xd */
#define POLICY_EXT    0x22u /* 0x80000000..0x80000021 */
#define POLICY_CACHE  6u    /* subleaves of leaf 4 */
#define POLICY_XSTATE 10u   /* subleaves of leaf 0xd: up to AVX-512 and PKRU */

struct cpu_policy {
    struct cpuid_leaf basic[POLICY_BASIC];
    struct cpuid_leaf ext[POLICY_EXT];
    struct cpuid_leaf cache[POLICY_CACHE];
    struct cpuid_leaf feat[2]; /* leaf 7 */
    struct cpuid_leaf xstate[POLICY_XSTATE];
    uint32_t feature[FEAT_WORDS]; /* the same bits by word, for policy_has */
    uint64_t xcr0_max;            /* what XSETBV may set */
    enum cpu_vendor vendor;
};

/* A policy for a new domain: the most that a PV guest (or an HVM one) can have; Domain 0 sees an
 * invariant TSC as well. NULL: no memory. */
struct cpu_policy *policy_create(bool pv, bool hardware_domain) __must_check;
void policy_destroy(struct cpu_policy *p);
/* After leaves were written into a policy from outside: features that a PV guest cannot have are
 * taken out, and what follows from features (XSAVE state, maximum leaves) is made again. -EINVAL
 * with the leaf that cannot be: another vendor's. */
int policy_restrict(struct cpu_policy *p, uint32_t *err_leaf, uint32_t *err_subleaf) __must_check;
static inline bool policy_has(const struct cpu_policy *p, unsigned int feature)
{
    return (p->feature[feature / 32u] >> (feature % 32u)) & 1u;
}

/* CPUID of the running vcpu. enlightened: by the forced-emulation prefix, in a guest kernel, which
 * sees that XSAVE is enabled before it has enabled it itself. */
void guest_cpuid(uint32_t leaf, uint32_t subleaf, bool enlightened, struct cpuid_leaf *out);

#endif
