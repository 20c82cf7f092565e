/*
 * builder.h: what the PV builder's files share.
 *
 * A build goes through them in this order: image.c finds the kernel's bytes (cache.c, bzimage.c,
 * unpack.c), elf.c and notes.c read what it wants, check.c decides whether it can run, layout.c
 * plans where everything lies, pagetable.c plans the first page tables, load.c writes it all into
 * the guest, start.c readies virtual CPU 0; build.c leads.
 *
 * Kernels are hostile. The files up to pagetable.c are pure functions over bytes and numbers, they
 * are what tests/fuzz/kernel_* feeds. Every size and offset is 64 bits wide and checked before use.
 */
#ifndef HOSPES_LIBXENCTRL_BUILDER_H
#define HOSPES_LIBXENCTRL_BUILDER_H

#include "libxenctrl/private.h"

/* A little-endian word of a file, wherever it lies. */
static inline uint32_t xc_le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

#define XC_WHY_SIZE 256 /* room for the reason why a kernel is refused */

/* Limits on what a kernel may make us do. */
#define XC_MOST_KERNEL   (256ull << 20) /* bytes of a kernel file */
#define XC_MOST_UNPACKED (512ull << 20) /* bytes of an unpacked kernel */
#define XC_MOST_MAPPED   (4ull << 30)   /* bytes that the first page tables map */
#define XC_MOST_SEGMENTS 64u            /* loadable segments */
#define XC_MOST_NOTES    4096u          /* notes of all kinds */

#define XC_UNSET UINT64_MAX /* an address that the kernel doesn't name */

/* ---- unpack.c, bzimage.c: packed kernels */

enum xc_packing {
    XC_PLAIN, /* not packed */
    XC_GZIP,
    XC_XZ,
    XC_LZMA,
    XC_ZSTD,
    XC_LZ4,   /* the legacy frame format, as kernels use it */
    XC_BZIP2, /* known, and refused */
    XC_LZO,   /* known, and refused */
};

/* The packing's usual word: "gzip". */
const char *xc_packing_name(enum xc_packing packing);

/* What the first bytes say. */
enum xc_packing xc_packing_of(const uint8_t *data, size_t size);

/* Takes unpacked bytes; a negative errno value stops the unpacking and is its result. */
typedef int xc_sink(void *context, const void *data, size_t size);

/*
 * Unpack @size bytes at @data into @sink, at most @limit bytes of output. Returns 0; -ENOEXEC with
 * @why for damaged or unsupported data; -EFBIG with @why for more than @limit; the sink's error.
 */
XC_MUST_CHECK int xc_unpack(enum xc_packing packing, const uint8_t *data, size_t size,
                            uint64_t limit, xc_sink *sink, void *context, char *why);

/* The kernel inside a Linux bzImage. */
struct xc_payload {
    enum xc_packing packing;
    size_t offset, size; /* of the packed bytes in the file */
    uint64_t unpacked;   /* bytes it says it will have, or XC_UNSET */
};

/* Is this a Linux bzImage? */
bool xc_is_bzimage(const uint8_t *data, size_t size);

/* Find it. -ENOEXEC with @why: there is none, or it lies outside the file. */
XC_MUST_CHECK int xc_bzimage_payload(const uint8_t *data, size_t size, struct xc_payload *payload,
                                     char *why);

/* ---- image.c, cache.c: the bytes of an unpacked kernel */

struct xc_image {
    int fd;              /* a file that holds them, or -1 */
    const uint8_t *data; /* the same, mapped; owned */
    size_t size;
    size_t mapped; /* bytes to unmap at @data */
    bool cached;   /* nothing had to be unpacked */
    char format[24];
};

struct xc_progress {
    xc_build_progress *call; /* or NULL */
    void *context;
};
/* Tell it; -ECANCELED if it wants to stop. */
XC_MUST_CHECK int xc_progress_tell(const struct xc_progress *progress, enum xc_build_step step,
                                   uint64_t done, uint64_t total);

/*
 * Open the kernel at @path and unpack it, or take it from the cache in @cache_dir (NULL: the usual
 * one, "": none). Sets the sentence of @h. Undo with xc_image_close(), which a zeroed struct with
 * fd -1 allows too.
 */
