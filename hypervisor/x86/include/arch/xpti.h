/*
 * Page tables without the hypervisor for guests' mode (XPTI, against Meltdown): where a processor
 * reads supervisor pages speculatively in user mode, these must not be mapped there.
 *
 * Each CPU has two top-level tables (roots) of its own, for a guest's kernel and for its processes:
 * copies of the guest's table whose hypervisor slots hold only what the processor needs to get in
 * and out: the machine-to-physical table (which guests may read), the windows to the domain's
 * descriptor tables, the code of x86/entry/xpti.S, the IDT, and this CPU's area. On entry the table
 * with everything is loaded again.
 *
 * Options, set-up: x86/cpu/xpti.c. The roots: x86/pv/xpti_root.c. Where no domain is isolated, none
 * of this exists and the entry points are those of entry.S.
 */
#ifndef ARCH_XPTI_H
#define ARCH_XPTI_H

#include <arch/desc.h>
#include <arch/layout.h>
#include <arch/pte.h>
#include <hospes/percpu.h>

/* A small stack for an exception that comes on whichever stack and page tables. */
struct xpti_ist {
    uint64_t stack; /* where the real one ends (exclusive upper bound) */
    uint64_t cr3;   /* as the last one found it */
    uint64_t words[30];
};

/*
 * One page a CPU, at XPTI_AREAS, which is mapped in the guest's mode. Nothing in it may be a secret
 * from the guest that runs: the frame that it is entered with, and addresses.
 */
struct xpti_area {
    struct tss tss;
    uint64_t full_cr3; /* the guest's table with the hypervisor in it: what entry loads */
    uint64_t stack;    /* where an entry from a guest pushes in the end (desc.c, rsp0) */
    uint64_t user_rsp; /* while SYSCALL has no stack */
    uint64_t roots;    /* physical address of the two roots, side by side, aligned */
    uint8_t isolated;  /* the running guest's domain is */
    uint8_t unused[1024 - 137];
    struct xpti_ist ist[IST_STACKS];
    uint64_t entry_stack[250];
    /* The end of the stack: what the guest is entered with, later what the CPU pushes. */
    uint64_t rax, rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct xpti_area) == PAGE_SIZE, "one page, with the stack at its end");
_Static_assert(offsetof(struct xpti_area, ist) % sizeof(struct xpti_ist) == 0, "found by rounding");

static inline struct xpti_area *xpti_area(unsigned int cpu)
{
    return (struct xpti_area *)(XPTI_AREAS + (unsigned long)cpu * PAGE_SIZE);
}

/* What a CPU's root was copied from. */
struct xpti_copy {
    pte_t *root;
    paddr_t from;        /* the guest's table */
    uint64_t generation; /* and its domain's l4_generation then */
};
struct xpti_cpu {
    struct xpti_copy copy[2]; /* a guest's kernel, its processes */
    pte_t minimal;            /* the entry of the image's slot */
};
DECLARE_PER_CPU(struct xpti_cpu, xpti_cpu);

/* ---- x86/cpu/xpti.c ---- */
/* Some domain is isolated: the entry points are xpti.S's. */
extern bool xpti_on;
/* Boot: decides, prints. vulnerable: the processor has the flaw. */
void xpti_init(bool vulnerable);
/* Is a new domain isolated? */
bool xpti_wanted(bool is_hardware);
/* The CPU's area and tables, before its descriptor tables; 0 or -ENOMEM. Nothing where XPTI is off.
 */
int xpti_init_cpu(unsigned int cpu) __must_check;
/*
 * Looks through the hypervisor's slots of a root of `cpu` and returns how many entries there are
 * that should not be, printing each.
 */
unsigned int xpti_check_root(unsigned int cpu, const pte_t *root);
/* On an exception with a stack of its own (vector) that came from v: did v run on a table without
 * the hypervisor? */
void xpti_check_guest_cr3(const struct vcpu *v, unsigned int vector);

/* ---- x86/pv/xpti_root.c ---- */
/* An entry of a top-level table of d has changed, or it has become one. Running vcpus that use it
 * see it when this returns. */
void xpti_l4_changed(struct domain *d, mfn_t table);
/* The same for a table that no vcpu uses yet. */
void xpti_l4_validated(struct domain *d);

/* ---- x86/entry/xpti.S ---- */
#define XPTI_SYSCALL_STUB_SIZE 64
extern void (*const xpti_exception_entry[32])(void);
extern const char xpti_irq_stubs[];
extern char xpti_syscall_stubs[], xpti_syscall32_stubs[], xpti_sysenter_entry[];
extern void xpti_entry_int80(void);
extern char _xpti_text_start[], _xpti_text_end[]; /* linker script */

#endif
