/* What every hypervisor unit test starts with: the C library, cmocka, the played machine. */
#ifndef TAP_H
#define TAP_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#undef __always_inline
#include <fake.h>

/* A small generator with a fixed seed: failures can be repeated. */
static inline uint32_t rnd(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*state >> 33);
}

#endif
