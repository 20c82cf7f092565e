/*
 * The event stream and the metrics. Contract: http.h.
 */
#include "xend/http_internal.h"

#include "xend/events.h"
#include "xend/info.h"
#include "xend/lib/alloc.h"
#include "xend/lib/json.h"
#include "xend/lib/sxp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PING_MS 10000 /* a client that has gone is noticed this soon */

struct stream {
    uint64_t last;
    char *domain;  /* only events of this one, or NULL */
    char *pending; /* text under way */
    size_t sent;
};

/* Whether the client wants this event. */
static bool wanted(const struct stream *st, const char *json)
{
    auto_value event = NULL;

    if (st->domain == NULL) {
        return true;
    }
    return json_read(json, strlen(json), &event, NULL) == 0 &&
           strcmp(value_text(dict_get(event, "domain"), ""), st->domain) == 0;
}

static ssize_t on_read(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct stream *st = cls;
    size_t n;

    if (st->pending == NULL) {
        char *json = event_next(&st->last, PING_MS);

        if (json != NULL && wanted(st, json)) {
            st->pending = xprintf("id: %" PRIu64 "\ndata: %s\n\n", st->last, json);
        } else {
            st->pending = xstrdup(":\n\n");
        }
        free(json);
        st->sent = 0;
    }
    n = strlen(st->pending + st->sent);
    n = n < max ? n : max;
    memcpy(buf, st->pending + st->sent, n);
    st->sent += n;
    if (st->pending[st->sent] == '\0') {
        free(st->pending);
        st->pending = NULL;
    }
    return (ssize_t)n;
}

static void on_free(void *cls)
{
    struct stream *st = cls;

    free(st->pending);
    free(st->domain);
    free(st);
}

enum MHD_Result http_events(struct MHD_Connection *connection)
{
    const char *since = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "since");
    const char *seen = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Last-Event-ID");
    struct stream *st = xalloc(sizeof(*st));
    struct MHD_Response *response;
    enum MHD_Result result;

    since = since ? since : seen;
    st->last = since ? strtoull(since, NULL, 10) : event_newest();
    st->domain = xstrdup(MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "domain"));
    st->pending = xstrdup(":\n\n"); /* so that the headers go out at once */
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, on_read, st, on_free);
    if (response == NULL) {
        on_free(st);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static void domain_metrics(FILE *out, const struct value *d)
{
    const char *name = sxp_get_text(d, "name", "");
    const struct value *time = sxp_get(d, "cpu_time");

    fprintf(out, "xend_domain_cpu_seconds_total{domain=\"%s\"} %.6f\n", name,
            time != NULL && time->type == VALUE_REAL ? time->real : 0.0);
    fprintf(out, "xend_domain_memory_bytes{domain=\"%s\"} %" PRId64 "\n", name,
            sxp_get_int(d, "mem_kb", 0) * 1024);
    fprintf(out, "xend_domain_online_vcpus{domain=\"%s\"} %" PRId64 "\n", name,
            sxp_get_int(d, "online_vcpus", 0));
    fprintf(out, "xend_domain_restarts_total{domain=\"%s\"} %" PRId64 "\n", name,
            sxp_get_int(d, "restarts", 0));
}

static int metrics(FILE *out, struct error *err)
{
    auto_session s = NULL;
    auto_value domains = NULL;
    struct xc_host_info host;
    int rc = session_get(&s, err);

    rc = rc ? rc : info_domains(s, "running", true, false, &domains, err);
    rc = rc ? rc : xc_host_get_info(s->xc, &host);
    if (rc != 0) {
        return rc;
    }
    fprintf(out, "xend_host_cpus %u\n", host.nr_cpus);
    fprintf(out, "xend_host_memory_bytes %" PRIu64 "\n", host.total_pages * 4096);
    fprintf(out, "xend_host_free_memory_bytes %" PRIu64 "\n",
            (host.free_pages + host.scrub_pages) * 4096);
    fprintf(out, "xend_domains %zu\n", domains->count);
    for (size_t i = 0; i < domains->count; i++) {
        domain_metrics(out, domains->items[i]);
    }
    return 0;
}

enum MHD_Result http_metrics(struct MHD_Connection *connection)
{
    struct error err = {0};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    int rc;

    if (out == NULL) {
        return MHD_NO;
    }
    rc = metrics(out, &err);
    fclose(out);
    if (rc != 0) {
        free(text);
        return http_answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain",
                           xprintf("%s\n", err.msg));
    }
    return http_answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4", text);
}
