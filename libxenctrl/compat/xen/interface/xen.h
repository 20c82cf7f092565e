/*
 * Linux's <xen/privcmd.h> includes the ABI under a path that only exists inside the kernel's tree.
 * This file leads it to the same definitions (domid_t, xen_pfn_t) in Debian's libxen-dev.
 */
#include <xen/xen.h>
