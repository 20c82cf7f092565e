/* Searching and counting in bitmaps. Read <hospes/bitops.h> first. */
#include <hospes/bitops.h>

/* First bit at or after `from` in the words w ^ flip. */
static unsigned int find_next(const unsigned long *p, unsigned int n, unsigned int from,
                              unsigned long flip)
{
    unsigned int i, bit;
    unsigned long w;

    if (from >= n) {
        return n;
    }
    i = from / BITS_PER_LONG;
    w = (p[i] ^ flip) & (~0ul << (from % BITS_PER_LONG));
    while (w == 0) {
        if (++i >= BITS_TO_LONGS(n)) {
            return n;
        }
        w = p[i] ^ flip;
    }
    bit = i * BITS_PER_LONG + lowest_bit(w);
    return bit < n ? bit : n;
}

unsigned int find_next_bit(const unsigned long *p, unsigned int n, unsigned int from)
{
    return find_next(p, n, from, 0);
}

unsigned int find_next_zero_bit(const unsigned long *p, unsigned int n, unsigned int from)
{
    return find_next(p, n, from, ~0ul);
}

unsigned int bitmap_weight(const unsigned long *p, unsigned int n)
{
    unsigned int i, count = 0;

    for (i = 0; i < n / BITS_PER_LONG; i++) {
        count += (unsigned int)__builtin_popcountl(p[i]);
    }
    if (n % BITS_PER_LONG != 0) {
        count += (unsigned int)__builtin_popcountl(p[i] & (BIT(n % BITS_PER_LONG) - 1));
    }
    return count;
}
