/*
 * XENPF_*: what Domain 0 tells the hypervisor of the machine and asks of it. Behaviour and errors
 * as Xen 4.17's do_platform_op; what is answered with -ENOSYS or -EOPNOTSUPP is in docs/caveats.md.
 */
#include <hospes/arch.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <hospes/sched.h>
#include <arch/acpi.h>
#include <arch/cpufeature.h>
#include <arch/layout.h>
#include <arch/msr.h>
#include <arch/smp.h>
#include <arch/symbols.h>
#include "mtrr.h"

#define U_OP guest_handle_cast(arg, xen_platform_op_t)

static spinlock_t platform_lock = SPINLOCK_INIT(RANK_DOMCTL);

static int op_settime(struct xen_platform_op *op)
{
    if (op->cmd == XENPF_settime64) {
        if (op->u.settime64.mbz != 0) {
            return -EINVAL;
        }
        wallclock_set(op->u.settime64.secs, op->u.settime64.nsecs,
                      (s_time_t)op->u.settime64.system_time);
    } else {
        wallclock_set(op->u.settime32.secs, op->u.settime32.nsecs,
                      (s_time_t)op->u.settime32.system_time);
    }
    return 0;
}

static int op_add_memtype(struct xen_platform_op *op)
{
    return mtrr_add(&op->u.add_memtype);
}

static int op_del_memtype(const struct xen_platform_op *op)
{
    return mtrr_del(&op->u.del_memtype);
}

static int op_read_memtype(struct xen_platform_op *op)
{
    return mtrr_read(&op->u.read_memtype);
}

/* ---- firmware ---- */

#define BDA_KBD_FLAGS 0x417 /* BIOS data area: keyboard shift flags */

static int op_platform_quirk(const struct xen_platform_op *op)
{
    switch (op->u.platform_quirk.quirk_id) {
    case QUIRK_NOIRQBALANCING: /* interrupts stay where guests bind them anyway */
    case QUIRK_IOAPIC_BAD_REGSEL:
    case QUIRK_IOAPIC_GOOD_REGSEL:
        return 0;
    default:
        return -EINVAL;
    }
}

/* No BIOS calls were made for disks and monitors: there is nothing at any index. */
static int op_firmware_info(struct xen_platform_op *op)
{
    switch (op->u.firmware_info.type) {
    case XEN_FW_DISK_INFO:
    case XEN_FW_DISK_MBR_SIGNATURE:
    case XEN_FW_VBEDDC_INFO:
        return -ESRCH;
    case XEN_FW_EFI_INFO:
        return -ENOSYS; /* booted by a BIOS */
    case XEN_FW_KBD_SHIFT_FLAGS:
        if (op->u.firmware_info.index != 0) {
            return -ESRCH;
        }
        op->u.firmware_info.u.kbd_shift_flags = *(const uint8_t *)(DIRECTMAP_START + BDA_KBD_FLAGS);
        return 0;
    default:
        return -EINVAL;
    }
}

/* ---- power ---- */

static int op_enter_sleep(const struct xen_platform_op *op)
{
    const struct xenpf_enter_acpi_sleep *s = &op->u.enter_acpi_sleep;

    if (s->flags & ~XENPF_ACPI_SLEEP_EXTENDED) {
        return -EINVAL;
    }
    if ((s->flags & XENPF_ACPI_SLEEP_EXTENDED) || acpi.pm1a_control.address == 0) {
        return -EPERM; /* hardware-reduced ACPI */
    }
    if (s->sleep_state == 0 || s->sleep_state > 5) {
        return -EINVAL;
    }
    if (s->sleep_state != 5) {
        return -EOPNOTSUPP;
    }
    printk("Domain 0 switches the machine off\n");
    acpi_set_sleep_values(s->val_a, s->val_b);
    machine_power_off();
}

/* There is no frequency driver: what Domain 0's ACPI found is taken note of and not used. */
static int op_set_pminfo(const struct xen_platform_op *op)
{
    switch (op->u.set_pminfo.type) {
    case XEN_PM_PX:
    case XEN_PM_CX:
    case XEN_PM_PDC:
        return 0;
    case XEN_PM_TX:
        return -ENOSYS;
    default:
        return -EINVAL;
    }
}

/* ---- CPUs ---- */

