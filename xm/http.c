/*
 * A small HTTP client. Contract: http.h.
 *
 * Answers come with a length or in chunks; "Connection: close" and the end of the stream bound
 * both. xend is trusted to be xend (its socket is root's), but lengths are checked all the same.
 */
#include "xm/http.h"

#include "xend/lib/alloc.h"
#include "xend/lib/xmlrpc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX XMLRPC_TEXT_MAX

/* A connection with what was read and not used yet. */
struct stream {
    int fd;
    int stop; /* the stream ends when this can be read; -1: never */
    char buffer[4096];
    size_t start, end;
    bool chunked;
    size_t chunk; /* bytes left of the current chunk */
};

static int connect_unix(const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return fail(err, ENAMETOOLONG, "The socket's path %s is too long.", path);
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        int saved = errno;

        if (fd >= 0) {
            close(fd);
        }
        if (saved == EACCES) {
            fail(err, EACCES, "Only root may speak to xend.");
        } else {
            fail(err, ECONNREFUSED, "xend does not answer on %s: start it with xend start.", path);
        }
        return -err->code;
    }
    return fd;
}

static int connect_tcp(const char *host, unsigned port, struct error *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strcmp(host, "localhost") == 0) {
        host = "127.0.0.1";
    }
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        close(fd);
        return fail(err, EINVAL, "%s is no IP address.", host);
    }
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return fail(err, ECONNREFUSED, "xend does not answer on %s port %u.", host, port);
    }
    return fd;
}

static char *base64(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = strlen(text), used = 0;
    char *out = xalloc(n / 3 * 4 + 8);

    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)(uint8_t)text[i] << 16;

        v |= i + 1 < n ? (uint32_t)(uint8_t)text[i + 1] << 8 : 0;
        v |= i + 2 < n ? (uint32_t)(uint8_t)text[i + 2] : 0;
        out[used++] = digits[v >> 18];
        out[used++] = digits[v >> 12 & 63];
        out[used++] = i + 1 < n ? digits[v >> 6 & 63] : '=';
        out[used++] = i + 2 < n ? digits[v & 63] : '=';
    }
    return out;
}

/* Connect; *auth gets an Authorization header line (or ""). Returns the descriptor or -errno. */
static int open_server(const char *server, char **auth, struct error *err)
{
    char login[512] = "", host[256] = "";
    unsigned port = 8006;

    *auth = xstrdup("");
    if (!str_starts(server, "http://")) {
        return connect_unix(server, err);
    }
    server += 7;
    if (strchr(server, '@') != NULL) {
        auto_str encoded = NULL;

        snprintf(login, sizeof(login), "%.*s", (int)strcspn(server, "@"), server);
        server = strchr(server, '@') + 1;
        encoded = base64(login);
        free(*auth);
        *auth = xprintf("Authorization: Basic %s\r\n", encoded);
    }
    if (sscanf(server, "%255[^:/]:%u", host, &port) < 1) {
        return fail(err, EINVAL, "The server's address is no http://:SECRET@HOST:PORT.");
    }
    return connect_tcp(host, port, err);
}

static int send_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t r = send(fd, data, n, MSG_NOSIGNAL);

        if (r < 0 && errno == EINTR) {
            continue;
        }
        if (r < 0) {
            return -errno;
        }
        data += r;
        n -= (size_t)r;
    }
    return 0;
}

