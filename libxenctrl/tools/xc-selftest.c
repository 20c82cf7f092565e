/*
 * xc-selftest: proves libxenctrl on a running hypervisor, and shows how to program against it.
 *
 *   xc-selftest host                       ask the hypervisor everything about itself and the
 * machine xc-selftest probe FILE...              tell what kernels these are; needs no hypervisor
 *   xc-selftest boot [OPTIONS] KERNEL      build a PV guest, show its console, destroy it
 *   xc-selftest bad KERNEL                 failures must leave nothing behind
 *
 * Options of boot: --ramdisk FILE, --cmdline TEXT, --memory MIB, --vcpus N, --cache DIR,
 * --until TEXT (done when the console shows it), --timeout SECONDS, --dump FILE (dump the guest's
 * core at the end), --no-run (build and destroy only), --times N (do it all N times).
 *
 * A line "xc-selftest: ok" or "xc-selftest: FAILED: WHY" ends each run; the exit status says the
 * same. boot also compares the machine's free memory before and after.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libxenctrl/include/xenctrl.h"
#include "libxenctrl/tools/guest.h"

static int failed(const char *what)
{
    printf("xc-selftest: FAILED: %s\n", what);
    return 1;
}

static struct xc_handle *open_or_die(void)
{
    struct xc_handle *h;
    char why[512];

    if (xc_open(&h, why, sizeof(why)) < 0) {
        exit(failed(why));
    }
    return h;
}

static int probe(int n, char **paths)
{
    for (int i = 0; i < n; i++) {
        struct xc_kernel_info info;
        int rc = xc_kernel_probe(NULL, paths[i], "", &info);

        if (rc < 0) {
            printf("%s: no kernel (%s)\n", paths[i], strerror(-rc));
            continue;
        }
        printf("%s: %s, %s %s, %llu KiB unpacked, %llu KiB loaded, %s%s, at least %llu KiB%s\n",
               paths[i], info.format, info.guest_os, info.guest_version,
               (unsigned long long)info.unpacked_bytes >> 10,
               (unsigned long long)info.loaded_bytes >> 10,
               info.pv64 ? "PV" : "not PV: ", info.why_not_pv,
               (unsigned long long)info.min_memory_kib, info.pvh ? ", also PVH" : "");
    }
    return 0;
}

static int show_lists(struct xc_handle *h)
{
    struct xc_cpu_topology *cpus;
    struct xc_domain_info *list;
    struct xc_node_info *nodes;
    uint32_t *distances;
    uint64_t *idle;
    int n = xc_domain_list_all(h, &list);

    if (n < 1) {
        return failed(xc_error(h));
    }
    for (int i = 0; i < n; i++) {
        printf("domain %u: %llu pages, %u virtual CPUs, %llu ms\n", list[i].domid,
               (unsigned long long)list[i].tot_pages, list[i].online_vcpus,
               (unsigned long long)list[i].cpu_time_ns / 1000000);
    }
    free(list);
    n = xc_host_cpu_topology(h, &cpus);
    if (n < 1) {
        return failed(xc_error(h));
    }
    printf("%d CPUs, the last in socket %u, core %u, node %u\n", n, cpus[n - 1].socket,
           cpus[n - 1].core, cpus[n - 1].node);
    free(cpus);
    n = xc_host_numa(h, &nodes, &distances);
    if (n < 1) {
        return failed(xc_error(h));
    }
    printf("%d nodes, node 0 has %llu MiB, distance to itself %u\n", n,
           (unsigned long long)nodes[0].size >> 20, distances[0]);
    free(nodes);
    free(distances);
    n = xc_host_cpu_idle(h, &idle);
    if (n < 1) {
        return failed(xc_error(h));
    }
    printf("CPU 0 was idle for %llu ms\n", (unsigned long long)idle[0] / 1000000);
    free(idle);
    return 0;
}

static int show_scheduling(struct xc_handle *h)
{
    uint8_t hard[64] = {0}, soft[64] = {0};
    size_t size = xc_cpumap_size(h);
    struct xc_sched_domain share;
    struct xc_sched_params params;
    struct xc_cpupool_info pool;
    struct xc_vcpu_info vcpu;
    enum xc_scheduler id;

    if (size > sizeof(hard) || xc_sched_get_id(h, &id) < 0 ||
        xc_sched_domain_get(h, 0, id, &share) < 0 || xc_sched_domain_set(h, 0, id, &share) < 0 ||
        xc_sched_params_get(h, 0, id, &params) < 0 || xc_vcpu_get_info(h, 0, 0, &vcpu) < 0 ||
        xc_vcpu_get_affinity(h, 0, 0, hard, soft, size) < 0 ||
        xc_vcpu_set_affinity(h, 0, 0, hard, soft, size) < 0 ||
        xc_cpupool_get_info(h, 0, &pool, hard, size) < 0) {
        return failed(xc_error(h));
    }
    printf(
        "scheduler %s: domain 0 has weight %u, cap %u; ratelimit %u us; pool %u with %u domains; "
        "CPU map %02x\n",
        xc_scheduler_name(id), share.weight, share.cap, params.ratelimit_us, pool.id,
        pool.nr_domains, hard[0]);
    return 0;
}

static int show_host(void)
{
    struct xc_handle *h = open_or_die();
    struct xc_perf_counter *counters;
    struct xc_version version;
    struct xc_host_info info;
    uint64_t free_bytes, mfns[4];
    uint32_t index = 0;
    char text[4096];
    ssize_t n;

    if (xc_host_version(h, &version) < 0 || xc_host_get_info(h, &info) < 0 ||
        xc_host_free_memory(h, 0, &free_bytes) < 0 || xc_memory_machphys(h, mfns, 4) < 1 ||
        xc_host_debug_keys(h, "h") < 0) {
        return failed(xc_error(h));
    }
    printf("hypervisor %u.%u%s, %s, compiled by %s with %s\ncapabilities: %s\ncommand line: %s\n",
           version.major, version.minor, version.extra, version.changeset, version.compile_by,
           version.compiler, version.capabilities, version.command_line);
    printf("%u CPUs at %u MHz, %llu of %llu MiB free\n", info.nr_cpus, info.cpu_khz / 1000,
           (unsigned long long)free_bytes >> 20, (unsigned long long)info.total_pages >> 8);
    n = xc_host_read_console(h, text, sizeof(text), &index, false);
    if (n <= 0 || index == 0) {
        return failed("the console ring is empty");
    }
    printf("console ring: %zd bytes, it begins with: %.40s\n", n, text);
    if (xc_host_perfc(h, &counters) >= 0) {
        printf("performance counters: the first is %s\n", counters[0].name);
        free(counters);
    } else {
        printf("performance counters: %s\n", xc_error(h));
    }
    if (show_lists(h) != 0 || show_scheduling(h) != 0) {
        return 1;
    }
    if (xc_domain_pause(h, 4711) != -ESRCH) {
        return failed("a domain that isn't there was paused");
    }
    printf("an error: %s\n", xc_error(h));
    xc_close(h);
    printf("xc-selftest: ok\n");
    return 0;
}

/* Failures in every phase must leave no domain and no memory behind. */
static int try_bad(const char *kernel)
{
    static const struct {
        const char *kernel, *ramdisk;
        uint64_t mib;
        int rc;
    } cases[] = {
        {"/nowhere/vmlinuz", NULL, 64, -ENOENT},
        {"/proc/self/exe", NULL, 64, -ENOEXEC},
        {"/dev/null", NULL, 64, -ENOEXEC},
        {NULL, "/nowhere/initrd", 64, -ENOENT},
        {NULL, NULL, 8, -ENOMEM},
        {NULL, NULL, 1 << 24, -ENOMEM},
        {NULL, NULL, 0, -EINVAL},
    };
    struct xc_handle *h = open_or_die();
    struct xc_host_info before, after;
    struct xc_domain_info *list;

    if (xc_host_get_info(h, &before) < 0) {
        return failed(xc_error(h));
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xc_build_config config;
        struct xc_build_result result;
        int rc;

        xc_build_config_init(&config);
        config.kernel = cases[i].kernel != NULL ? cases[i].kernel : kernel;
        config.ramdisk = cases[i].ramdisk;
        config.memory_kib = cases[i].mib * 1024;
        rc = xc_build_pv(h, &config, &result);
        printf("%d: %s\n", rc, xc_error(h));
        if (rc != cases[i].rc) {
            return failed("that was another error than expected");
        }
    }
    if (xc_domain_list_all(h, &list) != 1) {
        return failed("a domain was left behind");
    }
    free(list);
    if (xc_host_get_info(h, &after) < 0 ||
        after.free_pages + after.scrub_pages != before.free_pages + before.scrub_pages) {
        return failed("memory was left behind");
    }
    xc_close(h);
    printf("xc-selftest: ok\n");
    return 0;
}

