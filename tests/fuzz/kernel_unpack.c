/*
 * kernel_unpack.c: fuzzes each unpacker: the first byte chooses it, the rest is its input.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/libxenctrl/kernel.h"

#define LIMIT (4u << 20)

static const enum xc_packing packings[] = {XC_GZIP, XC_XZ, XC_LZMA, XC_ZSTD, XC_LZ4};

static int count(void *context, const void *data, size_t size)
{
    uint64_t *total = context;

    *total += size;
    FUZZ_CHECK(*total <= LIMIT);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[XC_WHY_SIZE] = "";
    uint64_t total = 0;

    if (size > 0 && xc_unpack(packings[data[0] % ARRAY_SIZE(packings)], data + 1, size - 1, LIMIT,
                              count, &total, why) < 0) {
        FUZZ_CHECK(why[0] != '\0');
    }
    return 0;
}

uint8_t *fuzz_seed(unsigned int i, size_t *size)
{
    uint8_t *data, *packed;
    size_t packed_size;

    if (i >= ARRAY_SIZE(packings)) {
        return NULL;
    }
    data = malloc(3000);
    for (size_t k = 0; k < 3000; k++) {
        data[k] = (uint8_t)(k % 97 ^ k >> 7);
    }
    packed = kernel_pack(packings[i], data, 3000, &packed_size);
    free(data);
    packed = realloc(packed, packed_size + 1);
    memmove(packed + 1, packed, packed_size);
    packed[0] = (uint8_t)i;
    *size = packed_size + 1;
    return packed;
}
