/*
 * One error, one sentence: what a person reads when something did not work.
 *
 * Every function that can fail for a reason a user can understand takes a `struct error *`, fills
 * it through fail(), and returns -errno. The sentence names the cause and the cure, and needs no
 * prefix: it is shown as it is by xm, in the XML-RPC fault and in the log.
 */
#ifndef XEND_LIB_ERROR_H
#define XEND_LIB_ERROR_H

struct error {
    int code; /* a positive errno, 0 if nothing failed */
    char msg[768];
};

/* Set err (which may be NULL) and return -code. */
int fail(struct error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put "prefix" before the sentence that err holds already. Returns -err->code. */
int fail_prefix(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