static int parse_boot(int argc, char **argv, struct boot *boot, int *times)
{
    static const struct option options[] = {
        {"ramdisk", 1, NULL, 'r'}, {"cmdline", 1, NULL, 'c'}, {"memory", 1, NULL, 'm'},
        {"vcpus", 1, NULL, 'v'},   {"cache", 1, NULL, 'C'},   {"until", 1, NULL, 'u'},
        {"timeout", 1, NULL, 't'}, {"dump", 1, NULL, 'd'},    {"no-run", 0, NULL, 'n'},
        {"times", 1, NULL, 'T'},   {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'r':
            boot->config.ramdisk = optarg;
            break;
        case 'c':
            boot->config.cmdline = optarg;
            break;
        case 'm':
            boot->config.memory_kib = strtoull(optarg, NULL, 10) * 1024;
            break;
        case 'v':
            boot->config.domain.max_vcpus = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'C':
            boot->config.cache_dir = optarg;
            break;
        case 'u':
            boot->until = optarg;
            break;
        case 't':
            boot->timeout_s = atoi(optarg);
            break;
        case 'd':
            boot->dump = optarg;
            break;
        case 'n':
            boot->run = false;
            break;
        case 'T':
            *times = atoi(optarg);
            break;
        default:
            return -EINVAL;
        }
    }
    boot->config.kernel = argv[optind];
    return argv[optind] != NULL ? 0 : -EINVAL;
}

