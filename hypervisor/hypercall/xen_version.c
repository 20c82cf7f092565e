/*
 * xen_version: what this hypervisor is and offers, in the words of the ABI that it speaks: 4.17.
 * Structures: <xen/version.h>, <xen/features.h>.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <hospes/param.h>
#include <xen/features.h>
#include <xen/version.h>

/* The tools' view of the header has no handles of these. */
DEFINE_XEN_GUEST_HANDLE(xen_compile_info_t);
DEFINE_XEN_GUEST_HANDLE(xen_platform_parameters_t);
DEFINE_XEN_GUEST_HANDLE(xen_feature_info_t);

#define ABI_MAJOR 4
#define ABI_MINOR 17
#define EXTRA     ".7-hospes"

#ifndef HOSPES_COMPILE_BY
#define HOSPES_COMPILE_BY "hospes"
#endif
#ifndef HOSPES_COMPILE_DOMAIN
#define HOSPES_COMPILE_DOMAIN "localdomain"
#endif
#ifndef HOSPES_COMPILE_DATE
#define HOSPES_COMPILE_DATE "reproducible build"
#endif
#ifndef HOSPES_CHANGESET
#define HOSPES_CHANGESET "unknown"
#endif

/* These are for people: who is not privileged need not know them. */
static bool may_know(void)
{
    return current->domain->is_privileged;
}

static long get_text(XEN_GUEST_HANDLE(void) arg, const char *text, size_t size)
{
    char buf[XEN_CAPABILITIES_INFO_LEN] = "";

    strlcpy(buf, may_know() ? text : "<denied>", size);
    return copy_to_guest(guest_handle_cast(arg, char), buf, size) ? -EFAULT : 0;
}

static long get_compile_info(XEN_GUEST_HANDLE(void) arg)
{
    xen_compile_info_t info;
    bool known = may_know();

    memset(&info, 0, sizeof(info));
    strlcpy(info.compiler, known ? "C, " __VERSION__ : "<denied>", sizeof(info.compiler));
    strlcpy(info.compile_by, known ? HOSPES_COMPILE_BY : "<denied>", sizeof(info.compile_by));
    strlcpy(info.compile_domain, known ? HOSPES_COMPILE_DOMAIN : "<denied>",
            sizeof(info.compile_domain));
    strlcpy(info.compile_date, known ? HOSPES_COMPILE_DATE : "<denied>", sizeof(info.compile_date));
    return copy_to_guest(guest_handle_cast(arg, xen_compile_info_t), &info, 1) ? -EFAULT : 0;
}

static long get_capabilities(XEN_GUEST_HANDLE(void) arg)
{
    xen_capabilities_info_t info;

    memset(info, 0, sizeof(info));
    arch_get_xen_caps(info, sizeof(info));
    return copy_to_guest(guest_handle_cast(arg, char), info, sizeof(info)) ? -EFAULT : 0;
}

static long get_platform_parameters(XEN_GUEST_HANDLE(void) arg)
{
    xen_platform_parameters_t p = {.virt_start = HYPERVISOR_VIRT_START};

    return copy_to_guest(guest_handle_cast(arg, xen_platform_parameters_t), &p, 1) ? -EFAULT : 0;
}

static uint32_t features_of(const struct domain *d)
{
    uint32_t f = BIT(XENFEAT_memory_op_vnode_supported);

    if (d->is_hardware) {
        f |= BIT(XENFEAT_dom0);
    }
    if (d->is_hvm) {
        return f | BIT(XENFEAT_writable_page_tables) | BIT(XENFEAT_auto_translated_physmap) |
               BIT(XENFEAT_hvm_safe_pvclock) | BIT(XENFEAT_hvm_callback_vector) |
               BIT(XENFEAT_hvm_pirqs) | BIT(XENFEAT_not_direct_mapped);
    }
    return f | BIT(XENFEAT_mmu_pt_update_preserve_ad) | BIT(XENFEAT_highmem_assist) |
           BIT(XENFEAT_gnttab_map_avail_bits) | BIT(XENFEAT_direct_mapped);
}

static long get_features(XEN_GUEST_HANDLE(void) arg)
{
    xen_feature_info_t info;

    if (copy_from_guest(&info, guest_handle_cast(arg, xen_feature_info_t), 1)) {
        return -EFAULT;
    }
    if (info.submap_idx != 0) {
        return -EINVAL;
    }
    info.submap = features_of(current->domain);
    return copy_to_guest(guest_handle_cast(arg, xen_feature_info_t), &info, 1) ? -EFAULT : 0;
}

static long get_handle(XEN_GUEST_HANDLE(void) arg)
{
    xen_domain_handle_t handle;

    memcpy(handle, current->domain->handle, sizeof(handle));
    return copy_to_guest(guest_handle_cast(arg, uint8), handle, sizeof(handle)) ? -EFAULT : 0;
}

static long get_commandline(XEN_GUEST_HANDLE(void) arg)
{
    static const char denied[] = "<denied>";
    bool known = may_know();

    return copy_to_guest(guest_handle_cast(arg, char), known ? saved_cmdline : denied,
                         known ? sizeof(saved_cmdline) : sizeof(denied))
               ? -EFAULT
               : 0;
}

/* NULL asks for the size. */
static long get_build_id(XEN_GUEST_HANDLE(void) arg)
{
    const uint8_t *id;
    unsigned int n = arch_build_id(&id);
    uint32_t room; /* xen_build_id_t starts with it */

    if (!may_know()) {
        return -EPERM;
    }
    if (guest_handle_is_null(arg)) {
        return n ? (long)n : -ENODATA;
    }
    if (copy_from_guest(&room, guest_handle_cast(arg, uint), 1)) {
        return -EFAULT;
    }
    if (room == 0) {
        return -EINVAL;
    }
    if (n == 0) {
        return -ENODATA;
    }
    if (n > room) {
        return -ENOBUFS;
    }
    return copy_to_guest_offset(guest_handle_cast(arg, uint8), offsetof(xen_build_id_t, buf), id, n)
               ? -EFAULT
               : (long)n;
}

static __noinline long get_other(unsigned int cmd, XEN_GUEST_HANDLE(void) arg)
{
    switch (cmd) {
    case XENVER_extraversion:
        return get_text(arg, EXTRA, sizeof(xen_extraversion_t));
    case XENVER_compile_info:
        return get_compile_info(arg);
    case XENVER_capabilities:
        return get_capabilities(arg);
    case XENVER_changeset:
        return get_text(arg, HOSPES_CHANGESET, sizeof(xen_changeset_info_t));
    case XENVER_platform_parameters:
        return get_platform_parameters(arg);
    case XENVER_get_features:
        return get_features(arg);
    case XENVER_pagesize:
        return guest_handle_is_null(arg) ? (long)PAGE_SIZE : -EINVAL;
    case XENVER_guest_handle:
        return get_handle(arg);
    case XENVER_commandline:
        return get_commandline(arg);
    case XENVER_build_id:
        return get_build_id(arg);
    default:
        return -ENOSYS;
    }
}

/* The version is what guests ask for when they want no more than to be seen by the hypervisor, for
 * events to be delivered: it is quick. */
long do_xen_version(unsigned int cmd, XEN_GUEST_HANDLE(void) arg)
{
    return likely(cmd == XENVER_version) ? ABI_MAJOR << 16 | ABI_MINOR : get_other(cmd, arg);
}
