/*
 * What xend's tests stand on: a folder, a real xenstored with a fake hypervisor, the world, and
 * xend's own core with its event loop, all in one process but the store.
 */
#ifndef TESTS_UNIT_XEND_ENV_H
#define TESTS_UNIT_XEND_ENV_H

#include "tests/unit/xend_fake.h"

#include "xend/lib/value.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* cmocka takes the name fail, which is ours in xend/lib/error.h. */
#undef fail
#undef fail_msg
#define fail_msg(...) (print_error("ERROR: " __VA_ARGS__), _fail(__FILE__, __LINE__))

/* The folder of this run: $XEND_FAKE. */
const char *env_folder(void);
/* Start store and world (and xend's core if `core`). */
void env_start(bool core);
void env_stop(void);

/* Both for cmocka: the world of a group of tests, with xend's core. */
int env_group_start(void **state);
int env_group_stop(void **state);

/* A path in the folder; a file of that name is made if size is not 0. At most 64 names. */
const char *env_file(const char *name, unsigned size);

/* A configuration as xm would send it; a kernel is added. */
struct value *env_config(const char *text);

/* Call a method of xend: it must work (ok) or fail with that errno and a part of the sentence. */
struct value *env_ok(const char *method, struct value *args);
void env_fails(int code, const char *part, const char *method, struct value *args);
/* The same, with the answer thrown away. */
void env_do(const char *method, struct value *args);

/* A list of arguments: 's', 'i', 'v' as client_args() has them. */
struct value *env_args(const char *types, ...);

/* Wait until test() is true; fails after ten seconds. */
#define env_until(condition)                                \
    do {                                                    \
        for (int tries_ = 0; !(condition); tries_++) {      \
            if (tries_ > 1000) {                            \
                fail_msg("did not happen: %s", #condition); \
            }                                               \
            env_nap();                                      \
        }                                                   \
    } while (0)
void env_nap(void);

/* What the store holds at a path, "" if nothing; valid until the next call. */
const char *env_store(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Its permissions, as xenstore-ls -p shows them: "n0,r3". */
const char *env_perms(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void env_store_write(const char *value, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
