/*
 * sched_op, vcpu_op, set_timer_op, console_io, vm_assist and xen_version: what this proves. Each
 * operation does what <xen/sched.h>, <xen/vcpu.h> and <xen/version.h> say, also a poll that ends
 * by an event or by time; bad arguments and addresses are errors and change nothing; and some
 * hundred thousand random calls leave the domain killable without a leak.
 */
#include "tap.h"
#include <hospes/console.h>
#include <hospes/hypercall.h>
#include <xen/features.h>
#include <xen/sched.h>
#include <xen/version.h>

static struct domain *d;

#define ARG(x) ((XEN_GUEST_HANDLE(void)){.p = (x)})
#define BAD    ARG((void *)64)

/* vcpu 0 of d runs on CPU 0 from now on. */
static void run_vcpu0(void)
{
    assert_int_equal(vcpu_set_hard_affinity(d->vcpu[0], cpumask_of(0)), 0);
    assert_int_equal(domain_unpause_by_controller(d), 0);
    fake_settle();
    fake_on_cpu(0);
    assert_ptr_equal(current, d->vcpu[0]);
}

static int start(void **unused)
{
    (void)unused;
    d = fake_domain(1, 2, false);
    set_bit(VPF_DOWN, &d->vcpu[1]->sched.pause_flags);
    run_vcpu0();
    return 0;
}

static int stop(void **unused)
{
    (void)unused;
    fake_kill(d);
    return 0;
}

static evtchn_port_t timer_port(struct vcpu *v)
{
    return v->evtchn.virq_port[VIRQ_TIMER];
}

static bool timer_pending(void)
{
    return evtchn_poll(d, timer_port(d->vcpu[0])) == 1;
}

static void clear_timer(void)
{
    clear_bit(timer_port(d->vcpu[0]), d->shared_info->evtchn_pending);
    d->vcpu[0]->vcpu_info->evtchn_upcall_pending = 0;
    d->vcpu[0]->vcpu_info->evtchn_pending_sel = 0;
}

static void bind_timer(void)
{
    struct evtchn_bind_virq bind = {.virq = VIRQ_TIMER, .vcpu = 0};

    assert_int_equal(do_event_channel_op(EVTCHNOP_bind_virq, ARG(&bind)), 0);
}

static void timers(void **unused)
{
    struct vcpu_set_singleshot_timer shot = {.timeout_abs_ns = (uint64_t)fake_now + 5000};
    struct vcpu_set_periodic_timer periodic = {.period_ns = 10};
    unsigned int i;

    (void)unused;
    bind_timer();
    assert_int_equal(do_vcpu_op(VCPUOP_set_singleshot_timer, 0, BAD), -EFAULT);
    assert_int_equal(do_vcpu_op(VCPUOP_set_singleshot_timer, 1, ARG(&shot)), -EINVAL);
    assert_int_equal(do_vcpu_op(VCPUOP_set_singleshot_timer, 0, ARG(&shot)), 0);
    fake_run_until(fake_now + 4000);
    assert_false(timer_pending());
    fake_run_until(fake_now + 2000);
    assert_true(timer_pending());
    clear_timer();
    shot.timeout_abs_ns = 5; /* past: at once */
    assert_int_equal(do_vcpu_op(VCPUOP_set_singleshot_timer, 0, ARG(&shot)), 0);
    assert_true(timer_pending());
    clear_timer();
    shot.flags = VCPU_SSHOTTMR_future;
    assert_int_equal(do_vcpu_op(VCPUOP_set_singleshot_timer, 0, ARG(&shot)), -ETIME);
    assert_false(timer_pending());
    assert_int_equal(do_set_timer_op((unsigned long)fake_now + 1000), 0);
    assert_int_equal(do_vcpu_op(VCPUOP_stop_singleshot_timer, 0, ARG(NULL)), 0);
    fake_run_until(fake_now + 2000);
    assert_false(timer_pending());
    assert_int_equal(do_set_timer_op(~0ul), 0); /* nonsense: a tick soon */
    fake_run_until(fake_now + MILLISECS(101));
    assert_true(timer_pending());
    clear_timer();
    assert_int_equal(do_set_timer_op(0), 0);

    assert_int_equal(do_vcpu_op(VCPUOP_set_periodic_timer, 0, ARG(&periodic)), -EINVAL);
    periodic.period_ns = (uint64_t)MILLISECS(2);
    assert_int_equal(do_vcpu_op(VCPUOP_set_periodic_timer, 0, ARG(&periodic)), 0);
    for (i = 0; i < 5; i++) {
        fake_run_until(fake_now + MILLISECS(2));
        assert_true(timer_pending());
        clear_timer();
    }
    assert_int_equal(do_vcpu_op(VCPUOP_stop_periodic_timer, 0, ARG(NULL)), 0);
    fake_run_until(fake_now + MILLISECS(5));
    assert_false(timer_pending());
}

