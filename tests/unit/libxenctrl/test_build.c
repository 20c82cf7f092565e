/*
 * test_build.c: builds whole guests on the fake machine and looks at them as their virtual CPU
 * would: through the page tables, from the registers on. Then makes every single system call of a
 * build fail in turn, and cancels it at every word of progress: nothing may be left behind.
 *
 * A failure here means that a guest would start wrongly, or that a failed creation leaks.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/libxenctrl/fake.h"
#include "tests/unit/libxenctrl/kernel.h"
#include <xen/grant_table.h>

#define MEMORY_PAGES 6144u /* 24 MiB: 12 superpages */
#define RAMDISK_SIZE 10000u

static char ramdisk_path[128], kernel_path[128];

static void make_files(const struct kernel_options *options)
{
    uint8_t ramdisk[RAMDISK_SIZE];
    size_t size;
    uint8_t *elf = kernel_elf(options, &size);

    (void)snprintf(kernel_path, sizeof(kernel_path), "%s", kernel_file("kernel", elf, size));
    free(elf);
    for (size_t i = 0; i < sizeof(ramdisk); i++) {
        ramdisk[i] = (uint8_t)(i % 251);
    }
    (void)snprintf(ramdisk_path, sizeof(ramdisk_path), "%s",
                   kernel_file("ramdisk", ramdisk, sizeof(ramdisk)));
}

static struct xc_build_config config(void)
{
    struct xc_build_config c;

    xc_build_config_init(&c);
    c.kernel = kernel_path;
    c.ramdisk = ramdisk_path;
    c.cmdline = "root=/dev/xvda ro";
    c.cache_dir = "";
    c.memory_kib = MEMORY_PAGES * 4;
    c.maxmem_kib = 32 * 1024;
    c.domain.max_vcpus = 3;
    memset(c.domain.uuid, 0xab, sizeof(c.domain.uuid));
    return c;
}

/* Follow the guest's page tables. Returns the entry of level 1, 0: not mapped. */
static uint64_t walk(const struct fake_domain *d, uint64_t vaddr)
{
    uint64_t entry = d->context.ctrlreg[3];

    for (int level = 4; level >= 1; level--) {
        const uint64_t *table = fake_frame(entry >> 12 & 0xffffffffff);

        entry = table[vaddr >> (12 + 9 * (level - 1)) & 511];
        if (!(entry & 1)) {
            return 0;
        }
        assert_int_equal(fake.owner[entry >> 12 & 0xffffffffff], 1);
    }
    return entry;
}

/* What the guest sees at an address; it must be mapped. */
static const uint8_t *see(const struct fake_domain *d, uint64_t vaddr)
{
    uint64_t entry = walk(d, vaddr);

    assert_true(entry & 1);
    return (const uint8_t *)fake_frame(entry >> 12 & 0xffffffffff) + vaddr % 4096;
}

static const struct start_info *start_info_of(const struct fake_domain *d)
{
    return (const void *)see(d, d->context.user_regs.rsi);
}

static void check_kernel(const struct fake_domain *d, uint64_t at)
{
    for (size_t i = 0; i < KERNEL_SIZE; i++) {
        uint8_t expected = i < KERNEL_TEXT ? kernel_byte(i) : 0;

        if (*see(d, at + i) != expected) {
            fail_msg("byte %zu of the kernel is wrong", i);
        }
    }
    for (size_t i = 0; i < KERNEL_DATA; i++) {
        assert_int_equal(*see(d, at + 0x10000 + i), kernel_byte(KERNEL_TEXT + i));
    }
}

/* The list of frames as the guest finds it: all its frames, each once, then "none". */
static uint64_t *check_p2m(const struct fake_domain *d, const struct start_info *s)
{
    uint64_t *p2m = calloc(s->nr_pages, sizeof(*p2m));
    uint8_t *seen = calloc(FAKE_FRAMES, 1);

    assert_int_equal(s->nr_pages, MEMORY_PAGES);
    for (uint64_t i = 0; i < s->nr_pages; i++) {
        p2m[i] = *(const uint64_t *)(const void *)see(d, s->mfn_list + i * 8);
        assert_in_range(p2m[i], 0, FAKE_FRAMES - 1);
        assert_int_equal(fake.owner[p2m[i]], 1);
        assert_int_equal(seen[p2m[i]]++, 0);
    }
    free(seen);
    return p2m;
}

