/* x86: the architecture's part of struct domain and struct vcpu. */
#ifndef ARCH_DOMAIN_H
#define ARCH_DOMAIN_H

#include <hospes/lock.h>
#include <hospes/page.h>
#include <arch/pte.h>
#include <xen/vcpu.h>

#define MAX_PIRQS 1024u

/* Where a guest entry point is: set_callbacks, callback_op, set_trap_table. */
struct pv_domain {
    struct page_info *perdomain_l3; /* slot PERDOMAIN_SLOT of all its L4 tables */
    spinlock_t pt_lock;             /* RANK_PV_PAGETABLE */
    pte_t *perdomain_l2;            /* the first L2 below it: 8192 vcpus' windows */
    pte_t **gdt_ldt_l1;             /* its L1 tables, one for 16 vcpus; allocated on demand */
    cpumask_t dirty_cpus;           /* whose TLBs may hold translations of this domain; atomic */
    bool isolated;                  /* its vcpus run without the hypervisor in their tables */
    uint64_t l4_generation;         /* isolated: new with each change of an L4; atomic */
    unsigned long linear_slots[8];  /* slots of its L4 tables that ever were linear; atomic */
};

struct pv_vcpu {
    struct trap_info *trap_ctxt; /* 256 entries */
    /* Frames behind the GDT's pages 0..13, referenced and typed PGT_SEGDESC. */
    mfn_t gdt_frames[FIRST_RESERVED_GDT_PAGE];
    unsigned int gdt_ents;
    unsigned long ldt_base; /* guest virtual; pages are mapped on demand at LDT_VIRT */
    unsigned int ldt_ents;
    unsigned int shadow_ldt_mapcnt;

    /* As the guest believes them. */
    unsigned long kernel_ss, kernel_sp;
    unsigned long ctrlreg[8];
    unsigned long event_callback_eip, failsafe_callback_eip, syscall_callback_eip;
    unsigned long syscall32_callback_eip, sysenter_callback_eip;
    uint16_t syscall32_callback_cs, sysenter_callback_cs;
    uint8_t syscall32_disables_events, sysenter_disables_events;
    unsigned long vgc_flags;                             /* VGCF_* */
    unsigned long fs_base, gs_base_kernel, gs_base_user; /* saved when not running */
    unsigned int iopl;    /* as set by PHYSDEVOP_set_iopl: 0..3, in EFLAGS position */
    const uint8_t *iobmp; /* PHYSDEVOP_set_iobitmap: guest address, iobmp_limit ports */
    unsigned int iobmp_limit;
    unsigned long debugreg[8];
    unsigned long dr7_emul;
    bool need_update_runstate;
    unsigned long nmi_callback;
    XEN_GUEST_HANDLE(vcpu_time_info_t) time_area; /* VCPUOP_register_vcpu_time_memory_area */
    bool time_area_stale; /* could not be written (its vcpu was in user mode): try again */

    /* An exception that is delivered to the guest on the way out (x86/pv/bounce.c). */
    struct pv_bounce {
        unsigned long eip;
        uint32_t error_code;
        uint8_t flags;           /* BOUNCE_*; 0: nothing is to be delivered */
        uint16_t ds, es, fs, gs; /* BOUNCE_FAILSAFE: as the guest had them */
    } bounce;
    uint32_t tsc_aux;
};

struct e820_entry;

struct arch_domain {
    struct pv_domain pv;
    uint32_t emulation_flags;      /* XEN_X86_EMU_* */
    struct cpu_policy *cpu_policy; /* x86/cpu/policy.c: CPUID and MSRs that it sees */
    struct e820_entry *e820;       /* XENMEM_set_memory_map: its memory map; under page_lock */
    unsigned int nr_e820;
    struct pirq_table *pirqs; /* x86/irq/pirq.c */
    bool msr_relaxed;         /* XEN_X86_MSR_RELAXED */
    uint32_t pci_cf8;         /* what it wrote to port 0xcf8 */
    uint8_t cmos_index;       /* what it wrote to port 0x70 */
};

struct arch_vcpu {
    /* Registers while not running; while running they are in cpu_info. */
    struct cpu_user_regs user_regs;
    /* Page tables: kernel, user (NONE when it has none), and what CR3 holds. Referenced, typed
     * PGT_L4. */
    mfn_t guest_table, guest_table_user;
    paddr_t cr3;
    struct page_info *old_guest_table; /* whose type reference was preempted while being put */
    bool old_guest_table_partial;      /* ... or has become PGT_PARTIAL */
    unsigned int dirty_cpu1;           /* CPU whose TLB may hold its translations, + 1; 0: none */
    bool kernel_mode;                  /* guest kernel (its ring 0, our ring 3) */
    struct pv_vcpu pv;
    void *xsave_area;
    uint64_t xcr0;
    unsigned int async_exception_mask;
    uint8_t nmi_masked;
};

#endif
