/*
 * Mitigations of speculative execution: which the processor offers, which are on, and the line of
 * the log that says so. Option spec-ctrl=no turns all off, spec-ctrl=no-ibrs,no-ibpb,... some.
 *
 * The entry and exit paths read spec_ctrl_flags: IBRS is written on entry from a guest where the
 * processor has no automatic or enhanced form, VERW (which clears buffers where MD_CLEAR is there)
 * is executed on exit; indirect branches go
 * through retpolines where these are safe; IBPB is issued when another domain's vcpu is switched
 * to.
 */
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/param.h>
#include <arch/cpufeature.h>
#include <arch/msr.h>
#include <arch/spec_ctrl.h>
#include <arch/xpti.h>

#define ARCH_CAPS_RDCL_NO  BIT(0)
#define ARCH_CAPS_IBRS_ALL BIT(1)
#define ARCH_CAPS_RSBA     BIT(2)
#define ARCH_CAPS_MDS_NO   BIT(5)

uint8_t spec_ctrl_flags __ro_after_init;
uint32_t spec_ctrl_value __ro_after_init;

enum thunk spec_ctrl_thunk __ro_after_init;

static bool opt_ibrs = true, opt_ibpb = true, opt_stibp = true, opt_md_clear = true;
static bool opt_div = true, opt_branch = true;
static int opt_rsb = -1; /* as the processor needs it */

static bool __init option_is(const char *s, size_t n, const char *name)
{
    return n == strlen(name) && strncmp(s, name, n) == 0;
}

static bool __init parse_thunk(const char *s, size_t n)
{
    if (option_is(s, n, "bti-thunk=retpoline")) {
        spec_ctrl_thunk = THUNK_RETPOLINE;
    } else if (option_is(s, n, "bti-thunk=lfence")) {
        spec_ctrl_thunk = THUNK_LFENCE;
    } else if (option_is(s, n, "bti-thunk=jmp")) {
        spec_ctrl_thunk = THUNK_JMP;
    } else {
        return false;
    }
    return true;
}

static int __init parse_one(const char *s, size_t n)
{
    bool on = true;

    if (option_is(s, n, "eager-fpu") || option_is(s, n, "yes") || option_is(s, n, "on") ||
        option_is(s, n, "xen")) {
        return 0; /* what is so anyway */
    }
    if (option_is(s, n, "no") || option_is(s, n, "off") || option_is(s, n, "0")) {
        opt_ibrs = opt_ibpb = opt_stibp = opt_md_clear = opt_div = opt_branch = false;
        opt_rsb = 0;
        spec_ctrl_thunk = THUNK_JMP;
        return 0;
    }
    if (parse_thunk(s, n)) {
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
    } else if (option_is(s, n, "rsb")) {
        opt_rsb = on;
    } else if (option_is(s, n, "div-scrub")) {
        opt_div = on;
    } else if (option_is(s, n, "branch-harden")) {
        opt_branch = on;
    } else {
        return -EINVAL;
    }
    return 0;
}

static int __init parse_spec_ctrl(const char *s)
{
    return parse_words(s, parse_one);
}
custom_param(spec_ctrl, "spec-ctrl", parse_spec_ctrl,
             "no, or a list of no-ibrs, no-ibpb, no-stibp, no-md-clear, no-div-scrub, "
             "no-branch-harden, [no-]rsb, bti-thunk=retpoline|lfence|jmp");

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

/*
 * Is a retpoline safe: does a return never fall back to what predicts other branches? Not so on
 * Intel's from Skylake on, and where the processor says so. These have IBRS instead.
 */
static bool __init retpoline_safe(uint64_t caps)
{
    if (boot_cpu.vendor != VENDOR_INTEL) {
        return true;
    }
    if ((caps & ARCH_CAPS_RSBA) || boot_cpu.family != 6) {
        return false;
    }
    switch (boot_cpu.model) {
    case 0x17: /* Penryn */
    case 0x1a: /* Nehalem */
    case 0x1d:
    case 0x1e:
    case 0x1f:
    case 0x25: /* Westmere */
    case 0x2a: /* Sandy Bridge */
    case 0x2c:
    case 0x2d:
    case 0x2e:
    case 0x2f:
    case 0x3a: /* Ivy Bridge */
    case 0x3c: /* Haswell */
    case 0x3e:
    case 0x3f:
    case 0x45:
    case 0x46:
        return true;
    default:
        return false;
    }
}

/* A retpoline where that is safe, or nothing else there is; else IBRS protects the plain jump. */
static void __init choose_thunk(uint64_t caps, bool ibrs_on)
{
    if (spec_ctrl_thunk == THUNK_DEFAULT) {
        spec_ctrl_thunk = retpoline_safe(caps) || !ibrs_on ? THUNK_RETPOLINE : THUNK_JMP;
    }
}

/* The first Zen, known by what it lacks, keeps a division's result for the next one to see. */
static bool __init has_div_leak(bool stibp)
{
    return (boot_cpu.vendor == VENDOR_AMD || boot_cpu.vendor == VENDOR_HYGON) &&
           (boot_cpu.family == 0x17 || boot_cpu.family == 0x18) && !stibp;
}

/* With SMEP nothing that a guest can put into the return stack is ever executed by us. */
static bool __init needs_rsb(void)
{
    return opt_rsb >= 0 ? opt_rsb : !cpu_has(X86_SMEP);
}

/* Do supervisor pages have to be out of a guest's page tables? */
static bool __init has_meltdown(uint64_t caps)
{
    return boot_cpu.vendor != VENDOR_AMD && boot_cpu.vendor != VENDOR_HYGON &&
           !(caps & ARCH_CAPS_RDCL_NO);
}

static void __init report_branches(void)
{
    static const char *const thunks[] = {"?", "RETPOLINE", "LFENCE", "JMP"};

    printk("Speculation: indirect branches %s, return stack filled %s, branches hardened %s, "
           "divider cleared %s\n",
           thunks[spec_ctrl_thunk], spec_ctrl_flags & SPEC_RSB_ENTRY ? "on entry" : "no",
           spec_ctrl_flags & SPEC_BRANCH_HARDEN ? "yes" : "no",
           spec_ctrl_flags & SPEC_DIV_EXIT ? "on exit" : "no");
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
    choose_thunk(caps, (spec_ctrl_value & SPEC_CTRL_IBRS) != 0);
    spec_ctrl_flags |= needs_rsb() ? SPEC_RSB_ENTRY : 0;
    spec_ctrl_flags |= opt_branch ? SPEC_BRANCH_HARDEN : 0;
    spec_ctrl_flags |= opt_div && has_div_leak(stibp) ? SPEC_DIV_EXIT : 0;
    report_branches();
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
    xpti_init(has_meltdown(caps));
}

void spec_ctrl_init_cpu(void)
{
    if (spec_ctrl_flags & SPEC_HAVE_MSR) {
        wrmsr(MSR_SPEC_CTRL, spec_ctrl_value);
    }
    (void)lfence_serialises(); /* sets the bit where it is one */
}
