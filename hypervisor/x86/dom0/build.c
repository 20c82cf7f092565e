/*
 * Builds Domain 0: memory, page tables, start info, kernel and ramdisk, first vcpu. The tables are
 * written as the guest would have written them and then validated like a guest's: nothing is
 * trusted because it was made here. Read dom0.h first.
 */
#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <hospes/param.h>
#include <hospes/sched.h>
#include <arch/pv_mm.h>
#include <arch/pv.h>
#include "dom0.h"

#define PTE_TABLE    0x067ul /* present, writable, user, accessed, dirty */
#define PTE_READONLY 0x065ul

static uint64_t opt_mem, opt_mem_min, opt_mem_max = ~0ull; /* bytes; 0: not given */
static bool opt_mem_negative;
static unsigned int opt_vcpus_min = 1, opt_vcpus_max;

struct dom0_builder {
    struct domain *d;
    struct dom0_kernel kernel;
    struct dom0_layout l;
    unsigned long *p2m;    /* the guest's own list, through the direct map: frame contiguous */
    unsigned long next_pt; /* index of the next unused page table */
};

void __init dom0_fail(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    printk(LOG_ERR "\n");
    vprintk(fmt, args);
    va_end(args);
    printk(LOG_ERR "\nNo Domain 0: the machine stops here.\n");
    machine_halt();
}

/* ---- options ---- */

/* dom0_mem=[-]SIZE[,min:SIZE][,max:SIZE] */
static int __init parse_dom0_mem(const char *s)
{
    while (*s) {
        uint64_t *var = &opt_mem;

        if (strncmp(s, "min:", 4) == 0) {
            var = &opt_mem_min;
            s += 4;
        } else if (strncmp(s, "max:", 4) == 0) {
            var = &opt_mem_max;
            s += 4;
        } else if (*s == '-') {
            opt_mem_negative = true;
            s++;
        }
        if (*s < '0' || *s > '9') {
            return -EINVAL;
        }
        *var = parse_size(s, &s);
        if (*s == ',') {
            s++;
        } else if (*s) {
            return -EINVAL;
        }
    }
    return 0;
}
custom_param(dom0_mem, "dom0_mem", parse_dom0_mem,
             "memory of Domain 0: [-]SIZE[,min:SIZE][,max:SIZE]; -SIZE: all but that");

/* dom0_max_vcpus=N or MIN-MAX */
static int __init parse_dom0_max_vcpus(const char *s)
{
    char *end;

    if (*s < '0' || *s > '9') {
        return -EINVAL;
    }
    opt_vcpus_min = (unsigned int)strtoul(s, &end, 0);
    opt_vcpus_max = opt_vcpus_min;
    if (*end == '-') {
        s = end + 1;
        opt_vcpus_max = *s ? (unsigned int)strtoul(s, &end, 0) : MAX_VCPUS;
        end = *s ? end : end + 1;
    }
    return *end || opt_vcpus_max == 0 || opt_vcpus_max < opt_vcpus_min ? -EINVAL : 0;
}
custom_param(dom0_max_vcpus, "dom0_max_vcpus", parse_dom0_max_vcpus,
             "virtual CPUs of Domain 0: N or MIN-MAX (default: as many as there are CPUs)");

static unsigned int __init dom0_nr_vcpus(void)
{
    unsigned int n = cpumask_weight(cpu_online_map);

    if (opt_vcpus_max) {
        n = min(max(n, opt_vcpus_min), opt_vcpus_max);
    }
    return min(n, min(MAX_VCPUS, XEN_LEGACY_MAX_VCPUS * 4u));
}

/* Pages for Domain 0. By default all but a sixteenth (at most 128 MB), which the hypervisor and
 * small guests start from. */
static unsigned long __init dom0_nr_pages(size_t for_modules)
{
    uint64_t avail = heap_free_pages(), reserve = min(avail / 16, (128ull << 20) >> PAGE_SHIFT);
    uint64_t want = opt_mem >> PAGE_SHIFT;

    if (opt_mem == 0) {
        want = avail - reserve;
    } else if (opt_mem_negative) {
        want = want < avail ? avail - want : 0;
    }
    want = min(max(want, opt_mem_min >> PAGE_SHIFT), opt_mem_max >> PAGE_SHIFT);
    if (want > avail) {
        printk(LOG_WARNING "dom0_mem asks for %lu MB, but only %lu MB are free: taking those\n",
               (unsigned long)(want >> 8), (unsigned long)((avail - reserve) >> 8));
        want = avail - reserve;
    }
    if (want < ((64ull << 20) >> PAGE_SHIFT)) {
        dom0_fail("Only %lu MB of memory are left for Domain 0, which needs 64 at the least: raise "
                  "dom0_mem or give the machine more.",
                  (unsigned long)(want >> 8));
    }
    return want;
}

