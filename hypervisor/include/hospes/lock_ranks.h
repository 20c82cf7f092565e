/*
 * Every lock of the hypervisor: what it protects, in the order in which they nest (a lock may be
 * taken while holding any lock above it in this list, never one below or of the same rank, but for
 * pairs of the same rank taken in address order through spin_lock_pair). (i): also taken in
 * interrupt context, so always with interrupts off.
 */
#ifndef HOSPES_LOCK_RANKS_H
#define HOSPES_LOCK_RANKS_H

enum lock_rank {
    RANK_DOMCTL = 1,     /* one domctl/sysctl that changes the set of domains or global settings */
    RANK_DOMLIST,        /* the list of domains (readers go lockless through domain references) */
    RANK_DOMAIN,         /* struct domain: life cycle, vcpu set-up, shutdown state */
    RANK_PV_PAGETABLE,   /* page tables of one PV domain (d->arch.pv lock): serialises validation */
    RANK_GRANT_TABLE,    /* a domain's grant table: entries, version, active entries */
    RANK_GRANT_MAPTRACK, /* a domain's maptrack free list */
    RANK_EVTCHN_DOMAIN,  /* port allocation and state of a domain (pairs: both ends) */
    RANK_PAGE_ALLOC,     /* (d->page_lock) a domain's page lists and counts */
    RANK_PCI,            /* PCI functions, the set-up of their messages */
    RANK_RANGESET,       /* I/O port, memory and IRQ permissions of a domain */
    RANK_PIRQ,           /* physical IRQ binding of a domain */
    RANK_IRQ_DESC,       /* (i) one IRQ descriptor */
    RANK_IOAPIC,         /* (i) I/O APIC and MSI register access */
    RANK_EVTCHN_PORT,    /* (i) one event channel: its state and binding (pairs: both ends) */
    RANK_EVTCHN_FIFO,    /* (i) one FIFO queue */
    RANK_SHUTDOWN,       /* (d->shutdown_lock) is_shutting_down, is_shut_down, shutdown_code */
    RANK_WATCHDOG,       /* (d->watchdog_lock) SCHEDOP_watchdog's timers */
    RANK_SCHED_GLOBAL,   /* (i) scheduler policy's global data */
    RANK_SCHED_CPU,      /* (i) one CPU's run queue */
    RANK_TIMER,          /* (i) one CPU's timer heap */
    RANK_RCU,            /* (i) callbacks waiting for a quiet point of all CPUs */
    RANK_HEAP,           /* (i) the buddy allocator */
    RANK_XMALLOC,        /* the small-object allocator */
    RANK_MAPCACHE,       /* temporary and vmap virtual address ranges */
    RANK_TIME,           /* (i) platform timer and wall clock */
    RANK_KEYHANDLER,     /* debug key table */
    RANK_CONSOLE_LINE,   /* a domain's unfinished line of console_io output */
    RANK_CONSOLE_RX,     /* (i) received characters */
    RANK_CONSOLE,        /* (i) console ring and device output */
    RANK_SERIAL,         /* (i) UART registers */
    RANK_PORTS,          /* (i) index and data port of the CMOS */
};

#endif
