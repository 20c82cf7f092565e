/*
 * The tree of values. Contract: value.h.
 */
#include "xend/lib/value.h"

#include "xend/lib/alloc.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct value *value_new(enum value_type type)
{
    struct value *v = xalloc(sizeof(*v));

    v->type = type;
    return v;
}

struct value *value_nil(void)
{
    return value_new(VALUE_NIL);
}

struct value *value_bool(bool b)
{
    struct value *v = value_new(VALUE_BOOL);

    v->boolean = b;
    return v;
}

struct value *value_int(int64_t i)
{
    struct value *v = value_new(VALUE_INT);

    v->integer = i;
    return v;
}

struct value *value_real(double r)
{
    struct value *v = value_new(VALUE_REAL);

    v->real = r;
    return v;
}

struct value *value_string(const char *s)
{
    return value_take(xstrdup(s ? s : ""));
}

struct value *value_take(char *s)
{
    struct value *v = value_new(VALUE_STRING);

    v->string = s;
    return v;
}

struct value *value_list(void)
{
    return value_new(VALUE_LIST);
}

struct value *value_dict(void)
{
    return value_new(VALUE_DICT);
}

void value_free(struct value *v)
{
    if (v == NULL) {
        return;
    }
    if (v->type == VALUE_STRING) {
        free(v->string);
    }
    for (size_t i = 0; i < v->count; i++) {
        value_free(v->items[i]);
        if (v->keys != NULL) {
            free(v->keys[i]);
        }
    }
    free(v->items);
    free(v->keys);
    free(v);
}

void value_cleanup(struct value **slot)
{
    value_free(*slot);
    *slot = NULL;
}

static void make_room(struct value *v)
{
    if (v->count < v->capacity) {
        return;
    }
    v->capacity = v->capacity ? v->capacity * 2 : 4;
    v->items = xrealloc(v->items, v->capacity * sizeof(v->items[0]));
    if (v->type == VALUE_DICT) {
        v->keys = xrealloc(v->keys, v->capacity * sizeof(v->keys[0]));
    }
}

void list_add(struct value *list, struct value *item)
{
    make_room(list);
    list->items[list->count++] = item;
}

static size_t dict_index(const struct value *dict, const char *key)
{
    size_t i;

    for (i = 0; i < dict->count; i++) {
        if (strcmp(dict->keys[i], key) == 0) {
            break;
        }
    }
    return i;
}

void dict_set(struct value *dict, const char *key, struct value *item)
{
    size_t i = dict_index(dict, key);

    if (i < dict->count) {
        value_free(dict->items[i]);
        dict->items[i] = item;
        return;
    }
    make_room(dict);
    dict->keys[dict->count] = xstrdup(key);
    dict->items[dict->count++] = item;
}

struct value *dict_get(const struct value *dict, const char *key)
{
    size_t i;

    if (dict == NULL || dict->type != VALUE_DICT) {
        return NULL;
    }
    i = dict_index(dict, key);
    return i < dict->count ? dict->items[i] : NULL;
}

void dict_remove(struct value *dict, const char *key)
{
    size_t i = dict_index(dict, key);

    if (i == dict->count) {
        return;
    }
    free(dict->keys[i]);
    value_free(dict->items[i]);
    dict->count--;
    memmove(&dict->keys[i], &dict->keys[i + 1], (dict->count - i) * sizeof(dict->keys[0]));
    memmove(&dict->items[i], &dict->items[i + 1], (dict->count - i) * sizeof(dict->items[0]));
}

struct value *value_copy(const struct value *v)
{
    struct value *copy = value_new(v->type);

    copy->line = v->line;
    copy->column = v->column;
    switch (v->type) {
    case VALUE_NIL:
        break;
    case VALUE_BOOL:
        copy->boolean = v->boolean;
        break;
    case VALUE_INT:
        copy->integer = v->integer;
        break;
    case VALUE_REAL:
        copy->real = v->real;
        break;
    case VALUE_STRING:
        copy->string = xstrdup(v->string);
        break;
    case VALUE_LIST:
    case VALUE_DICT:
        for (size_t i = 0; i < v->count; i++) {
            make_room(copy);
            copy->items[i] = value_copy(v->items[i]);
            if (v->type == VALUE_DICT) {
                copy->keys[i] = xstrdup(v->keys[i]);
            }
            copy->count++;
        }
        break;
    }
    return copy;
}

static bool children_equal(const struct value *a, const struct value *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (a->type == VALUE_DICT && strcmp(a->keys[i], b->keys[i]) != 0) {
            return false;
        }
        if (!value_equal(a->items[i], b->items[i])) {
            return false;
        }
    }
    return true;
}

bool value_equal(const struct value *a, const struct value *b)
{
    if (a->type != b->type) {
        return false;
    }
    switch (a->type) {
    case VALUE_NIL:
        return true;
    case VALUE_BOOL:
        return a->boolean == b->boolean;
    case VALUE_INT:
        return a->integer == b->integer;
    case VALUE_REAL:
        return memcmp(&a->real, &b->real, sizeof(a->real)) == 0;
    case VALUE_STRING:
        return strcmp(a->string, b->string) == 0;
    case VALUE_LIST:
    case VALUE_DICT:
        return children_equal(a, b);
    }
    return false;
}

const char *value_type_name(const struct value *v)
{
    static const char *const names[] = {
        [VALUE_NIL] = "nothing",       [VALUE_BOOL] = "a truth value", [VALUE_INT] = "a number",
        [VALUE_REAL] = "a fraction",   [VALUE_STRING] = "a string",    [VALUE_LIST] = "a list",
        [VALUE_DICT] = "a dictionary",
    };

    return v ? names[v->type] : "nothing";
}

const char *value_text(const struct value *v, const char *fallback)
{
    return v != NULL && v->type == VALUE_STRING ? v->string : fallback;
}

int value_to_int(const struct value *v, int64_t *out)
{
    char *end;

    if (v == NULL) {
        return -EINVAL;
    }
    if (v->type == VALUE_INT) {
        *out = v->integer;
        return 0;
    }
    if (v->type == VALUE_BOOL) {
        *out = v->boolean;
        return 0;
    }
    if (v->type == VALUE_REAL) {
        if (!(fabs(v->real) < 9e15) || floor(v->real) < v->real) {
            return -EINVAL;
        }
        *out = (int64_t)v->real;
        return 0;
    }
    if (v->type != VALUE_STRING || v->string[0] == '\0') {
        return -EINVAL;
    }
    errno = 0;
    *out = strtoll(v->string, &end, 0);
    return errno != 0 || *end != '\0' ? -EINVAL : 0;
}
