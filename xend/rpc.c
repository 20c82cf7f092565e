/*
 * XML-RPC and JSON-RPC. Contract: rpc.h.
 */
#include "xend/rpc.h"

#include "xend/api.h"
#include "xend/lib/alloc.h"
#include "xend/lib/json.h"
#include "xend/lib/xmlrpc.h"
#include "xend/log.h"

#include <stdlib.h>
#include <string.h>

#define MAX_BATCH 64

char *rpc_xml(const char *body, size_t length)
{
    auto_str method = NULL;
    auto_value args = NULL;
    auto_value result = NULL;
    struct error err = {0};
    int fault = FAULT_ERROR;

    if (xmlrpc_read_call(body, length, &method, &args, &err) != 0) {
        return xmlrpc_write_fault(FAULT_PARSE, err.msg);
    }
    if (api_call(method, args, false, &result, &fault, &err) != 0) {
        log_warn("%s: %s", method, err.msg);
        return xmlrpc_write_fault(fault, err.msg);
    }
    return xmlrpc_write_answer(result);
}

static struct value *json_error(const struct value *id, int code, const char *sentence)
{
    struct value *answer = value_dict(), *error = value_dict();

    dict_set(error, "code", value_int(code));
    dict_set(error, "message", value_string(sentence));
    dict_set(answer, "jsonrpc", value_string("2.0"));
    dict_set(answer, "error", error);
    dict_set(answer, "id", id ? value_copy(id) : value_nil());
    return answer;
}

/* The answer to one request; NULL for a notification (a request without an id). */
static struct value *json_one(const struct value *request)
{
    const char *method = value_text(dict_get(request, "method"), NULL);
    const struct value *params = dict_get(request, "params"), *id = dict_get(request, "id");
    auto_value none = value_list();
    struct value *result = NULL, *answer;
    struct error err = {0};
    int fault = FAULT_ERROR;

    if (method == NULL) {
        return json_error(id, -32600, "A request is an object with method, params and id.");
    }
    if (params != NULL && params->type != VALUE_LIST) {
        return json_error(id, FAULT_PARAMS, "params must be an array.");
    }
    if (api_call(method, params ? params : none, true, &result, &fault, &err) != 0) {
        log_warn("%s: %s", method, err.msg);
        return json_error(id, fault, err.msg);
    }
    if (id == NULL) {
        value_free(result);
        return NULL;
    }
    answer = value_dict();
    dict_set(answer, "jsonrpc", value_string("2.0"));
    dict_set(answer, "result", result);
    dict_set(answer, "id", value_copy(id));
    return answer;
}

static struct value *json_batch(const struct value *requests)
{
    struct value *answers = value_list();

    if (requests->count == 0 || requests->count > MAX_BATCH) {
        value_free(answers);
        return json_error(NULL, -32600, "A batch has 1 to 64 requests.");
    }
    for (size_t i = 0; i < requests->count; i++) {
        struct value *answer = json_one(requests->items[i]);

        if (answer != NULL) {
            list_add(answers, answer);
        }
    }
    return answers;
}

char *rpc_json(const char *body, size_t length)
{
    auto_value request = NULL;
    auto_value answer = NULL;
    struct error err = {0};

    if (json_read(body, length, &request, &err) != 0) {
        answer = json_error(NULL, FAULT_PARSE, err.msg);
    } else if (request->type == VALUE_LIST) {
        answer = json_batch(request);
    } else {
        answer = json_one(request);
    }
    return answer ? json_write(answer, false) : xstrdup("");
}