static void blocking(void **unused)
{
    struct vcpu *v = d->vcpu[0];

    (void)unused;
    bind_timer();
    v->vcpu_info->evtchn_upcall_mask = 1;
    assert_int_equal(do_set_timer_op((unsigned long)fake_now + 5000), 0);
    assert_int_equal(do_sched_op(SCHEDOP_block, ARG(NULL)), 0);
    assert_int_equal(v->vcpu_info->evtchn_upcall_mask, 0);
    fake_settle();
    assert_true(current->domain->is_idle);
    assert_int_equal(v->runstate.state, RUNSTATE_blocked);
    fake_run_until(fake_now + 6000);
    assert_ptr_equal(current, v);
    /* With something pending it does not sleep. */
    assert_int_equal(do_sched_op(SCHEDOP_block, ARG(NULL)), 0);
    fake_settle();
    assert_ptr_equal(current, v);
    assert_int_equal(do_sched_op(SCHEDOP_yield, BAD), 0);
    assert_int_equal(do_sched_op_compat(SCHEDOP_yield, 0), 0);
    assert_int_equal(do_sched_op_compat(77, 0), -ENOSYS);
    assert_int_equal(do_sched_op(77, BAD), -ENOSYS);
}

static void polling(void **unused)
{
    struct evtchn_bind_ipi ipi = {.vcpu = 0};
    evtchn_port_t ports[2] = {0, 0};
    struct sched_poll poll = {.nr_ports = 1};
    struct vcpu *v = d->vcpu[0];
    struct evtchn_send send;

    (void)unused;
    assert_int_equal(do_event_channel_op(EVTCHNOP_bind_ipi, ARG(&ipi)), 0);
    __set_bit(ipi.port, d->shared_info->evtchn_mask);
    ports[0] = ports[1] = ipi.port;
    poll.ports.p = ports;
    poll.nr_ports = 129;
    assert_int_equal(do_sched_op(SCHEDOP_poll, ARG(&poll)), -EINVAL);
    poll.nr_ports = 1;
    ports[0] = 5000000;
    assert_int_equal(do_sched_op(SCHEDOP_poll, ARG(&poll)), -EINVAL);
    poll.ports.p = (evtchn_port_t *)8;
    assert_int_equal(do_sched_op(SCHEDOP_poll, ARG(&poll)), -EFAULT);
    assert_int_equal(v->sched.pause_flags, 0);
    assert_int_equal(v->sched.poll_evtchn, 0);

    /* By time. */
    ports[0] = ipi.port;
    poll.ports.p = ports;
    poll.timeout = (uint64_t)fake_now + 3000;
    assert_int_equal(do_sched_op(SCHEDOP_poll, ARG(&poll)), 0);
    fake_settle();
    assert_true(current->domain->is_idle);
    fake_run_until(fake_now + 4000);
    assert_ptr_equal(current, v);
    assert_int_equal(v->sched.poll_evtchn, 0);

    /* By the event, although it is masked; one port and several. */
    for (poll.nr_ports = 1; poll.nr_ports <= 2; poll.nr_ports++) {
        poll.timeout = 0;
        assert_int_equal(do_sched_op(SCHEDOP_poll, ARG(&poll)), 0);
        fake_settle();
        assert_true(current->domain->is_idle);
        assert_int_equal(evtchn_send(d, ipi.port), 0);
        fake_settle();
        assert_ptr_equal(current, v);
        /* Pending already: no sleep. */
        assert_int_equal(do_sched_op(SCHEDOP_poll, ARG(&poll)), 0);
        fake_settle();
        assert_ptr_equal(current, v);
        clear_bit(ipi.port, d->shared_info->evtchn_pending);
        v->vcpu_info->evtchn_upcall_pending = 0;
    }
    send.port = ipi.port;
    assert_int_equal(do_event_channel_op(EVTCHNOP_send, ARG(&send)), 0);
}

