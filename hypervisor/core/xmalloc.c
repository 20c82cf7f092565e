/*
 * Small objects, in constant time. An object of up to 2016 bytes comes from a slab: one frame cut
 * into objects of one size class, with a header at its start. Larger ones are whole frames, whose
 * number is kept in their first page_info. So a pointer's offset in its frame says which it is: no
 * slab object is at 0.
 *
 * Everything returned is zero. Slabs that become empty go back to the heap, but for one per class.
 */
#include <hospes/arch.h>
#include <hospes/lib.h>
#include <hospes/list.h>
#include <hospes/memory.h>

static const uint16_t class_size[] = {16,  32,  48,  64,  96,   128,  192,
                                      256, 384, 512, 672, 1008, 1344, 2016};
#define NR_CLASSES ARRAY_SIZE(class_size)

#define SLAB_MAGIC  0x48536c6162u
#define SLAB_HEADER 64u

struct slab {
    uint64_t magic;
    struct list_head link; /* on partial[], unless full */
    void *free;            /* objects linked through their first word */
    uint16_t cls, in_use, capacity;
};
_Static_assert(sizeof(struct slab) <= SLAB_HEADER, "objects start behind the header");

static spinlock_t xmalloc_lock = SPINLOCK_INIT(RANK_XMALLOC);
static struct {
    struct list_head partial; /* slabs with a free object; empty ones at the end */
    unsigned int nr_empty;
} classes[NR_CLASSES];

/* Every object of a class is aligned to the largest power of two that divides the class's size,
 * at most 64. */
static unsigned int class_align(unsigned int cls)
{
    unsigned int size = class_size[cls], low = size & (0u - size);

    return low < SLAB_HEADER ? low : SLAB_HEADER;
}

static unsigned int first_offset(unsigned int cls)
{
    unsigned int size = class_size[cls], low = size & (0u - size);

    return (unsigned int)ROUNDUP(SLAB_HEADER, low);
}

/* NR_CLASSES: too large, or too much alignment. */
static unsigned int find_class(size_t size, size_t align)
{
    unsigned int i;

    for (i = 0; i < NR_CLASSES; i++) {
        if (class_size[i] >= size && class_align(i) >= align) {
            break;
        }
    }
    return i;
}

static struct slab *slab_create(unsigned int cls)
{
    struct slab *s = alloc_xenheap_pages(0, 0);
    unsigned int at, size = class_size[cls];

    if (s == NULL) {
        return NULL;
    }
    s->magic = SLAB_MAGIC;
    s->cls = (uint16_t)cls;
    for (at = first_offset(cls); at + size <= PAGE_SIZE; at += size) {
        void **object = (void **)((char *)s + at);

        *object = s->free;
        s->free = object;
        s->capacity++;
    }
    return s;
}

/* Lock held; the class has a partial slab. */
static void *take_object(unsigned int cls)
{
    struct slab *s = list_first_entry(&classes[cls].partial, struct slab, link);
    void **object = s->free;

    if (s->in_use == 0) {
        classes[cls].nr_empty--;
    }
    s->free = *object;
    s->in_use++;
    if (s->free == NULL) {
        list_del(&s->link);
    }
    return object;
}

static void *slab_alloc(unsigned int cls)
{
    struct slab *fresh = NULL;
    void *object = NULL;

    for (;;) {
        spin_lock(&xmalloc_lock);
        if (classes[cls].partial.next == NULL) {
            list_init(&classes[cls].partial);
        }
        if (fresh != NULL) {
            list_add(&fresh->link, &classes[cls].partial);
            classes[cls].nr_empty++;
        }
        if (!list_empty(&classes[cls].partial)) {
            object = take_object(cls);
        }
        spin_unlock(&xmalloc_lock);
        if (object != NULL) {
            break;
        }
        fresh = slab_create(cls);
        if (fresh == NULL) {
            return NULL;
        }
    }
    memset(object, 0, class_size[cls]);
    return object;
}

/* Whole frames: what a power of two has too many goes back at once. */
static void *pages_alloc(size_t size, size_t align)
{
    uint64_t pages = DIV_ROUND_UP(size, PAGE_SIZE), n;
    unsigned int order = get_order_from_bytes(max(size, align));
    struct page_info *pg;
    void *va;

    if (order > MAX_ORDER || pages == 0) {
        return NULL;
    }
    va = alloc_xenheap_pages(order, 0);
    if (va == NULL) {
        return NULL;
    }
    pg = virt_to_page(va);
    pg->next = (uint32_t)pages;
    for (n = pages; n < 1ull << order; n += 1ull << lowest_bit(n)) {
        free_xenheap_pages((char *)va + n * PAGE_SIZE, lowest_bit(n));
    }
    return va;
}

static void pages_free(void *va)
{
    uint64_t pages = virt_to_page(va)->next, n;
    unsigned int order;

    BUG_ON(pages == 0 || pages > 1ull << MAX_ORDER);
    for (n = 0; n < pages; n += 1ull << order) {
        order = highest_bit(pages - n);
        if (n != 0) {
            order = min(order, lowest_bit(n));
        }
        free_xenheap_pages((char *)va + n * PAGE_SIZE, order);
    }
}

void *xzalloc_bytes(size_t size, size_t align)
{
    unsigned int cls;

    if (size > PAGE_SIZE << MAX_ORDER) {
        return NULL;
    }
    cls = find_class(size, align);
    return cls < NR_CLASSES ? slab_alloc(cls) : pages_alloc(size, align);
}

/* Lock held. Returns the slab when it is to be given back to the heap. */
static struct slab *return_object(struct slab *s, void **object)
{
    unsigned int cls = s->cls;

    BUG_ON(s->magic != SLAB_MAGIC || s->in_use == 0);
    if (s->free == NULL) {
        list_add(&s->link, &classes[cls].partial);
    }
    *object = s->free;
    s->free = object;
    if (--s->in_use > 0) {
        return NULL;
    }
    list_del(&s->link);
    if (classes[cls].nr_empty > 0) {
        s->magic = 0;
        return s;
    }
    classes[cls].nr_empty++;
    list_add_tail(&s->link, &classes[cls].partial);
    return NULL;
}

void xfree(void *p)
{
    struct slab *s;

    if (p == NULL) {
        return;
    }
    if (((uintptr_t)p & ~PAGE_MASK) == 0) {
        pages_free(p);
        return;
    }
    s = (struct slab *)((uintptr_t)p & PAGE_MASK);
    spin_lock(&xmalloc_lock);
    s = return_object(s, p);
    spin_unlock(&xmalloc_lock);
    if (s != NULL) {
        free_xenheap_pages(s, 0);
    }
}

void xmalloc_dump(void)
{
    for (unsigned int i = 0; i < NR_CLASSES; i++) {
        unsigned int slabs = 0, used = 0, room = 0, empty;
        struct slab *s;

        spin_lock(&xmalloc_lock);
        if (classes[i].partial.next != NULL) {
            list_for_each_entry (s, &classes[i].partial, link) {
                slabs++;
                used += s->in_use;
                room += s->capacity;
            }
        }
        empty = classes[i].nr_empty;
        spin_unlock(&xmalloc_lock);
        printk("  objects of %u bytes: %u slabs with room (%u empty), %u of %u objects in use\n",
               class_size[i], slabs, empty, used, room);
    }
}
