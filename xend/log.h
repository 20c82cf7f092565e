/*
 * xend's log: one line for each thing that happened, to a file and for `xm log`.
 *
 * Every function may be called from every thread.
 */
#ifndef XEND_LOG_H
#define XEND_LOG_H

#include "xend/lib/error.h"

#include <stddef.h>

/* Begin to write to path (NULL: standard error). 0 or -errno */
int log_open(const char *path, struct error *err);
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The last lines, at most size bytes of them. The caller frees it. */
char *log_tail(size_t size);

#endif
