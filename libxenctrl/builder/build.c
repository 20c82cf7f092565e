/*
 * build.c: leads a PV guest's build from its configuration to a paused domain.
 *
 * Read builder.h first. All that can be checked is checked before the domain exists. After that
 * each failure goes through one place, which destroys it and frees everything.
 */
#include "libxenctrl/builder/builder.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SUPERPAGE_ORDER 9
#define SUPERPAGE_PAGES (1u << SUPERPAGE_ORDER)
#define SUPERPAGE_BATCH 64u /* 128 MiB between two words of progress */
#define PAGE_BATCH      16384u

/* What the hypervisor needs for itself for any guest: more than it really is, in pages. */
#define OVERHEAD_PAGES 512u
/* Room for what is accounted to a guest and isn't its memory, in KiB; as xl grants it. */
#define SLACK_KIB 1024u

const char *xc_build_step_name(enum xc_build_step step)
{
    static const char *const names[XC_STEP_COUNT] = {
        [XC_STEP_KERNEL] = "kernel", [XC_STEP_CREATE] = "domain", [XC_STEP_MEMORY] = "memory",
        [XC_STEP_LOAD] = "loading",  [XC_STEP_START] = "start",
    };

    return step < XC_STEP_COUNT ? names[step] : "?";
}

void xc_build_config_init(struct xc_build_config *config)
{
    memset(config, 0, sizeof(*config));
    xc_domain_config_init(&config->domain);
}

static uint64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int check_config(struct xc_handle *h, const struct xc_build_config *c)
{
    if (c->kernel == NULL || c->kernel[0] == '\0') {
        return xc_fail(h, -EINVAL, "The configuration names no kernel: set `kernel`.");
    }
    if (c->memory_kib == 0 || c->memory_kib % 4 != 0 || c->memory_kib > 1ull << 42) {
        return xc_fail(h, -EINVAL, "%llu KiB is no amount of memory for a guest.",
                       (unsigned long long)c->memory_kib);
    }
    if (c->maxmem_kib != 0 && c->maxmem_kib < c->memory_kib) {
        return xc_fail(h, -EINVAL, "`maxmem` (%llu KiB) is less than `memory` (%llu KiB).",
                       (unsigned long long)c->maxmem_kib, (unsigned long long)c->memory_kib);
    }
    if (c->cmdline != NULL && strlen(c->cmdline) >= MAX_GUEST_CMDLINE) {
        return xc_fail(h, -EINVAL, "The kernel command line has %zu bytes, and at most %d fit.",
                       strlen(c->cmdline), MAX_GUEST_CMDLINE - 1);
    }
    if ((c->domain.flags & (XC_CREATE_HVM | XC_CREATE_HAP)) != 0) {
        return xc_fail(h, -EINVAL, "This builds PV guests, and the configuration is for another.");
    }
    return 0;
}

/* Open the kernel and see whether it can run. */
static int open_kernel(struct xc_build *b)
{
    char why[XC_WHY_SIZE] = "";
    int rc = xc_image_open(b->h, b->config->kernel, b->config->cache_dir, &b->progress, &b->image);

    if (rc < 0) {
        return rc;
    }
    rc = xc_guest_parse(b->image.data, b->image.size, &b->guest, why);
    if (rc < 0) {
        return xc_fail(b->h, rc, "%s can't be used as a kernel: %s.", b->config->kernel, why);
    }
    b->result->kernel_was_cached = b->image.cached;
    (void)snprintf(b->result->guest_os, sizeof(b->result->guest_os), "%s", b->guest.notes.os);
    (void)snprintf(b->result->guest_version, sizeof(b->result->guest_version), "%s",
                   b->guest.notes.version);
    (void)snprintf(b->result->loader, sizeof(b->result->loader), "%s", b->guest.notes.loader);
    return 0;
}

