/*
 * The words of a configuration file.
 *
 * A file in the classic xm syntax looks like a small Python program of assignments. It is read and
 * never executed. This is the scanner: it knows names, numbers, strings in all of Python's quotes,
 * punctuation, comments, and where lines continue. cfg_parse.h builds values from the words.
 */
#ifndef XEND_LIB_CFG_LEX_H
#define XEND_LIB_CFG_LEX_H

#include "xend/lib/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cfg_word {
    CFG_END,     /* end of the text */
    CFG_NEWLINE, /* end of a statement: a line's end outside brackets, or ';' */
    CFG_NAME,
    CFG_INT,
    CFG_REAL,
    CFG_STRING,
    CFG_OPEN,  /* [ ( { in `punct` */
    CFG_CLOSE, /* ] ) } in `punct` */
    CFG_COMMA,
    CFG_COLON,
    CFG_ASSIGN, /* = */
    CFG_APPEND, /* += */
    CFG_PLUS,
    CFG_MINUS,
    CFG_OTHER, /* a character that has no meaning here, in `punct` */
};

struct cfg_lexer {
    const char *file; /* for messages */
    const char *text, *end;
    const char *p;          /* next character */
    const char *line_start; /* of the line that p is on */
    uint32_t line;
    unsigned brackets; /* open ones: inside them a line's end is white space */

    /* The current word. */
    enum cfg_word word;
    const char *word_start, *word_line_start;
    uint32_t word_line, word_column;
    char punct;
    char *string; /* NAME and STRING: the text; owned by the lexer */
    int64_t integer;
    double real;
};

void cfg_lexer_init(struct cfg_lexer *lx, const char *file, const char *text, size_t length);
void cfg_lexer_finish(struct cfg_lexer *lx);

/* Read the next word. Returns 0, or -EINVAL with file, line, column and a caret in err. */
int cfg_next(struct cfg_lexer *lx, struct error *err);

/* Report an error at the current word, with the line and a caret under it. Returns -EINVAL. */
int cfg_fail(struct cfg_lexer *lx, struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
