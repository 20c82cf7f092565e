/*
 * The scanner of configuration files. Contract: cfg_lex.h.
 */
#include "xend/lib/cfg_lex.h"

#include "xend/lib/alloc.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_LINE 160 /* characters of a faulty line that a message repeats */

void cfg_lexer_init(struct cfg_lexer *lx, const char *file, const char *text, size_t length)
{
    memset(lx, 0, sizeof(*lx));
    lx->file = file;
    lx->text = lx->p = lx->line_start = text;
    lx->word_start = lx->word_line_start = text;
    lx->end = text + length;
    lx->line = lx->word_line = lx->word_column = 1;
}

void cfg_lexer_finish(struct cfg_lexer *lx)
{
    free(lx->string);
    lx->string = NULL;
}

/* The faulty line with unprintable bytes made visible, and a caret under the column. */
static void show_line(const struct cfg_lexer *lx, char *out, size_t size)
{
    const char *line = lx->word_line_start;
    size_t column = (size_t)(lx->word_start - line);
    size_t first = column > SHOWN_LINE / 2 ? column - SHOWN_LINE / 2 : 0;
    size_t used = 0;

    used += (size_t)snprintf(out, size, "\n    ");
    for (size_t i = first; i < first + SHOWN_LINE && line + i < lx->end && line[i] != '\n'; i++) {
        out[used++] = isprint((unsigned char)line[i]) ? line[i] : (line[i] & 0x80) ? line[i] : ' ';
    }
    snprintf(out + used, size - used, "\n    %*s^", (int)(column - first), "");
}

int cfg_fail(struct cfg_lexer *lx, struct error *err, const char *fmt, ...)
{
    char what[300], shown[2 * SHOWN_LINE + 32];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    show_line(lx, shown, sizeof(shown));
    return fail(err, EINVAL, "%s:%u:%u: %s%s", lx->file, lx->word_line, lx->word_column, what,
                shown);
}

static char peek(const struct cfg_lexer *lx, size_t ahead)
{
    return ahead < (size_t)(lx->end - lx->p) ? lx->p[ahead] : '\0';
}

static void next_line(struct cfg_lexer *lx)
{
    lx->line++;
    lx->line_start = lx->p;
}

/* Skip white space and comments. Stops at a line's end that ends a statement. */
static void skip_space(struct cfg_lexer *lx)
{
    while (lx->p < lx->end) {
        char c = *lx->p;

        if (c == '#') {
            while (lx->p < lx->end && *lx->p != '\n') {
                lx->p++;
            }
        } else if (c == '\n' && lx->brackets > 0) {
            lx->p++;
            next_line(lx);
        } else if (c == '\\' && peek(lx, 1) == '\n') {
            lx->p += 2;
            next_line(lx);
        } else if (c == '\\' && peek(lx, 1) == '\r' && peek(lx, 2) == '\n') {
            lx->p += 3;
            next_line(lx);
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f') {
            lx->p++;
        } else {
            return;
        }
    }
}

static int hex_escape(struct cfg_lexer *lx, FILE *out, struct error *err)
{
    int c = 0;

    for (int i = 0; i < 2; i++) {
        char d = peek(lx, 0);

        if (!isxdigit((unsigned char)d)) {
            return cfg_fail(lx, err, "the string has \\x without two hexadecimal digits");
        }
        c = c * 16 + (isdigit((unsigned char)d) ? d - '0' : tolower(d) - 'a' + 10);
        lx->p++;
    }
    if (c == 0) {
        return cfg_fail(lx, err, "the string has a zero byte, which no option can hold");
    }
    fputc(c, out);
    return 0;
}

/* p stands behind a backslash inside a string. */
static int escape(struct cfg_lexer *lx, FILE *out, struct error *err)
{
    static const char from[] = "nrtabfv\\'\"", to[] = "\n\r\t\a\b\f\v\\'\"";
    char c = peek(lx, 0);
    const char *at;

    if (lx->p == lx->end) {
        return 0; /* the caller reports the missing quote */
    }
    lx->p++;
    if (c == '\n') {
        next_line(lx);
        return 0;
    }
    if (c == 'x') {
        return hex_escape(lx, out, err);
    }
    at = c ? strchr(from, c) : NULL;
    if (at != NULL) {
        fputc(to[at - from], out);
    } else {
        fputc('\\', out);
        fputc(c, out);
    }
    return 0;
}

