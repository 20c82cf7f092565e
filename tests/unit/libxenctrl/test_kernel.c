/*
 * test_kernel.c: the parsers of kernels on good and damaged files, the unpackers, the cache.
 *
 * What random damage does is tests/fuzz/kernel_*'s subject; here are the damages that have names.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/libxenctrl/kernel.h"
#include <xen/elfnote.h>

static char why[XC_WHY_SIZE];

static void test_parse(void **state)
{
    const struct kernel_options options = {0};
    struct xc_guest g;
    size_t size;
    uint8_t *elf = kernel_elf(&options, &size);

    assert_int_equal(xc_guest_parse(elf, size, &g, why), 0);
    assert_int_equal(g.virt_base, KERNEL_BASE);
    assert_int_equal(g.kstart, KERNEL_BASE + KERNEL_PADDR);
    assert_int_equal(g.kend, KERNEL_BASE + KERNEL_PADDR + 0x10000 + KERNEL_DATA);
    assert_int_equal(g.entry, KERNEL_BASE + KERNEL_PADDR + 0x10);
    assert_int_equal(g.notes.init_p2m, KERNEL_P2M);
    assert_true(g.notes.mod_start_pfn);
    assert_string_equal(g.notes.os, "linux");
    assert_int_equal(g.elf.nr_segments, 2);
    free(elf);
}

/* Cut off anywhere, a kernel is refused, or (behind its last segment) still whole. */
static void test_truncated(void **state)
{
    const struct kernel_options options = {0};
    size_t size;
    uint8_t *elf = kernel_elf(&options, &size);
    size_t whole = 0x1000 + KERNEL_TEXT + KERNEL_DATA;

    for (size_t n = 0; n < size; n += n < 1500 ? 1 : 97) {
        uint8_t *cut = malloc(n + 1); /* so that ASan sees a read beyond */
        struct xc_guest g;

        memcpy(cut, elf, n);
        cut = realloc(cut, n > 0 ? n : 1);
        why[0] = '\0';
        assert_int_equal(xc_guest_parse(cut, n, &g, why), n < whole ? -ENOEXEC : 0);
        assert_true(n >= whole || strlen(why) > 5);
        free(cut);
    }
    free(elf);
}

static void damage(size_t offset, const void *data, size_t size, const char *word)
{
    const struct kernel_options options = {0};
    struct xc_guest g;
    size_t total;
    uint8_t *elf = kernel_elf(&options, &total);

    memcpy(elf + offset, data, size);
    assert_int_equal(xc_guest_parse(elf, total, &g, why), -ENOEXEC);
    if (strstr(why, word) == NULL) {
        fail_msg("\"%s\" doesn't say \"%s\"", why, word);
    }
    free(elf);
}

#define PROGRAM(i, field) \
    (sizeof(Elf64_Ehdr) + (i) * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, field))

static void test_damaged(void **state)
{
    const uint64_t huge = UINT64_MAX - 10, large = 5ull << 30, zero = 0;
    const uint16_t many = 0xffff, relocatable = ET_REL;

    damage(0, "ELF?", 4, "neither a bzImage nor an ELF");
    damage(EI_DATA, "\x02", 1, "another kind of processor");
    damage(offsetof(Elf64_Ehdr, e_type), &relocatable, 2, "no program");
    damage(offsetof(Elf64_Ehdr, e_phoff), &huge, 8, "outside the file");
    damage(offsetof(Elf64_Ehdr, e_phnum), &many, 2, "");
    damage(offsetof(Elf64_Ehdr, e_phnum), &zero, 2, "nothing to load");
    damage(PROGRAM(0, p_offset), &huge, 8, "outside the file");
    damage(PROGRAM(0, p_filesz), &huge, 8, "outside the file");
    damage(PROGRAM(0, p_paddr), &huge, 8, "doesn't fit in memory");
    damage(PROGRAM(0, p_memsz), &large, 8, "doesn't fit in memory");
    damage(PROGRAM(1, p_paddr), &large, 8, "too far apart");
}

