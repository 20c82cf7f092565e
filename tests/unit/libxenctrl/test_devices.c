/*
 * test_devices.c: event channels, grants, mappings and core dumps on the fake machine's devices.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/libxenctrl/fake.h"
#include <xen/event_channel.h>
#include <xen/evtchn.h>
#include <xen/gntalloc.h>
#include <xen/gntdev.h>

static int set_up(void **state)
{
    fake_reset();
    fake.domains[3].exists = true;
    fake.domains[3].vcpus = 1;
    fake.domains[3].address_size = 64;
    return 0;
}

static int tear_down(void **state)
{
    fake.domains[3].exists = false;
    fake_check_clean();
    return 0;
}

#define LAST(type) ((const type *)(const void *)fake.last_ioctl_arg)

static void test_evtchn(void **state)
{
    struct xc_evtchn *e;
    uint32_t port = 0, ports[4];

    assert_int_equal(xc_evtchn_open(&e, NULL, 0), 0);
    assert_int_equal(xc_evtchn_bind_interdomain(e, 3, 8, &port), 0);
    assert_int_equal(port, 33);
    assert_int_equal(LAST(struct ioctl_evtchn_bind_interdomain)->remote_domain, 3);
    assert_int_equal(LAST(struct ioctl_evtchn_bind_interdomain)->remote_port, 8);
    assert_int_equal(xc_evtchn_bind_unbound(e, 3, &port), 0);
    assert_int_equal(fake.last_ioctl, IOCTL_EVTCHN_BIND_UNBOUND_PORT);
    assert_int_equal(xc_evtchn_bind_virq(e, VIRQ_DOM_EXC, &port), 0);
    assert_int_equal(LAST(struct ioctl_evtchn_bind_virq)->virq, VIRQ_DOM_EXC);
    assert_int_equal(xc_evtchn_notify(e, 33), 0);
    assert_int_equal(LAST(struct ioctl_evtchn_notify)->port, 33);
    assert_int_equal(xc_evtchn_pending(e, &port), -EAGAIN);
    fake.pending = 33;
    port = 0;
    assert_int_equal(xc_evtchn_pending(e, &port), 0);
    assert_int_equal(port, 33);
    assert_int_equal(xc_evtchn_unmask(e, 33), 0);
    assert_int_equal(fake.unmasked, 33);
    assert_int_equal(xc_evtchn_pending_many(e, ports, 4), 0);
    fake.pending = 34;
    assert_int_equal(xc_evtchn_pending_many(e, ports, 4), 1);
    assert_int_equal(ports[0], 34);
    assert_int_equal(xc_evtchn_unmask_many(e, ports, 1), 0);
    assert_int_equal(fake.unmasked, 34);
    assert_int_equal(xc_evtchn_unmask_many(e, ports, 0), 0);
    assert_int_equal(xc_evtchn_unbind(e, 33), 0);
    fake.fail_at = fake.calls + 1;
    fake.fail_errno = EINVAL;
    assert_int_equal(xc_evtchn_bind_interdomain(e, 3, 8, &port), -EINVAL);
    assert_non_null(strstr(xc_evtchn_error(e), "Domain 3"));
    xc_evtchn_close(e);
    xc_evtchn_close(NULL);
}

static void test_evtchn_of_others(void **state)
{
    struct xc_handle *h = fake_open();
    struct xc_evtchn_status status;
    uint32_t port;

    assert_int_equal(xc_evtchn_alloc_unbound(h, 3, 0, &port), 0);
    assert_int_equal(port, 1);
    assert_int_equal(fake.last_op, EVTCHNOP_alloc_unbound);
    assert_int_equal(xc_evtchn_get_status(h, 3, 7, &status), 0);
    assert_int_equal(status.remote_domid, 3);
    assert_int_equal(status.remote_port, 12);
    assert_int_equal(xc_evtchn_reset(h, 3), 0);
    assert_int_equal(fake.last_op, EVTCHNOP_reset);
    assert_int_equal(xc_evtchn_alloc_unbound(h, 5, 0, &port), -ESRCH);
    xc_close(h);
}

static void test_gnttab(void **state)
{
    const uint32_t ref = 8;
    struct xc_gnttab *g;
    void *p;

    assert_int_equal(xc_gnttab_open(&g, NULL, 0), 0);
    p = xc_gnttab_map(g, 3, &ref, 1, PROT_READ | PROT_WRITE);
    assert_non_null(p);
    assert_int_equal(LAST(struct ioctl_gntdev_map_grant_ref)->count, 1);
    assert_int_equal(LAST(struct ioctl_gntdev_map_grant_ref)->refs[0].domid, 3);
    assert_int_equal(LAST(struct ioctl_gntdev_map_grant_ref)->refs[0].ref, 8);
    assert_int_equal(xc_gnttab_unmap(g, p, 2), -EINVAL); /* only whole */
    assert_int_equal(xc_gnttab_unmap(g, p, 1), 0);
    assert_int_equal(LAST(struct ioctl_gntdev_unmap_grant_ref)->index, 7 * 4096);
    p = xc_gnttab_map_notify(g, 3, 9, PROT_READ, 100, 5);
    assert_non_null(p);
    assert_int_equal(LAST(struct ioctl_gntdev_unmap_notify)->index, 7 * 4096 + 100);
    assert_int_equal(LAST(struct ioctl_gntdev_unmap_notify)->event_channel_port, 5);
    assert_int_equal(LAST(struct ioctl_gntdev_unmap_notify)->action, 3);
    assert_int_equal(xc_gnttab_unmap(g, p, 1), 0);
    for (uint64_t n = 1; n <= 3; n++) { /* announce, mmap, notify fail in turn */
        fake.fail_at = fake.calls + n;
        fake.fail_errno = EINVAL;
        assert_null(xc_gnttab_map_notify(g, 3, 9, PROT_READ, 100, 5));
        assert_int_equal(errno, EINVAL);
    }
    assert_null(xc_gnttab_map(g, 3, &ref, 0, PROT_READ));
    assert_null(xc_gnttab_map_notify(g, 3, 9, PROT_READ, 4096, 5));
    xc_gnttab_close(g);
}