XC_MUST_CHECK int xc_image_open(struct xc_handle *h, const char *path, const char *cache_dir,
                                const struct xc_progress *progress, struct xc_image *image);
void xc_image_close(struct xc_image *image);

/* Copy @size bytes from @offset, which must lie inside the image. */
XC_MUST_CHECK int xc_image_read(const struct xc_image *image, void *to, uint64_t offset,
                                size_t size);

struct stat;
/* An open cache folder. */
struct xc_cache {
    int dir;         /* -1: there is no cache */
    char name[128];  /* of the entry */
    int lock;        /* a file that is open while the kernel is locked, or -1 */
    uint64_t number; /* which byte of it is the kernel's */
    int file;        /* of a new entry while it is written, or -1 */
    char temporary[64];
};
/*
 * Look for the kernel whose file is @source. A hit fills @image and returns true. Undo with
 * xc_cache_done() in any case.
 */
bool xc_cache_find(struct xc_cache *cache, const char *dir, const struct stat *source,
                   struct xc_image *image);
/*
 * Before a kernel is unpacked: waits for others who unpack the same one, and keeps new ones out. If
 * it has come into the cache meanwhile, fills @image and returns true.
 */
bool xc_cache_lock(struct xc_cache *cache, struct xc_image *image);
/* A file to unpack into: in the cache, or anonymous. Returns it or a negative errno value. */
XC_MUST_CHECK int xc_cache_create(struct xc_cache *cache);
/* The file is complete: @size bytes of a kernel of @format. Make it an entry. */
void xc_cache_publish(struct xc_cache *cache, uint64_t size, const char *format);
/* Forget a file that was not published, unlock, close. The descriptor from create stays open. */
void xc_cache_done(struct xc_cache *cache);

/* ---- elf.c: ELF files */

struct xc_segment {
    uint64_t offset, file_size; /* in the file */
    uint64_t paddr, size;       /* in memory */
};

struct xc_elf {
    const uint8_t *data;
    size_t size;
    bool is64;
    uint16_t machine; /* EM_* */
    uint64_t entry;
    uint64_t pstart, pend; /* physical addresses that the segments span */
    unsigned int nr_segments;
    struct xc_segment segments[XC_MOST_SEGMENTS];
};

/* A program or section header, of either class. */
struct xc_elf_part {
    uint32_t type, name;
    uint64_t offset, size, paddr, memory_size;
};

/*
 * Check the headers and collect the loadable segments. @data must outlive @elf. -ENOEXEC with @why:
 * not ELF, damaged, or not loadable.
 */
XC_MUST_CHECK int xc_elf_parse(const uint8_t *data, size_t size, struct xc_elf *elf, char *why);

/* The bytes [offset, offset + size) of the file, or NULL if they aren't all inside. */
const uint8_t *xc_elf_bytes(const struct xc_elf *elf, uint64_t offset, uint64_t size);

unsigned int xc_elf_nr_programs(const struct xc_elf *elf);
unsigned int xc_elf_nr_sections(const struct xc_elf *elf);
/* Header number @i, or false if it isn't inside the file. */
bool xc_elf_program(const struct xc_elf *elf, unsigned int i, struct xc_elf_part *part);
bool xc_elf_section(const struct xc_elf *elf, unsigned int i, struct xc_elf_part *part);
/* The section of this name. */
bool xc_elf_section_named(const struct xc_elf *elf, const char *name, struct xc_elf_part *part);

/* ---- notes.c: what the kernel says of itself (XEN_ELFNOTE_*) */

struct xc_guest_notes {
    bool found;  /* there are notes, or a __xen_guest section */
    bool legacy; /* it was the section */
    char os[32], version[32], loader[16], xen_version[16];
    uint64_t virt_base, entry, hypercall_page, init_p2m, paddr_offset, hv_start_low;
    bool mod_start_pfn;          /* it takes its ramdisk outside of the first mapping */
    bool bsd_symtab;             /* it wants its symbol table behind it */
    bool pvh;                    /* it has a PVH entry point */
    uint32_t features, required; /* bits 1 << XENFEAT_* */
    char unknown_feature[40];    /* one that it requires and we don't know, or "" */
};

/* Never fails: what can't be read is not there. */
void xc_notes_parse(const struct xc_elf *elf, struct xc_guest_notes *notes);

