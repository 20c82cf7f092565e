/*
 * The journal of a transaction: a file of lines, forced to disk. Used by transaction.c only.
 */
#ifndef NETWORK_JOURNAL_H
#define NETWORK_JOURNAL_H

#include "network/plan.h"

/* Begin one for this plan. An open file, or -errno with the sentence. */
int journal_begin(const char *dir, const struct plan *plan, struct error *err);
/* Step number `step` (an index) begins. 0 or -errno */
int journal_step(int fd, size_t step, struct error *err);
/* The plan is done, or rolled back: the journal goes away. */
int journal_end(const char *dir, struct error *err);
/* It could not be rolled back: keep it under another name for a person to look at. */
void journal_put_aside(const char *dir);

/*
 * What a dead program left: the plan and how many of its steps had begun. *begun is 0 and the plan
 * empty if there is none, or none of this boot. 0 or -errno: it can't be read.
 */
int journal_read(const char *dir, struct plan *plan, size_t *begun, struct error *err);

/* A line for people in the folder's log. */
void journal_log(const char *dir, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
