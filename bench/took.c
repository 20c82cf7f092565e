/*
 * took [-w FILE WORD] COMMAND...: runs a command and prints how many seconds it took; with -w, also
 * how many passed from its start until FILE contained WORD (at most a minute after its end).
 * The exit status is the command's.
 *
 * Seconds are the monotonic clock's: in a machine emulated with -icount, instructions executed.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LONGEST 60.0

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool contains(const char *path, const char *word)
{
    static char text[65536];
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0) {
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    return strstr(text, word) != NULL;
}

static int run(char **command)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO); /* ours is for the numbers */
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0) {
        perror("took");
        return 127;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int main(int argc, char **argv)
{
    bool wait_for = argc > 4 && strcmp(argv[1], "-w") == 0;
    double start = now(), end;
    int status = run(argv + (wait_for ? 4 : 1));

    end = now();
    printf("took %.6f", end - start);
    if (wait_for && status == 0) {
        while (!contains(argv[2], argv[3])) {
            if (now() - end > LONGEST) {
                printf("\n");
                return 126;
            }
            usleep(500);
        }
        printf(" %.6f", now() - start);
    }
    printf("\n");
    return status;
}
