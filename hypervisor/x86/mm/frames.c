/*
 * Frame table, direct map and machine-to-physical table as lookups: arrays at fixed addresses,
 * sparse, backed for RAM only (see paging.c). A frame that is no RAM belongs to DOMID_IO where the
 * array happens to be backed.
 */
#include <hospes/arch.h>
#include <hospes/lib.h>
#include <arch/boot.h>
#include <arch/cpufeature.h>
#include <arch/layout.h>
#include <arch/mm.h>

unsigned long frame_chunk_map[BITS_TO_LONGS(FRAME_CHUNKS)];

void __init frame_chunk_backed(uint64_t first_mfn)
{
    __set_bit((unsigned int)(first_mfn >> FRAME_CHUNK_SHIFT), frame_chunk_map);
}

mfn_t virt_to_mfn(const void *va)
{
    unsigned long a = (unsigned long)va;

    if (a >= XEN_VIRT_START && a < (unsigned long)_end) {
        return mfn(__pa_image(a) >> PAGE_SHIFT);
    }
    ASSERT(a >= DIRECTMAP_START && a < DIRECTMAP_END);
    return mfn((a - DIRECTMAP_START) >> PAGE_SHIFT);
}

void set_gpfn_from_mfn(mfn_t m, uint64_t gpfn)
{
    if (frame_backed(m)) {
        WRITE_ONCE(((uint64_t *)RW_M2P_START)[m.v], gpfn);
    }
}

uint64_t get_gpfn_from_mfn(mfn_t m)
{
    return frame_backed(m) ? READ_ONCE(((const uint64_t *)RW_M2P_START)[m.v]) : INVALID_M2P_ENTRY;
}

unsigned int arch_phys_bits(void)
{
    return boot_cpu.phys_bits;
}

/*
 * Non-temporal stores, eight to a round: a cleared frame is rarely read soon, and an emulator runs
 * these much faster than a string instruction.
 */
void clear_page(void *va)
{
    unsigned long rounds = PAGE_SIZE / 64;

    __asm__ volatile("1: movnti %[zero], (%[p])\n"
                     "movnti %[zero], 8(%[p])\n"
                     "movnti %[zero], 16(%[p])\n"
                     "movnti %[zero], 24(%[p])\n"
                     "movnti %[zero], 32(%[p])\n"
                     "movnti %[zero], 40(%[p])\n"
                     "movnti %[zero], 48(%[p])\n"
                     "movnti %[zero], 56(%[p])\n"
                     "add $64, %[p]\n"
                     "dec %[rounds]\n"
                     "jnz 1b\n"
                     "sfence"
                     : [p] "+r"(va), [rounds] "+r"(rounds)
                     : [zero] "r"(0ul)
                     : "memory", "cc");
}

void copy_page(void *dst, const void *src)
{
    unsigned long rounds = PAGE_SIZE / 32, a, b, c, d;

    __asm__ volatile("1: mov (%[s]), %[a]\n"
                     "mov 8(%[s]), %[b]\n"
                     "mov 16(%[s]), %[c]\n"
                     "mov 24(%[s]), %[d]\n"
                     "movnti %[a], (%[p])\n"
                     "movnti %[b], 8(%[p])\n"
                     "movnti %[c], 16(%[p])\n"
                     "movnti %[d], 24(%[p])\n"
                     "add $32, %[s]\n"
                     "add $32, %[p]\n"
                     "dec %[rounds]\n"
                     "jnz 1b\n"
                     "sfence"
                     : [p] "+r"(dst), [s] "+r"(src), [rounds] "+r"(rounds), [a] "=&r"(a),
                       [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d)
                     :
                     : "memory", "cc");
}

uint64_t arch_max_ram_page(void)
{
    return max_mfn;
}

void arch_cache_flush(const void *va, size_t bytes)
{
    const unsigned int line =
        64; /* of every processor with long mode; a smaller step does no harm */
    unsigned long p = (unsigned long)va & ~(unsigned long)(line - 1);

    for (; p < (unsigned long)va + bytes; p += line) {
        __asm__ volatile("clflush (%0)" ::"r"(p) : "memory");
    }
    __asm__ volatile("mfence" ::: "memory");
}

uint64_t arch_ram_pages(void)
{
    uint64_t pages = 0;

    for (unsigned int i = 0; i < memory_map.nr; i++) {
        if (memory_map.region[i].type == E820_RAM) {
            pages += memory_map.region[i].size >> PAGE_SHIFT;
        }
    }
    return pages;
}
