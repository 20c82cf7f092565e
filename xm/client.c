/*
 * Speaking to xend. Contract: client.h. The bytes on the wire: http.c.
 */
#include "xm/client.h"

#include "xend/lib/alloc.h"
#include "xend/lib/xmlrpc.h"
#include "xm/http.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/var/run/xend/xmlrpc.sock"

static const char *server = DEFAULT_SOCKET;

void client_server(const char *where)
{
    if (where == NULL) {
        where = getenv("XEND_SERVER");
    }
    if (where != NULL && where[0] != '\0') {
        server = where;
    }
}

struct value *client_args(const char *types, ...)
{
    struct value *list = value_list();
    va_list ap;

    va_start(ap, types);
    for (; *types != '\0'; types++) {
        if (*types == 's') {
            list_add(list, value_string(va_arg(ap, const char *)));
        } else if (*types == 'i') {
            list_add(list, value_int(va_arg(ap, int)));
        } else {
            list_add(list, va_arg(ap, struct value *));
        }
    }
    va_end(ap);
    return list;
}

int client_call(const char *method, struct value *args, struct value **result, struct error *err)
{
    auto_value owned = args ? args : value_list();
    auto_value answer = NULL;
    auto_str request = NULL;
    auto_str body = NULL;
    size_t length = 0;
    int fault = 0, rc;

    rc = xmlrpc_write_call(method, owned, &request, err);
    rc = rc ? rc : http_post(server, "/RPC2", "text/xml", request, &body, &length, err);
    rc = rc ? rc : xmlrpc_read_answer(body, length, &answer, &fault, err);
    if (rc == -EREMOTEIO && fault == FAULT_NO_DOMAIN) {
        rc = -ESRCH;
    }
    if (rc == 0 && result != NULL) {
        *result = answer;
        answer = NULL;
    }
    return rc;
}

struct follow {
    bool (*on_event)(const char *json, void *arg);
    void *arg;
};

static bool on_line(const char *line, void *arg)
{
    struct follow *follow = arg;

    return !str_starts(line, "data: ") || follow->on_event(line + 6, follow->arg);
}

int client_events(const char *domain, bool (*on_event)(const char *json, void *arg), void *arg,
                  int stop, struct error *err)
{
    auto_str path = xprintf("/events%s%s", domain ? "?domain=" : "", domain ? domain : "");
    struct follow follow = {on_event, arg};

    return http_get_lines(server, path, on_line, &follow, stop, err);
}

struct wait {
    bool (*happened)(void *arg);
    void *arg;
    bool done;
};

/* Each message of the stream ends with an empty line, also the first, which says nothing. */
static bool on_message(const char *line, void *arg)
{
    struct wait *wait = arg;

    wait->done = line[0] == '\0' && wait->happened(wait->arg);
    return !wait->done;
}

int client_wait(bool (*happened)(void *arg), void *arg, int stop, struct error *err)
{
    struct wait wait = {happened, arg, false};
    struct pollfd stopped = {.fd = stop, .events = POLLIN};
    int rc = http_get_lines(server, "/events", on_message, &wait, stop, err);

    if (wait.done) {
        return 0;
    }
    if (poll(&stopped, 1, 0) > 0) {
        return -ETIME;
    }
    return rc ? rc : fail(err, ECONNRESET, "xend closed the connection.");
}