static void check_ramdisk(const struct fake_domain *d, const struct start_info *s,
                          const uint64_t *p2m)
{
    assert_int_equal(s->mod_len, RAMDISK_SIZE);
    for (size_t i = 0; i < RAMDISK_SIZE; i++) {
        const uint8_t *p;

        if (s->flags & SIF_MOD_START_PFN) {
            p = (const uint8_t *)fake_frame(p2m[s->mod_start + i / 4096]) + i % 4096;
        } else {
            p = see(d, s->mod_start + i);
        }
        assert_int_equal(*p, i % 251);
    }
}

/* Mark the frames of @mfn's table and of those below it. */
static void mark_tables(uint64_t mfn, int level, uint8_t *is_table)
{
    const uint64_t *table = fake_frame(mfn);

    is_table[mfn] = 1;
    for (int i = 0; level > 1 && i < 512; i++) {
        if (table[i] & 1) {
            mark_tables(table[i] >> 12 & 0xffffffffff, level - 1, is_table);
        }
    }
}

/*
 * The mapping from the virtual base on: consecutive frames, none missing, a multiple of 4 MiB, 512
 * KiB behind the stack; no table writable, everything else writable; nothing mapped behind it.
 */
static void check_mapping(const struct fake_domain *d, const uint64_t *p2m)
{
    uint8_t *is_table = calloc(FAKE_FRAMES, 1);
    uint64_t va = KERNEL_BASE, pfn = 0;

    mark_tables(d->pinned, 4, is_table);
    for (uint64_t entry; (entry = walk(d, va)) != 0; va += 4096, pfn++) {
        uint64_t mfn = entry >> 12 & 0xffffffffff;

        assert_int_equal(mfn, p2m[pfn]);
        assert_int_equal((entry & 2) != 0, !is_table[mfn]);
    }
    assert_int_equal(va % (4 << 20), 0);
    assert_true(va - d->context.user_regs.rsp >= 512 * 1024);
    free(is_table);
}

static void check_start(const struct fake_domain *d, const struct xc_build_result *r,
                        const uint64_t *p2m)
{
    const struct start_info *s = start_info_of(d);
    const struct vcpu_guest_context *c = &d->context;
    const struct shared_info *shared = fake_frame(d->shared_info);
    const struct grant_entry_v1 *grants = fake_frame(d->grant_table);

    assert_string_equal(s->magic, "xen-3.0-x86_64");
    assert_string_equal((const char *)s->cmd_line, "root=/dev/xvda ro");
    assert_int_equal(s->shared_info, d->shared_info << 12);
    assert_int_equal(s->store_mfn, r->xenstore_mfn);
    assert_int_equal(s->store_evtchn, r->xenstore_port);
    assert_int_equal(s->console.domU.mfn, r->console_mfn);
    assert_int_equal(s->console.domU.evtchn, r->console_port);
    assert_true(s->flags & SIF_VIRT_P2M_4TOOLS);
    assert_int_equal(c->ctrlreg[3] >> 12, d->pinned);
    assert_int_equal(walk(d, s->pt_base) >> 12 & 0xffffffffff, d->pinned);
    assert_int_equal(c->user_regs.cs, FLAT_KERNEL_CS);
    assert_int_equal(c->flags, VGCF_in_kernel | VGCF_online);
    assert_int_equal(c->user_regs.rsi % 4096, 0);
    assert_int_equal(c->user_regs.rsp % 4096, 0);
    assert_true(walk(d, c->user_regs.rsp - 8) & 2);
    for (int i = 0; i < 32; i++) {
        assert_int_equal(shared->vcpu_info[i].evtchn_upcall_mask, 1);
    }
    assert_int_equal(grants[XC_GRANT_CONSOLE].frame, r->console_mfn);
    assert_int_equal(grants[XC_GRANT_CONSOLE].flags, GTF_permit_access);
    assert_int_equal(grants[XC_GRANT_CONSOLE].domid, 0);
    assert_int_equal(grants[XC_GRANT_XENSTORE].frame, r->xenstore_mfn);
    for (int i = 0; i < 4096; i++) {
        assert_int_equal(((const uint8_t *)fake_frame(r->xenstore_mfn))[i], 0);
        assert_int_equal(((const uint8_t *)fake_frame(r->console_mfn))[i], 0);
    }
    (void)p2m;
}

static void check_domain(const struct fake_domain *d, const struct xc_build_result *r)
{
    assert_int_equal(r->domid, 1);
    assert_int_equal(r->nr_pages, MEMORY_PAGES);
    assert_true(d->paused);
    assert_true(d->has_context);
    assert_int_equal(d->vcpus, 3);
    assert_int_equal(d->tot_pages, MEMORY_PAGES);
    assert_int_equal(d->claimed, 0);
    assert_int_equal(d->max_mem_kib, 32 * 1024 + 1024);
    assert_int_equal(d->map_bytes, 32 << 20);
    assert_int_equal(d->nr_leaves, 3);
    assert_int_equal(d->create.max_evtchn_port, 1023);
    assert_int_equal(d->create.max_grant_frames, -1);
    assert_int_equal(d->create.handle[15], 0xab);
    assert_int_equal(d->ports, 2);
}

