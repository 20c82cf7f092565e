/*
 * Programs that xend starts. Contract: process.h.
 */
#include "network/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int spawn(char *const argv[], char *const envp[], int output, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int r;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, 1);
    posix_spawn_file_actions_adddup2(&files, output, 2);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                        POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    r = posix_spawn(pid, argv[0], &files, &attr, argv, envp);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return -r;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The last line that is not empty, of what has come so far and the next piece. */
struct tail {
    char *line;
    size_t used;
    bool ended; /* the line is complete: the next character begins another */
};

static void take(struct tail *tail, const char *piece, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (piece[i] == '\n') {
            tail->ended = tail->used > 0;
            continue;
        }
        if (tail->ended) {
            tail->used = 0;
            tail->ended = false;
        }
        if (tail->used < PROCESS_SAID - 1) {
            tail->line[tail->used++] = piece[i] >= ' ' || piece[i] < 0 ? piece[i] : ' ';
            tail->line[tail->used] = '\0';
        }
    }
}

/* Read until everyone has closed the other end. False: the time is over. */
static bool listen_to(int fd, struct tail *tail, int64_t end)
{
    char piece[256];

    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        int64_t left = end - now_ms();
        ssize_t n;

        if (left <= 0 || poll(&poll_fd, 1, (int)left) == 0) {
            return false;
        }
        n = read(fd, piece, sizeof(piece));
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return true;
        }
        if (n > 0) {
            take(tail, piece, (size_t)n);
        }
    }
}

int process_run(char *const argv[], char *const envp[], unsigned timeout_s, char said[PROCESS_SAID],
                struct error *err)
{
    int64_t end = now_ms() + (int64_t)timeout_s * 1000;
    struct tail tail = {.line = said};
    int fds[2], status = 0, r;
    bool in_time;
    pid_t pid;

    said[0] = '\0';
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return fail(err, errno, "%s cannot be started: %s.", argv[0], strerror(errno));
    }
    r = spawn(argv, envp, fds[1], &pid);
    close(fds[1]);
    if (r != 0) {
        close(fds[0]);
        return fail(err, -r, "%s cannot be started: %s.", argv[0], strerror(-r));
    }
    in_time = listen_to(fds[0], &tail, end);
    close(fds[0]);
    if (!in_time) {
        kill(-pid, SIGKILL);
    }
    /* Whoever closes both outputs and goes on forever is the exception; it is waited for. */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!in_time) {
        return fail(err, ETIMEDOUT, "%s did not end within %u s and was killed%s%s.", argv[0],
                    timeout_s, said[0] ? "; it last said: " : "", said);
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
