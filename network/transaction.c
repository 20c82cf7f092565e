/*
 * Transactions. Contract and design: transaction.h.
 */
#include "network/transaction.h"

#include "network/journal.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOCK_STEP_MS   20
#define ROLLBACK_TRIES 5
#define ROLLBACK_PAUSE 200000 /* microseconds between tries */

const struct transaction_times transaction_times_usual = {
    .carrier_ms = 15000, .answer_ms = 5000, .hold_ms = 500, .limit_ms = 60000};

void (*transaction_hook)(unsigned point);
static unsigned points;

static void point(void)
{
    if (transaction_hook != NULL) {
        transaction_hook(points++);
    }
}

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int open_lock(const char *dir)
{
    auto_str path = xprintf("%s/lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    return fd < 0 ? -errno : fd;
}

/* One try to take back the first `begun` steps, the last first. The first error is told. */
static int undo(struct netlink *nl, const struct plan *plan, size_t begun, struct error *err)
{
    uint32_t age = (uint32_t)(plan_now() - plan->made);
    int rc = 0;

    while (begun-- > 0) {
        const struct changes *cs = &plan->steps[begun].changes;

        for (size_t i = cs->count; i-- > 0;) {
            struct error one;
            int one_rc;

            point();
            one_rc = change_do(nl, &cs->list[i], false, age, &one);
            if (one_rc != 0 && rc == 0) {
                rc = one_rc;
                *err = one;
            }
        }
    }
    return rc;
}

/* Take back what was begun and end the journal. */
static int roll_back(const char *dir, struct netlink *nl, const struct plan *plan, size_t begun,
                     struct error *err)
{
    int rc = undo(nl, plan, begun, err);

    for (int i = 1; rc != 0 && i < ROLLBACK_TRIES; i++) {
        usleep(ROLLBACK_PAUSE);
        rc = undo(nl, plan, begun, err);
    }
    if (rc != 0) {
        journal_log(dir, "%s: could not be rolled back: %s", plan->title, err->msg);
        journal_put_aside(dir);
        return rc;
    }
    journal_log(dir, "%s: rolled back after %zu of %zu steps.", plan->title, begun, plan->count);
    point();
    return journal_end(dir, err);
}

static void start_watchdog(struct transaction *t, int limit_ms);

/* With the lock held: is there something of a dead program to roll back? */
static int recover(struct transaction *t, bool guarded, struct error *err)
{
    auto_netlink nl = {0};
    auto_plan plan = {0};
    size_t begun;
    int rc = journal_read(t->dir, &plan, &begun, err);

    if (rc != 0 || begun == 0) {
        return rc ? rc : journal_end(t->dir, err);
    }
    if (guarded) {
        start_watchdog(t, transaction_times_usual.limit_ms);
    }
    rc = netlink_open(&nl, err);
    rc = rc ? rc : roll_back(t->dir, &nl, &plan, begun, err);
    if (rc == 0) {
        str_set(&t->undone, plan.title);
    }
    return rc;
}

static void quiet_signals(struct sigaction *saved)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        sigaction(signals[i], &ignore, saved ? &saved[i] : NULL);
    }
}

static void restore_signals(const struct sigaction *saved)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        sigaction(signals[i], &saved[i], NULL);
    }
}

/* The watchdog's life: wait for the lock, look at the journal. It never returns. */
static void watch(const char *dir, pid_t watched, int limit_ms)
{
    struct transaction t = {.dir = xstrdup(dir), .lock = open_lock(dir), .journal = -1};
    long end = now_ms() + limit_ms;
    struct error err;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    setsid();
    quiet_signals(NULL);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
    while (t.lock >= 0 && flock(t.lock, LOCK_EX | LOCK_NB) != 0) {
        if (now_ms() > end && getppid() == watched) {
            journal_log(dir, "Process %d hangs and is ended.", (int)watched);
            kill(watched, SIGKILL);
        }
        usleep(LOCK_STEP_MS * 1000);
    }
    recover(&t, true, &err);
    _exit(0);
}

static void start_watchdog(struct transaction *t, int limit_ms)
{
    pid_t self = getpid(), child;
    int fd;

    fflush(NULL);
    child = fork();
    if (child != 0) {
        t->watchdog = child > 0 ? child : 0;
        return;
    }
    close(t->lock); /* else it would live on in the child */
    if (t->journal >= 0) {
        close(t->journal);
    }
    fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (write(fd, "-1000", 5) < 0) {
            /* Not allowed in a container: then it is as mortal as the others. */
        }
        close(fd);
    }
    watch(t->dir, self, limit_ms);
}

