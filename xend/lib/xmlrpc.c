/*
 * Values as XML-RPC, through xmlrpc-c. Contract: xmlrpc.h.
 *
 * xmlrpc-c reports through an xmlrpc_env; every function here turns that into our struct error.
 */
#include "xend/lib/xmlrpc.h"

#include "xend/lib/alloc.h"
#include "xend/lib/text.h"
#include "xend/lib/xmlrpc_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xmlrpc-c/base.h>

static void env_cleanup(xmlrpc_env *env)
{
    xmlrpc_env_clean(env);
}

#define auto_env __attribute__((cleanup(env_cleanup))) xmlrpc_env

int xmlrpc_library_init(struct error *err)
{
    auto_env env;

    xmlrpc_env_init(&env);
    xmlrpc_init(&env);
    if (env.fault_occurred) {
        return fail(err, ENOMEM, "The XML-RPC library does not start: %s.", env.fault_string);
    }
    xmlrpc_limit_set(XMLRPC_NESTING_LIMIT_ID, VALUE_MAX_DEPTH);
    xmlrpc_limit_set(XMLRPC_XML_SIZE_LIMIT_ID, XMLRPC_TEXT_MAX);
    return 0;
}

static struct value *from_xmlrpc(xmlrpc_env *env, xmlrpc_value *x, unsigned depth);

static struct value *from_array(xmlrpc_env *env, xmlrpc_value *x, unsigned depth)
{
    struct value *list = value_list();
    int n = xmlrpc_array_size(env, x);

    for (int i = 0; i < n && !env->fault_occurred; i++) {
        xmlrpc_value *item = NULL;

        xmlrpc_array_read_item(env, x, (unsigned)i, &item);
        if (!env->fault_occurred) {
            list_add(list, from_xmlrpc(env, item, depth + 1));
            xmlrpc_DECREF(item);
        }
    }
    return list;
}

static struct value *from_struct(xmlrpc_env *env, xmlrpc_value *x, unsigned depth)
{
    struct value *dict = value_dict();
    int n = xmlrpc_struct_size(env, x);

    for (int i = 0; i < n && !env->fault_occurred; i++) {
        xmlrpc_value *key = NULL, *item = NULL;
        const char *text = NULL;

        xmlrpc_struct_read_member(env, x, (unsigned)i, &key, &item);
        if (env->fault_occurred) {
            break;
        }
        xmlrpc_read_string(env, key, &text);
        if (!env->fault_occurred) {
            dict_set(dict, text, from_xmlrpc(env, item, depth + 1));
        }
        free((void *)(uintptr_t)text);
        xmlrpc_DECREF(key);
        xmlrpc_DECREF(item);
    }
    return dict;
}

static struct value *from_scalar(xmlrpc_env *env, xmlrpc_value *x)
{
    const char *text = NULL;
    xmlrpc_bool truth = 0;
    xmlrpc_int64 wide = 0;
    double real = 0;
    int narrow = 0;

    switch ((int)xmlrpc_value_type(x)) {
    case XMLRPC_TYPE_INT:
        xmlrpc_read_int(env, x, &narrow);
        return value_int(narrow);
    case XMLRPC_TYPE_I8:
        xmlrpc_read_i8(env, x, &wide);
        return value_int(wide);
    case XMLRPC_TYPE_BOOL:
        xmlrpc_read_bool(env, x, &truth);
        return value_bool(truth != 0);
    case XMLRPC_TYPE_DOUBLE:
        xmlrpc_read_double(env, x, &real);
        return value_real(real);
    case XMLRPC_TYPE_STRING:
        xmlrpc_read_string(env, x, &text);
        return value_take(env->fault_occurred ? xstrdup("") : (char *)(uintptr_t)text);
    case XMLRPC_TYPE_NIL:
        return value_nil();
    default:
        xmlrpc_env_set_fault(env, XMLRPC_TYPE_ERROR, "a value of a type that is not used here");
        return value_nil();
    }
}

static struct value *from_xmlrpc(xmlrpc_env *env, xmlrpc_value *x, unsigned depth)
{
    if (depth > VALUE_MAX_DEPTH) {
        xmlrpc_env_set_fault(env, XMLRPC_LIMIT_EXCEEDED_ERROR, "nested too deeply");
        return value_nil();
    }
    switch ((int)xmlrpc_value_type(x)) {
    case XMLRPC_TYPE_ARRAY:
        return from_array(env, x, depth);
    case XMLRPC_TYPE_STRUCT:
        return from_struct(env, x, depth);
    default:
        return from_scalar(env, x);
    }
}

static xmlrpc_value *to_xmlrpc(xmlrpc_env *env, const struct value *v);

static xmlrpc_value *to_compound(xmlrpc_env *env, const struct value *v)
{
    bool dict = v->type == VALUE_DICT;
    xmlrpc_value *x = dict ? xmlrpc_struct_new(env) : xmlrpc_array_new(env);

    for (size_t i = 0; i < v->count && !env->fault_occurred; i++) {
        xmlrpc_value *item = to_xmlrpc(env, v->items[i]);

        if (env->fault_occurred) {
            break;
        }
        if (dict) {
            xmlrpc_struct_set_value(env, x, v->keys[i], item);
        } else {
            xmlrpc_array_append_item(env, x, item);
        }
        xmlrpc_DECREF(item);
    }
    return x;
}

