/*
 * libxenctrl for tests: a hypervisor in a file. Read xend_fake.h first.
 */
#include "tests/unit/xend_fake.h"

#include "libxenctrl/include/xenctrl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct xc_handle {
    char error[256];
};

static struct fake_hv *hv;
static __thread int lock_fd = -1;

static const char *folder(void)
{
    const char *path = getenv("XEND_FAKE");

    return path ? path : ".";
}

struct fake_hv *fake_hv(void)
{
    char path[256];
    int fd;

    if (hv != NULL) {
        return hv;
    }
    snprintf(path, sizeof(path), "%s/hypervisor", folder());
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(*hv)) != 0) {
        abort();
    }
    hv = mmap(NULL, sizeof(*hv), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (hv == MAP_FAILED) {
        abort();
    }
    fake_lock();
    if (hv->total_pages == 0) {
        hv->total_pages = 4096ull * 256;
        hv->guest_pages = 3072ull * 256;
        hv->next_domid = 1;
        hv->domains[0] = (struct fake_domain){
            .used = true, .vcpus = 2, .pages = 1024 * 256, .max_pages = 1024 * 256, .weight = 256};
    }
    fake_unlock();
    return hv;
}

void fake_lock(void)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/hypervisor.lock", folder());
    lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    while (flock(lock_fd, LOCK_EX) != 0) {
    }
}

void fake_unlock(void)
{
    close(lock_fd);
    lock_fd = -1;
}

struct fake_domain *fake_find(uint32_t domid)
{
    for (unsigned i = 0; i < FAKE_DOMAINS; i++) {
        if (fake_hv()->domains[i].used && hv->domains[i].domid == domid) {
            return &hv->domains[i];
        }
    }
    return NULL;
}

static uint64_t free_pages(void)
{
    uint64_t used = 0;

    for (unsigned i = 1; i < FAKE_DOMAINS; i++) {
        used += fake_hv()->domains[i].used ? hv->domains[i].pages : 0;
    }
    return hv->guest_pages - used;
}

uint64_t fake_free_pages(void)
{
    uint64_t n;

    fake_lock();
    n = free_pages();
    fake_unlock();
    return n;
}

unsigned fake_guests(void)
{
    unsigned n = 0;

    fake_lock();
    for (unsigned i = 1; i < FAKE_DOMAINS; i++) {
        n += fake_hv()->domains[i].used;
    }
    fake_unlock();
    return n;
}

/* The fake store learns of domains through files: see xenstored/platform_fake.c. */
static void store_file(const char *kind, uint32_t domid, const char *text)
{
    char path[256];
    int fd;

    snprintf(path, sizeof(path), "%s/%s%u", folder(), kind, domid);
    if (text == NULL) {
        unlink(path);
        return;
    }
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (write(fd, text, strlen(text)) < 0 || (kind[0] == 'r' && ftruncate(fd, 4096) != 0)) {
        abort();
    }
    close(fd);
}

static void raise_virq(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    uint32_t port = 1;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/evtchn", folder());
    sendto(fd, &port, sizeof(port), MSG_DONTWAIT, (struct sockaddr *)&addr, sizeof(addr));
    close(fd);
}

void fake_end(uint32_t domid, uint32_t reason)
{
    struct fake_domain *d;

    fake_lock();
    d = fake_find(domid);
    if (d != NULL && !d->shutdown) {
        d->shutdown = true;
        d->reason = reason;
        store_file("dom-", domid, "stopped");
    }
    fake_unlock();
    raise_virq();
}

