/*
 * test_calls.c: each wrapper makes exactly the hypercall that it promises, tells failures in a
 * sentence, and leaves its out-parameters alone then.
 *
 * The fake hypervisor keeps the last domctl and sysctl as they came; it also fails the test when an
 * argument isn't in a hypercall buffer.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "tests/unit/libxenctrl/fake.h"
#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/sched.h>

static struct xc_handle *h;

static int set_up(void **state)
{
    fake_reset();
    h = fake_open();
    fake.domains[3].exists = true;
    fake.domains[3].vcpus = fake.domains[3].create.max_vcpus = 2;
    fake.domains[3].tot_pages = 5;
    fake.domains[3].address_size = 64;
    memset(fake.domains[3].create.handle, 3, 16);
    return 0;
}

static int tear_down(void **state)
{
    fake.domains[3].exists = false;
    xc_close(h);
    fake_check_clean();
    return 0;
}

/* The last domctl had this command, for domain 3. */
static void expect_domctl(int rc, uint32_t cmd)
{
    assert_int_equal(rc, 0);
    assert_int_equal(fake.domctl.cmd, cmd);
    assert_int_equal(fake.domctl.interface_version, 0x15);
    assert_int_equal(fake.domctl.domain, 3);
}

static void expect_sysctl(int rc, uint32_t cmd)
{
    assert_true(rc >= 0);
    assert_int_equal(fake.sysctl.cmd, cmd);
    assert_int_equal(fake.sysctl.interface_version, 0x15);
}

static void test_life(void **state)
{
    expect_domctl(xc_domain_unpause(h, 3), XEN_DOMCTL_unpausedomain);
    expect_domctl(xc_domain_pause(h, 3), XEN_DOMCTL_pausedomain);
    expect_domctl(xc_domain_resume(h, 3), XEN_DOMCTL_resumedomain);
    expect_domctl(xc_domain_max_vcpus(h, 3, 2), XEN_DOMCTL_max_vcpus);
    assert_int_equal(fake.domctl.u.max_vcpus.max, 2);
    expect_domctl(xc_domain_max_mem(h, 3, 1 << 20), XEN_DOMCTL_max_mem);
    assert_int_equal(fake.domctl.u.max_mem.max_memkb, 1 << 20);
    expect_domctl(xc_domain_set_uuid(h, 3, (const uint8_t *)"0123456789abcdef"),
                  XEN_DOMCTL_setdomainhandle);
    assert_memory_equal(fake.domctl.u.setdomainhandle.handle, "0123456789abcdef", 16);
    expect_domctl(xc_domain_set_target(h, 3, 9), XEN_DOMCTL_set_target);
    assert_int_equal(fake.domctl.u.set_target.target, 9);
    expect_domctl(xc_domain_set_time_offset(h, 3, -5), XEN_DOMCTL_settimeoffset);
    assert_int_equal(fake.domctl.u.settimeoffset.time_offset_seconds, -5);
    expect_domctl(xc_domain_set_tsc(h, 3, 1, 1000), XEN_DOMCTL_settscinfo);
    assert_int_equal(fake.domctl.u.tsc_info.tsc_mode, 1);
    assert_int_equal(fake.domctl.u.tsc_info.gtsc_khz, 1000);
    assert_int_equal(xc_domain_shutdown(h, 3, XC_SHUTDOWN_CRASH), 0);
    assert_int_equal(fake.last_op, SCHEDOP_remote_shutdown);
    assert_int_equal(((struct sched_remote_shutdown *)(void *)fake.last_arg)->domain_id, 3);
    assert_int_equal(((struct sched_remote_shutdown *)(void *)fake.last_arg)->reason,
                     SHUTDOWN_crash);
    assert_int_equal(xc_watchdog(h, 0, 30), 5);
    assert_int_equal(((struct sched_watchdog *)(void *)fake.last_arg)->timeout, 30);
    expect_domctl(xc_domain_destroy(h, 3), XEN_DOMCTL_destroydomain);
    assert_false(fake.domains[3].exists);
}