static void test_gntshr(void **state)
{
    struct xc_gntshr *s;
    uint32_t ref = 0;
    void *p;

    assert_int_equal(xc_gntshr_open(&s, NULL, 0), 0);
    p = xc_gntshr_share(s, 3, 1, true, &ref);
    assert_non_null(p);
    assert_int_equal(ref, 4242);
    assert_int_equal(fake.last_ioctl, IOCTL_GNTALLOC_DEALLOC_GREF);
    assert_int_equal(LAST(struct ioctl_gntalloc_dealloc_gref)->index, 9 * 4096);
    assert_int_equal(xc_gntshr_unshare(s, p, 1), 0);
    for (uint64_t n = 1; n <= 2; n++) {
        fake.fail_at = fake.calls + n;
        fake.fail_errno = ENOSPC;
        assert_null(xc_gntshr_share(s, 3, 1, true, &ref));
        assert_non_null(strstr(xc_gntshr_error(s), "limit"));
    }
    xc_gntshr_close(s);
}

static void test_mapping(void **state)
{
    struct xc_handle *h = fake_open();
    uint64_t frames[3] = {2000, 2001, 2002};
    int errors[3];
    uint8_t *p;

    fake.owner[2000] = fake.owner[2002] = 3;
    assert_null(xc_map_foreign(h, 3, PROT_READ, frames, 3, NULL));
    assert_int_equal(errno, EINVAL);
    p = xc_map_foreign(h, 3, PROT_READ | PROT_WRITE, frames, 3, errors);
    assert_non_null(p);
    assert_int_equal(errors[0], 0);
    assert_int_equal(errors[1], -EINVAL);
    assert_int_equal(errors[2], 0);
    p[2 * 4096 + 5] = 99;
    assert_int_equal(((const uint8_t *)fake_frame(2002))[5], 99);
    xc_unmap(p, 3);
    assert_null(xc_map_foreign(h, 3, PROT_READ, frames, 0, NULL));
    assert_null(xc_map_resource(h, 3, 1, 0, 1ull << 33, 1, PROT_READ));
    fake.no_resource = true;
    assert_null(xc_map_resource(h, 3, 1, 0, 0, 1, PROT_READ));
    assert_int_equal(errno, EOPNOTSUPP);
    xc_unmap(NULL, 1);
    fake.owner[2000] = fake.owner[2002] = 0xffff;
    xc_close(h);
}