/* ---- memory ---- */

/* The largest power of two of pages that is free and not more than nr. Not cleared: nobody but the
 * firmware has used it, and Domain 0 may see what that left. */
static struct page_info *__init alloc_chunk(struct domain *d, unsigned long nr, unsigned long *got)
{
    unsigned int order = min(highest_bit(nr), 18u);

    for (;; order--) {
        struct page_info *pg = alloc_domheap_pages(d, order, MEMF_NO_SCRUB);

        if (pg) {
            *got = 1ul << order;
            return pg;
        }
        if (order == 0) {
            dom0_fail("Domain 0's memory could not be allocated (%lu pages short): lower dom0_mem.",
                      nr);
        }
    }
}

static void __init set_p2m(struct dom0_builder *b, unsigned long pfn, mfn_t first, unsigned long nr)
{
    for (unsigned long i = 0; i < nr; i++) {
        b->p2m[pfn + i] = first.v + i;
        set_gpfn_from_mfn(mfn_add(first, i), pfn + i);
    }
}

static void __init populate(struct dom0_builder *b)
{
    unsigned long p2m_frames = (b->l.p2m_end - b->l.p2m_start) >> PAGE_SHIFT;
    unsigned int order = get_order_from_bytes(p2m_frames << PAGE_SHIFT);
    struct page_info *p2m_pages = alloc_domheap_pages(b->d, order, MEMF_NO_SCRUB);
    unsigned long pfn = 0, block = 1ul << order;

    if (!p2m_pages) {
        dom0_fail("No %lu MB of contiguous memory for Domain 0's list of frames: lower dom0_mem.",
                  block >> 8);
    }
    b->p2m = page_to_virt(p2m_pages);
    while (pfn < b->l.nr_pages) {
        struct page_info *pg;
        unsigned long n, room = b->l.nr_pages - pfn;

        if (pfn == b->l.p2m_pfn) {
            n = min(block, room);
            pg = p2m_pages;
            for (unsigned long i = n; i < block; i++) { /* more than Domain 0 is to have */
                put_page_alloc_ref(p2m_pages + i);
            }
        } else {
            if (pfn < b->l.p2m_pfn) {
                room = min(room, b->l.p2m_pfn - pfn);
            }
            pg = alloc_chunk(b->d, room, &n);
        }
        set_p2m(b, pfn, page_to_mfn(pg), n);
        pfn += n;
        process_pending_softirqs();
    }
    /* The padding of the last page of the list. */
    for (unsigned long i = b->l.nr_pages; i < p2m_frames * (PAGE_SIZE / sizeof(*b->p2m)); i++) {
        b->p2m[i] = ~0ul;
    }
}

static void *__init pfn_ptr(const struct dom0_builder *b, unsigned long pfn)
{
    BUG_ON(pfn >= b->l.nr_pages);
    return mfn_to_virt(mfn(b->p2m[pfn]));
}

static void *__init va_ptr(const struct dom0_builder *b, unsigned long va)
{
    return (char *)pfn_ptr(b, (va - b->l.v_start) >> PAGE_SHIFT) + (va & ~PAGE_MASK);
}

/* Copies into (or clears, src NULL) frames from pfn on, starting at a byte offset. */
static void __init write_frames(const struct dom0_builder *b, unsigned long addr, const char *src,
                                size_t n)
{
    while (n) {
        size_t chunk = min(n, PAGE_SIZE - (addr & ~PAGE_MASK));
        char *dst = (char *)pfn_ptr(b, addr >> PAGE_SHIFT) + (addr & ~PAGE_MASK);

        if (src) {
            memcpy(dst, src, chunk);
            src += chunk;
        } else {
            memset(dst, 0, chunk);
        }
        addr += chunk;
        n -= chunk;
    }
}

static void __init write_segment(void *ctx, unsigned long va, const void *src, size_t n)
{
    const struct dom0_builder *b = ctx;

    write_frames(b, va - b->l.v_start, src, n);
}

