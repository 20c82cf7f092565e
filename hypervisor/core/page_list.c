/* Lists of frames, linked by frame number through page_info. Callers lock. See <hospes/page.h>. */
#include <hospes/page.h>

static struct page_info *page_at(uint32_t frame)
{
    return frame == PAGE_LIST_END ? NULL : mfn_to_page(mfn(frame));
}

void page_list_init(struct page_list *l)
{
    *l = (struct page_list){PAGE_LIST_END, PAGE_LIST_END, 0};
}

void page_list_add_tail(struct page_info *pg, struct page_list *l)
{
    uint32_t frame = (uint32_t)page_to_mfn(pg).v;

    pg->next = PAGE_LIST_END;
    pg->prev = l->last;
    if (l->last == PAGE_LIST_END) {
        l->first = frame;
    } else {
        page_at(l->last)->next = frame;
    }
    l->last = frame;
    l->count++;
}

void page_list_del_either(struct page_info *pg, struct page_list *a, struct page_list *b)
{
    uint32_t frame = (uint32_t)page_to_mfn(pg).v;
    struct page_list *in = a->count > 0 ? a : b;

    if (pg->prev != PAGE_LIST_END) {
        page_at(pg->prev)->next = pg->next;
    } else {
        in = a->first == frame ? a : b;
        in->first = pg->next;
    }
    if (pg->next != PAGE_LIST_END) {
        page_at(pg->next)->prev = pg->prev;
    } else {
        in = a->last == frame ? a : b;
        in->last = pg->prev;
    }
    in->count--;
    pg->next = pg->prev = PAGE_LIST_END;
}

void page_list_del(struct page_info *pg, struct page_list *l)
{
    page_list_del_either(pg, l, l);
}

struct page_info *page_list_first(const struct page_list *l)
{
    return page_at(l->first);
}

struct page_info *page_list_next(const struct page_info *pg)
{
    return page_at(pg->next);
}
