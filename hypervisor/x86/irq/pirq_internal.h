/* The table behind arch/pirq.h. */
#ifndef IRQ_PIRQ_INTERNAL_H
#define IRQ_PIRQ_INTERNAL_H

#include <hospes/domain.h>
#include <hospes/hypercall.h>
#include "msi.h"

struct pirq {
    uint16_t irq;
    bool mapped, bound;
    bool reserved; /* given out by PHYSDEVOP_get_free_pirq, not mapped yet */
};
struct pirq_table {
    spinlock_t lock; /* RANK_PIRQ */
    struct pirq pirq[MAX_PIRQS];
    struct page_info *eoi_page; /* referenced, typed writable */
    unsigned long *eoi_map;
    bool auto_unmask;
};
extern spinlock_t pci_lock;

int pirq_set_eoi_map(struct domain *d, gfn_t g, bool auto_unmask) __must_check;
int pirq_eoi(struct domain *d, unsigned int pirq) __must_check;
bool pirq_is_shared(struct domain *d, unsigned int pirq);
int pirq_reserve(struct domain *d, int type) __must_check; /* the number, or negative */
int pirq_map_gsi(struct domain *d, int gsi, int *pirq) __must_check;
int pirq_map_msi(struct domain *d, const struct msi_request *r, int *pirq) __must_check;
int pirq_unmap(struct domain *d, int pirq) __must_check;
long physdev_pci_op(unsigned int cmd, XEN_GUEST_HANDLE(void) arg);

#endif
