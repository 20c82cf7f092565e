/*
 * What a test kernel needs as an ordinary guest (Domain U) besides <guest.h>: its console, its
 * store and the time. One user at a time: only vcpu 0 may speak to the store.
 */
#ifndef DOMU_H
#define DOMU_H

#include "guest.h"
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>

extern struct xencons_interface *domu_console; /* the rings themselves, for those that spoil them */
extern struct xenstore_domain_interface *domu_store;

/* Maps what start info names. First of all. */
void domu_init(void);

/* One line on the guest's console; what does not fit waits for room. Forms: as print(). */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Nanoseconds since the machine's start. */
uint64_t now_ns(void);
/* Gives the CPU away until then, with no event needed. */
void sleep_ns(uint64_t ns);

/*
 * A request to the store: `payload` of n bytes with its type; waits for the answer. The answer's
 * length, and the answer with a NUL in `answer` if it fits into `size` bytes; -1 for an error,
 * whose name is in `answer` then.
 */
long store_call(unsigned int type, uint32_t tx, const void *payload, unsigned int n, char *answer,
                unsigned int size);
long store_write(const char *path, const char *value);
/* The same without waiting for the answer, which is thrown away. False: the ring is full. */
bool store_send(unsigned int type, const void *payload, unsigned int n);
/* Throws away what the store has answered. */
void store_drain(void);

/* A number as text, behind `at`; the new end. Strings the same way. */
char *put_text(char *at, const char *text);
char *put_decimal(char *at, unsigned long number);

#endif
