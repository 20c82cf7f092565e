/*
 * What core/ and hypercall/ ask of an architecture: x86/ implements it on the machine, fake/ in a
 * process. Each function's contract is here, at its one declaration. Small inline pieces are in
 * <arch/...>: arch/cpu.h     cpu_relax, local_irq_{disable,enable,save,restore},
 * local_irq_is_enabled, memory barriers arch/percpu.h  PERCPU_SECTION, this_cpu, per_cpu,
 * smp_processor_id arch/current.h current (the running struct vcpu *), guest_cpu_user_regs()
 *   arch/domain.h  struct arch_domain, struct arch_vcpu
 */
#ifndef HOSPES_ARCH_H
#define HOSPES_ARCH_H

#include <hospes/page.h>
#include <hospes/domain.h>
#include <arch/current.h>

/* ---- domains and vcpus ---- */
/* Everything of d->arch; on error nothing is left. config is already checked by
 * arch_check_domain_config. */
int arch_sanitise_domain_config(struct xen_domctl_createdomain *config) __must_check;
int arch_domain_create(struct domain *d, const struct xen_domctl_createdomain *config) __must_check;
void arch_domain_destroy(struct domain *d); /* the rest, when no reference is left */
/* Gives back all memory and mappings: -ERESTART when preempted. Stages are the architecture's own.
 */
int arch_domain_relinquish(struct domain *d) __must_check;
int arch_vcpu_create(struct vcpu *v) __must_check; /* also for idle vcpus */
void arch_vcpu_destroy(struct vcpu *v);
int arch_vcpu_reset(struct vcpu *v) __must_check;
/* VCPUOP_initialise and domctl setvcpucontext: -EFAULT, -EINVAL, -ERESTART. */
int arch_initialise_vcpu(struct vcpu *v, XEN_GUEST_HANDLE(void) ctxt) __must_check;
/* The other way, for domctl getvcpucontext: v is paused and its state in memory; *out is cleared.
 */
void arch_get_info_guest(const struct vcpu *v, struct vcpu_guest_context *out);
void arch_vcpu_dump(const struct vcpu *v); /* registers and stack of a paused or the current vcpu */

/* ---- running ---- */
/* Saves prev, loads next, and continues next: does not return to the caller. IRQs off. */
void arch_context_switch(struct vcpu *prev, struct vcpu *next) __noreturn;
/* The same vcpu goes on. */
void arch_continue_running(struct vcpu *same) __noreturn;
/* Waits for an interrupt unless a softirq is pending; the idle loop's body. */
void arch_idle(void);
/* v's state is in memory when this returns (it may lie lazily on a CPU). v does not run. */
void arch_sync_vcpu_state(struct vcpu *v);
/* The vcpu running now must pass through its exit path: a reason has just appeared. */
void arch_vcpu_kick_running(struct vcpu *v);
/* Fills vcpu_time_info of v (its pvclock); v is current or paused. */
void arch_update_vcpu_time(struct vcpu *v);
/* vcpu_info->evtchn_upcall_mask and its HVM counterpart. */
bool arch_events_enabled(const struct vcpu *v);
void arch_set_events_enabled(struct vcpu *v, bool on);

/* ---- other CPUs ---- */
void arch_send_softirq(cpumask_t cpus);
/* fn(data) on each CPU of the mask (this one included), with interrupts off; waits for all when
 * `wait`. */
void on_cpus(cpumask_t cpus, void (*fn)(void *), void *data, bool wait);

/* ---- memory ---- */
/* The translation of the flush clock: frames freed at `stamp` are clean on the CPUs flushed since.
 */
