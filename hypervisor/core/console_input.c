/*
 * Console input. Bytes come in by interrupt and are dealt with in a softirq: three Ctrl-A in a row
 * switch between Domain 0, which is told by VIRQ_CONSOLE and reads with console_io, and the
 * hypervisor, to which each byte is a debug key.
 */
#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/lib.h>
#include <hospes/softirq.h>

#define SWITCH_CHAR  '\x01'
#define SWITCH_COUNT 3u
#define RX_SIZE      256u /* a power of two */

struct rx_ring {
    char data[RX_SIZE];
    unsigned int producer, consumer;
};
static struct rx_ring arrived;  /* not looked at yet */
static struct rx_ring for_dom0; /* not read yet */
static spinlock_t rx_lock = SPINLOCK_INIT(RANK_CONSOLE_RX);

static bool to_dom0; /* softirq context only */
static unsigned int switch_chars;

static void rx_put(struct rx_ring *r, char c)
{
    if (r->producer - r->consumer < RX_SIZE) {
        r->data[r->producer++ % RX_SIZE] = c;
    }
}

static size_t rx_get(struct rx_ring *r, char *buf, size_t n)
{
    unsigned long flags;
    size_t i;

    spin_lock_irqsave(&rx_lock, flags);
    for (i = 0; i < n && r->consumer != r->producer; i++) {
        buf[i] = r->data[r->consumer++ % RX_SIZE];
    }
    spin_unlock_irqrestore(&rx_lock, flags);
    return i;
}

void console_rx(char c)
{
    unsigned long flags;

    spin_lock_irqsave(&rx_lock, flags);
    rx_put(&arrived, c);
    spin_unlock_irqrestore(&rx_lock, flags);
    raise_softirq(KEYHANDLER_SOFTIRQ);
}

size_t console_guest_read(char *buf, size_t n)
{
    return rx_get(&for_dom0, buf, n);
}

static void announce(void)
{
    printk("*** Serial input goes to %s (three times Ctrl-A switches)\n",
           to_dom0 ? "Domain 0" : "the hypervisor");
}

static void deliver(char c)
{
    unsigned long flags;

    if (!to_dom0 || hardware_domain == NULL) {
        keyhandler_run(c);
        return;
    }
    spin_lock_irqsave(&rx_lock, flags);
    rx_put(&for_dom0, c);
    spin_unlock_irqrestore(&rx_lock, flags);
    send_global_virq(VIRQ_CONSOLE);
}

/* Ctrl-A that turned out not to be part of a switch are input like any other. */
static void handle_char(char c)
{
    if (c == SWITCH_CHAR) {
        if (++switch_chars == SWITCH_COUNT) {
            switch_chars = 0;
            to_dom0 = !to_dom0;
            announce();
        }
        return;
    }
    for (; switch_chars > 0; switch_chars--) {
        deliver(SWITCH_CHAR);
    }
    deliver(c);
}

static void handle_input(void)
{
    char c;

    while (rx_get(&arrived, &c, 1) == 1) {
        handle_char(c);
    }
}

void console_end_boot(void)
{
    to_dom0 = true;
    announce();
}

void console_init(void)
{
    softirq_open(KEYHANDLER_SOFTIRQ, handle_input);
}
