/*
 * Requests about nodes, permissions and domains. Read xsclient.h and internal.h first.
 */
#include "xenstored/client/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_LEN (XENSTORE_ABS_PATH_MAX + 1)

static struct iovec string(const char *s)
{
    return xsc_bytes(s, strlen(s) + 1);
}

static int request_path(struct xsc *xs, uint32_t type, uint32_t tx, const char *path, char **reply,
                        size_t *len)
{
    const struct iovec v = string(path);

    return xsc_request(xs, type, tx, &v, 1, reply, len);
}

int xsc_read(struct xsc *xs, uint32_t tx, const char *path, char **value, size_t *len)
{
    *value = NULL;
    return request_path(xs, XS_READ, tx, path, value, len);
}

static int format_path(char *path, const char *fmt, va_list ap)
{
    int n = vsnprintf(path, PATH_MAX_LEN, fmt, ap);

    return n >= 0 && n < PATH_MAX_LEN ? 0 : -ENAMETOOLONG;
}

int xsc_readf(struct xsc *xs, uint32_t tx, char **value, const char *pathfmt, ...)
{
    char path[PATH_MAX_LEN];
    va_list ap;
    int rc;

    *value = NULL;
    va_start(ap, pathfmt);
    rc = format_path(path, pathfmt, ap);
    va_end(ap);
    return rc < 0 ? rc : xsc_read(xs, tx, path, value, NULL);
}

int xsc_read_u64(struct xsc *xs, uint32_t tx, uint64_t *value, const char *pathfmt, ...)
{
    char path[PATH_MAX_LEN];
    char *text = NULL, *end;
    unsigned long long number;
    va_list ap;
    int rc;

    va_start(ap, pathfmt);
    rc = format_path(path, pathfmt, ap);
    va_end(ap);
    rc = rc < 0 ? rc : xsc_read(xs, tx, path, &text, NULL);
    if (rc < 0) {
        return rc;
    }
    errno = 0;
    number = strtoull(text, &end, 0);
    if (text[0] < '0' || text[0] > '9' || *end || errno) {
        rc = -EINVAL;
    } else {
        *value = number;
    }
    free(text);
    return rc;
}

int xsc_write(struct xsc *xs, uint32_t tx, const char *path, const void *value, size_t len)
{
    const struct iovec v[2] = {string(path), xsc_bytes(value, len)};

    return xsc_request(xs, XS_WRITE, tx, v, 2, NULL, NULL);
}

int xsc_write_str(struct xsc *xs, uint32_t tx, const char *path, const char *value)
{
    return xsc_write(xs, tx, path, value, strlen(value));
}

int xsc_writef(struct xsc *xs, uint32_t tx, const char *path, const char *fmt, ...)
{
    char value[XENSTORE_PAYLOAD_MAX];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof(value)) {
        return -E2BIG;
    }
    return xsc_write(xs, tx, path, value, (size_t)n);
}

int xsc_mkdir(struct xsc *xs, uint32_t tx, const char *path)
{
    return request_path(xs, XS_MKDIR, tx, path, NULL, NULL);
}

int xsc_rm(struct xsc *xs, uint32_t tx, const char *path)
{
    return request_path(xs, XS_RM, tx, path, NULL, NULL);
}

bool xsc_exists(struct xsc *xs, uint32_t tx, const char *path)
{
    return request_path(xs, XS_READ, tx, path, NULL, NULL) == 0;
}

/* --- lists of children ----------------------------------------------------------------------- */

/* A list in parts, all of one generation; from the start again if it changes in between. */
static int directory_parts(struct xsc *xs, uint32_t tx, const char *path, char **list, size_t *len)
{
    char generation[32] = "", offset[24];
    char *out = NULL, *part = NULL, *more;
    size_t have = 0, got, skip;
    int rc;

    for (;;) {
        struct iovec v[2] = {string(path), {0}};

        snprintf(offset, sizeof(offset), "%zu", have);
        v[1] = string(offset);
        rc = xsc_request(xs, XS_DIRECTORY_PART, tx, v, 2, &part, &got);
        if (rc < 0) {
            break;
        }
        skip = strlen(part) + 1;
        if (skip > got || skip > sizeof(generation)) {
            rc = -EPROTO;
            break;
        }
        if (have > 0 && strcmp(generation, part) != 0) {
            have = 0;
            free(part);
            part = NULL;
            continue;
        }
        memcpy(generation, part, skip);
        more = realloc(out, have + got - skip + 1);
        if (!more) {
            rc = -ENOMEM;
            break;
        }
        out = more;
        memcpy(out + have, part + skip, got - skip);
        have += got - skip;
        free(part);
        part = NULL;
        /* The end is marked by an empty name. */
        if (have > 0 && out[have - 1] == '\0' && (have == 1 || out[have - 2] == '\0')) {
            *list = out;
            *len = have - 1;
            return 0;
        }
    }
    free(part);
    free(out);
    return rc;
}