/* Sleep until the server has sent something; false: nobody wants it any more. */
static bool wait_readable(const struct stream *st)
{
    struct pollfd fds[2] = {{.fd = st->fd, .events = POLLIN}, {.fd = st->stop, .events = POLLIN}};

    while (poll(fds, 2, -1) < 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    return fds[1].revents == 0;
}

/* More bytes into the buffer. 1, 0 at the end, or -errno. */
static int fill(struct stream *st)
{
    ssize_t r;

    if (st->stop >= 0 && !wait_readable(st)) {
        return 0;
    }
    st->start = st->end = 0;
    do {
        r = recv(st->fd, st->buffer, sizeof(st->buffer), 0);
    } while (r < 0 && errno == EINTR);
    if (r <= 0) {
        return r < 0 ? -errno : 0;
    }
    st->end = (size_t)r;
    return 1;
}

static int get_byte(struct stream *st)
{
    if (st->start == st->end && fill(st) <= 0) {
        return -1;
    }
    return (unsigned char)st->buffer[st->start++];
}

/* A line without its CR LF; false at the end of the stream. */
static bool get_header(struct stream *st, char *line, size_t size)
{
    size_t n = 0;
    int c;

    while ((c = get_byte(st)) >= 0 && c != '\n') {
        if (c != '\r' && n + 1 < size) {
            line[n++] = (char)c;
        }
    }
    line[n] = '\0';
    return c >= 0 || n > 0;
}

/* A byte of the body, through the chunks if there are any. -1: the end. */
static int get_body(struct stream *st)
{
    char line[64];
    int c;

    if (!st->chunked) {
        return get_byte(st);
    }
    if (st->chunk == 0) {
        do { /* the empty line that ends the chunk before */
            if (!get_header(st, line, sizeof(line))) {
                return -1;
            }
        } while (line[0] == '\0');
        st->chunk = strtoul(line, NULL, 16);
        if (st->chunk == 0) {
            return -1;
        }
    }
    c = get_byte(st);
    st->chunk--;
    return c;
}

/* Status line and headers. Returns the status or -errno. */
static int get_headers(struct stream *st, size_t *length, struct error *err)
{
    char line[1024];
    int status = 0;

    if (!get_header(st, line, sizeof(line)) || sscanf(line, "HTTP/1.%*d %d", &status) != 1) {
        return fail(err, ECONNRESET, "xend closed the connection without an answer: see xm log.");
    }
    *length = ANSWER_MAX;
    while (get_header(st, line, sizeof(line)) && line[0] != '\0') {
        if (strncasecmp(line, "Content-Length:", 15) == 0) {
            *length = strtoul(line + 15, NULL, 10);
        } else if (strncasecmp(line, "Transfer-Encoding: chunked", 26) == 0) {
            st->chunked = true;
        }
    }
    return status;
}

static int request(struct stream *st, const char *server, const char *head, const char *path,
                   const char *body, struct error *err)
{
    auto_str auth = NULL;
    auto_str text = NULL;
    int rc;

    st->fd = open_server(server, &auth, err);
    if (st->fd < 0) {
        return st->fd;
    }
    text = xprintf("%s %s HTTP/1.1\r\nHost: xend\r\nConnection: close\r\n%s%s\r\n%s",
                   body ? "POST" : "GET", path, auth, head, body ? body : "");
    rc = send_all(st->fd, text, strlen(text));
    return rc ? fail(err, -rc, "The request was not sent: %s.", strerror(-rc)) : 0;
}

static int check_status(int status, const char *body, struct error *err)
{
    if (status < 0) {
        return status;
    }
    return status == 200 ? 0
                         : fail(err, EREMOTEIO, "xend refused (%d): %.*s", status,
                                (int)strcspn(body, "\n"), body);
}

int http_post(const char *server, const char *path, const char *type, const char *body,
              char **answer, size_t *length, struct error *err)
{
    struct stream st = {.fd = -1, .stop = -1};
    auto_str head = xprintf("Content-Type: %s\r\nContent-Length: %zu\r\n", type, strlen(body));
    size_t limit = 0, n = 0, capacity = 4096;
    char *text;
    int c, status, rc = request(&st, server, head, path, body, err);

    if (rc != 0) {
        if (st.fd >= 0) {
            close(st.fd);
        }
        return rc;
    }
    status = get_headers(&st, &limit, err);
    text = xalloc(capacity);
    while (status >= 0 && n < limit && n < ANSWER_MAX && (c = get_body(&st)) >= 0) {
        if (n + 1 >= capacity) {
            capacity *= 2;
            text = xrealloc(text, capacity);
        }
        text[n++] = (char)c;
    }
    text[n] = '\0';
    close(st.fd);
    rc = check_status(status, text, err);
    if (rc != 0) {
        free(text);
        return rc;
    }
    *answer = text;
    *length = n;
    return 0;
}

int http_get_lines(const char *server, const char *path, bool (*on_line)(const char *, void *),
                   void *arg, int stop, struct error *err)
{
    struct stream st = {.fd = -1, .stop = stop};
    char line[8192];
    size_t length, n = 0;
    int c, rc = request(&st, server, "", path, NULL, err);

    if (rc == 0) {
        rc = check_status(get_headers(&st, &length, err), "", err);
    }
    while (rc == 0 && (c = get_body(&st)) >= 0) {
        if (c != '\n') {
            n += n + 1 < sizeof(line);
            line[n - 1] = (char)c;
            continue;
        }
        line[n] = '\0';
        n = 0;
        if (!on_line(line, arg)) {
            break;
        }
    }
    if (st.fd >= 0) {
        close(st.fd);
    }
    return rc;
}
