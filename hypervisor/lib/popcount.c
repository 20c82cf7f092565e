/* What the compiler calls for __builtin_popcountl, as POPCNT is not in the baseline. */
#include <hospes/types.h>

int __popcountdi2(long w);
int __popcountdi2(long w)
{
    uint64_t v = (uint64_t)w;

    v -= (v >> 1) & 0x5555555555555555ull;
    v = (v & 0x3333333333333333ull) + ((v >> 2) & 0x3333333333333333ull);
    v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0full;
    return (int)((v * 0x0101010101010101ull) >> 56);
}
