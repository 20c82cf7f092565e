/*
 * S-expressions as nested lists. Contract: sxp.h.
 */
#include "xend/lib/sxp.h"

#include "xend/lib/alloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct value *sxp_new(const char *name)
{
    struct value *sxp = value_list();

    list_add(sxp, value_string(name));
    return sxp;
}

void sxp_add(struct value *sxp, const char *key, struct value *value)
{
    struct value *pair = sxp_new(key);

    list_add(pair, value);
    list_add(sxp, pair);
}

void sxp_add_string(struct value *sxp, const char *key, const char *text)
{
    sxp_add(sxp, key, value_string(text));
}

void sxp_add_int(struct value *sxp, const char *key, int64_t number)
{
    sxp_add(sxp, key, value_int(number));
}

void sxp_add_real(struct value *sxp, const char *key, double number)
{
    sxp_add(sxp, key, value_real(number));
}

const char *sxp_name(const struct value *sxp)
{
    if (sxp == NULL || sxp->type != VALUE_LIST || sxp->count == 0) {
        return "";
    }
    return value_text(sxp->items[0], "");
}

const struct value *sxp_child(const struct value *sxp, const char *key, size_t i)
{
    if (sxp == NULL || sxp->type != VALUE_LIST) {
        return NULL;
    }
    for (size_t n = 0; n < sxp->count; n++) {
        const struct value *item = sxp->items[n];

        if (item->type == VALUE_LIST && strcmp(sxp_name(item), key) == 0 && i-- == 0) {
            return item;
        }
    }
    return NULL;
}

const struct value *sxp_get(const struct value *sxp, const char *key)
{
    const struct value *child = sxp_child(sxp, key, 0);

    return child != NULL && child->count > 1 ? child->items[1] : NULL;
}

const char *sxp_get_text(const struct value *sxp, const char *key, const char *fallback)
{
    return value_text(sxp_get(sxp, key), fallback);
}

int64_t sxp_get_int(const struct value *sxp, const char *key, int64_t fallback)
{
    int64_t number;

    return value_to_int(sxp_get(sxp, key), &number) == 0 ? number : fallback;
}

/* An atom needs quotes if a reader of S-expressions could take it for something else. */
static bool needs_quotes(const char *s)
{
    if (*s == '\0') {
        return true;
    }
    return strpbrk(s, " \t\n\r()'\"\\") != NULL;
}

static void print_string(FILE *out, const char *s)
{
    if (!needs_quotes(s)) {
        fputs(s, out);
        return;
    }
    fputc('\'', out);
    for (; *s != '\0'; s++) {
        if (*s == '\'' || *s == '\\') {
            fputc('\\', out);
        }
        if (*s == '\n') {
            fputs("\\n", out);
        } else {
            fputc(*s, out);
        }
    }
    fputc('\'', out);
}

static bool is_flat(const struct value *v)
{
    for (size_t i = 0; i < v->count; i++) {
        if (v->items[i]->count > 0) {
            return false;
        }
    }
    return true;
}

static void print_value(FILE *out, const struct value *v, int indent);

static void print_children(FILE *out, const struct value *v, int indent)
{
    bool flat = is_flat(v);

    fputc('(', out);
    for (size_t i = 0; i < v->count; i++) {
        if (i > 0 && !flat) {
            fprintf(out, "\n%*s", indent + 4, "");
        } else if (i > 0) {
            fputc(' ', out);
        }
        if (v->keys != NULL) {
            fputc('(', out);
            print_string(out, v->keys[i]);
            fputc(' ', out);
        }
        print_value(out, v->items[i], indent + 4);
        if (v->keys != NULL) {
            fputc(')', out);
        }
    }
    if (!flat) {
        fprintf(out, "\n%*s", indent, "");
    }
    fputc(')', out);
}

static void print_value(FILE *out, const struct value *v, int indent)
{
    switch (v->type) {
    case VALUE_NIL:
        fputs("None", out);
        break;
    case VALUE_BOOL:
        fputs(v->boolean ? "True" : "False", out);
        break;
    case VALUE_INT:
        fprintf(out, "%" PRId64, v->integer);
        break;
    case VALUE_REAL:
        fprintf(out, "%.9g", v->real);
        break;
    case VALUE_STRING:
        print_string(out, v->string);
        break;
    case VALUE_LIST:
    case VALUE_DICT:
        print_children(out, v, indent);
        break;
    }
}

char *sxp_print(const struct value *sxp)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        abort();
    }
    print_value(out, sxp, 0);
    fputc('\n', out);
    fclose(out);
    return text;
}

static bool is_pair(const struct value *v)
{
    return v->type == VALUE_LIST && v->count >= 1 && v->items[0]->type == VALUE_STRING;
}

/* All items from `first` on are [key, ...] lists, and there is at least one. */
static bool is_record(const struct value *v, size_t first)
{
    if (v->type != VALUE_LIST || v->count <= first) {
        return false;
    }
    for (size_t i = first; i < v->count; i++) {
        if (!is_pair(v->items[i])) {
            return false;
        }
    }
    return true;
}

/* Keys of which there may be several: always an array, so that a client needs no special case. */
static bool is_plural(const char *key)
{
    return strcmp(key, "device") == 0 || strcmp(key, "vcpu") == 0;
}

static void object_put(struct value *object, const char *key, struct value *item)
{
    struct value *old = dict_get(object, key);
    struct value *list;

    if (old == NULL && !is_plural(key)) {
        dict_set(object, key, item);
        return;
    }
    if (old != NULL && is_plural(key)) {
        list_add(old, item);
        return;
    }
    list = value_list();
    if (old != NULL) {
        list_add(list, value_copy(old));
    }
    list_add(list, item);
    dict_set(object, key, list);
}

static struct value *record_to_object(const struct value *v, size_t first);

/* The value of the pair [key, x, ...]. */
static struct value *pair_value(const struct value *pair)
{
    const char *key = pair->items[0]->string;
    struct value *object;

    if (pair->count == 1) {
        return value_string("");
    }
    if (is_plural(key) && is_record(pair, 1) && pair->count > 2) {
        return record_to_object(pair, 1);
    }
    if (pair->count == 2 && pair->items[1]->count > 0 && pair->items[1]->type == VALUE_LIST &&
        pair->items[1]->items[0]->type == VALUE_STRING && is_record(pair->items[1], 1)) {
        object = record_to_object(pair->items[1], 1);
        dict_set(object, "class", value_string(sxp_name(pair->items[1])));
        return object;
    }
    if (pair->count == 2) {
        return value_copy(pair->items[1]);
    }
    object = value_list();
    for (size_t i = 1; i < pair->count; i++) {
        list_add(object, sxp_to_object(pair->items[i]));
    }
    return object;
}

static struct value *record_to_object(const struct value *v, size_t first)
{
    struct value *object = value_dict();

    for (size_t i = first; i < v->count; i++) {
        object_put(object, v->items[i]->items[0]->string, pair_value(v->items[i]));
    }
    return object;
}

struct value *sxp_to_object(const struct value *sxp)
{
    struct value *list;

    if (sxp->type != VALUE_LIST || sxp->count == 0) {
        return value_copy(sxp);
    }
    if (sxp->items[0]->type == VALUE_STRING && is_record(sxp, 1)) {
        return record_to_object(sxp, 1);
    }
    if (is_record(sxp, 0) && sxp->items[0]->count == 2 && sxp->items[0]->items[1]->count == 0) {
        return record_to_object(sxp, 0);
    }
    list = value_list();
    for (size_t i = 0; i < sxp->count; i++) {
        list_add(list, sxp_to_object(sxp->items[i]));
    }
    return list;
}
