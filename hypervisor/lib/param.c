/*
 * The command line: options are declared all over the tree (param.h) and gathered by the linker
 * between __param_start and __param_end. Nothing is printed while parsing (there is no console
 * yet): complaints are kept, and reported later.
 */
#include <hospes/lib.h>
#include <hospes/param.h>
#include <hospes/errno.h>

extern const struct param __param_start[], __param_end[];

char saved_cmdline[1024];

/* Options that nobody declared or whose value was refused: ends of strings in `words`. */
#define MAX_COMPLAINTS 16u
static __initdata struct {
    char text[48];
    bool unknown;
} complaints[MAX_COMPLAINTS];
static __initdata unsigned int nr_complaints;

uint64_t parse_size(const char *s, const char **end)
{
    char *e;
    uint64_t v = strtoul(s, &e, 0);
    unsigned int shift = 0;

    switch (*e | 0x20) {
    case 'k':
        shift = 10;
        break;
    case 'm':
        shift = 20;
        break;
    case 'g':
        shift = 30;
        break;
    case 't':
        shift = 40;
        break;
    default:
        break;
    }
    if (shift != 0) {
        e++;
        v = v > ~0ull >> shift ? ~0ull : v << shift;
    }
    if (end != NULL) {
        *end = e;
    }
    return v;
}

int __init parse_bool(const char *s, size_t n)
{
    static const char *const words[] = {"0",  "1",     "no",   "yes",     "off",
                                        "on", "false", "true", "disable", "enable"};

    for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
        if (n == strlen(words[i]) && strncmp(s, words[i], n) == 0) {
            return (int)(i & 1);
        }
    }
    return n == 0 ? 1 : -1;
}

int __init parse_words(const char *list, int (*fn)(const char *word, size_t n))
{
    int rc = 0;

    while (*list) {
        const char *comma = strchr(list, ',');
        size_t n = comma ? (size_t)(comma - list) : strlen(list);

        if (fn(list, n) != 0) {
            rc = -EINVAL;
        }
        list += n + (comma != NULL);
    }
    return rc;
}

/* Writes a number into the variable, whatever its width; -EINVAL when it does not fit. */
static int __init store_number(const struct param *p, uint64_t v)
{
    if (p->len < 8 && v >> (8 * p->len) != 0) {
        return -EINVAL;
    }
    memcpy(p->var, &v, p->len); /* little-endian, as all we run on */
    return 0;
}

/* value is NULL when the word had no '='. */
static int __init apply(const struct param *p, const char *value, bool negated)
{
    const char *text = value ? value : "", *end;
    char *e;
    uint64_t v;
    int b;

    if (negated && p->type != PARAM_BOOL) {
        return p->type == PARAM_FN ? p->fn("no") : -EINVAL;
    }
    switch (p->type) {
    case PARAM_STR:
        return strlcpy(p->var, text, p->len) < p->len ? 0 : -EINVAL;
    case PARAM_BOOL:
        b = parse_bool(text, strlen(text));
        if (b < 0) {
            return -EINVAL;
        }
        *(bool *)p->var = (b != 0) != negated;
        return 0;
    case PARAM_UINT:
        v = strtoul(text, &e, 0);
        return e == text || *e != '\0' ? -EINVAL : store_number(p, v);
    case PARAM_SIZE:
        v = parse_size(text, &end);
        return end == text || *end != '\0' ? -EINVAL : store_number(p, v);
    case PARAM_FN:
        return p->fn(text);
    }
    return -EINVAL;
}

static void __init complain(const char *word, bool unknown)
{
    if (nr_complaints < MAX_COMPLAINTS) {
        strlcpy(complaints[nr_complaints].text, word, sizeof(complaints[0].text));
        complaints[nr_complaints].unknown = unknown;
    }
    nr_complaints++;
}

/* Every declaration of that name gets the value: two subjects may share an option. */
static unsigned int __init apply_all(const char *name, const char *value, bool negated, int *rc)
{
    const struct param *p;
    unsigned int found = 0;

    for (p = __param_start; p < __param_end; p++) {
        if (strcmp(p->name, name) == 0) {
            found++;
            if (apply(p, value, negated) != 0) {
                *rc = -EINVAL;
            }
        }
    }
    return found;
}

/* word is "name", "name=value" or "no-name", and may be written to. */
static void __init handle_word(char *word)
{
    char whole[48];
    char *value = strchr(word, '=');
    unsigned int found;
    int rc = 0;

    strlcpy(whole, word, sizeof(whole));
    if (value != NULL) {
        *value++ = '\0';
    }
    found = apply_all(word, value, false, &rc);
    if (found == 0 && value == NULL && strncmp(word, "no-", 3) == 0) {
        found = apply_all(word + 3, NULL, true, &rc);
    }
    if (found == 0 || rc != 0) {
        complain(whole, found == 0);
    }
}

void __init cmdline_parse(const char *cmdline)
{
    char word[256];
    size_t n;
    bool quoted;

    strlcpy(saved_cmdline, cmdline, sizeof(saved_cmdline));
    for (;;) {
        while (*cmdline == ' ' || *cmdline == '\t') {
            cmdline++;
        }
        if (*cmdline == '\0') {
            return;
        }
        quoted = false;
        n = 0;
        for (; *cmdline != '\0' && (quoted || (*cmdline != ' ' && *cmdline != '\t')); cmdline++) {
            if (*cmdline == '"') {
                quoted = !quoted;
            } else if (n < sizeof(word) - 1) {
                word[n++] = *cmdline;
            }
        }
        word[n] = '\0';
        if (strcmp(word, "--") == 0) {
            return;
        }
        handle_word(word);
    }
}

void __init cmdline_report(void)
{
    unsigned int i;

    for (i = 0; i < min(nr_complaints, MAX_COMPLAINTS); i++) {
        printk(LOG_WARNING "Command line: %s \"%s\"\n",
               complaints[i].unknown ? "nobody knows the option" : "no such value:",
               complaints[i].text);
    }
    if (nr_complaints > MAX_COMPLAINTS) {
        printk(LOG_WARNING "Command line: and %u more like these\n",
               nr_complaints - MAX_COMPLAINTS);
    }
}
