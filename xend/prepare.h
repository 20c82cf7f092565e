/*
 * Kernels unpacked before they are needed, so that a guest's first creation finds its kernel in the
 * cache as the second does: those of stored domains, and those that the setting prepare_kernels
 * names. One thread does it, at the lowest priority, one kernel after the other.
 *
 * A creation never waits for a kernel that is not its own. If it is the same kernel, it is finished
 * at full speed and the creation takes it.
 */
#ifndef XEND_PREPARE_H
#define XEND_PREPARE_H

/* Starts the thread; without it (no memory) nothing is prepared, and that is all. */
void prepare_start(void);

/* A domain was stored: look again. */
void prepare_poke(void);

/* Before each build of a domain with this kernel. */
void prepare_building(const char *kernel);

#endif
