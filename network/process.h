/*
 * Programs that xend starts in Domain 0: no shell, nothing inherited, always waited for.
 */
#ifndef NETWORK_PROCESS_H
#define NETWORK_PROCESS_H

#include "xend/lib/error.h"

#include <sys/types.h>

#define PROCESS_SAID 512

/*
 * Run a program to its end, in a process group of its own, with all signals as at a login and
 * /dev/null as its input. argv[0] is its whole path. `said` gets the last line that it printed (on
 * both outputs), or "". After timeout_s seconds its whole group is killed.
 *
 * Returns its exit status (128 and the signal for one that was killed), or -ETIMEDOUT, or -errno
 * where it can't be started; the last two with the sentence.
 *
 * A program that goes on in the background (a daemon) must have left its outputs: they are waited
 * for as long as the program itself.
 */
int process_run(char *const argv[], char *const envp[], unsigned timeout_s, char said[PROCESS_SAID],
                struct error *err);

#endif
