/*
 * A boot module that is a Linux bzImage contains the real kernel, an ELF file, compressed: find it
 * and unpack it. Source: "The Linux/x86 Boot Protocol", fields payload_offset and payload_length.
 */
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <arch/cpu.h>
#include <arch/msr.h>
#include "dom0.h"

#define MAX_UNPACKED (1ul << 30)

#define BZ_SETUP_SECTS    0x1f1
#define BZ_HEADER_MAGIC   0x202 /* "HdrS" */
#define BZ_VERSION        0x206
#define BZ_PAYLOAD_OFFSET 0x248
#define BZ_PAYLOAD_LENGTH 0x24c
#define BZ_MIN_VERSION    0x208 /* the first with a payload */

static struct {
    const char *name;
    uint8_t magic[6];
    unsigned int magic_len;
    bool size_appended; /* the unpacked size follows the stream (otherwise it is part of it) */
    size_t (*run)(const void *in, size_t in_len, void *out, size_t out_len);
} formats[] __initdata = {
    {"gzip", {0x1f, 0x8b}, 2, false, decompress_gzip},
    {"xz", {0xfd, '7', 'z', 'X', 'Z', 0}, 6, true, decompress_xz},
    {"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, true, decompress_zstd},
    {"lz4", {0x02, 0x21, 0x4c, 0x18}, 4, true, decompress_lz4},
};

static uint32_t __init read_le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool __init is_elf(const uint8_t *p, size_t len)
{
    return len >= 4 && p[0] == 0x7f && p[1] == 'E' && p[2] == 'L' && p[3] == 'F';
}

static bool __init is_bzimage(const uint8_t *p, size_t len)
{
    return len > 0x250 && memcmp(p + BZ_HEADER_MAGIC, "HdrS", 4) == 0;
}

/*
 * The libraries are compiled as user code: they keep data below their stack pointer (red zone), so
 * no interrupt may come in between; and they read their stack protector's canary at %fs:0x28.
 */
static uint8_t libc_thread_area[64] __initdata;

static size_t __init run_decompressor(unsigned int f, const uint8_t *in, size_t in_len, void *out,
                                      size_t out_len)
{
    unsigned long flags = local_irq_save();
    size_t n;

    wrmsr(MSR_FS_BASE, (uint64_t)libc_thread_area);
    n = formats[f].run(in, in_len, out, out_len);
    wrmsr(MSR_FS_BASE, 0);
    local_irq_restore(flags);
    return n;
}

static const void *__init unpack_payload(const uint8_t *in, size_t len, size_t *elf_len,
                                         void **allocated)
{
    for (unsigned int f = 0; f < ARRAY_SIZE(formats); f++) {
        size_t size, got;

        if (len < 16 || memcmp(in, formats[f].magic, formats[f].magic_len) != 0) {
            continue;
        }
        size = read_le32(in + len - 4);
        if (size < 4096 || size > MAX_UNPACKED) {
            dom0_fail(
                "Domain 0's kernel claims to unpack to %zu bytes: the file is damaged, copy it "
                "again.",
                size);
        }
        *allocated = vzalloc(size);
        if (!*allocated) {
            dom0_fail(
                "Not enough memory to unpack Domain 0's kernel (%zu MB): give the machine more.",
                size >> 20);
        }
        got = run_decompressor(f, in, formats[f].size_appended ? len - 4 : len, *allocated, size);
        if (got != size) {
            dom0_fail(
                "Domain 0's kernel does not unpack (%s): the file is damaged or cut short, copy "
                "it again.",
                formats[f].name);
        }
        *elf_len = size;
        return *allocated;
    }
    dom0_fail(
        "Domain 0's kernel is compressed in a way that is not known here (it begins with %02x "
        "%02x %02x %02x): use one compressed with gzip, xz, zstd or lz4.",
        in[0], in[1], in[2], in[3]);
}

const void *__init unpack_kernel(const void *module, size_t len, size_t *elf_len, void **allocated)
{
    const uint8_t *p = module;
    size_t start, payload_len;

    *allocated = NULL;
    if (is_elf(p, len)) {
        *elf_len = len;
        return module;
    }
    if (!is_bzimage(p, len)) {
        dom0_fail(
            "The first boot module (%zu bytes) is neither a Linux bzImage nor an ELF file: name "
            "the kernel of Domain 0 first, the ramdisk second.",
            len);
    }
    if ((p[BZ_VERSION] | p[BZ_VERSION + 1] << 8) < BZ_MIN_VERSION) {
        dom0_fail("Domain 0's kernel is older than Linux 2.6.26: use a newer one.");
    }
    start = ((p[BZ_SETUP_SECTS] ? p[BZ_SETUP_SECTS] : 4u) + 1u) * 512u +
            read_le32(p + BZ_PAYLOAD_OFFSET);
    payload_len = read_le32(p + BZ_PAYLOAD_LENGTH);
    if (start > len || payload_len > len - start) {
        dom0_fail(
            "Domain 0's kernel is cut short (%zu bytes, at least %zu expected): copy it again.",
            len, start + payload_len);
    }
    if (is_elf(p + start, payload_len)) {
        *elf_len = payload_len;
        return p + start;
    }
    return unpack_payload(p + start, payload_len, elf_len, allocated);
}