static xmlrpc_value *to_string(xmlrpc_env *env, const char *s)
{
    auto_str clean = text_clean(s);

    return xmlrpc_string_new(env, clean);
}

static xmlrpc_value *to_xmlrpc(xmlrpc_env *env, const struct value *v)
{
    switch (v->type) {
    case VALUE_NIL:
        return xmlrpc_string_new(env, "");
    case VALUE_BOOL:
        return xmlrpc_bool_new(env, v->boolean);
    case VALUE_INT:
        if (v->integer == (int32_t)v->integer) {
            return xmlrpc_int_new(env, (int)v->integer);
        }
        return xmlrpc_i8_new(env, v->integer);
    case VALUE_REAL:
        return xmlrpc_double_new(env, v->real);
    case VALUE_STRING:
        return to_string(env, v->string);
    case VALUE_LIST:
    case VALUE_DICT:
        return to_compound(env, v);
    }
    return NULL;
}

int xmlrpc_read_call(const char *xml, size_t length, char **method, struct value **args,
                     struct error *err)
{
    auto_env env;
    const char *name = NULL;
    xmlrpc_value *params = NULL;
    struct value *list;
    int rc;

    xmlrpc_env_init(&env);
    rc = xmlrpc_check_call(xml, length, err);
    if (rc != 0) {
        return rc;
    }
    xmlrpc_parse_call(&env, xml, length, &name, &params);
    if (env.fault_occurred) {
        return fail(err, EBADMSG, "The request is no XML-RPC call: %s", env.fault_string);
    }
    list = from_xmlrpc(&env, params, 0);
    xmlrpc_DECREF(params);
    if (env.fault_occurred) {
        value_free(list);
        free((void *)(uintptr_t)name);
        return fail(err, EBADMSG, "The call has an argument that is %s.", env.fault_string);
    }
    *method = xstrdup(name);
    free((void *)(uintptr_t)name);
    *args = list;
    return 0;
}

static char *block_to_text(xmlrpc_mem_block *block)
{
    return xstrndup(XMLRPC_MEMBLOCK_CONTENTS(char, block), XMLRPC_MEMBLOCK_SIZE(char, block));
}

int xmlrpc_write_call(const char *method, const struct value *args, char **xml, struct error *err)
{
    auto_env env;
    xmlrpc_value *params;
    xmlrpc_mem_block *block;

    xmlrpc_env_init(&env);
    params = to_xmlrpc(&env, args);
    if (env.fault_occurred) {
        return fail(err, EINVAL, "The arguments cannot be sent: %s.", env.fault_string);
    }
    block = XMLRPC_MEMBLOCK_NEW(char, &env, 0);
    xmlrpc_serialize_call(&env, block, method, params);
    xmlrpc_DECREF(params);
    if (!env.fault_occurred) {
        *xml = block_to_text(block);
    }
    XMLRPC_MEMBLOCK_FREE(char, block);
    return env.fault_occurred
               ? fail(err, EINVAL, "The call cannot be written: %s.", env.fault_string)
               : 0;
}

int xmlrpc_read_answer(const char *xml, size_t length, struct value **out, int *fault,
                       struct error *err)
{
    auto_env env;
    xmlrpc_value *result = NULL;
    const char *sentence = NULL;
    int code = 0;

    xmlrpc_env_init(&env);
    xmlrpc_parse_response2(&env, xml, length, &result, &code, &sentence);
    if (env.fault_occurred) {
        return fail(err, EBADMSG, "The answer is no XML-RPC: %s", env.fault_string);
    }
    if (sentence != NULL) {
        fail(err, EREMOTEIO, "%s", sentence);
        free((void *)(uintptr_t)sentence);
        *fault = code;
        return -EREMOTEIO;
    }
    *out = from_xmlrpc(&env, result, 0);
    xmlrpc_DECREF(result);
    if (env.fault_occurred) {
        value_free(*out);
        *out = NULL;
        return fail(err, EBADMSG, "The answer has a value that is %s.", env.fault_string);
    }
    return 0;
}

char *xmlrpc_write_fault(int code, const char *sentence)
{
    auto_env env;
    auto_env fault;
    auto_str clean = text_clean(sentence);
    xmlrpc_mem_block *block;
    char *text;

    xmlrpc_env_init(&env);
    xmlrpc_env_init(&fault);
    xmlrpc_env_set_fault(&fault, code, clean);
    block = XMLRPC_MEMBLOCK_NEW(char, &env, 0);
    xmlrpc_serialize_fault(&env, block, &fault);
    text = env.fault_occurred ? xstrdup("") : block_to_text(block);
    XMLRPC_MEMBLOCK_FREE(char, block);
    return text;
}

char *xmlrpc_write_answer(const struct value *v)
{
    auto_env env;
    xmlrpc_value *x;
    xmlrpc_mem_block *block;
    char *text = NULL;

    xmlrpc_env_init(&env);
    x = to_xmlrpc(&env, v);
    if (env.fault_occurred) {
        return xmlrpc_write_fault(FAULT_ERROR, env.fault_string);
    }
    block = XMLRPC_MEMBLOCK_NEW(char, &env, 0);
    xmlrpc_serialize_response(&env, block, x);
    xmlrpc_DECREF(x);
    if (!env.fault_occurred) {
        text = block_to_text(block);
    }
    XMLRPC_MEMBLOCK_FREE(char, block);
    return text ? text : xmlrpc_write_fault(FAULT_ERROR, env.fault_string);
}
