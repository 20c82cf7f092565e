/*
 * XENPF_add_memtype, del_memtype, read_memtype: what this proves, the same on Hospes and on
 * Xen 4.17. A range gets a type and a register that shows it, a second request for the same is
 * counted, the last deletion frees the register; what cannot be one register, contradicts another
 * range or has no register left is refused, and nothing is left of any of it.
 */
#include "guest.h"
#include <xen/platform.h>

#define UC     0u
#define WC     1u
#define WB     6u
#define EINVAL 22

/* 16 MiB in the hole below the I/O APIC, where nothing is. */
#define FIRST  0xe0000ul
#define FRAMES 0x1000ul
#define MAX    32u

static struct xen_platform_op op;

static long call(uint32_t cmd)
{
    op.cmd = cmd;
    op.interface_version = XENPF_INTERFACE_VERSION;
    return hypercall(__HYPERVISOR_platform_op, &op);
}

/* The register, or -errno. */
static long add(unsigned long first, unsigned long frames, unsigned int type)
{
    long rc;

    op.u.add_memtype = (struct xenpf_add_memtype){
        .mfn = first, .nr_mfns = frames, .type = type, .handle = 7, .reg = 99};
    rc = call(XENPF_add_memtype);
    return rc == 0 && op.u.add_memtype.handle == 0 ? (long)op.u.add_memtype.reg : rc;
}

static long del(long reg)
{
    op.u.del_memtype = (struct xenpf_del_memtype){.reg = (uint32_t)reg};
    return call(XENPF_del_memtype);
}

static long read_type(long reg)
{
    op.u.read_memtype = (struct xenpf_read_memtype){.reg = (uint32_t)reg};
    return call(XENPF_read_memtype);
}

static bool shows(long reg, unsigned long first, unsigned long frames, unsigned int type)
{
    const struct xenpf_read_memtype *t = &op.u.read_memtype;

    return read_type(reg) == 0 && t->mfn == first && t->nr_mfns == frames &&
           (frames == 0 || t->type == type);
}

/* Every register's range, added up. */
static unsigned long sum(void)
{
    unsigned long s = 0;

    for (long i = 0; i < (long)MAX && read_type(i) == 0; i++) {
        s = s * 31 + op.u.read_memtype.mfn * 7 + op.u.read_memtype.nr_mfns * 3 +
            op.u.read_memtype.type;
    }
    return s;
}

static void test_one(void)
{
    long reg = add(FIRST, FRAMES, WC), again = add(FIRST, FRAMES, WC);

    tap_ok(reg >= 0 && shows(reg, FIRST, FRAMES, WC), "a range becomes write-combining (%ld)", reg);
    tap_is(again, reg, "twice the same is one register");
    tap_is(add(FIRST + 16, 16, WC), reg, "a part of it too");
    tap_is(add(FIRST + 16, 16, WB), -EINVAL, "a part of it of another type");
    tap_is(add(FIRST - FRAMES, 2 * FRAMES, WC), -EINVAL, "what is not aligned to its size");
    tap_is(del(reg), 0, "one use less");
    tap_is(del(reg), 0, "and another");
    tap_ok(shows(reg, FIRST, FRAMES, WC), "it is still there");
    tap_is(del(reg), 0, "the last one");
    tap_ok(shows(reg, 0, 0, 0), "now it is free");
    tap_is(del(reg), -EINVAL, "and cannot be deleted");
}

static void test_around(void)
{
    long inner = add(FIRST, 16, WC), outer = add(FIRST, FRAMES, WC);

    tap_ok(inner >= 0 && outer == inner && shows(outer, FIRST, FRAMES, WC),
           "a larger range of the same type takes the smaller one's place");
    tap_is(del(outer), 0, "its uses are counted on");
    tap_is(del(outer), 0, "to the last");
    inner = add(FIRST, 16, UC);
    outer = add(FIRST, FRAMES, WC);
    tap_ok(inner >= 0 && outer >= 0 && inner != outer, "uncached inside of anything");
    tap_ok(del(inner) == 0 && del(outer) == 0, "both go");
}

static void test_refused(void)
{
    tap_is(add(FIRST, 0, WC), -EINVAL, "no frames");
    tap_is(add(FIRST, 3, WC), -EINVAL, "no power of two");
    tap_is(add(FIRST + 1, 2, WC), -EINVAL, "not aligned");
    tap_is(add(FIRST, FRAMES, 7), -EINVAL, "type 7");
    tap_is(add(1ul << 50, FRAMES, WC), -EINVAL, "beyond what the processor addresses");
    tap_is(del(200), -EINVAL, "no such register");
    tap_is(del(-1), -EINVAL, "register -1");
    tap_is(read_type(200), -EINVAL, "reading no such register");
    op.u.del_memtype = (struct xenpf_del_memtype){.handle = 1};
    tap_is(call(XENPF_del_memtype), -EINVAL, "a handle");
}

static void test_full(void)
{
    long reg[MAX], rc = 0;
    unsigned int n = 0;
    bool ok = true;

    while (n < MAX && (rc = add(FIRST + n * 0x10, 0x10, WC)) >= 0) {
        reg[n++] = rc;
    }
    tap_ok(n > 0 && n < MAX && rc == -28, "registers run out after %u (%ld)", n, rc);
    while (n > 0) {
        ok &= del(reg[--n]) == 0;
    }
    tap_ok(ok, "all are given back");
}

void test_main(void)
{
    unsigned long before = sum();

    test_one();
    test_around();
    test_refused();
    test_full();
    tap_ok(sum() == before, "the registers are as they were");
}
