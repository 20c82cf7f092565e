/*
 * xc-trace: shows what the hypervisor does, and what a guest shares with a disk's backend.
 *
 *   xc-trace [--domain N] [--switches] [--seconds S | COMMAND...]
 *       a line for each event sent, interrupt, and grant mapped, unmapped or copied, while
 *       COMMAND runs, or for so many seconds. --domain: only what concerns that domain;
 *       --switches: also which vcpu a CPU turns to. Times are the hypervisor's, in seconds since
 *       its start, as in its log.
 *   xc-trace ring DOMID REF            the requests in the ring of a guest's disk
 *   xc-trace page DOMID REF [AT [N]]   N bytes of a page that a guest has granted to this domain
 *
 * REF is a grant reference: device/vbd/N/ring-ref has the ring's, the ring those of the data.
 */
#include "libxenctrl/include/xenctrl.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/trace.h>
#include <xen/io/blkif.h>

/* Events of our hypervisor's own: hypervisor/include/hospes/trace.h says what their words are. */
#define EVENT_SEND (TRC_GEN + 0x101)
#define EVENT_PIRQ (TRC_GEN + 0x102)
#define EVENT_VIRQ (TRC_GEN + 0x103)
#define GRANT_COPY (TRC_GEN + 0x104)

static int domain = -1; /* --domain */

static int failed(const char *what)
{
    fprintf(stderr, "xc-trace: %s\n", what);
    return 1;
}

static bool concerns(uint32_t domid)
{
    return domain < 0 || domid == (uint32_t)domain;
}

static void show_end(const char *before, uint32_t domid, uint32_t ref)
{
    if (ref == ~0u) {
        printf("%sits own page", before);
    } else {
        printf("%sd%u's grant %u", before, domid, ref);
    }
}

static void begin_line(const struct xc_trace_record *r)
{
    printf("%12.6f  cpu%u  ", (double)r->time / 1e9, r->cpu);
}

static void show_switch(const uint32_t *w)
{
    const char *const idle = "idle";
    char from[24], to[24];

    snprintf(from, sizeof(from), "d%uv%u", w[0], w[1]);
    snprintf(to, sizeof(to), "d%uv%u", w[2], w[3]);
    printf("switch        %s -> %s\n", w[0] >= XC_DOMID_RESERVED ? idle : from,
           w[2] >= XC_DOMID_RESERVED ? idle : to);
}

static void show_grant(const struct xc_trace_record *r, const char *what)
{
    const uint32_t *w = r->words;

    printf("%s  d%u: d%u's grant %u, frame 0x%x%s\n", what, w[4], w[0], w[1], w[2],
           w[3] & GNTMAP_readonly ? ", read-only" : "");
}

static void show(const struct xc_trace_record *r)
{
    const uint32_t *w = r->words;

    switch (r->event) {
    case EVENT_SEND:
        if (concerns(w[0]) || concerns(w[2])) {
            begin_line(r);
            printf("event         d%u port %u -> d%u port %u\n", w[0], w[1], w[2], w[3]);
        }
        break;
    case EVENT_PIRQ:
        begin_line(r);
        printf("interrupt     %u -> d%u port %u\n", w[1], w[0], w[2]);
        break;
    case EVENT_VIRQ:
        begin_line(r);
        printf("virq          %u -> d%u\n", w[2], w[0]);
        break;
    case TRC_MEM_PAGE_GRANT_MAP:
    case TRC_MEM_PAGE_GRANT_UNMAP:
        if (r->nr_words >= 5 && (concerns(w[0]) || concerns(w[4]))) {
            begin_line(r);
            show_grant(r, r->event == TRC_MEM_PAGE_GRANT_MAP ? "grant map   " : "grant unmap ");
        }
        break;
    case GRANT_COPY:
        if (concerns(w[1]) || concerns(w[3])) {
            begin_line(r);
            printf("grant copy    d%u: %u bytes", w[0], w[5]);
            show_end(" from ", w[1], w[2]);
            show_end(" to ", w[3], w[4]);
            putchar('\n');
        }
        break;
    case TRC_SCHED_SWITCH:
        if (concerns(w[0]) || concerns(w[2])) {
            begin_line(r);
            show_switch(w);
        }
        break;
    case TRC_LOST_RECORDS:
        printf("                    cpu%u  %u records are lost here\n", r->cpu, w[0]);
        break;
    default:
        break;
    }
}

static void drain(struct xc_trace *t)
{
    struct xc_trace_record r;

    while (xc_trace_next(t, &r)) {
        show(&r);
    }
}

/* Until the command has ended, or the time is over. The command's status. */
static int follow(struct xc_trace *t, double seconds, char **command)
{
    struct timespec now, end;
    int status = 0;
    pid_t pid = -1;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)seconds;
    if (command[0] != NULL) {
        pid = fork();
        if (pid == 0) {
            execvp(command[0], command);
            perror(command[0]);
            _exit(127);
        }
    }
    do {
        usleep(20000);
        drain(t);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (pid > 0 && waitpid(pid, &status, WNOHANG) == pid) {
            usleep(20000);
            drain(t);
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        }
    } while (pid > 0 || now.tv_sec < end.tv_sec);
    return 0;
}