static uint32_t last_cpu(void)
{
    return highest_bit(cpu_possible_map.bits);
}

static uint32_t acpi_id_of(uint32_t apic_id)
{
    for (unsigned int i = 0; i < acpi.nr_cpus; i++) {
        if (acpi.cpu[i].apic_id == apic_id) {
            return acpi.cpu[i].acpi_id;
        }
    }
    return ~0u;
}

static bool cpu_present(uint32_t cpu)
{
    return cpu < NR_CPUS && cpumask_test(cpu, cpu_possible_map);
}

static int op_get_cpuinfo(struct xen_platform_op *op)
{
    struct xenpf_pcpuinfo *c = &op->u.pcpu_info;

    c->max_present = last_cpu();
    if (!cpu_present(c->xen_cpuid)) {
        c->flags = XEN_PCPU_FLAGS_INVALID;
        return 0;
    }
    c->apic_id = cpu_apicid(c->xen_cpuid);
    c->acpi_id = acpi_id_of(c->apic_id);
    c->flags = cpumask_test(c->xen_cpuid, cpu_online_map) ? XEN_PCPU_FLAGS_ONLINE : 0;
    return 0;
}

static int op_get_cpu_version(struct xen_platform_op *op)
{
    struct xenpf_pcpu_version *v = &op->u.pcpu_version;
    bool online = cpu_present(v->xen_cpuid) && cpumask_test(v->xen_cpuid, cpu_online_map);

    memset(v->vendor_id, 0, sizeof(v->vendor_id));
    if (online) {
        memcpy(v->vendor_id, boot_cpu.vendor_id, sizeof(v->vendor_id));
    }
    v->family = online ? boot_cpu.family : 0;
    v->model = online ? boot_cpu.model : 0;
    v->stepping = online ? boot_cpu.stepping : 0;
    v->max_present = last_cpu();
    return 0;
}

static int op_cpu_hotplug(const struct xen_platform_op *op)
{
    uint32_t cpu = op->u.cpu_ol.cpuid;
    bool want = op->cmd == XENPF_cpu_online;

    if (!want && cpu == 0) {
        return -EOPNOTSUPP;
    }
    if (!cpu_present(cpu)) {
        return -EINVAL;
    }
    return cpumask_test(cpu, cpu_online_map) == want ? 0 : -EOPNOTSUPP;
}

static int op_core_parking(struct xen_platform_op *op)
{
    switch (op->u.core_parking.type) {
    case XEN_CORE_PARKING_SET:
        return op->u.core_parking.idle_nums == 0 ? 0 : -EOPNOTSUPP;
    case XEN_CORE_PARKING_GET:
        op->u.core_parking.idle_nums = 0;
        return 0;
    default:
        return -EINVAL;
    }
}

/* ---- MSRs for tools: the time stamp counter is the only one that is offered ---- */

#define MAX_RESOURCE_ENTRIES 3u

struct resource_access {
    unsigned int nr, done;
    xenpf_resource_entry_t entry[MAX_RESOURCE_ENTRIES];
};

static int check_entry(const xenpf_resource_entry_t *e)
{
    if (e->rsvd != 0) {
        return -EINVAL;
    }
    if (e->u.cmd != XEN_RESOURCE_OP_MSR_READ && e->u.cmd != XEN_RESOURCE_OP_MSR_WRITE) {
        return -EOPNOTSUPP;
    }
    if (e->idx >> 32) {
        return -EINVAL;
    }
    if (e->idx != MSR_TSC) {
        return -EACCES;
    }
    return e->u.cmd == XEN_RESOURCE_OP_MSR_WRITE ? -EPERM : 0;
}

static void access_resources(void *data)
{
    struct resource_access *ra = data;

    for (unsigned int i = 0; i < ra->done; i++) {
        ra->entry[i].val = rdtsc();
    }
}

