/*
 * Trace buffers: what the hypervisor does, as records of <xen/trace.h>, in a ring for each CPU that
 * Domain 0 reads (XEN_SYSCTL_tbuf_op). Records carry NOW(), nanoseconds, where the ABI has cycles:
 * it is the same clock on every CPU.
 *
 * Writers: each CPU writes its own ring with interrupts off, from any context but NMI and machine
 * check; no lock is needed or taken. A ring that is full drops records and says later how many.
 */
#ifndef HOSPES_TRACE_H
#define HOSPES_TRACE_H

#include <hospes/compiler.h>
#include <hospes/lib.h>
#include <hospes/types.h>
#include <xen/sysctl.h>
#include <xen/trace.h>

/*
 * Events of our own, in the general class, beside the ABI's. Words of each:
 *   EVENT_SEND   sender's domid, its port, receiver's domid, its port: an interdomain send
 *   EVENT_PIRQ   domid, interrupt number, port: a device's interrupt becomes an event
 *   EVENT_VIRQ   domid, vcpu, VIRQ (not the timer's, of which there are too many)
 *   GRANT_COPY   copier's domid, source domid, its grant (~0: own frame), destination domid, its
 *                grant, length
 * TRC_MEM_PAGE_GRANT_MAP and _UNMAP have the ABI's word, the granter's domid, and then: grant,
 * frame's low 32 bits, the flags of the call, mapper's domid.
 */
#define TRC_HOSPES_EVENT_SEND (TRC_GEN + 0x101)
#define TRC_HOSPES_EVENT_PIRQ (TRC_GEN + 0x102)
#define TRC_HOSPES_EVENT_VIRQ (TRC_GEN + 0x103)
#define TRC_HOSPES_GRANT_COPY (TRC_GEN + 0x104)

extern bool trace_on; /* read anywhere; a stale value costs or loses a record */

/* n words, at most 7. */
void trace_record(uint32_t event, unsigned int n, const uint32_t *words);

#define TRACE(event, ...)                                      \
    do {                                                       \
        if (unlikely(READ_ONCE(trace_on))) {                   \
            const uint32_t words_[] = {__VA_ARGS__};           \
            trace_record((event), ARRAY_SIZE(words_), words_); \
        }                                                      \
    } while (0)

/* XEN_SYSCTL_tbuf_op. 0, -EINVAL (no buffers, another size), -ENOMEM, -EFAULT, -EOPNOTSUPP. */
int trace_control(struct xen_sysctl_tbuf_op *op) __must_check;
/* Which CPUs write: as trace_control, which has no access to guest memory. */
void trace_set_cpus(uint64_t mask);

#endif