static void vcpus(void **unused)
{
    struct vcpu_runstate_info r;
    struct vcpu_register_runstate_memory_area area = {.addr.h.p = &r};

    (void)unused;
    assert_int_equal(do_vcpu_op(VCPUOP_is_up, 0, ARG(NULL)), 1);
    assert_int_equal(do_vcpu_op(VCPUOP_is_up, 1, ARG(NULL)), 0);
    assert_int_equal(do_vcpu_op(VCPUOP_is_up, 2, ARG(NULL)), -ENOENT);
    d->vcpu[1]->is_initialised = false;
    assert_int_equal(do_vcpu_op(VCPUOP_up, 1, ARG(NULL)), -EINVAL);
    assert_int_equal(do_vcpu_op(VCPUOP_initialise, 0, ARG(NULL)), -EEXIST); /* it runs */
    assert_int_equal(do_vcpu_op(VCPUOP_initialise, 1, ARG(NULL)), 0);
    assert_int_equal(do_vcpu_op(VCPUOP_initialise, 1, ARG(NULL)), -EEXIST);
    assert_int_equal(do_vcpu_op(VCPUOP_up, 1, ARG(NULL)), 0);
    assert_int_equal(do_vcpu_op(VCPUOP_is_up, 1, ARG(NULL)), 1);
    fake_settle();
    assert_int_equal(d->vcpu[1]->runstate.state, RUNSTATE_running);
    assert_int_equal(do_vcpu_op(VCPUOP_get_runstate_info, 1, BAD), -EFAULT);
    assert_int_equal(do_vcpu_op(VCPUOP_get_runstate_info, 1, ARG(&r)), 0);
    assert_int_equal(r.state, RUNSTATE_running);
    assert_int_equal(do_vcpu_op(VCPUOP_down, 1, ARG(NULL)), 0);
    fake_settle();
    memset(&r, 0, sizeof(r));
    assert_int_equal(do_vcpu_op(VCPUOP_register_runstate_memory_area, 1, ARG(&area)), 0);
    assert_int_equal(r.state, RUNSTATE_offline);
    area.addr.h.p = NULL;
    assert_int_equal(do_vcpu_op(VCPUOP_register_runstate_memory_area, 1, ARG(&area)), 0);
    assert_int_equal(do_vcpu_op(0xffff, 0, BAD), -ENOSYS);
    assert_false(d->is_shutting_down);
    assert_int_equal(do_vcpu_op(VCPUOP_down, 0, ARG(NULL)), 0); /* the last one */
    assert_int_equal(d->shutdown_code, SHUTDOWN_poweroff);
    assert_true(d->is_shut_down);
}

static void ending(void **unused)
{
    struct sched_shutdown s = {.reason = SHUTDOWN_reboot};
    struct sched_remote_shutdown remote = {.domain_id = 2, .reason = SHUTDOWN_reboot};
    struct sched_watchdog w = {.id = 0, .timeout = 30};
    struct sched_pin_override pin = {.pcpu = 0};
    struct domain *e = fake_domain(2, 1, false);

    (void)unused;
    assert_int_equal(do_sched_op(SCHEDOP_shutdown, BAD), -EFAULT);
    assert_int_equal(do_sched_op(SCHEDOP_remote_shutdown, ARG(&remote)), -EPERM);
    e->target = NULL;
    d->target = e;
    assert_true(get_domain(e));
    assert_int_equal(do_sched_op(SCHEDOP_remote_shutdown, ARG(&remote)), 0);
    assert_true(e->is_shut_down);
    remote.domain_id = 77;
    assert_int_equal(do_sched_op(SCHEDOP_remote_shutdown, ARG(&remote)), -ESRCH);
    assert_int_equal(do_sched_op(SCHEDOP_pin_override, ARG(&pin)), -EPERM);
    assert_int_equal(do_sched_op(SCHEDOP_watchdog, ARG(&w)), 1);
    assert_int_equal(do_sched_op(SCHEDOP_shutdown_code, ARG(&s)), 0);
    assert_false(d->is_shutting_down);
    s.reason = SHUTDOWN_crash;
    assert_int_equal(do_sched_op(SCHEDOP_shutdown, ARG(&s)), 0);
    assert_int_equal(d->shutdown_code, SHUTDOWN_reboot); /* the first one counts */
    assert_true(d->is_shut_down);
    fake_settle();
    fake_kill(e);
}

