/*
 * Contract: killed.h.
 */
#include "tests/unit/network/killed.h"

#include "network/transaction.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static pid_t first;
static long stop_at = -1, die_at = -1, dog_dies_at;
static const char *dog_dies;

static long number(const char *name, long otherwise)
{
    const char *text = getenv(name);

    return text ? strtol(text, NULL, 10) : otherwise;
}

static void hook(unsigned point)
{
    static long dog_points;

    if (getpid() != first) {
        if (dog_dies != NULL && dog_points++ == dog_dies_at && unlink(dog_dies) == 0) {
            kill(getpid(), SIGKILL);
        }
        return;
    }
    if ((long)point == die_at) {
        kill(getpid(), SIGKILL);
    }
    if (stop_at >= 0 && (long)point >= stop_at) {
        kill(getpid(), SIGSTOP);
    }
}

void killed_prepare(void)
{
    first = getpid();
    stop_at = number("STOP_AT", -1);
    die_at = number("DIE_AT", -1);
    dog_dies = getenv("DOG_DIES");
    dog_dies_at = number("DOG_DIES_AT", 0);
    transaction_hook = hook;
}
