/*
 * guest.h: one guest's life in xc-selftest.
 */
#ifndef HOSPES_LIBXENCTRL_TOOLS_GUEST_H
#define HOSPES_LIBXENCTRL_TOOLS_GUEST_H

#include "libxenctrl/include/xenctrl.h"

struct boot {
    struct xc_build_config config;
    const char *until; /* console text that ends it; NULL: until it shuts down */
    const char *dump;  /* where to dump its core, or NULL */
    int timeout_s;
    bool run; /* false: only build and destroy it */
};

/*
 * Build a guest, introduce it to xenstored, run it, copy its console to stdout, destroy it. 0, or a
 * negative errno value and the reason in @why.
 */
int boot_guest(struct xc_handle *h, const struct boot *boot, char *why, size_t why_size);

#endif
