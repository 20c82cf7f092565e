/*
 * Mitigations of speculative execution: which the processor offers, which are on, and the line of
 * the log that says so. Option spec-ctrl=no turns all off, spec-ctrl=no-ibrs,no-ibpb,... some.
 *
 * The entry and exit paths read spec_ctrl_flags: IBRS is written on entry from a guest where the
 * processor has no automatic or enhanced form, VERW (which clears buffers where MD_CLEAR is there)
 * is executed on exit; IBPB is issued when another domain's vcpu is switched to.
 */
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/param.h>
#include <arch/cpufeature.h>
#include <arch/msr.h>
#include <arch/spec_ctrl.h>

#define ARCH_CAPS_RDCL_NO  BIT(0)
#define ARCH_CAPS_IBRS_ALL BIT(1)
#define ARCH_CAPS_MDS_NO   BIT(5)

uint8_t spec_ctrl_flags __ro_after_init;
uint32_t spec_ctrl_value __ro_after_init;

static bool opt_ibrs = true, opt_ibpb = true, opt_stibp = true, opt_md_clear = true;

static bool __init option_is(const char *s, size_t n, const char *name)
{
    return n == strlen(name) && strncmp(s, name, n) == 0;
}

static int __init parse_one(const char *s, size_t n)
{
    bool on = true;

    if (option_is(s, n, "eager-fpu") || option_is(s, n, "yes") || option_is(s, n, "on") ||
        option_is(s, n, "xen") || option_is(s, n, "bti-thunk=retpoline")) {
        return 0; /* what is so anyway */
    }
    if (option_is(s, n, "no") || option_is(s, n, "off") || option_is(s, n, "0")) {
        opt_ibrs = opt_ibpb = opt_stibp = opt_md_clear = false;
        return 0;
    }
    if (n > 3 && strncmp(s, "no-", 3) == 0) {
        on = false;
        s += 3;
        n -= 3;
    }
    if (option_is(s, n, "ibrs")) {
        opt_ibrs = on;
    } else if (option_is(s, n, "ibpb")) {
        opt_ibpb = on;
    } else if (option_is(s, n, "stibp")) {
        opt_stibp = on;
    } else if (option_is(s, n, "md-clear")) {
        opt_md_clear = on;
    } else {
        return -EINVAL;
    }
    return 0;
}

static int __init parse_spec_ctrl(const char *s)
{
    int rc = 0;

    while (*s) {
        const char *comma = strchr(s, ',');
        size_t n = comma ? (size_t)(comma - s) : strlen(s);

        if (parse_one(s, n) != 0) {
            rc = -EINVAL;
        }
        s += n + (comma != NULL);
    }
    return rc;
}
custom_param(spec_ctrl, "spec-ctrl", parse_spec_ctrl,
             "no, or a list of no-ibrs, no-ibpb, no-stibp, no-md-clear");

/* LFENCE waits for earlier loads: always on Intel; on AMD when a bit of DE_CFG says so. */
static bool lfence_serialises(void)
{
    uint64_t v;

    if (boot_cpu.vendor != VENDOR_AMD && boot_cpu.vendor != VENDOR_HYGON) {
        return true;
    }
    if (cpu_has(X86_LFENCE_DISP)) {
        return true;
    }
    return rdmsr_safe(MSR_AMD_DE_CFG, &v) == 0 &&
           ((v & AMD_DE_CFG_LFENCE) || wrmsr_safe(MSR_AMD_DE_CFG, v | AMD_DE_CFG_LFENCE) == 0);
}

void __init spec_ctrl_init(void)
{
    uint64_t caps = 0;
    bool ibrs, ibpb, stibp, lfence = lfence_serialises();

    if (cpu_has(X86_ARCH_CAPS) && rdmsr_safe(MSR_ARCH_CAPABILITIES, &caps) != 0) {
        caps = 0;
    }
    ibrs = cpu_has(X86_IBRSB) || cpu_has(X86_AMD_IBRS);
    ibpb = cpu_has(X86_IBRSB) || cpu_has(X86_AMD_IBPB);
    stibp = cpu_has(X86_STIBP) || cpu_has(X86_AMD_STIBP);
    if (opt_ibrs && ibrs) {
        spec_ctrl_value |= SPEC_CTRL_IBRS;
        spec_ctrl_flags |= (caps & ARCH_CAPS_IBRS_ALL) ? 0 : SPEC_IBRS_ENTRY;
    }
    if (opt_stibp && stibp) {
        spec_ctrl_value |= SPEC_CTRL_STIBP;
    }
    if (opt_ibpb && ibpb) {
        spec_ctrl_flags |= SPEC_IBPB;
    }
    if (opt_md_clear && cpu_has(X86_MD_CLEAR) && !(caps & ARCH_CAPS_MDS_NO)) {
        spec_ctrl_flags |= SPEC_VERW_EXIT;
    }
    if (ibrs || stibp) {
        spec_ctrl_flags |= SPEC_HAVE_MSR;
    }
    printk(
        "Speculation: bounds clamped; IBRS %s, STIBP %s, IBPB %s, VERW %s, LFENCE %s, eager FPU\n",
        spec_ctrl_value & SPEC_CTRL_IBRS ? "on"
        : ibrs                           ? "off"
                                         : "not offered",
        spec_ctrl_value & SPEC_CTRL_STIBP ? "on"
        : stibp                           ? "off"
                                          : "not offered",
        spec_ctrl_flags & SPEC_IBPB ? "on"
        : ibpb                      ? "off"
                                    : "not offered",
        spec_ctrl_flags & SPEC_VERW_EXIT ? "on"
        : cpu_has(X86_MD_CLEAR)          ? "off"
                                         : "not offered",
        lfence ? "serialising" : "not serialising");
}

void spec_ctrl_init_cpu(void)
{
    if (spec_ctrl_flags & SPEC_HAVE_MSR) {
        wrmsr(MSR_SPEC_CTRL, spec_ctrl_value);
    }
    (void)lfence_serialises(); /* sets the bit where it is one */
}
