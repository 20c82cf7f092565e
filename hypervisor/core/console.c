/*
 * The console ring and the devices. Everything printed goes into the ring (a power of two in size;
 * indices count for ever and are masked), and to each device that console= names. A device that
 * comes late gets what is in the ring so far. Input is in console_input.c, printk in printk.c.
 */
#include <hospes/console.h>
#include <hospes/domain.h>
#include <hospes/guest_access.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <hospes/param.h>
#include <xen/sysctl.h>
#include "console_ring.h"

#define FIRST_RING_SIZE 32768u
#define MAX_RING_SIZE   (64u << 20)

static char first_ring[FIRST_RING_SIZE];
static char *ring = first_ring;
static uint32_t ring_size = FIRST_RING_SIZE;
static uint32_t ring_producer, ring_consumer; /* consumer: the oldest byte still there */

static char opt_console[64] = "com1,vga";
string_param(console, "console", opt_console, "devices for console output: com1,com2,vga,none");
static uint64_t opt_conring_size;
size_param(conring_size, "conring_size", opt_conring_size, "bytes of console output to keep");

static spinlock_t console_lock = SPINLOCK_INIT(RANK_CONSOLE);
static struct console_device *devices;
static bool forced, mid_line;

unsigned long console_lock_irqsave(void)
{
    unsigned long flags;

    if (READ_ONCE(forced)) {
        return local_irq_save();
    }
    spin_lock_irqsave(&console_lock, flags);
    return flags;
}

void console_unlock_irqrestore(unsigned long flags)
{
    if (!READ_ONCE(forced)) {
        spin_unlock(&console_lock);
    }
    local_irq_restore(flags);
}

void console_force_unlock(void)
{
    WRITE_ONCE(forced, true);
}

/* No lock: devices are only ever added. */
void console_sync(void)
{
    for (struct console_device *dev = devices; dev != NULL; dev = dev->next) {
        if (dev->sync != NULL) {
            dev->sync();
        }
    }
}

bool console_at_line_start(void)
{
    return !mid_line;
}

static void ring_put(const char *s, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        ring[ring_producer++ & (ring_size - 1)] = s[i];
    }
    if (ring_producer - ring_consumer > ring_size) {
        ring_consumer = ring_producer - ring_size;
    }
}

void console_emit(const char *s, size_t n, bool to_ring)
{
    struct console_device *dev;

    if (n == 0) {
        return;
    }
    if (to_ring) {
        ring_put(s, n);
    }
    for (dev = devices; dev != NULL; dev = dev->next) {
        (forced ? dev->write_panic : dev->write)(s, n);
    }
    mid_line = s[n - 1] != '\n';
}

/* Is the word in the comma-separated list? com1 also matches "com1H" and the like. */
static bool list_names(const char *list, const char *name)
{
    size_t n = strlen(name);
    const char *end;

    while (*list != '\0') {
        end = strchr(list, ',');
        if (strncmp(list, name, n) == 0) {
            return true;
        }
        if (end == NULL) {
            return false;
        }
        list = end + 1;
    }
    return false;
}

void console_add_device(struct console_device *dev)
{
    struct console_device **last;
    unsigned long flags;
    uint32_t i, n;

    if (!list_names(opt_console, dev->name)) {
        return;
    }
    flags = console_lock_irqsave();
    for (i = ring_consumer; i != ring_producer; i += n) {
        n = min(ring_producer - i, ring_size - (i & (ring_size - 1)));
        dev->write(&ring[i & (ring_size - 1)], n);
    }
    for (last = &devices; *last != NULL; last = &(*last)->next) {
    }
    dev->next = NULL;
    *last = dev;
    console_unlock_irqrestore(flags);
}

void console_grow_ring(void)
{
    uint64_t want = min(opt_conring_size, (uint64_t)MAX_RING_SIZE);
    uint32_t size = FIRST_RING_SIZE, i;
    unsigned long flags;
    char *bigger;

    while (size < want) {
        size *= 2;
    }
    if (size == ring_size) {
        return;
    }
    bigger = alloc_xenheap_pages(get_order_from_bytes(size), 0);
    if (bigger == NULL) {
        printk(LOG_WARNING "No memory for a console ring of %u KiB\n", size / 1024);
        return;
    }
    flags = console_lock_irqsave();
    for (i = ring_consumer; i != ring_producer; i++) {
        bigger[i & (size - 1)] = ring[i & (ring_size - 1)];
    }
    ring = bigger;
    ring_size = size;
    console_unlock_irqrestore(flags);
    printk("Console ring: %u KiB\n", size / 1024);
}

/* Copies out up to n bytes from index *at on; *at is moved to where the data really was. */
static size_t ring_peek(uint32_t *at, char *buf, size_t n)
{
    unsigned long flags = console_lock_irqsave();
    size_t i, there;

    if (ring_producer - *at > ring_producer - ring_consumer) {
        *at = ring_consumer; /* overwritten meanwhile, or never there */
    }
    there = ring_producer - *at;
    n = min(n, there);
    for (i = 0; i < n; i++) {
        buf[i] = ring[(*at + i) & (ring_size - 1)];
    }
    console_unlock_irqrestore(flags);
    return n;
}

static void ring_clear_to(uint32_t index)
{
    unsigned long flags = console_lock_irqsave();

    if (ring_producer - index <= ring_producer - ring_consumer) {
        ring_consumer = index;
    }
    console_unlock_irqrestore(flags);
}

int console_ring_read(struct xen_sysctl_readconsole *op)
{
    uint32_t at = op->incremental ? op->index : READ_ONCE(ring_consumer);
    uint32_t done = 0;
    char buf[256];
    size_t n;

    while (done < op->count) {
        n = ring_peek(&at, buf, min((size_t)(op->count - done), sizeof(buf)));
        if (n == 0) {
            break;
        }
        if (copy_to_guest_offset(op->buffer, done, buf, n)) {
            return -EFAULT;
        }
        done += (uint32_t)n;
        at += (uint32_t)n;
    }
    if (op->clear) {
        ring_clear_to(READ_ONCE(ring_producer));
    }
    op->count = done;
    op->index = at;
    return 0;
}

/* A finished line of a domain without privileges: through printk, so with level and limit. */
static void guest_char(struct domain *d, char c)
{
    struct domain_console *dc = &d->console;

    if (c != '\n' && (c < ' ' || c > '~') && c != '\t') {
        return;
    }
    if (c != '\n' && dc->fill < sizeof(dc->line) - 1) {
        dc->line[dc->fill++] = c;
    }
    if (c == '\n' || dc->fill == sizeof(dc->line) - 1) {
        dc->line[dc->fill] = '\0';
        printk(LOG_G_DEBUG "(d%u) %s\n", d->domain_id, dc->line);
        dc->fill = 0;
    }
}

void console_write_guest(struct domain *d, const char *s, size_t n)
{
    unsigned long flags;
    size_t i;

    if (d->is_hardware) {
        flags = console_lock_irqsave();
        console_emit(s, n, true);
        console_unlock_irqrestore(flags);
        return;
    }
    spin_lock(&d->console.lock);
    for (i = 0; i < n; i++) {
        guest_char(d, s[i]);
    }
    spin_unlock(&d->console.lock);
}