/* ---- page tables ---- */

static uint64_t *__init table_ptr(const struct dom0_builder *b, uint64_t entry)
{
    (void)b;
    return mfn_to_virt(paddr_to_mfn(paddr(entry & 0x000ffffffffff000ul)));
}

static void __init map_page(struct dom0_builder *b, unsigned long va, unsigned long frame,
                            uint64_t flags)
{
    uint64_t *table = va_ptr(b, b->l.pt_start);

    for (unsigned int shift = 39; shift > 12; shift -= 9) {
        uint64_t *e = &table[(va >> shift) & 511];

        if (!*e) {
            unsigned long pt_va = b->l.pt_start + b->next_pt * PAGE_SIZE;

            BUG_ON(b->next_pt >= b->l.nr_pt);
            b->next_pt++;
            *e = (b->p2m[(pt_va - b->l.v_start) >> PAGE_SHIFT] << PAGE_SHIFT) | PTE_TABLE;
        }
        table = table_ptr(b, *e);
    }
    table[(va >> 12) & 511] = (frame << PAGE_SHIFT) | flags;
}

static void __init build_page_tables(struct dom0_builder *b)
{
    const struct dom0_layout *l = &b->l;

    for (unsigned long i = 0; i < l->nr_pt; i++) {
        clear_page(va_ptr(b, l->pt_start + i * PAGE_SIZE));
    }
    b->next_pt = 1;
    for (unsigned long va = l->v_start; va < l->v_end; va += PAGE_SIZE) {
        bool is_table = va >= l->pt_start && va < l->pt_start + l->nr_pt * PAGE_SIZE;

        map_page(b, va, b->p2m[(va - l->v_start) >> PAGE_SHIFT],
                 is_table ? PTE_READONLY : PTE_TABLE);
    }
    if (l->p2m_start < l->v_start || l->p2m_start >= l->v_end) {
        for (unsigned long i = 0; l->p2m_start + i * PAGE_SIZE < l->p2m_end; i++) {
            map_page(b, l->p2m_start + i * PAGE_SIZE, b->p2m[l->p2m_pfn + i], PTE_TABLE);
        }
    }
}

/* The L4 gets two references: the guest's pin, which it can drop, and the first vcpu's. */
static void __init validate_page_tables(struct dom0_builder *b)
{
    struct page_info *l4 = virt_to_page(va_ptr(b, b->l.pt_start));

    for (unsigned int i = 0; i < 2; i++) {
        if (!get_page_and_type(l4, b->d, PGT_L4)) {
            panic("Domain 0's first page tables do not validate");
        }
    }
    __atomic_or_fetch(&l4->type_info, PGT_PINNED, __ATOMIC_RELAXED);
    b->d->vcpu[0]->arch.guest_table = page_to_mfn(l4);
}

/* ---- the rest of what the kernel finds ---- */

static void __init write_start_info(struct dom0_builder *b, const char *cmdline, size_t initrd_len)
{
    const struct dom0_layout *l = &b->l;
    struct start_info *si = va_ptr(b, l->start_info);
    bool apart = l->p2m_start < l->v_start || l->p2m_start >= l->v_end;

    clear_page(si);
    strlcpy(si->magic, "xen-3.0-x86_64", sizeof(si->magic));
    si->nr_pages = l->nr_pages;
    si->shared_info = mfn_to_paddr(b->d->shared_info_mfn).v;
    si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN;
    si->pt_base = l->pt_start;
    si->nr_pt_frames = l->nr_pt;
    si->mfn_list = l->p2m_start;
    if (apart) {
        si->first_p2m_pfn = l->p2m_pfn;
        si->nr_p2m_frames = (l->p2m_end - l->p2m_start) >> PAGE_SHIFT;
    }
    if (initrd_len) {
        si->mod_len = initrd_len;
        si->mod_start = l->initrd_start ? l->initrd_start : l->initrd_pfn;
        si->flags |= l->initrd_start ? 0 : SIF_MOD_START_PFN;
    }
    si->console.dom0.info_off = sizeof(*si);
    if (strlcpy((char *)si->cmd_line, cmdline, sizeof(si->cmd_line)) >= sizeof(si->cmd_line)) {
        printk(LOG_WARNING "Domain 0's command line is longer than %zu bytes and was cut\n",
               sizeof(si->cmd_line) - 1);
    }
}

