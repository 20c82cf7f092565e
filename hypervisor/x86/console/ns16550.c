/*
 * The serial port: 8250 to 16550A at I/O ports, by interrupt (input without one: by a timer).
 * Options: com1=BAUD[/CLOCK][,DPS[,PORT[,IRQ]]], as Xen's.
 *
 * Output goes into a ring, which the interrupt of an empty transmitter drains. Until the first such
 * interrupt has come, with sync_console, in a panic and before the machine is switched off, output
 * waits for the line; so does what finds the ring full: nothing is lost. A wait is at most some
 * 10 ms for a byte: a port that is not there must not stop the machine. Source: National
 * Semiconductor PC16550D data sheet.
 */
#include <hospes/console.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/lock.h>
#include <hospes/param.h>
#include <hospes/timer.h>
#include <arch/io.h>
#include <arch/irq.h>
#include <arch/console.h>
#include <arch/platform.h>

enum { UART_DATA, UART_IER, UART_FCR, UART_LCR, UART_MCR, UART_LSR, UART_MSR, UART_SCR };
#define UART_IIR       UART_FCR
#define IER_RX         0x01
#define IER_TX         0x02 /* the transmitter is empty */
#define IIR_NONE       0x01 /* no interrupt is pending */
#define FCR_ENABLE     0x01
#define FCR_CLEAR      0x06
#define FCR_TRIGGER_14 0xc0
#define LCR_DLAB       0x80
#define MCR_DTR_RTS    0x03
#define MCR_OUT2       0x08 /* lets the interrupt through */
#define LSR_DATA       0x01
#define LSR_THRE       0x20
#define LSR_TEMT       0x40 /* and nothing is on its way */
#define UART_CLOCK     1843200u
#define FIFO_SIZE      16u
#define TX_RING        16384u /* a power of two */

static bool opt_sync;
bool_param(sync_console, "sync_console", opt_sync, "output waits for the serial line");

struct uart {
    struct console_device dev;
    uint16_t port;
    uint8_t irq, lcr;
    uint32_t baud, clock;
    bool configured, present, dead;
    spinlock_t lock; /* registers, ring */
    struct timer poll;
    bool background;     /* output goes into the ring */
    bool ended;          /* ... and never will again */
    bool tx_irq;         /* the transmitter's interrupt is on */
    uint32_t put, taken; /* indices into the ring, counting for ever */
    char ring[TX_RING];
};

static struct uart uarts[2] = {
    {.dev = {.name = "com1"},
     .port = 0x3f8,
     .irq = 4,
     .lcr = 3,
     .clock = UART_CLOCK,
     .lock = SPINLOCK_INIT(RANK_SERIAL)},
    {.dev = {.name = "com2"},
     .port = 0x2f8,
     .irq = 3,
     .lcr = 3,
     .clock = UART_CLOCK,
     .lock = SPINLOCK_INIT(RANK_SERIAL)},
};

/* Data bits, parity, stop bits: "8n1". */
static int __init parse_framing(struct uart *u, const char *s)
{
    static const char parities[] = "noems";
    const char *p = s[0] ? strchr(parities, s[1]) : NULL;

    if (s[0] < '5' || s[0] > '8' || !p || (s[2] != '1' && s[2] != '2')) {
        return -EINVAL;
    }
    u->lcr = (uint8_t)((s[0] - '5') | (s[2] == '2' ? 4 : 0));
    if (p != parities) {
        u->lcr |= (uint8_t)(8 | (((p - parities) - 1) << 4));
    }
    return 0;
}

static int __init parse_uart(struct uart *u, const char *s)
{
    char *end = NULL;

    u->configured = true;
    if (strncmp(s, "auto", 4) == 0) {
        end = (char *)(unsigned long)s + 4;
    } else {
        u->baud = (uint32_t)strtoul(s, &end, 10);
    }
    if (*end == '/') {
        u->clock = (uint32_t)strtoul(end + 1, &end, 0) * 16;
    }
    if (*end == ',') {
        if (end[1] != ',' && parse_framing(u, end + 1) != 0) {
            return -EINVAL;
        }
        end += end[1] == ',' ? 1 : 4;
    }
    if (*end == ',') {
        u->port = (uint16_t)strtoul(end + 1, &end, 0);
    }
    if (*end == ',') {
        u->irq = (uint8_t)strtoul(end + 1, &end, 0);
    }
    return *end == '\0' ? 0 : -EINVAL;
}

