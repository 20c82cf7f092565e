/*
 * Configuration files in the classic xm syntax, as values.
 *
 *     file      := { statement }
 *     statement := name ("=" | "+=") expr (newline | ";")
 *     expr      := term { "+" term }
 *     term      := number | "-" number | string { string } | "[" list "]" | "(" list ")"
 *                | "{" string ":" expr ... "}" | True | False | None | name assigned earlier
 *
 * Files are parsed and never executed: a statement of Python's other kinds (import, def, if, a
 * call) is refused with a sentence that says so. An indented continuation needs brackets or a
 * backslash, as in Python.
 */
#ifndef XEND_LIB_CFG_PARSE_H
#define XEND_LIB_CFG_PARSE_H

#include "xend/lib/error.h"
#include "xend/lib/value.h"

/*
 * Parse text into a dictionary whose values carry line and column. Returns 0 or -EINVAL with
 * "file:line:column: what", the line and a caret.
 */
int cfg_parse(const char *file, const char *text, size_t length, struct value **out,
              struct error *err);

/* Read and parse a file of at most 1 MiB. Returns 0 or -errno. */
int cfg_parse_file(const char *path, struct value **out, struct error *err);

/*
 * Apply a "key=value" from the command line: the value is an expression if it reads as one
 * (number, quoted string, list), and otherwise plain text. Returns 0 or -EINVAL.
 */
int cfg_override(struct value *config, const char *assignment, struct error *err);

#endif
