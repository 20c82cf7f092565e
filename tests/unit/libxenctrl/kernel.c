/*
 * kernel.c: see kernel.h.
 */
#include "tests/unit/libxenctrl/kernel.h"
#include <elf.h>
#include <lz4hc.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xen/elfnote.h>
#include <zlib.h>
#include <zstd.h>

uint8_t kernel_byte(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8));
}

static uint8_t *add_note(uint8_t *p, uint32_t type, const void *data, size_t size)
{
    Elf64_Nhdr header = {4, (Elf64_Word)size, type};

    memcpy(p, &header, sizeof(header));
    memcpy(p + sizeof(header), "Xen", 4);
    memcpy(p + sizeof(header) + 4, data, size);
    return p + sizeof(header) + 4 + ((size + 3) & ~3ul);
}

static uint8_t *add_text(uint8_t *p, uint32_t type, const char *text)
{
    return add_note(p, type, text, strlen(text) + 1);
}

static uint8_t *add_number(uint8_t *p, uint32_t type, uint64_t value)
{
    return add_note(p, type, &value, sizeof(value));
}

/* What Linux says of itself. */
static size_t fill_notes(uint8_t *p, const struct kernel_options *o, uint64_t entry)
{
    uint8_t *begin = p;
    uint32_t one = 1;

    p = add_text(p, XEN_ELFNOTE_GUEST_OS, o->os != NULL ? o->os : "linux");
    p = add_text(p, XEN_ELFNOTE_GUEST_VERSION, "2.6");
    p = add_text(p, XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    p = add_number(p, XEN_ELFNOTE_VIRT_BASE, KERNEL_BASE);
    p = add_number(p, XEN_ELFNOTE_ENTRY, entry);
    p = add_number(p, XEN_ELFNOTE_HYPERCALL_PAGE,
                   KERNEL_BASE + (o->paddr != 0 ? o->paddr : KERNEL_PADDR) + 0x2000);
    if (!o->no_p2m) {
        p = add_number(p, XEN_ELFNOTE_INIT_P2M, KERNEL_P2M);
    }
    if (!o->no_mod_pfn) {
        p = add_note(p, XEN_ELFNOTE_MOD_START_PFN, &one, sizeof(one));
    }
    p = add_text(p, XEN_ELFNOTE_FEATURES,
                 o->features != NULL ? o->features : "!writable_page_tables|pae_pgdir_above_4gb");
    p = add_text(p, XEN_ELFNOTE_LOADER, "generic");
    return (size_t)(p - begin);
}

#define NOTES_AT  0x200
#define TEXT_AT   0x1000
#define DATA_AT   (TEXT_AT + KERNEL_TEXT)
#define STRINGS   "\0.shstrtab\0__xen_guest"
#define TAIL_AT   (DATA_AT + KERNEL_DATA)
#define FILE_SIZE (TAIL_AT + 1024)

/* Section headers for the legacy text, at the end of the file. */
static void add_sections(uint8_t *file, Elf64_Ehdr *header, const char *text)
{
    Elf64_Shdr sections[3] = {{0}};
    size_t at = TAIL_AT;

    memcpy(file + at, STRINGS, sizeof(STRINGS));
    sections[1].sh_type = SHT_STRTAB;
    sections[1].sh_name = 1;
    sections[1].sh_offset = at;
    sections[1].sh_size = sizeof(STRINGS);
    at += 64;
    memcpy(file + at, text, strlen(text) + 1);
    sections[2].sh_type = SHT_PROGBITS;
    sections[2].sh_name = 11;
    sections[2].sh_offset = at;
    sections[2].sh_size = strlen(text) + 1;
    at += 512;
    memcpy(file + at, sections, sizeof(sections));
    header->e_shoff = at;
    header->e_shnum = 3;
    header->e_shentsize = sizeof(Elf64_Shdr);
    header->e_shstrndx = 1;
}

uint8_t *kernel_elf(const struct kernel_options *o, size_t *size)
{
    uint64_t paddr = o->paddr != 0 ? o->paddr : KERNEL_PADDR;
    uint64_t entry = o->entry != 0 ? o->entry : KERNEL_BASE + paddr + 0x10;
    uint8_t *file = calloc(1, FILE_SIZE);
    Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = o->machine != 0 ? o->machine : EM_X86_64,
        .e_entry = paddr,
        .e_phoff = sizeof(header),
        .e_phnum = 3,
        .e_phentsize = sizeof(Elf64_Phdr),
    };
    Elf64_Phdr programs[3] = {
        {PT_LOAD, 5, TEXT_AT, KERNEL_BASE + paddr, paddr, KERNEL_TEXT, KERNEL_SIZE, 4096},
        {PT_LOAD, 6, DATA_AT, KERNEL_BASE + paddr + 0x10000, paddr + 0x10000, KERNEL_DATA,
         KERNEL_DATA, 4096},
        {PT_NOTE, 4, NOTES_AT, 0, 0, 0, 0, 4},
    };

    if (o->legacy) {
        char text[256];

        (void)snprintf(text, sizeof(text),
                       "GUEST_OS=%s,XEN_VER=xen-3.0,VIRT_BASE=0x%llx,ELF_PADDR_OFFSET=0x0,"
                       "VIRT_ENTRY=0x%llx,HYPERCALL_PAGE=0x%llx,LOADER=generic",
                       o->os != NULL ? o->os : "linux", KERNEL_BASE, (unsigned long long)entry,
                       (unsigned long long)(paddr + 0x2000) >> 12);
        add_sections(file, &header, text);
        header.e_phnum = 2;
    } else if (o->no_notes) {
        header.e_phnum = 2;
    } else {
        programs[2].p_filesz = programs[2].p_memsz = fill_notes(file + NOTES_AT, o, entry);
    }
    memcpy(file, &header, sizeof(header));
    memcpy(file + sizeof(header), programs, sizeof(programs));
    for (size_t i = 0; i < KERNEL_TEXT + KERNEL_DATA; i++) {
        file[TEXT_AT + i] = kernel_byte(i);
    }
    *size = FILE_SIZE;
    return file;
}

