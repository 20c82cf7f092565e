/*
 * The sockets of the HTTP server, and who may use the TCP one. Contract: http.h.
 */
#include "xend/http_internal.h"

#include "xend/lib/alloc.h"
#include "xend/settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SECRET_LEAST 16

static char *secret;

int http_listen_local(int *out, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    auto_str copy = xstrdup(settings.socket);
    int fd;

    if (strlen(settings.socket) >= sizeof(address.sun_path)) {
        return fail(err, ENAMETOOLONG, "The socket's path %s is too long.", settings.socket);
    }
    strcpy(address.sun_path, settings.socket);
    if (mkdir(dirname(copy), 0755) != 0 && errno != EEXIST) {
        return fail(err, errno, "The folder for %s cannot be made: %s.", settings.socket,
                    strerror(errno));
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return fail(err, errno, "There is no UNIX socket: %s.", strerror(errno));
    }
    unlink(settings.socket); /* of a killed xend: the lock says that none is running */
    umask(0077);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 128) != 0) {
        int saved = errno;

        close(fd);
        return fail(err, saved, "The socket %s cannot be opened: %s.", settings.socket,
                    strerror(saved));
    }
    umask(0022);
    *out = fd;
    return 0;
}

/* The secret must be the owner's alone: who can read it can destroy every domain. */
static int read_secret(struct error *err)
{
    char line[512] = "";
    struct stat st;
    FILE *in = fopen(settings.tcp_token_file, "re");

    if (in == NULL || fstat(fileno(in), &st) != 0) {
        return fail(err, errno, "tcp_token_file %s cannot be read: %s.", settings.tcp_token_file,
                    strerror(errno));
    }
    if ((st.st_mode & 077) != 0) {
        fclose(in);
        return fail(err, EPERM, "tcp_token_file %s can be read by others: chmod 600 it.",
                    settings.tcp_token_file);
    }
    if (fgets(line, sizeof(line), in) == NULL) {
        line[0] = '\0';
    }
    fclose(in);
    line[strcspn(line, "\r\n")] = '\0';
    if (strlen(line) < SECRET_LEAST) {
        return fail(err, EINVAL, "The secret in %s is shorter than %d characters.",
                    settings.tcp_token_file, SECRET_LEAST);
    }
    free(secret);
    secret = xstrdup(line);
    return 0;
}

int http_listen_tcp(int *out, struct error *err)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(settings.tcp_port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(settings.tcp_port)};
    bool is_v6 = inet_pton(AF_INET6, settings.tcp_address, &v6.sin6_addr) == 1;
    const void *address = is_v6 ? (const void *)&v6 : (const void *)&v4;
    int fd, yes = 1, rc = read_secret(err);

    if (rc != 0) {
        return rc;
    }
    if (!is_v6 && inet_pton(AF_INET, settings.tcp_address, &v4.sin_addr) != 1) {
        return fail(err, EINVAL, "tcp_address %s is no IP address.", settings.tcp_address);
    }
    if (is_v6 ? !IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr)
              : (ntohl(v4.sin_addr.s_addr) >> 24) != IN_LOOPBACKNET) {
        return fail(err, EINVAL,
                    "tcp_address %s is not of this machine alone, and nothing encrypts it: use "
                    "127.0.0.1 and an SSH tunnel.",
                    settings.tcp_address);
    }
    fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return fail(err, errno, "There is no TCP socket: %s.", strerror(errno));
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, address, is_v6 ? sizeof(v6) : sizeof(v4)) != 0 || listen(fd, 128) != 0) {
        int saved = errno;

        close(fd);
        return fail(err, saved, "Port %u cannot be opened: %s.", settings.tcp_port,
                    strerror(saved));
    }
    *out = fd;
    return 0;
}

/* In a time that does not tell how much of it is right. */
static bool is_secret(const char *word)
{
    size_t n = strlen(secret), m = strlen(word);
    unsigned char difference = n != m;

    for (size_t i = 0; i < m; i++) {
        difference |= (unsigned char)(word[i] ^ secret[n ? i % n : 0]);
    }
    return difference == 0;
}

bool http_authorized(struct MHD_Connection *connection)
{
    const char *header =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    char *user, *password = NULL;
    bool ok;

    if (header != NULL && strncmp(header, "Bearer ", 7) == 0) {
        return is_secret(header + 7);
    }
    user = MHD_basic_auth_get_username_password(connection, &password);
    ok = password != NULL && is_secret(password);
    MHD_free(user);
    MHD_free(password);
    return ok;
}
