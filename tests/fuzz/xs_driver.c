/*
 * A fuzzer without instrumentation, for machines without libFuzzer: random mutations of the seeds,
 * and of the mutants that came of them, for $FUZZ_SECONDS (10 if not set). With a file as argument
 * it runs that file once. The random seed is printed; $FUZZ_SEED repeats a run.
 */
#include "tests/fuzz/xs_common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_LEN 16384u
#define POOL    256

static uint8_t pool[POOL][MAX_LEN];
static size_t pool_len[POOL];
static uint64_t state;

static uint32_t rnd(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static size_t mutate(uint8_t *p, size_t len)
{
    static const uint32_t odd[] = {0,          1,    0xff, 0x7fffffff, 0x80000000,
                                   0xffffffff, 4096, 4097, 1024};

    for (uint32_t n = 1 + rnd(6); n > 0; n--) {
        size_t at = len ? rnd((uint32_t)len) : 0;
        size_t run = 1 + rnd(32);

        switch (rnd(6)) {
        case 0:
            if (len) {
                p[at] ^= (uint8_t)(1u << rnd(8));
            }
            break;
        case 1:
            if (len) {
                p[at] = (uint8_t)rnd(256);
            }
            break;
        case 2:
            if (at + 4 <= len) {
                memcpy(p + at, &odd[rnd(sizeof(odd) / sizeof(odd[0]))], 4);
            }
            break;
        case 3: /* take out */
            run = run < len - at ? run : len - at;
            memmove(p + at, p + at + run, len - at - run);
            len -= run;
            break;
        case 4: /* double */
            if (len + run <= MAX_LEN && at + run <= len) {
                memmove(p + at + run, p + at, len - at);
                len += run;
            }
            break;
        default: { /* the end of another one */
            uint32_t other = rnd(POOL);
            size_t from = pool_len[other] ? rnd((uint32_t)pool_len[other]) : 0;
            size_t n_bytes = pool_len[other] - from;

            if (at + n_bytes <= MAX_LEN) {
                memcpy(p + at, pool[other] + from, n_bytes);
                len = at + n_bytes;
            }
            break;
        }
        }
    }
    return len;
}

static int run_file(const char *path)
{
    static uint8_t data[1 << 20];
    FILE *f = fopen(path, "rb");
    size_t len;

    if (!f) {
        perror(path);
        return 1;
    }
    len = fread(data, 1, sizeof(data), f);
    fclose(f);
    LLVMFuzzerTestOneInput(data, len);
    return 0;
}

int main(int argc, char **argv)
{
    const char *seconds = getenv("FUZZ_SECONDS"), *seed = getenv("FUZZ_SEED");
    time_t end = time(NULL) + (seconds ? atol(seconds) : 10);
    static uint8_t current[MAX_LEN];
    unsigned long runs = 0;

    if (argc > 1) {
        return run_file(argv[1]);
    }
    state = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    printf("1..1\n# seed %llu\n", (unsigned long long)state);
    fflush(stdout);
    for (size_t i = 0; i < POOL; i++) {
        const struct fuzz_seed *s = &fuzz_seeds[i % fuzz_seed_count];

        pool_len[i] = s->len;
        memcpy(pool[i], s->data, s->len);
        LLVMFuzzerTestOneInput(pool[i], pool_len[i]);
    }
    while (time(NULL) < end) {
        for (int i = 0; i < 200; i++) {
            uint32_t from = rnd(POOL);
            size_t len = pool_len[from];

            memcpy(current, pool[from], len);
            len = mutate(current, len);
            LLVMFuzzerTestOneInput(current, len);
            runs++;
            if (rnd(8) == 0) {
                memcpy(pool[from], current, len);
                pool_len[from] = len;
            } else if (rnd(64) == 0) {
                const struct fuzz_seed *s = &fuzz_seeds[rnd((uint32_t)fuzz_seed_count)];

                memcpy(pool[from], s->data, s->len);
                pool_len[from] = s->len;
            }
        }
    }
    printf("ok 1 - %s # %lu inputs\n", fuzz_name, runs);
    return 0;
}
