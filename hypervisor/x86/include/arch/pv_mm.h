/*
 * Memory management of the PV machine: what entry, context switch, domain life cycle and the
 * Domain 0 builder need of x86/pv/mm*.c. Page types: <hospes/page.h>, core/page_type.c.
 *
 * A vcpu has one or two top-level tables, both typed PGT_L4 and referenced: arch.guest_table (guest
 * kernel) and arch.guest_table_user (guest user; MFN_NONE when there is none). arch.cr3 is what CR3
 * holds while it runs. The hypervisor's 16 slots are in every validated L4.
 */
#ifndef ARCH_PV_MM_H
#define ARCH_PV_MM_H

#include <hospes/domain.h>
#include <arch/layout.h>
#include <arch/mm.h>

/* ---- faults ---- */
/*
 * A page fault at cr2 (from guest or hypervisor mode; regs->error_code is the CPU's). True: dealt
 * with, return to where it came from. False: the guest's to handle (guest mode), or look for a
 * fixup and else die (hypervisor mode). Interrupts are as they were at the fault (on). Handles:
 * descriptor-table pages on demand, emulated writes to page tables and to read-only MMIO, spurious
 * faults.
 */
bool pv_handle_page_fault(unsigned long cr2, struct cpu_user_regs *regs);
/* A fault of a PV guest that is plainly its own. What is not there is in no TLB either: only the
 * guest itself can have mended it by now. */
static __always_inline bool pv_fault_is_guests(uint32_t error_code, unsigned long cr2)
{
    return !(error_code & 9u /* present, reserved bits */) &&
           (cr2 < 0x800000000000ul || cr2 >= HYP_VIRT_END);
}

/* ---- address spaces ---- */
/* Sets v->arch.cr3 from the tables and v->arch.kernel_mode (user table where there is one). */
void update_cr3(struct vcpu *v);
/* Loads v->arch.cr3 (idle vcpus: boot_l4) into this CPU; flushes, keeps dirty_cpus. */
void write_ptbase(struct vcpu *v);
/* The CPUs whose TLBs may hold translations of d. */
cpumask_t domain_dirty_cpus(const struct domain *d);

/* Fills the hypervisor's slots (and d's per-domain slot) of a top-level table that is about to be
 * used; l4 is mapped. d may be NULL (idle). Validation does it by itself. */
void init_guest_l4(pte_t *l4, const struct domain *d);

/* The per-domain slot: arch_domain_create/_destroy. 0 or -ENOMEM. */
int pv_perdomain_create(struct domain *d) __must_check;
void pv_perdomain_destroy(struct domain *d);
/* The GDT/LDT window of one vcpu: arch_vcpu_create/_destroy. */
int pv_create_gdt_ldt_l1tab(struct vcpu *v) __must_check;
void pv_destroy_gdt_ldt_l1tab(struct vcpu *v);
/* The 32 entries (GDT pages 0..15, LDT pages 16..31) behind GDT_VIRT(v), through the direct map. */
pte_t *pv_gdt_ldt_ptes(const struct vcpu *v);
/* Context switch to v: puts this CPU's own descriptor page (reserved GDT page 14) into v's GDT
 * window. The TLB is clean of the old one because CR3 is loaded afterwards. */
void pv_map_reserved_gdt(struct vcpu *v, mfn_t percpu_gdt_page);

/* ---- descriptor tables ---- */
/* Replaces v's GDT: frames (guest's, DIV_ROUND_UP(entries, 512) of them). -EINVAL. v is current or
 * paused. */
int pv_set_gdt(struct vcpu *v, const unsigned long *frames, unsigned int entries) __must_check;
void pv_destroy_gdt(struct vcpu *v);
/* Drops the LDT pages that were mapped on demand; true when there was one. v is current or not
 * running. */
bool pv_destroy_ldt(struct vcpu *v);
/* Points this CPU's LDT register to v's LDT window; v is current. */
void pv_load_ldt(struct vcpu *v);
/* Checks a guest's descriptor in place (forces what may be forced: DPL): false when it is not
 * acceptable. */
bool pv_check_descriptor(uint64_t *desc);

/* ---- life cycle ---- */
/* Makes m (current domain's, any state) the current vcpu's kernel table, as MMUEXT_NEW_BASEPTR:
 * 0, -EINVAL, -ERESTART. Toggled mode: kernel. */
int pv_new_guest_cr3(mfn_t m) __must_check;
/* For arch_set_info_guest: references and types the tables of a vcpu that is not running.
 * Preempted: -ERESTART; call again with the same arguments. user may be MFN_NONE. */
int pv_set_guest_tables(struct vcpu *v, mfn_t kernel, mfn_t user) __must_check;
/* Finishes the preempted putting of v->arch.old_guest_table: 0 or -ERESTART. */
int pv_put_old_guest_table(struct vcpu *v) __must_check;
/* Drops a vcpu's top-level tables (destroy, reset): 0 or -ERESTART. v is current or not running. */
int pv_drop_guest_tables(struct vcpu *v) __must_check;
/* All memory of a dying domain: pins, tables, allocated pages. 0 or -ERESTART; call until 0. */
int pv_relinquish_memory(struct domain *d) __must_check;

/* The memory map that the guest will read: takes over e820 (xzalloc'ed), freeing the old one. NULL,
 * 0 frees (arch_domain_destroy). */
struct e820_entry {
    uint64_t addr, size;
    uint32_t type;
} __packed;
void domain_set_e820(struct domain *d, struct e820_entry *e820, unsigned int nr);

/* ---- frames that are not RAM, and frames of the hypervisor ---- */
/* Device frames [s, e] become read-only for guests, whatever their entries ask; writes of Domain 0
 * to them are ignored. Entries that are there already stay. -EINVAL, -ENOSPC. */
int mmio_ro_add(mfn_t s, mfn_t e) __must_check;
void mmio_ro_remove(mfn_t s, mfn_t e);

#endif
