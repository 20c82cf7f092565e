/*
 * What the network programs share. Contract: common.h.
 */
#include "network/program/common.h"

#include "network/bridge_options.h"
#include "xend/lib/alloc.h"
#include "xend/lib/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int set_wait(struct transaction_times *times, const char *value)
{
    char *end;
    unsigned long seconds = strtoul(value, &end, 10);

    times->carrier_ms = (int)seconds * 1000;
    times->answer_ms = (int)seconds * 1000 / 3;
    times->limit_ms = (int)seconds * 4000;
    return *value >= '1' && *value <= '9' && *end == '\0' && seconds <= 3600 ? 0 : -EINVAL;
}

/* 1: the word is none of ours. */
static int set_word(struct program_words *w, const char *word, struct error *err)
{
    const char *value;

    if ((value = option_value(word, "state")) != NULL) {
        w->state = value;
    } else if ((value = option_value(word, "details")) != NULL) {
        w->details = strcmp(value, "yes") == 0;
    } else if ((value = option_value(word, "json")) != NULL) {
        w->json = strcmp(value, "yes") == 0;
    } else if ((value = option_value(word, "wait")) != NULL) {
        return set_wait(&w->times, value) ? fail(err, EINVAL, "%s: seconds are wanted.", word) : 0;
    } else {
        return 1;
    }
    return 0;
}

int program_parse(int argc, char **argv, struct program_words *w,
                  int (*other)(const char *word, void *arg, struct error *err), void *arg)
{
    const char *slash = strrchr(argv[0], '/');
    int i = 1;

    if (i < argc && strchr(argv[i], '=') == NULL) {
        w->command = argv[i++];
    }
    if (i < argc && strcmp(w->command, "plan") == 0 && strchr(argv[i], '=') == NULL) {
        w->stop = strcmp(argv[i], "stop") == 0;
        if (!w->stop && strcmp(argv[i], "start") != 0) {
            return -EINVAL;
        }
        i++;
    }
    for (; i < argc; i++) {
        struct error err;
        int rc = set_word(w, argv[i], &err);

        rc = rc > 0 ? other(argv[i], arg, &err) : rc;
        if (rc != 0) {
            fprintf(stderr, "%s: %s\n", slash ? slash + 1 : argv[0], err.msg);
            return -EINVAL;
        }
    }
    return 0;
}

void program_print_plan(struct netlink *nl, const struct plan *plan, const struct program_words *w)
{
    auto_value v = plan_write(plan, nl);

    if (w->json) {
        auto_str text = json_write(v, true);

        puts(text);
        return;
    }
    printf("%s\n", plan->title);
    for (size_t i = 0; i < plan->count; i++) {
        const struct value *details = dict_get(dict_get(v, "steps")->items[i], "details");

        printf("  %zu. %s\n", i + 1, plan->steps[i].text);
        for (size_t n = 0; w->details && n < details->count; n++) {
            printf("       %s\n", value_text(details->items[n], ""));
        }
    }
    if (plan->count == 0) {
        puts("  Nothing is to be done: it is so already.");
    } else {
        printf("Then: %s; if not, everything is rolled back.\n",
               value_text(dict_get(v, "asked"), ""));
    }
}

int program_open(struct transaction *t, const struct program_words *w, struct error *err)
{
    int rc = transaction_open(t, w->state, err);

    if (rc == 0 && t->undone != NULL) {
        printf("Rolled back what a killed program had left: %s\n", t->undone);
    }
    return rc;
}

int program_recover(const struct program_words *w, struct error *err)
{
    struct transaction t;
    int rc = transaction_open(&t, w->state, err);

    if (rc == 0) {
        printf("%s%s\n", t.undone ? "Rolled back: " : "There was nothing to roll back.",
               t.undone ? t.undone : "");
    }
    transaction_close(&t);
    return rc;
}