static int open_ramdisk(struct xc_build *b, uint64_t *bytes)
{
    const char *path = b->config->ramdisk;
    struct stat st;
    int rc;

    *bytes = 0;
    if (path == NULL || path[0] == '\0') {
        return 0;
    }
    b->ramdisk = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (b->ramdisk < 0 || fstat(b->ramdisk, &st) < 0) {
        rc = -errno;
        return xc_fail(b->h, rc, "The ramdisk %s can't be opened: %s%s.", path, strerror(-rc),
                       rc == -ENOENT ? " (check `ramdisk` in the configuration)" : "");
    }
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        return xc_fail(b->h, -EINVAL, "The ramdisk %s can't be used: it %s.", path,
                       S_ISREG(st.st_mode) ? "is empty" : "is no file");
    }
    *bytes = (uint64_t)st.st_size;
    return 0;
}

static int plan(struct xc_build *b, uint64_t ramdisk_bytes)
{
    char why[XC_WHY_SIZE] = "";
    int rc = xc_layout_plan(&b->guest, b->config->memory_kib / 4, ramdisk_bytes, &b->layout, why);

    if (rc < 0) {
        return xc_fail(b->h, rc, "%s can't be started: %s.", b->config->kernel, why);
    }
    return 0;
}

/* Is there enough free memory? Said here, the guest isn't touched and the numbers can be named. */
static int check_memory(struct xc_build *b)
{
    struct xc_host_info host;
    uint64_t pages = b->layout.nr_pages, needed = pages + OVERHEAD_PAGES, free_pages;
    int rc = xc_host_get_info(b->h, &host);

    if (rc < 0) {
        return rc;
    }
    free_pages = host.free_pages + host.scrub_pages;
    free_pages -= host.outstanding_pages < free_pages ? host.outstanding_pages : free_pages;
    if (free_pages < needed) {
        return xc_fail(b->h, -ENOMEM,
                       "The guest needs %llu MiB of memory and %llu MiB are free: give it less, "
                       "shut down another guest, or shrink one with `xm mem-set`.",
                       (unsigned long long)(needed + 255) >> 8,
                       (unsigned long long)free_pages >> 8);
    }
    return 0;
}

static int create(struct xc_build *b)
{
    const struct xc_build_config *c = b->config;
    uint64_t most = c->maxmem_kib != 0 ? c->maxmem_kib : c->memory_kib;
    const struct xc_memory_range ram = {0, most * 1024, 1};
    int rc = xc_domain_create(b->h, &c->domain, &b->domid);

    if (rc == 0) {
        rc = xc_domain_set_address_size(b->h, b->domid, 64);
    }
    if (rc == 0) {
        rc = xc_domain_max_mem(b->h, b->domid, most + SLACK_KIB);
    }
    if (rc == 0) {
        rc = xc_domain_set_memory_map(b->h, b->domid, &ram, 1);
    }
    if (rc == 0) {
        rc = xc_domain_default_cpu_policy(b->h, b->domid);
    }
    return rc;
}

/*
 * Superpages, while there are any: far less work for the hypervisor. Stores how many pages that
 * gave; that there are no more of them is no error.
 */
static int populate_superpages(struct xc_build *b, uint64_t *done)
{
    uint64_t bases[SUPERPAGE_BATCH], pfn = 0, pages = b->layout.nr_pages;
    int rc = 0;

    while (rc == 0 && pages - pfn >= SUPERPAGE_PAGES) {
        uint64_t left = (pages - pfn) / SUPERPAGE_PAGES;
        unsigned int n = left < SUPERPAGE_BATCH ? (unsigned int)left : SUPERPAGE_BATCH;
        long got;

        for (unsigned int i = 0; i < n; i++) {
            bases[i] = pfn + i * SUPERPAGE_PAGES;
        }
        got = xc_memory_populate(b->h, b->domid, bases, n, SUPERPAGE_ORDER, 0);
        for (long i = 0; i < got; i++) {
            for (unsigned int k = 0; k < SUPERPAGE_PAGES; k++) {
                b->p2m[pfn++] = bases[i] + k;
            }
        }
        if (got < (long)n) {
            break;
        }
        rc = xc_progress_tell(&b->progress, XC_STEP_MEMORY, pfn, pages);
    }
    *done = pfn;
    return rc;
}

