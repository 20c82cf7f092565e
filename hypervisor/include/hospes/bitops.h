/* Bits in arrays of unsigned long, and in words. Names without "__" are atomic. */
#ifndef HOSPES_BITOPS_H
#define HOSPES_BITOPS_H

#include <hospes/types.h>

#define BITS_PER_LONG    64u
#define BITS_TO_LONGS(n) DIV_ROUND_UP(n, BITS_PER_LONG)
#define BITMAP(name, n)  unsigned long name[BITS_TO_LONGS(n)]

static inline bool test_bit(unsigned int nr, const volatile unsigned long *p)
{
    return (p[nr / BITS_PER_LONG] >> (nr % BITS_PER_LONG)) & 1u;
}
static inline void set_bit(unsigned int nr, volatile unsigned long *p)
{
    __atomic_fetch_or(&p[nr / BITS_PER_LONG], BIT(nr % BITS_PER_LONG), __ATOMIC_SEQ_CST);
}
static inline void clear_bit(unsigned int nr, volatile unsigned long *p)
{
    __atomic_fetch_and(&p[nr / BITS_PER_LONG], ~BIT(nr % BITS_PER_LONG), __ATOMIC_SEQ_CST);
}
/* Returns the bit's old value. */
static inline bool test_and_set_bit(unsigned int nr, volatile unsigned long *p)
{
    unsigned long m = BIT(nr % BITS_PER_LONG);

    return (__atomic_fetch_or(&p[nr / BITS_PER_LONG], m, __ATOMIC_SEQ_CST) & m) != 0;
}
static inline bool test_and_clear_bit(unsigned int nr, volatile unsigned long *p)
{
    unsigned long m = BIT(nr % BITS_PER_LONG);

    return (__atomic_fetch_and(&p[nr / BITS_PER_LONG], ~m, __ATOMIC_SEQ_CST) & m) != 0;
}
static inline void __set_bit(unsigned int nr, unsigned long *p)
{
    p[nr / BITS_PER_LONG] |= BIT(nr % BITS_PER_LONG);
}
static inline void __clear_bit(unsigned int nr, unsigned long *p)
{
    p[nr / BITS_PER_LONG] &= ~BIT(nr % BITS_PER_LONG);
}
/* Index of the lowest set bit; w must not be 0. */
static inline unsigned int lowest_bit(unsigned long w)
{
    return (unsigned int)__builtin_ctzl(w);
}
/* Index of the highest set bit; w must not be 0. */
static inline unsigned int highest_bit(unsigned long w)
{
    return 63u - (unsigned int)__builtin_clzl(w);
}
/* First set (or clear) bit at or after `from` in n bits; n when there is none. */
unsigned int find_next_bit(const unsigned long *p, unsigned int n, unsigned int from);
unsigned int find_next_zero_bit(const unsigned long *p, unsigned int n, unsigned int from);
unsigned int bitmap_weight(const unsigned long *p, unsigned int n);

/* Smallest order with (1 << order) pages >= the bytes. */
static inline unsigned int get_order_from_bytes(uint64_t bytes)
{
    uint64_t pages = (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;

    return pages <= 1 ? 0 : highest_bit(pages - 1) + 1;
}

#endif
