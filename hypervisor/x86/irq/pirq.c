/*
 * Physical interrupts as a domain sees them: numbers of its own (pirqs) mapped to interrupts, bound
 * to event channels by core/event_bind.c, ended by PHYSDEVOP_eoi.
 *
 * Locks: pci_lock (functions, MSI set-up) > table->lock > desc->lock.
 *
 * A table, once made, stays until no reference to its domain is left: Domain 0 maps and unmaps for
 * others, also while these die. Nothing is mapped for a domain that dies: is_dying is looked at
 * under the table's lock, so that the release, which comes later, finds all there is.
 */
#include <hospes/arch.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/event.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <arch/pirq.h>
#include "irq_internal.h"
#include "msi.h"
#include "pirq_internal.h"

spinlock_t pci_lock = SPINLOCK_INIT(RANK_PCI);

/* The domain's table, made when it is first needed; NULL: no memory. */
static struct pirq_table *pirq_table(struct domain *d)
{
    struct pirq_table *t = __atomic_load_n(&d->arch.pirqs, __ATOMIC_ACQUIRE), *none = NULL;

    if (t) {
        return t;
    }
    t = xzalloc(struct pirq_table);
    if (!t) {
        return NULL;
    }
    spin_lock_init(&t->lock, RANK_PIRQ);
    if (!__atomic_compare_exchange_n(&d->arch.pirqs, &none, t, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        xfree(t);
        t = none;
    }
    return t;
}

/* The pirq mapped to irq, or -ENOENT. t->lock is held. */
static int pirq_of_irq(const struct pirq_table *t, unsigned int irq)
{
    for (unsigned int p = 0; p < MAX_PIRQS; p++) {
        if (t->pirq[p].irq == irq && t->pirq[p].mapped) {
            return (int)p;
        }
    }
    return -ENOENT;
}

/* ---- the bitmap in the guest's memory that says which pirqs need EOI ---- */

static void set_eoi_bit(struct pirq_table *t, unsigned int pirq, bool needed)
{
    if (!t->eoi_map) {
        return;
    }
    if (needed) {
        set_bit(pirq, t->eoi_map);
    } else {
        clear_bit(pirq, t->eoi_map);
    }
}

int pirq_set_eoi_map(struct domain *d, gfn_t g, bool auto_unmask)
{
    struct pirq_table *t = pirq_table(d);
    struct page_info *pg;
    mfn_t m;
    int rc;

    if (!t) {
        return -ENOMEM;
    }
    rc = get_guest_frame(d, g, true, &pg, &m);
    if (rc != 0) {
        return -EINVAL;
    }
    if (get_page_type(pg, PGT_WRITABLE, false) != 0) {
        put_page(pg);
        return -EINVAL;
    }
    spin_lock(&t->lock);
    rc = t->eoi_page ? -EBUSY : 0;
    if (rc == 0) {
        t->eoi_page = pg;
        t->eoi_map = mfn_to_virt(m);
        t->auto_unmask |= auto_unmask;
    }
    spin_unlock(&t->lock);
    if (rc != 0) {
        put_page_and_type(pg);
    }
    return rc;
}

/* ---- binding ---- */

static int add_guest(struct irq_desc *desc, struct vcpu *v, unsigned int pirq, bool will_share)
{
    int rc = 0;

    if (desc->fn || !desc->ctl) {
        return desc->ctl ? -EBUSY : -EINVAL;
    }
    if (desc->nr_guests != 0 &&
        (!will_share || !desc->shareable || desc->nr_guests == MAX_IRQ_GUESTS)) {
        return -EBUSY;
    }
    desc->guest[desc->nr_guests] = (struct irq_guest){.d = v->domain, .pirq = pirq};
    desc->nr_guests++;
    if (desc->nr_guests == 1) {
        desc->shareable = will_share;
        rc = irq_startup(desc, v->sched.processor);
        if (rc != 0) {
            desc->nr_guests = 0;
        }
    }
    return rc;
}

int arch_pirq_bind(struct vcpu *v, unsigned int pirq, bool will_share)
{
    struct pirq_table *t = pirq_table(v->domain);
    struct irq_desc *desc;
    unsigned long flags;
    int rc;

    if (!t) {
        return -ENOMEM;
    }
    if (pirq >= MAX_PIRQS) {
        return -EINVAL;
    }
    spin_lock(&t->lock);
    if (!t->pirq[pirq].mapped || t->pirq[pirq].bound) {
        spin_unlock(&t->lock);
        return -EINVAL;
    }
    desc = irq_to_desc(t->pirq[pirq].irq);
    spin_lock_irqsave(&desc->lock, flags);
    rc = add_guest(desc, v, pirq, will_share);
    if (rc == 0) {
        t->pirq[pirq].bound = true;
        set_eoi_bit(t, pirq, desc->ctl->level);
    }
    spin_unlock_irqrestore(&desc->lock, flags);
    spin_unlock(&t->lock);
    return rc;
}

/* One guest is ready for the next; the last one opens the line again. Locked. */
static void end_for_guest(struct irq_desc *desc, struct irq_guest *g)
{
    if (!g->needs_eoi) {
        return;
    }
    g->needs_eoi = false;
    if (--desc->in_flight == 0 && desc->guest_masked) {
        desc->guest_masked = false;
        if (desc->enabled) {
            desc->ctl->unmask(desc);
        }
    }
}

static struct irq_guest *find_guest(struct irq_desc *desc, const struct domain *d)
{
    for (unsigned int i = 0; i < desc->nr_guests; i++) {
        if (desc->guest[i].d == d) {
            return &desc->guest[i];
        }
    }
    return NULL;
}

/* t->lock is held. */
static void unbind(struct pirq_table *t, struct domain *d, unsigned int pirq)
{
    struct irq_desc *desc = irq_to_desc(t->pirq[pirq].irq);
    struct irq_guest *g;
    unsigned long flags;

    spin_lock_irqsave(&desc->lock, flags);
    g = find_guest(desc, d);
    if (g) {
        end_for_guest(desc, g);
        *g = desc->guest[--desc->nr_guests];
        if (desc->nr_guests == 0) {
            irq_shutdown(desc);
        }
    }
    spin_unlock_irqrestore(&desc->lock, flags);
    t->pirq[pirq].bound = false;
    set_eoi_bit(t, pirq, false);
}

void arch_pirq_unbind(struct domain *d, unsigned int pirq)
{
    struct pirq_table *t = __atomic_load_n(&d->arch.pirqs, __ATOMIC_ACQUIRE);

    if (!t || pirq >= MAX_PIRQS) {
        return;
    }
    spin_lock(&t->lock);
    if (t->pirq[pirq].bound) {
        unbind(t, d, pirq);
    }
    spin_unlock(&t->lock);
}

void arch_pirq_set_affinity(struct domain *d, unsigned int pirq, const struct vcpu *v)
{
    struct pirq_table *t = __atomic_load_n(&d->arch.pirqs, __ATOMIC_ACQUIRE);
    struct irq_desc *desc;
    unsigned long flags;

    if (!t || pirq >= MAX_PIRQS) {
        return;
    }
    spin_lock(&t->lock);
    if (t->pirq[pirq].bound) {
        desc = irq_to_desc(t->pirq[pirq].irq);
        spin_lock_irqsave(&desc->lock, flags);
        /* No vector free there: it stays where it is. */
        (void)!irq_set_cpu(desc, v->sched.processor);
        spin_unlock_irqrestore(&desc->lock, flags);
    }
    spin_unlock(&t->lock);
}

int pirq_eoi(struct domain *d, unsigned int pirq)
{
    struct pirq_table *t = __atomic_load_n(&d->arch.pirqs, __ATOMIC_ACQUIRE);
    struct irq_desc *desc;
    struct irq_guest *g;
    unsigned long flags;
    bool auto_unmask;
    evtchn_port_t port = 0;

    if (!t || pirq >= MAX_PIRQS) {
        return -EINVAL;
    }
    pirq = (unsigned int)array_index_nospec(pirq, MAX_PIRQS);
    spin_lock(&t->lock);
    if (!t->pirq[pirq].mapped && !t->pirq[pirq].reserved) {
        spin_unlock(&t->lock);
        return -EINVAL;
    }
    auto_unmask = t->auto_unmask;
    if (t->pirq[pirq].bound) {
        desc = irq_to_desc(t->pirq[pirq].irq);
        spin_lock_irqsave(&desc->lock, flags);
        g = find_guest(desc, d);
        if (g) {
            end_for_guest(desc, g);
        }
        spin_unlock_irqrestore(&desc->lock, flags);
    }
    spin_unlock(&t->lock);
    if (auto_unmask && d->evtchn.pirq_port) {
        port = READ_ONCE(d->evtchn.pirq_port[pirq]);
        if (port != 0) {
            (void)!evtchn_unmask(d, port);
        }
    }
    return 0;
}

void arch_pirq_unmasked(struct domain *d, unsigned int pirq)
{
    (void)!pirq_eoi(d, pirq);
}

bool pirq_is_shared(struct domain *d, unsigned int pirq)
{
    struct pirq_table *t = __atomic_load_n(&d->arch.pirqs, __ATOMIC_ACQUIRE);
    bool shared = false;

    if (t && pirq < MAX_PIRQS) {
        spin_lock(&t->lock);
        shared = t->pirq[pirq].bound && irq_to_desc(t->pirq[pirq].irq)->nr_guests > 1;
        spin_unlock(&t->lock);
    }
    return shared;
}

/* ---- mapping ---- */

static int find_free(const struct pirq_table *t, int type)
{
    if (type == MAP_PIRQ_TYPE_GSI) {
        for (unsigned int p = 16; p < nr_gsis; p++) {
            if (!t->pirq[p].mapped && !t->pirq[p].reserved) {
                return (int)p;
            }
        }
    }
    for (unsigned int p = MAX_PIRQS - 1; p >= nr_gsis; p--) {
        if (!t->pirq[p].mapped && !t->pirq[p].reserved) {
            return (int)p;
        }
    }
    return -ENOSPC;
}

int pirq_reserve(struct domain *d, int type)
{
    struct pirq_table *t = pirq_table(d);
    int pirq;

    if (!t) {
        return -ENOMEM;
    }
    spin_lock(&t->lock);
    pirq = find_free(t, type);
    if (pirq >= 0) {
        t->pirq[pirq].reserved = true;
    }
    spin_unlock(&t->lock);
    return pirq;
}

/* pirq < 0: any. Already mapped like that: the same again. d's table is locked. */
static int map(struct domain *d, struct pirq_table *t, unsigned int irq, int pirq, int type)
{
    int now = pirq_of_irq(t, irq);

    if (READ_ONCE(d->is_dying) != DOMDYING_ALIVE) {
        return -EINVAL;
    }
    if (now >= 0) {
        return pirq < 0 || pirq == now ? now : -EEXIST;
    }
    if (pirq < 0) {
        pirq = find_free(t, type);
        if (pirq < 0) {
            return pirq;
        }
    }
    if ((unsigned int)pirq >= MAX_PIRQS) {
        return -EINVAL;
    }
    if (t->pirq[pirq].mapped) {
        return -EEXIST;
    }
    t->pirq[pirq] = (struct pirq){.irq = (uint16_t)irq, .mapped = true};
    return pirq;
}

int pirq_map_gsi(struct domain *d, int gsi, int *pirq)
{
    struct pirq_table *t = pirq_table(d);
    int rc;

    if (!t) {
        return -ENOMEM;
    }
    if (gsi < 0 || (unsigned int)gsi >= nr_gsis || !ioapic_has_gsi((unsigned int)gsi)) {
        return -EINVAL;
    }
    spin_lock(&t->lock);
    rc = map(d, t, (unsigned int)gsi, *pirq, MAP_PIRQ_TYPE_GSI);
    spin_unlock(&t->lock);
    if (rc < 0) {
        return rc;
    }
    *pirq = rc;
    return 0;
}

int pirq_map_msi(struct domain *d, const struct msi_request *r, int *pirq)
{
    struct pirq_table *t = pirq_table(d);
    int irq, rc;

    if (!t) {
        return -ENOMEM;
    }
    irq = irq_create();
    if (irq < 0) {
        return -EINVAL; /* as Xen says when it has no number left */
    }
    spin_lock(&pci_lock);
    rc = msi_setup((unsigned int)irq, r);
    if (rc == 0) {
        spin_lock(&t->lock);
        rc = map(d, t, (unsigned int)irq, *pirq, MAP_PIRQ_TYPE_MSI);
        spin_unlock(&t->lock);
        if (rc < 0) {
            msi_teardown((unsigned int)irq);
        }
    }
    spin_unlock(&pci_lock);
    if (rc < 0) {
        irq_destroy((unsigned int)irq);
        return rc;
    }
    *pirq = rc;
    return 0;
}

int pirq_unmap(struct domain *d, int pirq)
{
    struct pirq_table *t = __atomic_load_n(&d->arch.pirqs, __ATOMIC_ACQUIRE);
    unsigned int irq;

    if (!t || pirq < 0 || (unsigned int)pirq >= MAX_PIRQS) {
        return -EINVAL;
    }
    pirq = (int)array_index_nospec((unsigned int)pirq, MAX_PIRQS);
    spin_lock(&pci_lock);
    spin_lock(&t->lock);
    if (!t->pirq[pirq].mapped) {
        spin_unlock(&t->lock);
        spin_unlock(&pci_lock);
        return -EINVAL;
    }
    irq = t->pirq[pirq].irq;
    if (t->pirq[pirq].bound) {
        unbind(t, d, (unsigned int)pirq);
    }
    t->pirq[pirq] = (struct pirq){0};
    spin_unlock(&t->lock);
    if (irq >= nr_gsis) {
        msi_teardown(irq);
    }
    spin_unlock(&pci_lock);
    if (irq >= nr_gsis) {
        irq_destroy(irq);
    }
    return 0;
}

void pirq_domain_release(struct domain *d)
{
    struct pirq_table *t = __atomic_load_n(&d->arch.pirqs, __ATOMIC_ACQUIRE);
    struct page_info *pg;

    if (!t) {
        return;
    }
    for (int p = 0; p < (int)MAX_PIRQS; p++) {
        (void)!pirq_unmap(d, p);
    }
    spin_lock(&t->lock);
    t->eoi_map = NULL;
    pg = t->eoi_page;
    t->eoi_page = NULL;
    spin_unlock(&t->lock);
    if (pg) {
        put_page_and_type(pg);
    }
}

void pirq_domain_free(struct domain *d)
{
    xfree(d->arch.pirqs);
    d->arch.pirqs = NULL;
}