static int __init parse_com1(const char *s)
{
    return parse_uart(&uarts[0], s);
}
static int __init parse_com2(const char *s)
{
    return parse_uart(&uarts[1], s);
}
custom_param(com1, "com1", parse_com1, "first serial port: BAUD[/CLOCK][,8n1[,PORT[,IRQ]]]");
custom_param(com2, "com2", parse_com2, "second serial port, as com1");

/* False when the transmitter never gets ready. */
static bool wait_room(struct uart *u)
{
    for (unsigned int i = 0; i < 20000; i++) {
        if (inb(u->port + UART_LSR) & LSR_THRE) {
            return true;
        }
        cpu_relax();
    }
    u->dead = true;
    return false;
}

static void put_bytes(struct uart *u, const char *s, size_t n)
{
    unsigned int room = 0;

    for (size_t i = 0; i < n; i++) {
        for (int cr = s[i] == '\n'; cr >= 0; cr--) {
            if (room == 0) {
                if (u->dead || !wait_room(u)) {
                    return;
                }
                room = FIFO_SIZE;
            }
            outb(u->port + UART_DATA, cr ? '\r' : (uint8_t)s[i]);
            room--;
        }
    }
}

/* In a panic another CPU may have left the indices anyhow. */
static bool ring_empty(const struct uart *u)
{
    return u->put == u->taken || u->put - u->taken > TX_RING;
}

/* The transmitter is empty: as much as goes into it. */
static void feed(struct uart *u)
{
    for (unsigned int n = 0; n < FIFO_SIZE && !ring_empty(u); n++) {
        outb(u->port + UART_DATA, (uint8_t)u->ring[u->taken++ % TX_RING]);
    }
}

static void drain(struct uart *u)
{
    while (!ring_empty(u)) {
        if (u->dead || !wait_room(u)) {
            u->taken = u->put;
            return;
        }
        feed(u);
    }
}

static void queue_byte(struct uart *u, char c)
{
    if (u->put - u->taken >= TX_RING) {
        if (!wait_room(u)) {
            u->taken = u->put;
        }
        feed(u);
    }
    u->ring[u->put++ % TX_RING] = c;
}

static void queue_bytes(struct uart *u, const char *s, size_t n)
{
    for (size_t i = 0; i < n && !u->dead; i++) {
        if (s[i] == '\n') {
            queue_byte(u, '\r');
        }
        queue_byte(u, s[i]);
    }
    if (u->tx_irq) {
        return; /* which goes on with it */
    }
    if (inb(u->port + UART_LSR) & LSR_THRE) {
        feed(u);
    }
    if (!ring_empty(u)) {
        u->tx_irq = true;
        outb(u->port + UART_IER, IER_RX | IER_TX);
    }
}

static void uart_write(struct uart *u, const char *s, size_t n)
{
    unsigned long flags;

    spin_lock_irqsave(&u->lock, flags);
    if (u->background) {
        queue_bytes(u, s, n);
    } else {
        put_bytes(u, s, n);
    }
    spin_unlock_irqrestore(&u->lock, flags);
}

static void uart_write_panic(struct uart *u, const char *s, size_t n)
{
    drain(u);
    put_bytes(u, s, n);
}

/* The lock may be held by a CPU that has been stopped: it is not waited for for ever. */
static void uart_sync(struct uart *u)
{
    unsigned long flags = local_irq_save();
    bool locked = false;

    for (unsigned int i = 0; i < 1000000 && !locked; i++) {
        locked = spin_trylock(&u->lock);
        cpu_relax();
    }
    u->background = false;
    u->ended = true;
    outb(u->port + UART_IER, 0);
    drain(u);
    for (unsigned int i = 0; i < 20000 && !(inb(u->port + UART_LSR) & LSR_TEMT); i++) {
        cpu_relax();
    }
    if (locked) {
        spin_unlock(&u->lock);
    }
    local_irq_restore(flags);
}

