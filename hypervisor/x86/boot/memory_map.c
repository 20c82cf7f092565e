/*
 * The machine's memory map, and boot_alloc_pages: frames before the heap exists.
 *
 * The firmware's entries may overlap and come in any order; where they overlap the higher type
 * (less usable) wins. Free memory is a list of ranges from which reservations are cut; what is left
 * goes to the heap.
 */
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <arch/layout.h>
#include <arch/mm.h>
#include "memory_map.h"

#define FREE_MAX 512u

struct memory_map memory_map;
uint64_t max_ram_page;
static struct memory_map raw __initdata;
static struct {
    uint64_t start, end;
} free_range[FREE_MAX] __initdata;
static unsigned int nr_free __initdata;

void __init memory_map_add(uint64_t start, uint64_t size, uint32_t type)
{
    if (size == 0 || start + size < start || raw.nr == MEMORY_MAP_MAX / 2) {
        return;
    }
    raw.region[raw.nr++] = (struct memory_region){.start = start, .size = size, .type = type};
}

static int __init cmp_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* The least usable type of [start, end), which no entry's border divides; 0: in no entry. */
static uint32_t __init type_of(uint64_t start, uint64_t end)
{
    uint32_t type = 0;

    for (unsigned int i = 0; i < raw.nr; i++) {
        const struct memory_region *r = &raw.region[i];

        if (r->start <= start && end <= r->start + r->size && r->type > type) {
            type = r->type;
        }
    }
    return type;
}

static void __init append(uint64_t start, uint64_t end, uint32_t type)
{
    struct memory_region *last = memory_map.nr ? &memory_map.region[memory_map.nr - 1] : NULL;

    if (last && last->type == type && last->start + last->size == start) {
        last->size += end - start;
    } else if (memory_map.nr < MEMORY_MAP_MAX) {
        memory_map.region[memory_map.nr++] =
            (struct memory_region){.start = start, .size = end - start, .type = type};
    }
}

/* RAM in whole frames, below what the direct map holds. */
static void __init free_ram(void)
{
    for (unsigned int i = 0; i < memory_map.nr; i++) {
        uint64_t start = ROUNDUP(memory_map.region[i].start, PAGE_SIZE);
        uint64_t end = ROUNDDOWN(memory_map.region[i].start + memory_map.region[i].size, PAGE_SIZE);

        end = min(end, DIRECTMAP_END - DIRECTMAP_START);
        if (memory_map.region[i].type != E820_RAM || start >= end) {
            continue;
        }
        max_ram_page = end >> PAGE_SHIFT;
        free_range[nr_free].start = start;
        free_range[nr_free++].end = end;
    }
}

void __init memory_map_sanitise(void)
{
    static uint64_t border[MEMORY_MAP_MAX] __initdata;
    unsigned int n = 0;

    for (unsigned int i = 0; i < raw.nr; i++) {
        border[n++] = raw.region[i].start;
        border[n++] = raw.region[i].start + raw.region[i].size;
    }
    sort(border, n, sizeof(border[0]), cmp_u64);
    for (unsigned int i = 0; i + 1 < n; i++) {
        uint32_t type = border[i] < border[i + 1] ? type_of(border[i], border[i + 1]) : 0;

        if (type != 0) {
            append(border[i], border[i + 1], type);
        }
    }
    free_ram();
}

void __init memory_map_print(void)
{
    static const char *const names[] = {"?",         "usable",   "reserved",
                                        "ACPI data", "ACPI NVS", "unusable"};

    printk("Memory map of the firmware:\n");
    for (unsigned int i = 0; i < memory_map.nr; i++) {
        const struct memory_region *r = &memory_map.region[i];

        printk(" %016lx - %016lx (%s)\n", (unsigned long)r->start,
               (unsigned long)(r->start + r->size),
               r->type < ARRAY_SIZE(names) ? names[r->type] : "reserved");
    }
}

void __init boot_reserve(uint64_t start, uint64_t end)
{
    start = ROUNDDOWN(start, PAGE_SIZE);
    end = ROUNDUP(end, PAGE_SIZE);
    for (unsigned int i = 0; i < nr_free; i++) {
        uint64_t s = free_range[i].start, e = free_range[i].end;

        if (end <= s || e <= start) {
            continue;
        }
        free_range[i].end = start > s ? start : s;
        if (end < e) {
            if (free_range[i].end == s) {
                free_range[i].start = end;
                free_range[i].end = e;
            } else if (nr_free < FREE_MAX) {
                free_range[nr_free].start = end;
                free_range[nr_free++].end = e;
            }
        }
    }
}

/* From the end of the highest range that will do, so that low memory lasts. */
paddr_t __init boot_alloc_pages(uint64_t nr, bool low)
{
    uint64_t bytes = nr << PAGE_SHIFT, align, best = 0;

    for (align = PAGE_SIZE; align < bytes; align <<= 1) {
    }
    for (unsigned int i = 0; i < nr_free; i++) {
        uint64_t end = low ? min(free_range[i].end, 1ul << 32) : free_range[i].end, at;

        /* Keep away from the first MiB: trampolines and DMA of old devices want it. */
        if (free_range[i].start < 0x100000 || end < bytes) {
            continue;
        }
        at = ROUNDDOWN(end - bytes, align);
        if (at >= free_range[i].start && at > best) {
            best = at;
        }
    }
    if (best == 0) {
        panic("No %lu KiB of memory for the hypervisor's tables: add memory",
              (unsigned long)(bytes >> 10));
    }
    boot_reserve(best, best + bytes);
    if (low) { /* what the early tables map */
        memset((void *)(DIRECTMAP_START + best), 0, bytes);
    }
    return paddr(best);
}

uint64_t __init boot_alloc_trampoline(void)
{
    uint64_t best = 0;

    for (unsigned int i = 0; i < nr_free; i++) {
        uint64_t end = min(free_range[i].end, 0xa0000ul);

        if (free_range[i].start < end && end - PAGE_SIZE > best) {
            best = end - PAGE_SIZE;
        }
    }
    if (best != 0) {
        boot_reserve(best, best + PAGE_SIZE);
    }
    return best;
}

void __init boot_memory_to_heap(void)
{
    for (unsigned int i = 0; i < nr_free; i++) {
        /* The first MiB counts as device memory, RAM or not: Domain 0 looks there for what the
         * firmware left. */
        uint64_t start = max(free_range[i].start, 0x100000ul);

        if (start < free_range[i].end) {
            heap_add_region(paddr(start), paddr(free_range[i].end));
        }
    }
    nr_free = 0;
}
