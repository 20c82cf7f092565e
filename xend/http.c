/*
 * The HTTP server. Contract: http.h. Its sockets and secrets: http_listen.c; the event stream and
 * metrics: http_stream.c.
 */
#include "xend/http.h"

#include "xend/http_internal.h"
#include "xend/lib/alloc.h"
#include "xend/log.h"
#include "xend/rpc.h"
#include "xend/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS 256

static struct MHD_Daemon *local_daemon, *tcp_daemon;

/* What a request has sent so far. */
struct request {
    char *body;
    size_t length, capacity;
    bool too_long;
};

enum MHD_Result http_answer(struct MHD_Connection *connection, unsigned status, const char *type,
                            char *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    enum MHD_Result result;

    if (response == NULL) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_UNAUTHORIZED) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Basic realm=\"xend\"");
    }
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status,
                              const char *sentence)
{
    return http_answer(connection, status, "text/plain; charset=utf-8", xprintf("%s\n", sentence));
}

static void collect(struct request *rq, const char *data, size_t size)
{
    if (rq->too_long || size > HTTP_BODY_MAX - rq->length) {
        rq->too_long = true;
        return;
    }
    if (rq->length + size + 1 > rq->capacity) {
        rq->capacity = (rq->length + size + 1) * 2;
        rq->body = xrealloc(rq->body, rq->capacity);
    }
    memcpy(rq->body + rq->length, data, size);
    rq->length += size;
    rq->body[rq->length] = '\0';
}

static enum MHD_Result post(struct MHD_Connection *connection, const char *url,
                            const struct request *rq)
{
    const char *body = rq->body ? rq->body : "";

    if (rq->too_long) {
        return refuse(connection, 413, "The request is too long.");
    }
    if (strcmp(url, "/RPC2") == 0 || strcmp(url, "/") == 0) {
        return http_answer(connection, MHD_HTTP_OK, "text/xml; charset=utf-8",
                           rpc_xml(body, rq->length));
    }
    if (strcmp(url, "/json") == 0) {
        return http_answer(connection, MHD_HTTP_OK, "application/json", rpc_json(body, rq->length));
    }
    return refuse(connection, MHD_HTTP_NOT_FOUND, "POST goes to /RPC2 (XML-RPC) or /json.");
}

static enum MHD_Result get(struct MHD_Connection *connection, const char *url)
{
    if (strcmp(url, "/events") == 0) {
        return http_events(connection);
    }
    if (strcmp(url, "/metrics") == 0) {
        return http_metrics(connection);
    }
    return refuse(connection, MHD_HTTP_NOT_FOUND, "GET serves /events and /metrics.");
}

/* cls: not NULL for the TCP server. MHD calls this several times for each request. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state)
{
    struct request *rq = *state;

    if (rq == NULL) { /* the headers are there, nothing of the body */
        if (cls != NULL && !http_authorized(connection)) {
            return refuse(connection, MHD_HTTP_UNAUTHORIZED,
                          "Send the secret of xend's tcp_token_file as the password.");
        }
        *state = xalloc(sizeof(*rq));
        return MHD_YES;
    }
    if (*size > 0) {
        collect(rq, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Origin") != NULL) {
        return refuse(connection, MHD_HTTP_FORBIDDEN, "Web pages may not speak to xend.");
    }
    if (strcmp(method, MHD_HTTP_METHOD_POST) == 0) {
        return post(connection, url, rq);
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) == 0) {
        return get(connection, url);
    }
    return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Use POST or GET.");
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct request *rq = *state;

    if (rq != NULL) {
        free(rq->body);
        free(rq);
        *state = NULL;
    }
}

static void on_log(void *cls, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

static void on_log(void *cls, const char *fmt, va_list ap)
{
    char line[400];

    vsnprintf(line, sizeof(line), fmt, ap);
    log_warn("http: %s", line);
}

static struct MHD_Daemon *serve(int fd, void *cls)
{
    return MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                                MHD_USE_POLL | MHD_USE_ERROR_LOG,
                            0, NULL, NULL, on_request, cls, MHD_OPTION_EXTERNAL_LOGGER, on_log,
                            NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, 120u,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
                            MHD_OPTION_THREAD_STACK_SIZE, (size_t)1 << 20, MHD_OPTION_END);
}

int http_start(struct error *err)
{
    int fd, rc = http_listen_local(&fd, err);

    if (rc != 0) {
        return rc;
    }
    local_daemon = serve(fd, NULL);
    if (local_daemon == NULL) {
        close(fd);
        return fail(err, EIO, "The HTTP server does not start on %s.", settings.socket);
    }
    log_info("The API is open on %s.", settings.socket);
    if (settings.tcp_port == 0) {
        return 0;
    }
    rc = http_listen_tcp(&fd, err);
    if (rc != 0) {
        return rc;
    }
    tcp_daemon = serve(fd, &settings);
    if (tcp_daemon == NULL) {
        close(fd);
        return fail(err, EIO, "The HTTP server does not start on port %u.", settings.tcp_port);
    }
    log_info("The API is open on %s port %u.", settings.tcp_address, settings.tcp_port);
    return 0;
}

void http_stop(void)
{
    int fd = local_daemon ? MHD_quiesce_daemon(local_daemon) : -1;

    if (fd >= 0) {
        close(fd);
    }
    fd = tcp_daemon ? MHD_quiesce_daemon(tcp_daemon) : -1;
    if (fd >= 0) {
        close(fd);
    }
    unlink(settings.socket);
}
