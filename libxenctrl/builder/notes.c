/*
 * notes.c: what a kernel says of itself, in ELF notes (<xen/elfnote.h>) or, before there were any,
 * in the text of a section __xen_guest.
 *
 * Read builder.h first. The order is Xen's: notes in program headers; if there are none, notes in
 * sections; if there are none, the text. A note that can't be read is as good as not there.
 */
#include "libxenctrl/builder/builder.h"
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <xen/elfnote.h>
#include <xen/features.h>

static const struct {
    const char *name;
    unsigned int bit;
} features[] = {
    {"writable_page_tables", XENFEAT_writable_page_tables},
    {"writable_descriptor_tables", XENFEAT_writable_descriptor_tables},
    {"auto_translated_physmap", XENFEAT_auto_translated_physmap},
    {"supervisor_mode_kernel", XENFEAT_supervisor_mode_kernel},
    {"pae_pgdir_above_4gb", XENFEAT_pae_pgdir_above_4gb},
    {"hvm_callback_vector", XENFEAT_hvm_callback_vector},
    {"dom0", XENFEAT_dom0},
};

/* One word of the feature list: "name", or "!name" for one that it requires. */
static void parse_feature(const char *word, size_t n, struct xc_guest_notes *notes)
{
    bool required = n > 0 && word[0] == '!';

    word += required;
    n -= required;
    for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
        if (strlen(features[i].name) == n && memcmp(features[i].name, word, n) == 0) {
            notes->features |= 1u << features[i].bit;
            notes->required |= required ? 1u << features[i].bit : 0;
            return;
        }
    }
    if (required) {
        (void)snprintf(notes->unknown_feature, sizeof(notes->unknown_feature), "%.*s",
                       n < 40 ? (int)n : 39, word);
    }
}

static void parse_features(const char *text, size_t size, struct xc_guest_notes *notes)
{
    size_t n = strnlen(text, size), begin = 0;

    for (size_t i = 0; i <= n; i++) {
        if (i == n || text[i] == '|') {
            if (i > begin) {
                parse_feature(text + begin, i - begin, notes);
            }
            begin = i + 1;
        }
    }
}

/* Copy a string that may lack its end, keeping printable characters only. */
static void copy_text(char *to, size_t room, const char *from, size_t size)
{
    size_t n = strnlen(from, size);

    n = n < room ? n : room - 1;
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i] >= ' ' && from[i] < 0x7f ? from[i] : '?';
    }
    to[n] = '\0';
}

/* A number of 1, 2, 4 or 8 bytes; 0 for any other size. */
static uint64_t number(const uint8_t *data, size_t size)
{
    uint64_t value = 0;

    if (size == 1 || size == 2 || size == 4 || size == 8) {
        memcpy(&value, data, size);
    }
    return value;
}

static void parse_address(uint32_t type, uint64_t value, struct xc_guest_notes *notes)
{
    switch (type) {
    case XEN_ELFNOTE_ENTRY:
        notes->entry = value;
        break;
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        notes->hypercall_page = value;
        break;
    case XEN_ELFNOTE_VIRT_BASE:
        notes->virt_base = value;
        break;
    case XEN_ELFNOTE_INIT_P2M:
        notes->init_p2m = value;
        break;
    case XEN_ELFNOTE_PADDR_OFFSET:
        notes->paddr_offset = value;
        break;
    case XEN_ELFNOTE_HV_START_LOW:
        notes->hv_start_low = value;
        break;
    case XEN_ELFNOTE_MOD_START_PFN:
        notes->mod_start_pfn = value != 0;
        break;
    case XEN_ELFNOTE_SUPPORTED_FEATURES:
        notes->features |= (uint32_t)value;
        break;
    case XEN_ELFNOTE_PHYS32_ENTRY:
        notes->pvh = true;
        break;
    default:
        break;
    }
}

/* One note whose owner is "Xen". */
static void parse_note(uint32_t type, const uint8_t *data, size_t size,
                       struct xc_guest_notes *notes)
{
    const char *text = (const char *)data;

    notes->found = true;
    switch (type) {
    case XEN_ELFNOTE_XEN_VERSION:
        copy_text(notes->xen_version, sizeof(notes->xen_version), text, size);
        break;
    case XEN_ELFNOTE_GUEST_OS:
        copy_text(notes->os, sizeof(notes->os), text, size);
        break;
    case XEN_ELFNOTE_GUEST_VERSION:
        copy_text(notes->version, sizeof(notes->version), text, size);
        break;
    case XEN_ELFNOTE_LOADER:
        copy_text(notes->loader, sizeof(notes->loader), text, size);
        break;
    case XEN_ELFNOTE_FEATURES:
        parse_features(text, size, notes);
        break;
    case XEN_ELFNOTE_BSD_SYMTAB:
        notes->bsd_symtab = size >= 3 && memcmp(text, "yes", 3) == 0;
        break;
    default:
        parse_address(type, number(data, size), notes);
        break;
    }
}