static void test_notes(void **state)
{
    struct xc_guest_notes n = {.virt_base = XC_UNSET};
    unsigned int budget = 3;
    uint8_t block[64] = {4, 0, 0, 0, 8, 0, 0, 0, XEN_ELFNOTE_VIRT_BASE, 0, 0, 0, 'X', 'e', 'n', 0,
                         1, 2, 3, 4, 5, 6, 7, 8};

    xc_notes_block(block, 24, &budget, &n);
    assert_true(n.found);
    assert_int_equal(n.virt_base, 0x0807060504030201);
    n = (struct xc_guest_notes){.virt_base = XC_UNSET};
    budget = 3;
    xc_notes_block(block, 23, &budget, &n); /* its data is cut off */
    assert_false(n.found);
    block[15] = 'X'; /* another owner */
    xc_notes_block(block, 24, &budget, &n);
    assert_false(n.found);
    block[15] = 0;
    memset(block, 0xff, 8); /* sizes that wrap */
    xc_notes_block(block, sizeof(block), &budget, &n);
    assert_false(n.found);
    budget = 2;
    memset(block, 0, sizeof(block));
    xc_notes_block(block, sizeof(block), &budget, &n);
    assert_int_equal(budget, 0); /* and there it stops */
}

static void test_legacy_text(void **state)
{
    struct xc_guest_notes n = {.virt_base = XC_UNSET, .hypercall_page = XC_UNSET};
    const char *text = "GUEST_OS=linux,VIRT_BASE=0x100000,HYPERCALL_PAGE=0x2,XEN_VER=xen-3.0,"
                       "FEATURES=writable_page_tables|!pae_pgdir_above_4gb,BSD_SYMTAB,,=,X=";

    xc_notes_legacy(text, strlen(text) + 1, &n);
    assert_string_equal(n.os, "linux");
    assert_int_equal(n.virt_base, 0x100000);
    assert_int_equal(n.hypercall_page, 0x102000);
    assert_int_equal(n.features, 0x11);
    assert_int_equal(n.required, 0x10);
    assert_true(n.bsd_symtab);
    xc_notes_legacy("GUEST_OS=a", 10, &n); /* no end */
    assert_string_equal(n.os, "a");
}

struct output {
    uint8_t *data;
    size_t size;
    int rc;
};

static int collect(void *context, const void *data, size_t size)
{
    struct output *o = context;

    o->data = realloc(o->data, o->size + size);
    memcpy(o->data + o->size, data, size);
    o->size += size;
    return o->rc;
}

static const enum xc_packing packings[] = {XC_GZIP, XC_XZ, XC_LZMA, XC_ZSTD, XC_LZ4, XC_PLAIN};

/* 3 MiB that compress, but not to nothing. */
static uint8_t *make_data(size_t *size)
{
    uint8_t *data;

    *size = 3 << 20;
    data = malloc(*size);
    for (size_t i = 0; i < *size; i++) {
        data[i] = (uint8_t)(i % 251 ^ (i >> 13));
    }
    return data;
}

static void test_unpack(void **state)
{
    size_t size, packed;
    uint8_t *data = make_data(&size);

    for (size_t i = 0; i < ARRAY_SIZE(packings); i++) {
        uint8_t *p = kernel_pack(packings[i], data, size, &packed);
        struct output o = {0};

        assert_int_equal(xc_packing_of(p, packed), packings[i]);
        assert_int_equal(xc_unpack(packings[i], p, packed, size, collect, &o, why), 0);
        assert_int_equal(o.size, size);
        assert_memory_equal(o.data, data, size);
        o.size = 0;
        assert_int_equal(xc_unpack(packings[i], p, packed, size - 1, collect, &o, why), -EFBIG);
        assert_true(o.size < size);
        o.size = 0;
        o.rc = -ECANCELED;
        assert_int_equal(xc_unpack(packings[i], p, packed, size, collect, &o, why), -ECANCELED);
        free(o.data);
        free(p);
    }
    free(data);
}

