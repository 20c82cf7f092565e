/*
 * Forwarding of packets by Domain 0. Contract: forwarding.h.
 *
 * The file has lines "user NAME" and "setting PATH OLD-VALUE", in the order in which they came.
 */
#include "network/forwarding.h"

#include "network/link.h"
#include "network/sysctl.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char *file_path;

void forwarding_file(const char *path)
{
    str_set(&file_path, path);
}

static const char *where(void)
{
    return file_path ? file_path : "/run/hospes/forwarding";
}

/* The file, locked against other processes and threads until it is closed, and its text. */
struct notes {
    int fd;
    char text[8192];
};

static void notes_close(struct notes *notes)
{
    if (notes->fd >= 0) {
        close(notes->fd);
    }
}

#define auto_notes __attribute__((cleanup(notes_close))) struct notes

/* What the file is in, if that is not there. */
static void make_folder(void)
{
    auto_str folder = xstrdup(where());
    char *end = strrchr(folder, '/');

    if (end != NULL && end != folder) {
        *end = '\0';
        if (mkdir(folder, 0755) == 0) {
            chmod(folder, 0755); /* whatever our umask is: dnsmasq's folder is in it */
        }
    }
}

static int notes_open(struct notes *notes, struct error *err)
{
    struct stat here, now;
    ssize_t n;

    make_folder();
    for (;;) {
        notes->fd = open(where(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (notes->fd < 0 || flock(notes->fd, LOCK_EX) != 0 || fstat(notes->fd, &here) != 0) {
            return fail(err, errno, "%s cannot be opened: %s.", where(), strerror(errno));
        }
        if (stat(where(), &now) == 0 && now.st_ino == here.st_ino) {
            break;
        }
        close(notes->fd); /* it was removed while we waited */
    }
    n = pread(notes->fd, notes->text, sizeof(notes->text) - 1, 0);
    notes->text[n > 0 ? n : 0] = '\0';
    return 0;
}

/* Append a line that is not there yet. 1: it was */
static int note(struct notes *notes, const char *line, struct error *err)
{
    size_t used = strlen(notes->text);
    auto_str whole = xprintf("%s\n", line);

    if (strstr(notes->text, whole) != NULL) {
        return 1;
    }
    if (used + strlen(whole) >= sizeof(notes->text) ||
        write(notes->fd, whole, strlen(whole)) != (ssize_t)strlen(whole)) {
        return fail(err, ENOSPC, "%s cannot be written.", where());
    }
    memcpy(notes->text + used, whole, strlen(whole) + 1);
    return 0;
}

static int change(struct notes *notes, const char *path, const char *value, struct error *err)
{
    char old[16];
    int rc = sysctl_get(path, old, sizeof(old), err);
    auto_str line = NULL;

    if (rc != 0 || strcmp(old, value) == 0) {
        return rc;
    }
    line = xprintf("setting %s %s", path, old);
    rc = note(notes, line, err);
    return rc < 0 ? rc : sysctl_set(path, value, err);
}

/* Interfaces that take router advertisements go on with it although Domain 0 is a router now. */
static int keep_advertisements(struct notes *notes, struct error *err)
{
    auto_netlink nl = {0};
    struct link *links;
    char value[16];
    size_t n;
    int rc = netlink_open(&nl, err);

    rc = rc ? rc : link_list(&nl, &links, &n, err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        auto_str path = xprintf("ipv6/conf/%s/accept_ra", links[i].name);

        if (sysctl_get(path, value, sizeof(value), NULL) == 0 && strcmp(value, "1") == 0) {
            rc = change(notes, path, "2", err);
        }
    }
    free(links);
    return rc;
}

int forwarding_need(const char *user, int family, const char *uplink, struct error *err)
{
    auto_str line = xprintf("user %s", user);
    auto_str proxy = xprintf("ipv6/conf/%s/proxy_ndp", uplink ? uplink : "all");
    auto_notes notes = {.fd = -1};
    char value[16];
    int rc = notes_open(&notes, err);

    rc = rc ? rc : note(&notes, line, err);
    if (rc < 0) {
        return rc;
    }
    if (family == AF_INET) {
        return change(&notes, "ipv4/ip_forward", "1", err);
    }
    rc = 0;
    if (sysctl_get("ipv6/conf/all/forwarding", value, sizeof(value), err) != 0) {
        return err ? -err->code : -ENOENT;
    }
    if (strcmp(value, "0") == 0) {
        rc = keep_advertisements(&notes, err);
    }
    rc = rc ? rc : change(&notes, "ipv6/conf/all/forwarding", "1", err);
    return rc || uplink == NULL ? rc : change(&notes, proxy, "1", err);
}

/* The settings in the file, last first. */
static void restore(char *text)
{
    char *line = text + strlen(text);

    while (line > text) {
        char path[128], value[16];

        line[-1] = '\0'; /* its end of line */
        line--;
        while (line > text && line[-1] != '\n') {
            line--;
        }
        if (sscanf(line, "setting %127s %15s", path, value) == 2) {
            sysctl_set(path, value, NULL); /* its interface may be gone */
        }
    }
}

bool forwarding_would_end(const char *user)
{
    auto_str line = xprintf("user %s\n", user);
    auto_notes notes = {.fd = -1};
    char *at;

    if (access(where(), F_OK) != 0 || notes_open(&notes, NULL) != 0) {
        return false;
    }
    at = strstr(notes.text, line);
    if (at == NULL || strstr(notes.text, "setting ") == NULL) {
        return false;
    }
    memset(at, ' ', strlen(line));
    return strstr(notes.text, "user ") == NULL;
}

int forwarding_release(const char *user, struct error *err)
{
    auto_str line = xprintf("user %s\n", user);
    auto_notes notes = {.fd = -1};
    char *at;
    int rc = 0;

    if (access(where(), F_OK) != 0) {
        return 0;
    }
    rc = notes_open(&notes, err);
    at = rc == 0 ? strstr(notes.text, line) : NULL;
    if (at == NULL) {
        return rc;
    }
    memmove(at, at + strlen(line), strlen(at + strlen(line)) + 1);
    if (strstr(notes.text, "user ") == NULL) {
        restore(notes.text);
        unlink(where());
        return 0;
    }
    if (ftruncate(notes.fd, 0) != 0 ||
        write(notes.fd, notes.text, strlen(notes.text)) != (ssize_t)strlen(notes.text)) {
        rc = fail(err, EIO, "%s cannot be written: %s.", where(), strerror(errno));
    }
    return rc;
}

bool forwarding_needed(const char *user)
{
    auto_str line = xprintf("user %s\n", user);
    auto_notes notes = {.fd = -1};

    return access(where(), F_OK) == 0 && notes_open(&notes, NULL) == 0 &&
           strstr(notes.text, line) != NULL;
}

char *forwarding_describe(const char *user)
{
    static const char proxy[] = "/proxy_ndp ", before[] = "setting ipv6/conf/";
    auto_notes notes = {.fd = -1};
    char uplink[32] = "";

    if (access(where(), F_OK) != 0 || notes_open(&notes, NULL) != 0 ||
        strstr(notes.text, "setting ipv6/conf/all/forwarding ") == NULL) {
        return xstrdup(user);
    }
    for (char *line = notes.text; line != NULL && uplink[0] == '\0'; line = strchr(line, '\n')) {
        size_t size;

        line += *line == '\n';
        size = strcspn(line, "\n");
        if (strncmp(line, before, strlen(before)) == 0 &&
            memmem(line, size, proxy, strlen(proxy))) {
            snprintf(uplink, sizeof(uplink), " %.*s", (int)strcspn(line + strlen(before), "/"),
                     line + strlen(before));
        }
    }
    return xprintf("%s ipv6%s", user, uplink);
}

int forwarding_need_described(const char *text, struct error *err)
{
    char user[16] = "", six[8] = "", uplink[16] = "";
    int words = sscanf(text, "%15s %7s %15s", user, six, uplink);
    int rc = forwarding_need(user, AF_INET, NULL, err);

    return rc || words < 2 ? rc : forwarding_need(user, AF_INET6, words > 2 ? uplink : NULL, err);
}

int forwarding_release_described(const char *text, struct error *err)
{
    char user[16] = "";

    sscanf(text, "%15s", user);
    return forwarding_release(user, err);
}
