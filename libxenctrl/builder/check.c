/*
 * check.c: can this kernel run as a 64-bit PV guest, and at which addresses?
 *
 * Read builder.h first. The rules are those of Xen's loader: <xen/elfnote.h>, and "Domain layout"
 * in <xen/xen.h>.
 */
#include "libxenctrl/builder/builder.h"
#include <elf.h>
#include <xen/features.h>

/* What 64-bit PV guests leave to the hypervisor. */
#define HOLE_START 0xffff800000000000ull
#define HOLE_END   0xffff880000000000ull

static int refuse(char *why, const char *text)
{
    xc_explain(why, XC_WHY_SIZE, "%s", text);
    return -ENOEXEC;
}

static int check_machine(const struct xc_guest *guest, char *why)
{
    if (guest->elf.machine == EM_386) {
        return refuse(why, "it is a 32-bit kernel, and only 64-bit kernels run as PV guests");
    }
    if (guest->elf.machine != EM_X86_64 || !guest->elf.is64) {
        return refuse(why, "it is a kernel for another kind of processor");
    }
    return 0;
}

static int check_notes(const struct xc_guest_notes *notes, char *why)
{
    if (!notes->found || (notes->pvh && notes->entry == XC_UNSET && !notes->legacy)) {
        return refuse(why, "it has no PV entry: a Linux kernel needs CONFIG_XEN_PV, others run as "
                           "HVM guests");
    }
    if (strncmp(notes->loader, "generic", 7) != 0 && strncmp(notes->os, "linux", 5) != 0) {
        return refuse(why, "it asks for a loader of its own, and only \"generic\" is known");
    }
    if (strncmp(notes->xen_version, "xen-3.0", 7) != 0) {
        return refuse(why, "it was made for another PV interface than xen-3.0");
    }
    if (notes->unknown_feature[0] != '\0') {
        xc_explain(why, XC_WHY_SIZE, "it requires the feature \"%s\", which nobody knows",
                   notes->unknown_feature);
        return -ENOEXEC;
    }
    if (notes->required & (1u << XENFEAT_dom0)) {
        return refuse(why, "it runs as Domain 0 only");
    }
    if (notes->required & (1u << XENFEAT_auto_translated_physmap)) {
        return refuse(why, "it requires translated frame numbers, which PV guests no longer have");
    }
    return 0;
}

static bool canonical(uint64_t address)
{
    return (int64_t)(address << 16) >> 16 == (int64_t)address;
}

/* Are the addresses from @start to @last the guest's to use? */
static bool usable(uint64_t start, uint64_t last)
{
    return start <= last && canonical(start) && canonical(last) && (start ^ last) >> 47 == 0 &&
           (last < HOLE_START || start >= HOLE_END);
}

static int find_addresses(struct xc_guest *guest, char *why)
{
    const struct xc_guest_notes *n = &guest->notes;
    uint64_t paddr_offset = n->paddr_offset;

    if (paddr_offset != XC_UNSET && n->virt_base == XC_UNSET) {
        return refuse(why, "it names a physical offset but no virtual base");
    }
    guest->virt_base = n->virt_base == XC_UNSET ? 0 : n->virt_base;
    if (paddr_offset == XC_UNSET) {
        paddr_offset = n->legacy ? guest->virt_base : 0;
    }
    guest->offset = guest->virt_base - paddr_offset; /* may wrap: the sums below are modulo 2^64 */
    guest->kstart = guest->elf.pstart + guest->offset;
    guest->kend = guest->elf.pend + guest->offset;
    guest->entry = n->entry == XC_UNSET ? guest->elf.entry : n->entry;
    if (guest->virt_base % XC_PAGE_SIZE != 0) {
        return refuse(why, "its virtual base is no page's address");
    }
    if (guest->kstart >= guest->kend || guest->virt_base > guest->kstart ||
        guest->kend - guest->virt_base > XC_MOST_MAPPED ||
        !usable(guest->virt_base, guest->kend - 1)) {
        return refuse(why, "it wants to be loaded at addresses that a PV guest doesn't have");
    }
    if (guest->entry < guest->kstart || guest->entry >= guest->kend) {
        return refuse(why, "its entry point lies outside of it");
    }
    if (n->hypercall_page != XC_UNSET &&
        (n->hypercall_page < guest->kstart || n->hypercall_page >= guest->kend ||
         n->hypercall_page % XC_PAGE_SIZE != 0)) {
        return refuse(why, "its hypercall page lies outside of it");
    }
    if (n->hv_start_low != XC_UNSET && n->hv_start_low > HOLE_START && n->hv_start_low < HOLE_END) {
        return refuse(why, "it doesn't leave the hypervisor enough addresses");
    }
    return 0;
}

int xc_guest_parse(const uint8_t *data, size_t size, struct xc_guest *guest, char *why)
{
    int rc;

    memset(guest, 0, sizeof(*guest));
    rc = xc_elf_parse(data, size, &guest->elf, why);
    if (rc < 0) {
        return rc;
    }
    xc_notes_parse(&guest->elf, &guest->notes);
    rc = check_machine(guest, why);
    if (rc == 0) {
        rc = check_notes(&guest->notes, why);
    }
    if (rc == 0) {
        rc = find_addresses(guest, why);
    }
    return rc;
}
