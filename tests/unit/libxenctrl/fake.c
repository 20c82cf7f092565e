/*
 * fake.c: the drivers of the fake machine: files, mappings, ioctls. The hypervisor is in fake_hv.c.
 *
 * Read fake.h first.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/libxenctrl/fake_hv.h"
#include <xen/event_channel.h>
#include <xen/evtchn.h>
#include <xen/gntalloc.h>
#include <xen/gntdev.h>
#include <xen/privcmd.h>

struct fake fake;

enum { FD_PRIVCMD = 1000, FD_HYPERCALL, FD_EVTCHN, FD_GNTDEV, FD_GNTALLOC };

#define MOST_MAPS 256
static struct {
    uint8_t *at;
    size_t size;
    bool buffer; /* hypercalls may point into it */
} maps[MOST_MAPS];

static int memory = -1; /* the file that is machine memory */
static const uint8_t *memory_at;

/* Count a call; should it fail? */
static bool fails(void)
{
    if (++fake.calls == fake.fail_at) {
        errno = fake.fail_errno;
        return true;
    }
    return false;
}

static void remember(void *p, size_t size, bool buffer)
{
    for (int i = 0; i < MOST_MAPS; i++) {
        if (maps[i].at == NULL) {
            maps[i].at = p;
            maps[i].size = size;
            maps[i].buffer = buffer;
            fake.live_maps++;
            return;
        }
    }
    fail_msg("more than %d mappings at once", MOST_MAPS);
}

bool fake_in_buffer(uint64_t at, size_t size)
{
    for (int i = 0; i < MOST_MAPS; i++) {
        uint64_t begin = (uintptr_t)maps[i].at;

        if (maps[i].at != NULL && maps[i].buffer && at >= begin && at - begin <= maps[i].size &&
            size <= maps[i].size - (at - begin)) {
            return true;
        }
    }
    return false;
}

static int sys_open(const char *path, int flags)
{
    static const char *const paths[] = {"/dev/xen/privcmd", "/dev/xen/hypercall", "/dev/xen/evtchn",
                                        "/dev/xen/gntdev", "/dev/xen/gntalloc"};

    if (fails()) {
        return -1;
    }
    assert_int_equal(flags & O_ACCMODE, O_RDWR);
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        if (strcmp(path, paths[i]) == 0 && !(i == 1 && fake.no_hypercall_device)) {
            fake.open_files++;
            return FD_PRIVCMD + (int)i;
        }
    }
    errno = ENOENT;
    return -1;
}

static int sys_close(int fd)
{
    assert_in_range(fd, FD_PRIVCMD, FD_GNTALLOC);
    fake.open_files--;
    return 0;
}

