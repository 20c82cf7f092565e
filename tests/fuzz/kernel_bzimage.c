/*
 * kernel_bzimage.c: fuzzes the bzImage header, and what is found by it is unpacked.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/libxenctrl/kernel.h"

#define LIMIT (4u << 20)

static int count(void *context, const void *data, size_t size)
{
    uint64_t *total = context;

    *total += size;
    FUZZ_CHECK(*total <= LIMIT && size > 0 && ((const uint8_t *)data)[size - 1] <= 255);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[XC_WHY_SIZE] = "";
    struct xc_payload p;
    uint64_t total = 0;

    if (xc_bzimage_payload(data, size, &p, why) < 0) {
        FUZZ_CHECK(why[0] != '\0');
        return 0;
    }
    FUZZ_CHECK(p.offset <= size && p.size <= size - p.offset);
    if (xc_unpack(p.packing, data + p.offset, p.size, LIMIT, count, &total, why) < 0) {
        FUZZ_CHECK(why[0] != '\0');
    }
    return 0;
}

uint8_t *fuzz_seed(unsigned int i, size_t *size)
{
    static const enum xc_packing packings[] = {XC_GZIP, XC_XZ,    XC_LZMA, XC_ZSTD,
                                               XC_LZ4,  XC_PLAIN, XC_BZIP2};
    const struct kernel_options options = {0};
    uint8_t *elf, *packed, *image;
    size_t elf_size, packed_size;

    if (i >= ARRAY_SIZE(packings)) {
        return NULL;
    }
    elf = kernel_elf(&options, &elf_size);
    packed = kernel_pack(packings[i], elf, elf_size, &packed_size);
    image = kernel_bzimage(packed, packed_size, (uint32_t)elf_size, false, size);
    free(elf);
    free(packed);
    return image;
}
