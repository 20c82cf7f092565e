/*
 * Fuzz: what guests and clients send to xenstored.
 *
 * An input is a list of pieces: a byte that says whose (two guests' rings, a socket's client), a
 * length byte, and the bytes, which are put into that ring (or handed to the parser of the stream)
 * as they are. A piece of length 0 scribbles on the ring's indices instead. Guests have nodes of
 * their own; a privileged client has everything but live-update. After each input the store's tree
 * is checked.
 */
#include "tests/fuzz/fuzz.h"

#include "xenstored/nodeops.h"
#include "xenstored/permission.h"
#include "xenstored/persist.h"
#include "xenstored/platform.h"
#include "xenstored/rate.h"
#include "xenstored/transport.h"
#include "xenstored/tree.h"
#include "xenstored/wire.h"

#include <sys/socket.h>
#include <unistd.h>

/* type, request, transaction, length, payload; preceded by whose it is and how long. */
#define MSG(who, type, tx, len, payload) \
    who "\xff" type "\0\0\0\1\0\0\0" tx "\0\0\0" len "\0\0\0" payload
static const struct fuzz_bytes seeds[] = {
    FUZZ_SEED(MSG("\0", "\x0b", "\0", "\x08", "/g1/a\0xy")
                  MSG("\0", "\x02", "\0", "\x06", "/g1/a\0")),
    FUZZ_SEED(MSG("\1", "\x04", "\0", "\x09", "/g2\0tok\0\0")
                  MSG("\0", "\x0e", "\0", "\x0a", "/g1\0n1\0b2\0")),
    FUZZ_SEED(MSG("\0", "\x06", "\0", "\x01", "\0") MSG("\0", "\x0b", "\1", "\x08", "/g1/b\0xy")
                  MSG("\0", "\x07", "\1", "\x02", "T\0")),
    FUZZ_SEED(MSG("\2", "\x0c", "\0", "\x08", "/g1/x/y\0")
                  MSG("\2", "\x0d", "\0", "\x04", "/g1\0")),
    FUZZ_SEED(MSG("\2", "\x16", "\0", "\x06",
                  "/g1\0"
                  "0\0") MSG("\2", "\x00", "\0", "\x08",
                             "quota\0"
                             "1\0")),
    FUZZ_SEED(MSG("\2", "\x08", "\0", "\x06",
                  "1\0"
                  "2\0"
                  "3\0") MSG("\2", "\x13", "\0", "\x04",
                             "1\0"
                             "2\0")),
    FUZZ_SEED(MSG("\2", "\x09", "\0", "\x02", "2\0") MSG("\0", "\x04", "\0", "\x08",
                                                         "a\0tok\0"
                                                         "1\0")),
};
FUZZ_SEEDS(seeds)

static struct xenstore_domain_interface pages[3];
static struct conn *client;
static int client_end = -1; /* the client's own end of its socket */

static struct xenstore_domain_interface *fuzz_map(unsigned domid, int *error)
{
    *error = -ENOENT;
    return domid < 3 ? &pages[domid] : NULL;
}

static void fuzz_unmap(unsigned domid, struct xenstore_domain_interface *page)
{
}

static int fuzz_bind(unsigned domid, uint32_t port)
{
    return (int)domid + 10;
}

static void set_up(void)
{
    static struct platform machine;
    struct perm owner = {0};

    machine = platform_none;
    machine.map = fuzz_map;
    machine.unmap = fuzz_unmap;
    machine.bind = fuzz_bind;
    platform = &machine;
    memset(pages, 0, sizeof(pages));
    perm_special_init();
    nodeops_init_tree();
    for (uint32_t domid = 1; domid < 3; domid++) {
        struct path p = path_str(domid == 1 ? "/g1" : "/g2");
        struct perms perms = {.p = &owner, .count = 1};

        domain_introduce(domid, 1, 0, false);
        nodeops_mkdir(NULL, &p);
        owner.domid = domid;
        nodeops_set_perms(client, &p, &perms);
    }
}

static void give_ring(struct domain *d, const uint8_t *p, size_t len)
{
    struct xenstore_domain_interface *page = d->page;

    if (len == 0) {
        page->req_prod += 2000;
        return;
    }
    for (size_t i = 0; i < len; i++) {
        page->req[MASK_XENSTORE_IDX(page->req_prod++)] = (char)p[i];
    }
    d->credit = 0;
    ring_mark_ready(d->conn);
    while (ring_run()) {
    }
    page->rsp_cons = page->rsp_prod;
    page->req_cons = page->req_prod;
    conn_flush_all();
    page->rsp_cons = page->rsp_prod;
}

static void give_client(const uint8_t *p, size_t len)
{
    bool bad = false;

    buf_append(&client->in, p, len);
    while (client->in.len > client->in_head && stream_missing(client, &bad) == 0 && !bad) {
        struct xsd_sockmsg h;
        char *payload = client->in.p + client->in_head + sizeof(h);

        memcpy(&h, client->in.p + client->in_head, sizeof(h));
        client->in_head += sizeof(h) + h.len;
        if (!(h.type == XS_CONTROL && h.len > 0 && (payload[0] == 'l' || payload[0] == 'm'))) {
            wire_handle(client, &h, payload);
        }
    }
    if (bad || client->in_head == client->in.len) {
        client->in.len = client->in_head = 0;
    }
    conn_out_taken(client, conn_out_len(client));
}

static bool client_lives(void)
{
    for (const struct list *l = connections.next; l != &connections; l = l->next) {
        if (l == &client->link) {
            return true;
        }
    }
    return false;
}

static void connect_client(void)
{
    int ends[2];

    if (client_end >= 0) {
        close(client_end);
    }
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    client_end = ends[0];
    client = conn_new(NULL, ends[1]);
}

/* Reads what was sent to it; connects again if it was thrown out. */
static void attend_client(void)
{
    char bytes[4096];

    while (read(client_end, bytes, sizeof(bytes)) > 0) {
    }
    if (!client_lives()) {
        connect_client();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    connect_client();
    set_up();
    for (size_t at = 0; at + 2 <= len;) {
        size_t n = data[at + 1];
        struct domain *d = domain_find_introduced(1 + data[at] % 2);

        n = n < len - at - 2 ? n : len - at - 2;
        if (data[at] % 3 == 2) {
            give_client(data + at + 2, n);
        } else if (d) {
            give_ring(d, data + at + 2, n);
        }
        attend_client();
        at += 2 + n;
    }
    if (nodeops_check() != 0) {
        abort();
    }
    conn_out_taken(client, conn_out_len(client));
    conn_destroy(client);
    domains_clear();
    tree_clear();
    return 0;
}
