/*
 * Fuzz: what a store answers to our client library. The input is what "the store" sends; the client
 * asks for lists, permissions, transactions, events.
 */
#include "tests/fuzz/fuzz.h"

#include "xenstored/client/internal.h"

#include <sys/socket.h>
#include <unistd.h>

#define HEAD(type, req, len) type "\0\0\0" req "\0\0\0\0\0\0\0" len "\0\0\0"
static const struct fuzz_bytes seeds[] = {
    FUZZ_SEED(HEAD("\1", "\1", "\4") "a\0b\0" HEAD("\3", "\2", "\6") "n0\0r1\0" HEAD("\2", "\3",
                                                                                     "\2") "42"),
    FUZZ_SEED(HEAD("\x0f", "\0", "\6") "/a\0to\0" HEAD("\x10", "\1", "\7") "ENOENT\0"),
    FUZZ_SEED(HEAD("\x10", "\1", "\6") "E2BIG\0" HEAD("\x16", "\2", "\5") "7\0a\0\0" HEAD(
        "\3", "\3", "\3") "x9\0"),
    FUZZ_SEED(HEAD("\1", "\1", "\0") HEAD("\3", "\2", "\0") HEAD("\2", "\3", "\0")
                  HEAD("\6", "\4", "\2") "3\0"),
};
FUZZ_SEEDS(seeds)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct xsc *xs = calloc(1, sizeof(*xs));
    struct xsc_perm *perms;
    struct xsc_event *event;
    char **names, *text;
    uint64_t number = 0;
    size_t count;
    uint32_t tx;
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) {
        abort();
    }
    if (send(fds[1], data, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        len = 0;
    }
    shutdown(fds[1], SHUT_WR);
    xs->fd = fds[0];
    xs->next_req = xs->next_tx = 1;
    xs->last = &xs->first;
    if (xsc_directory(xs, 0, "/", &names, &count) == 0) {
        for (size_t i = 0; i < count; i++) {
            number += strlen(names[i]);
        }
        free(names);
    }
    if (xsc_get_perms(xs, 0, "/", &perms, &count) == 0) {
        free(perms);
    }
    xsc_read_u64(xs, 0, &number, "/x");
    if (xsc_tx_start(xs, &tx) == 0) {
        xsc_tx_post(xs, tx);
        xsc_write_str(xs, tx, "/a", "1");
        xsc_write_str(xs, tx, "/b", "2");
        xsc_tx_end(xs, tx, true);
    }
    if (xsc_domain_path(xs, 1, &text) == 0) {
        free(text);
    }
    while (xsc_next_event(xs, &event) == 0) {
        free(event);
    }
    close(fds[1]);
    xsc_close(xs);
    return 0;
}
