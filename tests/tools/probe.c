/*
 * probe: what the system tests ask in Domain 0 beside xm, in numbers and plain lines.
 *
 *   probe ledger            free pages, Domain 0's event ports, nodes and bytes of the store,
 * domains probe ls PATH           everything below a node of the store: path = value probe read|rm
 * PATH      one node probe write PATH VALUE
 *
 * Errors are one line on stderr and exit status 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libxenctrl/include/xenctrl.h"
#include "xenstored/client/xsclient.h"

#include <stdint.h>
#include <xen/xen.h>
#include <xen/event_channel.h>

struct sum {
    unsigned long nodes, bytes;
};

static int complain(const char *what, int rc)
{
    fprintf(stderr, "%s: %s\n", what, strerror(-rc));
    return 1;
}

/* Adds up, and with `show` prints, a node and all below it. What vanishes meanwhile is left out. */
static void walk(struct xsc *xs, const char *path, bool show, struct sum *sum)
{
    char **names, *value;
    size_t n, len;

    if (xsc_read(xs, XSC_NO_TX, path, &value, &len) != 0) {
        return;
    }
    sum->nodes++;
    sum->bytes += strlen(path) + len;
    if (show) {
        printf("%s = %s\n", path, value);
    }
    free(value);
    if (xsc_directory(xs, XSC_NO_TX, path, &names, &n) != 0) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        char *below;

        if (asprintf(&below, "%s/%s", strcmp(path, "/") == 0 ? "" : path, names[i]) > 0) {
            walk(xs, below, show, sum);
            free(below);
        }
    }
    free(names);
}

/* Ports of Domain 0 that are bound to something. */
static unsigned int used_ports(struct xc_handle *h)
{
    unsigned int used = 0;

    for (uint32_t port = 1; port < 4096; port++) {
        struct xc_evtchn_status status;

        if (xc_evtchn_get_status(h, 0, port, &status) < 0) {
            break;
        }
        used += status.status != EVTCHNSTAT_closed;
    }
    return used;
}

static int ledger(struct xsc *xs)
{
    struct xc_domain_info *list;
    struct xc_host_info host;
    struct sum sum = {0, 0};
    struct xc_handle *h;
    char why[512];
    int n;

    if (xc_open(&h, why, sizeof(why)) < 0) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    n = xc_domain_list_all(h, &list);
    if (n < 0 || xc_host_get_info(h, &host) < 0) {
        fprintf(stderr, "%s\n", xc_error(h));
        return 1;
    }
    walk(xs, "/", false, &sum);
    printf("free_pages %llu\n", (unsigned long long)(host.free_pages + host.scrub_pages));
    printf("domains %d\ndom0.ports %u\nstore.nodes %lu\nstore.bytes %lu\n", n, used_ports(h),
           sum.nodes, sum.bytes);
    free(list);
    xc_close(h);
    return 0;
}

static int print_node(struct xsc *xs, const char *path)
{
    char *value;
    int rc = xsc_read(xs, XSC_NO_TX, path, &value, NULL);

    if (rc != 0) {
        return complain(path, rc);
    }
    puts(value);
    free(value);
    return 0;
}

static int run(struct xsc *xs, int argc, char **argv)
{
    struct sum sum = {0, 0};
    int rc;

    if (argc == 2 && strcmp(argv[1], "ledger") == 0) {
        return ledger(xs);
    }
    if (argc == 3 && strcmp(argv[1], "ls") == 0) {
        walk(xs, argv[2], true, &sum);
        return sum.nodes == 0;
    }
    if (argc == 3 && strcmp(argv[1], "read") == 0) {
        return print_node(xs, argv[2]);
    }
    if (argc == 3 && strcmp(argv[1], "rm") == 0) {
        rc = xsc_rm(xs, XSC_NO_TX, argv[2]);
        return rc ? complain(argv[2], rc) : 0;
    }
    if (argc == 4 && strcmp(argv[1], "write") == 0) {
        rc = xsc_write_str(xs, XSC_NO_TX, argv[2], argv[3]);
        return rc ? complain(argv[2], rc) : 0;
    }
    fprintf(stderr, "usage: probe ledger | ls PATH | read PATH | rm PATH | write PATH VALUE\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct xsc *xs;
    int rc = xsc_open(&xs, NULL);

    if (rc != 0) {
        return complain("the store", rc);
    }
    rc = run(xs, argc, argv);
    xsc_close(xs);
    return rc;
}
