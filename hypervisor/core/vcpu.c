/* Making virtual CPUs, resetting them, and where a guest finds their vcpu_info. */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>

/* Of vcpus that have no room in shared_info and have not registered a place yet: the events of all
 * of them go here, and nobody reads it. */
static struct vcpu_info dummy_vcpu_info;

static void vcpu_info_reset(struct vcpu *v)
{
    struct domain *d = v->domain;

    v->vcpu_info = d->shared_info != NULL && v->vcpu_id < XEN_LEGACY_MAX_VCPUS
                       ? &d->shared_info->vcpu_info[v->vcpu_id]
                       : &dummy_vcpu_info;
    v->vcpu_info_mfn = MFN_NONE;
}

bool vcpu_has_info(const struct vcpu *v)
{
    return v->vcpu_info != &dummy_vcpu_info;
}

static int vcpu_init(struct vcpu *v)
{
    int rc = sched_init_vcpu(v);

    if (rc != 0) {
        return rc;
    }
    rc = arch_vcpu_create(v);
    if (rc != 0) {
        sched_destroy_vcpu(v);
    }
    return rc;
}

/* From here on it is found by its number. */
static int vcpu_publish(struct domain *d, struct vcpu *v)
{
    int rc;

    LOCKED(&d->evtchn.lock);
    rc = evtchn_init_vcpu(v);
    if (rc == 0) {
        __atomic_store_n(&d->vcpu[v->vcpu_id], v, __ATOMIC_RELEASE);
    }
    return rc;
}

int vcpu_create(struct domain *d, unsigned int id, struct vcpu **out)
{
    struct vcpu *v;
    int rc;

    if (id >= d->max_vcpus || d->is_dying != DOMDYING_ALIVE) {
        return -EINVAL;
    }
    if (d->vcpu[id] != NULL) {
        return -EEXIST;
    }
    v = xzalloc(struct vcpu);
    if (v == NULL) {
        return -ENOMEM;
    }
    v->vcpu_id = id;
    v->domain = d;
    vcpu_info_reset(v);
    rc = vcpu_init(v);
    if (rc != 0) {
        xfree(v);
        return rc;
    }
    rc = vcpu_publish(d, v);
    if (rc != 0) {
        vcpu_destroy(v);
        return rc;
    }
    *out = v;
    return 0;
}

void vcpu_destroy(struct vcpu *v)
{
    sched_destroy_vcpu(v);
    arch_vcpu_destroy(v);
    xfree(v);
}

int vcpu_reset(struct vcpu *v)
{
    struct domain *d = v->domain;
    int rc;

    vcpu_pause(v);
    spin_lock(&d->lock);
    /* Also when it is preempted: half of its state is gone then, it must not run. */
    set_bit(VPF_DOWN, &v->sched.pause_flags);
    v->is_initialised = false;
    rc = arch_vcpu_reset(v);
    if (rc == 0) {
        clear_bit(v->vcpu_id, d->evtchn.poll_mask);
        v->sched.poll_evtchn = 0;
        v->nmi_pending = 0;
        clear_bit(VPF_BLOCKED, &v->sched.pause_flags);
    }
    spin_unlock(&d->lock);
    vcpu_unpause(v);
    return rc;
}

/* Everything may have become pending while the place changed: the guest looks at all of it. */
static void mark_all_pending(struct vcpu *v)
{
    smp_wmb();
    WRITE_ONCE(v->vcpu_info->evtchn_upcall_pending, 1);
    WRITE_ONCE(v->vcpu_info->evtchn_pending_sel, ~0ul);
}

int map_vcpu_info(struct vcpu *v, uint64_t gfn_nr, unsigned int offset)
{
    struct vcpu_info *info;
    struct page_info *pg;
    mfn_t m;
    int rc;

    /* Not across pages, and fit for atomic accesses. */
    if (offset > PAGE_SIZE - sizeof(struct vcpu_info) || offset % _Alignof(struct vcpu_info) != 0) {
        return -ENXIO;
    }
    if (!mfn_is_none(v->vcpu_info_mfn)) {
        return -EINVAL;
    }
    /* Of another vcpu only while it does not run. */
    if (v != current && !test_bit(VPF_DOWN, &v->sched.pause_flags)) {
        return -EINVAL;
    }
    rc = get_guest_frame(v->domain, gfn(gfn_nr), true, &pg, &m);
    if (rc != 0) {
        return rc;
    }
    if (get_page_type(pg, PGT_WRITABLE, false) != 0) {
        put_page(pg);
        return -EINVAL;
    }
    info = (struct vcpu_info *)((char *)mfn_to_virt(m) + offset);
    if (vcpu_has_info(v)) {
        memcpy(info, v->vcpu_info, sizeof(*info));
    } else {
        memset(info, 0, sizeof(*info));
        info->evtchn_upcall_mask = 1;
    }
    v->vcpu_info_mfn = m;
    __atomic_store_n(&v->vcpu_info, info, __ATOMIC_RELEASE);
    smp_mb();
    mark_all_pending(v);
    return 0;
}

void unmap_vcpu_info(struct vcpu *v)
{
    mfn_t m = v->vcpu_info_mfn;

    if (mfn_is_none(m)) {
        return;
    }
    vcpu_info_reset(v);
    put_page_and_type(mfn_to_page(m));
}
