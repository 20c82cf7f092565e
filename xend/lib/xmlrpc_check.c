/*
 * The shape of XML-RPC calls. Contract: xmlrpc_check.h.
 *
 * A stack of open elements; a row for each element says inside of which it may stand, how many
 * children it must have, and whether it holds text.
 */
#include "xend/lib/xmlrpc_check.h"

#include "xend/lib/value.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH (VALUE_MAX_DEPTH * 4 + 4)

static const struct row {
    const char *name, *parents; /* parents: names between blanks; "" for the root */
    unsigned least, most;       /* children */
    bool text;
} rows[] = {
    {"methodCall", "", 1, 2, false},
    {"methodName", " methodCall ", 0, 0, true},
    {"params", " methodCall ", 0, 64, false},
    {"param", " params ", 1, 1, false},
    {"value", " param data member ", 0, 1, true},
    {"array", " value ", 1, 1, false},
    {"data", " array ", 0, 65536, false},
    {"struct", " value ", 0, 4096, false},
    {"member", " struct ", 2, 2, false},
    {"name", " member ", 0, 0, true},
    {"i4", " value ", 0, 0, true},
    {"int", " value ", 0, 0, true},
    {"i8", " value ", 0, 0, true},
    {"boolean", " value ", 0, 0, true},
    {"double", " value ", 0, 0, true},
    {"string", " value ", 0, 0, true},
    {"nil", " value ", 0, 0, false},
};

struct checker {
    const char *p, *end;
    const struct row *stack[MAX_DEPTH];
    unsigned children[MAX_DEPTH];
    bool has_text[MAX_DEPTH];
    const char *start[MAX_DEPTH]; /* of an element's contents */
    unsigned depth, roots;
};

static int bad(struct error *err, const char *what, const char *name, size_t n)
{
    return fail(err, EBADMSG, "The request is no XML-RPC call: %s%.*s.", what, (int)n, name);
}

