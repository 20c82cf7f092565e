/*
 * Names of code addresses. The table is made from the first link of the image
 * (x86/boot/symbols.awk): offsets in ascending order, from the low half of XEN_VIRT_START.
 */
#include <hospes/arch.h>
#include <hospes/lib.h>
#include <arch/boot.h>
#include <arch/layout.h>
#include <arch/symbols.h>

extern const uint32_t symbol_count, symbol_offsets[], symbol_names[];
extern const char symbol_text[];
extern char _einittext[];

static uint64_t symbol_address(uint32_t i)
{
    return (XEN_VIRT_START & ~0xfffffffful) | symbol_offsets[i];
}

bool symbol_lookup(unsigned long addr, struct symbol *out)
{
    uint32_t lo = 0, hi = symbol_count;

    if (addr < (unsigned long)_stext || addr >= (unsigned long)_einittext || hi == 0 ||
        addr < symbol_address(0)) {
        return false;
    }
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (symbol_address(mid) <= addr) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    out->name = symbol_text + symbol_names[lo];
    out->start = symbol_address(lo);
    out->size =
        (lo + 1 < symbol_count ? symbol_address(lo + 1) : (uint64_t)_einittext) - out->start;
    return true;
}

bool symbol_by_index(uint32_t i, struct symbol *out)
{
    if (i >= symbol_count) {
        return false;
    }
    return symbol_lookup(symbol_address(i), out);
}

void arch_symbol_name(char *buf, size_t size, unsigned long addr)
{
    struct symbol s;

    if (symbol_lookup(addr, &s)) {
        snprintf(buf, size, "%s+%#lx/%#lx", s.name, addr - s.start, s.size);
    } else {
        snprintf(buf, size, "%016lx", addr);
    }
}

uint32_t symbol_total(void)
{
    return symbol_count;
}
