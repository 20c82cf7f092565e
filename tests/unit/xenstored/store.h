/*
 * For tests of xenstored's parts: a store in this process with a socket and two guests connected.
 * Requests are put to wire_handle() on connections without a transport; their answers and events
 * are taken from the connections' queues. The functions assert what they say.
 */
#ifndef TEST_XENSTORED_STORE_H
#define TEST_XENSTORED_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xenstored/connection.h"
#include "xenstored/domain.h"
#include "xenstored/nodeops.h"
#include "xenstored/permission.h"
#include "xenstored/platform.h"
#include "xenstored/quota.h"
#include "xenstored/rate.h"
#include "xenstored/record.h"
#include "xenstored/transaction.h"
#include "xenstored/tree.h"
#include "xenstored/watch.h"
#include "xenstored/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern struct conn *sock, *guest1, *guest2;
/* The last answer, and the events that came with it ("path token"). */
extern char answer[XENSTORE_PAYLOAD_MAX + 1];
extern uint32_t answer_len, answer_type;
extern char events[2048][256];
extern unsigned event_count;

/* A fresh store before each test, and its end. */
int set_up(void **state);
int tear_down(void **state);
struct conn *make_guest(uint32_t domid);

/* Takes every message off a connection's queue into the variables above. */
void drain(struct conn *c);
void ask_bytes(struct conn *c, uint32_t type, uint32_t tx, const char *data, size_t len);
/* '|' in the text stands for NUL. */
void ask(struct conn *c, uint32_t type, uint32_t tx, const char *text);
/* The answer is OK. */
void ok(struct conn *c, uint32_t type, uint32_t tx, const char *text);
/* The answer is that error. */
void fails(struct conn *c, uint32_t type, uint32_t tx, const char *text, const char *error);
/* The node has that value. */
void reads(struct conn *c, uint32_t tx, const char *path, const char *value);
/* Starts a transaction: its number. */
uint32_t begin(struct conn *c);

#endif
