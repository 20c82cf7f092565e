/*
 * Trace buffers (core/trace.c): what this proves. A reader that knows <xen/trace.h> alone finds
 * every record of every CPU, in order and whole, over many turns of the ring; when it is too slow
 * it is told how many are missing; event and CPU masks hold; and whatever Domain 0 writes into the
 * indices, nothing is written outside of the buffers.
 */
#include "tap.h"
#include <hospes/trace.h>

#define PAGES 2u
#define DATA  (PAGES * 4096u - (uint32_t)sizeof(struct t_buf))

struct record {
    uint32_t event, n, words[7];
    uint64_t time;
};

static int control(uint32_t cmd, uint32_t value)
{
    struct xen_sysctl_tbuf_op op = {.cmd = cmd, .size = value, .evt_mask = value};

    return trace_control(&op);
}

static struct t_info *info_page(void)
{
    struct xen_sysctl_tbuf_op op = {.cmd = XEN_SYSCTL_TBUFOP_get_info};

    assert_int_equal(trace_control(&op), 0);
    assert_true(op.size >= PAGE_SIZE);
    return mfn_to_virt(mfn(op.buffer_mfn));
}

static struct t_buf *buffer(unsigned int cpu)
{
    struct t_info *info = info_page();
    uint32_t at = info->mfn_offset[cpu];

    assert_int_not_equal(at, 0);
    assert_int_equal(info->tbuf_size, PAGES);
    return mfn_to_virt(mfn(((uint32_t *)info)[at]));
}

/* Takes one record as a reader would. False: there is none. */
static bool take(unsigned int cpu, struct record *r)
{
    struct t_buf *b = buffer(cpu);
    const uint32_t *from;
    uint32_t header, size;

    do {
        if (b->cons == b->prod) {
            return false;
        }
        from = (const uint32_t *)((char *)(b + 1) + (b->cons >= DATA ? b->cons - DATA : b->cons));
        header = *from++;
        r->event = header & 0x0fffffff;
        r->n = header >> 28 & 7;
        size = 4 + (header >> 31 ? 8 : 0) + 4 * r->n;
        assert_true((b->cons >= DATA ? b->cons - DATA : b->cons) + size <= DATA);
        r->time = 0;
        if (header >> 31) {
            r->time = from[0] | (uint64_t)from[1] << 32;
            from += 2;
        }
        memcpy(r->words, from, 4 * r->n);
        b->cons = b->cons + size >= 2 * DATA ? b->cons + size - 2 * DATA : b->cons + size;
    } while (r->event == TRC_TRACE_WRAP_BUFFER);
    return true;
}

static void write_one(uint32_t number, unsigned int n)
{
    uint32_t words[7] = {0};

    for (unsigned int i = 0; i < n; i++) {
        words[i] = number + i;
    }
    trace_record(TRC_HOSPES_EVENT_SEND, n, words);
}

static int start(void **unused)
{
    (void)unused;
    assert_int_equal(control(XEN_SYSCTL_TBUFOP_set_evt_mask, TRC_ALL), 0);
    trace_set_cpus(~0ull);
    assert_int_equal(control(XEN_SYSCTL_TBUFOP_enable, 0), 0);
    for (unsigned int cpu = 0; cpu < 2; cpu++) {
        buffer(cpu)->cons = buffer(cpu)->prod;
    }
    fake_on_cpu(0);
    return 0;
}

static void test_setup(void **unused)
{
    (void)unused;
    assert_int_equal(control(XEN_SYSCTL_TBUFOP_enable, 0), -EINVAL);
    assert_int_equal(control(XEN_SYSCTL_TBUFOP_set_size, 0), -EINVAL);
    assert_int_equal(control(XEN_SYSCTL_TBUFOP_set_size, 100000), -EINVAL);
    assert_int_equal(control(XEN_SYSCTL_TBUFOP_set_size, PAGES), 0);
    assert_int_equal(control(XEN_SYSCTL_TBUFOP_set_size, PAGES), 0);
    assert_int_equal(control(XEN_SYSCTL_TBUFOP_set_size, PAGES + 1), -EINVAL);
    assert_int_equal(control(77, 0), -EINVAL);
    assert_int_equal(page_owner_id(virt_to_page(buffer(0))), DOMID_XEN);
    assert_false(trace_on);
}

