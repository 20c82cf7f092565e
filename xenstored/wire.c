/*
 * The table of request types, the forms of payloads, and the requests about nodes and transactions.
 * Read wire.h first.
 */
#include "xenstored/wire.h"
#include "xenstored/nodeops.h"
#include "xenstored/quota.h"
#include "xenstored/trace.h"
#include "xenstored/transaction.h"
#include "xenstored/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const char *request_string(const struct request *r)
{
    if (r->len == 0 || memchr(r->data, '\0', r->len) != r->data + r->len - 1) {
        return NULL;
    }
    return r->data;
}

unsigned request_strings(const struct request *r, char *strings[], unsigned max)
{
    char *at = r->data, *end = r->data + r->len, *nul;
    unsigned n = 0;

    while (at < end && (nul = memchr(at, '\0', (size_t)(end - at)))) {
        if (n < max) {
            strings[n] = at;
        }
        n++;
        at = nul + 1;
    }
    return n;
}

bool request_path(const struct request *r, const char *given, struct path *out)
{
    static char full[PATH_BUFFER];
    const char *home;
    size_t len, homelen;

    if (!given) {
        return false;
    }
    len = strlen(given);
    if (given[0] == '/' || given[0] == '@') {
        *out = path_of(given, len);
        return true;
    }
    home = conn_home(r->conn);
    homelen = strlen(home);
    if (homelen + 1 + len >= sizeof(full)) {
        return false;
    }
    memcpy(full, home, homelen);
    full[homelen] = '/';
    memcpy(full + homelen + 1, given, len + 1);
    *out = path_of(full, homelen + 1 + len);
    return true;
}

/* The node that the payload, one path, names. */
static struct node *get_named(struct request *r, unsigned rights, int *error)
{
    struct path p;

    if (!request_path(r, request_string(r), &p)) {
        *error = -EINVAL;
        return NULL;
    }
    return nodeops_get(r->conn, &p, rights, error);
}

static int do_read(struct request *r)
{
    int rc = 0;
    struct node *n = get_named(r, PERM_READ, &rc);

    if (n) {
        conn_reply(r->conn, XS_READ, node_data(n), n->datalen);
    }
    return rc;
}

static int do_directory(struct request *r)
{
    int rc = 0;
    struct node *n = get_named(r, PERM_READ, &rc);

    if (n) {
        conn_reply(r->conn, XS_DIRECTORY, node_children(n), n->childlen);
    }
    return rc;
}

/* "path|offset|": generation, then as many whole names as fit; a last empty one marks the end. */
static int do_directory_part(struct request *r)
{
    char out[XENSTORE_PAYLOAD_MAX];
    char *strings[2];
    size_t room, len = 0, off;
    const char *names;
    struct path p;
    int rc = 0, head;
    struct node *n;

    if (request_strings(r, strings, 2) != 2 || !request_path(r, strings[0], &p)) {
        return -EINVAL;
    }
    n = nodeops_get(r->conn, &p, PERM_READ, &rc);
    if (!n) {
        return rc;
    }
    off = (unsigned)atoi(strings[1]);
    head = snprintf(out, sizeof(out), "%llu", (unsigned long long)n->generation) + 1;
    if (off >= n->childlen) {
        out[head] = '\0';
        conn_reply(r->conn, XS_DIRECTORY_PART, out, (size_t)head + 1);
        return 0;
    }
    room = sizeof(out) - (size_t)head - 1;
    names = node_children(n) + off;
    while (off + len < n->childlen && len + strlen(names + len) < room) {
        len += strlen(names + len) + 1;
    }
    memcpy(out + head, names, len);
    if (off + len == n->childlen) {
        out[(size_t)head + len++] = '\0';
    }
    conn_reply(r->conn, XS_DIRECTORY_PART, out, (size_t)head + len);
    return 0;
}

static int do_write(struct request *r)
{
    char *name;
    struct path p;
    size_t skip;
    int rc;

    if (request_strings(r, &name, 1) < 1 || !request_path(r, name, &p)) {
        return -EINVAL;
    }
    skip = strlen(name) + 1;
    rc = nodeops_write(r->conn, &p, r->data + skip, r->len - (uint32_t)skip);
    if (rc == 0) {
        request_ok(r, XS_WRITE);
    }
    return rc;
}

static int do_mkdir(struct request *r)
{
    struct path p;
    int rc;

    if (!request_path(r, request_string(r), &p)) {
        return -EINVAL;
    }
    rc = nodeops_mkdir(r->conn, &p);
    if (rc == 0) {
        request_ok(r, XS_MKDIR);
    }
    return rc;
}

static int do_rm(struct request *r)
{
    struct path p;
    int rc;

    if (!request_path(r, request_string(r), &p)) {
        return -EINVAL;
    }
    rc = nodeops_rm(r->conn, &p);
    if (rc == 0) {
        request_ok(r, XS_RM);
    }
    return rc;
}

static int do_get_perms(struct request *r)
{
    struct buf text = {0};
    int rc = 0;
    struct node *n = get_named(r, PERM_READ, &rc);

    if (n) {
        perm_format(&text, n->perms, n->nperms);
        conn_reply(r->conn, XS_GET_PERMS, text.p, text.len);
        buf_free(&text);
    }
    return rc;
}

/* The lists of the special watches are set like a node's. */
static int set_special_perms(struct request *r, const char *name, const struct perms *perms)
{
    const struct perms *now = perm_special(name, strlen(name));
    unsigned need = PERM_WRITE | PERM_OWNER;

    if (!now) {
        return -EINVAL;
    }
    if ((perm_of(r->conn, now->p, now->count, tree_generation) & need) != need) {
        return -EACCES;
    }
    return perm_special_set(name, perms->p, perms->count);
}

