/*
 * What xend does when it starts: it finds its guests as they are, and finishes or undoes what was
 * under way when it was killed.
 */
#ifndef XEND_RECOVER_H
#define XEND_RECOVER_H

#include "xend/lib/error.h"

/*
 * Read the records and compare them with the hypervisor. Quick decisions are made at once, long
 * work is given to workers. Call once, before the API is open. 0 or -errno
 */
int recover(struct error *err);

/* Start the stored domains with autostart, in their order, once after each boot of the machine. */
void autostart(void);

#endif
