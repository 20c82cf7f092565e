/*
 * start.c: the last steps of a build: ports, start info, shared info, pinned page tables, grants
 * and the registers of virtual CPU 0.
 *
 * Read builder.h first. What the guest finds at its first instruction: RSI points to start info,
 * RSP to the end of the boot stack, CR3 holds the pinned tables, events are masked.
 */
#include "libxenctrl/builder/builder.h"
#include <stdio.h>
#include <sys/mman.h>

_Static_assert(sizeof(struct start_info) <= XC_PAGE_SIZE, "start info fits in its page");

/* Reset values of debug registers 6 and 7 (Intel SDM 3, "Debug Registers"). */
#define DR6_RESET 0xffff0ff0ul
#define DR7_RESET 0x400ul
#define EFLAGS_IF (1ul << 9)

static uint64_t vaddr_of(const struct xc_build *b, const struct xc_area *area)
{
    return b->layout.virt_base + area->pfn * XC_PAGE_SIZE;
}

static int make_ports(struct xc_build *b)
{
    int rc = xc_evtchn_alloc_unbound(b->h, b->domid, b->config->xenstore_domid,
                                     &b->result->xenstore_port);

    if (rc == 0) {
        rc = xc_evtchn_alloc_unbound(b->h, b->domid, b->config->console_domid,
                                     &b->result->console_port);
    }
    return rc;
}

static void fill_start_info(const struct xc_build *b, uint64_t shared_info_mfn,
                            struct start_info *s)
{
    const struct xc_layout *l = &b->layout;

    (void)snprintf(s->magic, sizeof(s->magic), "xen-3.0-x86_64");
    s->nr_pages = l->nr_pages;
    s->shared_info = shared_info_mfn << XC_PAGE_SHIFT;
    s->flags = SIF_VIRT_P2M_4TOOLS; /* dump.c reads a linear list of frames */
    s->store_mfn = b->result->xenstore_mfn;
    s->store_evtchn = b->result->xenstore_port;
    s->console.domU.mfn = b->result->console_mfn;
    s->console.domU.evtchn = b->result->console_port;
    s->pt_base = vaddr_of(b, &l->tables);
    s->nr_pt_frames = l->tables.pages;
    s->mfn_list = l->p2m_vaddr;
    if (l->nr_mappings > 1) {
        s->first_p2m_pfn = l->p2m.pfn;
        s->nr_p2m_frames = l->p2m.pages;
    }
    if (l->ramdisk_bytes > 0) {
        s->flags |= l->ramdisk_by_pfn ? SIF_MOD_START_PFN : 0;
        s->mod_start = l->ramdisk_by_pfn ? l->ramdisk.pfn : vaddr_of(b, &l->ramdisk);
        s->mod_len = l->ramdisk_bytes;
    }
    if (b->config->cmdline != NULL) {
        (void)snprintf((char *)s->cmd_line, sizeof(s->cmd_line), "%s", b->config->cmdline);
    }
}

/* Start info, xenstore ring and console ring: three consecutive pages. */
static int write_rings(struct xc_build *b, uint64_t shared_info_mfn)
{
    uint64_t pfn = b->layout.start_info.pfn;
    uint8_t *p;

    p = xc_map_foreign(b->h, b->domid, PROT_READ | PROT_WRITE, b->p2m + pfn, 3, NULL);
    if (p == NULL) {
        return -errno;
    }
    memset(p, 0, 3 * XC_PAGE_SIZE);
    fill_start_info(b, shared_info_mfn, (struct start_info *)(void *)p);
    xc_unmap(p, 3);
    return 0;
}

static int write_shared_info(struct xc_build *b, uint64_t mfn)
{
    struct shared_info *s = xc_map_frame(b->h, b->domid, PROT_READ | PROT_WRITE, mfn);

    if (s == NULL) {
        return -errno;
    }
    memset(s, 0, sizeof(*s));
    for (unsigned int i = 0; i < XEN_LEGACY_MAX_VCPUS; i++) {
        s->vcpu_info[i].evtchn_upcall_mask = 1;
    }
    xc_unmap(s, 1);
    return 0;
}

/* From here on the tables are the hypervisor's to change. */
static int pin_tables(struct xc_build *b)
{
    struct mmuext_op *op = xc_control(b->h, sizeof(*op));
    const uint64_t args[5] = {(uintptr_t)op, 1, 0, xc_domid(b->domid), 0};
    long r;

    op->cmd = MMUEXT_PIN_L4_TABLE;
    op->arg1.mfn = b->p2m[b->layout.tables.pfn];
    r = xc_hypercall(b->h, __HYPERVISOR_mmuext_op, args);
    if (r < 0) {
        return xc_fail(b->h, (int)r,
                       "The hypervisor refuses the first page tables of domain %u: %s (`xm dmesg` "
                       "tells more).",
                       b->domid, xc_reason((int)r));
    }
    return 0;
}

static int fill_hypercall_page(struct xc_build *b)
{
    const struct xc_guest *g = &b->guest;
    struct xen_domctl *d;
    uint64_t pfn;

    if (g->notes.hypercall_page == XC_UNSET) {
        return 0;
    }
    pfn = (g->notes.hypercall_page - g->virt_base) / XC_PAGE_SIZE;
    d = xc_domctl_begin(b->h, XEN_DOMCTL_hypercall_init, b->domid);
    d->u.hypercall_init.gmfn = b->p2m[pfn];
    return xc_domctl_named(b->h, "given its hypercall page");
}

static int set_registers(struct xc_build *b)
{
    const struct xc_layout *l = &b->layout;
    struct vcpu_guest_context c = {
        .flags = VGCF_in_kernel | VGCF_online,
        .user_regs =
            {
                .rip = b->guest.entry,
                .rsp = vaddr_of(b, &l->stack) + XC_PAGE_SIZE,
                .rsi = vaddr_of(b, &l->start_info),
                .rflags = EFLAGS_IF,
                .cs = FLAT_KERNEL_CS,
                .ss = FLAT_KERNEL_SS,
                .ds = FLAT_KERNEL_DS,
                .es = FLAT_KERNEL_DS,
                .fs = FLAT_KERNEL_DS,
                .gs = FLAT_KERNEL_DS,
            },
        .kernel_ss = FLAT_KERNEL_SS,
        .kernel_sp = vaddr_of(b, &l->stack) + XC_PAGE_SIZE,
        .ctrlreg = {[3] = b->p2m[l->tables.pfn] << XC_PAGE_SHIFT},
        .debugreg = {[6] = DR6_RESET, [7] = DR7_RESET},
    };

    return xc_vcpu_set_context(b->h, b->domid, 0, &c);
}

int xc_start(struct xc_build *b)
{
    struct xc_domain_info info;
    int rc = xc_domain_get_info(b->h, b->domid, &info);

    if (rc < 0) {
        return rc;
    }
    b->result->xenstore_mfn = b->p2m[b->layout.xenstore.pfn];
    b->result->console_mfn = b->p2m[b->layout.console.pfn];
    rc = make_ports(b);
    if (rc == 0) {
        rc = write_rings(b, info.shared_info_mfn);
    }
    if (rc == 0) {
        rc = write_shared_info(b, info.shared_info_mfn);
    }
    if (rc == 0) {
        rc = fill_hypercall_page(b);
    }
    if (rc == 0) {
        rc = pin_tables(b);
    }
    if (rc == 0) {
        rc = xc_gnttab_seed(b->h, b->domid, b->result->console_mfn, b->config->console_domid,
                            b->result->xenstore_mfn, b->config->xenstore_domid);
    }
    if (rc == 0) {
        rc = set_registers(b);
    }
    return rc;
}