static void test_create(void **state)
{
    struct xc_domain_config c;
    uint32_t domid = 0;

    xc_domain_config_init(&c);
    c.max_vcpus = 4;
    c.ssidref = 6;
    c.cpupool = 2;
    c.grant_frames = 64;
    c.relaxed_msr = true;
    assert_int_equal(xc_domain_create(h, &c, &domid), 0);
    assert_int_equal(domid, 1);
    assert_int_equal(fake.domains[1].vcpus, 4);
    assert_int_equal(fake.domains[1].create.flags, 0);
    assert_int_equal(fake.domains[1].create.ssidref, 6);
    assert_int_equal(fake.domains[1].create.cpupool_id, 2);
    assert_int_equal(fake.domains[1].create.max_grant_frames, 64);
    assert_int_equal(fake.domains[1].create.max_maptrack_frames, -1);
    assert_int_equal(fake.domains[1].create.grant_opts, 2);
    assert_int_equal(fake.domains[1].create.arch.misc_flags, XEN_X86_MSR_RELAXED);
    c.domid = 3;
    assert_int_equal(xc_domain_create(h, &c, &domid), -EEXIST);
    assert_non_null(strstr(xc_error(h), "number 3 is taken"));
    c.domid = 0x7ff0;
    assert_int_equal(xc_domain_create(h, &c, &domid), -EINVAL);
    c.domid = 0;
    c.max_vcpus = 0;
    assert_int_equal(xc_domain_create(h, &c, &domid), -EINVAL);
    assert_int_equal(domid, 1);
    assert_int_equal(xc_domain_destroy(h, 1), 0);
}

static void test_permissions(void **state)
{
    expect_domctl(xc_domain_iomem_permission(h, 3, 0xfee00, 2, true), XEN_DOMCTL_iomem_permission);
    assert_int_equal(fake.domctl.u.iomem_permission.first_mfn, 0xfee00);
    assert_int_equal(fake.domctl.u.iomem_permission.nr_mfns, 2);
    assert_int_equal(fake.domctl.u.iomem_permission.allow_access, 1);
    expect_domctl(xc_domain_ioport_permission(h, 3, 0x3f8, 8, false), XEN_DOMCTL_ioport_permission);
    assert_int_equal(fake.domctl.u.ioport_permission.first_port, 0x3f8);
    assert_int_equal(fake.domctl.u.ioport_permission.nr_ports, 8);
    assert_int_equal(fake.domctl.u.ioport_permission.allow_access, 0);
    expect_domctl(xc_domain_irq_permission(h, 3, 19, true), XEN_DOMCTL_irq_permission);
    assert_int_equal(fake.domctl.u.irq_permission.pirq, 19);
    expect_domctl(xc_domain_trigger(h, 3, XC_TRIGGER_NMI, 1), XEN_DOMCTL_sendtrigger);
    assert_int_equal(fake.domctl.u.sendtrigger.vcpu, 1);
    expect_domctl(xc_domain_set_debugging(h, 3, true), XEN_DOMCTL_setdebugging);
    expect_domctl(xc_domain_set_virq_handler(h, 3, 3), XEN_DOMCTL_set_virq_handler);
    assert_int_equal(fake.domctl.u.set_virq_handler.virq, 3);
}

static void test_hvm_params(void **state)
{
    const struct xen_hvm_param *p = (void *)fake.last_arg;
    uint64_t value = 0;

    assert_int_equal(xc_hvm_param_set(h, 3, 17, 99), 0);
    assert_int_equal(fake.last_op, HVMOP_set_param);
    assert_int_equal(p->domid, 3);
    assert_int_equal(p->index, 17);
    assert_int_equal(p->value, 99);
    assert_int_equal(xc_hvm_param_get(h, 3, 17, &value), 0);
    assert_int_equal(value, 0x1234);
}

static void test_info(void **state)
{
    struct xc_domain_info info = {.domid = 77};

    assert_int_equal(xc_domain_get_info(h, 3, &info), 0);
    assert_int_equal(info.domid, 3);
    assert_int_equal(info.tot_pages, 5);
    assert_int_equal(info.uuid[0], 3);
    assert_true(info.running);
    assert_false(info.shutdown);
    assert_int_equal(info.max_vcpu_id, 1);
    assert_int_equal(info.cpu_time_ns, 1003);
    info.domid = 77;
    assert_int_equal(xc_domain_get_info(h, 4, &info), -ESRCH); /* the fake answers for another */
    assert_int_equal(info.domid, 77);
}

static void test_list(void **state)
{
    struct xc_domain_info list[4], *all;

    assert_int_equal(xc_domain_list(h, 0, list, 4), 2);
    assert_int_equal(list[0].domid, 0);
    assert_int_equal(list[1].domid, 3);
    assert_int_equal(xc_domain_list(h, 1, list, 1), 1);
    assert_int_equal(list[0].domid, 3);
    assert_int_equal(xc_domain_list(h, 4, list, 4), 0);
    assert_int_equal(xc_domain_list_all(h, &all), 2);
    assert_int_equal(all[1].domid, 3);
    free(all);
}

