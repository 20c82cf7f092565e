/*
 * Words of the command line, and saying what went wrong. Contract: command.h.
 */
#include "xm/command.h"

#include "xend/lib/alloc.h"
#include "xend/lib/json.h"
#include "xm/client.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void drop(struct args *args, int i, int n)
{
    memmove(&args->words[i], &args->words[i + n],
            (size_t)(args->count - i - n) * sizeof(args->words[0]));
    args->count -= n;
}

static bool is(const char *word, const char *name)
{
    return name != NULL && strcmp(word, name) == 0;
}

bool args_flag(struct args *args, const char *brief, const char *full)
{
    bool found = false;

    for (int i = 0; i < args->count; i++) {
        if (is(args->words[i], brief) || is(args->words[i], full)) {
            drop(args, i--, 1);
            found = true;
        }
    }
    return found;
}

char *args_value(struct args *args, const char *brief, const char *full)
{
    char *value = NULL;

    for (int i = 0; i < args->count; i++) {
        char *word = args->words[i], *equals = strchr(word, '=');

        if ((is(word, brief) || is(word, full)) && i + 1 < args->count) {
            value = args->words[i + 1];
            drop(args, i--, 2);
        } else if (full != NULL && equals != NULL && (size_t)(equals - word) == strlen(full) &&
                   strncmp(word, full, strlen(full)) == 0) {
            value = equals + 1;
            drop(args, i--, 1);
        }
    }
    return value;
}

int args_done(struct args *args)
{
    const struct command *c = args->command;

    for (int i = 0; i < args->count; i++) {
        if (args->words[i][0] == '-' && args->words[i][1] != '\0' &&
            !isdigit((unsigned char)args->words[i][1])) {
            fprintf(stderr, "xm %s has no option %s, or it lacks its value: see xm help %s.\n",
                    c->name, args->words[i], c->name);
            return XM_USAGE;
        }
    }
    if (args->count < c->least || (c->most >= 0 && args->count > c->most)) {
        fprintf(stderr, "Write it as: xm %s %s\n", c->name, c->words);
        return XM_USAGE;
    }
    return XM_OK;
}

int report(int rc, const struct error *err)
{
    if (rc == 0) {
        return XM_OK;
    }
    fprintf(stderr, "%s\n", err->msg);
    switch (-rc) {
    case ESRCH:
        return XM_NO_DOMAIN;
    case ECONNREFUSED:
    case EACCES:
        return XM_NO_XEND;
    case ETIMEDOUT:
        return XM_TIMEOUT;
    default:
        return XM_FAILED;
    }
}

int call(const char *method, struct value *args, struct value **result)
{
    struct error err = {0};

    return report(client_call(method, args, result, &err), &err);
}

int simple_call(const char *method, struct value *args)
{
    return call(method, args, NULL);
}

unsigned parse_mib(const char *text)
{
    char *end;
    unsigned long long n = strtoull(text, &end, 10);

    if (tolower((unsigned char)*end) == 'g') {
        n *= 1024;
        end++;
    } else if (tolower((unsigned char)*end) == 'm') {
        end++;
    } else if (tolower((unsigned char)*end) == 'k') {
        n /= 1024;
        end++;
    }
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || n == 0 || n > 16u << 20) {
        fprintf(stderr, "\"%s\" is no amount of memory: write MiB, as 512, or 2g.\n", text);
        return 0;
    }
    return (unsigned)n;
}

int print_json(const struct value *v)
{
    auto_str text = json_write(v, true);

    puts(text);
    return XM_OK;
}
