/*
 * Network namespaces that play the machines around Domain 0: guests, and a host on its wire.
 *
 * The test itself is Domain 0 (space.h). A guest's card is a veth pair: its end in Domain 0 is
 * called vifX.Y, as netback would call it, its other end is eth0 of the guest.
 */
#ifndef TESTS_NETWORK_GUEST_H
#define TESTS_NETWORK_GUEST_H

#include "network/card.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* cmocka takes the name fail, which is ours in xend/lib/error.h. */
#undef fail

struct guest {
    int pid; /* of the process that holds the namespace */
    int space;
};

/* A machine without any card. */
void guest_start(struct guest *g);
void guest_end(struct guest *g);

/*
 * Give it eth0 with this MAC, with its other end in Domain 0 under this name. Both are down on
 * Domain 0's side, up on the machine's.
 */
void guest_card(struct guest *g, const char *ifname, const char *mac);

/* Run a shell command in it (NULL: in Domain 0); true if it ends with 0. */
bool shell(struct guest *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same, and it must work. */
#define shell_ok(...) assert_true(shell(__VA_ARGS__))
/* Until it works, for some seconds. */
bool shell_soon(struct guest *g, const char *command);

/* One ping, IPv4 or IPv6, within two seconds. */
bool pings(struct guest *g, const char *address);

/* Send one frame from eth0 of one machine; true if it arrives at an interface of the other. */
bool frame_arrives(struct guest *from, const uint8_t *frame, size_t size, struct guest *to,
                   const char *ifname);

/* Serve one line on a TCP port, again and again, until guest_end() or serve_end(). */
int serve(struct guest *g, unsigned port, const char *line);
void serve_end(int pid);
/* Connect and read: is it that line? */
bool fetches(struct guest *g, const char *address, unsigned port, const char *line);

/* Does Domain 0 have the interface, and is a text in what a command prints? */
bool has_link(const char *name);
bool prints(const char *command, const char *text);

#endif
