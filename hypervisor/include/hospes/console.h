/*
 * The console: a ring of everything printed (read by XEN_SYSCTL_readconsole and Domain 0), and the
 * devices it goes to. Input is switched between the hypervisor's debug keys and Domain 0 by three
 * Ctrl-A.
 */
#ifndef HOSPES_CONSOLE_H
#define HOSPES_CONSOLE_H

#include <hospes/types.h>

struct console_device {
    const char *name;                             /* "com1", "vga" */
    void (*write)(const char *s, size_t n);       /* may wait for the device; any context */
    void (*write_panic)(const char *s, size_t n); /* takes no lock */
    struct console_device *next;
};
void console_add_device(struct console_device *dev);
void console_init(void); /* ring, loglvl, and what console= names */
/* A byte came in; interrupt context. */
void console_rx(char c);
/* Output of a guest (console_io): goes to the devices and not to the ring unless Domain 0's. */
void console_write_guest(struct domain *d, const char *s, size_t n);
/* From now on nothing may block: locks are ignored. */
void console_force_unlock(void);

/* ---- debug keys: a letter on the serial line, xm debug-keys, or the ring ---- */
void keyhandler_register(char key, void (*fn)(char key), const char *what);
void keyhandler_run(char key); /* softirq context */

#endif
