/*
 * Policies (arch/policy.h): the host's CPUID, masked by what can work in a guest. A bit that no row
 * here allows is not shown: what is unknown today stays hidden.
 *
 * A guest without CPUID faulting can execute CPUID natively and see the host's. PV kernels use the
 * forced-emulation prefix; what their processes see differs, as under Xen.
 */
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <arch/fpu.h>
#include <arch/msr.h>
#include <arch/policy.h>

/* What a PV guest may see of each feature word. Names: AMD APM 3, appendix E; Intel SDM 2, CPUID.
 */
static const uint32_t pv_mask[FEAT_WORDS] = {
    /* SSE3 PCLMUL SSSE3 FMA CX16 SSE4.1 SSE4.2 X2APIC MOVBE POPCNT AES XSAVE AVX F16C RDRAND */
    [FEAT_1_ECX] = 0x76f83203u & ~(1u << 31),
    /* FPU DE TSC MSR PAE MCE CX8 APIC SEP MCA CMOV PAT CLFLUSH ACPI MMX FXSR SSE SSE2 SS */
    [FEAT_1_EDX] = 0x0fc9cbf5u & ~((1u << 12) | (1u << 13) | (1u << 17) | (1u << 21)),
    /* FSGSBASE BMI1 AVX2 BMI2 ERMS AVX512F/DQ RDSEED ADX IFMA CLFLUSHOPT CLWB AVX512CD SHA BW VL */
    [FEAT_7_EBX] = 0xf1af0329u,
    /* PREFETCHWT1 VBMI VBMI2 GFNI VAES VPCLMUL VNNI BITALG VPOPCNT RDPID CLDEMOTE MOVDIRI/64B */
    [FEAT_7_ECX] = 0x1a405f43u,
    /* 4VNNIW 4FMAPS FSRM VP2INTERSECT MD_CLEAR SERIALIZE */
    [FEAT_7_EDX] = 0x0000451cu,
    /* LAHF ABM SSE4A MISALIGNSSE 3DNOWPREFETCH XOP FMA4 TBM */
    [FEAT_E1_ECX] = 0x002109e1u,
    /* SYSCALL NX MMXEXT FFXSR RDTSCP LM 3DNOWEXT 3DNOW; AMD repeats leaf 1's */
    [FEAT_E1_EDX] = 0xeb100800u,
    [FEAT_E7_EDX] = 0x00000100u,  /* ITSC */
    [FEAT_E8_EBX] = 0x00000205u,  /* CLZERO RSTR_FP_ERR_PTRS WBNOINVD */
    [FEAT_D1_EAX] = 0x00000007u,  /* XSAVEOPT XSAVEC XGETBV1 */
    [FEAT_E21_EAX] = 0x00000044u, /* LFENCE_DISP NULL_SEL_CLR_BASE */
};

#define LEAF1_HYPERVISOR (1u << 31)
#define LEAF1_COMMON_AMD 0x0183f3ffu /* of FEAT_1_EDX, repeated in FEAT_E1_EDX */

/* Features that need state which is not there. */
static void drop_by_xstate(struct cpu_policy *p)
{
    uint32_t *f = p->feature;

    if (!(f[FEAT_1_ECX] & (1u << 26))) { /* XSAVE */
        p->xcr0_max = 0;
        f[FEAT_D1_EAX] = 0;
    }
    if (!(p->xcr0_max & XSTATE_YMM)) {
        f[FEAT_1_ECX] &= ~((1u << 12) | (1u << 28) | (1u << 29)); /* FMA AVX F16C */
        f[FEAT_7_EBX] &= ~(1u << 5);                              /* AVX2 */
        f[FEAT_7_ECX] &= ~((1u << 9) | (1u << 10));               /* VAES VPCLMUL */
        f[FEAT_E1_ECX] &= ~((1u << 11) | (1u << 16));             /* XOP FMA4 */
    }
    if (!(p->xcr0_max & XSTATE_ZMM)) {
        f[FEAT_7_EBX] &= ~0xd0230000u;
        f[FEAT_7_ECX] &= ~0x00005842u;
        f[FEAT_7_EDX] &= ~0x0000010cu;
    }
}

static void choose_features(struct cpu_policy *p, bool hardware_domain)
{
    for (unsigned int i = 0; i < FEAT_WORDS; i++) {
        p->feature[i] = boot_cpu.word[i] & pv_mask[i];
    }
    p->feature[FEAT_1_ECX] |= LEAF1_HYPERVISOR;
    if (p->vendor == VENDOR_AMD || p->vendor == VENDOR_HYGON) {
        p->feature[FEAT_E1_EDX] |= p->feature[FEAT_1_EDX] & LEAF1_COMMON_AMD;
    }
    if (!hardware_domain) { /* may be migrated to a machine with another TSC */
        p->feature[FEAT_E7_EDX] = 0;
    }
    drop_by_xstate(p);
}

/* Cache parameters, without how many CPUs share each. */
static void fill_caches(struct cpu_policy *p)
{
    if (p->vendor != VENDOR_INTEL) {
        return;
    }
    for (unsigned int i = 0; i < POLICY_CACHE; i++) {
        struct cpuid_leaf l = cpuid(4, i);

        if ((l.a & 0x1f) == 0) {
            break;
        }
        l.a &= 0x3fff;
        p->cache[i] = l;
    }
}

