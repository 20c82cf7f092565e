/*
 * CPU policies as tools see them: arrays of CPUID leaves and MSR values (XEN_DOMCTL_get_cpu_policy,
 * ...).
 */
#ifndef X86_CONTROL_POLICY_ABI_H
#define X86_CONTROL_POLICY_ABI_H

#include <hospes/guest_access.h>
#include <arch/policy.h>
#include <xen/domctl.h>

/* The most that a policy is ever written as: basic leaves with subleaves, two of the hypervisor,
 * extended. */
#define POLICY_MAX_LEAVES (POLICY_BASIC + POLICY_CACHE + 2 + 2 + POLICY_XSTATE + 2 + POLICY_EXT)
#define POLICY_MAX_MSRS   2u

/* Write at most *nr entries and set *nr to how many there are. -ENOBUFS, -EFAULT. */
int policy_leaves_to_user(const struct cpu_policy *p, XEN_GUEST_HANDLE(xen_cpuid_leaf_t) h,
                          uint32_t *nr) __must_check;
int policy_msrs_to_user(const struct cpu_policy *p, XEN_GUEST_HANDLE(xen_msr_entry_t) h,
                        uint32_t *nr) __must_check;

/* Reads leaves over those of p; err_* name the one that was refused. -E2BIG, -EFAULT, -ERANGE. */
int policy_leaves_from_user(struct cpu_policy *p, XEN_GUEST_HANDLE(xen_cpuid_leaf_t) h, uint32_t nr,
                            uint32_t *err_leaf, uint32_t *err_subleaf) __must_check;
int policy_msrs_from_user(XEN_GUEST_HANDLE(xen_msr_entry_t) h, uint32_t nr,
                          uint32_t *err_msr) __must_check;

/* The feature words in the order of <xen/arch-x86/cpufeatureset.h>. */
#define FEATURESET_WORDS 16u
void policy_to_featureset(const struct cpu_policy *p, uint32_t *words);

#endif