uint32_t tlb_clock_now(void);
/* Flushes, on the CPUs of `mask` that have not flushed since `stamp`, all guest translations. */
void tlb_flush_since(cpumask_t mask, uint32_t stamp);
void tlb_flush_mask(cpumask_t mask);
/* Before a frame whose type or owner changes may be reused. */
void arch_flush_before_reuse(struct page_info *pg);
/* Checks (or undoes the checking of) a table; entries from pg->nr_validated on. See page_type.c. */
int arch_validate_page(struct page_info *pg, uint64_t type, bool preemptible) __must_check;
int arch_devalidate_page(struct page_info *pg, uint64_t type, bool preemptible) __must_check;
/* Machine-to-physical: the guest frame of m; INVALID_M2P_ENTRY when none. */
#define INVALID_M2P_ENTRY (~0ul)
void set_gpfn_from_mfn(mfn_t m, uint64_t gpfn);
uint64_t get_gpfn_from_mfn(mfn_t m);
/* Writes the range back to memory and drops it from this CPU's caches. */
void arch_cache_flush(const void *va, size_t bytes);
void clear_page(void *va);
void copy_page(void *dst, const void *src);
/* A guest frame as a hypercall names it: reference taken on *pg. -EINVAL; writable: it must be so.
 */
int get_guest_frame(struct domain *d, gfn_t g, bool writable, struct page_info **pg,
                    mfn_t *out) __must_check;
/* First frame number behind all RAM. */
uint64_t arch_max_ram_page(void);
/* The machine's RAM in frames, whoever uses it: what the firmware calls usable. */
uint64_t arch_ram_pages(void);
/* XENMEM_maximum_gpfn: a domain's highest guest frame number, as it says itself or as its physmap
 * tells. */
long arch_max_gpfn(const struct domain *d);
/* Physmap of translated guests; -EOPNOTSUPP where there is none (PV). */
int arch_physmap_add(struct domain *d, gfn_t g, mfn_t m, unsigned int order) __must_check;
int arch_physmap_remove(struct domain *d, gfn_t g, mfn_t m, unsigned int order) __must_check;

/* ---- grants ---- */
/* Puts frame m into the current domain at addr (GNTMAP_* flags): GNTST_okay or a GNTST_ error. */
int arch_grant_map(uint64_t addr, mfn_t m, unsigned int flags, unsigned int cache_flags);
/* Takes it out of addr, where (new_addr != 0) the PTE is replaced by that of new_addr. */
int arch_grant_unmap(uint64_t addr, mfn_t m, uint64_t new_addr, unsigned int flags);
/* The translations that arch_grant_unmap removed from d are in no TLB any more when this returns.
 */
void arch_grant_flush(struct domain *d);

/* ---- the machine ---- */
/* What of sysctl physinfo core does not know: threads, cores, clock rate, hw_cap, more
 * capabilities. */
struct xen_sysctl_physinfo;
void arch_physinfo(struct xen_sysctl_physinfo *info);
/* Core and socket number of an online CPU. */
void arch_cpu_topology(unsigned int cpu, uint32_t *core, uint32_t *socket);
void machine_restart(unsigned int delay_ms) __noreturn;
void machine_halt(void) __noreturn;
/* By ACPI; halts where that does not work. */
void machine_power_off(void) __noreturn;
void arch_dump_execution_state(void); /* registers and trace of the caller */
/* "symbol+0x12/0x80" of a text address into buf. */
void arch_symbol_name(char *buf, size_t size, unsigned long addr);
/* The build's identity, a few bytes that the linker made; their number, 0: there is none. */
unsigned int arch_build_id(const uint8_t **id);
void arch_get_xen_caps(char *buf, size_t size); /* "xen-3.0-x86_64 ..." */
unsigned int arch_phys_bits(void);
/* physical IRQ ends of event channels (x86/irq/pirq.c) */
int arch_pirq_bind(struct vcpu *v, unsigned int pirq, bool will_share) __must_check;
void arch_pirq_unbind(struct domain *d, unsigned int pirq);
void arch_pirq_set_affinity(struct domain *d, unsigned int pirq, const struct vcpu *v);
void arch_pirq_unmasked(struct domain *d, unsigned int pirq); /* the guest is ready for the next */

#endif