static int op_resource(struct xen_platform_op *op)
{
    struct xenpf_resource_op *r = &op->u.resource_op;
    struct resource_access ra = {.nr = r->nr_entries};
    int rc = 0;

    if (ra.nr == 0) {
        return 0;
    }
    if (ra.nr > MAX_RESOURCE_ENTRIES) {
        return -EINVAL;
    }
    if (copy_from_guest(ra.entry, r->entries, ra.nr)) {
        return -EFAULT;
    }
    for (; ra.done < ra.nr && rc == 0; ra.done += rc == 0) {
        rc = check_entry(&ra.entry[ra.done]);
        if (rc != 0) {
            ra.entry[ra.done].u.ret = rc;
        }
    }
    if (ra.done != 0) {
        if (!cpu_present(r->cpu) || !cpumask_test(r->cpu, cpu_online_map)) {
            return -ENODEV;
        }
        on_cpus(cpumask_of(r->cpu), access_resources, &ra, true);
    }
    if (copy_to_guest(r->entries, ra.entry, ra.done < ra.nr ? ra.done + 1 : ra.nr)) {
        return -EFAULT;
    }
    return (int)ra.done;
}

static int op_get_symbol(struct xen_platform_op *op)
{
    struct xenpf_symdata *s = &op->u.symdata;
    XEN_GUEST_HANDLE(char) name = s->name;
    uint32_t room = s->namelen, need = 1;
    struct symbol sym;

    if (symbol_by_index(s->symnum, &sym)) {
        need = (uint32_t)strlen(sym.name) + 1;
        s->symnum++;
        s->type = 't';
        s->address = sym.start;
        if (copy_to_guest(name, sym.name, room < need ? room : need)) {
            return -EFAULT;
        }
    } else if (s->symnum > symbol_total()) {
        return -ERANGE;
    } else {
        s->type = 0;
        s->address = 0;
        if (room != 0 && copy_to_guest(name, "", 1)) {
            return -EFAULT;
        }
    }
    s->namelen = need;
    return 0;
}

/* ---- the table ---- */

static const struct {
    uint32_t cmd;
    bool copy_back;
    int (*fn)(struct xen_platform_op *op);
    int (*fn_const)(const struct xen_platform_op *op);
} ops[] = {
    {XENPF_settime32, false, op_settime, NULL},
    {XENPF_settime64, false, op_settime, NULL},
    {XENPF_add_memtype, true, op_add_memtype, NULL},
    {XENPF_del_memtype, false, NULL, op_del_memtype},
    {XENPF_read_memtype, true, op_read_memtype, NULL},
    {XENPF_platform_quirk, false, NULL, op_platform_quirk},
    {XENPF_firmware_info, true, op_firmware_info, NULL},
    {XENPF_enter_acpi_sleep, false, NULL, op_enter_sleep},
    {XENPF_set_processor_pminfo, false, NULL, op_set_pminfo},
    {XENPF_get_cpuinfo, true, op_get_cpuinfo, NULL},
    {XENPF_get_cpu_version, true, op_get_cpu_version, NULL},
    {XENPF_cpu_online, false, NULL, op_cpu_hotplug},
    {XENPF_cpu_offline, false, NULL, op_cpu_hotplug},
    {XENPF_core_parking, true, op_core_parking, NULL},
    {XENPF_resource_op, false, op_resource, NULL},
    {XENPF_get_symbol, true, op_get_symbol, NULL},
};

static int run(struct xen_platform_op *op, bool *copy_back)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
        if (ops[i].cmd == op->cmd) {
            *copy_back = ops[i].copy_back;
            return ops[i].fn ? ops[i].fn(op) : ops[i].fn_const(op);
        }
    }
    return -ENOSYS;
}

long do_platform_op(XEN_GUEST_HANDLE(void) arg)
{
    struct xen_platform_op op;
    bool copy_back = false;
    int rc;

    if (copy_from_guest(&op, U_OP, 1)) {
        return -EFAULT;
    }
    if (op.interface_version != XENPF_INTERFACE_VERSION) {
        return -EACCES;
    }
    if (!current->domain->is_privileged) {
        return -EPERM;
    }
    /* The holder may want this CPU's attention: come back instead of waiting. */
    while (!spin_trylock(&platform_lock)) {
        if (hypercall_preempt_check()) {
            return (long)hypercall_create_continuation(__HYPERVISOR_platform_op, "h",
                                                       guest_handle_addr(arg));
        }
        cpu_relax();
    }
    rc = run(&op, &copy_back);
    spin_unlock(&platform_lock);
    if (rc == 0 && copy_back) {
        XEN_GUEST_HANDLE(xen_platform_op_t) u = U_OP;

        if (copy_field_to_guest(u, &op, u)) {
            return -EFAULT;
        }
    }
    return rc;
}
