/*
 * grant_table_op: arrays of operations, each answered with a GNTST_ status in its own structure. A
 * batch that is preempted goes on behind what is done.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>

/*
 * In a continuation the array pointer and the count have moved on; the command's upper bits carry
 * how far an unfinished cache flush is with its search.
 */
#define GNTTABOP_CMD_MASK (GRANT_SEARCH_STEP - 1)
#define GNTTABOP_ARG_MASK (~GNTTABOP_CMD_MASK)
#define UNMAP_BATCH       16u

/* Each returns -errno, or how many it did: fewer than count when preempted. */

static long map_refs(XEN_GUEST_HANDLE(gnttab_map_grant_ref_t) u, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        struct gnttab_map_grant_ref op;

        if (i && hypercall_preempt_check()) {
            return i;
        }
        if (copy_from_guest_offset(&op, u, i, 1)) {
            return -EFAULT;
        }
        grant_map(&op);
        if (copy_to_guest_offset(u, i, &op, 1)) {
            return -EFAULT;
        }
    }
    return count;
}

/* Reads element i as an unmap request; false: fault. */
typedef bool (*unmap_reader)(XEN_GUEST_HANDLE(void) u, unsigned int i, struct grant_unmap *out);
typedef bool (*status_writer)(XEN_GUEST_HANDLE(void) u, unsigned int i, int16_t status);

static bool read_unmap(XEN_GUEST_HANDLE(void) u, unsigned int i, struct grant_unmap *out)
{
    struct gnttab_unmap_grant_ref op;

    if (copy_from_guest_offset(&op, guest_handle_cast(u, gnttab_unmap_grant_ref_t), i, 1)) {
        return false;
    }
    *out = (struct grant_unmap){
        .host_addr = op.host_addr, .dev_bus_addr = op.dev_bus_addr, .handle = op.handle};
    return true;
}

static bool write_unmap_status(XEN_GUEST_HANDLE(void) u, unsigned int i, int16_t status)
{
    XEN_GUEST_HANDLE(gnttab_unmap_grant_ref_t) h = guest_handle_cast(u, gnttab_unmap_grant_ref_t);
    struct gnttab_unmap_grant_ref op = {.status = status};

    guest_handle_add(h, i);
    return !copy_field_to_guest(h, &op, status);
}

static bool read_replace(XEN_GUEST_HANDLE(void) u, unsigned int i, struct grant_unmap *out)
{
    struct gnttab_unmap_and_replace op;

    if (copy_from_guest_offset(&op, guest_handle_cast(u, gnttab_unmap_and_replace_t), i, 1)) {
        return false;
    }
    *out = (struct grant_unmap){
        .host_addr = op.host_addr, .new_addr = op.new_addr, .handle = op.handle};
    return true;
}

static bool write_replace_status(XEN_GUEST_HANDLE(void) u, unsigned int i, int16_t status)
{
    XEN_GUEST_HANDLE(gnttab_unmap_and_replace_t)
    h = guest_handle_cast(u, gnttab_unmap_and_replace_t);
    struct gnttab_unmap_and_replace op = {.status = status};

    guest_handle_add(h, i);
    return !copy_field_to_guest(h, &op, status);
}

/* In line, so that reading and writing are no calls through pointers. */
static __always_inline long unmap_refs(XEN_GUEST_HANDLE(void) u, unsigned int count,
                                       unmap_reader read, status_writer write)
{
    struct grant_unmap batch[UNMAP_BATCH];
    unsigned int done = 0;

    while (done < count) {
        unsigned int n = 0, want = min(count - done, UNMAP_BATCH);
        bool fault = false;

        while (n < want && !fault) {
            fault = !read(u, done + n, &batch[n]);
            if (!fault) {
                fault = !write(u, done + n, (int16_t)grant_unmap(&batch[n]));
                n++;
            }
        }
        grant_unmap_finish(batch, n);
        if (fault) {
            return -EFAULT;
        }
        done += n;
        if (done < count && hypercall_preempt_check()) {
            break;
        }
    }
    return done;
}

static long copy_refs(XEN_GUEST_HANDLE(gnttab_copy_t) u, unsigned int count)
{
    struct grant_copy_state state = {0};
    long rc = count;

    for (unsigned int i = 0; i < count; i++) {
        struct gnttab_copy op;

        if (i && hypercall_preempt_check()) {
            rc = i;
            break;
        }
        if (copy_from_guest_offset(&op, u, i, 1)) {
            rc = -EFAULT;
            break;
        }
        op.status = (int16_t)grant_copy(&state, &op);
        if (copy_to_guest_offset(u, i, &op, 1)) {
            rc = -EFAULT;
            break;
        }
    }
    grant_copy_finish(&state);
    return rc;
}

