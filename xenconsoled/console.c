/*
 * Consoles: the rings and the rate. Read console.h and <xen/io/console.h> first.
 */
#include "xenconsoled/console.h"
#include "xenconsoled/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include <xen/io/console.h>

#define LINGER_MS 10000 /* how long a dead guest's last words wait for slow readers */

struct list consoles = {&consoles, &consoles};
const char *console_log_dir;
const char *console_socket_dir;
bool console_stamp;
int console_epoll = -1;

static struct progress progress_memory;
struct progress *console_progress = &progress_memory;

/* A guest that died while no daemon ran has left its socket; the living ones get theirs anew. */
static void remove_stale_sockets(void)
{
    char pattern[300];
    glob_t found;

    snprintf(pattern, sizeof(pattern), "%s/*.sock", console_socket_dir);
    if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            (void)unlink(found.gl_pathv[i]);
        }
        globfree(&found);
    }
}

int console_init(void)
{
    char path[300];
    void *p;
    int fd;

    remove_stale_sockets();
    snprintf(path, sizeof(path), "%s/progress", console_socket_dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -errno;
    }
    if (posix_fallocate(fd, 0, sizeof(*console_progress)) != 0) {
        close(fd);
        return -ENOSPC;
    }
    p = mmap(NULL, sizeof(*console_progress), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (p == MAP_FAILED) {
        return -errno;
    }
    console_progress = p;
    return 0;
}

struct console *console_find(unsigned domid)
{
    struct list *pos;

    list_each(pos, &consoles)
    {
        struct console *con = container_of(pos, struct console, link);

        if (con->domid == domid && !con->dead) {
            return con;
        }
    }
    return NULL;
}

/* --- the ring -------------------------------------------------------------------------------- */

static inline uint32_t load(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* Writes to the log, noting how far the file went before (logfile.h). */
static void log_exactly_once(struct console *con, uint32_t from, const char *data, size_t len)
{
    struct progress *p = console_progress;

    if (con->log.fd < 0) {
        return;
    }
    logfile_make_room(&con->log);
    p->domid = con->domid;
    p->from = from;
    p->log_size = con->log.size;
    __atomic_store_n(&p->busy, 1, __ATOMIC_RELEASE);
    logfile_write(&con->log, data, len, console_stamp);
}

/* Takes what the guest has written. True if there was something. */
static bool drain(struct console *con)
{
    struct xencons_interface *page = con->page;
    uint32_t cons = load(&page->out_cons), prod = load(&page->out_prod);
    uint32_t len = prod - cons;
    char data[sizeof(page->out)];
    size_t at = MASK_XENCONS_IDX(cons, page->out), first;

    if (len == 0) {
        return false;
    }
    if (len > sizeof(page->out)) {
        /* Impossible indices: there is nothing to be had but a fresh start. */
        __atomic_store_n(&page->out_cons, prod, __ATOMIC_RELEASE);
        return false;
    }
    first = min_size(len, sizeof(page->out) - at);
    memcpy(data, page->out + at, first);
    memcpy(data + first, page->out, len - first);
    log_exactly_once(con, cons, data, len);
    fifo_put(&con->scrollback, data, len, SCROLLBACK);
    reader_give_all(con, data, len);
    __atomic_store_n(&page->out_cons, prod, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    console_progress->busy = 0;
    machine->notify(con->port);
    return true;
}

/* The daemon's predecessor was killed in the middle of drain(): its bytes will come once more. */
static void settle(struct console *con)
{
    struct progress *p = console_progress;

    if (p->busy && p->domid == con->domid) {
        if (load(&con->page->out_cons) == p->from) {
            logfile_cut(&con->log, p->log_size);
        }
        p->busy = 0;
    }
}

size_t console_input_room(const struct console *con)
{
    uint32_t used;

    if (!con->page || con->dead) {
        return 0;
    }
    used = load(&con->page->in_prod) - load(&con->page->in_cons);
    return used > sizeof(con->page->in) ? 0 : sizeof(con->page->in) - used;
}

void console_input(struct console *con, const char *data, size_t len)
{
    struct xencons_interface *page = con->page;
    uint32_t prod = load(&page->in_prod);
    size_t at = MASK_XENCONS_IDX(prod, page->in);
    size_t first = min_size(len, sizeof(page->in) - at);

    memcpy(page->in + at, data, first);
    memcpy(page->in, data + first, len - first);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&page->in_prod, prod + (uint32_t)len, __ATOMIC_RELEASE);
    machine->notify(con->port);
}

/* ---- life ---- */

static struct console *add(unsigned domid)
{
    struct console *con = xcalloc(1, sizeof(*con));

    con->domid = domid;
    con->slave_fd = -1;
    con->log.fd = -1;
    list_init(&con->readers);
    list_append(&consoles, &con->link);
    return con;
}

static void detach(struct console *con)
{
    if (con->port) {
        machine->unbind(con->port);
    }
    if (con->page) {
        machine->unmap(con->page);
    }
    con->port = 0;
    con->page = NULL;
}

static void destroy(struct console *con)
{
    detach(con);
    reader_close_all(con);
    logfile_close(&con->log);
    fifo_free(&con->scrollback);
    list_remove(&con->link);
    free(con);
}

/* Maps the page and binds the port. */
static int attach(struct console *con, uint64_t gfn, uint32_t remote_port)
{
    int rc = 0, port;

    con->page = machine->map(con->domid, gfn, &rc);
    if (!con->page) {
        log_msg(LOG_ERR, "cannot map the console page of domain %u: %s", con->domid, strerror(-rc));
        return rc;
    }
    port = machine->bind(con->domid, remote_port);
    if (port < 0) {
        log_msg(LOG_ERR, "cannot bind the console port of domain %u: %s", con->domid,
                strerror(-port));
        detach(con);
        return port;
    }
    con->gfn = gfn;
    con->port = (uint32_t)port;
    con->remote_port = remote_port;
    return 0;
}

static void open_log(struct console *con, const char *name)
{
    char number[24];

    if (con->log.fd >= 0 || !console_log_dir || (!name && con->log_tried)) {
        return;
    }
    con->log_tried = true;
    snprintf(number, sizeof(number), "domain-%u", con->domid);
    logfile_open(&con->log, console_log_dir, "guest-", name ? name : number);
}

int console_start(unsigned domid, const char *name, uint64_t gfn, uint32_t remote_port, char *tty,
                  size_t tty_size, bool *new_tty)
{
    struct console *con = console_find(domid);
    bool fresh = !con;
    int rc;

    *new_tty = false;
    if (con && con->page && con->gfn == gfn && con->remote_port == remote_port) {
        return 0;
    }
    if (fresh) {
        con = add(domid);
    } else if (con->page) {
        drain(con);
        detach(con);
    }
    rc = attach(con, gfn, remote_port);
    if (rc < 0) {
        if (fresh) {
            destroy(con);
        }
        return rc;
    }
    open_log(con, name);
    settle(con);
    if (fresh) {
        *new_tty = reader_open_pty(con, tty, tty_size) == 0;
        reader_open_socket(con);
    }
    while (drain(con)) {
    }
    /* Whatever the guest has sent while nobody listened, it needn't wait for an answer. */
    machine->notify(con->port);
    return 0;
}

void console_stop(struct console *con)
{
    if (con->page) {
        /* A ring's worth and no more: this guest may still be writing. */
        drain(con);
    }
    detach(con);
    con->dead = true;
    con->dead_until = now_ms() + LINGER_MS;
}

bool console_event(uint32_t port)
{
    struct list *pos;

    list_each(pos, &consoles)
    {
        struct console *con = container_of(pos, struct console, link);
        uint64_t now;

        if (con->port != port) {
            continue;
        }
        now = now_ms();
        if (now >= con->period_end) {
            con->period_end = now + RATE_MS;
            con->events = 0;
        }
        if (++con->events > RATE_EVENTS) {
            con->waiting = true;
            return true;
        }
        machine->unmask(port);
        drain(con);
        reader_update_all(con);
        return true;
    }
    return false;
}

int console_timers(uint64_t now)
{
    struct list *pos, *tmp;
    int wait = -1;

    list_each_safe(pos, tmp, &consoles)
    {
        struct console *con = container_of(pos, struct console, link);

        if (con->dead && (reader_all_done(con) || now >= con->dead_until)) {
            destroy(con);
            continue;
        }
        if (con->waiting && now >= con->period_end && con->port) {
            con->waiting = false;
            con->period_end = now + RATE_MS;
            con->events = 1;
            machine->unmask(con->port);
            drain(con);
            reader_update_all(con);
        }
        if (con->dead || con->waiting) {
            int left = con->dead ? 1000 : (int)(con->period_end - now);

            wait = wait < 0 || left < wait ? left : wait;
        }
    }
    return wait;
}

void console_reopen_logs(void)
{
    struct list *pos;

    list_each(pos, &consoles)
    {
        logfile_reopen(&container_of(pos, struct console, link)->log);
    }
}
