/*
 * S-expressions as nested lists: ['domain', ['domid', 3], ['name', 'web'], ...].
 *
 * This is what the classic XML-RPC methods answer and take. Here they are ordinary values
 * (value.h); this header has the few accessors for them, their text form for `xm list --long`, and
 * the translation into plain objects for JSON clients.
 */
#ifndef XEND_LIB_SXP_H
#define XEND_LIB_SXP_H

#include "xend/lib/value.h"

/* [name] */
struct value *sxp_new(const char *name);
/* Append [key, value] to sxp; takes over value. */
void sxp_add(struct value *sxp, const char *key, struct value *value);
void sxp_add_string(struct value *sxp, const char *key, const char *text);
void sxp_add_int(struct value *sxp, const char *key, int64_t number);
void sxp_add_real(struct value *sxp, const char *key, double number);

/* The first element if it is a string, else "". */
const char *sxp_name(const struct value *sxp);
/* The i-th child list called key, whole; NULL if there is none. */
const struct value *sxp_child(const struct value *sxp, const char *key, size_t i);
/* The value of the first child [key, value]; NULL if there is none. */
const struct value *sxp_get(const struct value *sxp, const char *key);
const char *sxp_get_text(const struct value *sxp, const char *key, const char *fallback);
int64_t sxp_get_int(const struct value *sxp, const char *key, int64_t fallback);

/* The text form, indented, as xm list --long shows it. The caller frees it. */
char *sxp_print(const struct value *sxp);

/*
 * What a JSON client wants to see: a list whose items after the first are [key, value] pairs
 * becomes {key: value}; a key that repeats becomes an array; 'device' children keep their class in
 * "class". Anything else is copied as it is.
 */
struct value *sxp_to_object(const struct value *sxp);

#endif
