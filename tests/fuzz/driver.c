/*
 * Runs a fuzz target without libFuzzer: damages its seeds, and what came of them before, for
 * $FUZZ_SECONDS (otherwise 8), looks for leaks, and says in TAP that nothing was found.
 *
 *   TARGET                 the same inputs each time, or others with FUZZ_SEED=number
 *   TARGET FILE...         only these inputs
 *   TARGET --seeds FOLDER  writes the seeds there, for libFuzzer
 *
 * What a run dies of is left in build/fuzz-TARGET.input.
 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <libgen.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define MOST (1u << 18) /* bytes of an input */
#define POOL 256u       /* inputs that new ones are made of */

struct input {
    uint8_t *data;
    size_t size;
};

static struct input seeds[POOL], pool[POOL];
static unsigned int nr_seeds;
static struct input current; /* what the target is trying */
static const char *name;
static uint64_t state;

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
static uint64_t odd_number(void)
{
    static const uint64_t numbers[] = {
        0,          1,          4,          0x7f,       0xff,       1024,       4095,
        4096,       4097,       0x7fff,     0xffff,     0x7fffffff, 0x80000000, 0xffffffff,
        1ull << 32, 1ull << 47, 1ull << 48, 1ull << 63, UINT64_MAX, ~4095ull,   0xffff800000000000};

    return numbers[below(sizeof(numbers) / sizeof(numbers[0]))] + (below(8) ? 0 : below(16));
}

/* Takes `cut` bytes out at a place of `in` and puts `n` bytes of `from` there. */
static void exchange(struct input *in, size_t at, size_t cut, const uint8_t *from, size_t n)
{
    uint8_t *copy;

    cut = cut < in->size - at ? cut : in->size - at;
    n = n < MOST - (in->size - cut) ? n : MOST - (in->size - cut);
    copy = malloc(n + 1); /* from may be a part of in */
    memcpy(copy, from, n);
    memmove(in->data + at + n, in->data + at + cut, in->size - at - cut);
    memcpy(in->data + at, copy, n);
    in->size += n - cut;
    free(copy);
}

/* The first bytes are headers more often than not, and are hit as often as all others. */
static size_t some_place(const struct input *in)
{
    return below(below(2) && in->size > 700 ? 700 : in->size);
}

static void overwrite(struct input *in)
{
    size_t n = (size_t)1 << below(4), at = some_place(in);
    uint64_t value = below(2) ? odd_number() : random64();

    at = below(2) ? at & ~(n - 1) : at;
    if (at + n <= in->size) {
        memcpy(in->data + at, &value, n);
    }
}

static void insert_word(struct input *in)
{
    size_t words = 0;

    while (fuzz_words && fuzz_words[words]) {
        words++;
    }
    if (words) {
        const char *word = fuzz_words[below(words)];

        exchange(in, below(in->size + 1), below(2) ? below(32) : 0, (const uint8_t *)word,
                 strlen(word));
    }
}

static void damage(struct input *in)
{
    const struct input *other = &pool[below(POOL)];
    size_t at = some_place(in), from = below(other->size), run = 1 + below(32);

    switch (below(8)) {
    case 0:
        if (in->size) {
            in->data[at] ^= (uint8_t)(1u << below(8));
        }
        break;
    case 1:
        in->size = below(8) ? in->size : at;
        break;
    case 2:
        exchange(in, at, run, in->data, 0);
        break;
    case 3: /* once more, here or elsewhere */
        run = run < in->size - at ? run : in->size - at;
        exchange(in, below(2) ? at : below(in->size + 1), 0, in->data + at, run);
        break;
    case 4: /* a part of another one, or its end */
        run = below(2) ? other->size - from : 1 + below(other->size - from);
        run = run < other->size - from ? run : other->size - from;
        exchange(in, at, below(2) ? run : in->size, other->data + from, run);
        break;
    case 5:
        insert_word(in);
        break;
    default:
        overwrite(in);
        break;
    }
}

