/*
 * The event loop. Read loop.h first.
 */
#include "xenstored/loop.h"
#include "xenstored/domain.h"
#include "xenstored/liveupdate.h"
#include "xenstored/persist.h"
#include "xenstored/platform.h"
#include "xenstored/transport.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS     64
#define SPIN_NS    20000
#define EAGER_MAX  16
#define EAGER_LOSS 4
#define TRIAL      64
#define REIGN      8192
#define IDLE_NS    5000000

static int epoll_fd = -1;
static uint32_t virq_port;
static bool alone; /* one processor: whoever waits must let the others run */

/* What a descriptor is stands in epoll's 64 bits of data: a connection's address, or a small
 * number. */
static uint64_t tag(struct conn *c, enum loop_kind kind)
{
    return kind == LOOP_CONN ? (uintptr_t)c : (uint64_t)kind;
}

int loop_init(void)
{
    alone = sysconf(_SC_NPROCESSORS_ONLN) < 2;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return epoll_fd < 0 ? -errno : 0;
}

int loop_add(int fd, struct conn *c, enum loop_kind kind)
{
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = tag(c, kind)};

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

void loop_change(int fd, struct conn *c, enum loop_kind kind, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.u64 = tag(c, kind)};

    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &e);
}

void loop_set_virq_port(uint32_t port)
{
    virq_port = port;
}

static void take_ports(void)
{
    uint32_t ports[64];
    int n = platform->pending(ports, 64);

    for (int i = 0; i < n; i++) {
        struct list *pos;

        if (ports[i] == virq_port) {
            domain_check_all();
            persist_commit();
            continue;
        }
        list_each(pos, &domains)
        {
            struct domain *d = container_of(pos, struct domain, link);

            if (d->introduced && d->port == ports[i]) {
                ring_mark_ready(d->conn);
                conn_request_flush(d->conn);
                break;
            }
        }
    }
}

/*
 * Waiting. Whoever has just been answered often asks again at once. Looking again for SPIN_NS
 * before going to sleep then saves a wake-up; but it also keeps a processor from whoever is to ask,
 * and the kernel from running both on one processor, where a wake-up costs little. Which is better
 * depends on the machine and on what else runs there. So it is tried: TRIAL turns one way, TRIAL
 * turns the other, and the faster one is kept for REIGN turns.
 */
static struct {
    enum { TRY_SLEEPING, TRY_SPINNING, DECIDED } stage;
    bool spin;
    unsigned left;     /* turns to the end of this stage */
    uint64_t spent[2]; /* time that the trials took, sleeping and spinning */
    uint64_t last;     /* when the turn before this one began */
} way = {.left = TRIAL};

static void next_stage(void)
{
    if (way.stage == DECIDED) {
        way.stage = TRY_SLEEPING;
        way.spent[false] = way.spent[true] = 0;
        way.spin = false;
    } else if (way.stage == TRY_SLEEPING) {
        way.stage = TRY_SPINNING;
        way.spin = !alone;
    } else {
        way.stage = DECIDED;
        /* Time of a processor isn't free: a small gain is none. */
        way.spin = !alone && way.spent[true] < way.spent[false] - way.spent[false] / 8;
    }
    way.left = way.stage == DECIDED ? REIGN : TRIAL;
}

/* A turn begins. Turns between which the store was idle say nothing. */
static void count_turn(uint64_t now)
{
    uint64_t took = now - way.last;

    way.last = now;
    if (took > IDLE_NS) {
        return;
    }
    way.spent[way.spin] += took;
    if (--way.left == 0) {
        next_stage();
    }
}

static int wait_events(struct epoll_event *events, int wait, uint64_t start)
{
    static int eager; /* how often it was so lately, 0 to EAGER_MAX */
    int n = 0;

    while (way.spin && wait != 0 && eager > 0 && n == 0 && now_ns() - start < SPIN_NS) {
        n = epoll_wait(epoll_fd, events, EVENTS, 0);
    }
    if (n == 0) {
        if (way.spin) {
            eager = eager > EAGER_LOSS ? eager - EAGER_LOSS : 0;
        }
        n = epoll_wait(epoll_fd, events, EVENTS, wait);
    }
    if (n > 0 && eager < EAGER_MAX && now_ns() - start < SPIN_NS) {
        eager++;
    }
    return n;
}

void loop_turn(int max_wait_ms)
{
    struct epoll_event events[EVENTS];
    uint64_t now = now_ns();
    int wait = ring_timers(now / 1000000);
    int n;

    count_turn(now);
    if (wait < 0 || (max_wait_ms >= 0 && wait > max_wait_ms)) {
        wait = max_wait_ms;
    }
    n = wait_events(events, wait, now);
    for (int i = 0; i < n; i++) {
        uint64_t data = events[i].data.u64;

        if (data == LOOP_LISTEN) {
            socket_accept();
        } else if (data == LOOP_EVENT) {
            take_ports();
        } else {
            socket_event((struct conn *)(uintptr_t)data, events[i].events);
        }
    }
    ring_run();
    conn_flush_all();
    liveupdate_run();
    persist_maintain();
}