/* Pages that the hypervisor may keep in its own pools after the first guests. */
#define POOL_PAGES 16u

/* Is the memory free again? It takes a moment: pages are scrubbed first. */
static int check_free(struct xc_handle *h, const struct xc_host_info *before)
{
    uint64_t was = before->free_pages + before->scrub_pages;
    struct xc_host_info after;

    for (int tries = 0; tries < 50; tries++) {
        if (xc_host_get_info(h, &after) < 0) {
            return -EIO;
        }
        if (after.free_pages + after.scrub_pages + POOL_PAGES >= was) {
            break;
        }
        (void)usleep(100000);
    }
    printf("%llu pages free before, %llu after\n", (unsigned long long)was,
           (unsigned long long)(after.free_pages + after.scrub_pages));
    return after.free_pages + after.scrub_pages + POOL_PAGES >= was ? 0 : -ENOMEM;
}

static int boot_guests(int argc, char **argv)
{
    struct boot boot = {.run = true, .timeout_s = 60};
    struct xc_host_info before;
    struct xc_handle *h;
    int times = 1;

    xc_build_config_init(&boot.config);
    boot.config.memory_kib = 128 * 1024;
    if (parse_boot(argc, argv, &boot, &times) < 0) {
        return failed("usage: xc-selftest boot [OPTIONS] KERNEL");
    }
    h = open_or_die();
    if (xc_host_get_info(h, &before) < 0) {
        return failed(xc_error(h));
    }
    for (int i = 0; i < times; i++) {
        char why[768] = "";

        if (boot_guest(h, &boot, why, sizeof(why)) < 0) {
            return failed(why);
        }
    }
    if (check_free(h, &before) < 0) {
        return failed("memory was left behind");
    }
    xc_close(h);
    printf("xc-selftest: ok\n");
    return 0;
}

int main(int argc, char **argv)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 2 && strcmp(argv[1], "probe") == 0) {
        return probe(argc - 2, argv + 2);
    }
    if (argc == 2 && strcmp(argv[1], "host") == 0) {
        return show_host();
    }
    if (argc == 3 && strcmp(argv[1], "bad") == 0) {
        return try_bad(argv[2]);
    }
    if (argc > 2 && strcmp(argv[1], "boot") == 0) {
        return boot_guests(argc - 1, argv + 1);
    }
    printf("usage: xc-selftest host | probe FILE... | bad KERNEL | boot [OPTIONS] KERNEL\n");
    return 2;
}
