/* Compiler spellings used everywhere. Included first by types.h. */
#ifndef HOSPES_COMPILER_H
#define HOSPES_COMPILER_H

#define likely(x)      __builtin_expect(!!(x), 1)
#define unlikely(x)    __builtin_expect(!!(x), 0)
#define barrier()      __asm__ volatile("" ::: "memory")
#define unreachable()  __builtin_unreachable()
#define __must_check   __attribute__((warn_unused_result))
#define __packed       __attribute__((packed))
#define __aligned(n)   __attribute__((aligned(n)))
#define __section(s)   __attribute__((section(s)))
#define __used         __attribute__((used))
#define __maybe_unused __attribute__((unused))
#define __noinline     __attribute__((noinline))
#undef __always_inline /* the C library has one too */
#define __always_inline inline __attribute__((always_inline))
#define __noreturn      __attribute__((noreturn))
#define __cold          __attribute__((cold))
#define __printf(f, a)  __attribute__((format(printf, f, a)))
#define __cleanup(fn)   __attribute__((cleanup(fn)))

/* Code and data used only until the first guest runs; the memory is given back afterwards. */
#ifdef HOSPES_HOST_TEST
#define __init
#define __initdata
#define __ro_after_init
#else
#define __init          __section(".init.text") __cold
#define __initdata      __section(".init.data")
#define __ro_after_init __section(".data.ro_after_init")
#endif
#define __read_mostly __section(".data.read_mostly")

#define ARRAY_SIZE(a)         (sizeof(a) / sizeof((a)[0]))
#define container_of(p, t, m) ((t *)((char *)(p) - __builtin_offsetof(t, m)))
#define ROUNDUP(x, a)         (((x) + (a)-1) & ~((__typeof__(x))(a)-1))
#define ROUNDDOWN(x, a)       ((x) & ~((__typeof__(x))(a)-1))
#define DIV_ROUND_UP(n, d)    (((n) + (d)-1) / (d))
#define IS_ALIGNED(x, a)      (((x) & ((__typeof__(x))(a)-1)) == 0)
/* Each use has names of its own, so that they nest. */
#define MIN_(x, y, a, b)       \
    ({                         \
        __typeof__(a) x = (a); \
        __typeof__(b) y = (b); \
        x < y ? x : y;         \
    })
#define MAX_(x, y, a, b)       \
    ({                         \
        __typeof__(a) x = (a); \
        __typeof__(b) y = (b); \
        x > y ? x : y;         \
    })
#define min(a, b)    MIN_(PASTE(min_a_, __COUNTER__), PASTE(min_b_, __COUNTER__), a, b)
#define max(a, b)    MAX_(PASTE(max_a_, __COUNTER__), PASTE(max_b_, __COUNTER__), a, b)
#define BIT(n)       (1ul << (n))
#define PASTE_(a, b) a##b
#define PASTE(a, b)  PASTE_(a, b)

/* One access, exactly as wide as the object: for memory that another CPU or a guest also writes. */
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

/*
 * Clamp an index that a guest chose, also under speculation: idx when idx < size, else 0.
 * size must not be 0. Source: "bounds check bypass" in the vendors' speculation guides.
 */
static __always_inline unsigned long array_index_nospec(unsigned long idx, unsigned long size)
{
    unsigned long mask;

#if defined(__x86_64__) && !defined(HOSPES_HOST_TEST)
    __asm__ volatile("cmp %[size], %[idx]; sbb %[mask], %[mask]"
                     : [mask] "=r"(mask)
                     : [size] "g"(size), [idx] "r"(idx)
                     : "cc");
#else
    mask = -(unsigned long)(idx < size);
#endif
    return idx & mask;
}

#endif
