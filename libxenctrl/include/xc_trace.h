/*
 * xc_trace.h: the hypervisor's trace buffers: what it does, as it does it.
 *
 * Read xenctrl.h first: its conventions hold here. Records and events are those of <xen/trace.h>.
 * One reader at a time: two would take each other's records.
 */
#ifndef HOSPES_XC_TRACE_H
#define HOSPES_XC_TRACE_H

#include "libxenctrl/include/xc_handle.h"

#ifdef __cplusplus
extern "C" {
#endif

#define XC_TRACE_WORDS 7

struct xc_trace;

struct xc_trace_record {
    uint64_t time;  /* the hypervisor's clock: nanoseconds on Hospes, cycles on Xen; 0: none */
    uint32_t cpu;   /* whose buffer */
    uint32_t event; /* TRC_* */
    uint32_t nr_words;
    uint32_t words[XC_TRACE_WORDS];
};

/*
 * Begin tracing and map the buffers. Records from before are thrown away.
 *
 * @pages   size of each CPU's buffer, if none are there yet: once made they stay as they are
 * @events  which: TRC_ALL, or a class and subclasses of it
 *
 * Errors: -EOPNOTSUPP: the hypervisor has no trace; -ENOMEM; those of xc_map_foreign().
 */
XC_MUST_CHECK int xc_trace_open(struct xc_handle *h, unsigned int pages, uint32_t events,
                                struct xc_trace **out);

/*
 * The oldest record that is there. 1, or 0: there is none now. Records of different CPUs come in
 * the order of their times, as far as they are there.
 */
int xc_trace_next(struct xc_trace *t, struct xc_trace_record *record);

/* End tracing. NULL is allowed. */
void xc_trace_close(struct xc_trace *t);

#ifdef __cplusplus
}
#endif

#endif /* HOSPES_XC_TRACE_H */
