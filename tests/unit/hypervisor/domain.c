/*
 * The life of domains (core/domain*.c, core/vcpu.c, core/domain_memory.c, core/page_ref.c): what
 * this proves. A domain gives back every frame that it had, also when somebody holds one of its
 * pages or itself for a while, and whatever fails on the way; page references and ownership; claims
 * and limits; shutdown, deferral, watchdogs, resumption; a registered vcpu_info.
 */
#include "tap.h"
#include <hospes/hypercall.h>
#include <xen/sched.h>

/* Small objects keep an empty slab per size class. */
static uint64_t settled_free_pages(void)
{
    fake_settle();
    return heap_free_pages();
}

static void all_memory_comes_back(void **unused)
{
    uint64_t before;
    struct domain *d;
    unsigned int i, round;

    (void)unused;
    d = fake_domain(1, 4, false); /* the size classes get their slabs */
    fake_kill(d);
    before = settled_free_pages();
    for (round = 0; round < 20; round++) {
        d = fake_domain((domid_t)(round + 1), 1 + round % 4, false);
        for (i = 0; i < 200; i++) {
            assert_non_null(alloc_domheap_pages(d, i % 3, 0));
        }
        assert_int_equal(d->tot_pages, 67 + 67 * 2 + 66 * 4);
        assert_int_equal(domain_unpause_by_controller(d), 0);
        fake_run_until(fake_now + MILLISECS(50));
        fake_kill(d);
        assert_null(domain_by_id((domid_t)(round + 1)));
        assert_int_equal(settled_free_pages(), before);
    }
}

static void failure_at_every_allocation(void **unused)
{
    uint64_t before = settled_free_pages();
    struct xen_domctl_createdomain config = {.max_vcpus = 1, .max_grant_frames = 4};
    struct page_info *hoard = NULL, *pg;
    struct domain *d;
    unsigned int left, failures = 0, rc;

    (void)unused;
    /* With 0, 1, 2... frames left creation fails at ever later steps. */
    while ((pg = alloc_frames(0, MEMF_NO_SCRUB)) != NULL) {
        pg->type_info = hoard ? page_to_mfn(hoard).v : 0;
        hoard = pg;
    }
    for (left = 0; left < 30 && hoard != NULL; left++) {
        uint64_t free_now = heap_free_pages();

        rc = (unsigned int)-domain_create(9, &config, false, &d);
        if (rc != 0) {
            assert_int_equal(rc, ENOMEM);
            failures++;
            fake_settle();
            assert_true(heap_free_pages() <= free_now && heap_free_pages() + 6 >= free_now);
        } else {
            fake_kill(d);
        }
        pg = hoard;
        hoard = pg->type_info ? mfn_to_page(mfn(pg->type_info)) : NULL;
        pg->type_info = 0;
        free_frames(pg, 0);
    }
    while (hoard != NULL) {
        pg = hoard;
        hoard = pg->type_info ? mfn_to_page(mfn(pg->type_info)) : NULL;
        pg->type_info = 0;
        free_frames(pg, 0);
    }
    assert_true(failures > 0 && failures < 30);
    assert_in_range(settled_free_pages(), before - 14, before + 14);
}

static void bad_configurations(void **unused)
{
    struct xen_domctl_createdomain c = {.max_vcpus = 0, .max_grant_frames = 4};
    struct domain *d, *e;
    struct vcpu *v;

    (void)unused;
    assert_int_equal(domain_create(5, &c, false, &d), -EINVAL);
    c.max_vcpus = MAX_VCPUS + 1;
    assert_int_equal(domain_create(5, &c, false, &d), -EINVAL);
    c.max_vcpus = 2;
    c.flags = 1u << 30;
    assert_int_equal(domain_create(5, &c, false, &d), -EINVAL);
    c.flags = 0;
    assert_int_equal(domain_create(DOMID_FIRST_RESERVED, &c, false, &d), -EINVAL);
    assert_int_equal(domain_create(5, &c, false, &d), 0);
    assert_int_equal(domain_create(5, &c, false, &e), -EEXIST);
    assert_int_equal(vcpu_create(d, 2, &v), -EINVAL);
    assert_int_equal(vcpu_create(d, 1, &v), 0);
    assert_int_equal(vcpu_create(d, 1, &v), -EEXIST);
    assert_null(domain_vcpu(d, 0));
    assert_ptr_equal(domain_vcpu(d, 1), v);
    assert_null(domain_vcpu(d, 2));
    fake_kill(d);
}

