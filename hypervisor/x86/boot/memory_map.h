/* The memory map while it is built, and the frames given out before there is a heap. */
#ifndef BOOT_MEMORY_MAP_H
#define BOOT_MEMORY_MAP_H

#include <arch/boot.h>

/* Adds a firmware entry (any order, overlaps allowed); memory_map_sanitise makes the map from all.
 */
void memory_map_add(uint64_t start, uint64_t size, uint32_t type);
void memory_map_sanitise(void);
void memory_map_print(void);

/* Takes [start, end) out of what boot_alloc_pages and the heap may use. */
void boot_reserve(uint64_t start, uint64_t end);
/* Everything not reserved and not given out goes to the heap; afterwards boot_alloc_pages is over.
 */
void boot_memory_to_heap(void);
/* A free frame below 640 KiB for the CPUs' first instructions; reserved. */
uint64_t boot_alloc_trampoline(void);

#endif
