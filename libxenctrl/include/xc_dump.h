/*
 * xc_dump.h: core dumps of domains, in the ELF format that crash, gdb and volatility know as
 * "xen core" (sections .note.Xen, .xen_prstatus, .xen_shared_info, .xen_p2m or .xen_pfn,
 * .xen_pages).
 *
 * Read xenctrl.h first: its conventions hold here.
 */
#ifndef HOSPES_XC_DUMP_H
#define HOSPES_XC_DUMP_H

#include "libxenctrl/include/xc_handle.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Called now and then: @done of @total pages. Returning false ends the dump with -ECANCELED. */
typedef bool xc_dump_progress(void *context, uint64_t done, uint64_t total);

/*
 * Write all of a PV domain's memory and registers to @fd (a regular file, at its start). The domain
 * should be paused, or have shut down or crashed. Pages that can't be read are left out.
 *
 * Errors: -ENOTSUP for an HVM domain; those of write() (ENOSPC...); -ECANCELED. The file then has
 * no meaning and the caller deletes it.
 */
XC_MUST_CHECK int xc_domain_dump_core(struct xc_handle *h, uint32_t domid, int fd,
                                      xc_dump_progress *progress, void *context);

#ifdef __cplusplus
}
#endif

#endif /* HOSPES_XC_DUMP_H */
