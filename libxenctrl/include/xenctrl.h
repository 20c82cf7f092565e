/*
 * xenctrl.h: libxenctrl, the C library through which Hospes' tools manage the hypervisor.
 *
 * It speaks Xen 4.17's ABI (domctl and sysctl 0x15) through Linux's drivers: /dev/xen/privcmd,
 * /dev/xen/hypercall, /dev/xen/evtchn, /dev/xen/gntdev and /dev/xen/gntalloc. It keeps no state
 * that outlives a handle and starts no thread.
 *
 * This file includes all of it:
 *
 *   xc_handle.h   the handle, its errors, hypercall buffers and raw hypercalls
 *   xc_domain.h   domains: create, destroy, list, shut down, permissions, HVM parameters
 *   xc_vcpu.h     virtual CPUs, affinity, scheduler parameters
 *   xc_host.h     the machine: CPUs, memory, NUMA, console ring, version, CPU pools
 *   xc_memory.h   reservations and mappings of guest memory
 *   xc_evtchn.h   event channels             xc_gnttab.h   grants: map, share, seed
 *   xc_build.h    the builder of PV domains  xc_dump.h     core dumps
 *   xc_trace.h    the hypervisor's trace
 *
 * Conventions, which hold for every function of the library unless it says otherwise:
 *
 * - A function that can fail returns 0 or a negative errno value; bool is for predicates.
 * - When one fails its handle holds one sentence with the cause and, where there is one, the cure:
 *   xc_error(). The sentence stays until the handle's next failure.
 * - Out-parameters are written on success only.
 * - A handle, of whatever kind, is used by one thread at a time. Different handles are independent.
 * - All file descriptors are close-on-exec. After fork() a child must not use its parent's handles.
 * - Domains are named by a uint32_t domid; virtual CPUs by their number from 0; memory by frame
 *   numbers (uint64_t: mfn of the machine, gfn of the guest; for PV domains both are machine frames
 *   wherever the hypervisor is spoken to) of XC_PAGE_SIZE bytes; event channel ports and grant
 *   references by uint32_t.
 * - The caller must be root in the control domain. Nothing here checks a permission: the hypervisor
 *   does, and its refusal is -EPERM.
 */
#ifndef HOSPES_XENCTRL_H
#define HOSPES_XENCTRL_H

#include "libxenctrl/include/xc_handle.h"
#include "libxenctrl/include/xc_domain.h"
#include "libxenctrl/include/xc_vcpu.h"
#include "libxenctrl/include/xc_host.h"
#include "libxenctrl/include/xc_memory.h"
#include "libxenctrl/include/xc_evtchn.h"
#include "libxenctrl/include/xc_gnttab.h"
#include "libxenctrl/include/xc_build.h"
#include "libxenctrl/include/xc_dump.h"
#include "libxenctrl/include/xc_trace.h"

#endif /* HOSPES_XENCTRL_H */
