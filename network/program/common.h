/*
 * What the network programs share: how plans are shown, and words that all of them know.
 */
#ifndef NETWORK_PROGRAM_COMMON_H
#define NETWORK_PROGRAM_COMMON_H

#include "network/transaction.h"

#define STATE_DIR "/var/lib/xend/network"

/* What every one of them can be told. */
struct program_words {
    const char *command, *state; /* state: the folder of the journal */
    bool stop;                   /* of "plan": which plan */
    bool details, json;
    struct transaction_times times;
};

/*
 * Read "COMMAND [start|stop] NAME=VALUE...": words of its own are given to `other`, which says
 * -EINVAL with the sentence to those that it does not know. 0, or -EINVAL; the sentence is printed.
 */
int program_parse(int argc, char **argv, struct program_words *w,
                  int (*other)(const char *word, void *arg, struct error *err), void *arg);

/* A plan for people, or with json=yes for programs. */
void program_print_plan(struct netlink *nl, const struct plan *plan, const struct program_words *w);

/* Wait for the lock and roll back what a killed program left, saying so. 0 or -errno */
int program_open(struct transaction *t, const struct program_words *w, struct error *err);

/* The command "recover". 0 or -errno */
int program_recover(const struct program_words *w, struct error *err);

#endif
