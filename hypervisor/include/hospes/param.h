/*
 * The command line of the hypervisor. Each subject declares its options where they are used; an
 * option nobody declared is named in a warning.
 */
#ifndef HOSPES_PARAM_H
#define HOSPES_PARAM_H

#include <hospes/types.h>

enum param_type { PARAM_STR, PARAM_BOOL, PARAM_UINT, PARAM_SIZE, PARAM_FN };

struct param {
    const char *name;
    enum param_type type;
    unsigned int len; /* bytes at var */
    void *var;        /* string buffer, bool, unsigned integer, bytes (K, M, G, T suffixes) */
    int (*fn)(const char *value); /* PARAM_FN: 0 or -EINVAL, which is reported with the option */
    const char *help;
};

#define PARAM_(ident, n, t, v, l, f, h)                               \
    static const struct param __used __section(".param") __aligned(8) \
        param_##ident = {.name = (n), .type = (t), .var = (v), .len = (l), .fn = (f), .help = (h)}
/* "name=text" into a char array */
#define string_param(ident, name, array, help) \
    PARAM_(ident, name, PARAM_STR, array, sizeof(array), NULL, help)
/* "name", "name=on|off|yes|no|1|0", "no-name" */
#define bool_param(ident, name, var, help) \
    PARAM_(ident, name, PARAM_BOOL, &(var), sizeof(var), NULL, help)
#define uint_param(ident, name, var, help) \
    PARAM_(ident, name, PARAM_UINT, &(var), sizeof(var), NULL, help)
#define size_param(ident, name, var, help) \
    PARAM_(ident, name, PARAM_SIZE, &(var), sizeof(var), NULL, help)
#define custom_param(ident, name, fn, help) PARAM_(ident, name, PARAM_FN, NULL, 0, fn, help)

/* Boot: before anything that an option changes. Unknown and bad options are remembered... */
void cmdline_parse(const char *cmdline);
/* ...and reported here, when there is a console. */
void cmdline_report(void);
extern char saved_cmdline[1024]; /* for xen_version and the log */

/* Parses "512M", "2G", "0x1000", plain bytes; *end behind it. */
uint64_t parse_size(const char *s, const char **end);

/* What n characters mean: 1 or 0, or -1 when it is neither. None at all mean yes. Boot only. */
int parse_bool(const char *s, size_t n);
/* Gives fn each word between commas. 0, or -EINVAL if fn did not know one; it gets them all. Boot
 * only. */
int parse_words(const char *list, int (*fn)(const char *word, size_t n));

#endif