/* Parse one block of ELF notes / one __xen_guest string. For the fuzzers, used by the above. */
void xc_notes_block(const uint8_t *data, size_t size, unsigned int *budget,
                    struct xc_guest_notes *notes);
void xc_notes_legacy(const char *text, size_t size, struct xc_guest_notes *notes);

/* ---- check.c: can it run? */

/* Everything that the rest of the builder needs to know of a kernel. */
struct xc_guest {
    struct xc_elf elf;
    struct xc_guest_notes notes;
    uint64_t virt_base;    /* where guest frame 0 is mapped */
    uint64_t offset;       /* virtual minus physical address of the segments */
    uint64_t kstart, kend; /* virtual addresses of the kernel */
    uint64_t entry;        /* first instruction */
};

/*
 * Parse and check a kernel. -ENOEXEC with @why if it can't run as a 64-bit PV guest; @guest->elf
 * and
 * @guest->notes are then still filled in as far as they were read.
 */
XC_MUST_CHECK int xc_guest_parse(const uint8_t *data, size_t size, struct xc_guest *guest,
                                 char *why);

/* ---- layout.c, pagetable.c: where everything lies */

struct xc_area {
    uint64_t pfn, pages;
};

/* A page table of the first address space. */
struct xc_table {
    uint64_t base; /* first virtual address that it maps, in 48 bits */
    uint64_t pfn;
    unsigned int level; /* 4 to 1 */
};

/* A range of virtual addresses (48 bits) that maps consecutive guest frames. */
struct xc_mapping {
    uint64_t base, pages, pfn;
};

struct xc_layout {
    uint64_t nr_pages; /* of the guest */
    uint64_t virt_base;
    struct xc_area kernel, ramdisk, p2m, start_info, xenstore, console, tables, stack;
    uint64_t ramdisk_bytes;
    bool ramdisk_by_pfn; /* start info names its frame, not its address */
    uint64_t p2m_vaddr;  /* where the guest sees its list of frames */
    uint64_t p2m_list;   /* pages of that list; the rest of @p2m are its page tables */
    uint64_t mapped;     /* pages from virt_base on that are mapped */
    uint64_t end;        /* guest frames in use, from 0 */
    struct xc_mapping mappings[2];
    unsigned int nr_mappings;
    struct xc_table *page_tables; /* level 4 first */
    unsigned int nr_page_tables, room;
};

/*
 * Plan the memory of a guest of @nr_pages. -ENOMEM: it doesn't fit, with @why saying how much it
 * needs. Undo with xc_layout_finish(), also after an error.
 */
XC_MUST_CHECK int xc_layout_plan(const struct xc_guest *guest, uint64_t nr_pages,
                                 uint64_t ramdisk_bytes, struct xc_layout *layout, char *why);
void xc_layout_finish(struct xc_layout *layout);

/*
 * Plan page tables for another mapping, with frames from @pfn on; returns how many tables that
 * took, or a negative errno value.
 */
XC_MUST_CHECK long xc_tables_plan(struct xc_layout *layout, const struct xc_mapping *mapping,
                                  uint64_t pfn);

/* Fill page table number @i at @entries; @p2m is the guest's list of machine frames. */
void xc_table_fill(const struct xc_layout *layout, unsigned int i, const uint64_t *p2m,
                   uint64_t entries[512]);

/* Is this frame one of the page tables? */
bool xc_layout_is_table(const struct xc_layout *layout, uint64_t pfn);

/* ---- load.c, start.c: a build in progress */

struct xc_build {
    struct xc_handle *h;
    const struct xc_build_config *config;
    struct xc_build_result *result;
    struct xc_progress progress;
    struct xc_image image;
    int ramdisk; /* file, or -1 */
    struct xc_guest guest;
    struct xc_layout layout;
    uint32_t domid; /* XC_DOMID_INVALID: not created yet */
    uint64_t *p2m;  /* layout.nr_pages machine frames */
};

/* Copy the kernel and the ramdisk, write list of frames and page tables. */
XC_MUST_CHECK int xc_load(struct xc_build *b);
/* Ports, start info, shared info, pinned page tables, grants, registers. */
XC_MUST_CHECK int xc_start(struct xc_build *b);

#endif /* HOSPES_LIBXENCTRL_BUILDER_H */
