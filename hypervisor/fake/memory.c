/* fake: the played memory: one block of the host's, with a frame table. Read include/fake.h first.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <fake.h>
#include <hospes/guest_access.h>

static char *ram;
static struct page_info frames[FAKE_FRAMES];
static uint64_t m2p[FAKE_FRAMES];
static uint32_t tlb_clock = 1;

bool mfn_valid(mfn_t m)
{
    return m.v >= FAKE_FIRST_MFN && m.v < FAKE_FIRST_MFN + FAKE_FRAMES &&
           !(m.v >= FAKE_HOLE_START && m.v < FAKE_HOLE_START + FAKE_HOLE_FRAMES);
}

struct page_info *mfn_to_page(mfn_t m)
{
    if (!mfn_valid(m)) {
        abort();
    }
    return &frames[m.v - FAKE_FIRST_MFN];
}

mfn_t page_to_mfn(const struct page_info *pg)
{
    return mfn((uint64_t)(pg - frames) + FAKE_FIRST_MFN);
}

void *mfn_to_virt(mfn_t m)
{
    if (!mfn_valid(m)) {
        abort();
    }
    return ram + (m.v - FAKE_FIRST_MFN) * PAGE_SIZE;
}

mfn_t virt_to_mfn(const void *va)
{
    return mfn((uint64_t)((const char *)va - ram) / PAGE_SIZE + FAKE_FIRST_MFN);
}

/* What was in memory before: nothing may rely on zeros. */
void fake_init_memory(void)
{
    ram = mmap(NULL, FAKE_FRAMES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
               -1, 0);
    if (ram == MAP_FAILED) {
        abort();
    }
    memset(ram, 0xa5, FAKE_FRAMES * PAGE_SIZE);
    heap_add_region(mfn_to_paddr(mfn(FAKE_FIRST_MFN)), mfn_to_paddr(mfn(FAKE_HOLE_START)));
    heap_add_region(mfn_to_paddr(mfn(FAKE_HOLE_START + FAKE_HOLE_FRAMES)),
                    mfn_to_paddr(mfn(FAKE_FIRST_MFN + FAKE_FRAMES)));
}

void clear_page(void *va)
{
    memset(va, 0, PAGE_SIZE);
}

void copy_page(void *dst, const void *src)
{
    memcpy(dst, src, PAGE_SIZE);
}

void *vzalloc(size_t bytes)
{
    return calloc(1, bytes);
}

void vfree(void *va)
{
    free(va);
}

uint32_t tlb_clock_now(void)
{
    return tlb_clock;
}

void tlb_flush_mask(cpumask_t mask)
{
    (void)mask;
    fake_tlb_flushes++;
    tlb_clock++;
}

void tlb_flush_since(cpumask_t mask, uint32_t stamp)
{
    if (stamp >= tlb_clock) {
        tlb_flush_mask(mask);
    }
}

void arch_flush_before_reuse(struct page_info *pg)
{
    tlb_flush_since(cpu_online_map, pg->tlbflush_timestamp);
}

int arch_validate_page(struct page_info *pg, uint64_t type, bool preemptible)
{
    (void)pg, (void)type, (void)preemptible;
    return 0;
}

int arch_devalidate_page(struct page_info *pg, uint64_t type, bool preemptible)
{
    (void)pg, (void)type, (void)preemptible;
    return 0;
}

void set_gpfn_from_mfn(mfn_t m, uint64_t gpfn)
{
    m2p[m.v - FAKE_FIRST_MFN] = gpfn;
}

uint64_t get_gpfn_from_mfn(mfn_t m)
{
    return m2p[m.v - FAKE_FIRST_MFN];
}

uint64_t arch_max_ram_page(void)
{
    return FAKE_FIRST_MFN + FAKE_FRAMES;
}

void arch_cache_flush(const void *va, size_t bytes)
{
}

uint64_t arch_ram_pages(void)
{
    return FAKE_FRAMES;
}

unsigned int arch_phys_bits(void)
{
    return 40;
}

int get_guest_frame(struct domain *d, gfn_t g, bool writable, struct page_info **pg, mfn_t *out)
{
    (void)writable;
    if (!mfn_valid(mfn(g.v)) || !get_page(mfn_to_page(mfn(g.v)), d)) {
        return -EINVAL;
    }
    *pg = mfn_to_page(mfn(g.v));
    *out = mfn(g.v);
    return 0;
}

/* A guest's memory is the process's; the first page is never there. */
bool guest_range_ok(unsigned long addr, size_t n, size_t size)
{
    size_t bytes, end;

    return !__builtin_mul_overflow(n, size, &bytes) && !__builtin_add_overflow(addr, bytes, &end);
}

size_t raw_copy_from_guest(void *dst, unsigned long guest_addr, size_t n)
{
    if (guest_addr < PAGE_SIZE) {
        return n;
    }
    memcpy(dst, (const void *)guest_addr, n);
    return 0;
}

size_t raw_copy_to_guest(unsigned long guest_addr, const void *src, size_t n)
{
    if (guest_addr < PAGE_SIZE) {
        return n;
    }
    memcpy((void *)guest_addr, src, n);
    return 0;
}

size_t raw_clear_guest(unsigned long guest_addr, size_t n)
{
    if (guest_addr < PAGE_SIZE) {
        return n;
    }
    memset((void *)guest_addr, 0, n);
    return 0;
}
