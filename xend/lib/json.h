/*
 * Values as JSON, through json-c.
 */
#ifndef XEND_LIB_JSON_H
#define XEND_LIB_JSON_H

#include "xend/lib/error.h"
#include "xend/lib/value.h"

/*
 * Read one JSON document of length bytes. Nothing but white space may follow it. Returns 0 or
 * -errno (EINVAL: no JSON, with the offset in the sentence; E2BIG: nested deeper than
 * VALUE_MAX_DEPTH).
 */
int json_read(const char *text, size_t length, struct value **out, struct error *err);

/* The text of v; on one line, or indented for people. The caller frees it. */
char *json_write(const struct value *v, bool pretty);

#endif
