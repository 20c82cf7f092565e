/*
 * A strict look at the XML of a call before xmlrpc-c sees it.
 *
 * xmlrpc-c 1.33 crashes while it words its complaint about certain misplaced elements (our fuzzer
 * found it), and its expat expands entities. So only documents of exactly XML-RPC's shape go on:
 * the known elements in their places, no document type, no CDATA, no processing instructions but
 * the XML declaration.
 */
#ifndef XEND_LIB_XMLRPC_CHECK_H
#define XEND_LIB_XMLRPC_CHECK_H

#include "xend/lib/error.h"

#include <stddef.h>

/* 0 or -EBADMSG with the sentence. */
int xmlrpc_check_call(const char *xml, size_t length, struct error *err);

#endif
