/*
 * The one way to touch a guest's memory by its own addresses. Handles (the ABI's XEN_GUEST_HANDLE)
 * hold a pointer that the guest chose: never dereference .p. Every copy checks that the range is
 * the guest's, survives faults and returns true when it FAILED. Copy a structure in once, check the
 * copy, act on it.
 *
 * The addresses are looked up in the address space of the running vcpu (current).
 */
#ifndef HOSPES_GUEST_ACCESS_H
#define HOSPES_GUEST_ACCESS_H

#include <hospes/types.h>

/* Number of bytes not copied: 0 is success. The architecture's (x86/mm/guest_access.c). */
size_t raw_copy_from_guest(void *dst, unsigned long guest_addr, size_t n) __must_check;
size_t raw_copy_to_guest(unsigned long guest_addr, const void *src, size_t n) __must_check;
size_t raw_clear_guest(unsigned long guest_addr, size_t n) __must_check;
/* True when [addr, addr + size * n) without overflow lies in the guest's part of the address space.
 */
bool guest_range_ok(unsigned long addr, size_t n, size_t size);

#include <arch/guest_access.h>

#define guest_handle_addr(h)    ((unsigned long)(h).p)
#define guest_handle_is_null(h) ((h).p == NULL)
#define guest_handle_okay(h, n) guest_range_ok(guest_handle_addr(h), (n), sizeof(*(h).p))
/* The handle of the same address with another type. */
#define guest_handle_cast(h, type)      ((XEN_GUEST_HANDLE(type)){(void *)(h).p})
#define guest_handle_from_addr(a, type) ((XEN_GUEST_HANDLE(type)){(void *)(unsigned long)(a)})
#define guest_handle_add(h, n)          ((h).p += (n))

/* One object of a size known to the compiler is copied in line where the architecture can
 * (GUEST_SMALL, copy_small_*: <arch/guest_access.h>). True: failed. */
#define copy_bytes_from_guest(dst, addr, n)                                          \
    (__builtin_constant_p(n) && GUEST_SMALL(n) ? copy_small_from_guest(dst, addr, n) \
                                               : raw_copy_from_guest(dst, addr, n) != 0)
#define copy_bytes_to_guest(addr, src, n)                                          \
    (__builtin_constant_p(n) && GUEST_SMALL(n) ? copy_small_to_guest(addr, src, n) \
                                               : raw_copy_to_guest(addr, src, n) != 0)

/* dst/src point to objects of the handle's type; n of them. True: failed, return -EFAULT. */
#define copy_from_guest(dst, h, n) copy_from_guest_offset(dst, h, 0, n)
#define copy_to_guest(h, src, n)   copy_to_guest_offset(h, 0, src, n)
#define copy_from_guest_offset(dst, h, off, n)                                                    \
    ({                                                                                            \
        __typeof__((h).p) h_ = (h).p;                                                             \
        __typeof__(*h_) *d_ = (dst);                                                              \
        size_t off_ = (off);                                                                      \
                                                                                                  \
        (!__builtin_constant_p(n) &&                                                              \
         !guest_range_ok((unsigned long)h_, off_ + (n), sizeof(*h_))) ||                          \
            copy_bytes_from_guest(d_, (unsigned long)h_ + off_ * sizeof(*h_), (n) * sizeof(*h_)); \
    })
#define copy_to_guest_offset(h, off, src, n)                                                    \
    ({                                                                                          \
        __typeof__((h).p) h_ = (h).p;                                                           \
        const __typeof__(*h_) *s_ = (src);                                                      \
        size_t off_ = (off);                                                                    \
                                                                                                \
        (!__builtin_constant_p(n) &&                                                            \
         !guest_range_ok((unsigned long)h_, off_ + (n), sizeof(*h_))) ||                        \
            copy_bytes_to_guest((unsigned long)h_ + off_ * sizeof(*h_), s_, (n) * sizeof(*h_)); \
    })
/* One member of the structure that the handle points to, from the local *src. */
#define copy_field_to_guest(h, src, field)                                                       \
    ({                                                                                           \
        const __typeof__((src)->field) *s_ = &(src)->field;                                      \
        unsigned long a_ = (unsigned long)(h).p + __builtin_offsetof(__typeof__(*(src)), field); \
                                                                                                 \
        copy_bytes_to_guest(a_, s_, sizeof(*s_));                                                \
    })
#define clear_guest(h, n)                                              \
    ({                                                                 \
        __typeof__((h).p) h_ = (h).p;                                  \
        size_t n_ = (n);                                               \
        !guest_range_ok((unsigned long)h_, n_, sizeof(*h_)) ||         \
            raw_clear_guest((unsigned long)h_, n_ * sizeof(*h_)) != 0; \
    })

#endif