/* Build one and check everything. */
static void build_and_check(const struct kernel_options *options)
{
    struct xc_build_config c;
    struct xc_build_result r;
    struct xc_handle *h = fake_open();
    uint64_t *p2m;

    make_files(options);
    c = config();
    if (xc_build_pv(h, &c, &r) < 0) {
        fail_msg("%s", xc_error(h));
    }
    check_domain(&fake.domains[1], &r);
    p2m = check_p2m(&fake.domains[1], start_info_of(&fake.domains[1]));
    check_kernel(&fake.domains[1], KERNEL_BASE + (options->paddr ? options->paddr : KERNEL_PADDR));
    check_ramdisk(&fake.domains[1], start_info_of(&fake.domains[1]), p2m);
    check_mapping(&fake.domains[1], p2m);
    check_start(&fake.domains[1], &r, p2m);
    assert_int_equal(fake.domains[1].hypercall_page,
                     p2m[((options->paddr ? options->paddr : KERNEL_PADDR) + 0x2000) >> 12]);
    free(p2m);
    assert_int_equal(xc_domain_destroy(h, 1), 0);
    xc_close(h);
    fake_check_clean();
}

static void test_linux(void **state)
{
    const struct kernel_options options = {0};

    fake_reset();
    build_and_check(&options);
}

static void test_without_wishes(void **state)
{
    const struct kernel_options options = {.no_p2m = true, .no_mod_pfn = true, .paddr = 0x100000};

    fake_reset();
    build_and_check(&options);
}

static void test_ramdisk_mapped(void **state)
{
    const struct kernel_options options = {.no_mod_pfn = true};

    fake_reset();
    build_and_check(&options);
}

static void test_legacy(void **state)
{
    const struct kernel_options options = {.legacy = true};

    fake_reset();
    build_and_check(&options);
}

/* No superpages, no resources, no hypercall device: the older ways. */
static void test_old_ways(void **state)
{
    const struct kernel_options options = {0};

    fake_reset();
    fake.no_superpages = fake.no_resource = fake.no_hypercall_device = true;
    build_and_check(&options);
}

static void test_cached(void **state)
{
    const struct kernel_options options = {0};
    struct xc_build_config c;
    struct xc_build_result r;
    struct xc_handle *h;
    char cache[128];
    size_t size, packed, total;
    uint8_t *elf = kernel_elf(&options, &size);
    uint8_t *payload = kernel_pack(XC_XZ, elf, size, &packed);
    uint8_t *image = kernel_bzimage(payload, packed, (uint32_t)size, false, &total);

    fake_reset();
    h = fake_open();
    make_files(&options);
    (void)snprintf(kernel_path, sizeof(kernel_path), "%s", kernel_file("bzImage", image, total));
    (void)snprintf(cache, sizeof(cache), "%s/cache/deep", kernel_folder());
    c = config();
    c.cache_dir = cache;
    for (int i = 0; i < 2; i++) {
        if (xc_build_pv(h, &c, &r) < 0) {
            fail_msg("%s", xc_error(h));
        }
        assert_int_equal(r.kernel_was_cached, i > 0);
        check_kernel(&fake.domains[1], KERNEL_BASE + KERNEL_PADDR);
        assert_int_equal(xc_domain_destroy(h, 1), 0);
    }
    xc_close(h);
    fake_check_clean();
    free(elf);
    free(payload);
    free(image);
}

/* Call number n of the build fails, for every n. */
static void test_every_call_fails(void **state)
{
    static const int errors[] = {ENOMEM, EINVAL, EPERM};
    const struct kernel_options options = {0};
    uint64_t last = UINT64_MAX;

    make_files(&options);
    for (size_t e = 0; e < ARRAY_SIZE(errors); e++) {
        for (uint64_t n = 1; n <= last; n++) {
            struct xc_build_config c = config();
            struct xc_build_result r = {.domid = 77};
            struct xc_handle *h;
            uint64_t before;
            int rc;

            fake_reset();
            h = fake_open();
            before = fake.calls;
            fake.fail_at = before + n;
            fake.fail_errno = errors[e];
            rc = xc_build_pv(h, &c, &r);
            if (rc == 0) {
                /* Some calls may fail: an optional step, or superpages. */
                assert_int_equal(r.domid, 1);
                check_domain(&fake.domains[1], &r);
                if (fake.calls < fake.fail_at) {
                    last = n; /* that was beyond the end */
                }
                fake.fail_at = 0;
                assert_int_equal(xc_domain_destroy(h, 1), 0);
            } else {
                assert_int_equal(r.domid, 77);
                assert_true(strlen(xc_error(h)) > 10);
                assert_int_equal(xc_error(h)[strlen(xc_error(h)) - 1], '.');
            }
            xc_close(h);
            fake_check_clean();
        }
    }
    assert_in_range(last, 20, 1000);
}

