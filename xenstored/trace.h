/*
 * The trace file: every message, on request (--trace-file, XS_CONTROL log and logfile).
 */
#ifndef XENSTORED_TRACE_H
#define XENSTORED_TRACE_H

#include <stdbool.h>

struct conn;
struct xsd_sockmsg;

/* Sets the file's name; it is opened by trace_open. */
void trace_set_file(const char *path);
const char *trace_file(void);
void trace_open(void);
void trace_close(void);

extern int trace_fd;

void trace_write_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void trace_write_message(const struct conn *c, bool out, const struct xsd_sockmsg *header,
                         const char *payload);

#define trace_line(...)                    \
    do {                                   \
        if (trace_fd >= 0) {               \
            trace_write_line(__VA_ARGS__); \
        }                                  \
    } while (0)

#define trace_message(c, out, header, payload)            \
    do {                                                  \
        if (trace_fd >= 0) {                              \
            trace_write_message(c, out, header, payload); \
        }                                                 \
    } while (0)

#endif
