/*
 * sysctl: what managers ask of and do to the machine as a whole. Only Domain 0 gets here
 * (hypercalls.def). A table of handlers made from sysctl.def, and the short ones of them.
 */
#include "sysctl.h"
#include "domctl.h"

struct sysctl_row {
    int (*handler)(struct sysctl_call *c);
    bool copyback;
};

#define SYSCTL(name, cb, h) [XEN_SYSCTL_##name] = {.handler = (h), .copyback = (cb)},
static const struct sysctl_row rows[] = {
#include "sysctl.def"
};
#undef SYSCTL

long do_sysctl(XEN_GUEST_HANDLE(void) arg)
{
    struct xen_sysctl op;
    struct sysctl_call c = {.op = &op, .user = guest_handle_cast(arg, xen_sysctl_t)};
    const struct sysctl_row *row = NULL;
    bool copyback = false;
    int rc;

    if (copy_from_guest(&op, c.user, 1)) {
        return -EFAULT;
    }
    if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION) {
        return -EACCES;
    }
    if (op.cmd < ARRAY_SIZE(rows)) {
        row = &rows[array_index_nospec(op.cmd, ARRAY_SIZE(rows))];
    }
    if (row && row->handler) {
        copyback = row->copyback;
        rc = row->handler(&c);
    } else {
        rc = (int)arch_do_sysctl(&op, arg, &copyback);
    }
    if (rc == -ERESTART) {
        return (long)hypercall_create_continuation(__HYPERVISOR_sysctl, "h",
                                                   guest_handle_addr(arg));
    }
    if ((rc == 0 || rc == -ENOBUFS) && copyback && copy_to_guest(c.user, &op, 1)) {
        rc = -EFAULT;
    }
    return rc;
}

/* Development aids that are compiled out, as they are of a distribution's Xen. */
int sysctl_not_built(struct sysctl_call *c)
{
    return -EOPNOTSUPP;
}

int sysctl_readconsole(struct sysctl_call *c)
{
    return console_ring_read(&c->op->u.readconsole);
}

int sysctl_sched_id(struct sysctl_call *c)
{
    c->op->u.sched_id.sched_id = sched->sched_id;
    return 0;
}

int sysctl_scheduler(struct sysctl_call *c)
{
    if (c->op->u.scheduler_op.cpupool_id != 0) { /* there is one pool */
        return -ESRCH;
    }
    return sched_adjust_global(&c->op->u.scheduler_op);
}

/* Preemptible between two keys: the caller's structure then says what is left of the list. */
int sysctl_debug_keys(struct sysctl_call *c)
{
    struct xen_sysctl_debug_keys *in = &c->op->u.debug_keys;

    while (in->nr_keys != 0) {
        XEN_GUEST_HANDLE(char) keys = guest_handle_from_addr(guest_handle_addr(in->keys), char);
        char key;

        if (copy_from_guest(&key, keys, 1)) {
            return -EFAULT;
        }
        keyhandler_run(key);
        guest_handle_add(in->keys, 1);
        in->nr_keys--;
        if (in->nr_keys != 0 && hypercall_preempt_check()) {
            return copy_to_guest(c->user, c->op, 1) ? -EFAULT : -ERESTART;
        }
    }
    return 0;
}

int sysctl_trace(struct sysctl_call *c)
{
    struct xen_sysctl_tbuf_op *op = &c->op->u.tbuf_op;
    cpumask_t mask;

    if (op->cmd != XEN_SYSCTL_TBUFOP_set_cpu_mask) {
        return trace_control(op);
    }
    if (cpumask_from_user(&mask, &op->cpu_mask)) {
        return -EFAULT;
    }
    trace_set_cpus(mask.bits);
    return 0;
}

int sysctl_availheap(struct sysctl_call *c)
{
    struct xen_sysctl_availheap *h = &c->op->u.availheap;

    if (h->node > 0) {
        return -EINVAL;
    }
    h->avail_bytes = heap_free_pages_in(h->min_bitwidth, h->max_bitwidth) << PAGE_SHIFT;
    return 0;
}

int sysctl_domain_list(struct sysctl_call *c)
{
    struct xen_sysctl_getdomaininfolist *list = &c->op->u.getdomaininfolist;
    struct xen_domctl_getdomaininfo info;
    struct domain *d;
    uint32_t n = 0;

    for_each_domain (d) {
        if (d->domain_id < list->first_domain || d->is_xen) {
            continue;
        }
        if (n == list->max_domains) {
            break;
        }
        domain_info(d, &info);
        if (copy_to_guest_offset(list->buffer, n, &info, 1)) {
            return -EFAULT;
        }
        n++;
    }
    list->num_domains = n;
    return 0;
}