/* The list is ascending, whatever the order of creation; the hash finds ids that collide. */
static void finding(void **unused)
{
    domid_t ids[] = {700, 3, 259, 515, 2, 1000};
    struct domain *d, *all[6];
    unsigned int i, n = 0;
    domid_t last = 0;

    (void)unused;
    for (i = 0; i < 6; i++) {
        all[i] = fake_domain(ids[i], 1, false);
    }
    for_each_domain (d) {
        assert_true(d->domain_id > last);
        last = d->domain_id;
        n++;
    }
    assert_int_equal(n, 6);
    for (i = 0; i < 6; i++) {
        assert_ptr_equal(domain_by_id(ids[i]), all[i]);
    }
    fake_kill(all[2]);
    assert_null(domain_by_id(259));
    assert_ptr_equal(domain_by_id(515), all[3]);
    assert_ptr_equal(domain_by_id(3), all[1]);
    assert_int_equal(domain_by_guest_id(259, &d), -ESRCH);
    assert_int_equal(domain_by_guest_id_controlled(515, &d), -EPERM);
    for (i = 0; i < 6; i++) {
        if (i != 2) {
            fake_kill(all[i]);
        }
    }
}

static void held_pages_keep_the_domain(void **unused)
{
    uint64_t before = settled_free_pages();
    struct domain *d = fake_domain(1, 1, false);
    struct page_info *pg = alloc_domheap_pages(d, 0, 0);

    (void)unused;
    assert_true(get_page(pg, d));
    assert_false(get_page(pg, dom_io));
    fake_kill(d);
    /* Dying, but there: somebody has its page. */
    assert_ptr_equal(domain_by_id(1), d);
    assert_int_equal(d->tot_pages, 1);
    assert_null(alloc_domheap_pages(d, 0, 0));
    put_page(pg);
    assert_int_equal(settled_free_pages(), before);
    assert_null(domain_by_id(1));
}

static void shared_info_held_by_another(void **unused)
{
    uint64_t before = settled_free_pages();
    struct domain *d = fake_domain(1, 1, false);
    struct page_info *pg = virt_to_page(d->shared_info);

    (void)unused;
    assert_true(get_page(pg, d));
    fake_kill(d);
    assert_ptr_equal(domain_by_id(1), d);
    put_page(pg);
    fake_settle();
    assert_null(domain_by_id(1));
    assert_int_equal(settled_free_pages(), before);
}

static void references_delay_the_end(void **unused)
{
    struct domain *d = fake_domain(1, 1, false);

    (void)unused;
    assert_true(get_domain(d));
    fake_kill(d);
    assert_ptr_equal(domain_by_id(1), d);
    assert_int_equal(domain_kill(d), 0);
    put_domain(d);
    assert_null(domain_by_id(1)); /* at once, but the struct only after a quiet point */
    assert_false(get_domain(d));
    fake_settle();
}

static void page_references(void **unused)
{
    struct domain *d = fake_domain(1, 1, false), *e = fake_domain(2, 1, false);
    struct page_info *pg = alloc_domheap_pages(d, 0, 0);

    (void)unused;
    assert_ptr_equal(get_page_owner(pg), d);
    assert_int_equal(pg->count_info, PGC_ALLOCATED | 2);
    assert_int_equal(steal_page(d, pg, 0), -EBUSY);
    put_page(pg);
    assert_int_equal(steal_page(e, pg, 0), -EINVAL);
    assert_int_equal(steal_page(d, pg, 0), 0);
    assert_int_equal(d->tot_pages, 0);
    assert_int_equal(pg->count_info, 0);
    assert_null(get_page_owner(pg));
    assert_false(get_page(pg, d));
    assert_int_equal(assign_pages(pg, 0, e, 0), 0);
    assert_true(get_page(pg, e));
    assert_int_equal(e->tot_pages, 1);
    put_page_alloc_ref(pg);
    put_page_alloc_ref(pg); /* the second time there is nothing to drop */
    assert_int_equal(e->tot_pages, 1);
    put_page(pg);
    assert_int_equal(e->tot_pages, 0);
    /* A count at its limit does not wrap. */
    pg = alloc_domheap_pages(d, 0, 0);
    pg->count_info |= PGC_COUNT_MASK;
    assert_false(get_page(pg, d));
    pg->count_info = PGC_ALLOCATED | 1;
    fake_kill(d);
    fake_kill(e);
}