static int do_set_perms(struct request *r)
{
    struct perms perms = {0};
    unsigned strings = request_strings(r, NULL, 0);
    struct path p;
    int rc;

    if (strings < 2) {
        return -EINVAL;
    }
    perms.count = strings - 1;
    if (conn_unprivileged(r->conn) && perms.count > (uint32_t)quota.permissions) {
        return -ENOSPC;
    }
    perms.p = xmalloc(perms.count * sizeof(*perms.p));
    rc = perm_parse(perms.p, perms.count, r->data + strlen(r->data) + 1);
    if (rc == 0) {
        perm_adopt_domains(perms.p, perms.count);
        if (perms.p[0].bits & PERM_IGNORE) {
            rc = -ENOENT;
        } else if (r->data[0] == '@') {
            rc = set_special_perms(r, r->data, &perms);
        } else if (!request_path(r, r->data, &p)) {
            rc = -EINVAL;
        } else {
            rc = nodeops_set_perms(r->conn, &p, &perms);
        }
    }
    free(perms.p);
    if (rc == 0) {
        request_ok(r, XS_SET_PERMS);
    }
    return rc;
}

static int do_transaction_start(struct request *r)
{
    char text[16];
    uint32_t id;
    int rc;

    if (r->conn->tx) {
        return -EBUSY;
    }
    rc = transaction_start(r->conn, &id);
    if (rc == 0) {
        int len = snprintf(text, sizeof(text), "%u", id);

        conn_reply(r->conn, XS_TRANSACTION_START, text, (size_t)len + 1);
    }
    return rc;
}

static int do_transaction_end(struct request *r)
{
    const char *arg = request_string(r);
    int rc;

    if (!arg || (strcmp(arg, "T") != 0 && strcmp(arg, "F") != 0)) {
        return -EINVAL;
    }
    if (!r->conn->tx) {
        return -ENOENT;
    }
    rc = transaction_end(r->conn, arg[0] == 'T');
    if (rc == 0) {
        request_ok(r, XS_TRANSACTION_END);
    }
    return rc;
}

#define NO_TX     1u /* the transaction id of the request is not looked at */
#define PRIVILEGE 2u /* not for guests */

static const struct {
    const char *name;
    int (*handle)(struct request *r);
    unsigned flags;
} rows[XS_TYPE_COUNT] = {
    [XS_CONTROL] = {"CONTROL", do_control, PRIVILEGE},
    [XS_DIRECTORY] = {"DIRECTORY", do_directory, 0},
    [XS_READ] = {"READ", do_read, 0},
    [XS_GET_PERMS] = {"GET_PERMS", do_get_perms, 0},
    [XS_WATCH] = {"WATCH", do_watch, NO_TX},
    [XS_UNWATCH] = {"UNWATCH", do_unwatch, NO_TX},
    [XS_TRANSACTION_START] = {"TRANSACTION_START", do_transaction_start, 0},
    [XS_TRANSACTION_END] = {"TRANSACTION_END", do_transaction_end, 0},
    [XS_INTRODUCE] = {"INTRODUCE", do_introduce, PRIVILEGE},
    [XS_RELEASE] = {"RELEASE", do_release, PRIVILEGE},
    [XS_GET_DOMAIN_PATH] = {"GET_DOMAIN_PATH", do_get_domain_path, 0},
    [XS_WRITE] = {"WRITE", do_write, 0},
    [XS_MKDIR] = {"MKDIR", do_mkdir, 0},
    [XS_RM] = {"RM", do_rm, 0},
    [XS_SET_PERMS] = {"SET_PERMS", do_set_perms, 0},
    [XS_WATCH_EVENT] = {"WATCH_EVENT", NULL, 0},
    [XS_ERROR] = {"ERROR", NULL, 0},
    [XS_IS_DOMAIN_INTRODUCED] = {"IS_DOMAIN_INTRODUCED", do_is_introduced, PRIVILEGE},
    [XS_RESUME] = {"RESUME", do_resume, PRIVILEGE},
    [XS_SET_TARGET] = {"SET_TARGET", do_set_target, PRIVILEGE},
    [XS_RESET_WATCHES] = {"RESET_WATCHES", do_reset_watches, 0},
    [XS_DIRECTORY_PART] = {"DIRECTORY_PART", do_directory_part, 0},
};

const char *wire_type_name(uint32_t type)
{
    return type < XS_TYPE_COUNT && rows[type].name ? rows[type].name : "**UNKNOWN**";
}

static int dispatch(struct conn *c, const struct xsd_sockmsg *header, struct request *r)
{
    uint32_t type = header->type;

    if (type >= XS_TYPE_COUNT || !rows[type].handle) {
        return -ENOSYS;
    }
    if ((rows[type].flags & PRIVILEGE) && conn_unprivileged(c)) {
        return -EACCES;
    }
    c->tx = NULL;
    if (header->tx_id && !(rows[type].flags & NO_TX)) {
        c->tx = transaction_find(c, header->tx_id);
        if (!c->tx) {
            return -ENOENT;
        }
    }
    return rows[type].handle(r);
}

void wire_handle(struct conn *c, const struct xsd_sockmsg *header, char *payload)
{
    struct request r = {.conn = c, .data = payload, .len = header->len};
    int rc;

    trace_message(c, false, header, payload);
    c->request = *header;
    rc = dispatch(c, header, &r);
    if (rc < 0) {
        conn_reply_error(c, rc);
    }
    c->tx = NULL;
    conn_request_done(c);
}
