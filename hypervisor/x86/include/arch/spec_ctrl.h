/* Speculative execution: what entry, exit and context switch do about it. x86/cpu/spec_ctrl.c. */
#ifndef ARCH_SPEC_CTRL_H
#define ARCH_SPEC_CTRL_H

#define SPEC_HAVE_MSR   0x01 /* MSR_SPEC_CTRL exists */
#define SPEC_IBRS_ENTRY 0x02 /* write spec_ctrl_value on entry from a guest */
#define SPEC_IBPB       0x04 /* barrier when switching to another domain */
#define SPEC_VERW_EXIT  0x08 /* VERW before returning to a guest */

#define SPEC_DIV_EXIT \
    0x10 /* a division before returning to a guest: Zen 1's divider keeps the last one's result */
#define SPEC_RSB_ENTRY     0x20 /* fill the return stack on entry from a guest */
#define SPEC_BRANCH_HARDEN 0x40 /* LFENCE behind checks and locks */

/* Done on entry. */
#define SPEC_ENTRY (SPEC_IBRS_ENTRY | SPEC_RSB_ENTRY)

#ifndef __ASSEMBLY__
#include <arch/msr.h>

extern uint8_t spec_ctrl_flags;
extern uint32_t spec_ctrl_value; /* the hypervisor's MSR_SPEC_CTRL */

/* What calls through pointers are (x86/entry/indirect_thunk.S). */
enum thunk { THUNK_DEFAULT, THUNK_RETPOLINE, THUNK_LFENCE, THUNK_JMP };
extern enum thunk spec_ctrl_thunk;

void spec_ctrl_init(void);
void spec_ctrl_init_cpu(void);
/* At a switch between vcpus of different domains. */
static inline void spec_ctrl_domain_switch(void)
{
    if (spec_ctrl_flags & SPEC_IBPB) {
        wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
    }
}
#endif

#endif