/* A watchdog that was killed gets a successor. */
static void keep_watchdog(struct transaction *t, int limit_ms)
{
    if (t->watchdog == 0 || waitpid(t->watchdog, NULL, WNOHANG) == t->watchdog) {
        start_watchdog(t, limit_ms);
    }
}

static int make_folder(const char *dir, struct error *err)
{
    auto_str path = xstrdup(dir);

    for (char *p = path + 1;; p++) {
        bool last = *p == '\0';

        if (*p == '/' || last) {
            *p = '\0';
            if (mkdir(path, 0700) != 0 && errno != EEXIST) {
                return fail(err, errno, "The folder %s cannot be made: %s.", path, strerror(errno));
            }
            *p = '/';
        }
        if (last) {
            return 0;
        }
    }
}

int transaction_open(struct transaction *t, const char *dir, struct error *err)
{
    int rc;

    *t = (struct transaction){.dir = xstrdup(dir), .lock = -1, .journal = -1};
    rc = make_folder(dir, err);
    if (rc != 0) {
        return rc;
    }
    t->lock = open_lock(dir);
    if (t->lock < 0) {
        return fail(err, -t->lock, "The lock in %s cannot be opened: %s.", dir, strerror(-t->lock));
    }
    while (flock(t->lock, LOCK_EX) != 0) {
        if (errno != EINTR) {
            return fail(err, errno, "The lock in %s cannot be taken: %s.", dir, strerror(errno));
        }
    }
    return recover(t, true, err);
}

/* Forwards, each step after its line in the journal; *begun counts them. */
static int do_steps(struct transaction *t, struct netlink *nl, const struct plan *plan,
                    const struct transaction_times *times, size_t *begun, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < plan->count; i++) {
        const struct changes *cs = &plan->steps[i].changes;

        point();
        rc = journal_step(t->journal, i, err);
        *begun = rc == 0 ? i + 1 : *begun;
        for (size_t c = 0; rc == 0 && c < cs->count; c++) {
            keep_watchdog(t, times->limit_ms);
            point();
            rc = change_do(nl, &cs->list[c], true, (uint32_t)(plan_now() - plan->made), err);
        }
    }
    return rc;
}

static int still_alive(struct netlink *nl, const struct plan *plan,
                       const struct transaction_times *times, struct error *err)
{
    int rc = probe_run(nl, &plan->probe, times->carrier_ms, times->answer_ms, err);

    if (rc == 0) {
        usleep((useconds_t)times->hold_ms * 1000);
        rc = probe_run(nl, &plan->probe, times->carrier_ms, times->answer_ms, err);
    }
    return rc;
}

static int run_journalled(struct transaction *t, struct netlink *nl, const struct plan *plan,
                          const struct transaction_times *times, struct error *err)
{
    struct error back;
    size_t begun = 0;
    int rc = do_steps(t, nl, plan, times, &begun, err), back_rc;

    point();
    rc = rc ? rc : still_alive(nl, plan, times, err);
    if (rc == 0) {
        journal_log(t->dir, "%s: done in %zu steps.", plan->title, plan->count);
        point();
        return journal_end(t->dir, err);
    }
    back_rc = roll_back(t->dir, nl, plan, begun, &back);
    if (back_rc != 0) {
        return fail(err, -rc, "%.300s What was done could not be rolled back: %.300s", err->msg,
                    back.msg);
    }
    return fail(err, -rc, "%.600s Everything was rolled back.", err->msg);
}

int transaction_run(struct transaction *t, struct netlink *nl, const struct plan *plan,
                    const struct transaction_times *times, struct error *err)
{
    struct sigaction saved[5];
    int rc;

    if (plan->count == 0) {
        return 0;
    }
    keep_watchdog(t, times->limit_ms);
    point();
    t->journal = journal_begin(t->dir, plan, err);
    if (t->journal < 0) {
        return t->journal;
    }
    quiet_signals(saved);
    rc = run_journalled(t, nl, plan, times, err);
    restore_signals(saved);
    return rc;
}

void transaction_close(struct transaction *t)
{
    if (t->journal >= 0) {
        close(t->journal);
    }
    if (t->lock >= 0) {
        close(t->lock);
    }
    if (t->watchdog != 0) { /* it gets the lock now, finds no journal, and ends */
        waitpid(t->watchdog, NULL, 0);
    }
    free(t->undone);
    free(t->dir);
}
