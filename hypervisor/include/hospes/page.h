/*
 * The frame table: one struct page_info for each 4 KiB frame of RAM, and the two counts every use
 * of a frame goes through. A general reference (count) keeps a frame from being freed; a type
 * reference keeps it what it is: a page table of level 1..4, a descriptor table, or writable -
 * never two at once. The transitions of type_info are pure code in core/page_type.c, enumerated in
 * full by its unit test; what validating a table means is the architecture's (x86/pv/).
 */
#ifndef HOSPES_PAGE_H
#define HOSPES_PAGE_H

#include <hospes/list.h>
#include <hospes/cpumask.h>

/* count_info */
#define PGC_ALLOCATED \
    BIT(63) /* the owner's own reference; dropped once, by whoever clears this bit */
#define PGC_XEN_HEAP    BIT(62) /* the hypervisor's memory (may be shared with its owner domain) */
#define PGC_BROKEN      BIT(61) /* never handed out again */
#define PGC_STATE_SHIFT 58
#define PGC_STATE_MASK  (7ul << PGC_STATE_SHIFT)
#define PGC_STATE_INUSE (0ul << PGC_STATE_SHIFT)
#define PGC_STATE_FREE  (1ul << PGC_STATE_SHIFT)
#define PGC_NEED_SCRUB  BIT(57) /* free and not yet cleared */
#define PGC_EXTRA       BIT(56) /* not counted in tot_pages (e.g. the shared info page of some ABIs) */
#define PGC_COUNT_MASK  (BIT(40) - 1)

/* type_info: type in the top bits, then flags, then the number of type references. */
#define PGT_TYPE_SHIFT 60
#define PGT_TYPE_MASK  (15ul << PGT_TYPE_SHIFT)
#define PGT_NONE       (0ul << PGT_TYPE_SHIFT)
#define PGT_L1         (1ul << PGT_TYPE_SHIFT)
#define PGT_L2         (2ul << PGT_TYPE_SHIFT)
#define PGT_L3         (3ul << PGT_TYPE_SHIFT)
#define PGT_L4         (4ul << PGT_TYPE_SHIFT)
#define PGT_SEGDESC    (5ul << PGT_TYPE_SHIFT) /* a GDT or LDT page */
#define PGT_SHARED     (6ul << PGT_TYPE_SHIFT)
#define PGT_WRITABLE   (7ul << PGT_TYPE_SHIFT)
#define PGT_PINNED     BIT(59) /* one type reference is the guest's pin */
#define PGT_VALIDATED  BIT(58) /* the content has been checked against the type */
#define PGT_PARTIAL    BIT(57) /* (de)validation was preempted; nr_validated says how far it is */
#define PGT_LOCKED     BIT(56) /* being (de)validated by one CPU, or its entries being written */
#define PGT_COUNT_MASK (BIT(40) - 1)
/* Linear page tables: entries that refer to a table of their own level. The number of such entries
 * in this table, or (USED) of those in other tables that refer to it: never both. */
#define PGT_LINEAR_USED BIT(40)
#define PGT_LINEAR_ONE  BIT(41)
#define PGT_LINEAR_MASK (BIT(56) - BIT(41))

/* One per frame: 32 bytes, so 0.8 % of memory. */
struct page_info {
    uint64_t count_info;
    uint64_t type_info;
    uint32_t next, prev; /* frame numbers of the neighbours on a page_list; PAGE_LIST_END */
    uint16_t owner; /* domid; DOMID_INVALID when none. Changes only while count is 0 or under the
                     * owner's page_lock (steal, transfer) */
    uint8_t order;  /* of a free buddy chunk's head */
    uint8_t partial_flags;
    union {
        uint32_t tlbflush_timestamp; /* when the last reference of a type went (count_type == 0) */
        struct {
            uint16_t nr_validated; /* entries [0, nr_validated) of a PGT_PARTIAL table are done */
            uint16_t reserved;
        };
    };
};
_Static_assert(sizeof(struct page_info) == 32, "the frame table's entries are 32 bytes");

#define PAGE_LIST_END (~0u)

/*
 * Frame table and direct map; the architecture's, inline where it can be:
 *   bool mfn_valid(mfn_t m)                 has a frame table entry (RAM); the only check before
 * mfn_to_page struct page_info *mfn_to_page(mfn_t m) mfn_t page_to_mfn(const struct page_info *pg)
 *   void *mfn_to_virt(mfn_t m)              its direct-map address
 */
#include <arch/frames.h>
mfn_t virt_to_mfn(const void *va); /* of direct-map addresses */
static inline void *page_to_virt(const struct page_info *pg)
{
    return mfn_to_virt(page_to_mfn(pg));
}
static inline struct page_info *virt_to_page(const void *va)
{
    return mfn_to_page(virt_to_mfn(va));
}

