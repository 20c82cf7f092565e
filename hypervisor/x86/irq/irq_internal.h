/* Between the files of x86/irq. */
#ifndef IRQ_INTERNAL_H
#define IRQ_INTERNAL_H

#include <hospes/cpumask.h>
#include <hospes/domain.h>
#include <hospes/lock.h>
#include <arch/irq.h>

#define MAX_IRQ_GUESTS 7u

struct irq_desc;
struct msi_desc;

/* How one kind of interrupt is handled at its source. All under desc->lock. */
struct irq_controller {
    const char *name;
    bool level; /* stays masked until the guest's EOI */
    void (*mask)(struct irq_desc *d);
    void (*unmask)(struct irq_desc *d);
    void (*set_target)(struct irq_desc *d); /* desc->cpu and ->vector have changed; it is masked */
};

struct irq_desc {
    spinlock_t lock; /* RANK_IRQ_DESC: everything here */
    unsigned int irq;
    const struct irq_controller *ctl; /* NULL: the number is not in use */
    uint8_t vector;                   /* 0: none yet */
    unsigned int cpu;
    uint8_t old_vector; /* where it was before the last move: one may still be on its way */
    unsigned int old_cpu;
    bool enabled;      /* started up */
    bool guest_masked; /* level: waits for EOIs */
    unsigned int in_flight;
    /* Who is served: the hypervisor itself... */
    void (*fn)(void *);
    void *data;
    const char *name;
    /* ...or guests. */
    unsigned int nr_guests;
    bool shareable;
    struct irq_guest {
        struct domain *d;
        unsigned int pirq;
        bool needs_eoi;
    } guest[MAX_IRQ_GUESTS];
    /* I/O APIC: */
    uint8_t ioapic, pin;
    bool trigger_level, active_low;
    struct msi_desc *msi;
    uint64_t count;
};

extern struct irq_desc *irq_descs;
extern unsigned int nr_irqs, nr_gsis;

static inline struct irq_desc *irq_to_desc(unsigned int irq)
{
    return &irq_descs[irq];
}

/* A number above the GSIs with no controller; negative errno. */
int irq_create(void);
void irq_destroy(unsigned int irq);
/* Gives it a vector on an online CPU, preferably `cpu`, and tells the controller. Locked. -ENOSPC
 */
int irq_set_cpu(struct irq_desc *desc, unsigned int cpu) __must_check;
int irq_startup(struct irq_desc *desc, unsigned int cpu) __must_check; /* locked */
void irq_shutdown(struct irq_desc *desc);                              /* locked */

extern const struct irq_controller ioapic_edge, ioapic_level;
/* The pin behind a GSI exists. */
bool ioapic_has_gsi(unsigned int gsi);
/* Trigger and polarity, before it is started. -EINVAL, -EEXIST: in use. */
int ioapic_setup_gsi(unsigned int gsi, bool level, bool active_low) __must_check;
unsigned int ioapic_count_gsis(void);

#endif
