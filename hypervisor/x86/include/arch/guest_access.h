/*
 * x86: copies of small structures from and to the running guest's memory, in line. Words are loaded
 * and stored one by one; a fault at any of them ends in "failed" through the exception table.
 * Contracts: <hospes/guest_access.h>, which includes this. Longer copies: x86/mm/guest_access.c.
 */
#ifndef ARCH_GUEST_ACCESS_H
#define ARCH_GUEST_ACCESS_H

#include <arch/alternative.h>
#include <arch/extable.h>
#include <arch/pte.h>

/* Lifts SMAP's protection, and puts it back. */
static __always_inline void user_access_begin(void)
{
    __asm__ volatile("773: .byte " ALT_STR(NOP3_BYTES) "\n" /* */
                     ALTERNATIVE(773b, ALT_SMAP, 3, STAC_BYTES)::
                         : "memory", "cc");
}
static __always_inline void user_access_end(void)
{
    __asm__ volatile("773: .byte " ALT_STR(NOP3_BYTES) "\n" /* */
                     ALTERNATIVE(773b, ALT_SMAP, 3, CLAC_BYTES)::
                         : "memory", "cc");
}

/* The guest's two parts follow each other when the address space is seen as a circle that begins
 * behind the hypervisor's part: [0, GUEST_SIZE) of it is the guest's. */
#define GUEST_BASE 0xffff880000000000ul
#define GUEST_SIZE 0xf80000000000ul

/*
 * The address for an access of n bytes (a constant) at addr if all of it is the guest's; else 0 is
 * put into *ok. Also under speculation the result is an address of the guest's: it is clamped, not
 * branched around.
 */
static __always_inline unsigned long guest_clamp(unsigned long addr, unsigned long n, bool *ok)
{
    unsigned long off = addr - GUEST_BASE, mask;

    __asm__ volatile("cmp %[limit], %[off]; sbb %[mask], %[mask]"
                     : [mask] "=r"(mask)
                     : [limit] "r"(GUEST_SIZE - n + 1), [off] "r"(off)
                     : "cc");
    *ok = mask != 0 && addr + (n - 1) >= addr;
    addr = (off & mask) + GUEST_BASE;
    __asm__("" : "+r"(addr)); /* one register, from which the words are addressed */
    return addr;
}

#define GUEST_LOAD(suffix, type, value, from, fault)                      \
    __asm__ goto("1: mov" suffix " %[m], %[v]\n" EX_TABLE_GOTO(1b, fault) \
                 : [v] "=r"(value)                                        \
                 : [m] "m"(*(const type *)(from))::fault)
#define GUEST_STORE(suffix, type, value, to, fault)                       \
    __asm__ goto("1: mov" suffix " %[v], %[m]\n" EX_TABLE_GOTO(1b, fault) \
                 :                                                        \
                 : [v] "r"((type)(value)), [m] "m"(*(type *)(to))         \
                 : "memory"                                               \
                 : fault)

/*
 * Linear page tables of level 4 (x86/pv/mm_table.c) let the hypervisor's own tables appear at guest
 * addresses, where the guest cannot read, but we would. So whoever has read asks afterwards whether
 * the range may lie in such a slot of the running domain, and then takes it as failed: an entry
 * that was used was marked before.
 */
extern bool linear_slots_in_use; /* of any domain */
bool in_linear_slot(unsigned long addr, unsigned long n);
static __always_inline bool read_refused(unsigned long addr, unsigned long n)
{
    return unlikely(READ_ONCE(linear_slots_in_use)) && in_linear_slot(addr, n);
}

/* The words of the longest copy in line; those behind n are no code. */
#define EACH_WORD(W) W(0) W(1) W(2) W(3) W(4) W(5) W(6) W(7)
/* Sizes that are copied in line. */
#define GUEST_SMALL(n) ((n) == 4 || (n) == 1 || ((n) != 0 && (n) <= 64 && (n) % 8 == 0))

/* True: failed. What has been copied until then is the guest's own; nobody looks at it. */
static __always_inline __must_check bool copy_small_from_guest(void *dst, unsigned long addr,
                                                               unsigned long n)
{
    bool ok;
    unsigned long from = guest_clamp(addr, n, &ok);

    if (unlikely(!ok)) {
        return true;
    }
    user_access_begin();
    if (n == 1) {
        uint8_t v;

        GUEST_LOAD("b", uint8_t, v, from, fault);
        __builtin_memcpy(dst, &v, 1);
    } else if (n == 4) {
        uint32_t v;

        GUEST_LOAD("l", uint32_t, v, from, fault);
        __builtin_memcpy(dst, &v, 4);
    } else {
#define WORD(i)                                            \
    if ((i)*8 < n) {                                       \
        uint64_t v;                                        \
                                                           \
        GUEST_LOAD("q", uint64_t, v, from + (i)*8, fault); \
        __builtin_memcpy((char *)dst + (i)*8, &v, 8);      \
    }
        EACH_WORD(WORD)
#undef WORD
    }
    user_access_end();
    if (read_refused(addr, n)) {
        __builtin_memset(dst, 0, n);
        return true;
    }
    return false;
fault:
    user_access_end();
    return true;
}

static __always_inline __must_check bool copy_small_to_guest(unsigned long addr, const void *src,
                                                             unsigned long n)
{
    bool ok;
    unsigned long to = guest_clamp(addr, n, &ok);

    if (unlikely(!ok)) {
        return true;
    }
    user_access_begin();
    if (n == 1) {
        GUEST_STORE("b", uint8_t, *(const uint8_t *)src, to, fault);
    } else if (n == 4) {
        uint32_t v;

        __builtin_memcpy(&v, src, 4);
        GUEST_STORE("l", uint32_t, v, to, fault);
    } else {
#define WORD(i)                                             \
    if ((i)*8 < n) {                                        \
        uint64_t v;                                         \
                                                            \
        __builtin_memcpy(&v, (const char *)src + (i)*8, 8); \
        GUEST_STORE("q", uint64_t, v, to + (i)*8, fault);   \
    }
        EACH_WORD(WORD)
#undef WORD
    }
    user_access_end();
    return false;
fault:
    user_access_end();
    return true;
}

#endif
