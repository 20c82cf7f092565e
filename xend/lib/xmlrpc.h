/*
 * Values as XML-RPC calls and answers, through xmlrpc-c's core library.
 *
 * Both sides are here: xend reads calls and writes answers, xm the reverse.
 *
 * Integers that do not fit 32 bits travel as <i8>, which Python's xmlrpc.client reads; nothing
 * (None) travels as an empty string, because classic clients refuse <nil/>.
 */
#ifndef XEND_LIB_XMLRPC_H
#define XEND_LIB_XMLRPC_H

#include "xend/lib/error.h"
#include "xend/lib/value.h"

/* Fault codes of the answers. Classic xend used 1 for an error and 3 for an unknown domain. */
enum xmlrpc_fault {
    FAULT_PARSE = -32700,
    FAULT_METHOD = -32601,
    FAULT_PARAMS = -32602,
    FAULT_ERROR = 1,
    FAULT_NO_DOMAIN = 3,
};

/* No call or answer is longer, in bytes: thousands of domains fit (HTTP has narrower limits for
 * calls). */
#define XMLRPC_TEXT_MAX (64 << 20)

/* Must be called once before anything below, and before a second thread exists. */
int xmlrpc_library_init(struct error *err);

/* Read a call: the method's name and a list of its arguments; the caller frees both. 0 or -errno */
int xmlrpc_read_call(const char *xml, size_t length, char **method, struct value **args,
                     struct error *err);
/* The XML of a call. The caller frees it. 0 or -errno (a string that is no UTF-8). */
int xmlrpc_write_call(const char *method, const struct value *args, char **xml, struct error *err);

/*
 * Read an answer. Returns 0 with *out; -EREMOTEIO if it is a fault, whose sentence is then in err
 * and whose code in *fault; -EBADMSG if it is no XML-RPC.
 */
int xmlrpc_read_answer(const char *xml, size_t length, struct value **out, int *fault,
                       struct error *err);
/* The XML of an answer or of a fault. The caller frees it. */
char *xmlrpc_write_answer(const struct value *v);
char *xmlrpc_write_fault(int code, const char *sentence);

#endif