int xsc_directory(struct xsc *xs, uint32_t tx, const char *path, char ***names, size_t *count)
{
    char *list = NULL, **out, *text;
    size_t len = 0, n = 0;
    int rc = request_path(xs, XS_DIRECTORY, tx, path, &list, &len);

    *names = NULL;
    *count = 0;
    if (rc == -E2BIG) {
        rc = directory_parts(xs, tx, path, &list, &len);
    }
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < len; i++) {
        n += list[i] == '\0';
    }
    out = malloc((n + 1) * sizeof(*out) + len + 1);
    if (!out) {
        free(list);
        return -ENOMEM;
    }
    text = (char *)(out + n + 1);
    memcpy(text, list, len);
    free(list);
    for (size_t i = 0; i < n; i++) {
        out[i] = text;
        text += strlen(text) + 1;
    }
    out[n] = NULL;
    *names = out;
    *count = n;
    return 0;
}

/* --- permissions ----------------------------------------------------------------------------- */

int xsc_get_perms(struct xsc *xs, uint32_t tx, const char *path, struct xsc_perm **perms,
                  size_t *count)
{
    static const char letters[] = "nrwb";
    struct xsc_perm *out;
    char *text = NULL, *at;
    size_t len = 0, n = 0;
    int rc = request_path(xs, XS_GET_PERMS, tx, path, &text, &len);

    *perms = NULL;
    *count = 0;
    if (rc < 0) {
        return rc;
    }
    out = calloc(len / 2 + 1, sizeof(*out));
    for (at = text; out && at < text + len; at += strlen(at) + 1, n++) {
        const char *letter = *at ? strchr(letters, *at) : NULL;

        if (!letter) {
            free(out);
            free(text);
            return -EPROTO;
        }
        out[n].access = (uint8_t)(letter - letters);
        out[n].domid = (uint16_t)strtoul(at + 1, NULL, 10);
    }
    free(text);
    if (!out) {
        return -ENOMEM;
    }
    *perms = out;
    *count = n;
    return 0;
}

int xsc_set_perms(struct xsc *xs, uint32_t tx, const char *path, const struct xsc_perm *perms,
                  size_t count)
{
    static const char letters[] = "nrwb";
    char text[256 * 8];
    struct iovec v[2] = {string(path), {0}};
    size_t len = 0;

    if (count < 1 || count > 256) {
        return -EINVAL;
    }
    for (size_t i = 0; i < count; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%c%u",
                                letters[perms[i].access & 3], perms[i].domid) +
               1;
    }
    v[1] = xsc_bytes(text, len);
    return xsc_request(xs, XS_SET_PERMS, tx, v, 2, NULL, NULL);
}

/* --- domains, control ------------------------------------------------------------------------ */

static int request_numbers(struct xsc *xs, uint32_t type, const uint64_t *numbers, int count,
                           char **reply)
{
    char text[3][24];
    struct iovec v[3];

    for (int i = 0; i < count; i++) {
        snprintf(text[i], sizeof(text[i]), "%llu", (unsigned long long)numbers[i]);
        v[i] = string(text[i]);
    }
    return xsc_request(xs, type, 0, v, count, reply, NULL);
}

int xsc_introduce(struct xsc *xs, unsigned domid, uint64_t gfn, uint32_t port)
{
    const uint64_t numbers[] = {domid, gfn, port};

    return request_numbers(xs, XS_INTRODUCE, numbers, 3, NULL);
}

int xsc_release(struct xsc *xs, unsigned domid)
{
    const uint64_t numbers[] = {domid};

    return request_numbers(xs, XS_RELEASE, numbers, 1, NULL);
}

int xsc_resume(struct xsc *xs, unsigned domid)
{
    const uint64_t numbers[] = {domid};

    return request_numbers(xs, XS_RESUME, numbers, 1, NULL);
}

int xsc_set_target(struct xsc *xs, unsigned domid, unsigned target)
{
    const uint64_t numbers[] = {domid, target};

    return request_numbers(xs, XS_SET_TARGET, numbers, 2, NULL);
}

int xsc_is_introduced(struct xsc *xs, unsigned domid)
{
    const uint64_t numbers[] = {domid};
    char *answer = NULL;
    int rc = request_numbers(xs, XS_IS_DOMAIN_INTRODUCED, numbers, 1, &answer);

    if (rc == 0) {
        rc = answer[0] == 'T';
    }
    free(answer);
    return rc;
}

int xsc_domain_path(struct xsc *xs, unsigned domid, char **path)
{
    const uint64_t numbers[] = {domid};

    *path = NULL;
    return request_numbers(xs, XS_GET_DOMAIN_PATH, numbers, 1, path);
}

int xsc_control(struct xsc *xs, const char *const *words, size_t count, char **answer)
{
    char text[XENSTORE_PAYLOAD_MAX];
    struct iovec v;
    size_t len = 0;

    if (answer) {
        *answer = NULL;
    }
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(words[i]) + 1;

        if (n > sizeof(text) - len) {
            return -E2BIG;
        }
        memcpy(text + len, words[i], n);
        len += n;
    }
    v = xsc_bytes(text, len);
    return xsc_request(xs, XS_CONTROL, 0, &v, 1, answer, NULL);
}
