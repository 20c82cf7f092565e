/*
 * The console: a ring of everything printed (read by XEN_SYSCTL_readconsole and Domain 0), and the
 * devices it goes to. Input is switched between the hypervisor's debug keys and Domain 0 by three
 * Ctrl-A.
 */
#ifndef HOSPES_CONSOLE_H
#define HOSPES_CONSOLE_H

#include <hospes/lock.h>

struct console_device {
    const char *name;                             /* "com1", "vga" */
    void (*write)(const char *s, size_t n);       /* may wait for the device; any context */
    void (*write_panic)(const char *s, size_t n); /* takes no lock */
    void (*sync)(void); /* NULL, or: returns when all is out, and from now on write waits; any
                         * context, whoever holds whatever */
    struct console_device *next;
};
void console_add_device(struct console_device *dev);
void console_init(void); /* ring, loglvl, and what console= names */
/* Once the heap works: the ring gets the size that conring_size= asks for. */
void console_grow_ring(void);
/* Domain 0 is about to run: input goes to it from now on. */
void console_end_boot(void);
/* A byte came in; interrupt context. */
void console_rx(char c);
/* Input for Domain 0 (CONSOLEIO_read): returns how many bytes. */
size_t console_guest_read(char *buf, size_t n);
/* XEN_SYSCTL_readconsole: copies from the ring to the caller's buffer. 0, -EFAULT. */
struct xen_sysctl_readconsole;
int console_ring_read(struct xen_sysctl_readconsole *op) __must_check;
/* What a domain has written of a line that is not finished. */
struct domain_console {
    spinlock_t lock; /* RANK_CONSOLE_LINE */
    unsigned int fill;
    char line[160];
};
/* Output of a guest (console_io): goes to the devices and not to the ring unless Domain 0's. */
void console_write_guest(struct domain *d, const char *s, size_t n);
/* The machine is about to end: all that was written is out when this returns. */
void console_sync(void);
/* From now on nothing may block: locks are ignored. */
void console_force_unlock(void);
/* noreboot on the command line: after a crash the machine stays as it is. */
extern bool opt_noreboot;

/* ---- debug keys: a letter on the serial line, xm debug-keys, or the ring ---- */
void keyhandler_register(char key, void (*fn)(char key), const char *what);
void keyhandler_run(char key); /* softirq context */

#endif
