/* Search of the exception table (arch/extable.h). A few dozen entries: a straight line through them
 * is fast enough, and no order is asked of the linker. */
#include <hospes/types.h>
#include <arch/extable.h>

struct extable_entry {
    int32_t insn, fixup; /* each relative to its own address */
};
extern const struct extable_entry __ex_table_start[], __ex_table_end[];

static unsigned long target(const int32_t *offset)
{
    return (unsigned long)offset + (unsigned long)(long)*offset;
}

unsigned long search_exception_table(unsigned long rip)
{
    for (const struct extable_entry *e = __ex_table_start; e < __ex_table_end; e++) {
        if (target(&e->insn) == rip) {
            return target(&e->fixup);
        }
    }
    return 0;
}