static void fill_xstate(struct cpu_policy *p)
{
    uint32_t size = 512 + 64;

    if (p->xcr0_max == 0) {
        return;
    }
    for (unsigned int i = 2; i < POLICY_XSTATE; i++) {
        if ((p->xcr0_max >> i) & 1) {
            p->xstate[i] = cpuid(0xd, i);
            p->xstate[i].c = 0; /* a component of user state, no alignment in compacted form */
            p->xstate[i].d = 0;
            size = max(size, p->xstate[i].a + p->xstate[i].b);
        }
    }
    p->xstate[0] = (struct cpuid_leaf){
        .a = (uint32_t)p->xcr0_max, .b = 0, .c = size, .d = (uint32_t)(p->xcr0_max >> 32)};
    p->xstate[1] = (struct cpuid_leaf){.a = p->feature[FEAT_D1_EAX]};
}

static void fill_basic(struct cpu_policy *p)
{
    struct cpuid_leaf *b = p->basic, host = cpuid(1, 0);

    b[0] = cpuid(0, 0);
    b[0].a = min(b[0].a, POLICY_BASIC - 1);
    b[1].a = host.a;
    b[1].b = (host.b & 0xffff) | (1u << 16); /* one logical CPU, APIC ID 0 */
    b[1].c = p->feature[FEAT_1_ECX];
    b[1].d = p->feature[FEAT_1_EDX];
    if (p->vendor == VENDOR_INTEL) {
        b[2] = cpuid(2, 0);
    }
    if (b[0].a >= 7) {
        p->feat[0].b = p->feature[FEAT_7_EBX];
        p->feat[0].c = p->feature[FEAT_7_ECX];
        p->feat[0].d = p->feature[FEAT_7_EDX];
    }
}

static void fill_ext(struct cpu_policy *p)
{
    struct cpuid_leaf *e = p->ext;
    uint32_t top;

    e[0] = cpuid(0x80000000u, 0);
    top = e[0].a < 0x80000000u ? 0 : min(e[0].a & 0xffffu, POLICY_EXT - 1);
    e[0].a = 0x80000000u | top;
    e[1] = cpuid(0x80000001u, 0);
    e[1].c = p->feature[FEAT_E1_ECX];
    e[1].d = p->feature[FEAT_E1_EDX];
    for (uint32_t i = 2; i <= min(top, 6u); i++) {
        e[i] = cpuid(0x80000000u + i, 0);
    }
    e[7].d = p->feature[FEAT_E7_EDX];
    if (top >= 8) {
        e[8].a = cpuid(0x80000008u, 0).a & 0xffff;
        e[8].b = p->feature[FEAT_E8_EBX];
    }
    for (uint32_t i = 0x19; i <= min(top, 0x1au); i++) {
        e[i] = cpuid(0x80000000u + i, 0);
    }
    if (top >= 0x21) {
        e[0x21].a = p->feature[FEAT_E21_EAX];
    }
}

struct cpu_policy *policy_create(bool pv, bool hardware_domain)
{
    struct cpu_policy *p = xzalloc(struct cpu_policy);

    (void)pv; /* HVM policies are made with the HVM CPU */
    if (!p) {
        return NULL;
    }
    p->vendor = boot_cpu.vendor;
    p->xcr0_max = fpu_host_xcr0();
    choose_features(p, hardware_domain);
    fill_basic(p);
    fill_caches(p);
    fill_xstate(p);
    fill_ext(p);
    return p;
}

void policy_destroy(struct cpu_policy *p)
{
    xfree(p);
}

/* The feature words, back from the leaves that show them. */
static void features_from_leaves(struct cpu_policy *p)
{
    const uint32_t shown[FEAT_WORDS] = {
        [FEAT_1_ECX] = p->basic[1].c,    [FEAT_1_EDX] = p->basic[1].d,
        [FEAT_7_EBX] = p->feat[0].b,     [FEAT_7_ECX] = p->feat[0].c,
        [FEAT_7_EDX] = p->feat[0].d,     [FEAT_E1_ECX] = p->ext[1].c,
        [FEAT_E1_EDX] = p->ext[1].d,     [FEAT_E7_EDX] = p->ext[7].d,
        [FEAT_E8_EBX] = p->ext[8].b,     [FEAT_D1_EAX] = p->xstate[1].a,
        [FEAT_E21_EAX] = p->ext[0x21].a,
    };

    for (unsigned int i = 0; i < FEAT_WORDS; i++) {
        p->feature[i] = shown[i];
    }
}

int policy_restrict(struct cpu_policy *p, uint32_t *err_leaf, uint32_t *err_subleaf)
{
    struct cpu_policy most = {.vendor = boot_cpu.vendor, .xcr0_max = fpu_host_xcr0()};
    struct cpuid_leaf host = cpuid(0, 0), asked = p->basic[1], asked_ext = p->ext[1];
    uint32_t max_leaf = p->basic[0].a, max_ext = p->ext[0].a;

    if (p->basic[0].b != host.b || p->basic[0].c != host.c || p->basic[0].d != host.d) {
        *err_leaf = 0;
        *err_subleaf = ~0u;
        return -EINVAL;
    }
    choose_features(&most, true);
    features_from_leaves(p);
    for (unsigned int i = 0; i < FEAT_WORDS; i++) {
        p->feature[i] &= most.feature[i];
    }
    p->feature[FEAT_1_ECX] |= LEAF1_HYPERVISOR;
    p->vendor = most.vendor;
    p->xcr0_max = most.xcr0_max & (p->xstate[0].a | (uint64_t)p->xstate[0].d << 32);
    drop_by_xstate(p);
    fill_basic(p);
    fill_xstate(p);
    fill_ext(p);
    p->basic[0].a = min(p->basic[0].a, max_leaf);
    p->ext[0].a = min(p->ext[0].a, max_ext);
    p->basic[1].a = asked.a; /* family, model, stepping and brand are names only */
    p->basic[1].b = asked.b;
    p->ext[1].a = asked_ext.a;
    p->ext[1].b = asked_ext.b;
    return 0;
}