struct cancel {
    int at, calls;
};

static bool cancel(void *context, enum xc_build_step step, uint64_t done, uint64_t total)
{
    struct cancel *c = context;

    assert_in_range(step, 0, XC_STEP_COUNT - 1);
    assert_true(total == 0 || done <= total);
    return ++c->calls != c->at;
}

static void test_canceled_anywhere(void **state)
{
    const struct kernel_options options = {0};
    int rc = -ECANCELED;
    int at;

    make_files(&options);
    for (at = 1; rc == -ECANCELED; at++) {
        struct cancel stop = {at, 0};
        struct xc_build_config c = config();
        struct xc_build_result r;
        struct xc_handle *h;

        fake_reset();
        h = fake_open();
        c.progress = cancel;
        c.progress_context = &stop;
        rc = xc_build_pv(h, &c, &r);
        if (rc == 0) {
            assert_int_equal(xc_domain_destroy(h, 1), 0);
        }
        xc_close(h);
        fake_check_clean();
    }
    assert_int_equal(rc, 0);
    assert_in_range(at, 8, 100);
}

/* Bad input: the errno and a word of the sentence. Nothing may have been asked of the hypervisor.
 */
static void expect_refusal(struct xc_build_config *c, int expected, const char *word)
{
    struct xc_build_result r;
    struct xc_handle *h;

    fake_reset();
    h = fake_open();
    assert_int_equal(xc_build_pv(h, c, &r), expected);
    if (strstr(xc_error(h), word) == NULL) {
        fail_msg("\"%s\" doesn't say \"%s\"", xc_error(h), word);
    }
    xc_close(h);
    fake_check_clean();
}

static void test_refusals(void **state)
{
    static const struct {
        struct kernel_options options;
        const char *word;
    } kernels[] = {
        {{.no_notes = true}, "no PV entry"},
        {{.os = "bsd", .features = "!frobnicate"}, "frobnicate"},
        {{.features = "!dom0"}, "Domain 0 only"},
        {{.features = "!auto_translated_physmap"}, "translated"},
        {{.entry = 0x1000}, "entry point"},
        {{.machine = 183}, "another kind of processor"},
        {{.machine = 3}, "32-bit"},
    };
    const struct kernel_options good = {0};
    struct xc_build_config c;

    for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
        make_files(&kernels[i].options);
        c = config();
        expect_refusal(&c, -ENOEXEC, kernels[i].word);
    }
    make_files(&good);
    c = config();
    c.kernel = NULL;
    expect_refusal(&c, -EINVAL, "kernel");
    c = config();
    c.kernel = "/nonexistent/vmlinuz";
    expect_refusal(&c, -ENOENT, "/nonexistent/vmlinuz");
    c = config();
    c.kernel = "/etc";
    expect_refusal(&c, -ENOEXEC, "no file");
    c = config();
    c.ramdisk = "/nonexistent/initrd";
    expect_refusal(&c, -ENOENT, "/nonexistent/initrd");
    c = config();
    c.memory_kib = 4096;
    expect_refusal(&c, -ENOMEM, "at least");
    c = config();
    c.memory_kib = c.maxmem_kib = 1024 * 1024;
    expect_refusal(&c, -ENOMEM, "MiB are free");
    c = config();
    c.maxmem_kib = 4096;
    expect_refusal(&c, -EINVAL, "maxmem");
    c = config();
    c.memory_kib = 4097;
    expect_refusal(&c, -EINVAL, "4097");
}

static int remove_files(void **state)
{
    kernel_files_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linux),
        cmocka_unit_test(test_without_wishes),
        cmocka_unit_test(test_ramdisk_mapped),
        cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_old_ways),
        cmocka_unit_test(test_cached),
        cmocka_unit_test(test_every_call_fails),
        cmocka_unit_test(test_canceled_anywhere),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests_name("libxenctrl/build", tests, NULL, remove_files);
}
