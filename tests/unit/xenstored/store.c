/* A store in this process, and asking it. Read store.h first. */
#include "tests/unit/xenstored/store.h"

struct conn *sock, *guest1, *guest2;
char answer[XENSTORE_PAYLOAD_MAX + 1];
uint32_t answer_len, answer_type;
char events[2048][256]; /* "path token" */
unsigned event_count;

struct conn *make_guest(uint32_t domid)
{
    struct domain *d = domain_get(domid);

    d->introduced = true;
    d->conn = conn_new(d, -1);
    rate_domain_added(d);
    return d->conn;
}

int set_up(void **state)
{
    platform = &platform_none;
    perm_special_init();
    nodeops_init_tree();
    sock = conn_new(NULL, -1);
    guest1 = make_guest(1);
    guest2 = make_guest(2);
    event_count = 0;
    return 0;
}

int tear_down(void **state)
{
    conn_destroy(sock);
    domains_clear();
    tree_clear();
    return 0;
}

void drain(struct conn *c)
{
    struct xsd_sockmsg h;

    event_count = 0;
    while (conn_out_len(c) >= sizeof(h)) {
        const char *body;

        memcpy(&h, conn_out_data(c), sizeof(h));
        body = conn_out_data(c) + sizeof(h);
        if (h.type == XS_WATCH_EVENT) {
            assert_true(event_count < ARRAY_SIZE(events));
            snprintf(events[event_count++], sizeof(events[0]), "%s %s", body,
                     body + strlen(body) + 1);
        } else {
            answer_type = h.type;
            answer_len = h.len;
            memcpy(answer, body, h.len);
            answer[h.len] = '\0';
        }
        conn_out_taken(c, sizeof(h) + h.len);
    }
}

void ask_bytes(struct conn *c, uint32_t type, uint32_t tx, const char *data, size_t len)
{
    struct xsd_sockmsg h = {.type = type, .req_id = 7, .tx_id = tx, .len = (uint32_t)len};
    char *copy = malloc(len + 1); /* of exactly this size: reading behind it shows */

    memcpy(copy, data, len);
    answer_type = 0xdead;
    wire_handle(c, &h, copy);
    free(copy);
    drain(c);
}

void ask(struct conn *c, uint32_t type, uint32_t tx, const char *text)
{
    char data[XENSTORE_PAYLOAD_MAX];
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        data[i] = text[i] == '|' ? '\0' : text[i];
    }
    ask_bytes(c, type, tx, data, len);
}

void ok(struct conn *c, uint32_t type, uint32_t tx, const char *text)
{
    ask(c, type, tx, text);
    assert_int_equal(answer_type, type);
    assert_string_equal(answer, "OK");
}

void fails(struct conn *c, uint32_t type, uint32_t tx, const char *text, const char *error)
{
    ask(c, type, tx, text);
    assert_int_equal(answer_type, XS_ERROR);
    assert_string_equal(answer, error);
}

void reads(struct conn *c, uint32_t tx, const char *path, const char *value)
{
    char text[300];

    snprintf(text, sizeof(text), "%s|", path);
    ask(c, XS_READ, tx, text);
    assert_int_equal(answer_type, XS_READ);
    assert_string_equal(answer, value);
}

uint32_t begin(struct conn *c)
{
    ask(c, XS_TRANSACTION_START, 0, "|");
    assert_int_equal(answer_type, XS_TRANSACTION_START);
    return (uint32_t)strtoul(answer, NULL, 10);
}
