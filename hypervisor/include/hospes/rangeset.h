/* Sets of numbers kept as disjoint ranges: I/O ports, machine frames, IRQs that a domain may touch.
 */
#ifndef HOSPES_RANGESET_H
#define HOSPES_RANGESET_H

#include <hospes/types.h>

struct rangeset;
struct rangeset *rangeset_create(const char *name) __must_check; /* empty; NULL: no memory */
void rangeset_destroy(struct rangeset *r);                       /* takes NULL */
int rangeset_add(struct rangeset *r, uint64_t first, uint64_t last) __must_check; /* inclusive */
int rangeset_remove(struct rangeset *r, uint64_t first, uint64_t last) __must_check;
bool rangeset_contains(struct rangeset *r, uint64_t first, uint64_t last); /* all of it */
bool rangeset_overlaps(struct rangeset *r, uint64_t first, uint64_t last); /* any of it */
bool rangeset_is_empty(struct rangeset *r);

#endif
