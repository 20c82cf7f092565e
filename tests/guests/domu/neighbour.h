/* The parts of neighbour.c. None of these returns. */
#ifndef NEIGHBOUR_H
#define NEIGHBOUR_H

#include "domu.h"

void neighbour_idle(void);
void neighbour_meter(void);
void neighbour_spin(void);
void neighbour_events(void);
void neighbour_grants(void);
void neighbour_rings(void);
void neighbour_devices(void);
void neighbour_store(void);
void neighbour_quota(void);

/* A random number of this vcpu's own sequence. */
uint64_t neighbour_random(uint64_t *state);

#endif
