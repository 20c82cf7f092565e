/* In-place heap sort: no recursion, no memory, n log n also in the worst case. */
#include <hospes/lib.h>

static void swap_bytes(char *a, char *b, size_t size)
{
    char c;

    for (; size > 0; size--, a++, b++) {
        c = *a;
        *a = *b;
        *b = c;
    }
}

/* Restores the heap below element `root`, of which only the root may be out of place. */
static void sift_down(char *base, size_t root, size_t n, size_t size,
                      int (*cmp)(const void *, const void *))
{
    size_t child;

    while ((child = 2 * root + 1) < n) {
        if (child + 1 < n && cmp(base + child * size, base + (child + 1) * size) < 0) {
            child++;
        }
        if (cmp(base + root * size, base + child * size) >= 0) {
            return;
        }
        swap_bytes(base + root * size, base + child * size, size);
        root = child;
    }
}

void sort(void *base, size_t n, size_t size, int (*cmp)(const void *, const void *))
{
    size_t i;

    for (i = n / 2; i > 0; i--) {
        sift_down(base, i - 1, n, size, cmp);
    }
    for (i = n; i > 1; i--) {
        swap_bytes(base, (char *)base + (i - 1) * size, size);
        sift_down(base, 0, i - 1, size, cmp);
    }
}
