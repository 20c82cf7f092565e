/*
 * The trace file. Read trace.h first.
 */
#include "xenstored/trace.h"
#include "xenstored/connection.h"
#include "xenstored/wire.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

int trace_fd = -1;

static char *file;

void trace_set_file(const char *path)
{
    free(file);
    file = path ? strdup(path) : NULL;
}

const char *trace_file(void)
{
    return file;
}

void trace_close(void)
{
    if (trace_fd >= 0) {
        close(trace_fd);
    }
    trace_fd = -1;
}

void trace_open(void)
{
    if (!file) {
        return;
    }
    trace_close();
    trace_fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (trace_fd < 0) {
        log_msg(LOG_ERR, "cannot open the trace file %s: %m", file);
    }
}

static void emit(const struct buf *b)
{
    if (write(trace_fd, b->p, b->len) < 0) {
        trace_close();
    }
}

void trace_write_line(const char *fmt, ...)
{
    struct buf b = {0};
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    buf_printf(&b, "%s\n", line);
    emit(&b);
    buf_free(&b);
}

void trace_write_message(const struct conn *c, bool out, const struct xsd_sockmsg *header,
                         const char *payload)
{
    struct buf b = {0};
    char when[32] = "";
    time_t now = time(NULL);
    struct tm tm;

    if (localtime_r(&now, &tm)) {
        strftime(when, sizeof(when), "%Y%m%d %H:%M:%S", &tm);
    }
    buf_printf(&b, "%s %s %s%d tx %u %s (", out ? "OUT" : "IN", when, c->domain ? "dom" : "fd",
               c->domain ? (int)c->id : c->fd, header->tx_id, wire_type_name(header->type));
    for (uint32_t i = 0; i < header->len; i++) {
        char ch = payload[i] ? payload[i] : ' ';

        buf_append(&b, &ch, 1);
    }
    buf_append(&b, ")\n", 2);
    emit(&b);
    buf_free(&b);
}