static long transfer_frames(XEN_GUEST_HANDLE(gnttab_transfer_t) u, unsigned int count)
{
    if (!opt_grant_transfer) {
        return -EOPNOTSUPP;
    }
    for (unsigned int i = 0; i < count; i++) {
        XEN_GUEST_HANDLE(gnttab_transfer_t) h = u;
        struct gnttab_transfer op;

        if (i && hypercall_preempt_check()) {
            return i;
        }
        if (copy_from_guest_offset(&op, u, i, 1)) {
            return -EFAULT;
        }
        op.status = (int16_t)grant_transfer(&op);
        guest_handle_add(h, i);
        if (copy_field_to_guest(h, &op, status)) {
            return -EFAULT;
        }
    }
    return count;
}

/* *from: where the search for the grant of the first operation goes on. */
static long flush_refs(XEN_GUEST_HANDLE(gnttab_cache_flush_t) u, unsigned int count,
                       grant_ref_t *from)
{
    for (unsigned int i = 0; i < count; i++) {
        struct gnttab_cache_flush op;
        int rc;

        if (i && hypercall_preempt_check()) {
            return i;
        }
        if (copy_from_guest_offset(&op, u, i, 1)) {
            return -EFAULT;
        }
        while ((rc = grant_cache_flush(&op, from)) == -ERESTART) {
            if (hypercall_preempt_check()) {
                return i;
            }
        }
        *from = 0;
        if (rc) {
            return rc;
        }
    }
    return count;
}

static long swap_refs(XEN_GUEST_HANDLE(gnttab_swap_grant_ref_t) u, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        struct gnttab_swap_grant_ref op;

        if (i && hypercall_preempt_check()) {
            return i;
        }
        if (copy_from_guest_offset(&op, u, i, 1)) {
            return -EFAULT;
        }
        op.status = (int16_t)gnttab_swap(current->domain, op.ref_a, op.ref_b);
        if (copy_to_guest_offset(u, i, &op, 1)) {
            return -EFAULT;
        }
    }
    return count;
}

/* The domain whose table is asked about: GNTST_okay, _bad_domain, _permission_denied. */
static int16_t table_owner(domid_t id, struct domain **d)
{
    int rc = domain_by_guest_id_controlled(id, d);

    return rc == 0 ? GNTST_okay : rc == -EPERM ? GNTST_permission_denied : GNTST_bad_domain;
}

/* Writes the frame numbers of nr frames; more than the guest's list can hold is its own mistake. */
static int16_t list_frames(struct domain *d, bool status, unsigned int nr,
                           bool (*put)(void *ctx, unsigned int i, uint64_t frame), void *ctx)
{
    for (unsigned int i = 0; i < nr; i++) {
        mfn_t m;

        if (gnttab_get_frame(d, i, status, &m)) {
            return GNTST_general_error;
        }
        if (!put(ctx, i, m.v)) {
            return GNTST_bad_virt_addr;
        }
    }
    return GNTST_okay;
}

static bool put_pfn(void *ctx, unsigned int i, uint64_t frame)
{
    XEN_GUEST_HANDLE(xen_pfn_t) *list = ctx;
    xen_pfn_t v = frame;

    return !copy_to_guest_offset(*list, i, &v, 1);
}

static bool put_u64(void *ctx, unsigned int i, uint64_t frame)
{
    XEN_GUEST_HANDLE(uint64_t) *list = ctx;

    return !copy_to_guest_offset(*list, i, &frame, 1);
}

static long setup_table(XEN_GUEST_HANDLE(gnttab_setup_table_t) u, unsigned int count)
{
    struct gnttab_setup_table op;
    XEN_GUEST_HANDLE(xen_pfn_t) list;
    struct domain *d;

    if (count != 1) {
        return -EINVAL;
    }
    if (copy_from_guest(&op, u, 1)) {
        return -EFAULT;
    }
    list = guest_handle_cast(op.frame_list, xen_pfn_t);
    if (!guest_handle_okay(list, op.nr_frames)) {
        return -EFAULT;
    }
    op.status = table_owner(op.dom, &d);
    if (op.status == GNTST_okay && gnttab_setup(d, op.nr_frames)) {
        op.status = GNTST_general_error;
    }
    if (op.status == GNTST_okay) {
        op.status = list_frames(d, false, op.nr_frames, put_pfn, &list);
    }
    return copy_field_to_guest(u, &op, status) ? -EFAULT : (long)count;
}

static long get_status_frames(XEN_GUEST_HANDLE(gnttab_get_status_frames_t) u, unsigned int count)
{
    struct gnttab_get_status_frames op;
    XEN_GUEST_HANDLE(uint64_t) list;
    struct domain *d;

    if (count != 1) {
        return -EINVAL;
    }
    if (copy_from_guest(&op, u, 1)) {
        return -EFAULT;
    }
    list = op.frame_list;
    if (!guest_handle_okay(list, op.nr_frames)) {
        return -EFAULT;
    }
    op.status = table_owner(op.dom, &d);
    if (op.status == GNTST_okay) {
        op.status = list_frames(d, true, op.nr_frames, put_u64, &list);
    }
    return copy_field_to_guest(u, &op, status) ? -EFAULT : (long)count;
}

