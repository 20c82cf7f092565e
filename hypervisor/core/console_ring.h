/* Between console.c (devices, ring) and printk.c (levels, prefixes): not for others. */
#ifndef CORE_CONSOLE_RING_H
#define CORE_CONSOLE_RING_H

#include <hospes/types.h>

/* The lock of both files; ignored once console_force_unlock was called. */
unsigned long console_lock_irqsave(void);
void console_unlock_irqrestore(unsigned long flags);
/* To every device, and to the ring if asked. Console lock held. */
void console_emit(const char *s, size_t n, bool to_ring);
/* The line that is being written is not finished and must not be continued by another writer. */
bool console_at_line_start(void);

#endif
