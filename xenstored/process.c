/*
 * Being a daemon. Read process.h first.
 */
#include "xenstored/process.h"
#include "xenstored/util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

static int ready_pipe = -1;

void process_daemonize(void)
{
    int pipe_fds[2];
    char byte;
    pid_t pid;

    if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
        die("cannot make a pipe: %m");
    }
    pid = fork();
    if (pid < 0) {
        die("cannot fork: %m");
    }
    if (pid > 0) {
        close(pipe_fds[1]);
        _exit(read(pipe_fds[0], &byte, 1) == 1 ? 0 : 1);
    }
    close(pipe_fds[0]);
    ready_pipe = pipe_fds[1];
    setsid();
    if (chdir("/") < 0) {
        die("cannot change to /: %m");
    }
    umask(0);
}

/* systemd's protocol for services of Type=notify. */
static void notify_systemd(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    int fd;

    if (!path || strlen(path) >= sizeof(addr.sun_path)) {
        return;
    }
    strcpy(addr.sun_path, path);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));

        if (path[0] == '@') {
            addr.sun_path[0] = '\0';
        }
        if (sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&addr, len) < 0) {
            log_msg(LOG_WARNING, "cannot tell systemd: %m");
        }
        close(fd);
    }
}

/* Lets go of whoever's terminal or pipe this is. */
static void close_standard_files(void)
{
    int null = open("/dev/null", O_RDWR);

    for (int fd = 0; fd < 3 && null >= 0; fd++) {
        dup2(null, fd);
    }
    if (null > 2) {
        close(null);
    }
}

void process_ready(bool daemonized)
{
    if (daemonized) {
        close_standard_files();
    }
    if (ready_pipe >= 0) {
        if (write(ready_pipe, "", 1) < 0) {
            log_msg(LOG_WARNING, "whoever started us has gone");
        }
        close(ready_pipe);
        ready_pipe = -1;
    }
    notify_systemd();
}

void process_pidfile(const char *path)
{
    char text[24];
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int len;

    if (fd < 0) {
        die("cannot open the pid file %s: %m", path);
    }
    if (lockf(fd, F_TLOCK, 0) < 0) {
        log_msg(LOG_NOTICE, "%s is locked: it is running already", path);
        exit(0);
    }
    len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0 || write(fd, text, (size_t)len) != len) {
        die("cannot write the pid file %s: %m", path);
    }
    /* Stays open: the lock is what says that we run. */
}

static volatile pid_t supervised;

/* Whoever wants the supervisor to end wants the daemon to. */
static void pass_on(int signal_number)
{
    if (supervised > 0) {
        kill(supervised, signal_number);
    }
}

/* Was the daemon asked to end, or was it killed or did it fall? */
static bool ended_on_purpose(int status)
{
    return WIFEXITED(status) || WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGINT;
}

void process_supervise(bool daemonized)
{
    struct sigaction act = {.sa_handler = pass_on};
    unsigned quick = 0;

    for (;;) {
        uint64_t started = now_ms();
        pid_t pid = fork();
        int status;

        if (pid < 0) {
            die("cannot fork: %m");
        }
        if (pid == 0) {
            signal(SIGTERM, SIG_DFL);
            signal(SIGINT, SIG_DFL);
            signal(SIGHUP, SIG_DFL);
            return;
        }
        supervised = pid;
        sigaction(SIGTERM, &act, NULL);
        sigaction(SIGINT, &act, NULL);
        sigaction(SIGHUP, &act, NULL);
        if (ready_pipe >= 0) {
            close(ready_pipe);
            ready_pipe = -1;
        }
        if (daemonized) {
            log_to_syslog(true);
            close_standard_files();
        }
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        if (ended_on_purpose(status)) {
            exit(WIFEXITED(status) ? WEXITSTATUS(status) : 0);
        }
        log_msg(LOG_ERR, "killed by signal %d: starting again", WTERMSIG(status));
        /* Where it falls at once each time, not too often. */
        quick = now_ms() - started < 1000 ? quick + 1 : 0;
        if (quick > 10) {
            usleep(quick > 50 ? 1000000 : 50000);
        }
    }
}
