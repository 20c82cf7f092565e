/*
 * What Domain 0's kernel file says of itself: loadable segments, and the ELF notes with which a
 * kernel describes its Xen entry. Source: <xen/elfnote.h>. The file is checked like a hostile one.
 */
#include <hospes/elf.h>
#include <hospes/lib.h>
#include <xen/elfnote.h>
#include <xen/features.h>
#include "dom0.h"

/* Reads phdr i into *ph; false: outside the file. */
static bool __init read_phdr(const struct dom0_kernel *k, unsigned int i, elf64_phdr_t *ph)
{
    const elf64_ehdr_t *eh = k->elf;
    uint64_t at = eh->e_phoff + (uint64_t)i * eh->e_phentsize;

    if (eh->e_phentsize < sizeof(*ph) || at > k->elf_len || k->elf_len - at < sizeof(*ph)) {
        return false;
    }
    memcpy(ph, (const char *)k->elf + at, sizeof(*ph));
    return ph->p_offset <= k->elf_len && ph->p_filesz <= k->elf_len - ph->p_offset;
}

static uint64_t __init note_number(const void *desc, uint32_t size)
{
    uint64_t v = 0;

    memcpy(&v, desc, min(size, 8u));
    return v;
}

/* "!writable_page_tables|pae_pgdir_above_4gb|..." : a leading ! means required. Only what we lack
 * matters. */
static void __init note_take(struct dom0_kernel *k, uint32_t type, const void *desc, uint32_t size,
                             uint64_t *paddr_offset)
{
    uint64_t v = note_number(desc, size);

    switch (type) {
    case XEN_ELFNOTE_ENTRY:
        k->entry = v;
        break;
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        k->hypercall_page = v;
        break;
    case XEN_ELFNOTE_VIRT_BASE:
        k->virt_base = v;
        break;
    case XEN_ELFNOTE_PADDR_OFFSET:
        *paddr_offset = v;
        break;
    case XEN_ELFNOTE_INIT_P2M:
        k->init_p2m = v;
        break;
    case XEN_ELFNOTE_MOD_START_PFN:
        k->mod_start_pfn = v != 0;
        break;
    case XEN_ELFNOTE_SUPPORTED_FEATURES:
        k->dom0_capable = (v & BIT(XENFEAT_dom0)) != 0;
        break;
    case XEN_ELFNOTE_GUEST_OS:
        k->is_linux = size >= 5 && memcmp(desc, "linux", 5) == 0;
        break;
    default:
        break;
    }
}

static unsigned int __init parse_notes(struct dom0_kernel *k, const elf64_phdr_t *ph,
                                       uint64_t *paddr_offset)
{
    const char *p = (const char *)k->elf + ph->p_offset, *end = p + ph->p_filesz;
    unsigned int found = 0;

    while ((size_t)(end - p) >= sizeof(elf64_nhdr_t)) {
        elf64_nhdr_t n;
        size_t name_room, desc_room;

        memcpy(&n, p, sizeof(n));
        p += sizeof(n);
        name_room = ROUNDUP((size_t)n.n_namesz, 4);
        desc_room = ROUNDUP((size_t)n.n_descsz, 4);
        if (name_room > (size_t)(end - p) || n.n_descsz > (size_t)(end - p) - name_room) {
            break;
        }
        if (n.n_namesz == 4 && memcmp(p, "Xen", 4) == 0) {
            note_take(k, n.n_type, p + name_room, n.n_descsz, paddr_offset);
            found++;
        }
        p += name_room;
        p += min(desc_room, (size_t)(end - p));
    }
    return found;
}

static void __init check_header(const elf64_ehdr_t *eh, size_t len)
{
    if (len < sizeof(*eh) || memcmp(eh->e_ident, "\177ELF", 4) != 0) {
        dom0_fail("Domain 0's kernel is no ELF file inside: it is damaged, copy it again.");
    }
    if (eh->e_ident[4] != ELF_CLASS64 || eh->e_ident[5] != ELF_DATA_LSB ||
        eh->e_machine != ELF_EM_X86_64) {
        dom0_fail("Domain 0's kernel is not a 64-bit x86 kernel: use an amd64 one.");
    }
}

void __init kernel_parse(const void *elf, size_t len, struct dom0_kernel *k)
{
    const elf64_ehdr_t *eh = elf;
    uint64_t paddr_offset = 0;
    unsigned int notes = 0;
    elf64_phdr_t ph;

    check_header(eh, len);
    *k = (struct dom0_kernel){.elf = elf,
                              .elf_len = len,
                              .pstart = ~0ul,
                              .entry = eh->e_entry,
                              .hypercall_page = NO_ADDR,
                              .init_p2m = NO_ADDR};
    for (unsigned int i = 0; i < eh->e_phnum; i++) {
        if (!read_phdr(k, i, &ph)) {
            dom0_fail(
                "Domain 0's kernel has segments beyond its end: it is damaged, copy it again.");
        }
        if (ph.p_type == ELF_PT_NOTE) {
            notes += parse_notes(k, &ph, &paddr_offset);
        } else if (ph.p_type == ELF_PT_LOAD && ph.p_memsz) {
            if (ph.p_filesz > ph.p_memsz || ph.p_paddr + ph.p_memsz < ph.p_paddr) {
                dom0_fail("Domain 0's kernel has an impossible segment: it is damaged.");
            }
            k->pstart = min(k->pstart, ph.p_paddr);
            k->pend = max(k->pend, ph.p_paddr + ph.p_memsz);
        }
    }
    if (notes == 0) {
        dom0_fail("Domain 0's kernel has no Xen notes: it was built without CONFIG_XEN_PV; use a "
                  "distribution's kernel.");
    }
    if (k->pstart >= k->pend || k->pend > (1ul << 40)) {
        dom0_fail("Domain 0's kernel has nothing to load: it is damaged.");
    }
    k->offset = k->virt_base - paddr_offset;
    if (k->entry == 0 || k->pstart + k->offset < k->virt_base) {
        dom0_fail(
            "Domain 0's kernel has no usable entry or lies below its own base: it is damaged.");
    }
}

void __init kernel_load(const struct dom0_kernel *k,
                        void (*write)(void *ctx, unsigned long va, const void *src, size_t n),
                        void *ctx)
{
    const elf64_ehdr_t *eh = k->elf;
    elf64_phdr_t ph;

    for (unsigned int i = 0; i < eh->e_phnum; i++) {
        if (!read_phdr(k, i, &ph) || ph.p_type != ELF_PT_LOAD) {
            continue;
        }
        write(ctx, ph.p_paddr + k->offset, (const char *)k->elf + ph.p_offset, ph.p_filesz);
        write(ctx, ph.p_paddr + k->offset + ph.p_filesz, NULL, ph.p_memsz - ph.p_filesz);
    }
}
