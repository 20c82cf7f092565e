/*
 * Live update. Read liveupdate.h first.
 */
#include "xenstored/liveupdate.h"
#include "xenstored/domain.h"
#include "xenstored/platform.h"
#include "xenstored/record.h"
#include "xenstored/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#define MAX_ARGS 64

static char **first_argv;
static char *program, *arguments;
static struct conn *asked_by; /* NULL: nobody */
static struct xsd_sockmsg asked;

void liveupdate_init(char **argv)
{
    first_argv = argv;
}

static const char *set_program(const char *file)
{
    if (access(file, X_OK) < 0) {
        return "Cannot execute this file.";
    }
    free(program);
    program = strdup(file);
    return NULL;
}

int liveupdate_control(struct request *r, char *args[], unsigned count)
{
    const char *wrong = NULL;

    if (count < 1) {
        return -EINVAL;
    }
    if (strcmp(args[0], "-a") == 0 && count == 1) {
        wrong = program ? NULL : "No live-update session active.";
        free(program);
        program = NULL;
    } else if (strcmp(args[0], "-f") == 0 && count == 2) {
        wrong = set_program(args[1]);
    } else if (strcmp(args[0], "-c") == 0 && count == 2) {
        wrong = program ? NULL : "Not in live-update session.";
        free(arguments);
        arguments = strdup(args[1]);
    } else if (strcmp(args[0], "-s") == 0) {
        if (program && record_wanted()) {
            asked_by = r->conn;
            asked = r->conn->request;
            return 0; /* answered by liveupdate_run, or by the new program */
        }
        wrong = program ? "No state directory: nothing can be handed over."
                        : "Not in live-update session.";
    } else {
        return -EINVAL;
    }
    wrong = wrong ? wrong : "OK";
    conn_reply(r->conn, XS_CONTROL, wrong, strlen(wrong) + 1);
    return 0;
}

/* Builds the new command line: the program's, with "-U". */
static void build_argv(char **argv)
{
    int n = 0, given = 0;
    char *word, *rest = arguments;

    argv[n++] = program;
    if (arguments) {
        while (n < MAX_ARGS - 2 && (word = strtok_r(rest, " \t", &rest))) {
            argv[n++] = word;
        }
    } else {
        while (first_argv[++given] && n < MAX_ARGS - 2) {
            if (strcmp(first_argv[given], "-U") != 0) {
                argv[n++] = first_argv[given];
            }
        }
    }
    argv[n++] = (char *)(uintptr_t) "-U";
    argv[n] = NULL;
}

/* Lets a descriptor live on in the new program, or not after all. */
static void keep_open(int fd, bool keep)
{
    if (fd >= 0) {
        fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
    }
}

static void keep_all_open(bool keep)
{
    struct list *pos;

    keep_open(socket_listen_fd(), keep);
    keep_open(platform->event_fd(), keep);
    list_each(pos, &connections)
    {
        keep_open(container_of(pos, struct conn, link)->fd, keep);
    }
}

static bool still_there(const struct conn *c)
{
    struct list *pos;

    list_each(pos, &connections)
    {
        if (container_of(pos, struct conn, link) == c) {
            return !c->closing;
        }
    }
    return false;
}

void liveupdate_run(void)
{
    struct conn *c = asked_by;
    char *argv[MAX_ARGS];
    size_t out_len;
    uint32_t marks;
    int rc;

    if (!c) {
        return;
    }
    asked_by = NULL;
    if (!still_there(c)) {
        return;
    }
    /* The answer is part of the state: whoever takes over sends it. */
    out_len = c->out.len;
    marks = c->marks.count;
    c->request = asked;
    conn_reply(c, XS_CONTROL, "OK", 3);
    record_global()->listen_fd = socket_listen_fd();
    record_global()->event_fd = platform->event_fd();
    build_argv(argv);
    log_msg(LOG_INFO, "live update: starting %s", program);
    rc = persist_snapshot(true);
    if (rc == 0) {
        keep_all_open(true);
        execv(program, argv);
        rc = -errno;
        keep_all_open(false);
    }
    log_msg(LOG_ERR, "live update: cannot start %s: %s", program, strerror(-rc));
    c->out.len = out_len;
    c->marks.count = marks;
    persist_snapshot(false);
    conn_reply(c, XS_CONTROL, "Cannot start the new program.", 30);
    persist_commit();
}
