/*
 * "Did you mean": the nearest name by edit distance. Contract: options.h.
 */
#include "xend/lib/options.h"

#include <string.h>

#define LONGEST 40

/* Changes (insert, delete, replace, swap neighbours) that make a into b. */
static unsigned distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    unsigned d[LONGEST + 1][LONGEST + 1];

    if (n > LONGEST || m > LONGEST) {
        return ~0u;
    }
    for (size_t i = 0; i <= n; i++) {
        d[i][0] = (unsigned)i;
    }
    for (size_t j = 0; j <= m; j++) {
        d[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            unsigned best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

            best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
            best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best) {
                best = d[i - 2][j - 2] + 1;
            }
            d[i][j] = best;
        }
    }
    return d[n][m];
}

const char *nearest_name(const char *word, const char *const *candidates)
{
    const char *best = NULL;
    unsigned limit = (unsigned)(strlen(word) / 3 + 1), best_distance = limit + 1;

    for (; *candidates != NULL; candidates++) {
        unsigned d = distance(word, *candidates);

        if (d < best_distance) {
            best = *candidates;
            best_distance = d;
        }
    }
    return best;
}
