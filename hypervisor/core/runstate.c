/* The time that vcpus spend running, waiting, blocked and offline. Read sched.c first. */
#include <hospes/arch.h>
#include <hospes/guest_access.h>
#include <hospes/lib.h>
#include "sched_private.h"

void runstate_change(struct vcpu *v, int state, s_time_t now)
{
    s_time_t delta = now - (s_time_t)v->runstate.state_entry_time;

    if (v->runstate.state == state) {
        return;
    }
    if (delta > 0) {
        v->runstate.time[v->runstate.state] += (uint64_t)delta;
        v->runstate.state_entry_time = (uint64_t)now;
    }
    v->runstate.state = state;
}

void vcpu_runstate_get(struct vcpu *v, struct vcpu_runstate_info *out)
{
    unsigned long flags;
    spinlock_t *l;
    s_time_t delta;

    l = vcpu_sched_lock(v, &flags);
    *out = v->runstate;
    delta = NOW() - (s_time_t)out->state_entry_time;
    spin_unlock_irqrestore(l, flags);
    if (delta > 0) {
        out->time[out->state] += (uint64_t)delta;
    }
}

uint64_t vcpu_cpu_time(struct vcpu *v)
{
    struct vcpu_runstate_info r;

    vcpu_runstate_get(v, &r);
    return r.time[RUNSTATE_running];
}

s_time_t cpu_idle_time(unsigned int cpu)
{
    return idle_vcpu[cpu] != NULL ? (s_time_t)vcpu_cpu_time(idle_vcpu[cpu]) : 0;
}

/* Only the most significant byte of state_entry_time has the mark of an update in progress. */
static bool mark_updating(struct vcpu *v, uint64_t entry_time)
{
    unsigned long at = guest_handle_addr(v->runstate_guest) +
                       offsetof(struct vcpu_runstate_info, state_entry_time) + 7;
    uint8_t byte = (uint8_t)(entry_time >> 56);

    smp_wmb();
    if (!guest_range_ok(at, 1, 1) || raw_copy_to_guest(at, &byte, 1) != 0) {
        return false;
    }
    smp_wmb();
    return true;
}

bool update_runstate_area(struct vcpu *v)
{
    bool flag = (v->domain->vm_assist & BIT(VMASST_TYPE_runstate_update_flag)) != 0, ok;
    struct vcpu_runstate_info r;

    if (guest_handle_is_null(v->runstate_guest)) {
        return true;
    }
    r = v->runstate;
    if (flag) {
        r.state_entry_time |= XEN_RUNSTATE_UPDATE;
        if (!mark_updating(v, r.state_entry_time)) {
            return false;
        }
    }
    ok = !copy_to_guest(v->runstate_guest, &r, 1);
    if (flag) {
        r.state_entry_time &= ~XEN_RUNSTATE_UPDATE;
        ok = mark_updating(v, r.state_entry_time) && ok;
    }
    return ok;
}
