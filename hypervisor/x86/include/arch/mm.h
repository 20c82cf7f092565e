/*
 * The hypervisor's own paging: boot-time set-up, lookups in its tables, temporary and device
 * mappings, the TLB clock. The layout is <arch/layout.h>; what PV guests' tables need is
 * <arch/pv_mm.h>; the frame table's interface is <hospes/page.h>.
 */
#ifndef ARCH_MM_H
#define ARCH_MM_H

#include <hospes/memory.h>
#include <hospes/cpumask.h>
#include <hospes/percpu.h>
#include <arch/extable.h>
#include <arch/msr.h>
#include <arch/pte.h>

/* ---- boot: paging_init is declared in <arch/boot.h> ---- */
/* The hypervisor's own tables (boot_l4), for idle vcpus and another CPU's start. */
paddr_t idle_cr3(void);
/* Installs a 4 KiB mapping in the hypervisor's part of boot_l4 (shared by all address
 * spaces); 0 or -ENOMEM. The caller flushes when it replaces one (hyp_tlb_flush_all). */
int map_hyp_page(unsigned long va, mfn_t m, pte_t flags) __must_check;
int map_hyp_pages(unsigned long va, mfn_t m, size_t n, pte_t flags) __must_check;
void unmap_hyp_pages(unsigned long va, size_t n); /* and flushes all CPUs */
/* The machine address behind a hypervisor address (any part); ~0 when not mapped. */
paddr_t hyp_va_to_pa(const void *va);
/* n address-space pages of the vmap area, a guard page behind them; NULL: no space. */
void *vmap_reserve(size_t pages) __must_check;
void vmap_release(void *va, size_t pages);
/* ioremap with the cache attributes given (PTE_HYP_RW: write-back). */
void *ioremap_flags(paddr_t pa, size_t bytes, pte_t flags) __must_check;

/* ---- TLB ---- */
/* This CPU: all non-global translations (a guest's) by reloading CR3; counts on the clock. */
void tlb_flush_local(void);
/* This CPU: global ones too. */
void tlb_flush_local_all(void);
/* This CPU, one page of the current address space. */
static inline void invlpg(unsigned long va)
{
    __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}
extern uint64_t tlb_clock;
DECLARE_PER_CPU(uint64_t, tlb_flush_time);
/*
 * Loads CR3 (a full guest flush, as bit 63 is never set) and counts on the clock; interrupts are
 * off. The number is taken before the flush: a stamp made in between is as late as it and asks for
 * another flush.
 */
static __always_inline void load_cr3_irqs_off(paddr_t cr3)
{
    this_cpu(tlb_flush_time) = __atomic_add_fetch(&tlb_clock, 1, __ATOMIC_SEQ_CST);
    write_cr3(cr3.v);
}
/* The same whatever the interrupts. */
void load_cr3(paddr_t cr3);
/* One page on the CPUs of mask. */
void tlb_flush_page_mask(cpumask_t mask, unsigned long va);
/* All CPUs, with the hypervisor's own global translations. */
void hyp_tlb_flush_all(void);
/* Writes back and invalidates the caches of the CPUs. */
void cache_flush_mask(cpumask_t mask);

/* Boot: the page_info of the 65536 frames around this one exist from now on. */
void frame_chunk_backed(uint64_t mfn);

#endif
