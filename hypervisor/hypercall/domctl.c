/*
 * domctl: what managers do to domains. A table of handlers made from domctl.def; this file checks
 * version, permission, domain and lock the same way for all, and then calls one.
 */
#include "domctl.h"

static spinlock_t domctl_lock = SPINLOCK_INIT(RANK_DOMCTL);

struct domctl_row {
    int (*handler)(struct domctl_call *c);
    unsigned int flags;
};

#define DOMAIN             DOMCTL_DOMAIN
#define OTHER              DOMCTL_OTHER
#define LOCK               DOMCTL_LOCK
#define COPYBACK           DOMCTL_COPYBACK
#define TARGET             DOMCTL_TARGET
#define DOMCTL(name, f, h) [XEN_DOMCTL_##name] = {.handler = (h), .flags = (f)},
static const struct domctl_row rows[] = {
#include "domctl.def"
};
#undef DOMCTL

/* An operation of the architecture's: about an existing domain, one at a time. */
static const struct domctl_row arch_row = {.flags = DOMAIN | LOCK};

int domctl_unsupported(struct domctl_call *c)
{
    return -EOPNOTSUPP;
}

static const struct domctl_row *find_row(uint32_t cmd)
{
    const struct domctl_row *row = &arch_row;

    if (cmd < ARRAY_SIZE(rows)) {
        row = &rows[array_index_nospec(cmd, ARRAY_SIZE(rows))];
    }
    return row->handler ? row : &arch_row;
}

/* The domain that the call is about, and whether the caller may. */
static int resolve(const struct domctl_row *row, struct domctl_call *c)
{
    struct domain *caller = current->domain;

    if (row->flags & DOMAIN) {
        c->d = domain_by_id(c->op->domain);
    }
    if (!caller->is_privileged &&
        !((row->flags & TARGET) && c->d && is_privileged_for(caller, c->d) && c->d != caller)) {
        return -EPERM;
    }
    if ((row->flags & DOMAIN) && !c->d) {
        return -ESRCH;
    }
    return (row->flags & OTHER) && c->d == caller ? -EINVAL : 0;
}

static int run(const struct domctl_row *row, struct domctl_call *c, bool *copyback)
{
    *copyback = (row->flags & COPYBACK) != 0;
    if (row->handler) {
        return row->handler(c);
    }
    return (int)arch_do_domctl(c->op, c->d, guest_handle_cast(c->user, void), copyback);
}

long do_domctl(XEN_GUEST_HANDLE(void) arg)
{
    struct xen_domctl op;
    struct domctl_call c = {.op = &op, .user = guest_handle_cast(arg, xen_domctl_t)};
    const struct domctl_row *row;
    bool copyback = false;
    int rc;

    if (copy_from_guest(&op, c.user, 1)) {
        return -EFAULT;
    }
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION) {
        return -EACCES;
    }
    row = find_row(op.cmd);
    rc = resolve(row, &c);
    if (rc) {
        return rc;
    }
    /* Never wait here: the holder may be waiting for this very vcpu to stop. */
    if ((row->flags & LOCK) && !spin_trylock(&domctl_lock)) {
        rc = -ERESTART;
    } else {
        rc = run(row, &c, &copyback);
        if (row->flags & LOCK) {
            spin_unlock(&domctl_lock);
        }
    }
    if (rc == -ERESTART) {
        return (long)hypercall_create_continuation(__HYPERVISOR_domctl, "h",
                                                   guest_handle_addr(arg));
    }
    if (rc == 0 && copyback && copy_to_guest(c.user, &op, 1)) {
        rc = -EFAULT;
    }
    return rc;
}
