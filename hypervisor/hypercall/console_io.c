/*
 * console_io: the hypervisor's console. Domain 0 writes to it and reads what is typed; what other
 * domains write goes through the log's levels and rate limit.
 */
#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>

#define CHUNK 128u

/* The count is what is left: a preempted call goes on behind what was written. */
static long write_console(unsigned int count, XEN_GUEST_HANDLE(void) arg)
{
    XEN_GUEST_HANDLE(char) text = guest_handle_cast(arg, char);
    char buf[CHUNK];
    unsigned int n;

    while (count > 0) {
        n = min(count, CHUNK);
        if (copy_from_guest(buf, text, n)) {
            return -EFAULT;
        }
        console_write_guest(current->domain, buf, n);
        guest_handle_add(text, n);
        count -= n;
        if (count > 0 && hypercall_preempt_check()) {
            return (long)hypercall_create_continuation(
                __HYPERVISOR_console_io, "iih", CONSOLEIO_write, count, guest_handle_addr(text));
        }
    }
    return 0;
}

static long read_console(unsigned int count, XEN_GUEST_HANDLE(void) arg)
{
    XEN_GUEST_HANDLE(char) text = guest_handle_cast(arg, char);
    char buf[CHUNK];
    size_t n;

    if (!current->domain->is_privileged) {
        return -EPERM;
    }
    /* Look before taking: what cannot be handed over is not lost. */
    if (!guest_handle_okay(text, count)) {
        return -EFAULT;
    }
    n = console_guest_read(buf, min(count, CHUNK));
    return copy_to_guest(text, buf, n) ? -EFAULT : (long)n;
}

long do_console_io(unsigned int cmd, unsigned int count, XEN_GUEST_HANDLE(void) arg)
{
    if (count > INT32_MAX) {
        return -EINVAL;
    }
    switch (cmd) {
    case CONSOLEIO_write:
        return write_console(count, arg);
    case CONSOLEIO_read:
        return read_console(count, arg);
    default:
        return -ENOSYS;
    }
}
