/*
 * A hypervisor in a file, for xend's tests: what libxenctrl would tell, and knobs for the test.
 *
 * xend_fake_hv.c has the functions of libxenctrl that xend uses, over an array in a file that is
 * mapped by everyone: by the xend under test, by the test, and by the world (xend_fake_world.c),
 * which plays backends and guests. So a killed xend finds its domains again. The lock is a flock(),
 * which the kernel takes back from the dead.
 *
 * The folder $XEND_FAKE holds the state and what the fake store of xenstored/platform_fake.c needs.
 */
#ifndef TESTS_UNIT_XEND_FAKE_H
#define TESTS_UNIT_XEND_FAKE_H

#include <stdbool.h>
#include <stdint.h>

#define FAKE_DOMAINS 64

struct fake_domain {
    bool used, paused, shutdown, dying;
    bool stubborn; /* it neither shuts down nor lets go of devices */
    bool deaf;     /* it has no drivers: its frontends stay in state 1 */
    uint32_t domid, reason, vcpus, weight, cap;
    uint32_t looks; /* of a dying one: so often it is still listed, as someone holds its pages */
    uint8_t uuid[16];
    uint64_t pages, max_pages, runs; /* runs: how often it was unpaused */
};

struct fake_hv {
    uint64_t total_pages, guest_pages; /* of the machine; of them for guests */
    uint32_t next_domid;
    uint32_t build_ms;           /* how long a build takes */
    bool new_stubborn, new_deaf; /* what domains are that are built from now on */
    uint32_t dying_looks;        /* the looks of domains that are destroyed from now on */
    bool no_backends;            /* the world's backends do nothing */
    uint64_t built;
    struct fake_domain domains[FAKE_DOMAINS];
};

/* The shared state; made if it is not there. */
struct fake_hv *fake_hv(void);
void fake_lock(void);
void fake_unlock(void);
/* NULL if there is none; under the lock. */
struct fake_domain *fake_find(uint32_t domid);
/*
 * Pages that no guest has, and the number of guests: counted anew each time, because a xend that is
 * killed inside of this file must not be able to spoil a sum. Not under the lock.
 */
uint64_t fake_free_pages(void);
unsigned fake_guests(void);
/* A domain ends by itself: as VIRQ_DOM_EXC tells the store. Not under the lock. */
void fake_end(uint32_t domid, uint32_t reason);

/* What another tool's destroy does. 0 or -ESRCH */
int fake_destroy(uint32_t domid);

/* One round of what backends and guests do. Returns whether anything was done. */
struct xsc;
bool world_step(struct xsc *xs);

#endif