static void test_unpack_damaged(void **state)
{
    size_t size, packed;
    uint8_t *data = make_data(&size);

    for (size_t i = 0; i < ARRAY_SIZE(packings) - 1; i++) {
        uint8_t *p = kernel_pack(packings[i], data, size, &packed);

        for (size_t n = packed - 1; n > 0; n = n * 3 / 4) {
            struct output o = {0};
            uint8_t *cut = malloc(n);

            memcpy(cut, p, n);
            assert_int_equal(xc_unpack(packings[i], cut, n, size, collect, &o, why), -ENOEXEC);
            assert_non_null(strstr(why, xc_packing_name(packings[i])));
            free(cut);
            free(o.data);
        }
        free(p);
    }
    assert_int_equal(xc_unpack(XC_BZIP2, data, 10, 10, collect, NULL, why), -ENOEXEC);
    assert_non_null(strstr(why, "bzip2"));
    assert_int_equal(xc_unpack(XC_LZO, data, 10, 10, collect, NULL, why), -ENOEXEC);
    free(data);
}

static void test_bzimage(void **state)
{
    struct xc_payload p;
    uint8_t payload[64] = {0x1f, 0x8b};
    size_t total;
    uint8_t *image = kernel_bzimage(payload, sizeof(payload), 1000, false, &total);

    assert_int_equal(xc_bzimage_payload(image, total, &p, why), 0);
    assert_int_equal(p.packing, XC_GZIP);
    assert_int_equal(p.offset, 0x700);
    assert_int_equal(p.size, 68);
    assert_int_equal(p.unpacked, 1000);
    assert_int_equal(xc_bzimage_payload(image, 0x24f, &p, why), -ENOEXEC);
    assert_int_equal(xc_bzimage_payload(image, 0x700 + 67, &p, why), -ENOEXEC);
    assert_non_null(strstr(why, "truncated"));
    memset(image + 0x248, 0xff, 8);
    assert_int_equal(xc_bzimage_payload(image, total, &p, why), -ENOEXEC);
    image[0x207] = 1;
    assert_int_equal(xc_bzimage_payload(image, total, &p, why), -ENOEXEC);
    assert_non_null(strstr(why, "2.6.24"));
    free(image);
}

/* A bzImage of each packing, through the whole of image.c; the second time from the cache. */
static void test_images(void **state)
{
    const struct kernel_options options = {0};
    const struct xc_progress silent = {NULL, NULL};
    size_t size, packed, total;
    uint8_t *elf = kernel_elf(&options, &size);
    char cache[128];

    (void)snprintf(cache, sizeof(cache), "%s/images", kernel_folder());
    for (size_t i = 0; i < ARRAY_SIZE(packings); i++) {
        uint8_t *payload = kernel_pack(packings[i], elf, size, &packed);
        bool sizeless = packings[i] == XC_GZIP || packings[i] == XC_PLAIN;
        uint8_t *file = kernel_bzimage(payload, packed, (uint32_t)size, sizeless, &total);
        char name[16];
        const char *path;

        (void)snprintf(name, sizeof(name), "image%zu", i);
        path = kernel_file(name, file, total);
        for (int again = 0; again < 2; again++) {
            struct xc_image image;

            assert_int_equal(xc_image_open(NULL, path, cache, &silent, &image), 0);
            assert_int_equal(image.cached, again);
            assert_int_equal(image.size, size);
            assert_memory_equal(image.data, elf, size);
            assert_int_equal(strncmp(image.format, "bzImage (", 9), 0);
            xc_image_close(&image);
        }
        free(payload);
        free(file);
    }
    free(elf);
}

static bool is_cached(const char *path, const char *cache)
{
    const struct xc_progress silent = {NULL, NULL};
    struct xc_image image;
    bool cached;

    assert_int_equal(xc_image_open(NULL, path, cache, &silent, &image), 0);
    cached = image.cached;
    xc_image_close(&image);
    return cached;
}

static int run(const char *format, const char *dir)
{
    char command[512];

    (void)snprintf(command, sizeof(command), format, dir, dir);
    return system(command);
}