/* The target is dying: keep what it dies of. */
static void keep_input(void)
{
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "build/fuzz-%s.input", name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd >= 0 && write(fd, current.data, current.size) >= 0) {
        (void)close(fd);
    }
}

static void on_abort(int signal_number)
{
    keep_input();
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

/* Tries a copy that ends where its memory does: a byte too far is found. */
static void try_one(const uint8_t *data, size_t size)
{
    current.data = malloc(size ? size : 1);
    current.size = size;
    memcpy(current.data, data, size);
    (void)LLVMFuzzerTestOneInput(current.data, size);
    free(current.data);
    current = (struct input){0};
}

static void replace(struct input *in, const uint8_t *data, size_t size)
{
    free(in->data);
    in->data = malloc(size + 1);
    in->size = size;
    memcpy(in->data, data, size);
}

static void try_some(unsigned int times)
{
    static uint8_t work[MOST];

    for (unsigned int i = 0; i < times; i++) {
        struct input *from = &pool[below(POOL)], in = {.data = work, .size = from->size};
        const struct input *seed = &seeds[below(nr_seeds)];

        memcpy(work, from->data, from->size);
        for (size_t n = 1 + below(8); n > 0; n--) {
            damage(&in);
        }
        try_one(in.data, in.size);
        if (below(8) == 0) {
            replace(from, in.data, in.size);
        } else if (below(4) == 0) { /* else the pool would be noise soon */
            replace(from, seed->data, seed->size);
        }
    }
}

static int try_file(const char *path)
{
    static uint8_t data[MOST];
    FILE *f = fopen(path, "rb");
    size_t size;

    if (!f) {
        perror(path);
        return 1;
    }
    size = fread(data, 1, sizeof(data), f);
    (void)fclose(f);
    try_one(data, size);
    return 0;
}

static int write_seeds(const char *folder)
{
    for (unsigned int i = 0; i < nr_seeds; i++) {
        char path[256];
        FILE *f;

        (void)snprintf(path, sizeof(path), "%s/seed-%u", folder, i);
        f = fopen(path, "wb");
        if (!f || fwrite(seeds[i].data, 1, seeds[i].size, f) != seeds[i].size || fclose(f) != 0) {
            perror(path);
            return 1;
        }
    }
    return 0;
}

static uint64_t from_environment(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    uint64_t value = text ? strtoull(text, NULL, 10) : 0;

    return value ? value : otherwise;
}

static int run(void)
{
    time_t end = time(NULL) + (time_t)from_environment("FUZZ_SECONDS", 8);
    unsigned long tried = 0;

    state = from_environment("FUZZ_SEED", 1);
    printf("1..1\n# FUZZ_SEED=%llu\n", (unsigned long long)state);
    (void)fflush(stdout);
    for (unsigned int i = 0; i < nr_seeds; i++) {
        try_one(seeds[i].data, seeds[i].size);
    }
    for (unsigned int i = 0; i < POOL; i++) {
        replace(&pool[i], seeds[i % nr_seeds].data, seeds[i % nr_seeds].size);
    }
    for (; time(NULL) < end; tried += 200) {
        try_some(200);
    }
    if (__lsan_do_recoverable_leak_check()) {
        printf("not ok 1 - %s leaks within %lu damaged inputs\n", name, tried);
        return 1;
    }
    printf("ok 1 - %s: %lu damaged inputs\n", name, tried);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0;

    name = basename(argv[0]);
    (void)signal(SIGABRT, on_abort);
    __sanitizer_set_death_callback(keep_input);
    while (nr_seeds < POOL &&
           (seeds[nr_seeds].data = fuzz_seed(nr_seeds, &seeds[nr_seeds].size)) != NULL) {
        nr_seeds++;
    }
    if (argc == 3 && strcmp(argv[1], "--seeds") == 0) {
        return write_seeds(argv[2]);
    }
    for (int i = 1; i < argc; i++) {
        failed |= try_file(argv[i]);
    }
    return argc > 1 ? failed : run();
}