static size_t pack_gzip(const uint8_t *data, size_t size, uint8_t *to, size_t room)
{
    z_stream z = {.next_in = (z_const Bytef *)(uintptr_t)data,
                  .avail_in = (uInt)size,
                  .next_out = to,
                  .avail_out = (uInt)room};

    (void)deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    (void)deflate(&z, Z_FINISH);
    (void)deflateEnd(&z);
    return z.total_out;
}

static size_t pack_lzma(enum xc_packing packing, const uint8_t *data, size_t size, uint8_t *to,
                        size_t room)
{
    lzma_stream s = LZMA_STREAM_INIT;
    lzma_options_lzma options;

    (void)lzma_lzma_preset(&options, 6);
    if ((packing == XC_XZ ? lzma_easy_encoder(&s, 6, LZMA_CHECK_CRC32)
                          : lzma_alone_encoder(&s, &options)) != LZMA_OK) {
        abort();
    }
    s.next_in = data;
    s.avail_in = size;
    s.next_out = to;
    s.avail_out = room;
    if (lzma_code(&s, LZMA_FINISH) != LZMA_STREAM_END) {
        abort();
    }
    lzma_end(&s);
    return s.total_out;
}

/* Magic, then one block (there is never more here than 8 MiB). */
static size_t pack_lz4(const uint8_t *data, size_t size, uint8_t *to, size_t room)
{
    int n = LZ4_compress_HC((const char *)data, (char *)to + 8, (int)size, (int)room - 8, 9);

    memcpy(to, "\x02\x21\x4c\x18", 4);
    memcpy(to + 4, &n, 4);
    return 8 + (size_t)n;
}

uint8_t *kernel_pack(enum xc_packing packing, const uint8_t *data, size_t size, size_t *packed)
{
    size_t room = size + size / 2 + 65536;
    uint8_t *to = malloc(room);

    switch (packing) {
    case XC_GZIP:
        *packed = pack_gzip(data, size, to, room);
        break;
    case XC_XZ:
    case XC_LZMA:
        *packed = pack_lzma(packing, data, size, to, room);
        break;
    case XC_ZSTD:
        *packed = ZSTD_compress(to, room, data, size, 9);
        break;
    case XC_LZ4:
        *packed = pack_lz4(data, size, to, room);
        break;
    case XC_PLAIN:
    case XC_BZIP2:
    case XC_LZO:
    default:
        memcpy(to, data, size);
        *packed = size;
        break;
    }
    return to;
}

uint8_t *kernel_bzimage(const uint8_t *payload, size_t size, uint32_t unpacked, bool gzip,
                        size_t *total)
{
    const uint32_t gap = 0x300; /* of code before the payload */
    size_t length = size + (gzip ? 0 : 4), at = 2 * 512 + gap;
    uint8_t *file = calloc(1, at + length + 100);
    uint32_t length32 = (uint32_t)length;

    file[0x1f1] = 1;
    memcpy(file + 0x202, "HdrS", 4);
    file[0x206] = 0x0f;
    file[0x207] = 2;
    memcpy(file + 0x248, &gap, 4);
    memcpy(file + 0x24c, &length32, 4);
    memcpy(file + at, payload, size);
    if (!gzip) {
        memcpy(file + at + size, &unpacked, 4);
    }
    *total = at + length + 100;
    return file;
}

static char folder[64];

const char *kernel_folder(void)
{
    if (folder[0] == '\0') {
        (void)snprintf(folder, sizeof(folder), "/tmp/hospes-test-XXXXXX");
        if (mkdtemp(folder) == NULL) {
            abort();
        }
    }
    return folder;
}

const char *kernel_file(const char *name, const uint8_t *data, size_t size)
{
    static char path[128];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", kernel_folder(), name);
    f = fopen(path, "w");
    if (f == NULL || fwrite(data, 1, size, f) != size || fclose(f) != 0) {
        abort();
    }
    return path;
}

void kernel_files_remove(void)
{
    char command[128];

    if (folder[0] != '\0') {
        (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
        if (system(command) != 0) {
            abort();
        }
        folder[0] = '\0';
    }
}
