/*
 * XENPF's operations on memory types: the variable MTRRs, the same on all CPUs, as the firmware
 * left them and Domain 0 changes them. Behaviour and errors as Xen 4.17's. Intel SDM 3, "MTRRs".
 *
 * The caller holds platform_op's lock.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <arch/cpufeature.h>
#include <arch/mm.h>
#include <arch/msr.h>
#include "mtrr.h"

#define MSR_MTRR_CAP      0xfeu
#define MSR_MTRR_BASE     0x200u
#define MSR_MTRR_DEF_TYPE 0x2ffu
#define CAP_COUNT         0xffu
#define CAP_WC            BIT(10)
#define MTRR_VALID        BIT(11)
#define DEF_TYPE_ENABLE   BIT(11)
#define MAX_MTRRS         32u

enum { TYPE_UC = 0, TYPE_WC = 1, TYPE_WT = 4, TYPE_WP = 5, TYPE_WB = 6 };

/* How often each was asked for; what firmware set counts as once. */
static unsigned int uses[MAX_MTRRS];
static bool uses_known;

struct range {
    uint64_t first, frames; /* frames 0: the register is free */
    unsigned int type;
};

static uint64_t address_mask(void)
{
    return BIT(boot_cpu.phys_bits) - 1;
}

static uint64_t capabilities(void)
{
    uint64_t cap;

    return rdmsr_safe(MSR_MTRR_CAP, &cap) == 0 ? cap : 0;
}

static unsigned int count(void)
{
    return min((unsigned int)(capabilities() & CAP_COUNT), MAX_MTRRS);
}

static struct range get(unsigned int reg)
{
    uint64_t base, mask;

    if (rdmsr_safe(MSR_MTRR_BASE + 2 * reg, &base) != 0 ||
        rdmsr_safe(MSR_MTRR_BASE + 2 * reg + 1, &mask) != 0 || !(mask & MTRR_VALID)) {
        return (struct range){.frames = 0};
    }
    return (struct range){.first = (base & address_mask()) >> PAGE_SHIFT,
                          .frames = ((~mask & address_mask() & PAGE_MASK) >> PAGE_SHIFT) + 1,
                          .type = (unsigned int)(base & 0xff)};
}

/* ---- writing, on all CPUs at once ---- */

struct change {
    unsigned int reg;
    struct range range;
    unsigned int cpus, arrived, done;
};

/* All that have a number to reach wait for the last. */
static void meet(unsigned int *counter, unsigned int cpus)
{
    __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(counter, __ATOMIC_SEQ_CST) != cpus) {
        cpu_relax();
    }
}

/* Interrupts are off. "MTRR Considerations in MP Systems": no caches while CPUs may differ. */
static void change_here(void *data)
{
    struct change *c = data;
    uint64_t def, mask = ~(c->range.frames - 1) << PAGE_SHIFT & address_mask();

    meet(&c->arrived, c->cpus);
    write_cr0(read_cr0() | CR0_CD);
    __asm__ volatile("wbinvd" ::: "memory");
    tlb_flush_local_all();
    def = rdmsr(MSR_MTRR_DEF_TYPE);
    wrmsr(MSR_MTRR_DEF_TYPE, def & ~DEF_TYPE_ENABLE);
    if (c->range.frames == 0) {
        wrmsr(MSR_MTRR_BASE + 2 * c->reg + 1, 0);
    } else {
        wrmsr(MSR_MTRR_BASE + 2 * c->reg, c->range.first << PAGE_SHIFT | c->range.type);
        wrmsr(MSR_MTRR_BASE + 2 * c->reg + 1, mask | MTRR_VALID);
    }
    __asm__ volatile("wbinvd" ::: "memory");
    wrmsr(MSR_MTRR_DEF_TYPE, def);
    write_cr0(read_cr0() & ~CR0_CD);
    tlb_flush_local_all();
    meet(&c->done, c->cpus);
}

static void set(unsigned int reg, struct range r)
{
    struct change c = {.reg = reg, .range = r, .cpus = cpumask_weight(cpu_online_map)};

    on_cpus(cpu_online_map, change_here, &c, true);
}

/* ---- the operations ---- */