static void build_id(void **unused)
{
    struct {
        uint32_t len;
        uint8_t buf[8];
    } id = {.len = sizeof(id.buf)};

    (void)unused;
    assert_int_equal(do_xen_version(XENVER_build_id, ARG(NULL)), -EPERM);
    assert_int_equal(do_xen_version(XENVER_build_id, ARG(&id)), -EPERM);
    d->is_privileged = true;
    assert_int_equal(do_xen_version(XENVER_build_id, ARG(NULL)), 3);
    assert_int_equal(do_xen_version(XENVER_build_id, ARG(&id)), 3);
    assert_memory_equal(id.buf, "\x0f\xa1\xce\0\0\0\0\0", 8);
    id.len = 2;
    assert_int_equal(do_xen_version(XENVER_build_id, ARG(&id)), -ENOBUFS);
    id.len = 0;
    assert_int_equal(do_xen_version(XENVER_build_id, ARG(&id)), -EINVAL);
    assert_int_equal(do_xen_version(XENVER_build_id, BAD), -EFAULT);
    d->is_privileged = false;
}

static void versions(void **unused)
{
    char buf[1100];
    xen_feature_info_t fi = {.submap_idx = 0};
    xen_platform_parameters_t pp;
    xen_compile_info_t ci;

    (void)unused;
    assert_int_equal(do_xen_version(XENVER_version, ARG(NULL)), 4 << 16 | 17);
    assert_int_equal(do_xen_version(XENVER_capabilities, ARG(buf)), 0);
    assert_string_equal(buf, "xen-3.0-x86_64 ");
    assert_int_equal(do_xen_version(XENVER_extraversion, ARG(buf)), 0);
    assert_string_equal(buf, "<denied>");
    d->is_privileged = true;
    assert_int_equal(do_xen_version(XENVER_extraversion, ARG(buf)), 0);
    assert_int_equal(buf[0], '.');
    assert_int_equal(do_xen_version(XENVER_compile_info, ARG(&ci)), 0);
    cmdline_parse("console=vga");
    assert_int_equal(do_xen_version(XENVER_commandline, ARG(buf)), 0);
    assert_string_equal(buf, "console=vga");
    d->is_privileged = false;
    assert_int_equal(do_xen_version(XENVER_get_features, ARG(&fi)), 0);
    assert_int_equal(fi.submap,
                     BIT(XENFEAT_memory_op_vnode_supported) |
                         BIT(XENFEAT_mmu_pt_update_preserve_ad) | BIT(XENFEAT_highmem_assist) |
                         BIT(XENFEAT_gnttab_map_avail_bits) | BIT(XENFEAT_direct_mapped));
    fi.submap_idx = 1;
    assert_int_equal(do_xen_version(XENVER_get_features, ARG(&fi)), -EINVAL);
    assert_int_equal(do_xen_version(XENVER_get_features, BAD), -EFAULT);
    assert_int_equal(do_xen_version(XENVER_pagesize, ARG(NULL)), 4096);
    assert_int_equal(do_xen_version(XENVER_pagesize, ARG(buf)), -EINVAL);
    assert_int_equal(do_xen_version(XENVER_platform_parameters, ARG(&pp)), 0);
    assert_true(pp.virt_start == 0xffff800000000000ul);
    assert_int_equal(do_xen_version(XENVER_guest_handle, ARG(buf)), 0);
    assert_int_equal(do_xen_version(99, ARG(buf)), -ENOSYS);
}

