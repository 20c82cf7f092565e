/*
 * Memory under threads (core/buddy.c, page_ref.c, domain_memory.c): what this proves. Four CPUs,
 * played by threads, allocate, reference, give up, steal and transfer the pages of three domains at
 * random, with a fourth scrubbing; the counts are exact afterwards, and no page is in two places.
 */
#include "tap.h"

#define NR_DOMAINS 3u
#define NR_SLOTS   256u

static struct domain *domains[NR_DOMAINS];
/* Pages that were allocated some time ago, and may be anybody's now. */
static struct page_info *slots[NR_SLOTS];

static void use_page(struct page_info *pg, uint64_t *state)
{
    struct domain *d = domains[rnd(state) % NR_DOMAINS], *owner;

    switch (rnd(state) % 4) {
    case 0:
        if (get_page(pg, d)) {
            assert_int_equal(page_owner_id(pg), d->domain_id);
            put_page(pg);
        }
        break;
    case 1:
        owner = get_page_owner(pg);
        if (owner != NULL) {
            get_page_again(pg);
            put_page(pg);
            put_page(pg);
        }
        break;
    case 2:
        if (get_page(pg, d)) {
            put_page_alloc_ref(pg);
            put_page(pg);
        }
        break;
    default:
        /* A transfer: from whoever has it to d. */
        owner = domain_of_page(pg);
        if (owner != NULL && steal_page(owner, pg, 0) == 0 && assign_pages(pg, 0, d, 0) != 0) {
            free_frames(pg, 0);
        }
        break;
    }
}

static void *user(void *cpu)
{
    uint64_t state = 1000 + (uintptr_t)cpu;
    unsigned int step, slot, order;
    struct page_info *pg;

    fake_on_cpu((unsigned int)(uintptr_t)cpu);
    for (step = 0; step < 40000; step++) {
        slot = rnd(&state) % NR_SLOTS;
        pg = __atomic_load_n(&slots[slot], __ATOMIC_ACQUIRE);
        if (pg == NULL || rnd(&state) % 8 == 0) {
            order = rnd(&state) % 3;
            pg = alloc_domheap_pages(domains[rnd(&state) % NR_DOMAINS], order, 0);
            if (pg != NULL) {
                __atomic_store_n(&slots[slot], pg, __ATOMIC_RELEASE);
            }
        } else {
            use_page(pg, &state);
        }
    }
    return NULL;
}

static bool stop;

static void *scrubber(void *cpu)
{
    fake_on_cpu((unsigned int)(uintptr_t)cpu);
    while (!READ_ONCE(stop)) {
        if (!scrub_free_pages()) {
            cpu_relax();
        }
    }
    return NULL;
}

static uint64_t count_list(const struct domain *d)
{
    const struct page_info *pg;
    uint64_t n = 0;

    for (pg = page_list_first(&d->page_list); pg != NULL; pg = page_list_next(pg)) {
        assert_int_equal(pg->owner, d->domain_id);
        assert_int_equal(pg->count_info, PGC_ALLOCATED | 1);
        n++;
    }
    return n;
}

static void counts_are_exact(void **unused)
{
    uint64_t before, pages = 0;
    pthread_t t[4], s;
    unsigned int i;

    (void)unused;
    fake_kill(fake_domain(9, 1, false));
    before = heap_free_pages();
    for (i = 0; i < NR_DOMAINS; i++) {
        domains[i] = fake_domain((domid_t)(i + 1), 1, false);
        domains[i]->max_pages = 3000;
    }
    for (i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, user, (void *)(uintptr_t)i);
    }
    pthread_create(&s, NULL, scrubber, (void *)(uintptr_t)4);
    for (i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
    }
    WRITE_ONCE(stop, true);
    pthread_join(s, NULL);
    for (i = 0; i < NR_DOMAINS; i++) {
        assert_int_equal(count_list(domains[i]), domains[i]->tot_pages);
        assert_int_equal(domains[i]->page_list.count, domains[i]->tot_pages);
        pages += domains[i]->tot_pages;
    }
    assert_true(pages > 100);
    for (i = 0; i < NR_DOMAINS; i++) {
        fake_kill(domains[i]);
        assert_null(domain_by_id((domid_t)(i + 1)));
    }
    assert_in_range(heap_free_pages(), before - 2, before + 2);
}

static int set_up(void **unused)
{
    (void)unused;
    fake_init(5);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_exact),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
