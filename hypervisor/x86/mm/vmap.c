/*
 * The vmap area: ioremap, vzalloc and other mappings of 4 KiB pages that are made after boot. A
 * bitmap says which address pages are reserved; behind each reservation one page stays unmapped
 * (and reserved), which is how vfree and iounmap find the end, and what an overrun hits.
 */
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/lock.h>
#include <hospes/memory.h>
#include <arch/layout.h>
#include <arch/mm.h>

#define VMAP_PAGES (1u << 20) /* 4 GiB of addresses in use at most */

static BITMAP(reserved, VMAP_PAGES);
static unsigned int search_from;
static spinlock_t vmap_lock = SPINLOCK_INIT(RANK_MAPCACHE);

static unsigned int index_of(const void *va)
{
    return (unsigned int)(((unsigned long)va - VMAP_START) >> PAGE_SHIFT);
}

/* The first n free pages at or after `from`; VMAP_PAGES: none. Under vmap_lock. */
static unsigned int find_free(unsigned int from, unsigned int n)
{
    while (from + n <= VMAP_PAGES) {
        unsigned int start = find_next_zero_bit(reserved, VMAP_PAGES, from);
        unsigned int end;

        if (start + n > VMAP_PAGES) {
            break;
        }
        end = find_next_bit(reserved, start + n, start);
        if (end >= start + n) {
            return start;
        }
        from = end + 1;
    }
    return VMAP_PAGES;
}

void *vmap_reserve(size_t pages)
{
    unsigned int n = (unsigned int)pages + 1, at;

    if (pages == 0 || pages >= VMAP_PAGES) {
        return NULL;
    }
    LOCKED(&vmap_lock);
    at = find_free(search_from, n);
    if (at == VMAP_PAGES) {
        at = find_free(0, n);
    }
    if (at == VMAP_PAGES) {
        return NULL;
    }
    for (unsigned int i = 0; i < n; i++) {
        __set_bit(at + i, reserved);
    }
    search_from = at + n;
    return (void *)(VMAP_START + ((unsigned long)at << PAGE_SHIFT));
}

void vmap_release(void *va, size_t pages)
{
    unsigned int at = index_of(va);

    LOCKED(&vmap_lock);
    for (unsigned int i = 0; i < pages + 1; i++) {
        __clear_bit(at + i, reserved);
    }
    search_from = min(search_from, at);
}

/* Mapped pages from va up to the guard page. */
static size_t mapped_pages(const void *va)
{
    size_t n = 0;

    while (hyp_va_to_pa((const char *)va + n * PAGE_SIZE).v != ~0ull) {
        n++;
    }
    return n;
}

void *ioremap_flags(paddr_t pa, size_t bytes, pte_t flags)
{
    unsigned long offset = pa.v & (PAGE_SIZE - 1);
    size_t n = DIV_ROUND_UP(offset + bytes, PAGE_SIZE);
    char *va = vmap_reserve(n);

    if (!va) {
        return NULL;
    }
    if (map_hyp_pages((unsigned long)va, paddr_to_mfn(pa), n, flags) != 0) {
        vmap_release(va, n);
        return NULL;
    }
    return va + offset;
}

void *ioremap(paddr_t pa, size_t bytes)
{
    return ioremap_flags(pa, bytes, PTE_HYP_UC);
}

void iounmap(void *va)
{
    size_t n;

    if (!va) {
        return;
    }
    va = (void *)((unsigned long)va & PAGE_MASK);
    n = mapped_pages(va);
    unmap_hyp_pages((unsigned long)va, n);
    vmap_release(va, n);
}

/* Chains the pages through their first word (nobody uses them any more), unmaps all with one flush
 * of the TLBs, and only then frees them. */
static void free_backing(char *va, size_t n)
{
    void *chain = NULL;

    for (size_t i = 0; i < n; i++) {
        void **page = mfn_to_virt(paddr_to_mfn(hyp_va_to_pa(va + i * PAGE_SIZE)));

        *page = chain;
        chain = page;
    }
    unmap_hyp_pages((unsigned long)va, n);
    while (chain) {
        void *next = *(void **)chain;

        free_xenheap_pages(chain, 0);
        chain = next;
    }
}

void *vzalloc(size_t bytes)
{
    size_t n = DIV_ROUND_UP(bytes, PAGE_SIZE);
    char *va = vmap_reserve(n);

    for (size_t i = 0; va && i < n; i++) {
        void *page = alloc_xenheap_pages(0, 0);

        if (page &&
            map_hyp_page((unsigned long)va + i * PAGE_SIZE, virt_to_mfn(page), PTE_HYP_RW) == 0) {
            continue;
        }
        if (page) {
            free_xenheap_pages(page, 0);
        }
        free_backing(va, i);
        vmap_release(va, n);
        va = NULL;
    }
    return va;
}

void vfree(void *va)
{
    size_t n;

    if (!va) {
        return;
    }
    n = mapped_pages(va);
    free_backing(va, n);
    vmap_release(va, n);
}
