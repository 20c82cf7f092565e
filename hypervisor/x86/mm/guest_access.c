/*
 * Reading and writing a guest's memory by its own addresses, in the address space of the running
 * vcpu. The only code that runs with SMAP's protection lifted. A fault ends the copy through the
 * exception table; the page fault handler has nothing else to know.
 */
#include <hospes/guest_access.h>
#include <hospes/domain.h>
#include <hospes/lib.h>
#include <arch/current.h>
#include <arch/extable.h>
#include <arch/pte.h>

/* Lower and upper part of the guest's: never ours, never across the hole. Length 0 is fine. */
static bool range_is_guests(unsigned long addr, size_t n)
{
    unsigned long last;

    if (n == 0) {
        return true;
    }
    if (__builtin_add_overflow(addr, n - 1, &last)) {
        return false;
    }
    return is_guest_address(addr) && is_guest_address(last) && (long)addr >> 63 == (long)last >> 63;
}

bool guest_range_ok(unsigned long addr, size_t n, size_t size)
{
    size_t bytes;

    return !__builtin_mul_overflow(n, size, &bytes) && range_is_guests(addr, bytes);
}

/* Bytes left when it stopped. Whole words first: most structures are made of them. */
static size_t copy_faulting(void *dst, const void *src, size_t n)
{
    size_t words = n / 8, tail = n % 8;

    user_access_begin();
    __asm__ volatile("1: rep movsq\n"
                     "   mov %[tail], %%rcx\n"
                     "2: rep movsb\n"
                     "   jmp 4f\n"
                     "3: lea (%[tail], %%rcx, 8), %%rcx\n" /* the fault was in a word */
                     "4:\n" EX_TABLE(1b, 3b) EX_TABLE(2b, 4b)
                     : "+D"(dst), "+S"(src), "+c"(words)
                     : [tail] "r"(tail)
                     : "memory");
    user_access_end();
    return words;
}

bool linear_slots_in_use;

bool in_linear_slot(unsigned long addr, unsigned long n)
{
    const struct domain *d = current->domain;
    unsigned int first = (addr >> 39) & 511, last = ((addr + n - 1) >> 39) & 511;

    for (unsigned int i = first; n != 0 && i <= last; i++) {
        if (READ_ONCE(d->arch.pv.linear_slots[i / 64]) & (1ul << (i % 64))) {
            return true;
        }
    }
    return false;
}

size_t raw_copy_from_guest(void *dst, unsigned long guest_addr, size_t n)
{
    size_t left;

    if (!range_is_guests(guest_addr, n)) {
        return n;
    }
    left = copy_faulting(dst, (const void *)guest_addr, n);
    if (read_refused(guest_addr, n)) {
        left = n;
    }
    if (unlikely(left != 0)) { /* no stale data of ours goes on */
        memset((char *)dst + (n - left), 0, left);
    }
    return left;
}

size_t raw_copy_to_guest(unsigned long guest_addr, const void *src, size_t n)
{
    return range_is_guests(guest_addr, n) ? copy_faulting((void *)guest_addr, src, n) : n;
}

size_t raw_clear_guest(unsigned long guest_addr, size_t n)
{
    size_t left = n;
    void *dst = (void *)guest_addr;

    if (!range_is_guests(guest_addr, n)) {
        return n;
    }
    user_access_begin();
    __asm__ volatile("1: rep stosb\n"
                     "2:\n" EX_TABLE(1b, 2b)
                     : "+D"(dst), "+c"(left)
                     : "a"(0)
                     : "memory");
    user_access_end();
    return left;
}
