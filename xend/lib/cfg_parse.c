/*
 * The parser of configuration files. Contract and grammar: cfg_parse.h.
 */
#include "xend/lib/cfg_parse.h"

#include "xend/lib/alloc.h"
#include "xend/lib/cfg_lex.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE (1 << 20)

struct parser {
    struct cfg_lexer lx;
    struct value *config; /* what was assigned so far */
    struct error *err;
};

static int expr(struct parser *ps, unsigned depth, struct value **out);

static struct value *placed(struct value *v, uint32_t line, uint32_t column)
{
    v->line = line;
    v->column = column;
    return v;
}

/* After "{": string ":" expr, ... "}" */
static int dict_items(struct parser *ps, unsigned depth, struct value *dict)
{
    auto_str key = NULL;
    struct value *item;
    int rc;

    for (;;) {
        if (ps->lx.word == CFG_CLOSE && ps->lx.punct == '}') {
            return cfg_next(&ps->lx, ps->err);
        }
        if (ps->lx.word != CFG_STRING) {
            return cfg_fail(&ps->lx, ps->err, "a dictionary's key must be a string in quotes");
        }
        str_set(&key, ps->lx.string);
        rc = cfg_next(&ps->lx, ps->err);
        if (rc == 0 && ps->lx.word != CFG_COLON) {
            rc = cfg_fail(&ps->lx, ps->err, "there must be a colon after a dictionary's key");
        }
        rc = rc ? rc : cfg_next(&ps->lx, ps->err);
        rc = rc ? rc : expr(ps, depth + 1, &item);
        if (rc != 0) {
            return rc;
        }
        dict_set(dict, key, item);
        if (ps->lx.word == CFG_COMMA) {
            rc = cfg_next(&ps->lx, ps->err);
        } else if (ps->lx.word != CFG_CLOSE || ps->lx.punct != '}') {
            rc = cfg_fail(&ps->lx, ps->err, "there must be a comma or } after this entry");
        }
        if (rc != 0) {
            return rc;
        }
    }
}

/* After "[" or "(": expr, ... and the closing bracket. */
static int list_items(struct parser *ps, unsigned depth, char close, struct value *list,
                      bool *comma)
{
    struct value *item;
    int rc = 0;

    *comma = false;
    while (rc == 0) {
        if (ps->lx.word == CFG_CLOSE && ps->lx.punct == close) {
            return cfg_next(&ps->lx, ps->err);
        }
        rc = expr(ps, depth + 1, &item);
        if (rc != 0) {
            break;
        }
        list_add(list, item);
        if (ps->lx.word == CFG_COMMA) {
            *comma = true;
            rc = cfg_next(&ps->lx, ps->err);
        } else if (ps->lx.word == CFG_END) {
            rc = cfg_fail(&ps->lx, ps->err,
                          "the file ends inside a list that was opened on line %u: add a %c",
                          list->line, close);
        } else if (ps->lx.word != CFG_CLOSE || ps->lx.punct != close) {
            rc = cfg_fail(&ps->lx, ps->err, "there must be a comma or %c before this", close);
        }
    }
    return rc;
}

static int bracketed(struct parser *ps, unsigned depth, struct value **out)
{
    char open = ps->lx.punct;
    bool comma;
    struct value *v =
        placed(open == '{' ? value_dict() : value_list(), ps->lx.word_line, ps->lx.word_column);
    int rc = cfg_next(&ps->lx, ps->err);

    if (rc == 0 && open == '{') {
        rc = dict_items(ps, depth, v);
    } else if (rc == 0) {
        rc = list_items(ps, depth, open == '[' ? ']' : ')', v, &comma);
    }
    if (rc != 0) {
        value_free(v);
        return rc;
    }
    if (open == '(' && v->count == 1 && !comma) { /* brackets for grouping, not a tuple */
        *out = v->items[0];
        v->count = 0;
        value_free(v);
    } else {
        *out = v;
    }
    return 0;
}

static int strings(struct parser *ps, struct value **out)
{
    struct value *v = placed(value_string(""), ps->lx.word_line, ps->lx.word_column);
    int rc = 0;

    while (rc == 0 && ps->lx.word == CFG_STRING) {
        char *joined = xprintf("%s%s", v->string, ps->lx.string);

        free(v->string);
        v->string = joined;
        rc = cfg_next(&ps->lx, ps->err);
    }
    if (rc != 0) {
        value_free(v);
        return rc;
    }
    *out = v;
    return 0;
}

