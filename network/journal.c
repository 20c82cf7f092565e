/*
 * The journal. Contract: journal.h.
 *
 *   {"boot": "...", "network": "...", "plan": {...}}     the machine's boot and network namespace
 *   at 0
 *   at 1
 *
 * A line that is not whole was never acted on: the line is on disk before its step begins.
 */
#include "network/journal.h"

#include "xend/lib/alloc.h"
#include "xend/lib/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_JOURNAL (16 << 20)

static char *read_all(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0, size = 4096;
    char *text;
    ssize_t n;

    if (fd < 0) {
        return NULL;
    }
    text = xalloc(size);
    while ((n = read(fd, text + used, size - used - 1)) > 0 && used < MAX_JOURNAL) {
        used += (size_t)n;
        if (size - used < 4096) {
            size *= 2;
            text = xrealloc(text, size);
        }
    }
    close(fd);
    text[used] = '\0';
    return text;
}

static char *boot(void)
{
    char *id = read_all("/proc/sys/kernel/random/boot_id");

    if (id != NULL) {
        id[strcspn(id, "\n")] = '\0';
    }
    return id ? id : xstrdup("");
}

static char *name_space(void)
{
    char text[64] = "";

    if (readlink("/proc/self/ns/net", text, sizeof(text) - 1) < 0) {
        text[0] = '\0';
    }
    return xstrdup(text);
}

static int sync_folder(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

    r = fd < 0 ? -1 : fsync(fd);
    if (fd >= 0) {
        close(fd);
    }
    return r;
}

static int write_line(int fd, const char *text)
{
    size_t size = strlen(text), done = 0;

    while (done < size) {
        ssize_t n = write(fd, text + done, size - done);

        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return fdatasync(fd) == 0 ? 0 : -errno;
}

int journal_begin(const char *dir, const struct plan *plan, struct error *err)
{
    auto_str path = xprintf("%s/journal", dir);
    auto_str fresh = xprintf("%s/journal.new", dir);
    auto_value head = value_dict();
    auto_str json = NULL;
    auto_str line = NULL;
    int fd, rc;

    dict_set(head, "boot", value_take(boot()));
    dict_set(head, "network", value_take(name_space()));
    dict_set(head, "plan", plan_write(plan, NULL));
    json = json_write(head, false);
    line = xprintf("%s\n", json);
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    rc = fd < 0 ? -errno : write_line(fd, line);
    if (rc == 0 && (rename(fresh, path) != 0 || sync_folder(dir) != 0)) {
        rc = -errno;
    }
    if (rc != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return fail(err, -rc, "The journal %s cannot be written: %s. Nothing was changed.", path,
                    strerror(-rc));
    }
    return fd;
}

int journal_step(int fd, size_t step, struct error *err)
{
    char line[32];
    int rc;

    snprintf(line, sizeof(line), "at %zu\n", step);
    rc = write_line(fd, line);
    return rc ? fail(err, -rc, "The journal cannot be written: %s.", strerror(-rc)) : 0;
}

int journal_end(const char *dir, struct error *err)
{
    auto_str path = xprintf("%s/journal", dir);

    if ((unlink(path) != 0 && errno != ENOENT) || sync_folder(dir) != 0) {
        return fail(err, errno, "The journal %s cannot be removed: %s.", path, strerror(errno));
    }
    return 0;
}

void journal_put_aside(const char *dir)
{
    auto_str path = xprintf("%s/journal", dir);
    auto_str aside = xprintf("%s/journal.failed", dir);

    if (rename(path, aside) == 0) {
        sync_folder(dir);
    }
}

/* How many steps the lines after the first say to have begun. */
static size_t count_begun(const char *lines, size_t steps)
{
    size_t begun = 0;

    while (lines != NULL && (lines = strchr(lines, '\n')) != NULL) {
        char *end;
        unsigned long n;

        lines++;
        if (strncmp(lines, "at ", 3) == 0) {
            n = strtoul(lines + 3, &end, 10);
            if (*end == '\n' && n < steps && n + 1 > begun) {
                begun = n + 1;
            }
        }
    }
    return begun;
}

int journal_read(const char *dir, struct plan *plan, size_t *begun, struct error *err)
{
    auto_str path = xprintf("%s/journal", dir);
    auto_str text = read_all(path);
    auto_str this_boot = boot();
    auto_str here = name_space();
    auto_value head = NULL;
    int rc;

    memset(plan, 0, sizeof(*plan));
    *begun = 0;
    if (text == NULL) {
        return 0;
    }
    rc = json_read(text, strcspn(text, "\n"), &head, err);
    if (rc != 0) {
        return fail_prefix(err, "The journal %s: ", path);
    }
    if (strcmp(value_text(dict_get(head, "boot"), ""), this_boot) != 0) {
        return journal_end(dir, err);
    }
    if (strcmp(value_text(dict_get(head, "network"), ""), here) != 0) {
        return fail(err, EXDEV,
                    "The journal %s is of another network namespace: remove it if that "
                    "is gone.",
                    path);
    }
    rc = plan_read(dict_get(head, "plan"), plan, err);
    if (rc == 0) {
        *begun = count_begun(text, plan->count);
    }
    return rc;
}

void journal_log(const char *dir, const char *fmt, ...)
{
    auto_str path = xprintf("%s/log", dir);
    char line[1024], when[32];
    time_t now = time(NULL);
    struct tm tm;
    va_list args;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0) {
        return;
    }
    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    localtime_r(&now, &tm);
    strftime(when, sizeof(when), "%F %T", &tm);
    dprintf(fd, "%s %s\n", when, line);
    close(fd);
}
