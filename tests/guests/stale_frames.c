/*
 * A frame that the domain gives away while another of its vcpus still has the translation. The
 * other vcpu reads a page through its TLB all the time; this one takes the mapping away without a
 * flush, gives the frame up (by XENMEM_exchange, or by decreasing the reservation), gets memory
 * until the same frame comes back as something else, and writes a secret there. Proves that the
 * reader never sees it: a frame is flushed out of every TLB before it can be anybody else's.
 */
#include "guest.h"

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define ROUNDS      20u
#define SECRET      0x5ec2e75ec2e7ull
#define ATTEMPTS    64u

static uint64_t *window, *own;
static volatile unsigned int stop, reading;
static volatile uint64_t seen;

static void other_vcpu(void)
{
    uint64_t v;

    while (!stop) {
        if (!reading) {
            pause_cpu();
            continue;
        }
        /* No hypercall here: nothing flushes this vcpu's TLB but the hypervisor's request. A fault
         * means that it was flushed. */
        if (probe_read(window, &v).happened) {
            v = 0;
            reading = 0;
        }
        seen = v;
    }
    stop = 2;
}

static long set_pte(const void *va, uint64_t pte)
{
    return hypercall(__HYPERVISOR_update_va_mapping, va, pte, UVMF_NONE);
}

static unsigned long exchange(unsigned long mfn)
{
    unsigned long in = mfn, out = 0;
    struct xen_memory_exchange x;

    memset(&x, 0, sizeof(x));
    x.in.extent_start.p = &in;
    x.in.nr_extents = 1;
    x.in.domid = DOMID_SELF;
    x.out.extent_start.p = &out;
    x.out.nr_extents = 1;
    x.out.domid = DOMID_SELF;
    return hypercall(__HYPERVISOR_memory_op, XENMEM_exchange, &x) == 0 ? out : 0;
}

static long reservation(unsigned int op, unsigned long *frame)
{
    struct xen_memory_reservation r;

    memset(&r, 0, sizeof(r));
    r.extent_start.p = frame;
    r.nr_extents = 1;
    r.domid = DOMID_SELF;
    return hypercall(__HYPERVISOR_memory_op, op, &r);
}

static unsigned long give_back(unsigned long mfn)
{
    unsigned long out = 1;

    if (reservation(XENMEM_decrease_reservation, &mfn) != 1 ||
        reservation(XENMEM_populate_physmap, &out) != 1) {
        return 0;
    }
    return out;
}

static void stop_reading(void)
{
    reading = 0;
    mmuext1(MMUEXT_TLB_FLUSH_ALL, 0, 0);
    for (unsigned int i = 0; i < 100000; i++) {
        pause_cpu();
    }
}

/* Frees `mfn`, which the other vcpu reads, and has it again at `own`: 1: the reader saw the secret;
 * 0: it did not; -1: the frame did not come back. mfn: what is here in its place. */
static int one_round(unsigned long (*replace)(unsigned long), unsigned long *mfn)
{
    unsigned long got[ATTEMPTS], old = *mfn;
    unsigned int n = 0;
    int rc = -1;

    set_pte(window, make_pte(old, TABLE_FLAGS & ~PTE_RW));
    mmuext1(MMUEXT_TLB_FLUSH_ALL, 0, 0);
    reading = 1;
    for (unsigned int i = 0; i < 300000; i++) {
        pause_cpu();
    }
    set_pte(window, 0);
    got[0] = replace(old);
    /* What is freed last is given out first: look for it among what can be had. */
    while (got[n] != old && got[n] != 0 && n + 1 < ATTEMPTS) {
        unsigned long f = 1;

        if (reservation(XENMEM_populate_physmap, &f) != 1) {
            break;
        }
        got[++n] = f;
    }
    if (got[n] == old && remap(own, make_pte(old, TABLE_FLAGS)) == 0) {
        *own = SECRET;
        rc = 0;
        for (unsigned int i = 0; i < 300000 && rc == 0; i++) {
            rc = seen == SECRET;
            pause_cpu();
        }
        *own = 0;
        remap(own, 0);
    }
    stop_reading();
    for (unsigned int i = 0; i < n; i++) { /* the last one is kept, as the domain's next victim */
        reservation(XENMEM_decrease_reservation, &got[i]);
    }
    *mfn = got[n];
    return rc;
}

static void test(const char *what, unsigned long (*replace)(unsigned long), unsigned long *mfn)
{
    unsigned int leaked = 0, tried = 0;

    for (unsigned int i = 0; i < ROUNDS && *mfn; i++) {
        int rc = one_round(replace, mfn);

        leaked += rc == 1;
        tried += rc >= 0;
    }
    tap_is(leaked, 0, "a frame given up by %s is in no TLB when it is used again", what);
    tap_ok(tried > 0, "which was seen in %u of %u rounds", tried, ROUNDS);
}

void test_main(void)
{
    unsigned long mfn;

    window = alloc_page();
    own = alloc_page();
    mfn = virt_to_mfn(window);
    if (start_vcpu(1, other_vcpu) != 0) {
        tap_bail_out("no second vcpu");
    }
    remap(own, 0);
    test("decreasing the reservation", give_back, &mfn);
    test("exchange", exchange, &mfn);
    stop = 1;
    while (stop != 2) {
        pause_cpu();
    }
}
