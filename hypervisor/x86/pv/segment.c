/* Reading descriptors of the running vcpu (segment.h). Layout: AMD APM 2, "Segment Descriptors". */
#include <hospes/arch.h>
#include <arch/extable.h>
#include <arch/layout.h>
#include "segment.h"

/* Eight bytes of a descriptor table that may not be mapped. */
static bool read_descriptor(unsigned long addr, uint64_t *desc)
{
    uint64_t value = 0;
    bool ok = true;

    __asm__ volatile("1: mov %2, %0\n"
                     "jmp 3f\n"
                     "2: movb $0, %1\n"
                     "3:\n" EX_TABLE(1b, 2b)
                     : "+r"(value), "+q"(ok)
                     : "m"(*(const uint64_t *)addr));
    *desc = value;
    return ok;
}

bool read_segment(unsigned int sel, struct segment *s)
{
    const struct vcpu *v = current;
    bool ldt = sel & 4;
    unsigned long table = ldt ? LDT_VIRT(v) : GDT_VIRT(v);
    unsigned int entries = ldt ? v->arch.pv.ldt_ents : 8192u;
    uint64_t d;

    *s = (struct segment){0};
    if ((sel & 0xfffc) == 0 || (sel >> 3) >= entries ||
        !read_descriptor(table + (sel & 0xfff8), &d)) {
        return false;
    }
    s->present = (d >> 47) & 1;
    s->code = (d >> 43) & 1;
    s->readable = !s->code || ((d >> 41) & 1);
    s->writable = !s->code && ((d >> 41) & 1);
    s->expand_down = !s->code && ((d >> 42) & 1);
    s->long_mode = s->code && ((d >> 53) & 1);
    s->size32 = (d >> 54) & 1;
    s->base = ((d >> 16) & 0xffffff) | ((d >> 32) & 0xff000000);
    s->limit = (uint32_t)((d & 0xffff) | ((d >> 32) & 0xf0000));
    if ((d >> 55) & 1) {
        s->limit = (s->limit << 12) | 0xfff;
    }
    return s->present && ((d >> 44) & 1); /* code or data, not a gate or a system segment */
}