/* Write to a frame of the machine as the guest would. */
static void poke(struct xc_handle *h, uint64_t mfn, size_t offset, uint64_t value)
{
    uint64_t *p;

    fake.free_frames -= fake.owner[mfn] == 0xffff;
    fake.owner[mfn] = 3;
    p = xc_map_frame(h, 3, PROT_READ | PROT_WRITE, mfn);
    assert_non_null(p);
    p[offset] = value;
    xc_unmap(p, 1);
}

/*
 * A guest of three pages whose list is found by walking page tables (frames 2010 to 2013, list in
 * 2014), with holes, a frame that isn't its own, and an entry that is no frame.
 */
static void make_guest(struct xc_handle *h, bool linear)
{
    size_t max_pfn = offsetof(struct shared_info, arch.max_pfn) / 8;

    fake.domains[3].tot_pages = 5;
    fake.domains[3].shared_info = 2020;
    poke(h, 2020, max_pfn, 1030);
    if (linear) {
        poke(h, 2020, offsetof(struct shared_info, arch.p2m_cr3) / 8, 2010ull << 12);
        poke(h, 2020, offsetof(struct shared_info, arch.p2m_vaddr) / 8, 0x8000000000ull);
        poke(h, 2010, 1, 2011ull << 12 | 7);
        poke(h, 2011, 0, 2012ull << 12 | 7);
        poke(h, 2012, 0, 2013ull << 12 | 7);
        poke(h, 2013, 0, 2014ull << 12 | 7);
        poke(h, 2013, 2, 2015ull << 12 | 7);
    } else {
        poke(h, 2020, offsetof(struct shared_info, arch.pfn_to_mfn_frame_list_list) / 8, 2010);
        poke(h, 2010, 0, 2011);
        poke(h, 2011, 0, 2014);
        poke(h, 2011, 1, 99999999);
        poke(h, 2011, 2, 2015);
    }
    for (size_t i = 0; i < 512; i++) {
        poke(h, 2014, i, UINT64_MAX);
        poke(h, 2015, i, UINT64_MAX);
    }
    poke(h, 2014, 0, 2030);
    poke(h, 2014, 2, 2032);
    poke(h, 2014, 3, 1ull << 63 | 2033);
    poke(h, 2014, 4, 2040); /* not the guest's */
    poke(h, 2015, 4, 2034);
    poke(h, 2015, 100, 2033); /* beyond max_pfn */
    poke(h, 2030, 0, 0x1111);
    poke(h, 2032, 0, 0x2222);
    poke(h, 2034, 0, 0x3333);
    fake.domains[3].context.user_regs.rip = 0xabcd;
}

static void free_guest(void)
{
    for (uint64_t i = 0; i < FAKE_FRAMES; i++) {
        if (fake.owner[i] == 3) {
            fake.owner[i] = 0xffff;
            fake.free_frames++;
        }
    }
}

static const Elf64_Shdr *section(const uint8_t *file, const char *name)
{
    const Elf64_Ehdr *e = (const void *)file;
    const Elf64_Shdr *s = (const void *)(file + e->e_shoff);
    const char *names = (const char *)file + s[e->e_shstrndx].sh_offset;

    for (int i = 1; i < e->e_shnum; i++) {
        if (strcmp(names + s[i].sh_name, name) == 0) {
            return &s[i];
        }
    }
    fail_msg("no section %s", name);
    return NULL;
}

