/*
 * Fuzz: the records of a log, as xenstored reads them when it starts. They are its own, but perhaps
 * a faulty or another version's: nonsense must be refused, not believed.
 */
#include "tests/fuzz/fuzz.h"

#include "xenstored/domain.h"
#include "xenstored/record.h"
#include "xenstored/tree.h"

/* A root with a child "a", the same losing a child that it has not, a domain, identified things. */
/* clang-format off */
#define U32(a) a "\0\0\0"
#define U64(a) a "\0\0\0\0\0\0\0"
#define ROOT \
    U32("\x38") U32("\1") U64("\1") U32("\7") U32("\1") U32("\1") U32("\0") U32("\2") \
    U32("\0") "/" "\0\0\0\0\0\0\0\0" "a\0" "\0\0\0\0\0"
#define NO_SUCH_CHILD \
    U32("\x30") U32("\1") U64("\2") U32("\x10") U32("\1") U32("\0") U32("\0") U32("\2") \
    U32("\0") "/" "b\0" "\0\0\0\0\0"
#define DOMAIN \
    U32("\x30") U32("\5") U32("\1") U32("\2") U32("\3") "\xff\xff\xff\xff" U64("\4") \
    U32("\1") U32("\0") U32("\0") U32("\0")
#define ID(type, len, value, more) \
    U32("\x28") U32(type) U32("\1") U32(len) U32(value) U32("\0") U64("\0") more
/* clang-format on */

static const struct fuzz_bytes seeds[] = {
    FUZZ_SEED(ROOT DOMAIN),
    FUZZ_SEED(ROOT NO_SUCH_CHILD),
    FUZZ_SEED(DOMAIN ID("\7", "\3", "\2", "/at\0\0\0\0\0") ID("\x0d", "\4", "\0", "abcd\0\0\0\0")),
    FUZZ_SEED(DOMAIN ID("\x0b", "\4", "\0", "abcd\0\0\0\0")
                  ID("\x09", "\0", "\5", "\0\0\0\0\0\0\0\0")),
    FUZZ_SEED(ROOT ID("\2", "\1", "\0", "/\0\0\0\0\0\0\0")
                  ID("\6", "\0", "\0", "\0\0\0\0\0\0\0\0")),
};
FUZZ_SEEDS(seeds)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    int rc = replay((const char *)data, len);

    (void)rc;
    replay_forget();
    while (!list_empty(&connections)) {
        struct conn *c = list_first(&connections, struct conn, link);

        if (c->domain) {
            c->domain->conn = NULL;
        }
        c->fd = -1; /* a descriptor that a record named is not ours to close */
        conn_destroy(c);
    }
    domains_clear();
    tree_clear();
    return 0;
}
