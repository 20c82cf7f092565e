/*
 * network-bridge with a way to stop and kill it at any point of a transaction, for bridge_mode.py.
 *
 *   STOP_AT=N     stop (SIGSTOP) at every point from number N on: the test looks, and continues it
 *   DIE_AT=N      SIGKILL at point number N
 *   DOG_DIES=FILE the watchdog that finds this file at its DOG_DIES_AT-th point removes it and dies
 */
#include "network/program/network_bridge.h"
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

int main(int argc, char **argv)
{
    first = getpid();
    stop_at = number("STOP_AT", -1);
    die_at = number("DIE_AT", -1);
    dog_dies = getenv("DOG_DIES");
    dog_dies_at = number("DOG_DIES_AT", 0);
    transaction_hook = hook;
    return network_bridge_main(argc, argv);
}
