/*
 * Boot: what the loader gave us, the memory map, and the calls of x86/boot/setup.c into the other
 * subjects, in the order in which they are made (see start_kernel there).
 */
#ifndef ARCH_BOOT_H
#define ARCH_BOOT_H

#include <hospes/types.h>

/* A file that the boot loader put into memory. Not in the heap until the lead frees it. */
struct boot_module {
    paddr_t start;
    uint64_t size; /* bytes */
    const char *cmdline;
};

enum {
    E820_RAM = 1,
    E820_RESERVED = 2,
    E820_ACPI = 3,
    E820_NVS = 4,
    E820_UNUSABLE = 5,
};
#define MEMORY_MAP_MAX 256u
struct memory_region {
    uint64_t start, size; /* bytes */
    uint32_t type;        /* E820_* */
};
/* Sorted by start, no overlaps. */
struct memory_map {
    unsigned int nr;
    struct memory_region region[MEMORY_MAP_MAX];
};
/* As the firmware gave it (the hypervisor's own memory is still E820_RAM in here). */
extern struct memory_map memory_map;
extern uint64_t max_ram_page; /* first frame number behind the last RAM */

/*
 * The hypervisor's own top-level table, in the image. start_kernel enters paging_init with: the
 * image at XEN_VIRT_START in 4 KiB pages with final permissions, and the low 4 GiB of physical
 * addresses at DIRECTMAP_START (2 MiB pages, NX) and nothing else in the hypervisor's slots.
 */
extern uint64_t boot_l4[512];

/*
 * Frames before the heap exists, cleared, contiguous; panics when there are none. low: below 4 GiB,
 * so that they are mapped before the direct map is complete. Never given back.
 */
paddr_t boot_alloc_pages(uint64_t nr, bool low);

/* Direct map of all RAM, frame table, M2P (x86/mm). Afterwards mfn_to_page works for all RAM and
 * heap_add_region may be called. */
void paging_init(const struct memory_map *map);

/* Builds and leaves paused Domain 0 (x86/dom0). ramdisk may be NULL. 0 or -errno, message printed.
 */
int construct_dom0(const struct boot_module *kernel, const struct boot_module *ramdisk);

/* Bounds of the image (linker script); physical: __pa_image. */
extern char _start[], _end[], _stext[], _etext[], _srodata[], _erodata[], _sdata[], _edata[];
extern char _sinit[], _einit[], _percpu_start[], _percpu_end[];
#define __pa_image(p) ((uint64_t)(p)-XEN_VIRT_START + XEN_LOAD_PADDR)

#endif
