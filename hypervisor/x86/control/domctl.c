/*
 * The architecture's domctls: page types for core dumps, hypercall pages, the CPU policy. The
 * generic ones and the dispatch are in hypercall/.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <arch/pv.h>
#include <arch/time.h>
#include "policy_abi.h"

/* ---- page types ---- */

#define PFINFO_MAX 1024u

static xen_pfn_t describe_frame(struct domain *d, uint64_t frame)
{
    struct page_info *pg;
    uint64_t type, info;
    mfn_t m;

    if (get_guest_frame(d, gfn(frame), false, &pg, &m)) {
        return XEN_DOMCTL_PFINFO_XTAB;
    }
    type = READ_ONCE(pg->type_info);
    put_page(pg);
    switch (type & PGT_TYPE_MASK) {
    case PGT_L1:
        info = XEN_DOMCTL_PFINFO_L1TAB;
        break;
    case PGT_L2:
        info = XEN_DOMCTL_PFINFO_L2TAB;
        break;
    case PGT_L3:
        info = XEN_DOMCTL_PFINFO_L3TAB;
        break;
    case PGT_L4:
        info = XEN_DOMCTL_PFINFO_L4TAB;
        break;
    default:
        info = XEN_DOMCTL_PFINFO_NOTAB;
        break;
    }
    return info | (type & PGT_PINNED ? XEN_DOMCTL_PFINFO_LPINTAB : 0);
}

static long page_frame_info(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_getpageframeinfo3 *in = &op->u.getpageframeinfo3;

    if (in->num > PFINFO_MAX) {
        return -E2BIG;
    }
    for (uint64_t i = 0; i < in->num; i++) {
        xen_pfn_t frame;

        if (copy_from_guest_offset(&frame, in->array, i, 1)) {
            return -EFAULT;
        }
        frame = describe_frame(d, frame);
        if (copy_to_guest_offset(in->array, i, &frame, 1)) {
            return -EFAULT;
        }
    }
    return 0;
}

static long hypercall_init(struct domain *d, uint64_t frame)
{
    struct page_info *pg;
    mfn_t m;

    if (get_guest_frame(d, gfn(frame), true, &pg, &m)) {
        return -EACCES;
    }
    if (get_page_type(pg, PGT_WRITABLE, false)) {
        put_page(pg);
        return -EACCES;
    }
    hypercall_page_fill(d, mfn_to_virt(m));
    put_page_and_type(pg);
    return 0;
}

/* ---- CPU policy ---- */

static long get_policy(struct domain *d, struct xen_domctl_cpu_policy *in)
{
    const struct cpu_policy *p = d->arch.cpu_policy;
    int rc = 0;

    if (guest_handle_is_null(in->leaves)) {
        in->nr_leaves = POLICY_MAX_LEAVES;
    } else {
        rc = policy_leaves_to_user(p, in->leaves, &in->nr_leaves);
    }
    if (rc) {
        return rc;
    }
    if (guest_handle_is_null(in->msrs)) {
        in->nr_msrs = POLICY_MAX_MSRS;
        return 0;
    }
    return policy_msrs_to_user(p, in->msrs, &in->nr_msrs);
}

/* Only while nobody has run on it: a guest that has looked at its CPU must not see it change. */
static long set_policy(struct domain *d, struct xen_domctl_cpu_policy *in)
{
    struct cpu_policy *p;
    int rc;

    in->err_leaf = in->err_subleaf = in->err_msr = ~0u;
    if (d == current->domain) {
        return -EINVAL;
    }
    if (d->creation_finished) {
        return -EEXIST;
    }
    p = xzalloc(struct cpu_policy);
    if (!p) {
        return -ENOMEM;
    }
    *p = *d->arch.cpu_policy;
    rc = policy_leaves_from_user(p, in->leaves, in->nr_leaves, &in->err_leaf, &in->err_subleaf);
    if (!rc) {
        rc = policy_msrs_from_user(in->msrs, in->nr_msrs, &in->err_msr);
    }
    if (!rc) {
        rc = policy_restrict(p, &in->err_leaf, &in->err_subleaf);
    }
    if (!rc) {
        domain_pause(d);
        *d->arch.cpu_policy = *p;
        domain_unpause(d);
    }
    policy_destroy(p);
    return rc;
}

/* ---- time ---- */

/* The TSC is the machine's and runs the same for all: no emulation, no offset. */
static long tsc_info(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_tsc_info *t = &op->u.tsc_info;

    if (op->cmd == XEN_DOMCTL_settscinfo) {
        if (d == current->domain) {
            return -EINVAL;
        }
        return t->tsc_mode == 1 ? -EOPNOTSUPP : 0; /* TSC_MODE_ALWAYS_EMULATE */
    }
    if (d == current->domain) {
        return -EINVAL;
    }
    memset(t, 0, sizeof(*t));
    t->gtsc_khz = (uint32_t)tsc_khz();
    t->elapsed_nsec = (uint64_t)NOW();
    return 0;
}

/* ---- dispatch ---- */

long arch_do_domctl(struct xen_domctl *op, struct domain *d, XEN_GUEST_HANDLE(void) u_domctl,
                    bool *copyback)
{
    switch (op->cmd) {
    case XEN_DOMCTL_getpageframeinfo3:
        return page_frame_info(d, op);
    case XEN_DOMCTL_hypercall_init:
        return hypercall_init(d, op->u.hypercall_init.gmfn);
    case XEN_DOMCTL_set_address_size:
        return op->u.address_size.size == 64 ? 0 : -EINVAL; /* there are 64-bit PV guests only */
    case XEN_DOMCTL_get_address_size:
        op->u.address_size.size = 64;
        *copyback = true;
        return 0;
    case XEN_DOMCTL_get_cpu_policy:
        *copyback = true;
        return get_policy(d, &op->u.cpu_policy);
    case XEN_DOMCTL_set_cpu_policy:
        return set_policy(d, &op->u.cpu_policy);
    case XEN_DOMCTL_settscinfo:
        return tsc_info(d, op);
    case XEN_DOMCTL_gettscinfo:
        *copyback = true;
        return tsc_info(d, op);
    case XEN_DOMCTL_shadow_op: /* no logging of dirty pages yet: no live migration */
        return op->u.shadow_op.op == XEN_DOMCTL_SHADOW_OP_OFF ? 0 : -EOPNOTSUPP;
    case XEN_DOMCTL_set_access_required:
    case XEN_DOMCTL_assign_device:
    case XEN_DOMCTL_test_assign_device:
    case XEN_DOMCTL_deassign_device:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}
