/*
 * p2m.h: reading the list of frames that a running PV guest keeps.
 */
#ifndef HOSPES_LIBXENCTRL_P2M_H
#define HOSPES_LIBXENCTRL_P2M_H

#include "libxenctrl/private.h"

#define P2M_LEVELS 4

/* A reader. The fields are its own. */
struct xc_p2m {
    struct xc_handle *h;
    uint32_t domid;
    uint64_t pages;                 /* guest frames that the guest says it has */
    uint64_t cr3, vaddr, list_list; /* where it says its list is: one of the two ways */
    struct {
        uint64_t mfn;
        const uint64_t *entries; /* the frame, mapped, or NULL */
    } level[P2M_LEVELS + 1];
};

/*
 * Begin to read the list of @domid, whose shared info is @shared. -ENODATA: the guest hasn't made
 * one, or it makes no sense. Undo with xc_p2m_finish().
 */
XC_MUST_CHECK int xc_p2m_begin(struct xc_p2m *p2m, struct xc_handle *h, uint32_t domid,
                               const struct shared_info *shared);
void xc_p2m_finish(struct xc_p2m *p2m);

/*
 * The list's entries for guest frames @first (a multiple of 512) to @first + 511, valid until the
 * next call; NULL: there are none.
 */
const uint64_t *xc_p2m_read(struct xc_p2m *p2m, uint64_t first);

#endif /* HOSPES_LIBXENCTRL_P2M_H */
