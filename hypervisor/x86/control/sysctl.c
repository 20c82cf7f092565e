/* The architecture's sysctls: what the processors are and can do. */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <arch/cpufeature.h>
#include <arch/apic.h>
#include <arch/time.h>
#include "policy_abi.h"
#include <xen/sysctl.h>

static unsigned int threads_per_core(void)
{
    if (boot_cpu.vendor == VENDOR_AMD && boot_cpu.family >= 0x17 && cpu_has(X86_TOPOEXT)) {
        return ((cpuid(0x8000001eu, 0).b >> 8) & 0xff) + 1;
    }
    if (boot_cpu.max_leaf >= 0xb) {
        return max(cpuid(0xb, 0).b & 0xffff, 1u);
    }
    return 1;
}

/* Logical CPUs in a package, rounded up to what the APIC ID has room for. */
static unsigned int threads_per_socket(void)
{
    if (boot_cpu.vendor == VENDOR_AMD && boot_cpu.max_ext_leaf >= 0x80000008u) {
        return (cpuid(0x80000008u, 0).c & 0xff) + 1;
    }
    return cpu_has(X86_HTT) ? max((cpuid(1, 0).b >> 16) & 0xff, 1u) : 1;
}

void arch_physinfo(struct xen_sysctl_physinfo *info)
{
    info->threads_per_core = threads_per_core();
    info->cores_per_socket = max(threads_per_socket() / info->threads_per_core, 1u);
    info->cpu_khz = (uint32_t)tsc_khz();
    info->hw_cap[0] = boot_cpu.word[FEAT_1_EDX];
    info->hw_cap[1] = boot_cpu.word[FEAT_1_ECX];
    info->hw_cap[2] = boot_cpu.word[FEAT_E1_EDX];
    info->hw_cap[3] = boot_cpu.word[FEAT_E1_ECX];
    info->hw_cap[4] = boot_cpu.word[FEAT_D1_EAX];
    info->hw_cap[5] = boot_cpu.word[FEAT_7_EBX];
    info->hw_cap[6] = boot_cpu.word[FEAT_7_ECX];
    info->hw_cap[7] = boot_cpu.word[FEAT_E7_EDX];
}

void arch_cpu_topology(unsigned int cpu, uint32_t *core, uint32_t *socket)
{
    uint32_t id = cpu_to_apic_id[cpu], per_socket = 1;

    while (per_socket < threads_per_socket()) {
        per_socket <<= 1;
    }
    *core = id % per_socket / threads_per_core();
    *socket = id / per_socket;
}

/* What a new PV guest gets is also the most that one can have; there are no HVM guests yet. */
static struct cpu_policy *policy_by_index(uint32_t index)
{
    switch (index) {
    case XEN_SYSCTL_cpu_policy_raw:
    case XEN_SYSCTL_cpu_policy_host:
    case XEN_SYSCTL_cpu_policy_pv_max:
    case XEN_SYSCTL_cpu_policy_pv_default:
        return policy_create(true, index != XEN_SYSCTL_cpu_policy_pv_default);
    default:
        return NULL;
    }
}

static long get_policy(struct xen_sysctl_cpu_policy *in)
{
    struct cpu_policy *p;
    int rc = 0;

    if (in->_rsvd) {
        return -EINVAL;
    }
    if (in->index == XEN_SYSCTL_cpu_policy_hvm_max ||
        in->index == XEN_SYSCTL_cpu_policy_hvm_default) {
        return -EOPNOTSUPP;
    }
    p = policy_by_index(in->index);
    if (!p) {
        return in->index <= XEN_SYSCTL_cpu_policy_hvm_default ? -ENOMEM : -EINVAL;
    }
    if (guest_handle_is_null(in->leaves)) {
        in->nr_leaves = POLICY_MAX_LEAVES;
    } else {
        rc = policy_leaves_to_user(p, in->leaves, &in->nr_leaves);
    }
    if (!rc && guest_handle_is_null(in->msrs)) {
        in->nr_msrs = POLICY_MAX_MSRS;
    } else if (!rc) {
        rc = policy_msrs_to_user(p, in->msrs, &in->nr_msrs);
    }
    policy_destroy(p);
    return rc;
}

static long get_featureset(struct xen_sysctl_cpu_featureset *in)
{
    uint32_t words[FEATURESET_WORDS], room = in->nr_features;
    struct cpu_policy *p;

    if (in->index == XEN_SYSCTL_cpu_featureset_hvm ||
        in->index == XEN_SYSCTL_cpu_featureset_hvm_max) {
        return -EOPNOTSUPP;
    }
    if (in->index > XEN_SYSCTL_cpu_featureset_hvm_max) {
        return -EINVAL;
    }
    in->nr_features = FEATURESET_WORDS;
    if (guest_handle_is_null(in->features)) {
        return 0;
    }
    p = policy_create(true, in->index != XEN_SYSCTL_cpu_featureset_pv);
    if (!p) {
        return -ENOMEM;
    }
    policy_to_featureset(p, words);
    policy_destroy(p);
    in->nr_features = min(room, FEATURESET_WORDS);
    if (copy_to_guest(in->features, words, in->nr_features)) {
        return -EFAULT;
    }
    return room < FEATURESET_WORDS ? -ENOBUFS : 0;
}

long arch_do_sysctl(struct xen_sysctl *op, XEN_GUEST_HANDLE(void) u_sysctl, bool *copyback)
{
    *copyback = true;
    switch (op->cmd) {
    case XEN_SYSCTL_get_cpu_policy:
        return get_policy(&op->u.cpu_policy);
    case XEN_SYSCTL_get_cpu_featureset:
        return get_featureset(&op->u.cpu_featureset);
    case XEN_SYSCTL_get_cpu_levelling_caps:
        op->u.cpu_levelling_caps.caps =
            boot_cpu.cpuid_faulting ? XEN_SYSCTL_CPU_LEVELCAP_faulting : 0;
        return 0;
    case XEN_SYSCTL_psr_cmt_op: /* no cache or bandwidth monitoring */
    case XEN_SYSCTL_psr_alloc:
    case XEN_SYSCTL_get_pmstat: /* no frequency or idle state control */
    case XEN_SYSCTL_pm_op:
    case XEN_SYSCTL_cpu_hotplug:
    case XEN_SYSCTL_page_offline_op:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}