static const struct row *find(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strlen(rows[i].name) == n && memcmp(rows[i].name, name, n) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static bool may_stand(const struct checker *ck, const struct row *row)
{
    const char *at = row->parents, *parent;

    if (ck->depth == 0) {
        return at[0] == '\0' && ck->roots == 0;
    }
    parent = ck->stack[ck->depth - 1]->name;
    while ((at = strstr(at, parent)) != NULL) {
        if (at > row->parents && at[-1] == ' ' && at[strlen(parent)] == ' ') {
            return true;
        }
        at++;
    }
    return false;
}

/* In a member the name comes first, in a call the methodName. */
static bool in_order(const struct checker *ck, const struct row *row)
{
    const char *parent = ck->depth ? ck->stack[ck->depth - 1]->name : "";
    bool first = ck->depth && ck->children[ck->depth - 1] == 0;

    if (strcmp(parent, "member") == 0) {
        return first == (strcmp(row->name, "name") == 0);
    }
    if (strcmp(parent, "methodCall") == 0) {
        return first == (strcmp(row->name, "methodName") == 0);
    }
    return true;
}

static int open_element(struct checker *ck, const char *name, size_t n, struct error *err)
{
    const struct row *row = find(name, n);

    if (row == NULL) {
        return bad(err, "it has an element ", name, n < 40 ? n : 40);
    }
    if (ck->depth == MAX_DEPTH) {
        return bad(err, "it is nested too deeply", "", 0);
    }
    if (!may_stand(ck, row) || !in_order(ck, row)) {
        return bad(err, "this element is out of place: ", name, n);
    }
    if (ck->depth > 0) {
        if (++ck->children[ck->depth - 1] > ck->stack[ck->depth - 1]->most) {
            return bad(err, "there are too many of ", name, n);
        }
        if (ck->has_text[ck->depth - 1]) {
            return bad(err, "there is text before ", name, n);
        }
    } else {
        ck->roots++;
    }
    ck->stack[ck->depth] = row;
    ck->children[ck->depth] = 0;
    ck->has_text[ck->depth] = false;
    ck->start[ck->depth] = ck->p;
    ck->depth++;
    return 0;
}

/* Numbers that xmlrpc-c can read; it words complaints about others badly, too. */
static bool is_number(const char *name, const char *from, size_t n)
{
    char digits[48], *end;
    bool real = strcmp(name, "double") == 0;
    long long value;

    if (n == 0 || n >= sizeof(digits)) {
        return false;
    }
    memcpy(digits, from, n);
    digits[n] = '\0';
    if (digits[strspn(digits, real ? "+-.0123456789eE" : "+-0123456789")] != '\0') {
        return false;
    }
    errno = 0;
    if (real) {
        strtod(digits, &end);
        return errno == 0 && end == digits + n;
    }
    value = strtoll(digits, &end, 10);
    if (errno != 0 || end != digits + n) {
        return false;
    }
    if (strcmp(name, "boolean") == 0) {
        return n == 1 && (value == 0 || value == 1);
    }
    return strcmp(name, "i8") == 0 || value == (int32_t)value;
}

static int close_element(struct checker *ck, const char *name, size_t n, const char *end,
                         struct error *err)
{
    const struct row *row = ck->depth ? ck->stack[ck->depth - 1] : NULL;

    if (row == NULL || strlen(row->name) != n || memcmp(row->name, name, n) != 0) {
        return bad(err, "this end has no beginning: ", name, n < 40 ? n : 40);
    }
    ck->depth--;
    if (ck->children[ck->depth] < row->least) {
        return bad(err, "something is missing in ", name, n);
    }
    if ((row->name[0] == 'i' || row->name[0] == 'b' || strcmp(row->name, "double") == 0) &&
        !is_number(row->name, ck->start[ck->depth], (size_t)(end - ck->start[ck->depth]))) {
        return bad(err, "there is no such number as this ", name, n);
    }
    return 0;
}

/* p stands behind '<'. */
static int tag(struct checker *ck, struct error *err)
{
    const char *start = ck->p - 1;
    bool end = ck->p < ck->end && *ck->p == '/', empty;
    const char *name, *close = memchr(ck->p, '>', (size_t)(ck->end - ck->p));
    size_t n = 0;
    int rc;

    if (close == NULL) {
        return bad(err, "it ends inside of a tag", "", 0);
    }
    name = ck->p + end;
    while (name + n < close && (isalnum((unsigned char)name[n]) || name[n] == ':')) {
        n++;
    }
    ck->p = name + n;
    while (ck->p < close && isspace((unsigned char)*ck->p)) {
        ck->p++;
    }
    empty = !end && ck->p + 1 == close && *ck->p == '/';
    if (n == 0 || (ck->p != close && !empty)) {
        return bad(err, "there is a tag that is none of XML-RPC's", "", 0);
    }
    ck->p = close + 1;
    rc = end ? close_element(ck, name, n, start, err) : open_element(ck, name, n, err);
    return rc || !empty ? rc : close_element(ck, name, n, ck->p, err);
}

static int text(struct checker *ck, struct error *err)
{
    if (isspace((unsigned char)*ck->p)) {
        return 0;
    }
    if (ck->depth == 0 || !ck->stack[ck->depth - 1]->text || ck->children[ck->depth - 1] > 0) {
        return bad(err, "there is text where none belongs", "", 0);
    }
    ck->has_text[ck->depth - 1] = true;
    return 0;
}

int xmlrpc_check_call(const char *xml, size_t length, struct error *err)
{
    struct checker ck = {.p = xml, .end = xml + length};
    const char *declaration_end;
    int rc = 0;

    while (ck.p < ck.end && isspace((unsigned char)*ck.p)) {
        ck.p++;
    }
    if (ck.end - ck.p > 5 && memcmp(ck.p, "<?xml", 5) == 0) {
        declaration_end = memchr(ck.p, '>', (size_t)(ck.end - ck.p));
        ck.p = declaration_end ? declaration_end + 1 : ck.end;
    }
    while (rc == 0 && ck.p < ck.end) {
        if (*ck.p == '<') {
            ck.p++;
            rc = tag(&ck, err);
        } else {
            rc = text(&ck, err);
            ck.p++;
        }
    }
    if (rc == 0 && (ck.depth > 0 || ck.roots == 0)) {
        rc = bad(err, "it is not complete", "", 0);
    }
    return rc;
}
