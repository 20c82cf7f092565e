/*
 * xc_gnttab.h: grants: map another domain's (/dev/xen/gntdev), share one's own (/dev/xen/gntalloc),
 * and seed a new domain's table.
 *
 * Read xenctrl.h first: its conventions hold here.
 */
#ifndef HOSPES_XC_GNTTAB_H
#define HOSPES_XC_GNTTAB_H

#include "libxenctrl/include/xc_handle.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The reserved grants of every domain, which its builder sets up (GNTTAB_RESERVED_*). */
#define XC_GRANT_CONSOLE  0u
#define XC_GRANT_XENSTORE 1u

/* A user of other domains' grants. Closing it undoes its mappings. */
struct xc_gnttab;

/* @why, @why_size: as in xc_open(). */
XC_MUST_CHECK int xc_gnttab_open(struct xc_gnttab **out, char *why, size_t why_size);
void xc_gnttab_close(struct xc_gnttab *g);
const char *xc_gnttab_error(const struct xc_gnttab *g);

/*
 * Map @count grants of @domid at consecutive addresses. @prot: PROT_READ, PROT_WRITE.
 *
 * Returns NULL on failure, with errno the cause: EINVAL also for a grant that isn't there or isn't
 * for us. Unmap with xc_gnttab_unmap() and the same count.
 */
void *xc_gnttab_map(struct xc_gnttab *g, uint32_t domid, const uint32_t *refs, unsigned int count,
                    int prot);

/*
 * The same for one grant, and when it is unmapped (or we die) the byte at @clear_offset of the page
 * is cleared and @notify_port is notified. A negative @clear_offset or the port ~0u: not that.
 */
void *xc_gnttab_map_notify(struct xc_gnttab *g, uint32_t domid, uint32_t ref, int prot,
                           int clear_offset, uint32_t notify_port);

/* Undo one mapping, whole. */
XC_MUST_CHECK int xc_gnttab_unmap(struct xc_gnttab *g, void *address, unsigned int count);

/* A sharer of own pages. Closing it frees pages that nobody maps any more. */
struct xc_gntshr;

/* @why, @why_size: as in xc_open(). */
XC_MUST_CHECK int xc_gntshr_open(struct xc_gntshr **out, char *why, size_t why_size);
void xc_gntshr_close(struct xc_gntshr *s);
const char *xc_gntshr_error(const struct xc_gntshr *s);

/*
 * Allocate @count pages, grant them to @domid (writable for it or not) and store the references in
 * @refs. Returns their address, or NULL with errno the cause. Undo with xc_gntshr_unshare().
 */
void *xc_gntshr_share(struct xc_gntshr *s, uint32_t domid, unsigned int count, bool writable,
                      uint32_t *refs);
XC_MUST_CHECK int xc_gntshr_unshare(struct xc_gntshr *s, void *address, unsigned int count);

/*
 * Write the reserved grants of a new PV domain: its console page to @console_domid, its xenstore
 * page to @xenstore_domid. Frames are machine frames. The builder has done it.
 */
XC_MUST_CHECK int xc_gnttab_seed(struct xc_handle *h, uint32_t domid, uint64_t console_mfn,
                                 uint32_t console_domid, uint64_t xenstore_mfn,
                                 uint32_t xenstore_domid);

#ifdef __cplusplus
}
#endif

#endif /* HOSPES_XC_GNTTAB_H */