int mtrr_read(struct xenpf_read_memtype *t)
{
    struct range r;

    if (t->reg >= count()) {
        return -EINVAL;
    }
    r = get(t->reg);
    t->mfn = r.first;
    t->nr_mfns = r.frames;
    t->type = r.type;
    return 0;
}

static void learn_uses(void)
{
    for (unsigned int i = 0; !uses_known && i < count(); i++) {
        uses[i] = get(i).frames != 0;
    }
    uses_known = true;
}

/* A size of a power of two, aligned to it, that the processor can address. */
static bool can_be_one(const struct range *r)
{
    return r->frames != 0 && (r->frames & (r->frames - 1)) == 0 &&
           (r->first & (r->frames - 1)) == 0 && r->first + r->frames > r->first &&
           (r->first + r->frames - 1) >> (boot_cpu.phys_bits - PAGE_SHIFT) == 0;
}

static bool type_exists(unsigned int type)
{
    return type == TYPE_UC || type == TYPE_WC || (type >= TYPE_WT && type <= TYPE_WB);
}

/* May ranges of these types overlap? */
static bool compatible(unsigned int a, unsigned int b)
{
    return a == TYPE_UC || b == TYPE_UC || (a == TYPE_WT && b == TYPE_WB) ||
           (a == TYPE_WB && b == TYPE_WT);
}

enum overlap { NONE, INSIDE, AROUND, ACROSS };

/* How does r lie to the range `old` of a register? */
static enum overlap overlap(const struct range *r, const struct range *old)
{
    uint64_t last = r->first + r->frames - 1, old_last = old->first + old->frames - 1;

    if (old->frames == 0 || r->first > old_last || last < old->first) {
        return NONE;
    }
    if (r->first >= old->first && last <= old_last) {
        return INSIDE;
    }
    return r->first <= old->first && last >= old_last ? AROUND : ACROSS;
}

/*
 * The register that has r already (*exact), or the only one of its type that it would take the
 * place of; -ENOENT: neither. -EINVAL: r and a register's range exclude each other.
 */
static int look(const struct range *r, bool *exact)
{
    int replace = -ENOENT;
    unsigned int around = 0;

    *exact = false;
    for (unsigned int i = 0; i < count(); i++) {
        struct range old = get(i);

        switch (overlap(r, &old)) {
        case NONE:
            break;
        case INSIDE:
            if (old.type == r->type) {
                *exact = true;
                return (int)i;
            }
            if (!compatible(r->type, old.type)) {
                return -EINVAL;
            }
            break;
        case AROUND:
            if (old.type == r->type) {
                replace = around++ == 0 ? (int)i : -ENOENT;
            } else if (!compatible(r->type, old.type)) {
                return -EINVAL;
            }
            break;
        case ACROSS:
            return -EINVAL;
        }
    }
    return replace;
}

int mtrr_add(struct xenpf_add_memtype *t)
{
    struct range r = {.first = t->mfn, .frames = t->nr_mfns, .type = t->type};
    bool exact;
    int reg;

    if (capabilities() == 0) {
        return -ENXIO;
    }
    if (!can_be_one(&r) || !type_exists(r.type)) {
        return -EINVAL;
    }
    if (r.type == TYPE_WC && !(capabilities() & CAP_WC)) {
        return -EOPNOTSUPP;
    }
    learn_uses();
    reg = look(&r, &exact);
    if (reg == -EINVAL) {
        return reg;
    }
    for (unsigned int i = 0; reg == -ENOENT && i < count(); i++) {
        if (get(i).frames == 0) {
            reg = (int)i;
            uses[i] = 0;
        }
    }
    if (reg < 0) {
        return -ENOSPC;
    }
    if (!exact) {
        set((unsigned int)reg, r);
    }
    uses[reg]++;
    t->handle = 0;
    t->reg = (uint32_t)reg;
    return 0;
}

int mtrr_del(const struct xenpf_del_memtype *t)
{
    if (t->handle != 0 || (int)t->reg < 0) {
        return -EINVAL;
    }
    if (capabilities() == 0) {
        return -ENXIO;
    }
    learn_uses();
    if (t->reg >= count() || get(t->reg).frames == 0 || uses[t->reg] == 0) {
        return -EINVAL;
    }
    if (--uses[t->reg] == 0) {
        set(t->reg, (struct range){.frames = 0});
    }
    return 0;
}
