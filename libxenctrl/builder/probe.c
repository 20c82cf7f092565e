/*
 * probe.c: what a kernel file is, without building anything: for `xm create --check`, and for
 * choosing what kind of guest it makes.
 *
 * Read builder.h first.
 */
#include "libxenctrl/builder/builder.h"
#include <stdio.h>

/* Least memory that a guest of this kernel can be planned with, found by planning. */
static uint64_t least_memory(const struct xc_guest *guest)
{
    uint64_t pages = 1024;

    for (int i = 0; i < 32; i++) {
        struct xc_layout layout;
        char why[XC_WHY_SIZE];
        int rc = xc_layout_plan(guest, pages, 0, &layout, why);
        uint64_t needed = layout.end;

        xc_layout_finish(&layout);
        if (rc == 0) {
            return pages * 4;
        }
        if (rc != -ENOMEM || needed <= pages) {
            break;
        }
        pages = needed;
    }
    return 0;
}

int xc_kernel_probe(struct xc_handle *h, const char *path, const char *cache_dir,
                    struct xc_kernel_info *info)
{
    const struct xc_progress silent = {NULL, NULL};
    char why[XC_WHY_SIZE] = "";
    struct xc_guest guest;
    struct xc_image image;
    int rc = xc_image_open(h, path, cache_dir, &silent, &image);

    if (rc < 0) {
        return rc;
    }
    rc = xc_guest_parse(image.data, image.size, &guest, why);
    if (rc < 0 && guest.elf.nr_segments == 0) {
        xc_image_close(&image);
        return xc_fail(h, rc, "%s can't be used as a kernel: %s.", path, why);
    }
    *info = (struct xc_kernel_info){
        .pv64 = rc == 0,
        .pvh = guest.notes.pvh,
        .unpacked_bytes = image.size,
        .loaded_bytes = guest.elf.pend - guest.elf.pstart,
        .min_memory_kib = rc == 0 ? least_memory(&guest) : 0,
    };
    (void)snprintf(info->format, sizeof(info->format), "%s", image.format);
    (void)snprintf(info->guest_os, sizeof(info->guest_os), "%s", guest.notes.os);
    (void)snprintf(info->guest_version, sizeof(info->guest_version), "%s", guest.notes.version);
    (void)snprintf(info->why_not_pv, sizeof(info->why_not_pv), "%.*s",
                   (int)sizeof(info->why_not_pv) - 1, why);
    xc_image_close(&image);
    return 0;
}

int xc_kernel_prepare(const char *path, const char *cache_dir, xc_build_progress *progress,
                      void *context)
{
    const struct xc_progress tell = {progress, context};
    struct xc_image image;
    int rc = xc_image_open(NULL, path, cache_dir, &tell, &image);

    if (rc == 0) {
        xc_image_close(&image);
    }
    return rc;
}