static int populate_pages(struct xc_build *b, uint64_t pfn)
{
    uint64_t pages = b->layout.nr_pages;

    while (pfn < pages) {
        uint64_t n = pages - pfn < PAGE_BATCH ? pages - pfn : PAGE_BATCH;
        long got;
        int rc;

        for (uint64_t i = 0; i < n; i++) {
            b->p2m[pfn + i] = pfn + i;
        }
        got = xc_memory_populate(b->h, b->domid, b->p2m + pfn, n, 0, 0);
        if (got < (long)n) {
            return got < 0 ? (int)got : -ENOMEM;
        }
        pfn += n;
        rc = xc_progress_tell(&b->progress, XC_STEP_MEMORY, pfn, pages);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* Claim first: another creation at the same time can't take what we were promised. */
static int allocate(struct xc_build *b)
{
    uint64_t pages = b->layout.nr_pages, done;
    int rc, rc_claim;

    b->p2m = calloc(pages, sizeof(*b->p2m));
    if (b->p2m == NULL) {
        return xc_fail(b->h, -ENOMEM, "There is no memory left for a list of %llu frames.",
                       (unsigned long long)pages);
    }
    rc_claim = xc_memory_claim(b->h, b->domid, pages);
    if (rc_claim < 0 && rc_claim != -ENOSYS) {
        return rc_claim;
    }
    rc = populate_superpages(b, &done);
    if (rc == 0) {
        rc = populate_pages(b, done);
    }
    if (rc == 0 && rc_claim == 0) {
        rc = xc_memory_claim(b->h, b->domid, 0);
    }
    return rc;
}

static int prepare(struct xc_build *b)
{
    uint64_t ramdisk_bytes;
    int rc = check_config(b->h, b->config);

    if (rc == 0) {
        rc = open_kernel(b);
    }
    if (rc == 0) {
        rc = open_ramdisk(b, &ramdisk_bytes);
    }
    if (rc == 0) {
        rc = plan(b, ramdisk_bytes);
    }
    return rc == 0 ? check_memory(b) : rc;
}

static void release(struct xc_build *b)
{
    xc_layout_finish(&b->layout);
    xc_image_close(&b->image);
    if (b->ramdisk >= 0) {
        (void)close(b->ramdisk);
    }
    free(b->p2m);
}

static int run_steps(struct xc_build *b)
{
    static int (*const steps[XC_STEP_COUNT])(struct xc_build *) = {
        [XC_STEP_KERNEL] = prepare, [XC_STEP_CREATE] = create,  [XC_STEP_MEMORY] = allocate,
        [XC_STEP_LOAD] = xc_load,   [XC_STEP_START] = xc_start,
    };

    for (enum xc_build_step s = 0; s < XC_STEP_COUNT; s++) {
        uint64_t begin = now_ns();
        int rc = xc_progress_tell(&b->progress, s, 0, 0);

        if (rc == 0) {
            rc = steps[s](b);
        }
        if (rc == -ECANCELED) {
            return xc_fail(b->h, rc, "The creation was canceled.");
        }
        if (rc < 0) {
            return rc;
        }
        b->result->step_ns[s] = now_ns() - begin;
    }
    return 0;
}

int xc_build_pv(struct xc_handle *h, const struct xc_build_config *config,
                struct xc_build_result *result)
{
    struct xc_build_result built = {.domid = XC_DOMID_INVALID};
    struct xc_build b = {
        .h = h,
        .config = config,
        .result = &built,
        .progress = {config->progress, config->progress_context},
        .image = {.fd = -1},
        .ramdisk = -1,
        .domid = XC_DOMID_INVALID,
    };
    int rc = run_steps(&b);

    built.domid = b.domid;
    built.nr_pages = b.layout.nr_pages;
    release(&b);
    if (rc < 0) {
        if (b.domid != XC_DOMID_INVALID) {
            xc_domain_undo(h, b.domid);
        }
        return rc;
    }
    *result = built;
    return 0;
}
