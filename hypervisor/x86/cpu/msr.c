/* MSRs that may not exist. */
#include <hospes/errno.h>
#include <arch/extable.h>
#include <arch/msr.h>

int rdmsr_safe(uint32_t msr, uint64_t *v)
{
    uint32_t lo, hi;
    int rc = -EFAULT;

    __asm__ volatile("1: rdmsr\n"
                     "xorl %[rc], %[rc]\n"
                     "2:\n" EX_TABLE(1b, 2b)
                     : "=a"(lo), "=d"(hi), [rc] "+r"(rc)
                     : "c"(msr), "0"(0), "1"(0)
                     : "cc");
    *v = ((uint64_t)hi << 32) | lo;
    return rc;
}

int wrmsr_safe(uint32_t msr, uint64_t v)
{
    int rc = -EFAULT;

    __asm__ volatile("1: wrmsr\n"
                     "xorl %[rc], %[rc]\n"
                     "2:\n" EX_TABLE(1b, 2b)
                     : [rc] "+r"(rc)
                     : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))
                     : "memory", "cc");
    return rc;
}