static long query_size(XEN_GUEST_HANDLE(gnttab_query_size_t) u, unsigned int count)
{
    struct gnttab_query_size op;
    struct domain *d;

    if (count != 1) {
        return -EINVAL;
    }
    if (copy_from_guest(&op, u, 1)) {
        return -EFAULT;
    }
    op.status = table_owner(op.dom, &d);
    if (op.status == GNTST_okay) {
        unsigned int nr, max;

        gnttab_sizes(d, &nr, &max);
        op.nr_frames = nr;
        op.max_nr_frames = max;
    }
    return copy_to_guest(u, &op, 1) ? -EFAULT : (long)count;
}

static long set_version(XEN_GUEST_HANDLE(gnttab_set_version_t) u, unsigned int count)
{
    struct gnttab_set_version op;
    int rc;

    if (copy_from_guest(&op, u, 1)) {
        return -EFAULT;
    }
    rc = gnttab_set_version(current->domain, op.version);
    op.version = gnttab_version(current->domain);
    if (copy_to_guest(u, &op, 1)) {
        return -EFAULT;
    }
    return rc ? rc : (long)count;
}

static long get_version(XEN_GUEST_HANDLE(gnttab_get_version_t) u, unsigned int count)
{
    struct gnttab_get_version op;
    struct domain *d;
    int rc;

    if (copy_from_guest(&op, u, 1)) {
        return -EFAULT;
    }
    rc = domain_by_guest_id_controlled(op.dom, &d);
    if (rc) {
        return rc;
    }
    op.version = gnttab_version(d);
    return copy_field_to_guest(u, &op, version) ? -EFAULT : (long)count;
}

#define ARRAY_OP(type) guest_handle_cast(arg, type##_t), count

/* *argument: what a continuation carries in its command's upper bits. */
static long run(unsigned int cmd, XEN_GUEST_HANDLE(void) arg, unsigned int count, size_t *size,
                unsigned int *argument)
{
    switch (cmd) {
    case GNTTABOP_map_grant_ref:
        *size = sizeof(struct gnttab_map_grant_ref);
        return map_refs(ARRAY_OP(gnttab_map_grant_ref));
    case GNTTABOP_unmap_grant_ref:
        *size = sizeof(struct gnttab_unmap_grant_ref);
        return unmap_refs(arg, count, read_unmap, write_unmap_status);
    case GNTTABOP_unmap_and_replace:
        *size = sizeof(struct gnttab_unmap_and_replace);
        return unmap_refs(arg, count, read_replace, write_replace_status);
    case GNTTABOP_copy:
        *size = sizeof(struct gnttab_copy);
        return copy_refs(ARRAY_OP(gnttab_copy));
    case GNTTABOP_swap_grant_ref:
        *size = sizeof(struct gnttab_swap_grant_ref);
        return swap_refs(ARRAY_OP(gnttab_swap_grant_ref));
    case GNTTABOP_transfer:
        *size = sizeof(struct gnttab_transfer);
        return transfer_frames(ARRAY_OP(gnttab_transfer));
    case GNTTABOP_cache_flush:
        *size = sizeof(struct gnttab_cache_flush);
        return flush_refs(ARRAY_OP(gnttab_cache_flush), argument);
    case GNTTABOP_setup_table:
        return setup_table(ARRAY_OP(gnttab_setup_table));
    case GNTTABOP_get_status_frames:
        return get_status_frames(ARRAY_OP(gnttab_get_status_frames));
    case GNTTABOP_query_size:
        return query_size(ARRAY_OP(gnttab_query_size));
    case GNTTABOP_set_version:
        return set_version(ARRAY_OP(gnttab_set_version));
    case GNTTABOP_get_version:
        return get_version(ARRAY_OP(gnttab_get_version));
    default:
        return -ENOSYS;
    }
}

long do_grant_table_op(unsigned int cmd, XEN_GUEST_HANDLE(void) arg, unsigned int count)
{
    unsigned int argument = cmd & GNTTABOP_ARG_MASK;
    size_t size = 0;
    long done;

    cmd &= GNTTABOP_CMD_MASK;
    if ((int)count < 0 || (argument && cmd != GNTTABOP_cache_flush)) {
        return -EINVAL;
    }
    done = run(cmd, arg, count, &size, &argument);
    if (done < 0 || (unsigned long)done >= count || size == 0) {
        return min(done, 0l);
    }
    return (long)hypercall_create_continuation(__HYPERVISOR_grant_table_op, "ihi", cmd | argument,
                                               guest_handle_addr(arg) + (unsigned long)done * size,
                                               count - (unsigned int)done);
}