/* Lengths of every kind over many turns: all come out as they went in. */
static void test_turns(void **unused)
{
    uint64_t seed = 3;
    uint32_t written = 0, read = 0;
    unsigned int lengths[4096];

    (void)unused;
    while (read < 4000) {
        struct record r;

        for (uint32_t i = rnd(&seed) % 60; i && written < 4000; i--) {
            lengths[written] = rnd(&seed) % 7 + 1;
            write_one(written, lengths[written]);
            written++;
        }
        while (take(0, &r)) {
            assert_int_equal(r.event, TRC_HOSPES_EVENT_SEND);
            assert_int_equal(r.n, lengths[read]);
            assert_true(r.time != 0);
            for (unsigned int i = 0; i < r.n; i++) {
                assert_int_equal(r.words[i], read + i);
            }
            read++;
        }
        assert_int_equal(read, written);
    }
}

static void test_lost(void **unused)
{
    uint32_t seen = 0, lost = 0, last = 0;
    struct record r;

    (void)unused;
    for (uint32_t i = 0; i < 5000; i++) {
        write_one(i, 3);
    }
    while (take(0, &r)) {
        assert_int_equal(r.words[0], seen++);
    }
    assert_in_range(seen, 200, 400);
    write_one(5000, 3);
    while (take(0, &r)) {
        if (r.event == TRC_LOST_RECORDS) {
            assert_int_equal(r.n, 4);
            lost = r.words[0];
        } else {
            last = r.words[0];
        }
    }
    assert_int_equal(lost, 5000 - seen);
    assert_int_equal(last, 5000);
}

static void test_masks(void **unused)
{
    struct record r;

    (void)unused;
    assert_int_equal(control(XEN_SYSCTL_TBUFOP_set_evt_mask, TRC_MEM), 0);
    write_one(1, 1);
    assert_false(take(0, &r));
    trace_record(TRC_MEM_PAGE_GRANT_MAP, 0, NULL);
    assert_true(take(0, &r));
    assert_int_equal(control(XEN_SYSCTL_TBUFOP_set_evt_mask, TRC_ALL), 0);
    trace_set_cpus(2);
    write_one(1, 1);
    assert_false(take(0, &r));
    fake_on_cpu(1);
    write_one(7, 1);
    assert_true(take(1, &r));
    assert_int_equal(r.words[0], 7);
    assert_false(take(0, &r));
}

/* Sanitizers watch: a write outside of the fake machine's pages, or into others', is seen. */
static void test_scribbled(void **unused)
{
    struct t_buf *b = buffer(0);
    unsigned char *behind = (unsigned char *)b + PAGES * PAGE_SIZE;
    unsigned char copy[64];
    uint64_t seed = 9;

    (void)unused;
    memcpy(copy, behind, sizeof(copy));
    for (unsigned int i = 0; i < 200000; i++) {
        b->cons = rnd(&seed) % 4 ? rnd(&seed) % (2 * DATA + 50) : rnd(&seed) * 3u;
        if (rnd(&seed) % 3 == 0) {
            b->prod = rnd(&seed) * 5u;
        }
        write_one(i, rnd(&seed) % 8);
    }
    assert_memory_equal(copy, behind, sizeof(copy));
}

static void test_off(void **unused)
{
    (void)unused;
    assert_int_equal(control(XEN_SYSCTL_TBUFOP_disable, 0), 0);
    assert_false(trace_on);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_setup),
        cmocka_unit_test_setup(test_turns, start),
        cmocka_unit_test_setup(test_lost, start),
        cmocka_unit_test_setup(test_masks, start),
        cmocka_unit_test_setup(test_scribbled, start),
        cmocka_unit_test(test_off),
    };

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
    fake_init(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
