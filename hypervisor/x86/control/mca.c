/*
 * mca: machine checks as Domain 0's log asks for them. The hypervisor stops on uncorrected errors
 * (x86/cpu/nmi.c) and keeps no telemetry, so there is never anything to fetch; what the CPUs are is
 * answered in full.
 */
#include <hospes/arch.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <arch/cpufeature.h>
#include <arch/msr.h>
#include <arch/smp.h>
#include <xen/arch-x86/xen-mca.h>

#define MSR_MCG_CAP 0x179u

static int op_fetch(struct xen_mc_fetch *f, bool *copy_back)
{
    uint32_t which = f->flags & (XEN_MC_NONURGENT | XEN_MC_URGENT);

    if (which != XEN_MC_NONURGENT && which != XEN_MC_URGENT) {
        return -EINVAL;
    }
    if (f->flags & XEN_MC_ACK) {
        return 0;
    }
    if (guest_handle_is_null(f->data)) {
        return -EINVAL;
    }
    f->fetch_id = 0;
    f->flags = XEN_MC_NODATA;
    *copy_back = true;
    return 0;
}

/* On each CPU, into its element: all are alike but for their numbers. */
static void fill_cpu(void *data)
{
    xen_mc_logical_cpu_t *c = (xen_mc_logical_cpu_t *)data + smp_processor_id();

    c->mc_cpunr = smp_processor_id();
    c->mc_coreid = cpu_apicid(c->mc_cpunr);
    c->mc_apicid = cpu_apicid(c->mc_cpunr);
    c->mc_ncores = c->mc_ncores_active = c->mc_nthreads = 1;
    c->mc_cpuid_level = (int32_t)boot_cpu.max_leaf;
    c->mc_family = boot_cpu.family;
    c->mc_vendor = boot_cpu.vendor;
    c->mc_model = boot_cpu.model;
    c->mc_step = boot_cpu.stepping;
    memcpy(c->mc_vendorid, boot_cpu.vendor_id, sizeof(boot_cpu.vendor_id));
    memcpy(c->mc_brandid, boot_cpu.model_name, sizeof(c->mc_brandid));
    c->mc_cpu_caps[MC_CAPS_STD_EDX] = boot_cpu.word[FEAT_1_EDX];
    c->mc_cpu_caps[MC_CAPS_STD_ECX] = boot_cpu.word[FEAT_1_ECX];
    c->mc_nmsrvals = 1;
    c->mc_msrvalues[0].reg = MSR_MCG_CAP;
    c->mc_msrvalues[0].value = rdmsr(MSR_MCG_CAP);
}

static int op_cpuinfo(struct xen_mc_physcpuinfo *p, bool *copy_back)
{
    uint32_t n = cpumask_weight(cpu_online_map);
    xen_mc_logical_cpu_t *cpus;
    int rc = 0;

    if (!guest_handle_is_null(p->info)) {
        if ((int32_t)p->ncpus <= 0) {
            return -EINVAL;
        }
        n = min(n, p->ncpus);
        cpus = xzalloc_array(xen_mc_logical_cpu_t, NR_CPUS);
        if (!cpus) {
            return -ENOMEM;
        }
        on_cpus(cpu_online_map, fill_cpu, cpus, true);
        rc = copy_to_guest(p->info, cpus, n) ? -EFAULT : 0;
        xfree(cpus);
    }
    p->ncpus = n;
    *copy_back = rc == 0;
    return rc;
}

long do_mca(XEN_GUEST_HANDLE(void) arg)
{
    struct xen_mc op;
    bool copy_back = false;
    int rc;

    if (copy_from_guest(&op, guest_handle_cast(arg, xen_mc_t), 1)) {
        return -EFAULT;
    }
    if (op.interface_version != XEN_MCA_INTERFACE_VERSION) {
        return -EACCES;
    }
    switch (op.cmd) {
    case XEN_MC_fetch:
        rc = op_fetch(&op.u.mc_fetch, &copy_back);
        break;
    case XEN_MC_physcpuinfo:
        rc = op_cpuinfo(&op.u.mc_physcpuinfo, &copy_back);
        break;
    case XEN_MC_notifydomain:
        rc = -EINVAL;
        break;
    case XEN_MC_msrinject:
    case XEN_MC_mceinject:
    case XEN_MC_inject_v2:
        rc = -EOPNOTSUPP; /* tests of the reporting that is not there */
        break;
    default:
        rc = -EINVAL;
    }
    if (copy_back && copy_to_guest(guest_handle_cast(arg, xen_mc_t), &op, 1)) {
        return -EFAULT;
    }
    return rc;
}