static int refuse(struct xc_handle *h, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(struct xc_handle *h, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(h->error, sizeof(h->error), fmt, ap);
    va_end(ap);
    return -code;
}

int xc_open(struct xc_handle **out, char *why, size_t why_size)
{
    fake_hv();
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : -ENOMEM;
}

void xc_close(struct xc_handle *h)
{
    free(h);
}

const char *xc_error(const struct xc_handle *h)
{
    return h->error;
}

static void tell(const struct fake_domain *d, struct xc_domain_info *info)
{
    memset(info, 0, sizeof(*info));
    info->domid = d->domid;
    memcpy(info->uuid, d->uuid, 16);
    info->dying = d->dying;
    info->shutdown = d->shutdown;
    info->shutdown_reason = (enum xc_shutdown_reason)d->reason;
    info->paused = d->paused;
    info->blocked = !d->paused;
    info->tot_pages = d->pages;
    info->max_pages = d->max_pages;
    info->online_vcpus = d->vcpus;
    info->max_vcpu_id = d->vcpus - 1;
    info->cpu_time_ns = 1500000000;
}

int xc_domain_get_info(struct xc_handle *h, uint32_t domid, struct xc_domain_info *info)
{
    struct fake_domain *d;

    fake_lock();
    d = fake_find(domid);
    if (d != NULL) {
        tell(d, info);
    }
    fake_unlock();
    return d ? 0 : refuse(h, ESRCH, "There is no domain %u.", domid);
}

static int by_domid(const void *a, const void *b)
{
    const struct xc_domain_info *x = a, *y = b;

    return x->domid < y->domid ? -1 : x->domid > y->domid;
}

static void give_back(struct fake_domain *d)
{
    store_file("dom-", d->domid, NULL);
    store_file("ring-", d->domid, NULL);
    memset(d, 0, sizeof(*d));
}

int xc_domain_list_all(struct xc_handle *h, struct xc_domain_info **infos)
{
    int n = 0;

    *infos = calloc(FAKE_DOMAINS, sizeof(**infos));
    fake_lock();
    for (unsigned i = 0; i < FAKE_DOMAINS; i++) {
        if (fake_hv()->domains[i].used) {
            tell(&hv->domains[i], &(*infos)[n++]);
            if (hv->domains[i].dying && --hv->domains[i].looks == 0) {
                give_back(&hv->domains[i]);
            }
        }
    }
    fake_unlock();
    qsort(*infos, (size_t)n, sizeof(**infos), by_domid);
    return n;
}

void xc_build_config_init(struct xc_build_config *config)
{
    memset(config, 0, sizeof(*config));
    config->domain.max_vcpus = 1;
}

const char *xc_build_step_name(enum xc_build_step step)
{
    static const char *const names[] = {"kernel", "create", "memory", "load", "start", "?"};

    return names[step];
}

static struct fake_domain *take_slot(void)
{
    for (unsigned i = 1; i < FAKE_DOMAINS; i++) {
        if (!hv->domains[i].used) {
            return &hv->domains[i];
        }
    }
    return NULL;
}

int xc_build_pv(struct xc_handle *h, const struct xc_build_config *config,
                struct xc_build_result *result)
{
    uint64_t pages = config->memory_kib / 4;
    struct fake_domain *d;
    uint32_t domid;

    if (access(config->kernel, R_OK) != 0) {
        return refuse(h, ENOENT, "The kernel %s cannot be read.", config->kernel);
    }
    fake_lock();
    d = take_slot();
    if (d == NULL || free_pages() < pages) {
        fake_unlock();
        return refuse(h, ENOMEM, "The hypervisor has no memory for it.");
    }
    domid = hv->next_domid++;
    *d = (struct fake_domain){.used = true,
                              .paused = true,
                              .domid = domid,
                              .vcpus = config->domain.max_vcpus,
                              .pages = pages,
                              .max_pages = pages,
                              .weight = 256,
                              .deaf = hv->new_deaf,
                              .stubborn = hv->new_stubborn};
    memcpy(d->uuid, config->domain.uuid, 16);
    hv->built++;
    store_file("dom-", domid, "");
    store_file("ring-", domid, "");
    fake_unlock();
    for (uint32_t ms = 0; ms <= hv->build_ms; ms++) {
        if (config->progress &&
            !config->progress(config->progress_context, XC_STEP_MEMORY, ms, hv->build_ms + 1)) {
            fake_lock();
            give_back(d);
            fake_unlock();
            return refuse(h, ECANCELED, "Cancelled.");
        }
        usleep(ms < hv->build_ms ? 1000 : 0);
    }
    memset(result, 0, sizeof(*result));
    result->domid = domid;
    result->xenstore_port = domid + 100;
    result->xenstore_mfn = domid + 1000;
    result->console_port = domid + 200;
    result->console_mfn = domid + 2000;
    result->nr_pages = pages;
    return 0;
}

int xc_kernel_probe(struct xc_handle *h, const char *path, const char *cache_dir,
                    struct xc_kernel_info *info)
{
    memset(info, 0, sizeof(*info));
    info->pv64 = true;
    return access(path, R_OK) == 0 ? 0 : refuse(h, ENOENT, "The kernel %s cannot be read.", path);
}

int xc_kernel_prepare(const char *path, const char *cache_dir, xc_build_progress *progress,
                      void *context)
{
    return access(path, R_OK) == 0 ? 0 : -ENOENT;
}

int xc_domain_destroy(struct xc_handle *h, uint32_t domid)
{
    struct fake_domain *d;

    fake_lock();
    d = fake_find(domid);
    if (d != NULL && hv->dying_looks > 0) {
        d->dying = true;
        d->looks = hv->dying_looks;
        store_file("dom-", domid, "dying");
    } else if (d != NULL) {
        give_back(d);
    }
    fake_unlock();
    raise_virq();
    return d ? 0 : refuse(h, ESRCH, "There is no domain %u.", domid);
}

int fake_destroy(uint32_t domid)
{
    struct xc_handle h;

    return xc_domain_destroy(&h, domid);
}

#define WITH_DOMAIN(statement) \
    struct fake_domain *d;     \
    fake_lock();               \
    d = fake_find(domid);      \
    if (d != NULL) {           \
        statement;             \
    }                          \
    fake_unlock();             \
    return d ? 0 : refuse(h, ESRCH, "There is no domain %u.", domid)

int xc_domain_pause(struct xc_handle *h, uint32_t domid)
{
    WITH_DOMAIN(d->paused = true);
}

int xc_domain_unpause(struct xc_handle *h, uint32_t domid)
{
    WITH_DOMAIN((d->paused = false, d->runs++));
}

int xc_domain_set_uuid(struct xc_handle *h, uint32_t domid, const uint8_t uuid[16])
{
    WITH_DOMAIN(memcpy(d->uuid, uuid, 16));
}

int xc_domain_max_mem(struct xc_handle *h, uint32_t domid, uint64_t kib)
{
    WITH_DOMAIN(d->max_pages = kib / 4);
}

int xc_domain_dump_core(struct xc_handle *h, uint32_t domid, int fd, xc_dump_progress *progress,
                        void *context)
{
    if (write(fd, "core", 4) != 4) {
        return refuse(h, EIO, "The dump is not written.");
    }
    return 0;
}

int xc_host_get_info(struct xc_handle *h, struct xc_host_info *info)
{
    memset(info, 0, sizeof(*info));
    info->nr_cpus = 4;
    info->max_cpu_id = 3;
    info->nr_nodes = 1;
    info->cpu_khz = 2000000;
    info->total_pages = fake_hv()->total_pages;
    info->free_pages = fake_free_pages();
    return 0;
}

int xc_host_version(struct xc_handle *h, struct xc_version *version)
{
    memset(version, 0, sizeof(*version));
    version->major = 4;
    version->minor = 17;
    strcpy(version->capabilities, "xen-3.0-x86_64");
    return 0;
}

ssize_t xc_host_read_console(struct xc_handle *h, char *buffer, size_t size, uint32_t *index,
                             bool clear)
{
    memcpy(buffer, "(XEN) \033hello\n", 13);
    return 13;
}

int xc_host_debug_keys(struct xc_handle *h, const char *keys)
{
    return 0;
}

size_t xc_cpumap_size(struct xc_handle *h)
{
    return 1;
}

int xc_vcpu_get_info(struct xc_handle *h, uint32_t domid, uint32_t vcpu, struct xc_vcpu_info *info)
{
    memset(info, 0, sizeof(*info));
    WITH_DOMAIN(info->online = vcpu < d->vcpus);
}

int xc_vcpu_get_affinity(struct xc_handle *h, uint32_t domid, uint32_t vcpu, uint8_t *hard,
                         uint8_t *soft, size_t size)
{
    WITH_DOMAIN(memset(hard, 0xff, size));
}

int xc_vcpu_set_affinity(struct xc_handle *h, uint32_t domid, uint32_t vcpu, const uint8_t *hard,
                         const uint8_t *soft, size_t size)
{
    if ((hard[0] & 0xf) == 0) {
        return refuse(h, EINVAL, "None of these CPUs is there.");
    }
    WITH_DOMAIN((void)0);
}

int xc_sched_get_id(struct xc_handle *h, enum xc_scheduler *id)
{
    *id = XC_SCHED_CREDIT2;
    return 0;
}

const char *xc_scheduler_name(enum xc_scheduler id)
{
    return "credit2";
}

int xc_sched_domain_get(struct xc_handle *h, uint32_t domid, enum xc_scheduler scheduler,
                        struct xc_sched_domain *share)
{
    WITH_DOMAIN((share->weight = (uint16_t)d->weight, share->cap = (uint16_t)d->cap));
}

int xc_sched_domain_set(struct xc_handle *h, uint32_t domid, enum xc_scheduler scheduler,
                        const struct xc_sched_domain *share)
{
    WITH_DOMAIN((d->weight = share->weight, d->cap = share->cap));
}