/* The cache: entries that were damaged, a folder that others may write, a kernel that changed. */
static void test_cache(void **state)
{
    const struct kernel_options options = {0};
    size_t size, packed;
    uint8_t *elf = kernel_elf(&options, &size);
    uint8_t *gzip = kernel_pack(XC_GZIP, elf, size, &packed);
    char cache[128], path[128];

    (void)snprintf(cache, sizeof(cache), "%s/c", kernel_folder());
    (void)snprintf(path, sizeof(path), "%s", kernel_file("vmlinux.gz", gzip, packed));
    assert_false(is_cached(path, cache));
    assert_true(is_cached(path, cache));
    assert_int_equal(run("truncate -s -5 %s/k-*", cache), 0); /* as a full disk would leave it */
    assert_false(is_cached(path, cache));
    assert_true(is_cached(path, cache));
    assert_int_equal(run("for f in %s/k-*; do : > $f; done", cache), 0);
    assert_false(is_cached(path, cache));
    assert_int_equal(chmod(cache, 0777), 0);
    assert_false(is_cached(path, cache)); /* not trusted */
    assert_int_equal(chmod(cache, 0700), 0);
    assert_true(is_cached(path, cache));
    (void)kernel_file("vmlinux.gz", gzip, packed); /* written anew */
    assert_false(is_cached(path, cache));
    assert_false(is_cached(path, "/proc/nowhere")); /* no cache to be had */
    assert_int_equal(run("test -z \"$(ls %s | grep ^t-)\"", cache), 0);
    free(gzip);
    free(elf);
}

/* What goes on while a kernel is being unpacked. */
struct meanwhile {
    char cache[128], plain[128], packed[128], same[128];
    pthread_t thread;
    bool begun, cached, was_cached;
};

static void *open_same(void *context)
{
    struct meanwhile *m = context;

    m->cached = is_cached(m->same, m->cache);
    return NULL;
}

static bool in_the_middle(void *context, enum xc_build_step step, uint64_t done, uint64_t total)
{
    struct meanwhile *m = context;

    if (!m->begun) {
        m->begun = true;
        m->was_cached = is_cached(m->plain, m->cache) || is_cached(m->packed, m->cache);
        assert_int_equal(pthread_create(&m->thread, NULL, open_same, m), 0);
        usleep(100000); /* it has time to begin the work a second time, if it would */
    }
    return true;
}

/* Nobody waits for a kernel that is not the own; who wants the same one gets it when it is done. */
static void test_cache_shared(void **state)
{
    const struct kernel_options options = {0};
    struct meanwhile m = {.begun = false};
    size_t size, packed;
    uint8_t *elf = kernel_elf(&options, &size);
    uint8_t *gzip = kernel_pack(XC_GZIP, elf, size, &packed);
    time_t start = time(NULL);

    (void)snprintf(m.cache, sizeof(m.cache), "%s/s", kernel_folder());
    (void)snprintf(m.plain, sizeof(m.plain), "%s", kernel_file("plain", elf, size));
    (void)snprintf(m.packed, sizeof(m.packed), "%s", kernel_file("packed", gzip, packed));
    (void)snprintf(m.same, sizeof(m.same), "%s", kernel_file("same", gzip, packed));
    assert_int_equal(xc_kernel_prepare(m.same, m.cache, in_the_middle, &m), 0);
    assert_true(m.begun);
    assert_int_equal(pthread_join(m.thread, NULL), 0);
    assert_false(m.was_cached);
    assert_true(m.cached);
    assert_true(is_cached(m.packed, m.cache));
    assert_in_range(time(NULL) - start, 0, 20);
    assert_int_equal(run("test $(ls %s | wc -l) -eq 2", m.cache), 0);
    free(gzip);
    free(elf);
}