static void *sys_mmap(size_t length, int prot, int flags, int fd, off_t offset)
{
    bool buffer = fd == FD_HYPERCALL || (fd < 0 && (flags & MAP_LOCKED));
    void *p;

    if (fails()) {
        return MAP_FAILED;
    }
    assert_int_equal(length % XC_PAGE_SIZE, 0);
    if (fd == FD_GNTDEV || fd == FD_GNTALLOC) {
        p = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, memory, offset);
    } else {
        assert_true(buffer || fd == FD_PRIVCMD);
        p = mmap(NULL, length, buffer ? PROT_READ | PROT_WRITE : PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    assert_ptr_not_equal(p, MAP_FAILED);
    remember(p, length, buffer);
    return p;
}

static int sys_munmap(void *address, size_t length)
{
    fake.calls++;
    for (int i = 0; i < MOST_MAPS; i++) {
        if (maps[i].at == address && maps[i].size == length) {
            maps[i].at = NULL;
            fake.live_maps--;
            return munmap(address, length);
        }
    }
    fail_msg("unmap of %zu bytes at %p, which aren't a mapping", length, address);
    return -1;
}

/* Put frame @mfn of the machine at @at. */
static int map_frame(uint32_t domid, uint64_t mfn, uint8_t *at)
{
    if (mfn >= FAKE_FRAMES || fake.owner[mfn] != domid) {
        return -EINVAL;
    }
    assert_ptr_equal(mmap(at, XC_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory,
                          (off_t)(mfn * XC_PAGE_SIZE)),
                     at);
    return 0;
}

static int map_batch(const struct privcmd_mmapbatch_v2 *b)
{
    for (unsigned int i = 0; i < b->num; i++) {
        b->err[i] =
            map_frame(b->dom, b->arr[i], (uint8_t *)(uintptr_t)b->addr + (size_t)i * XC_PAGE_SIZE);
    }
    return 0;
}

static int map_resource(const struct privcmd_mmap_resource *r)
{
    if (fake.no_resource) {
        errno = ENOTTY;
        return -1;
    }
    assert_int_equal(r->type, XENMEM_resource_grant_table);
    assert_int_equal(r->num, 1);
    if (r->dom >= FAKE_DOMAINS ||
        map_frame(r->dom, fake.domains[r->dom].grant_table, (uint8_t *)(uintptr_t)r->addr) < 0) {
        errno = EINVAL;
        return -1;
    }
    return 0;
}

/* Devices other than privcmd only record what they are asked, and answer something plausible. */
static int other_ioctl(unsigned long request, void *argument)
{
    size_t size = _IOC_SIZE(request);

    fake.last_ioctl = request;
    memcpy(fake.last_ioctl_arg, argument, size);
    switch (request) {
    case IOCTL_GNTDEV_MAP_GRANT_REF:
        ((struct ioctl_gntdev_map_grant_ref *)argument)->index = 7 * XC_PAGE_SIZE;
        return 0;
    case IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR:
        ((struct ioctl_gntdev_get_offset_for_vaddr *)argument)->offset = 7 * XC_PAGE_SIZE;
        ((struct ioctl_gntdev_get_offset_for_vaddr *)argument)->count = 1;
        return 0;
    case IOCTL_GNTALLOC_ALLOC_GREF:
        ((struct ioctl_gntalloc_alloc_gref *)argument)->index = 9 * XC_PAGE_SIZE;
        ((struct ioctl_gntalloc_alloc_gref *)argument)->gref_ids[0] = 4242;
        return 0;
    case IOCTL_EVTCHN_BIND_INTERDOMAIN:
    case IOCTL_EVTCHN_BIND_UNBOUND_PORT:
    case IOCTL_EVTCHN_BIND_VIRQ:
        return 33;
    default:
        return 0;
    }
}

static int sys_ioctl(int fd, unsigned long request, void *argument)
{
    long r;

    if (fails()) {
        return -1;
    }
    if (fd != FD_PRIVCMD) {
        return other_ioctl(request, argument);
    }
    switch (request) {
    case IOCTL_PRIVCMD_HYPERCALL:
        fake.hypercalls++;
        r = fake_hypercall(argument);
        errno = r < 0 ? (int)-r : errno;
        return r < 0 ? -1 : (int)r;
    case IOCTL_PRIVCMD_MMAPBATCH_V2:
        return map_batch(argument);
    case IOCTL_PRIVCMD_MMAP_RESOURCE:
        return map_resource(argument);
    default:
        fail_msg("unknown ioctl %#lx", request);
        return -1;
    }
}

static ssize_t sys_read(int fd, void *buffer, size_t size)
{
    assert_int_equal(fd, FD_EVTCHN);
    assert_true(size >= 4 && size % 4 == 0);
    if (fails()) {
        return -1;
    }
    if (fake.pending == 0) {
        errno = EAGAIN;
        return -1;
    }
    memcpy(buffer, &fake.pending, sizeof(fake.pending));
    fake.pending = 0;
    return (ssize_t)sizeof(fake.pending);
}

static ssize_t sys_write(int fd, const void *buffer, size_t size)
{
    assert_int_equal(fd, FD_EVTCHN);
    assert_int_equal(size, 4);
    if (fails()) {
        return -1;
    }
    memcpy(&fake.unmasked, buffer, size);
    return (ssize_t)size;
}

static const struct xc_sys fake_sys = {sys_open,   sys_close, sys_ioctl, sys_mmap,
                                       sys_munmap, sys_read,  sys_write};

void fake_reset(void)
{
    const size_t size = (size_t)FAKE_FRAMES * XC_PAGE_SIZE;

    if (memory < 0) {
        memory = memfd_create("machine", MFD_CLOEXEC);
    } else {
        (void)munmap((void *)(uintptr_t)memory_at, size);
    }
    assert_int_equal(ftruncate(memory, 0), 0);
    assert_int_equal(ftruncate(memory, (off_t)size), 0);
    memory_at = mmap(NULL, size, PROT_READ, MAP_SHARED, memory, 0);
    assert_ptr_not_equal(memory_at, MAP_FAILED);
    memset(&fake, 0, sizeof(fake));
    memset(fake.owner, 0xff, sizeof(fake.owner));
    fake.free_frames = FAKE_FRAMES - FAKE_FIRST;
    fake.domains[0].exists = true;
    fake.domains[0].vcpus = 2;
    (void)snprintf(fake.console, sizeof(fake.console), "(XEN) hello\n");
    xc_sys = &fake_sys;
}

void fake_check_clean(void)
{
    assert_int_equal(fake.open_files, 0);
    assert_int_equal(fake.live_maps, 0);
    for (unsigned int i = 1; i < FAKE_DOMAINS; i++) {
        assert_false(fake.domains[i].exists);
    }
    assert_int_equal(fake.free_frames, FAKE_FRAMES - FAKE_FIRST);
}

const void *fake_frame(uint64_t mfn)
{
    assert_in_range(mfn, 0, FAKE_FRAMES - 1);
    return memory_at + mfn * XC_PAGE_SIZE;
}

struct xc_handle *fake_open(void)
{
    struct xc_handle *h;
    char why[512];

    assert_int_equal(xc_open(&h, why, sizeof(why)), 0);
    return h;
}
