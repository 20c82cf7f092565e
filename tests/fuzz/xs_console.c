/*
 * Fuzz: a guest's console ring, as xenconsoled reads it. An input is a list of pieces: two bytes
 * that say where in the page, one that says how many bytes follow, the bytes, which are put there;
 * after each piece the guest sends an event and somebody types a few characters. The log is checked
 * to be within its limit.
 */
#include "tests/fuzz/fuzz.h"

#include "xenconsoled/console.h"
#include "xenconsoled/machine.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <xen/io/console.h>

/* Output from index 0 on, and the producer's index at 0x0c0c behind it. */
static const struct fuzz_bytes seeds[] = {
    FUZZ_SEED("\x00\x04\x06hello\n\x0c\x0c\x04\x06\0\0\0"),
    FUZZ_SEED("\x0c\x0c\x04\xff\xff\xff\xff\x08\x0c\x04\0\xf8\xff\xff"),
    FUZZ_SEED("\x00\x0c\x04\0\x04\0\0\x04\x0c\x04\x01\0\0\0"),
    FUZZ_SEED("\x0c\x0c\x04\0\x08\0\0"),
};
FUZZ_SEEDS(seeds)

static union {
    struct xencons_interface ring;
    uint8_t bytes[4096];
} page;

static int fuzz_bind(unsigned domid, uint32_t port)
{
    return 11;
}

static void fuzz_port(uint32_t port)
{
}

static struct xencons_interface *fuzz_map(unsigned domid, uint64_t gfn, int *error)
{
    return &page.ring;
}

static void fuzz_unmap(struct xencons_interface *p)
{
}

static const struct machine fuzz_machine = {
    .bind = fuzz_bind,
    .unbind = fuzz_port,
    .notify = fuzz_port,
    .unmask = fuzz_port,
    .map = fuzz_map,
    .unmap = fuzz_unmap,
};

static char dir[] = "/tmp/xs-console-XXXXXX";

static void tear_down(void)
{
    static const char *const files[] = {"guest-fuzz.log", "progress", "1.sock"};
    char path[64];

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
}

static struct console *set_up(void)
{
    char tty[64];
    bool new_tty;

    machine = &fuzz_machine;
    if (!mkdtemp(dir)) {
        abort();
    }
    atexit(tear_down);
    console_socket_dir = console_log_dir = dir;
    logfile_limit = 65536;
    logfile_keep = 0;
    console_epoll = epoll_create1(EPOLL_CLOEXEC);
    if (console_init() < 0 || console_start(1, "fuzz", 1, 1, tty, sizeof(tty), &new_tty) < 0) {
        abort();
    }
    return console_find(1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct console *con;

    if (!con) {
        con = set_up();
    }
    memset(&page, 0, sizeof(page));
    for (size_t at = 0; at + 3 <= len;) {
        size_t where = (data[at] | (size_t)data[at + 1] << 8) % sizeof(page);
        size_t n = min_size(data[at + 2], len - at - 3);

        n = min_size(n, sizeof(page) - where);
        memcpy(page.bytes + where, data + at + 3, n);
        at += 3 + n;
        con->events = 0;
        console_event(11);
        if (console_input_room(con) >= 4) {
            console_input(con, "typed", 4);
        }
    }
    if (con->log.size > logfile_limit + 4096 || con->scrollback.len > SCROLLBACK) {
        abort();
    }
    return 0;
}