/* The largest number in 16 bits and beyond must never reach a real domain. */
static void test_huge_domids(void **state)
{
    struct xc_domain_info info;

    assert_int_equal(xc_domain_destroy(h, 65536), -ESRCH);
    assert_int_equal(xc_domain_destroy(h, 65536 + 3), -ESRCH);
    assert_int_equal(fake.domctl.domain, DOMID_INVALID);
    assert_int_equal(xc_domain_get_info(h, 0xffffffff, &info), -ESRCH);
    assert_true(fake.domains[3].exists);
    assert_true(fake.domains[0].exists);
}

static void test_vcpus(void **state)
{
    uint8_t hard[1] = {0xff}, soft[1] = {0xff}, none[1] = {0};
    struct vcpu_guest_context in = {.flags = 5, .user_regs = {.rip = 0x1234}}, out;
    struct xc_vcpu_info info;

    expect_domctl(xc_vcpu_get_info(h, 3, 1, &info), XEN_DOMCTL_getvcpuinfo);
    assert_int_equal(fake.domctl.u.getvcpuinfo.vcpu, 1);
    expect_domctl(xc_vcpu_set_context(h, 3, 0, &in), XEN_DOMCTL_setvcpucontext);
    assert_int_equal(fake.domains[3].context.user_regs.rip, 0x1234);
    expect_domctl(xc_vcpu_get_context(h, 3, 0, &out), XEN_DOMCTL_getvcpucontext);
    assert_memory_equal(&in, &out, sizeof(in));
    assert_int_equal(xc_vcpu_get_context(h, 3, 1, &out), -ESRCH);
    assert_int_equal(xc_cpumap_size(h), 1);
    expect_domctl(xc_vcpu_get_affinity(h, 3, 1, hard, soft, 1), XEN_DOMCTL_getvcpuaffinity);
    assert_int_equal(hard[0], 2);
    assert_int_equal(soft[0], 3);
    expect_domctl(xc_vcpu_set_affinity(h, 3, 1, hard, NULL, 1), XEN_DOMCTL_setvcpuaffinity);
    assert_int_equal(fake.domctl.u.vcpuaffinity.flags, XEN_VCPUAFFINITY_HARD);
    assert_int_equal(fake.domctl.u.vcpuaffinity.cpumap_hard.nr_bits, 8);
    assert_int_equal(xc_vcpu_set_affinity(h, 3, 1, none, NULL, 1), -EINVAL);
    assert_non_null(strstr(xc_error(h), "none of them is online"));
    assert_int_equal(xc_vcpu_set_affinity(h, 3, 1, none, NULL, 0), -EINVAL);
}

static void test_scheduler(void **state)
{
    struct xc_sched_domain share = {.weight = 512, .cap = 50};
    struct xc_sched_params params = {.ratelimit_us = 2000};
    enum xc_scheduler id;

    expect_sysctl(xc_sched_get_id(h, &id), XEN_SYSCTL_sched_id);
    assert_string_equal(xc_scheduler_name(id), "credit2");
    expect_domctl(xc_sched_domain_set(h, 3, XC_SCHED_CREDIT2, &share), XEN_DOMCTL_scheduler_op);
    assert_int_equal(fake.domctl.u.scheduler_op.cmd, XEN_DOMCTL_SCHEDOP_putinfo);
    assert_int_equal(fake.domctl.u.scheduler_op.sched_id, XEN_SCHEDULER_CREDIT2);
    assert_int_equal(fake.domctl.u.scheduler_op.u.credit2.weight, 512);
    assert_int_equal(fake.domctl.u.scheduler_op.u.credit2.cap, 50);
    expect_domctl(xc_sched_domain_set(h, 3, XC_SCHED_CREDIT, &share), XEN_DOMCTL_scheduler_op);
    assert_int_equal(fake.domctl.u.scheduler_op.u.credit.weight, 512);
    share.weight = 0;
    assert_int_equal(xc_sched_domain_set(h, 3, XC_SCHED_CREDIT, &share), -EINVAL);
    assert_int_equal(xc_sched_domain_get(h, 3, XC_SCHED_RTDS, &share), -EINVAL);
    expect_sysctl(xc_sched_params_set(h, 1, XC_SCHED_CREDIT2, &params), XEN_SYSCTL_scheduler_op);
    assert_int_equal(fake.sysctl.u.scheduler_op.cpupool_id, 1);
    assert_int_equal(fake.sysctl.u.scheduler_op.u.sched_credit2.ratelimit_us, 2000);
}

