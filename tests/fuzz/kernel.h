/*
 * kernel.h: the fuzz targets for kernels.
 *
 * Each target is a file tests/fuzz/kernel_NAME.c with these two functions. kernel_main.c runs one
 * for some seconds with damaged seeds (`make test`); with clang it also links with libFuzzer
 * (`make fuzz-kernel`), which finds deeper things in longer time.
 */
#ifndef HOSPES_TESTS_FUZZ_KERNEL_H
#define HOSPES_TESTS_FUZZ_KERNEL_H

#include "tests/unit/libxenctrl/kernel.h"

/* Try one input. What it finds aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Seed number @i, which the caller frees; NULL: there are no more. */
uint8_t *fuzz_seed(unsigned int i, size_t *size);

#define FUZZ_CHECK(condition) \
    do {                      \
        if (!(condition)) {   \
            abort();          \
        }                     \
    } while (0)

#endif /* HOSPES_TESTS_FUZZ_KERNEL_H */