static void assists(void **unused)
{
    (void)unused;
    assert_int_equal(do_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    assert_true(d->vm_assist & BIT(VMASST_TYPE_writable_pagetables));
    assert_int_equal(do_vm_assist(VMASST_CMD_disable, VMASST_TYPE_writable_pagetables), 0);
    assert_int_equal(d->vm_assist, 0);
    assert_int_equal(do_vm_assist(VMASST_CMD_enable, 63), -EINVAL);
    assert_int_equal(do_vm_assist(VMASST_CMD_enable, 64), -EINVAL);
    assert_int_equal(do_vm_assist(VMASST_CMD_enable, ~0u), -EINVAL);
    assert_int_equal(do_vm_assist(9, VMASST_TYPE_writable_pagetables), -ENOSYS);
}

static void console(void **unused)
{
    char text[] = "guest says\n";

    (void)unused;
    assert_int_equal(do_console_io(CONSOLEIO_write, sizeof(text) - 1, ARG(text)), 0);
    assert_int_equal(do_console_io(CONSOLEIO_write, 5, BAD), -EFAULT);
    assert_int_equal(do_console_io(CONSOLEIO_write, 0x80000000u, ARG(text)), -EINVAL);
    assert_int_equal(do_console_io(CONSOLEIO_read, 5, ARG(text)), -EPERM);
    assert_int_equal(do_console_io(9, 5, ARG(text)), -ENOSYS);
}

static long random_call(uint64_t *state, void *memory)
{
    unsigned int cmd = rnd(state) % 20, n = rnd(state) % 4;
    XEN_GUEST_HANDLE(void) arg = rnd(state) % 4 == 0 ? BAD : ARG(memory);
    unsigned int i;

    for (i = 0; i < 64; i++) {
        ((unsigned char *)memory)[i] = rnd(state) % 3 ? 0 : (unsigned char)rnd(state);
    }
    switch (rnd(state) % 6) {
    case 0:
        /* Not what ends the domain, and a poll must have ports that can be read. */
        cmd = cmd == SCHEDOP_shutdown || cmd == SCHEDOP_poll || cmd == SCHEDOP_remote_shutdown
                  ? SCHEDOP_yield
                  : cmd;
        return do_sched_op(cmd, arg);
    case 1:
        /* An address of a runstate area is not a random one. */
        cmd = cmd == VCPUOP_register_runstate_memory_area || (cmd == VCPUOP_down && n == 0)
                  ? VCPUOP_is_up
                  : cmd;
        return do_vcpu_op(cmd, n, arg);
    case 2:
        return do_set_timer_op((unsigned long)rnd(state) << (rnd(state) % 33));
    case 3:
        return do_vm_assist(n, rnd(state) % 70);
    case 4:
        return do_console_io(n, rnd(state) % 60, arg);
    default:
        return do_xen_version(cmd == XENVER_commandline ? 0 : cmd, arg);
    }
}

static void random_calls(void **unused)
{
    static unsigned char memory[4096];
    uint64_t state = 2024;
    unsigned int i;

    (void)unused;
    cmdline_parse("guest_loglvl=none");
    for (i = 0; i < 200000 && !d->is_shutting_down; i++) {
        fake_on_cpu(0);
        if (current->domain == d) {
            (void)random_call(&state, memory);
        }
        fake_run_until(fake_now + rnd(&state) % 100000);
        if (!vcpu_runnable(d->vcpu[0])) {
            vcpu_unblock(d->vcpu[0]);
            fake_settle();
        }
    }
    assert_true(i > 1000);
}

static int set_up(void **unused)
{
    (void)unused;
    fake_init(2);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timers, start, stop),
        cmocka_unit_test_setup_teardown(blocking, start, stop),
        cmocka_unit_test_setup_teardown(polling, start, stop),
        cmocka_unit_test_setup_teardown(vcpus, start, stop),
        cmocka_unit_test_setup_teardown(ending, start, stop),
        cmocka_unit_test_setup_teardown(versions, start, stop),
        cmocka_unit_test_setup_teardown(build_id, start, stop),
        cmocka_unit_test_setup_teardown(assists, start, stop),
        cmocka_unit_test_setup_teardown(console, start, stop),
        cmocka_unit_test_setup_teardown(random_calls, start, stop),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
