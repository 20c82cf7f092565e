/*
 * load.c: writing kernel, ramdisk, list of frames and page tables into a new guest.
 *
 * Read builder.h first. Guest memory is reached through foreign mappings of many pages at once.
 * File contents are read straight into them: the kernel copies each byte once, from its page cache
 * into the guest. Nothing relies on the guest's memory being zero.
 */
#include "libxenctrl/builder/builder.h"
#include <sys/mman.h>
#include <unistd.h>

#define WINDOW 4096u /* pages mapped at once: 16 MiB */

/* Copies [offset, offset + size) of something to @to. */
typedef int copy_fn(struct xc_build *b, void *to, uint64_t offset, size_t size);

static void *map_pages(struct xc_build *b, uint64_t pfn, uint64_t pages)
{
    return xc_map_foreign(b->h, b->domid, PROT_READ | PROT_WRITE, b->p2m + pfn, pages, NULL);
}

/*
 * Write a range of guest memory, from byte @at on: @copied bytes from @copy at @offset, then
 * zeroes,
 * @size bytes in all.
 */
static int write_range(struct xc_build *b, uint64_t at, uint64_t size, copy_fn *copy,
                       uint64_t offset, uint64_t copied)
{
    while (size > 0) {
        uint64_t pfn = at / XC_PAGE_SIZE, in_page = at % XC_PAGE_SIZE;
        uint64_t n = (uint64_t)WINDOW * XC_PAGE_SIZE - in_page, pages, from_file;
        uint8_t *p;
        int rc;

        n = n < size ? n : size;
        pages = (in_page + n - 1) / XC_PAGE_SIZE + 1;
        from_file = n < copied ? n : copied;
        p = map_pages(b, pfn, pages);
        if (p == NULL) {
            return -errno;
        }
        rc = from_file > 0 ? copy(b, p + in_page, offset, from_file) : 0;
        memset(p + in_page + from_file, 0, n - from_file);
        xc_unmap(p, pages);
        if (rc == 0) {
            rc = xc_progress_tell(&b->progress, XC_STEP_LOAD, pfn + pages, b->layout.end);
        }
        if (rc < 0) {
            return rc;
        }
        at += n;
        size -= n;
        offset += from_file;
        copied -= from_file;
    }
    return 0;
}

static int copy_kernel(struct xc_build *b, void *to, uint64_t offset, size_t size)
{
    int rc = xc_image_read(&b->image, to, offset, size);

    if (rc < 0) {
        return xc_fail(b->h, rc, "The unpacked kernel %s can't be read: %s.", b->config->kernel,
                       strerror(-rc));
    }
    return 0;
}

static int copy_ramdisk(struct xc_build *b, void *to, uint64_t offset, size_t size)
{
    struct xc_image file = {.fd = b->ramdisk, .size = b->layout.ramdisk_bytes};
    int rc = xc_image_read(&file, to, offset, size);

    if (rc < 0) {
        return xc_fail(b->h, rc, "The ramdisk %s can't be read: %s.", b->config->ramdisk,
                       rc == -EIO ? "it became shorter meanwhile" : strerror(-rc));
    }
    return 0;
}

/* The kernel's segments. */
static int load_kernel(struct xc_build *b)
{
    const struct xc_guest *g = &b->guest;

    for (unsigned int i = 0; i < g->elf.nr_segments; i++) {
        const struct xc_segment *s = &g->elf.segments[i];
        uint64_t at = s->paddr + g->offset - g->virt_base;
        int rc = write_range(b, at, s->size, copy_kernel, s->offset, s->file_size);

        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int load_ramdisk(struct xc_build *b)
{
    uint64_t bytes = b->layout.ramdisk_bytes;

    if (bytes == 0) {
        return 0;
    }
    return write_range(b, b->layout.ramdisk.pfn * XC_PAGE_SIZE,
                       b->layout.ramdisk.pages * XC_PAGE_SIZE, copy_ramdisk, 0, bytes);
}

/* The list of frames: our own copy, then entries that say "no frame". */
static int copy_p2m(struct xc_build *b, void *to, uint64_t offset, size_t size)
{
    memcpy(to, (const char *)b->p2m + offset, size);
    return 0;
}

static int load_p2m(struct xc_build *b)
{
    const struct xc_layout *l = &b->layout;

    return write_range(b, l->p2m.pfn * XC_PAGE_SIZE, l->p2m_list * XC_PAGE_SIZE, copy_p2m, 0,
                       l->nr_pages * sizeof(uint64_t));
}

/* The page tables among [area->pfn, + area->pages). */
static int load_tables(struct xc_build *b, const struct xc_area *area)
{
    uint8_t *p;

    if (area->pages == 0) {
        return 0;
    }
    p = map_pages(b, area->pfn, area->pages);
    if (p == NULL) {
        return -errno;
    }
    for (unsigned int i = 0; i < b->layout.nr_page_tables; i++) {
        uint64_t pfn = b->layout.page_tables[i].pfn;

        if (pfn >= area->pfn && pfn < area->pfn + area->pages) {
            xc_table_fill(&b->layout, i, b->p2m,
                          (uint64_t *)(void *)(p + (pfn - area->pfn) * XC_PAGE_SIZE));
        }
    }
    xc_unmap(p, area->pages);
    return 0;
}

int xc_load(struct xc_build *b)
{
    const struct xc_layout *l = &b->layout;
    const struct xc_area p2m_tables = {l->p2m.pfn + l->p2m_list, l->p2m.pages - l->p2m_list};
    int rc = load_kernel(b);

    if (rc == 0) {
        rc = load_ramdisk(b);
    }
    if (rc == 0) {
        rc = load_p2m(b);
    }
    if (rc == 0) {
        rc = load_tables(b, &l->tables);
    }
    if (rc == 0) {
        rc = load_tables(b, &p2m_tables);
    }
    return rc;
}