static void limits_and_claims(void **unused)
{
    struct domain *d = fake_domain(1, 1, false), *e = fake_domain(2, 1, false);
    uint64_t free_now;
    struct page_info *pg;

    (void)unused;
    d->max_pages = 10;
    assert_null(alloc_domheap_pages(d, 4, 0));
    assert_non_null(alloc_domheap_pages(d, 3, 0));
    assert_null(alloc_domheap_pages(d, 2, 0));
    assert_non_null(alloc_domheap_pages(d, 1, 0));
    assert_int_equal(d->tot_pages, 10);
    assert_int_equal(domain_claim_pages(d, 11), -EINVAL);
    d->max_pages = ~0u;
    assert_int_equal(domain_claim_pages(d, 10), -EINVAL);
    assert_int_equal(domain_claim_pages(d, heap_total_pages() * 2), -ENOMEM);
    free_now = heap_free_pages();
    assert_int_equal(domain_claim_pages(d, 10 + free_now), 0);
    assert_int_equal(heap_outstanding_pages(), free_now);
    assert_int_equal(domain_claim_pages(d, 20), -EINVAL);
    assert_null(alloc_domheap_pages(e, 0, 0)); /* all is promised */
    pg = alloc_domheap_pages(d, 2, 0);
    assert_non_null(pg);
    assert_int_equal(heap_outstanding_pages(), free_now - 4);
    assert_int_equal(domain_claim_pages(d, 0), 0);
    assert_int_equal(heap_outstanding_pages(), 0);
    assert_non_null(alloc_domheap_pages(e, 0, 0));
    assert_int_equal(domain_claim_pages(e, 100), 0);
    fake_kill(d);
    fake_kill(e); /* with its claim */
    assert_int_equal(heap_outstanding_pages(), 0);
}

static void shutdown_and_resume(void **unused)
{
    struct domain *d = fake_domain(1, 2, false);

    (void)unused;
    assert_int_equal(domain_unpause_by_controller(d), 0);
    assert_true(d->creation_finished);
    assert_int_equal(domain_unpause_by_controller(d), -EINVAL);
    fake_run_until(fake_now + MILLISECS(10));
    vcpu_start_shutdown_deferral(d->vcpu[1]);
    domain_shutdown(d, SHUTDOWN_suspend);
    fake_settle();
    assert_true(d->is_shutting_down);
    assert_false(d->is_shut_down); /* one vcpu waits for its device model */
    vcpu_end_shutdown_deferral(d->vcpu[1]);
    assert_true(d->is_shut_down);
    assert_int_equal(d->shutdown_code, SHUTDOWN_suspend);
    assert_false(vcpu_runnable(d->vcpu[0]));
    fake_settle();
    domain_resume(d);
    assert_false(d->is_shut_down);
    assert_int_equal(d->shutdown_code, -1);
    assert_true(vcpu_runnable(d->vcpu[0]));
    fake_run_until(fake_now + MILLISECS(10));
    /* A crash does not wait for anybody. */
    vcpu_start_shutdown_deferral(d->vcpu[0]);
    domain_crash(d, "test");
    assert_true(d->is_shut_down);
    assert_int_equal(d->shutdown_code, SHUTDOWN_crash);
    fake_kill(d);
}

