/*
 * Building Domain 0: shared between the files of this folder. The order of reading: unpack.c (boot
 * module -> ELF), kernel.c (ELF -> what the kernel asks for), layout.c (where everything lies),
 * build.c (makes it). All of it runs once, on CPU 0, before any guest; errors end in dom0_fail.
 */
#ifndef X86_DOM0_H
#define X86_DOM0_H

#include <hospes/types.h>
#include <arch/boot.h>

/* One sentence with the cause and the cure, then the machine stops: there is nothing to go back to.
 */
void dom0_fail(const char *fmt, ...) __printf(1, 2) __noreturn;

/* ---- unpack.c ---- */
/* The ELF image in a boot module: itself, or what a bzImage contains. *allocated is to be vfree'd.
 */
const void *unpack_kernel(const void *module, size_t len, size_t *elf_len, void **allocated);

/* ---- decompress.c: each returns bytes written to out, or 0 ---- */
size_t decompress_gzip(const void *in, size_t in_len, void *out, size_t out_len);
size_t decompress_xz(const void *in, size_t in_len, void *out, size_t out_len);
size_t decompress_zstd(const void *in, size_t in_len, void *out, size_t out_len);
size_t decompress_lz4(const void *in, size_t in_len, void *out, size_t out_len);

/* ---- kernel.c ---- */
#define NO_ADDR (~0ul)
struct dom0_kernel {
    const void *elf;
    size_t elf_len;
    unsigned long pstart, pend;                    /* of all loaded segments, as p_paddr */
    unsigned long virt_base;                       /* virtual address of pfn 0 */
    unsigned long offset;                          /* virtual = p_paddr + offset */
    unsigned long entry, hypercall_page, init_p2m; /* virtual; NO_ADDR when not given */
    bool mod_start_pfn;                            /* takes the ramdisk unmapped, by frame number */
    bool is_linux;
    bool dom0_capable;
    uint32_t features_required; /* word 0 of XENFEAT_* that it cannot do without */
};
void kernel_parse(const void *elf, size_t len, struct dom0_kernel *k);
/* Copies the segments; write(ctx, virtual address, bytes or NULL for zeros, length). */
void kernel_load(const struct dom0_kernel *k,
                 void (*write)(void *ctx, unsigned long va, const void *src, size_t n), void *ctx);

/* ---- layout.c ---- */
/* All ranges are [start, end) in guest virtual addresses, page aligned, but where said. */
struct dom0_layout {
    unsigned long nr_pages;       /* of Domain 0's memory */
    unsigned long v_start, v_end; /* mapped; v_start is pfn 0 */
    unsigned long kernel_start, kernel_end;
    unsigned long initrd_start, initrd_end; /* mapped ramdisk; equal when unmapped or none */
    unsigned long initrd_pfn;               /* first frame of the ramdisk */
    unsigned long p2m_start, p2m_end; /* the list of frames; inside v_start.. or at INIT_P2M */
    unsigned long p2m_pfn;            /* its first frame */
    unsigned long start_info, stack_top;
    unsigned long pt_start, nr_pt; /* page tables, L4 first */
};
void layout_compute(struct dom0_layout *l, const struct dom0_kernel *k, unsigned long nr_pages,
                    size_t initrd_len);

/* ---- permissions.c ---- */
void dom0_grant_permissions(struct domain *d);

#endif