static uint64_t align4(uint64_t n)
{
    return (n + 3) & ~3ull;
}

void xc_notes_block(const uint8_t *data, size_t size, unsigned int *budget,
                    struct xc_guest_notes *notes)
{
    Elf64_Nhdr header; /* the same for both classes */
    size_t at = 0;

    while (size - at >= sizeof(header) && *budget > 0) {
        uint64_t name_size, desc_size, left = size - at - sizeof(header);
        const uint8_t *name = data + at + sizeof(header);

        (*budget)--;
        memcpy(&header, data + at, sizeof(header));
        name_size = align4(header.n_namesz);
        desc_size = align4(header.n_descsz);
        if (name_size > left || header.n_descsz > left - name_size) {
            break;
        }
        if (header.n_namesz == 4 && memcmp(name, "Xen", 4) == 0) {
            parse_note(header.n_type, name + name_size, header.n_descsz, notes);
        }
        if (desc_size > left - name_size) {
            break; /* the last one, without its padding */
        }
        at += sizeof(header) + name_size + desc_size;
    }
}

static void legacy_entry(const char *key, const char *value, struct xc_guest_notes *notes)
{
    uint64_t v = strtoull(value, NULL, 0);

    if (strcmp(key, "LOADER") == 0) {
        copy_text(notes->loader, sizeof(notes->loader), value, strlen(value));
    } else if (strcmp(key, "GUEST_OS") == 0) {
        copy_text(notes->os, sizeof(notes->os), value, strlen(value));
    } else if (strcmp(key, "GUEST_VER") == 0) {
        copy_text(notes->version, sizeof(notes->version), value, strlen(value));
    } else if (strcmp(key, "XEN_VER") == 0) {
        copy_text(notes->xen_version, sizeof(notes->xen_version), value, strlen(value));
    } else if (strcmp(key, "BSD_SYMTAB") == 0) {
        notes->bsd_symtab = true;
    } else if (strcmp(key, "VIRT_BASE") == 0) {
        notes->virt_base = v;
    } else if (strcmp(key, "VIRT_ENTRY") == 0) {
        notes->entry = v;
    } else if (strcmp(key, "ELF_PADDR_OFFSET") == 0) {
        notes->paddr_offset = v;
    } else if (strcmp(key, "HYPERCALL_PAGE") == 0) {
        notes->hypercall_page = v << XC_PAGE_SHIFT;
    } else if (strcmp(key, "FEATURES") == 0) {
        parse_features(value, strlen(value), notes);
    }
}

void xc_notes_legacy(const char *text, size_t size, struct xc_guest_notes *notes)
{
    size_t end = strnlen(text, size), at = 0;

    notes->found = notes->legacy = true;
    while (at < end) {
        const char *comma = memchr(text + at, ',', end - at);
        size_t n = comma != NULL ? (size_t)(comma - text) - at : end - at;
        char entry[160], *equals;

        copy_text(entry, sizeof(entry), text + at, n);
        equals = strchr(entry, '=');
        if (equals != NULL) {
            *equals = '\0';
        }
        legacy_entry(entry, equals != NULL ? equals + 1 : "", notes);
        at += n + 1;
    }
    /* Here the hypercall page is an offset from the base. */
    if (notes->virt_base != XC_UNSET && notes->hypercall_page != XC_UNSET) {
        notes->hypercall_page += notes->virt_base;
    }
}

static void parse_part(const struct xc_elf *elf, const struct xc_elf_part *part,
                       unsigned int *budget, struct xc_guest_notes *notes)
{
    const uint8_t *data = xc_elf_bytes(elf, part->offset, part->size);

    if (data != NULL && part->offset != 0) {
        xc_notes_block(data, part->size, budget, notes);
    }
}

void xc_notes_parse(const struct xc_elf *elf, struct xc_guest_notes *notes)
{
    unsigned int budget = XC_MOST_NOTES;
    struct xc_elf_part part;

    *notes = (struct xc_guest_notes){
        .virt_base = XC_UNSET,
        .entry = XC_UNSET,
        .hypercall_page = XC_UNSET,
        .init_p2m = XC_UNSET,
        .paddr_offset = XC_UNSET,
        .hv_start_low = XC_UNSET,
    };
    for (unsigned int i = 0; i < xc_elf_nr_programs(elf); i++) {
        if (xc_elf_program(elf, i, &part) && part.type == PT_NOTE) {
            parse_part(elf, &part, &budget, notes);
        }
    }
    for (unsigned int i = 1; !notes->found && i < xc_elf_nr_sections(elf); i++) {
        if (xc_elf_section(elf, i, &part) && part.type == SHT_NOTE) {
            parse_part(elf, &part, &budget, notes);
        }
    }
    if (!notes->found && xc_elf_section_named(elf, "__xen_guest", &part)) {
        const uint8_t *text = xc_elf_bytes(elf, part.offset, part.size);

        if (text != NULL) {
            xc_notes_legacy((const char *)text, part.size, notes);
        }
    }
}
