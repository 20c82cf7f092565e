/*
 * Values: the one form in which everything foreign travels through xend and xm.
 *
 * A config file, an XML-RPC call, a JSON document, a state file and an S-expression all become a
 * tree of these, and are checked in that form (domcfg.h, api.c). A value owns its children; a tree
 * is freed through its root. Depth is bounded by VALUE_MAX_DEPTH in every reader, so that walking
 * a tree recursively is safe.
 *
 * Dictionaries keep the order of insertion.
 */
#ifndef XEND_LIB_VALUE_H
#define XEND_LIB_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_MAX_DEPTH 32

enum value_type {
    VALUE_NIL,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_REAL,
    VALUE_STRING,
    VALUE_LIST,
    VALUE_DICT,
};

struct value {
    enum value_type type;
    uint32_t line, column; /* where it stood in a config file, from 1; 0 if it did not */
    union {
        bool boolean;
        int64_t integer;
        double real;
        char *string;
    };
    /* LIST and DICT: the children. keys is NULL for a list. */
    struct value **items;
    char **keys;
    size_t count, capacity;
};

struct value *value_nil(void);
struct value *value_bool(bool b);
struct value *value_int(int64_t i);
struct value *value_real(double r);
struct value *value_string(const char *s); /* copies; NULL becomes "" */
struct value *value_take(char *s);         /* takes over s */
struct value *value_list(void);
struct value *value_dict(void);
void value_free(struct value *v); /* NULL is fine */
struct value *value_copy(const struct value *v);

/* Append to a list / set a key of a dictionary; both take over item. */
void list_add(struct value *list, struct value *item);
void dict_set(struct value *dict, const char *key, struct value *item);
/* NULL if dict is no dictionary or has no such key. */
struct value *dict_get(const struct value *dict, const char *key);
void dict_remove(struct value *dict, const char *key);

bool value_equal(const struct value *a, const struct value *b);
/* "a number", "a string"...: for error messages. */
const char *value_type_name(const struct value *v);

/* The text of a string, or fallback for any other type (and for NULL). */
const char *value_text(const struct value *v, const char *fallback);
/*
 * A whole number from an integer, a boolean, an integral real or a string that is one (classic
 * clients send all four). Returns 0, or -EINVAL.
 */
int value_to_int(const struct value *v, int64_t *out);

void value_cleanup(struct value **slot);
#define auto_value __attribute__((cleanup(value_cleanup))) struct value *

#endif
