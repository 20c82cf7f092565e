/*
 * Going into the background. Contract: background.h.
 *
 * A pipe from child to parent: one zero byte is success, anything else is the sentence of a
 * failure, and nothing at all is a child that died.
 *
 * The supervisor does nothing but wait: no threads, no files. What is killed by a signal other than
 * SIGTERM or SIGINT is started again; who ends by itself, well or not, meant it.
 */
#include "xend/background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int ready = -1;

static void wait_and_exit(int fd)
{
    char text[1024];
    size_t used = 0;
    ssize_t n;

    while (used < sizeof(text) - 1 && ((n = read(fd, text + used, sizeof(text) - 1 - used)) > 0 ||
                                       (n < 0 && errno == EINTR))) {
        used += n > 0 ? (size_t)n : 0;
    }
    text[used] = '\0';
    if (used == 1 && text[0] == '\0') {
        _exit(0);
    }
    fprintf(stderr, "xend: %s\n", used ? text : "It ended while it was starting: see its log.");
    _exit(1);
}

int background_start(bool keep_output, struct error *err)
{
    int fds[2], null;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) != 0) {
        return fail(err, errno, "There is no pipe: %s.", strerror(errno));
    }
    pid = fork();
    if (pid < 0) {
        return fail(err, errno, "There is no process for the background: %s.", strerror(errno));
    }
    if (pid > 0) {
        close(fds[1]);
        wait_and_exit(fds[0]);
    }
    close(fds[0]);
    ready = fds[1];
    setsid();
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (chdir("/") != 0 || null < 0) {
        return fail(err, errno, "The background has no place: %s.", strerror(errno));
    }
    dup2(null, STDIN_FILENO);
    if (!keep_output) {
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
    return 0;
}

static volatile sig_atomic_t supervised;

/* Who wants the supervisor to end wants xend to. */
static void pass_on(int number)
{
    if (supervised > 0) {
        kill((pid_t)supervised, number);
    }
}

/* Waits for the end of xend; ends too if that was meant. */
static void wait_for_fall(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    supervised = 0;
    if (WIFEXITED(status)) {
        _exit(WEXITSTATUS(status));
    }
    if (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGINT) {
        _exit(0);
    }
}

int background_supervise(struct error *err)
{
    struct sigaction forward = {.sa_handler = pass_on};
    unsigned quick = 0;

    for (;;) {
        time_t started = time(NULL);
        pid_t pid = fork();

        if (pid < 0) {
            return fail(err, errno, "There is no process to supervise: %s.", strerror(errno));
        }
        if (pid == 0) {
            signal(SIGTERM, SIG_DFL);
            signal(SIGINT, SIG_DFL);
            return 0;
        }
        supervised = pid;
        sigaction(SIGTERM, &forward, NULL);
        sigaction(SIGINT, &forward, NULL);
        if (ready >= 0) { /* the first child answers */
            close(ready);
            ready = -1;
        }
        wait_for_fall(pid);
        /* One that falls at once each time is not started a thousand times a second. */
        quick = time(NULL) - started < 2 ? quick + 1 : 0;
        usleep(quick > 10 ? 1000000 : 20000);
    }
}

void background_ready(const char *sentence)
{
    if (ready < 0) {
        return;
    }
    if (write(ready, sentence ? sentence : "", sentence ? strlen(sentence) : 1) < 0) {
        /* The parent has gone: nobody wants to know. */
    }
    close(ready);
    ready = -1;
}