static int name_term(struct parser *ps, struct value **out)
{
    const char *name = ps->lx.string;
    const struct value *earlier = dict_get(ps->config, name);

    if (strcmp(name, "True") == 0 || strcmp(name, "False") == 0) {
        *out = value_bool(name[0] == 'T');
    } else if (strcmp(name, "None") == 0) {
        *out = value_nil();
    } else if (earlier != NULL) {
        *out = value_copy(earlier);
    } else {
        return cfg_fail(&ps->lx, ps->err,
                        "%s was not assigned before this line; put text into quotes", name);
    }
    placed(*out, ps->lx.word_line, ps->lx.word_column);
    if (cfg_next(&ps->lx, ps->err) != 0) {
        value_free(*out);
        return -EINVAL;
    }
    return 0;
}

static int number_term(struct parser *ps, struct value **out)
{
    bool negative = ps->lx.word == CFG_MINUS;
    uint32_t line = ps->lx.word_line, column = ps->lx.word_column;
    struct value *v;

    if (negative) {
        if (cfg_next(&ps->lx, ps->err) != 0) {
            return -EINVAL;
        }
        if (ps->lx.word != CFG_INT && ps->lx.word != CFG_REAL) {
            return cfg_fail(&ps->lx, ps->err, "there must be a number after the minus sign");
        }
    }
    if (ps->lx.word == CFG_INT) {
        v = value_int(negative ? -ps->lx.integer : ps->lx.integer);
    } else {
        v = value_real(negative ? -ps->lx.real : ps->lx.real);
    }
    if (cfg_next(&ps->lx, ps->err) != 0) {
        value_free(v);
        return -EINVAL;
    }
    *out = placed(v, line, column);
    return 0;
}

static int term(struct parser *ps, unsigned depth, struct value **out)
{
    switch (ps->lx.word) {
    case CFG_OPEN:
        if (depth > VALUE_MAX_DEPTH) {
            return cfg_fail(&ps->lx, ps->err, "lists are nested too deeply");
        }
        return bracketed(ps, depth, out);
    case CFG_STRING:
        return strings(ps, out);
    case CFG_NAME:
        return name_term(ps, out);
    case CFG_INT:
    case CFG_REAL:
    case CFG_MINUS:
        return number_term(ps, out);
    case CFG_NEWLINE:
    case CFG_END:
        return cfg_fail(&ps->lx, ps->err, "a value is missing here");
    case CFG_CLOSE:
    case CFG_COMMA:
    case CFG_COLON:
    case CFG_ASSIGN:
    case CFG_APPEND:
    case CFG_PLUS:
    case CFG_OTHER:
        break;
    }
    return cfg_fail(&ps->lx, ps->err, "there must be a value here, not %.*s",
                    (int)(ps->lx.p - ps->lx.word_start), ps->lx.word_start);
}

/* left += right; takes over right. False if these two can't be added. */
static bool add(struct value *left, struct value *right)
{
    int64_t sum;

    if (left->type == VALUE_STRING && right->type == VALUE_STRING) {
        char *joined = xprintf("%s%s", left->string, right->string);

        free(left->string);
        left->string = joined;
    } else if (left->type == VALUE_INT && right->type == VALUE_INT) {
        if (__builtin_add_overflow(left->integer, right->integer, &sum)) {
            value_free(right);
            return false;
        }
        left->integer = sum;
    } else if (left->type == VALUE_LIST && right->type == VALUE_LIST) {
        for (size_t i = 0; i < right->count; i++) {
            list_add(left, right->items[i]);
        }
        right->count = 0;
    } else {
        value_free(right);
        return false;
    }
    value_free(right);
    return true;
}

static int expr(struct parser *ps, unsigned depth, struct value **out)
{
    struct value *left, *right;
    int rc = term(ps, depth, &left);

    while (rc == 0 && ps->lx.word == CFG_PLUS) {
        rc = cfg_next(&ps->lx, ps->err);
        rc = rc ? rc : term(ps, depth, &right);
        if (rc == 0 && !add(left, right)) {
            rc = cfg_fail(&ps->lx, ps->err,
                          "only two strings, two numbers or two lists can be "
                          "added");
        }
        if (rc != 0) {
            value_free(left);
        }
    }
    *out = left;
    return rc;
}