static void __init fill_hypercall_page(struct dom0_builder *b)
{
    unsigned long va = b->kernel.hypercall_page;

    if (va == NO_ADDR) {
        return;
    }
    if (va < b->l.kernel_start || va >= b->l.kernel_end || (va & ~PAGE_MASK)) {
        dom0_fail(
            "Domain 0's kernel wants its hypercall page at %#lx, outside itself: it is damaged.",
            va);
    }
    hypercall_page_fill(b->d, va_ptr(b, va));
}

static void __init create_domain(struct dom0_builder *b)
{
    struct xen_domctl_createdomain config = {
        .max_vcpus = dom0_nr_vcpus(),
        .max_evtchn_port = -1,
        .max_grant_frames = 64,
        .max_maptrack_frames = 1024,
        .grant_opts = XEN_DOMCTL_GRANT_version(2),
    };
    struct vcpu *v;
    int rc = domain_create(0, &config, true, &b->d);

    for (unsigned int i = 0; rc == 0 && i < config.max_vcpus; i++) {
        rc = vcpu_create(b->d, i, &v);
    }
    if (rc) {
        dom0_fail("Domain 0 could not be created (error %d): give the machine more memory.", -rc);
    }
    hardware_domain = b->d;
    b->d->max_pages = opt_mem_max == ~0ull ? ~0u : opt_mem_max >> PAGE_SHIFT;
    dom0_grant_permissions(b->d);
}

static void __init give_back(const struct boot_module *m)
{
    if (m) {
        heap_add_region(paddr(ROUNDUP(m->start.v, PAGE_SIZE)),
                        paddr(ROUNDUP(m->start.v + m->size, PAGE_SIZE)));
    }
}

static void __init describe(const struct dom0_builder *b, size_t initrd_len)
{
    const struct dom0_layout *l = &b->l;

    printk("Domain 0: %lu MB, %u vcpus, entry %#lx\n", l->nr_pages >> 8, b->d->max_vcpus,
           b->kernel.entry);
    printk(LOG_DEBUG "  mapped     %016lx-%016lx\n", l->v_start, l->v_end);
    printk(LOG_DEBUG "  kernel     %016lx-%016lx\n", l->kernel_start, l->kernel_end);
    printk(LOG_DEBUG "  frame list %016lx-%016lx (pfn %#lx)\n", l->p2m_start, l->p2m_end,
           l->p2m_pfn);
    printk(LOG_DEBUG "  tables     %016lx, %lu pages; ramdisk pfn %#lx, %zu bytes\n", l->pt_start,
           l->nr_pt, l->initrd_pfn, initrd_len);
}

int __init construct_dom0(const struct boot_module *kernel, const struct boot_module *ramdisk)
{
    static struct dom0_builder b __initdata;
    size_t initrd_len = ramdisk ? ramdisk->size : 0, elf_len;
    const void *elf;
    void *unpacked;
    int rc;

    if (!kernel || !kernel->size) {
        dom0_fail("There is no kernel for Domain 0: name one as the boot loader's first module.");
    }
    elf =
        unpack_kernel(mfn_to_virt(paddr_to_mfn(kernel->start)), kernel->size, &elf_len, &unpacked);
    kernel_parse(elf, elf_len, &b.kernel);
    create_domain(&b);
    layout_compute(&b.l, &b.kernel, dom0_nr_pages(kernel->size + initrd_len), initrd_len);
    describe(&b, initrd_len);
    populate(&b);
    kernel_load(&b.kernel, write_segment, &b);
    vfree(unpacked);
    if (ramdisk) {
        write_frames(&b, b.l.initrd_pfn << PAGE_SHIFT, mfn_to_virt(paddr_to_mfn(ramdisk->start)),
                     initrd_len);
    }
    fill_hypercall_page(&b);
    write_start_info(&b, kernel->cmdline ? kernel->cmdline : "", initrd_len);
    build_page_tables(&b);
    validate_page_tables(&b);
    give_back(kernel);
    give_back(ramdisk);
    update_domain_wallclock(b.d);

    rc = pv_start_vcpu(b.d->vcpu[0], b.kernel.entry, b.l.stack_top, b.l.start_info);
    if (rc) {
        dom0_fail("Domain 0's kernel has an impossible entry point (%#lx): it is damaged.",
                  b.kernel.entry);
    }
    return 0;
}
