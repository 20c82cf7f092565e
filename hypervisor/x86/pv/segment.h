/* A segment as the running vcpu's descriptor tables have it: for what is emulated. */
#ifndef X86_PV_SEGMENT_H
#define X86_PV_SEGMENT_H

#include <hospes/types.h>

struct segment {
    unsigned long base;
    uint32_t limit; /* last valid offset */
    bool present, code, writable, readable, expand_down, long_mode, size32;
};

/* The descriptor behind sel of current; false: none (or not readable). In long mode bases and
 * limits are not used but for FS and GS, whose bases are in MSRs. */
bool read_segment(unsigned int sel, struct segment *s) __must_check;

#endif
