/*
 * elf.c: reading ELF files of either class that may be hostile.
 *
 * Read builder.h first. Nothing is trusted: each access goes through xc_elf_bytes(), each sum is
 * checked for overflow, and headers are copied before they are used, because they need not be
 * aligned.
 */
#include <elf.h>

#include "libxenctrl/builder/builder.h"

const uint8_t *xc_elf_bytes(const struct xc_elf *elf, uint64_t offset, uint64_t size)
{
    if (offset > elf->size || size > elf->size - offset) {
        return NULL;
    }
    return elf->data + offset;
}

/* Copy the @size bytes of a header at @offset to @to. */
static bool copy_header(const struct xc_elf *elf, uint64_t offset, void *to, size_t size)
{
    const uint8_t *from = xc_elf_bytes(elf, offset, size);

    if (from == NULL) {
        return false;
    }
    memcpy(to, from, size);
    return true;
}

/* The file's header, in its 64-bit form. */
static bool file_header(const struct xc_elf *elf, Elf64_Ehdr *header)
{
    Elf32_Ehdr narrow;

    if (elf->is64) {
        return copy_header(elf, 0, header, sizeof(*header));
    }
    if (!copy_header(elf, 0, &narrow, sizeof(narrow))) {
        return false;
    }
    *header = (Elf64_Ehdr){
        .e_type = narrow.e_type,
        .e_machine = narrow.e_machine,
        .e_entry = narrow.e_entry,
        .e_phoff = narrow.e_phoff,
        .e_shoff = narrow.e_shoff,
        .e_phentsize = narrow.e_phentsize,
        .e_phnum = narrow.e_phnum,
        .e_shentsize = narrow.e_shentsize,
        .e_shnum = narrow.e_shnum,
        .e_shstrndx = narrow.e_shstrndx,
    };
    return true;
}

unsigned int xc_elf_nr_programs(const struct xc_elf *elf)
{
    Elf64_Ehdr header;

    return file_header(elf, &header) ? header.e_phnum : 0;
}

unsigned int xc_elf_nr_sections(const struct xc_elf *elf)
{
    Elf64_Ehdr header;

    return file_header(elf, &header) && header.e_shoff != 0 ? header.e_shnum : 0;
}

/* Where entry @i of a table lies; XC_UNSET if that can't be. */
static uint64_t entry_offset(uint64_t table, unsigned int i, unsigned int entry_size,
                             size_t least_size)
{
    uint64_t offset = table + (uint64_t)i * entry_size;

    return entry_size < least_size || offset < table ? XC_UNSET : offset;
}

bool xc_elf_program(const struct xc_elf *elf, unsigned int i, struct xc_elf_part *part)
{
    Elf64_Ehdr header;
    Elf64_Phdr wide;
    Elf32_Phdr narrow;
    uint64_t at;

    if (!file_header(elf, &header) || i >= header.e_phnum) {
        return false;
    }
    at = entry_offset(header.e_phoff, i, header.e_phentsize,
                      elf->is64 ? sizeof(wide) : sizeof(narrow));
    if (elf->is64) {
        if (!copy_header(elf, at, &wide, sizeof(wide))) {
            return false;
        }
        *part = (struct xc_elf_part){wide.p_type,  0,           wide.p_offset, wide.p_filesz,
                                     wide.p_paddr, wide.p_memsz};
        return true;
    }
    if (!copy_header(elf, at, &narrow, sizeof(narrow))) {
        return false;
    }
    *part = (struct xc_elf_part){narrow.p_type, 0, narrow.p_offset, narrow.p_filesz, narrow.p_paddr,
                                 narrow.p_memsz};
    return true;
}

bool xc_elf_section(const struct xc_elf *elf, unsigned int i, struct xc_elf_part *part)
{
    Elf64_Ehdr header;
    Elf64_Shdr wide;
    Elf32_Shdr narrow;
    uint64_t at;

    if (!file_header(elf, &header) || header.e_shoff == 0 || i >= header.e_shnum) {
        return false;
    }
    at = entry_offset(header.e_shoff, i, header.e_shentsize,
                      elf->is64 ? sizeof(wide) : sizeof(narrow));
    if (elf->is64) {
        if (!copy_header(elf, at, &wide, sizeof(wide))) {
            return false;
        }
        *part =
            (struct xc_elf_part){wide.sh_type, wide.sh_name, wide.sh_offset, wide.sh_size, 0, 0};
        return true;
    }
    if (!copy_header(elf, at, &narrow, sizeof(narrow))) {
        return false;
    }
    *part = (struct xc_elf_part){
        narrow.sh_type, narrow.sh_name, narrow.sh_offset, narrow.sh_size, 0, 0};
    return true;
}

