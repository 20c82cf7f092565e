/*
 * Requests as text, answers as text: XML-RPC and JSON-RPC 2.0 around api_call().
 *
 * Neither function fails: what is wrong with a request is said in the answer's own form. The caller
 * frees the answer.
 */
#ifndef XEND_RPC_H
#define XEND_RPC_H

#include <stddef.h>

char *rpc_xml(const char *body, size_t length);

/* One request or an array of them. Answers are objects where XML-RPC has S-expressions. */
char *rpc_json(const char *body, size_t length);

#endif
