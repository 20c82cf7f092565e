/* Overwriting what depends on the processor (arch/alternative.h). */
#include <hospes/lib.h>
#include <arch/alternative.h>
#include <arch/cpufeature.h>
#include <arch/spec_ctrl.h>
#include <arch/xpti.h>

struct alternative {
    int32_t site; /* relative to its own address */
    uint8_t cond, len;
    uint8_t bytes[ALT_MAX_BYTES];
};
_Static_assert(sizeof(struct alternative) == 16, "as the macros lay it out");
extern const struct alternative __alternatives_start[], __alternatives_end[];

static bool __init holds(unsigned int cond)
{
    switch (cond) {
    case ALT_SMAP:
        return cpu_has(X86_SMAP);
    case ALT_SPEC_ENTRY:
        return spec_ctrl_flags & SPEC_ENTRY;
    case ALT_VERW_EXIT:
        return spec_ctrl_flags & SPEC_VERW_EXIT;
    case ALT_DIV_EXIT:
        return spec_ctrl_flags & SPEC_DIV_EXIT;
    case ALT_THUNK_LFENCE:
        return spec_ctrl_thunk == THUNK_LFENCE;
    case ALT_THUNK_JMP:
        return spec_ctrl_thunk == THUNK_JMP;
    case ALT_BRANCH_HARDEN:
        return spec_ctrl_flags & SPEC_BRANCH_HARDEN;
    case ALT_XPTI:
        return xpti_on;
    default:
        panic("No condition %u for alternative code", cond);
    }
}

/* The image is writable still, and no other CPU runs. CPUID: what was fetched before is dropped. */
void __init alternatives_apply(void)
{
    for (const struct alternative *a = __alternatives_start; a < __alternatives_end; a++) {
        BUG_ON(a->len > ALT_MAX_BYTES);
        if (holds(a->cond)) {
            memcpy((void *)((unsigned long)&a->site + (unsigned long)(long)a->site), a->bytes,
                   a->len);
        }
    }
    (void)cpuid(0, 0);
}