static void com1_write(const char *s, size_t n)
{
    uart_write(&uarts[0], s, n);
}
static void com2_write(const char *s, size_t n)
{
    uart_write(&uarts[1], s, n);
}
static void com1_write_panic(const char *s, size_t n)
{
    uart_write_panic(&uarts[0], s, n);
}
static void com2_write_panic(const char *s, size_t n)
{
    uart_write_panic(&uarts[1], s, n);
}
static void com1_sync(void)
{
    uart_sync(&uarts[0]);
}
static void com2_sync(void)
{
    uart_sync(&uarts[1]);
}

static void __init uart_setup(struct uart *u)
{
    outb(u->port + UART_SCR, 0x5a);
    if (inb(u->port + UART_SCR) != 0x5a || inb(u->port + UART_LSR) == 0xff) {
        return;
    }
    u->present = true;
    outb(u->port + UART_IER, 0);
    if (u->baud != 0) {
        uint32_t divisor = u->clock / (16 * u->baud);

        outb(u->port + UART_LCR, LCR_DLAB | u->lcr);
        outb(u->port + UART_DATA, (uint8_t)divisor);
        outb(u->port + UART_IER, (uint8_t)(divisor >> 8));
    }
    outb(u->port + UART_LCR, u->lcr);
    outb(u->port + UART_FCR, FCR_ENABLE | FCR_CLEAR | FCR_TRIGGER_14);
    outb(u->port + UART_MCR, MCR_DTR_RTS | MCR_OUT2);
    console_add_device(&u->dev);
}

void __init ns16550_init_early(void)
{
    uarts[0].dev.write = com1_write;
    uarts[0].dev.write_panic = com1_write_panic;
    uarts[0].dev.sync = com1_sync;
    uarts[1].dev.write = com2_write;
    uarts[1].dev.write_panic = com2_write_panic;
    uarts[1].dev.sync = com2_sync;
    for (unsigned int i = 0; i < ARRAY_SIZE(uarts); i++) {
        if (uarts[i].configured) {
            uart_setup(&uarts[i]);
        }
    }
}

static void receive(struct uart *u)
{
    /* A bound: a port that always says "data" must not hold this CPU. */
    for (unsigned int i = 0; i < 4 * FIFO_SIZE; i++) {
        unsigned long flags;
        uint8_t c = 0;
        bool got;

        spin_lock_irqsave(&u->lock, flags);
        got = inb(u->port + UART_LSR) & LSR_DATA;
        if (got) {
            c = inb(u->port + UART_DATA);
        }
        spin_unlock_irqrestore(&u->lock, flags);
        if (!got) {
            return;
        }
        console_rx((char)c);
    }
}

/* The first interrupt of the transmitter shows that there are any. */
static void transmit(struct uart *u)
{
    unsigned long flags;

    spin_lock_irqsave(&u->lock, flags);
    if (u->tx_irq && (inb(u->port + UART_LSR) & LSR_THRE)) {
        u->background = !u->ended;
        feed(u);
        if (ring_empty(u)) {
            u->tx_irq = false;
            outb(u->port + UART_IER, u->ended ? 0 : IER_RX);
        }
    }
    spin_unlock_irqrestore(&u->lock, flags);
}

/* The line is edge-triggered: no more comes until everything has been seen. */
static void uart_interrupt(void *data)
{
    struct uart *u = data;

    for (unsigned int i = 0; i < 64 && !(inb(u->port + UART_IIR) & IIR_NONE); i++) {
        receive(u);
        transmit(u);
    }
}

static void uart_poll(void *data)
{
    struct uart *u = data;

    receive(u);
    timer_set(&u->poll, NOW() + MILLISECS(20));
}

void __init ns16550_init_irq(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(uarts); i++) {
        struct uart *u = &uarts[i];

        if (!u->present) {
            continue;
        }
        if (u->irq != 0 && irq_request_isa(u->irq, u->dev.name, uart_interrupt, u) == 0) {
            u->tx_irq = !opt_sync;
            outb(u->port + UART_IER, IER_RX | (opt_sync ? 0 : IER_TX));
        } else {
            timer_init(&u->poll, uart_poll, u, 0);
            timer_set(&u->poll, NOW() + MILLISECS(20));
        }
    }
}

unsigned int platform_console_ioport(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(uarts); i++) {
        if (uarts[i].present) {
            return uarts[i].port;
        }
    }
    return 0;
}