static void test_host(void **state)
{
    struct xc_cpu_topology *cpus;
    struct xc_node_info *nodes;
    struct xc_version version;
    uint32_t *distances;
    uint64_t *idle, bytes;

    assert_int_equal(xc_host_cpu_topology(h, &cpus), 2);
    assert_int_equal(cpus[1].core, 1);
    free(cpus);
    assert_int_equal(xc_host_numa(h, &nodes, &distances), 1);
    assert_int_equal(nodes[0].size, 128 << 20);
    assert_int_equal(distances[0], 10);
    free(nodes);
    free(distances);
    assert_int_equal(xc_host_numa(h, &nodes, NULL), 1);
    free(nodes);
    assert_int_equal(xc_host_cpu_idle(h, &idle), 2);
    assert_int_equal(idle[1], 77);
    free(idle);
    assert_int_equal(xc_host_free_memory(h, 32, &bytes), 0);
    assert_int_equal(fake.sysctl.u.availheap.max_bitwidth, 32);
    assert_int_equal(fake.sysctl.u.availheap.node, -1);
    assert_int_equal(xc_host_version(h, &version), 0);
    assert_int_equal(version.major, 4);
    assert_int_equal(version.minor, 17);
    assert_string_equal(version.extra, ".5");
    assert_string_equal(version.command_line, ""); /* denied */
    assert_int_equal(version.page_size, 4096);
    expect_sysctl(xc_host_debug_keys(h, "qz"), XEN_SYSCTL_debug_keys);
    assert_int_equal(fake.sysctl.u.debug_keys.nr_keys, 2);
}

static void test_counters_and_pools(void **state)
{
    struct xc_perf_counter *counters;
    struct xc_cpupool_info pool;
    uint8_t map[1];

    assert_int_equal(xc_host_perfc(h, &counters), 2);
    assert_int_equal(strlen(counters[0].name), 80);
    assert_int_equal(counters[0].count, 2);
    assert_int_equal(counters[0].values[1], 11);
    assert_string_equal(counters[1].name, "second");
    assert_int_equal(counters[1].count, 1);
    assert_int_equal(counters[1].values[0], 12);
    free(counters);
    assert_int_equal(xc_host_perfc_reset(h), 0);
    assert_int_equal(fake.sysctl.u.perfc_op.cmd, XEN_SYSCTL_PERFCOP_reset);
    assert_int_equal(xc_cpupool_get_info(h, 0, &pool, map, 1), 0);
    assert_int_equal(pool.scheduler, XC_SCHED_CREDIT);
    assert_int_equal(pool.nr_domains, 4);
    assert_int_equal(map[0], 3);
    assert_int_equal(xc_cpupool_get_info(h, 1, &pool, map, 1), -ENOENT);
}

/* A PV guest sees the machine's topology, and no promise of an invariant time stamp counter. */
static void test_cpu_policy(void **state)
{
    const xen_cpuid_leaf_t *leaves = fake.domains[3].leaves;

    assert_int_equal(xc_domain_default_cpu_policy(h, 3), 0);
    assert_int_equal(fake.domains[3].nr_leaves, 3);
    assert_int_equal(leaves[0].d, 1 | 1u << 28); /* the machine has HTT */
    assert_int_equal(leaves[1].c, 0);            /* but not CMP_LEGACY */
    assert_int_equal(leaves[2].d, 0);
}

static void test_console(void **state)
{
    uint32_t index = 0;
    char text[64];

    assert_int_equal(xc_host_read_console(h, text, 5, &index, false), 5);
    assert_memory_equal(text, "(XEN)", 5);
    assert_int_equal(index, 5);
    assert_int_equal(fake.sysctl.u.readconsole.incremental, 1);
    assert_int_equal(xc_host_read_console(h, text, sizeof(text), &index, false), 7);
    assert_int_equal(xc_host_read_console(h, text, sizeof(text), &index, false), 0);
    assert_int_equal(xc_host_read_console(h, text, sizeof(text), NULL, true), 12);
    assert_int_equal(fake.sysctl.u.readconsole.clear, 1);
    assert_int_equal(fake.sysctl.u.readconsole.incremental, 0);
}

