/*
 * Errors as sentences. Contract: error.h.
 */
#include "xend/lib/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int fail(struct error *err, int code, const char *fmt, ...)
{
    char text[sizeof(err->msg)];
    va_list ap;

    if (err != NULL) {
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        memcpy(err->msg, text, sizeof(text));
        err->code = code;
    }
    return -code;
}

int fail_prefix(struct error *err, const char *fmt, ...)
{
    char text[sizeof(err->msg)];
    size_t used;
    va_list ap;

    if (err == NULL) {
        return -EINVAL;
    }
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    used = strlen(text);
    snprintf(text + used, sizeof(text) - used, "%s", err->msg);
    memcpy(err->msg, text, sizeof(text));
    return -err->code;
}
