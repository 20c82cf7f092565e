/*
 * Runs a fuzz target for text without libFuzzer: cuts, repeats and mixes its seeds for some seconds
 * (FUZZ_SECONDS, otherwise 8) and says in TAP that nothing was found. FUZZ_START chooses other
 * random numbers. A sanitizer's complaint ends it; the input is then in build/fuzz-NAME.txt.
 */
#include "tests/fuzz/config_fuzz.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST 4096

static uint64_t state = 1;
static uint8_t *input;
static size_t input_size;

static size_t below(size_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n > 0 ? state % n : 0;
}

static void on_abort(int signal)
{
    int fd = open("build/fuzz-text.txt", O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd >= 0 && write(fd, input, input_size) >= 0) {
        close(fd);
    }
    _exit(1);
}

/* Put `n` bytes of `from` at a place of `data`, over or between what is there. */
static size_t insert(uint8_t *data, size_t size, const uint8_t *from, size_t n)
{
    size_t at = below(size + 1), cut = below(2) ? below(size - at + 1) : 0;

    n = n < MOST - (size - cut) ? n : MOST - (size - cut);
    memmove(data + at + n, data + at + cut, size - at - cut);
    memcpy(data + at, from, n);
    return size - cut + n;
}

static size_t damage(uint8_t *data, size_t size)
{
    static const char *const pieces[] = {
        "[",    "]",      "(",         ")",    "{",        "}",
        "'",    "\"",     "'''",       "\\",   ",",        "=",
        "+=",   "-",      "\n",        "#",    "0x",       "1e999",
        "None", "\\x",    "<",         ">",    "</value>", "<i8>",
        "&lt;", "&#0;",   "<![CDATA[", "null", ":",        "99999999999999999999",
        "\xff", "<array>"};
    const char *seed = fuzz_seeds[below(fuzz_seed_count)];
    size_t length = strlen(seed), from = below(length);

    switch (below(4)) {
    case 0:
        if (size > 0) {
            data[below(size)] = (uint8_t)below(256);
        }
        return size;
    case 1:
        seed = pieces[below(sizeof(pieces) / sizeof(pieces[0]))];
        return insert(data, size, (const uint8_t *)seed, strlen(seed));
    case 2:
        return insert(data, size, (const uint8_t *)seed + from, below(length - from + 1));
    default:
        return size > 1 ? insert(data, size, data, 0) : size;
    }
}

int main(void)
{
    const char *seconds = getenv("FUZZ_SECONDS"), *start = getenv("FUZZ_START");
    time_t end = time(NULL) + (seconds ? atoi(seconds) : 8);
    unsigned long tries = 0;
    uint8_t data[2 * MOST];

    state = start ? strtoull(start, NULL, 0) | 1 : 1;
    signal(SIGABRT, on_abort);
    while (time(NULL) < end) {
        const char *seed = fuzz_seeds[below(fuzz_seed_count)];
        size_t size = strlen(seed);

        memcpy(data, seed, size);
        for (size_t i = tries < fuzz_seed_count ? 0 : 1 + below(8); i > 0; i--) {
            size = damage(data, size);
        }
        input = malloc(size ? size : 1); /* of exactly its size: a byte too far is found */
        memcpy(input, data, size);
        input_size = size;
        LLVMFuzzerTestOneInput(input, size);
        free(input);
        tries++;
    }
    printf("1..1\nok 1 - %lu damaged texts\n", tries);
    return 0;
}
