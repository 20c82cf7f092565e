/*
 * The event loop: one thread, epoll.
 *
 * A turn: take what has happened, handle it (each request committed to the log by itself), then
 * send what has been queued.
 */
#ifndef XENSTORED_LOOP_H
#define XENSTORED_LOOP_H

#include <stdint.h>

struct conn;

enum loop_kind { LOOP_CONN, LOOP_LISTEN, LOOP_EVENT };

int loop_init(void);

/* Polls a descriptor for input. 0 or -errno. */
int loop_add(int fd, struct conn *c, enum loop_kind kind);
void loop_change(int fd, struct conn *c, enum loop_kind kind, uint32_t events);

/* The local port of VIRQ_DOM_EXC, 0: none. */
void loop_set_virq_port(uint32_t port);

/* One turn; waits for something to happen at most max_wait_ms (-1: for ever). */
void loop_turn(int max_wait_ms);

#endif