static int string_body(struct cfg_lexer *lx, FILE *out, bool raw, struct error *err)
{
    char quote = *lx->p;
    bool triple = peek(lx, 1) == quote && peek(lx, 2) == quote;
    int rc;

    lx->p += triple ? 3 : 1;
    while (lx->p < lx->end) {
        char c = *lx->p;

        if (c == quote && (!triple || (peek(lx, 1) == quote && peek(lx, 2) == quote))) {
            lx->p += triple ? 3 : 1;
            return 0;
        }
        if (c == '\n' && !triple) {
            break;
        }
        if (c == '\0') {
            return cfg_fail(lx, err, "the string has a zero byte, which no option can hold");
        }
        lx->p++;
        if (c == '\\' && !raw) {
            rc = escape(lx, out, err);
            if (rc != 0) {
                return rc;
            }
            continue;
        }
        fputc(c, out);
        if (c == '\n') {
            next_line(lx);
        }
    }
    return cfg_fail(lx, err, "the string that starts here has no closing %.*s", triple ? 3 : 1,
                    quote == '"' ? "\"\"\"" : "'''");
}

static int read_string(struct cfg_lexer *lx, bool raw, struct error *err)
{
    size_t size;
    FILE *out;
    int rc;

    free(lx->string);
    lx->string = NULL;
    out = open_memstream(&lx->string, &size);
    if (out == NULL) {
        abort();
    }
    rc = string_body(lx, out, raw, err);
    fclose(out);
    lx->word = CFG_STRING;
    return rc;
}

static int read_number(struct cfg_lexer *lx, struct error *err)
{
    char digits[64];
    size_t n = 0;
    bool real = false;
    char *end;

    while (n < sizeof(digits) - 1 &&
           (isalnum((unsigned char)peek(lx, n)) || peek(lx, n) == '.' || peek(lx, n) == '_')) {
        digits[n] = peek(lx, n);
        real = real || digits[n] == '.';
        n++;
    }
    digits[n] = '\0';
    errno = 0;
    if (real) {
        lx->real = strtod(digits, &end);
        lx->word = CFG_REAL;
    } else if (digits[0] == '0' && (digits[1] == 'o' || digits[1] == 'O')) {
        lx->integer = strtoll(digits + 2, &end, 8);
        lx->word = CFG_INT;
    } else {
        lx->integer = strtoll(digits, &end, 0);
        lx->word = CFG_INT;
    }
    if (errno == ERANGE) {
        return cfg_fail(lx, err, "the number is too large");
    }
    if (*end != '\0') {
        return cfg_fail(lx, err, "%s is neither a number nor a name; put text into quotes", digits);
    }
    lx->p += n;
    return 0;
}

static void read_name(struct cfg_lexer *lx)
{
    size_t n = 0;

    while (isalnum((unsigned char)peek(lx, n)) || peek(lx, n) == '_' || peek(lx, n) == '.') {
        n++;
    }
    free(lx->string);
    lx->string = xstrndup(lx->p, n);
    lx->p += n;
    lx->word = CFG_NAME;
}

static int read_punct(struct cfg_lexer *lx)
{
    char c = *lx->p++;

    lx->punct = c;
    switch (c) {
    case '\n':
        next_line(lx);
        lx->word = CFG_NEWLINE;
        break;
    case ';':
        lx->word = CFG_NEWLINE;
        break;
    case '[':
    case '(':
    case '{':
        lx->brackets++;
        lx->word = CFG_OPEN;
        break;
    case ']':
    case ')':
    case '}':
        lx->brackets -= lx->brackets > 0;
        lx->word = CFG_CLOSE;
        break;
    case ',':
        lx->word = CFG_COMMA;
        break;
    case ':':
        lx->word = CFG_COLON;
        break;
    case '=':
        lx->word = CFG_ASSIGN;
        break;
    case '-':
        lx->word = CFG_MINUS;
        break;
    case '+':
        lx->word = peek(lx, 0) == '=' ? CFG_APPEND : CFG_PLUS;
        lx->p += lx->word == CFG_APPEND;
        break;
    default:
        lx->word = CFG_OTHER;
        break;
    }
    return 0;
}

int cfg_next(struct cfg_lexer *lx, struct error *err)
{
    char c;

    skip_space(lx);
    lx->word_start = lx->p;
    lx->word_line_start = lx->line_start;
    lx->word_line = lx->line;
    lx->word_column = (uint32_t)(lx->p - lx->line_start) + 1;
    if (lx->p == lx->end) {
        lx->word = CFG_END;
        return 0;
    }
    c = *lx->p;
    if (c == '"' || c == '\'') {
        return read_string(lx, false, err);
    }
    if (strchr("rRuUbB", c) != NULL && c != '\0' && (peek(lx, 1) == '"' || peek(lx, 1) == '\'')) {
        lx->p++;
        return read_string(lx, c == 'r' || c == 'R', err);
    }
    if (isdigit((unsigned char)c)) {
        return read_number(lx, err);
    }
    if (isalpha((unsigned char)c) || c == '_') {
        read_name(lx);
        return 0;
    }
    return read_punct(lx);
}
