/*
 * xc_build.h: the builder of 64-bit PV domains: from a kernel file to a paused guest.
 *
 * Read xenctrl.h first: its conventions hold here. A kernel is an ELF file or a Linux bzImage; its
 * payload may be compressed with gzip, xz, lzma, zstd or lz4. Kernels are hostile input: every
 * offset is checked and what may be unpacked is limited. An unpacked kernel is kept in a cache, so
 * that only the first creation pays for it.
 */
#ifndef HOSPES_XC_BUILD_H
#define HOSPES_XC_BUILD_H

#include "libxenctrl/include/xc_domain.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where the unpacked kernels are kept when a caller names no other folder. */
#define XC_KERNEL_CACHE "/var/cache/hospes/kernels"

/* The steps of a build, in their order. */
enum xc_build_step {
    XC_STEP_KERNEL, /* read and unpack the kernel; unit: bytes */
    XC_STEP_CREATE, /* create the domain */
    XC_STEP_MEMORY, /* allocate; unit: pages */
    XC_STEP_LOAD,   /* copy kernel and ramdisk, write page tables; unit: pages */
    XC_STEP_START,  /* grants, event channels, registers */
    XC_STEP_COUNT,
};
/* The step as a word, for a progress display. */
const char *xc_build_step_name(enum xc_build_step step);

/*
 * Called now and then during a build: @done of @total units of @step. Returning false cancels the
 * build: it then fails with -ECANCELED and leaves nothing behind.
 */
typedef bool xc_build_progress(void *context, enum xc_build_step step, uint64_t done,
                               uint64_t total);

/* What to build. Start from xc_build_config_init(). */
struct xc_build_config {
    struct xc_domain_config domain; /* domid, UUID, number of virtual CPUs, limits */

    const char *kernel;    /* path of the kernel; required */
    const char *ramdisk;   /* path of the initial ramdisk, or NULL */
    const char *cmdline;   /* kernel command line, or NULL; at most 1023 bytes */
    const char *cache_dir; /* NULL: XC_KERNEL_CACHE; "": no cache */

    uint64_t memory_kib; /* memory it starts with, a multiple of 4 */
    uint64_t maxmem_kib; /* memory it can ever have; 0: as memory_kib */

    uint32_t console_domid;  /* who serves its console: usually 0 */
    uint32_t xenstore_domid; /* who serves its store: usually 0 */

    xc_build_progress *progress; /* or NULL */
    void *progress_context;
};

/* Fill @config with the defaults: one virtual CPU, backends in Domain 0, no limits changed. */
void xc_build_config_init(struct xc_build_config *config);

/* What was built. */
struct xc_build_result {
    uint32_t domid;
    uint32_t xenstore_port;          /* the guest's port, for xenstored's INTRODUCE */
    uint64_t xenstore_mfn;           /* machine frame of the xenstore ring (store/ring-ref) */
    uint32_t console_port;           /* the guest's port (console/port) */
    uint64_t console_mfn;            /* machine frame of the console ring (console/ring-ref) */
    uint64_t nr_pages;               /* pages it has */
    bool kernel_was_cached;          /* the unpacked kernel came from the cache */
    char guest_os[32];               /* what the kernel says it is: "linux", "GRUB" */
    char guest_version[32];          /* "2.6" */
    char loader[16];                 /* what it is for the hypervisor: "generic" */
    uint64_t step_ns[XC_STEP_COUNT]; /* how long each step took */
};

/*
 * Create a PV domain and build it. It is left paused, with its virtual CPU 0 ready at the kernel's
 * entry, console and xenstore pages and ports prepared and granted: write its xenstore nodes,
 * introduce it to xenstored, then xc_domain_unpause().
 *
 * Nothing is touched until kernel, ramdisk and the amount of free memory have been checked. On
 * failure the domain is destroyed and nothing is left behind.
 *
 * Errors: -ENOENT and what else open() says of kernel or ramdisk; -ENOEXEC: no kernel, a damaged
 * one, or one that cannot run as a 64-bit PV guest; -EFBIG: kernel or ramdisk larger than the
 * guest's memory or than the limits; -ENOMEM: not enough memory free; -ECANCELED; -EINVAL: a bad
 * configuration; what xc_domain_create() returns.
 */
XC_MUST_CHECK int xc_build_pv(struct xc_handle *h, const struct xc_build_config *config,
                              struct xc_build_result *result);

/* What a kernel file is, found without a domain. */
struct xc_kernel_info {
    char format[24];   /* "ELF", "bzImage (xz)" ... */
    char guest_os[32]; /* from the ELF notes; "" if it has none */
    char guest_version[32];
    bool pv64;               /* it can run as a 64-bit PV guest */
    bool pvh;                /* it has a PVH entry point */
    char why_not_pv[160];    /* otherwise the reason */
    uint64_t unpacked_bytes; /* size of the unpacked file */
    uint64_t loaded_bytes;   /* what its segments occupy in the guest */
    uint64_t min_memory_kib; /* least memory it can be built with, without a ramdisk */
};

/*
 * Look at a kernel without creating anything (but its entry in the cache). -ENOENT...: it can't be
 * read; -ENOEXEC: it is no kernel. A kernel for something else is a success with pv64 false.
 */
XC_MUST_CHECK int xc_kernel_probe(struct xc_handle *h, const char *path, const char *cache_dir,
                                  struct xc_kernel_info *info);

/*
 * Put a kernel into the cache now, so that no build has to unpack it. progress (or NULL) is called
 * as for a build, with XC_STEP_KERNEL; false from it stops: -ECANCELED. 0: it is there, or needs no
 * unpacking. Whoever builds with the same kernel meanwhile waits.
 */
XC_MUST_CHECK int xc_kernel_prepare(const char *path, const char *cache_dir,
                                    xc_build_progress *progress, void *context);

#ifdef __cplusplus
}
#endif

#endif /* HOSPES_XC_BUILD_H */