static void check_dump(bool linear)
{
    static const uint64_t expected[3][3] = {
        {0, 2030, 0x1111}, {2, 2032, 0x2222}, {1028, 2034, 0x3333}};
    struct xc_handle *h = fake_open();
    FILE *f = tmpfile();
    uint8_t *file = calloc(1, 65536);
    const uint64_t *p2m;
    const Elf64_Shdr *s;

    make_guest(h, linear);
    if (xc_domain_dump_core(h, 3, fileno(f), NULL, NULL) < 0) {
        fail_msg("%s", xc_error(h));
    }
    assert_in_range(pread(fileno(f), file, 65536, 0), 20000, 65535);
    assert_memory_equal(file, ELFMAG, 4);
    s = section(file, ".xen_prstatus");
    assert_int_equal(s->sh_size, sizeof(struct vcpu_guest_context));
    assert_int_equal(
        ((const struct vcpu_guest_context *)(const void *)(file + s->sh_offset))->user_regs.rip,
        0xabcd);
    s = section(file, ".note.Xen");
    assert_int_equal(((const uint32_t *)(const void *)(file + s->sh_offset))[6], 0x2000001);
    assert_int_equal(((const uint64_t *)(const void *)(file + s->sh_offset))[4], 0xf00febed);
    assert_int_equal(((const uint64_t *)(const void *)(file + s->sh_offset))[6], 3);
    s = section(file, ".xen_p2m");
    assert_int_equal(s->sh_size, 3 * 16);
    p2m = (const void *)(file + s->sh_offset);
    s = section(file, ".xen_pages");
    assert_int_equal(s->sh_size, 3 * 4096);
    assert_int_equal(s->sh_offset % 4096, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(p2m[2 * i], expected[i][0]);
        assert_int_equal(p2m[2 * i + 1], expected[i][1]);
        assert_int_equal(*(const uint64_t *)(const void *)(file + s->sh_offset + 4096 * i),
                         expected[i][2]);
    }
    s = section(file, ".xen_shared_info");
    assert_memory_equal(file + s->sh_offset, fake_frame(2020), 4096);
    (void)fclose(f);
    free(file);
    free_guest();
    xc_close(h);
}

static void test_dump(void **state)
{
    check_dump(true);
    fake_reset();
    (void)set_up(state);
    check_dump(false);
}

static bool stop(void *context, uint64_t done, uint64_t total)
{
    return false;
}

static void test_dump_failures(void **state)
{
    struct xc_handle *h = fake_open();
    FILE *f = tmpfile();
    int closed;

    fake.domains[3].shared_info = 2020;
    poke(h, 2020, 0, 0);
    assert_int_equal(xc_domain_dump_core(h, 3, fileno(f), NULL, NULL), -ENODATA);
    make_guest(h, true);
    assert_int_equal(xc_domain_dump_core(h, 3, fileno(f), stop, NULL), -ECANCELED);
    assert_int_equal(xc_domain_dump_core(h, 4, fileno(f), NULL, NULL), -ESRCH);
    closed = open("/dev/full", O_WRONLY);
    assert_int_equal(xc_domain_dump_core(h, 3, closed, NULL, NULL), -ENOSPC);
    (void)close(closed);
    fake.domains[3].address_size = 32;
    assert_int_equal(xc_domain_dump_core(h, 3, fileno(f), NULL, NULL), -ENOTSUP);
    fake.domains[3].address_size = 64;
    /* A list that says it is itself, at every level, and a count that is absurd. */
    poke(h, 2010, 1, 2010ull << 12 | 7);
    poke(h, 2020, offsetof(struct shared_info, arch.max_pfn) / 8, 600);
    assert_int_equal(xc_domain_dump_core(h, 3, fileno(f), NULL, NULL), 0);
    poke(h, 2020, offsetof(struct shared_info, arch.max_pfn) / 8, UINT64_MAX);
    assert_int_equal(xc_domain_dump_core(h, 3, fileno(f), NULL, NULL), -ENODATA);
    (void)fclose(f);
    free_guest();
    xc_close(h);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_evtchn),        TEST(test_evtchn_of_others), TEST(test_gnttab),
        TEST(test_gntshr),        TEST(test_mapping),          TEST(test_dump),
        TEST(test_dump_failures),
    };

    return cmocka_run_group_tests_name("libxenctrl/devices", tests, NULL, NULL);
}
