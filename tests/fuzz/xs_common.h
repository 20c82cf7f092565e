/*
 * What the fuzz targets of the store share.
 *
 * Each target defines fuzz_seeds (a small corpus) and LLVMFuzzerTestOneInput. Linked with
 * xs_driver.c it is a program that mutates the corpus for a limited time and speaks TAP; compiled
 * with clang -fsanitize=fuzzer it is an ordinary libFuzzer target.
 */
#ifndef FUZZ_XS_COMMON_H
#define FUZZ_XS_COMMON_H

#include <stddef.h>
#include <stdint.h>

struct fuzz_seed {
    const void *data;
    size_t len;
};

extern const struct fuzz_seed fuzz_seeds[];
extern const size_t fuzz_seed_count;
extern const char fuzz_name[];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