static void test_cache_prunes(void **state)
{
    const struct kernel_options options = {0};
    size_t size, packed;
    uint8_t *elf = kernel_elf(&options, &size);
    uint8_t *gzip = kernel_pack(XC_GZIP, elf, size, &packed);
    char cache[128], name[32], path[128];

    (void)snprintf(cache, sizeof(cache), "%s/p", kernel_folder());
    for (int i = 0; i < 12; i++) {
        (void)snprintf(name, sizeof(name), "prune%d", i);
        (void)snprintf(path, sizeof(path), "%s", kernel_file(name, gzip, packed));
        assert_false(is_cached(path, cache));
    }
    assert_int_equal(run("test $(ls %s | wc -l) -eq 8", cache), 0);
    assert_true(is_cached(path, cache));
    free(gzip);
    free(elf);
}

static void test_probe(void **state)
{
    const struct kernel_options good = {0}, bad = {.no_notes = true};
    struct xc_kernel_info info;
    size_t size;
    uint8_t *elf = kernel_elf(&good, &size);

    assert_int_equal(xc_kernel_probe(NULL, kernel_file("k", elf, size), "", &info), 0);
    assert_true(info.pv64);
    assert_string_equal(info.guest_os, "linux");
    assert_string_equal(info.format, "ELF");
    assert_int_equal(info.unpacked_bytes, size);
    assert_in_range(info.min_memory_kib, 16384, 32768);
    free(elf);
    elf = kernel_elf(&bad, &size);
    assert_int_equal(xc_kernel_probe(NULL, kernel_file("k", elf, size), "", &info), 0);
    assert_false(info.pv64);
    assert_non_null(strstr(info.why_not_pv, "CONFIG_XEN_PV"));
    free(elf);
    assert_int_equal(xc_kernel_probe(NULL, "/dev/zero", "", &info), -ENOEXEC);
    assert_int_equal(xc_kernel_probe(NULL, "/nowhere", "", &info), -ENOENT);
}

/* Layouts over the whole range of sizes: areas apart, all inside, exactly enough is enough. */
static void test_layout(void **state)
{
    const struct kernel_options options = {0};
    struct xc_guest g;
    size_t size;
    uint8_t *elf = kernel_elf(&options, &size);

    assert_int_equal(xc_guest_parse(elf, size, &g, why), 0);
    for (uint64_t pages = 7000; pages < 1ull << 28; pages = pages * 5 / 3) {
        struct xc_layout l;

        assert_int_equal(xc_layout_plan(&g, pages, 5 << 20, &l, why), 0);
        assert_true(l.end <= pages);
        assert_int_equal(l.kernel.pfn, KERNEL_PADDR >> 12);
        assert_int_equal(l.start_info.pfn, l.kernel.pfn + l.kernel.pages);
        assert_int_equal(l.tables.pfn, l.console.pfn + 1);
        assert_int_equal(l.stack.pfn, l.tables.pfn + l.tables.pages);
        assert_true(l.mapped - l.stack.pfn > 128);
        assert_int_equal(l.ramdisk.pfn, l.mapped);
        assert_int_equal(l.p2m.pfn, l.ramdisk.pfn + 1280);
        assert_int_equal(l.p2m_list, (pages + 511) / 512);
        assert_int_equal(l.end, l.p2m.pfn + l.p2m.pages);
        assert_int_equal(l.page_tables[0].level, 4);
        assert_int_equal(l.page_tables[0].pfn, l.tables.pfn);
        assert_int_equal(l.nr_page_tables, l.tables.pages + l.p2m.pages - l.p2m_list);
        if (l.end > 5000) {
            struct xc_layout less;

            assert_int_equal(xc_layout_plan(&g, 5000, 5 << 20, &less, why), -ENOMEM);
            assert_non_null(strstr(why, "at least"));
            xc_layout_finish(&less);
        }
        xc_layout_finish(&l);
    }
    free(elf);
}

static int remove_files(void **state)
{
    kernel_files_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),          cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_damaged),        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_legacy_text),    cmocka_unit_test(test_unpack),
        cmocka_unit_test(test_unpack_damaged), cmocka_unit_test(test_bzimage),
        cmocka_unit_test(test_images),         cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cache_shared),   cmocka_unit_test(test_cache_prunes),
        cmocka_unit_test(test_probe),          cmocka_unit_test(test_layout),
    };

    return cmocka_run_group_tests_name("libxenctrl/kernel", tests, NULL, remove_files);
}