/* A list threaded through page_info, with O(1) insert, remove and count. */
struct page_list {
    uint32_t first, last;
    uint64_t count;
};
void page_list_init(struct page_list *l);
void page_list_add_tail(struct page_info *pg, struct page_list *l);
void page_list_del(struct page_info *pg, struct page_list *l);
/* For a page that is on one of two lists. Only the counts' sum is kept exact. */
void page_list_del_either(struct page_info *pg, struct page_list *a, struct page_list *b);
struct page_info *page_list_first(const struct page_list *l); /* NULL when empty */
struct page_info *page_list_next(const struct page_info *pg); /* NULL at the end */

/* ---- general references (core/page_ref.c) ---- */

/* Takes a reference if pg belongs to d and is in use; false otherwise. Never waits. */
bool get_page(struct page_info *pg, const struct domain *d) __must_check;
/* For a frame already referenced. */
void get_page_again(struct page_info *pg);
/* Drops one; the last frees the frame (to the owner's accounting and the heap). */
void put_page(struct page_info *pg);
/* Clears PGC_ALLOCATED if set and drops that reference: how an owner gives a page up. */
void put_page_alloc_ref(struct page_info *pg);
/* A reference together with the owner it was taken from; NULL when the page is not in use by a
 * domain. */
struct domain *get_page_owner(struct page_info *pg) __must_check;
/* The domain behind the owner's id, also dom_xen and dom_io; NULL: nobody. Good while the page is
 * referenced. */
struct domain *domain_of_page(const struct page_info *pg);
static inline domid_t page_owner_id(const struct page_info *pg)
{
    return READ_ONCE(pg->owner);
}

/* ---- type references (core/page_type.c drives, the architecture validates) ---- */

/*
 * 0; -EINVAL: has another type in use or does not validate; -ERESTART: preempted, call again (the
 * page is left PGT_PARTIAL; the caller keeps its general reference until it has gone on or has
 * called put_page_type_partial); -EINTR: preempted before anything was taken. -EAGAIN: does not
 * validate, and undoing that was preempted: left PGT_PARTIAL too, call put_page_type_partial until
 * 0. May wait for another CPU that flushes TLBs: interrupts must be on.
 */
int get_page_type(struct page_info *pg, uint64_t type, bool preemptible) __must_check;
/*
 * Drops a reference that get_page_type returned 0 for. 0; when preemptible -EINTR: nothing done;
 * -ERESTART: the reference has become PGT_PARTIAL, go on with put_page_type_partial.
 */
int put_page_type(struct page_info *pg, bool preemptible);
/* Undoes a half-done table if nobody else has taken it over. 0 or, when preemptible, -ERESTART. */
int put_page_type_partial(struct page_info *pg, bool preemptible);
/*
 * Linear page tables. An entry of `table` (locked, or being validated by the caller) is about to
 * refer to pg, a validated table of the same type: takes a type reference that is a use of pg, and
 * counts the entry in table. -EINVAL: pg is no such table or has linear entries itself, table is
 * used so itself, or a count is full. So no chain of such references is longer than one. Never
 * waits.
 */
int get_page_type_linear(struct page_info *pg, struct page_info *table) __must_check;
/* Drops such a reference as put_page_type does; where that returns not -EINTR the entry is gone
 * from table's count. */
int put_page_type_linear(struct page_info *pg, struct page_info *table, bool preemptible);
/* The entry is gone; its reference becomes an ordinary one, to be dropped by put_page_type. */
void page_type_linear_to_plain(struct page_info *pg, struct page_info *table);
#define PTES_PER_PAGE 512u
/* partial_flags: the table that entry nr_validated points to is PGT_PARTIAL, and the entry holds
 * its general reference. */
#define PARTIAL_ENTRY 1u

/* For changing the entries of a validated table: waits for other holders; false when it is not (or
 * not any more) validated. Holds a type reference. Lock tables top down only. */
bool page_lock(struct page_info *pg) __must_check;
void page_unlock(struct page_info *pg);
/* The guest's pin: sets the flag (false: was set) or clears it (false: was not). The type reference
 * that goes with it is the caller's business. */
bool page_set_pinned(struct page_info *pg) __must_check;
bool page_clear_pinned(struct page_info *pg) __must_check;

static inline bool get_page_and_type(struct page_info *pg, const struct domain *d, uint64_t type)
{
    if (!get_page(pg, d)) {
        return false;
    }
    if (get_page_type(pg, type, false) != 0) {
        put_page(pg);
        return false;
    }
    return true;
}
static inline void put_page_and_type(struct page_info *pg)
{
    (void)put_page_type(pg, false);
    put_page(pg);
}

#endif
