/*
 * Values as JSON, through json-c. Contract: json.h.
 *
 * json-c bounds the depth while it parses, so converting its tree recursively is safe.
 */
#include "xend/lib/json.h"

#include "xend/lib/alloc.h"
#include "xend/lib/text.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>

static struct value *from_json(struct json_object *object)
{
    struct value *v;

    switch (json_object_get_type(object)) {
    case json_type_boolean:
        return value_bool(json_object_get_boolean(object));
    case json_type_double:
        return value_real(json_object_get_double(object));
    case json_type_int:
        return value_int(json_object_get_int64(object));
    case json_type_string:
        return value_take(
            xstrndup(json_object_get_string(object), (size_t)json_object_get_string_len(object)));
    case json_type_array:
        v = value_list();
        for (size_t i = 0; i < json_object_array_length(object); i++) {
            list_add(v, from_json(json_object_array_get_idx(object, i)));
        }
        return v;
    case json_type_object:
        v = value_dict();
        json_object_object_foreach(object, key, child)
        {
            dict_set(v, key, from_json(child));
        }
        return v;
    case json_type_null:
        break;
    }
    return value_nil();
}

int json_read(const char *text, size_t length, struct value **out, struct error *err)
{
    struct json_tokener *tokener;
    struct json_object *object;
    enum json_tokener_error status;
    size_t end;

    if (length > INT_MAX) {
        return fail(err, E2BIG, "The JSON document is too long (%zu bytes).", length);
    }
    tokener = json_tokener_new_ex(VALUE_MAX_DEPTH);
    if (tokener == NULL) {
        return fail(err, ENOMEM, "There is no memory for reading JSON.");
    }
    object = json_tokener_parse_ex(tokener, text, (int)length);
    status = json_tokener_get_error(tokener);
    if (status == json_tokener_continue && length > 0) {
        /* A number at the very end is complete only once something follows it. */
        object = json_tokener_parse_ex(tokener, "\n", 1);
        status = json_tokener_get_error(tokener);
        end = length;
    } else {
        end = json_tokener_get_parse_end(tokener);
    }
    json_tokener_free(tokener);
    while (status == json_tokener_success && end < length &&
           memchr(" \t\r\n", text[end], 4) != NULL) {
        end++;
    }
    if (status != json_tokener_success || end < length) {
        json_object_put(object);
        return fail(err, status == json_tokener_error_depth ? E2BIG : EINVAL,
                    "The text is not JSON: %s at byte %zu.",
                    status == json_tokener_success ? "more text follows the document"
                                                   : json_tokener_error_desc(status),
                    end);
    }
    *out = from_json(object);
    json_object_put(object);
    return 0;
}

static struct json_object *to_string(const char *s)
{
    auto_str clean = text_clean(s);

    return json_object_new_string(clean);
}

static struct json_object *to_json(const struct value *v)
{
    struct json_object *object = NULL;

    switch (v->type) {
    case VALUE_NIL:
        return NULL;
    case VALUE_BOOL:
        return json_object_new_boolean(v->boolean);
    case VALUE_INT:
        return json_object_new_int64(v->integer);
    case VALUE_REAL:
        return json_object_new_double(v->real);
    case VALUE_STRING:
        return to_string(v->string);
    case VALUE_LIST:
        object = json_object_new_array_ext((int)v->count);
        for (size_t i = 0; i < v->count; i++) {
            json_object_array_add(object, to_json(v->items[i]));
        }
        return object;
    case VALUE_DICT:
        object = json_object_new_object();
        for (size_t i = 0; i < v->count; i++) {
            json_object_object_add(object, v->keys[i], to_json(v->items[i]));
        }
        return object;
    }
    return object;
}

char *json_write(const struct value *v, bool pretty)
{
    int flags = JSON_C_TO_STRING_NOSLASHESCAPE;
    struct json_object *object = to_json(v);
    char *text;

    flags |= pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN;
    text = xstrdup(json_object_to_json_string_ext(object, flags));
    json_object_put(object);
    return text;
}