static void controller_pauses_are_counted(void **unused)
{
    struct domain *d = fake_domain(1, 1, false);
    unsigned int i;

    (void)unused;
    for (i = 1; i < 255; i++) {
        assert_int_equal(domain_pause_by_controller(d), 0);
    }
    assert_int_equal(domain_pause_by_controller(d), -EUSERS);
    for (i = 0; i < 255; i++) {
        assert_false(vcpu_runnable(d->vcpu[0]));
        assert_int_equal(domain_unpause_by_controller(d), 0);
    }
    assert_true(vcpu_runnable(d->vcpu[0]));
    fake_kill(d);
}

static void watchdogs(void **unused)
{
    struct domain *d = fake_domain(1, 1, false);

    (void)unused;
    assert_int_equal(domain_watchdog(d, 0, 0), -EINVAL);
    assert_int_equal(domain_watchdog(d, 1, 5), -EINVAL);
    assert_int_equal(domain_watchdog(d, 0, 5), 1);
    assert_int_equal(domain_watchdog(d, 0, 5), 2);
    assert_int_equal(domain_watchdog(d, 0, 5), -ENOSPC);
    assert_int_equal(domain_watchdog(d, 7, 5), -EINVAL);
    assert_int_equal(domain_watchdog(d, 2, 0), 0);
    fake_run_until(fake_now + SECONDS(4));
    assert_int_equal(domain_watchdog(d, 1, 5), 0);
    fake_run_until(fake_now + SECONDS(4));
    assert_false(d->is_shutting_down);
    fake_run_until(fake_now + SECONDS(2));
    assert_true(d->is_shut_down);
    assert_int_equal(d->shutdown_code, SHUTDOWN_watchdog);
    fake_kill(d);
}

static void registered_vcpu_info(void **unused)
{
    uint64_t before = settled_free_pages();
    struct domain *d = fake_domain(1, 33, false), *e = fake_domain(2, 1, false);
    struct page_info *pg = alloc_domheap_pages(d, 0, 0), *foreign = alloc_domheap_pages(e, 0, 0);
    struct vcpu *v = d->vcpu[32];
    uint64_t m = page_to_mfn(pg).v;

    (void)unused;
    assert_false(vcpu_has_info(v)); /* shared_info has room for 32 */
    assert_true(vcpu_has_info(d->vcpu[31]));
    set_bit(VPF_DOWN, &v->sched.pause_flags);
    assert_int_equal(map_vcpu_info(v, m, PAGE_SIZE - sizeof(struct vcpu_info) + 1), -ENXIO);
    assert_int_equal(map_vcpu_info(v, page_to_mfn(foreign).v, 0), -EINVAL);
    assert_int_equal(map_vcpu_info(v, FAKE_HOLE_START, 0), -EINVAL);
    assert_int_equal(map_vcpu_info(d->vcpu[0], m, 0), -EINVAL); /* it may be running */
    assert_int_equal(map_vcpu_info(v, m, 128), 0);
    assert_true(vcpu_has_info(v));
    assert_ptr_equal(v->vcpu_info, (char *)page_to_virt(pg) + 128);
    assert_int_equal(v->vcpu_info->evtchn_upcall_pending, 1);
    assert_int_equal(map_vcpu_info(v, m, 0), -EINVAL); /* only once */
    assert_int_equal(pg->type_info & PGT_TYPE_MASK, PGT_WRITABLE);
    fake_kill(d);
    fake_kill(e);
    assert_in_range(settled_free_pages(), before - 4, before);
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
        cmocka_unit_test(all_memory_comes_back),
        cmocka_unit_test(failure_at_every_allocation),
        cmocka_unit_test(bad_configurations),
        cmocka_unit_test(finding),
        cmocka_unit_test(held_pages_keep_the_domain),
        cmocka_unit_test(shared_info_held_by_another),
        cmocka_unit_test(references_delay_the_end),
        cmocka_unit_test(page_references),
        cmocka_unit_test(limits_and_claims),
        cmocka_unit_test(shutdown_and_resume),
        cmocka_unit_test(controller_pauses_are_counted),
        cmocka_unit_test(watchdogs),
        cmocka_unit_test(registered_vcpu_info),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