/* Is the string at @offset of the table @strings equal to @name? */
static bool name_is(const struct xc_elf *elf, const struct xc_elf_part *strings, uint32_t offset,
                    const char *name)
{
    size_t n = strlen(name) + 1;
    const uint8_t *at;

    if (offset > strings->size || n > strings->size - offset ||
        strings->offset > UINT64_MAX - offset) {
        return false;
    }
    at = xc_elf_bytes(elf, strings->offset + offset, n);
    return at != NULL && memcmp(at, name, n) == 0;
}

bool xc_elf_section_named(const struct xc_elf *elf, const char *name, struct xc_elf_part *part)
{
    struct xc_elf_part strings;
    Elf64_Ehdr header;

    if (!file_header(elf, &header) || !xc_elf_section(elf, header.e_shstrndx, &strings)) {
        return false;
    }
    for (unsigned int i = 1; i < xc_elf_nr_sections(elf); i++) {
        if (xc_elf_section(elf, i, part) && part->type != SHT_NOBITS &&
            name_is(elf, &strings, part->name, name)) {
            return true;
        }
    }
    return false;
}

static int refuse(char *why, const char *text)
{
    xc_explain(why, XC_WHY_SIZE, "%s", text);
    return -ENOEXEC;
}

/* One loadable segment. */
static int add_segment(struct xc_elf *elf, const struct xc_elf_part *part, char *why)
{
    if (part->memory_size == 0) {
        return 0;
    }
    if (elf->nr_segments == XC_MOST_SEGMENTS) {
        return refuse(why, "it has too many segments to be a kernel");
    }
    if (part->size > part->memory_size || xc_elf_bytes(elf, part->offset, part->size) == NULL) {
        return refuse(why, "it is damaged: a segment lies outside the file (was it truncated?)");
    }
    if (part->memory_size > UINT64_MAX - part->paddr || part->memory_size > XC_MOST_MAPPED) {
        return refuse(why, "it is damaged: a segment doesn't fit in memory");
    }
    elf->segments[elf->nr_segments++] =
        (struct xc_segment){part->offset, part->size, part->paddr, part->memory_size};
    if (part->paddr < elf->pstart) {
        elf->pstart = part->paddr;
    }
    if (part->paddr + part->memory_size > elf->pend) {
        elf->pend = part->paddr + part->memory_size;
    }
    return 0;
}

/* A file may name the same memory more than once, but not make us copy without end. */
static int check_total(const struct xc_elf *elf, char *why)
{
    uint64_t total = 0;

    for (unsigned int i = 0; i < elf->nr_segments; i++) {
        total += elf->segments[i].size; /* at most 64 times 4 GiB */
    }
    if (elf->pend - elf->pstart > XC_MOST_MAPPED) {
        return refuse(why, "its segments are too far apart for one kernel");
    }
    if (total > 2 * (elf->pend - elf->pstart)) {
        return refuse(why, "it is damaged: its segments overlap");
    }
    return 0;
}

static int check_ident(const uint8_t *data, size_t size, char *why)
{
    if (size < sizeof(Elf32_Ehdr) || memcmp(data, ELFMAG, SELFMAG) != 0) {
        return refuse(why, "it is neither a bzImage nor an ELF file");
    }
    if (data[EI_DATA] != ELFDATA2LSB ||
        (data[EI_CLASS] != ELFCLASS64 && data[EI_CLASS] != ELFCLASS32)) {
        return refuse(why, "it is an ELF file for another kind of processor");
    }
    if (data[EI_CLASS] == ELFCLASS64 && size < sizeof(Elf64_Ehdr)) {
        return refuse(why, "it is damaged: the file is too short");
    }
    return 0;
}

int xc_elf_parse(const uint8_t *data, size_t size, struct xc_elf *elf, char *why)
{
    struct xc_elf_part part;
    Elf64_Ehdr header;
    int rc = check_ident(data, size, why);

    *elf = (struct xc_elf){.data = data, .size = size, .pstart = UINT64_MAX};
    if (rc < 0) {
        return rc;
    }
    elf->is64 = data[EI_CLASS] == ELFCLASS64;
    if (!file_header(elf, &header)) {
        return refuse(why, "it is damaged: the file is too short");
    }
    elf->machine = header.e_machine;
    elf->entry = header.e_entry;
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
        return refuse(why, "it is an ELF file, but no program (a kernel module, perhaps?)");
    }
    for (unsigned int i = 0; i < header.e_phnum; i++) {
        if (!xc_elf_program(elf, i, &part)) {
            return refuse(why, "it is damaged: its program headers lie outside the file");
        }
        rc = part.type == PT_LOAD ? add_segment(elf, &part, why) : 0;
        if (rc < 0) {
            return rc;
        }
    }
    if (elf->nr_segments == 0) {
        return refuse(why, "it has nothing to load");
    }
    return check_total(elf, why);
}
