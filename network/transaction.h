/*
 * Transactions: a plan is done whole or not at all, whatever happens to the program that does it.
 *
 * The journal is a file: the plan, then a line for each step before it begins, each forced to disk.
 * Whoever works on the network holds a lock beside it, which the kernel releases when that process
 * dies. So a dead program is a journal without its end and without a holder of the lock, and
 * whoever gets the lock then rolls the plan back:
 *
 * - the watchdog, a child that each transaction starts first. It waits for the lock, and nothing
 *   else: it notices a SIGKILL within a few hundredths of a second. Before it rolls back it starts
 *   a watchdog of its own. It also ends a program that hangs. Killed itself, it is replaced.
 * - the next transaction, and xend when it starts: when both were killed at once.
 *
 * A journal of before the machine's last boot is of no use and is thrown away. Read first: plan.h.
 */
#ifndef NETWORK_TRANSACTION_H
#define NETWORK_TRANSACTION_H

#include "network/plan.h"

struct transaction {
    char *dir;
    int lock;     /* held while it is not -1 */
    int journal;  /* -1: none is open */
    int watchdog; /* its process, 0: none */
    char *undone; /* the title of the plan that transaction_open() had to roll back, or NULL */
};

/* How long to wait for life after a plan, and for a program that hangs. */
struct transaction_times {
    int carrier_ms, answer_ms; /* see probe_run() */
    int hold_ms;               /* it must still be alive after so long */
    int limit_ms;              /* the watchdog ends a program that takes longer */
};

extern const struct transaction_times transaction_times_usual;

/*
 * Make the folder, wait for the lock (a transaction that runs ends within its limit), and roll back
 * what a dead program left. 0 or -errno; whatever it returns, transaction_close() is called.
 */
int transaction_open(struct transaction *t, const char *dir, struct error *err);

/*
 * Do the plan: journal, steps, probe. If a step or the probe fails, everything is rolled back and
 * the sentence says why, and that it was. Signals that end a program are held off meanwhile.
 * 0 or -errno
 */
int transaction_run(struct transaction *t, struct netlink *nl, const struct plan *plan,
                    const struct transaction_times *times, struct error *err);
void transaction_close(struct transaction *t);

/* For tests: called before every change and every line of the journal, with a running number. */
extern void (*transaction_hook)(unsigned point);

#endif
