/*
 * kernel_main.c: runs a fuzz target without libFuzzer: damages its seeds at random for some seconds
 * (FUZZ_SECONDS, otherwise 8) and tells in TAP that nothing was found. The start of the random
 * numbers is FUZZ_START or 1, so that a run can be repeated; before an input is tried it is in
 * memory of exactly its size, and if the program dies it is left in build/fuzz-kernel.bin.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/fuzz/kernel.h"

#define MOST_SEEDS 16

static uint64_t state = 1;
static uint8_t *input;
static size_t input_size;

static uint64_t random64(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static size_t below(size_t n)
{
    return n > 0 ? random64() % n : 0;
}

/* Numbers that break sums. */
static uint64_t interesting(void)
{
    static const uint64_t numbers[] = {0,
                                       1,
                                       0x7f,
                                       0xff,
                                       0x7fff,
                                       0xffff,
                                       0x7fffffff,
                                       0x80000000,
                                       0xffffffff,
                                       1ull << 32,
                                       1ull << 47,
                                       1ull << 48,
                                       1ull << 63,
                                       UINT64_MAX,
                                       4096,
                                       UINT64_MAX - 4095,
                                       0xffff800000000000,
                                       0x1000};

    return numbers[below(ARRAY_SIZE(numbers))] + (random64() % 8 == 0 ? below(16) : 0);
}

static void damage_once(uint8_t *data, size_t *size)
{
    size_t at = below(random64() % 2 ? *size : *size < 700 ? *size : 700);
    uint64_t value = random64() % 2 ? interesting() : random64();
    size_t n = (size_t)1 << below(4);

    switch (random64() % 8) {
    case 0:
        data[at] ^= (uint8_t)(1 << below(8));
        break;
    case 1:
        data[at] = (uint8_t)value;
        break;
    case 2:
        *size = below(8) == 0 ? at : *size;
        break;
    case 3:
        if (*size > 64) {
            memmove(data + below(*size - 32), data + below(*size - 32), 32);
        }
        break;
    default:
        at &= ~(n - 1);
        if (at + n <= *size) {
            memcpy(data + at, &value, n);
        }
        break;
    }
}

/* The program dies: keep what it died of. */
static void keep_input(int signal_number)
{
    int fd = open("build/fuzz-kernel.bin", O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd >= 0 && write(fd, input, input_size) >= 0) {
        (void)close(fd);
    }
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

static void try_one(const uint8_t *seed, size_t size)
{
    uint8_t *copy = malloc(size + 1), *exact;
    size_t times = 1 + below(8);

    memcpy(copy, seed, size);
    for (size_t i = 0; i < times && size > 0; i++) {
        damage_once(copy, &size);
    }
    exact = malloc(size > 0 ? size : 1);
    memcpy(exact, copy, size);
    free(copy);
    input = exact;
    input_size = size;
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

/* Write the seeds to a folder, for libFuzzer. */
static int write_seeds(const char *folder, uint8_t **seeds, const size_t *sizes, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        char path[256];
        FILE *f;

        (void)snprintf(path, sizeof(path), "%s/seed-%u", folder, i);
        f = fopen(path, "w");
        if (f == NULL || fwrite(seeds[i], 1, sizes[i], f) != sizes[i] || fclose(f) != 0) {
            perror(path);
            return 1;
        }
        free(seeds[i]);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *seconds = getenv("FUZZ_SECONDS"), *start = getenv("FUZZ_START");
    time_t end = time(NULL) + (seconds != NULL ? atoi(seconds) : 8);
    uint8_t *seeds[MOST_SEEDS];
    size_t sizes[MOST_SEEDS];
    unsigned int n = 0;
    uint64_t tried = 0;

    state = start != NULL && strtoull(start, NULL, 10) != 0 ? strtoull(start, NULL, 10) : 1;
    (void)signal(SIGABRT, keep_input);
    while (n < MOST_SEEDS && (seeds[n] = fuzz_seed(n, &sizes[n])) != NULL) {
        (void)LLVMFuzzerTestOneInput(seeds[n], sizes[n]);
        n++;
    }
    if (argc == 3 && strcmp(argv[1], "--seeds") == 0) {
        return write_seeds(argv[2], seeds, sizes, n);
    }
    printf("TAP version 13\n1..1\n");
    (void)fflush(stdout);
    while (time(NULL) < end) {
        for (int i = 0; i < 100; i++, tried++) {
            size_t which = below(n);

            try_one(seeds[which], sizes[which]);
        }
    }
    for (unsigned int i = 0; i < n; i++) {
        free(seeds[i]);
    }
    printf("ok 1 - %s: %llu damaged inputs\n", argv[0], (unsigned long long)tried);
    return 0;
}
