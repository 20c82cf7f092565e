/*
 * A guest's console: its ring, its log, its readers.
 *
 * What a guest writes goes into its log, into a scrollback of the last SCROLLBACK bytes, and to
 * every reader: the classic pty (whose name stands in the store for clients like Xen's xenconsole),
 * and any number of clients of the socket DIR/DOMID.sock, which get the scrollback first. What any
 * reader types goes to the guest. A reader that does not read loses the oldest bytes, nobody else
 * does.
 *
 * A guest is hostile: its indices are read once and checked, it is served RATE_EVENTS times in
 * RATE_MS and then waits, and everything kept for it is bounded.
 */
#ifndef XENCONSOLED_CONSOLE_H
#define XENCONSOLED_CONSOLE_H

#include "xenconsoled/logfile.h"
#include "xenstored/util.h"

struct xencons_interface;

#define SCROLLBACK  32768u
#define READER_MAX  65536u
#define READERS_MAX 64
#define RATE_EVENTS 30
#define RATE_MS     200

/* Bytes, the oldest of which fall out when there are too many. */
struct fifo {
    char *p;
    size_t first, len, cap;
};

struct console;

enum reader_kind { READER_PTY, READER_SOCKET, READER_LISTEN };

/* One descriptor of a console: the pty, the listening socket, or a client. */
struct reader {
    struct list link;
    struct console *console;
    enum reader_kind kind;
    int fd;
    bool broken;
    uint32_t interest; /* what epoll was asked for */
    struct fifo out;
};

struct console {
    struct list link;
    unsigned domid;
    uint64_t gfn;
    uint32_t port, remote_port;
    struct xencons_interface *page;
    struct list readers;
    unsigned clients;
    int slave_fd; /* keeps the pty alive while nobody has it open */
    char socket_path[256];
    struct logfile log;
    bool log_tried;
    struct fifo scrollback;
    unsigned events; /* in this period */
    uint64_t period_end;
    bool waiting; /* its port is masked until the period ends */
    bool dead;    /* the domain has gone: what is left is delivered until dead_until */
    uint64_t dead_until;
};

/* What of a ring is being written to a log: memory that survives the process (logfile.h). */
struct progress {
    uint64_t busy;
    uint64_t log_size;
    uint32_t domid, from;
};

extern struct progress *console_progress;
extern struct list consoles;

/* Settings, from the command line. */
extern const char *console_log_dir; /* NULL: guests are not logged */
extern const char *console_socket_dir;
extern bool console_stamp;
extern int console_epoll;

/* Opens the progress file in the socket directory. 0 or -errno. */
int console_init(void);

struct console *console_find(unsigned domid);

/*
 * Starts (or, where port or frame have changed, starts again) the console of a domain. name: the
 * guest's, for the log. tty: where to put the pty's name. limit: bytes kept for the pty. 0 or
 * -errno.
 */
int console_start(unsigned domid, const char *name, uint64_t gfn, uint32_t remote_port, char *tty,
                  size_t tty_size, bool *new_tty);

/* The domain has gone: takes what is left in its ring; delivers it, then forgets the console. */
void console_stop(struct console *con);

/* An event of a local port; false if it is nobody's. */
bool console_event(uint32_t port);

/* epoll says that something is up with a reader. */
void console_reader_event(struct reader *r, uint32_t events);

/* Ends rate periods, removes the dead. Milliseconds until the next call is due, or -1. */
int console_timers(uint64_t now);

void console_reopen_logs(void);

/* --- readers (reader.c) ---------------------------------------------------------------------- */

void fifo_put(struct fifo *f, const char *data, size_t len, size_t max);
void fifo_free(struct fifo *f);

int reader_open_pty(struct console *con, char *name, size_t size);
int reader_open_socket(struct console *con);

/* Gives bytes to every reader of a console. */
void reader_give_all(struct console *con, const char *data, size_t len);

/* Asks epoll for what each reader of a console wants now. */
void reader_update_all(struct console *con);
void reader_close_all(struct console *con);

/* Is there nothing left to deliver? */
bool reader_all_done(const struct console *con);

/* Room in the ring for what readers type. */
size_t console_input_room(const struct console *con);
void console_input(struct console *con, const char *data, size_t len);

#endif