static void test_memory(void **state)
{
    const struct xen_memory_reservation *r = (void *)fake.last_arg;
    uint64_t frames[2] = {10, 11}, in[512] = {0}, out[1] = {7}, gfn;

    fake.domains[3].max_mem_kib = 1 << 20;
    assert_int_equal(xc_memory_populate(h, 3, frames, 2, 0, 0), 2);
    assert_int_equal(fake.last_op, XENMEM_populate_physmap);
    assert_int_equal(r->domid, 3);
    assert_int_equal(r->nr_extents, 2);
    assert_int_equal(fake.owner[frames[1]], 3);
    assert_int_equal(xc_memory_decrease(h, 3, frames, 2, 0), 2);
    assert_int_equal(fake.last_op, XENMEM_decrease_reservation);
    assert_int_equal(xc_memory_increase(h, 3, frames, 1, 9, XENMEMF_address_bits(32)), 1);
    assert_int_equal(r->extent_order, 9);
    assert_int_equal(r->mem_flags, 32);
    assert_int_equal(xc_memory_populate(h, 5, frames, 2, 0, 0), -ESRCH);
    fake.domains[3].max_mem_kib = fake.domains[3].tot_pages * 4 + 4;
    assert_int_equal(xc_memory_populate(h, 3, frames, 2, 0, 0), 1); /* part of it */
    assert_non_null(strstr(xc_error(h), "1 of 2"));
    assert_int_equal(xc_memory_exchange(h, 3, in, 512, 0, out, 1, 9, 32), 0);
    assert_int_equal(out[0], 4096);
    assert_int_equal(((struct xen_memory_exchange *)(void *)fake.last_arg)->in.nr_extents, 512);
    assert_int_equal(((struct xen_memory_exchange *)(void *)fake.last_arg)->out.extent_order, 9);
    assert_int_equal(xc_memory_maximum_gfn(h, 3, &gfn), 0);
    assert_int_equal(gfn, 4095);
    assert_int_equal(xc_memory_machphys(h, in, 8), 1);
    assert_int_equal(in[0], 99);
    assert_int_equal(xc_memory_claim(h, 3, 1ull << 40), -ENOMEM);
    assert_int_equal(xc_domain_destroy(h, 3), 0);
}

/* Every failure of the hypervisor is a sentence that begins with a capital and ends with a stop. */
static void test_sentences(void **state)
{
    static const int codes[] = {-EPERM, -ENOMEM, -ENOSYS, -EINVAL, -EBUSY, -EOPNOTSUPP, -EIO};

    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        const char *e;

        fake.result = codes[i];
        assert_int_equal(xc_domain_pause(h, 3), codes[i]);
        e = xc_error(h);
        assert_in_range(e[0], 'A', 'Z');
        assert_int_equal(e[strlen(e) - 1], '.');
        assert_null(strchr(e, '\n'));
    }
}

static void test_open(void **state)
{
    struct xc_handle *other = (void *)1;
    char why[256];

    fake.result = -EACCES;
    assert_int_equal(xc_open(&other, why, sizeof(why)), -EPROTO);
    assert_null(other);
    assert_non_null(strstr(why, "0x15"));
    fake.result = -EPERM;
    assert_int_equal(xc_open(&other, why, sizeof(why)), -EPERM);
    fake.result = 0;
    for (int n = 1; n <= 4; n++) {
        fake.fail_at = fake.calls + (uint64_t)n;
        fake.fail_errno = EACCES;
        if (xc_open(&other, why, sizeof(why)) == 0) {
            assert_int_equal(n, 2); /* without /dev/xen/hypercall it goes on */
            xc_close(other);
        }
    }
    assert_int_equal(fake.open_files, 2);
    xc_close(NULL);
}

static void test_buffers(void **state)
{
    void *p[20];
    uint8_t *again;

    for (int i = 0; i < 20; i++) {
        p[i] = xc_buffer_alloc(h, 4096 * (size_t)(1 + i % 6));
        assert_non_null(p[i]);
        memset(p[i], 0xff, 4096);
    }
    for (int i = 0; i < 20; i++) {
        xc_buffer_free(h, p[i], 4096 * (size_t)(1 + i % 6));
    }
    again = xc_buffer_alloc(h, 100); /* from the cache, and yet zeroed */
    assert_int_equal(again[0], 0);
    assert_int_equal(again[4095], 0);
    xc_buffer_free(h, again, 100);
    xc_buffer_free(h, NULL, 100);
    assert_null(xc_buffer_alloc(h, SIZE_MAX));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_life),        TEST(test_create),
        TEST(test_permissions), TEST(test_hvm_params),
        TEST(test_info),        TEST(test_list),
        TEST(test_huge_domids), TEST(test_vcpus),
        TEST(test_scheduler),   TEST(test_host),
        TEST(test_console),     TEST(test_memory),
        TEST(test_sentences),   TEST(test_open),
        TEST(test_buffers),     TEST(test_counters_and_pools),
        TEST(test_cpu_policy),
    };

    return cmocka_run_group_tests_name("libxenctrl/calls", tests, NULL, NULL);
}
