/*
 * What every fuzz target is made of: one file with these two functions. driver.c makes it a program
 * that damages the seeds for some seconds and speaks TAP (`make test`); `make fuzz` links the same
 * files with clang's libFuzzer, which finds deeper things in longer time.
 */
#ifndef HOSPES_TESTS_FUZZ_FUZZ_H
#define HOSPES_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Tries one input, which is memory of exactly its size. What it finds aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Seed number i, which the caller frees, and its size; NULL: there are no more. */
uint8_t *fuzz_seed(unsigned int i, size_t *size);

/* Words worth putting into inputs, up to a NULL; a target for text links words.c, others none. */
extern const char *const fuzz_words[] __attribute__((weak));

/* A sanitizer cannot know what must hold: the target says it with this. */
#define FUZZ_CHECK(condition) \
    do {                      \
        if (!(condition)) {   \
            abort();          \
        }                     \
    } while (0)

/* For seeds that are constants: an array of FUZZ_SEED(string literal), then FUZZ_SEEDS(array). */
struct fuzz_bytes {
    const char *data;
    size_t size;
};

#define FUZZ_SEED(s)     \
    {                    \
        s, sizeof(s) - 1 \
    }
#define FUZZ_SEEDS(array)                                                                         \
    uint8_t *fuzz_seed(unsigned int i, size_t *size)                                              \
    {                                                                                             \
        return i < sizeof(array) / sizeof((array)[0]) ? fuzz_seed_copy(&(array)[i], size) : NULL; \
    }

static inline uint8_t *fuzz_seed_copy(const struct fuzz_bytes *bytes, size_t *size)
{
    uint8_t *copy = malloc(bytes->size + 1);

    if (copy) {
        memcpy(copy, bytes->data, bytes->size);
        *size = bytes->size;
    }
    return copy;
}

#endif
