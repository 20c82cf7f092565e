/*
 * Allocation that cannot fail: a tool without memory says so and ends.
 *
 * xend may die at any moment without losing anything (see xend/state.h), so ending is the simple
 * and safe answer to an empty heap in Domain 0. Sizes that a client chooses are bounded before
 * they get here (the HTTP body limit, the parser's nesting limit).
 */
#ifndef XEND_LIB_ALLOC_H
#define XEND_LIB_ALLOC_H

#include <stddef.h>

void *xalloc(size_t size); /* zeroed */
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s); /* NULL stays NULL */
char *xstrndup(const char *s, size_t n);
char *xprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Replace the string in *slot by a copy of s (which may be NULL). */
void str_set(char **slot, const char *s);

/* True if both are NULL or both hold the same text. */
_Bool str_eq(const char *a, const char *b);
/* True if s starts with prefix. */
_Bool str_starts(const char *s, const char *prefix);

/* For __attribute__((cleanup(...))) on char * locals. */
void str_cleanup(char **slot);
#define auto_str __attribute__((cleanup(str_cleanup))) char *

#endif
