/*
 * fake.h: a machine for libxenctrl's tests: Linux's Xen drivers and a hypervisor behind them, in
 * one process.
 *
 * It takes the place of the system calls (struct xc_sys). Machine memory is a file in memory, and a
 * foreign mapping really maps its frames, so a test can look at a guest that was built as its
 * virtual CPU would see it. It is strict where the real ones are only undefined: a pointer in a
 * hypercall must lie in a hypercall buffer, an unmap must match its map, a frame must be the
 * domain's.
 */
#ifndef HOSPES_TESTS_LIBXENCTRL_FAKE_H
#define HOSPES_TESTS_LIBXENCTRL_FAKE_H

#include "libxenctrl/private.h"

#define FAKE_FRAMES  32768u /* 128 MiB of machine memory */
#define FAKE_DOMAINS 8u

struct fake_domain {
    bool exists, paused;
    struct xen_domctl_createdomain create;
    uint32_t vcpus;       /* by max_vcpus */
    uint64_t max_mem_kib; /* by max_mem */
    uint64_t map_bytes;   /* size of the one range in its memory map */
    uint64_t claimed;     /* pages, now */
    uint64_t tot_pages;
    uint64_t shared_info, grant_table; /* frames */
    uint64_t pinned, hypercall_page;   /* frames, 0: none */
    uint32_t address_size;
    uint32_t nr_leaves; /* of its CPUID policy */
    xen_cpuid_leaf_t leaves[4];
    uint32_t ports; /* allocated so far */
    uint32_t port_remote[8];
    bool has_context;
    struct vcpu_guest_context context;
};

struct fake {
    struct fake_domain domains[FAKE_DOMAINS];
    uint16_t owner[FAKE_FRAMES]; /* domid, or 0xffff */
    uint64_t free_frames;
    uint64_t gap;       /* leave so many frames free between allocations */
    bool no_superpages; /* refuse extents larger than a page */
    bool no_resource;   /* the kernel can't map resources */
    bool no_hypercall_device;

    uint64_t calls;   /* system calls so far */
    uint64_t fail_at; /* the call with this number fails; 0: none */
    int fail_errno;
    int open_files;
    int live_maps; /* mappings that weren't unmapped */
    uint64_t hypercalls;

    struct xen_domctl domctl; /* the last one, as it came */
    struct xen_sysctl sysctl;
    int result; /* domctl and sysctl answer this, if it isn't 0 */

    uint32_t last_op;         /* of sched_op, hvm_op, event_channel_op, memory_op */
    uint8_t last_arg[256];    /* its argument as it came */
    unsigned long last_ioctl; /* of the other devices */
    uint8_t last_ioctl_arg[256];
    uint32_t pending;  /* what /dev/xen/evtchn has to read; 0: nothing */
    uint32_t unmasked; /* the last port written to it */
    char console[64];  /* the console ring */
};

extern struct fake fake;

/* A new machine, which from now on is behind the library. */
void fake_reset(void);
/* Free it. Fails the test if files or mappings are left. */
void fake_check_clean(void);

/* A frame of machine memory, to look at. */
const void *fake_frame(uint64_t mfn);

/* A handle to the fake, which must open. */
struct xc_handle *fake_open(void);

#endif /* HOSPES_TESTS_LIBXENCTRL_FAKE_H */