/* A statement that begins like Python's other kinds deserves a better word than "unexpected". */
static bool is_python_statement(const char *name)
{
    static const char *const words[] = {"import", "from", "def",  "if",    "for",    "while",
                                        "class",  "try",  "with", "print", "lambda", "del",
                                        "return", "exec", "else", "elif",  "pass"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static int assign(struct parser *ps, const char *name, bool append)
{
    struct value *v, *old = dict_get(ps->config, name);
    int rc = expr(ps, 0, &v);

    if (rc != 0) {
        return rc;
    }
    if (ps->lx.word != CFG_NEWLINE && ps->lx.word != CFG_END) {
        value_free(v);
        if (ps->lx.word == CFG_OPEN) {
            return cfg_fail(&ps->lx, ps->err,
                            "a call or an index is a program, and this file is read, not run: "
                            "write the value itself");
        }
        return cfg_fail(&ps->lx, ps->err, "the line should end before this");
    }
    if (append && old != NULL) {
        return add(old, v)
                   ? 0
                   : cfg_fail(&ps->lx, ps->err, "+= needs two strings, two numbers or two lists");
    }
    dict_set(ps->config, name, v);
    return 0;
}

static int statement(struct parser *ps)
{
    auto_str name = NULL;
    bool append;
    int rc;

    if (ps->lx.word != CFG_NAME) {
        return cfg_fail(&ps->lx, ps->err,
                        "a line must begin with an option's name, as in "
                        "memory = 512");
    }
    if (is_python_statement(ps->lx.string)) {
        return cfg_fail(&ps->lx, ps->err,
                        "%s is a program statement, and this file is read, not run: write the "
                        "resulting values",
                        ps->lx.string);
    }
    name = xstrdup(ps->lx.string);
    rc = cfg_next(&ps->lx, ps->err);
    if (rc != 0) {
        return rc;
    }
    append = ps->lx.word == CFG_APPEND;
    if (ps->lx.word != CFG_ASSIGN && !append) {
        return cfg_fail(&ps->lx, ps->err, "there must be a = after %s", name);
    }
    rc = cfg_next(&ps->lx, ps->err);
    return rc ? rc : assign(ps, name, append);
}

int cfg_parse(const char *file, const char *text, size_t length, struct value **out,
              struct error *err)
{
    struct parser ps = {.err = err};
    int rc;

    cfg_lexer_init(&ps.lx, file, text, length);
    ps.config = value_dict();
    rc = cfg_next(&ps.lx, err);
    while (rc == 0 && ps.lx.word != CFG_END) {
        if (ps.lx.word != CFG_NEWLINE) {
            rc = statement(&ps);
        }
        if (rc == 0 && ps.lx.word != CFG_END) {
            rc = cfg_next(&ps.lx, err);
        }
    }
    cfg_lexer_finish(&ps.lx);
    if (rc != 0) {
        value_free(ps.config);
        return rc;
    }
    *out = ps.config;
    return 0;
}

static int read_file(const char *path, char **text, size_t *length, struct error *err)
{
    struct stat st;
    ssize_t r = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return fail(err, errno, "The file %s cannot be read: %s.", path, strerror(errno));
    }
    if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode)) {
        close(fd);
        return fail(err, EISDIR, "%s is a directory; name a configuration file in it.", path);
    }
    *text = xalloc(MAX_FILE + 1);
    *length = 0;
    while (*length <= MAX_FILE && (r = read(fd, *text + *length, MAX_FILE + 1 - *length)) > 0) {
        *length += (size_t)r;
    }
    close(fd);
    if (r < 0 || *length > MAX_FILE) {
        free(*text);
        *text = NULL;
        return r < 0 ? fail(err, EIO, "The file %s cannot be read.", path)
                     : fail(err, EFBIG, "The file %s is too large for a configuration.", path);
    }
    return 0;
}

int cfg_parse_file(const char *path, struct value **out, struct error *err)
{
    auto_str text = NULL;
    size_t length = 0;
    int rc = read_file(path, &text, &length, err);

    return rc ? rc : cfg_parse(path, text, length, out, err);
}

int cfg_override(struct value *config, const char *assignment, struct error *err)
{
    const char *equals = strchr(assignment, '=');
    auto_str key = NULL;
    struct parser ps = {.config = config, .err = NULL};
    struct value *v = NULL;
    int rc;

    if (equals == NULL || equals == assignment) {
        return fail(err, EINVAL, "%s is neither an option nor key=value.", assignment);
    }
    key = xstrndup(assignment, (size_t)(equals - assignment));
    if (strchr("[('\"{-0123456789", equals[1]) != NULL && equals[1] != '\0') {
        cfg_lexer_init(&ps.lx, "command line", equals + 1, strlen(equals + 1));
        rc = cfg_next(&ps.lx, NULL);
        rc = rc ? rc : expr(&ps, 0, &v);
        if (rc == 0 && ps.lx.word != CFG_END) {
            value_free(v);
            v = NULL;
        } else if (rc != 0) {
            v = NULL;
        }
        cfg_lexer_finish(&ps.lx);
    }
    dict_set(config, key, v ? v : value_string(equals + 1));
    return 0;
}
