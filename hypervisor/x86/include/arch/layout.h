/*
 * The virtual address space. The ABI leaves 0xffff800000000000..0xffff87ffffffffff (L4 slots
 * 256..271) of a 64-bit PV guest to the hypervisor; everything is in there and mapped in every
 * address space.
 *
 *   slot  start               what
 *   256   0xffff800000000000  machine-to-physical table, read-only and user-readable (ABI), 256 GiB
 *   257   0xffff808000000000  machine-to-physical table, writable
 *   258   0xffff810000000000  per-domain: GDT and LDT of its vcpus (slot differs per domain)
 *   259   0xffff818000000000  vmap: ioremap, vzalloc, guarded per-CPU stacks
 *   260   0xffff820000000000  frame table
 *   261   0xffff828000000000  the hypervisor's image, at XEN_VIRT_START; the CPUs' XPTI areas
 *   262.. 0xffff830000000000  direct map of all RAM, 5 TiB
 */
#ifndef ARCH_LAYOUT_H
#define ARCH_LAYOUT_H

#ifdef __ASSEMBLY__
#define UL_(x) x
#else
#define UL_(x) x##ul
#endif

#define HYPERVISOR_FIRST_SLOT 256
#define HYPERVISOR_LAST_SLOT  271
#define HYP_VIRT_START        UL_(0xffff800000000000)
#define HYP_VIRT_END          UL_(0xffff880000000000)
#define RO_M2P_START          UL_(0xffff800000000000)
#define RW_M2P_START          UL_(0xffff808000000000)
#define PERDOMAIN_START       UL_(0xffff810000000000)
#define PERDOMAIN_SLOT        258
#define VMAP_START            UL_(0xffff818000000000)
#define VMAP_END              UL_(0xffff820000000000)
#define FRAMETABLE_START      UL_(0xffff820000000000)
#define XEN_VIRT_START        UL_(0xffff82d040000000)
#define XPTI_AREAS            UL_(0xffff82d060000000) /* a page a CPU: arch/xpti.h */
#define DIRECTMAP_START       UL_(0xffff830000000000)
#define DIRECTMAP_END         UL_(0xffff880000000000)

/* Each vcpu has 32 pages of its domain's slot: 16 for the GDT (the last two are ours), 16 for the
 * LDT. */
#define GDT_LDT_VCPU_SHIFT (12 + 5)
#define GDT_VIRT(v)        (PERDOMAIN_START + ((unsigned long)(v)->vcpu_id << GDT_LDT_VCPU_SHIFT))
#define LDT_VIRT(v)        (GDT_VIRT(v) + (16ul << 12))

/* Physical address at which the boot loader puts the image; .text's LMA. */
#define XEN_LOAD_PADDR UL_(0x200000)

/* Selectors. The guest's flat ones are ABI (FLAT_RING3_*); ours lie behind them. */
#define SEL_HYPERVISOR_CS   0xe008 /* ring 0, 64 bit */
#define SEL_HYPERVISOR_DS32 0xe010
#define SEL_RING3_CS32      0xe023
#define SEL_RING3_SS        0xe02b
#define SEL_RING3_CS64      0xe033
#define SEL_TSS             0xe040 /* two entries */
#define SEL_LDT             0xe050 /* two entries */
#define SEL_PER_CPU         0xe060 /* limit = CPU number */

#endif
