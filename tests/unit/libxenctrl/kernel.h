/*
 * kernel.h: makes small kernels to feed to the builder: ELF files with notes, packed or not, alone
 * or in a bzImage.
 */
#ifndef HOSPES_TESTS_LIBXENCTRL_KERNEL_H
#define HOSPES_TESTS_LIBXENCTRL_KERNEL_H

#include "libxenctrl/builder/builder.h"

#define KERNEL_BASE  0xffffffff80000000ull
#define KERNEL_P2M   0x8000000000ull
#define KERNEL_PADDR 0x1000000ull /* where Linux lies */

struct kernel_options {
    bool no_notes;
    bool legacy;          /* a __xen_guest section instead of notes */
    bool no_p2m;          /* no INIT_P2M */
    bool no_mod_pfn;      /* no MOD_START_PFN */
    const char *features; /* NULL: Linux's */
    const char *os;       /* NULL: "linux" */
    uint64_t paddr;       /* 0: KERNEL_PADDR */
    uint64_t entry;       /* 0: the segment's start + 0x10 */
    uint16_t machine;     /* 0: x86-64 */
};

/* An ELF file of two segments; free() it. The first's bytes are kernel_byte(i). */
uint8_t *kernel_elf(const struct kernel_options *options, size_t *size);
uint8_t kernel_byte(size_t i);
#define KERNEL_TEXT 20000u /* bytes of the first segment in the file */
#define KERNEL_SIZE 40000u /* and in memory */
#define KERNEL_DATA 5000u  /* of the second, 0x10000 behind the first */

/* @data packed as Linux's build does it; free() it. */
uint8_t *kernel_pack(enum xc_packing packing, const uint8_t *data, size_t size, size_t *packed);

/* A bzImage around a packed payload (which @unpacked, as le32, then follows); free() it. */
uint8_t *kernel_bzimage(const uint8_t *payload, size_t size, uint32_t unpacked, bool gzip,
                        size_t *total);

/* Write a file and return its path in a static buffer. */
const char *kernel_file(const char *name, const uint8_t *data, size_t size);
/* A scratch folder of this process, removed by kernel_files_remove(). */
const char *kernel_folder(void);
void kernel_files_remove(void);

#endif /* HOSPES_TESTS_LIBXENCTRL_KERNEL_H */