static int trace(double seconds, bool switches, char **command)
{
    uint32_t events = TRC_GEN | TRC_MEM | (switches ? TRC_SCHED : 0);
    struct xc_handle *h;
    struct xc_trace *t;
    char why[512];
    int rc;

    if (xc_open(&h, why, sizeof(why)) < 0) {
        return failed(why);
    }
    if (xc_trace_open(h, 64, events, &t) < 0) {
        rc = failed(xc_error(h));
    } else {
        rc = follow(t, seconds, command);
        xc_trace_close(t);
    }
    xc_close(h);
    return rc;
}

/* ---- what is in shared pages ---- */

/* A page that the guest has granted to us, read-only; NULL and a message. */
static void *granted(struct xc_gnttab **g, uint32_t domid, uint32_t ref)
{
    char why[512];
    void *page;

    if (xc_gnttab_open(g, why, sizeof(why)) < 0) {
        failed(why);
        return NULL;
    }
    page = xc_gnttab_map(*g, domid, &ref, 1, PROT_READ);
    if (page == NULL) {
        failed(xc_gnttab_error(*g));
    }
    return page;
}

static const char *operation_name(uint8_t operation)
{
    static const char *const names[] = {"read",  "write",   "barrier", "flush",
                                        "other", "discard", "indirect"};

    return operation < sizeof(names) / sizeof(names[0]) ? names[operation] : "?";
}

/*
 * One slot. An answer lies over the first 12 bytes of its request, so that of an answered request
 * the operation and the number of segments are lost, but not where it goes.
 */
static void show_slot(const blkif_sring_t *ring, uint32_t index, bool answered)
{
    const union blkif_sring_entry *slot =
        &ring->ring[index & (__CONST_RING_SIZE(blkif, XC_PAGE_SIZE) - 1)];
    const blkif_request_t *q = &slot->req;

    printf("  %u: ", index);
    if (answered) {
        printf("answered %s (id %" PRIu64 ", status %d), was for",
               operation_name(slot->rsp.operation), slot->rsp.id, slot->rsp.status);
    } else {
        printf("%s (id %" PRIu64 "), %u segments, for", operation_name(q->operation), q->id,
               q->nr_segments);
    }
    printf(" sector %" PRIu64 ", first segment: grant %u, sectors %u to %u of the page\n",
           (uint64_t)q->sector_number, q->seg[0].gref, q->seg[0].first_sect, q->seg[0].last_sect);
}

static int show_ring(uint32_t domid, uint32_t ref)
{
    struct xc_gnttab *g = NULL;
    const blkif_sring_t *ring = granted(&g, domid, ref);
    uint32_t req, rsp, size = __CONST_RING_SIZE(blkif, XC_PAGE_SIZE);

    if (ring == NULL) {
        xc_gnttab_close(g);
        return 1;
    }
    req = ring->req_prod;
    rsp = ring->rsp_prod;
    printf("req_prod %u (event at %u), rsp_prod %u (event at %u), %u slots\n", req, ring->req_event,
           rsp, ring->rsp_event, size);
    for (uint32_t i = req < 4 ? 0 : req - 4; i != req; i++) {
        show_slot(ring, i, (int32_t)(rsp - i) > 0);
    }
    xc_gnttab_close(g);
    return 0;
}

static int show_page(uint32_t domid, uint32_t ref, uint32_t at, uint32_t n)
{
    struct xc_gnttab *g = NULL;
    const unsigned char *page = granted(&g, domid, ref);

    for (uint32_t i = at; page != NULL && i < at + n && i < XC_PAGE_SIZE; i += 16) {
        printf("  %03x ", i);
        for (uint32_t j = i; j < i + 16 && j < XC_PAGE_SIZE; j++) {
            printf(" %02x", page[j]);
        }
        printf("  ");
        for (uint32_t j = i; j < i + 16 && j < XC_PAGE_SIZE; j++) {
            putchar(page[j] >= 32 && page[j] < 127 ? page[j] : '.');
        }
        putchar('\n');
    }
    xc_gnttab_close(g);
    return page == NULL;
}

static int usage(void)
{
    fprintf(stderr, "usage: xc-trace [--domain N] [--switches] [--seconds S | COMMAND...]\n"
                    "       xc-trace ring DOMID REF | page DOMID REF [AT [N]]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"domain", required_argument, NULL, 'd'},
                                            {"switches", no_argument, NULL, 'w'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    bool switches = false;
    double seconds = 5;
    int c;

    if (argc == 4 && strcmp(argv[1], "ring") == 0) {
        return show_ring((uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]));
    }
    if (argc >= 4 && argc <= 6 && strcmp(argv[1], "page") == 0) {
        return show_page((uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]),
                         argc > 4 ? (uint32_t)atoi(argv[4]) % XC_PAGE_SIZE & ~15u : 0,
                         argc > 5 ? (uint32_t)atoi(argv[5]) % (XC_PAGE_SIZE + 1) : 64);
    }
    while ((c = getopt_long(argc, argv, "+d:ws:", options, NULL)) != -1) {
        if (c == 'd') {
            domain = atoi(optarg);
        } else if (c == 'w') {
            switches = true;
        } else if (c == 's') {
            seconds = strtod(optarg, NULL);
        } else {
            return usage();
        }
    }
    return trace(seconds, switches, argv + optind);
}
