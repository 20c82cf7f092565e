/* Port and device memory access, exactly as wide as named. */
#ifndef ARCH_IO_H
#define ARCH_IO_H

#include <hospes/types.h>

#define DEFINE_PORT_IO(suffix, type)                                     \
    static __always_inline void out##suffix(uint16_t port, type v)       \
    {                                                                    \
        __asm__ volatile("out" #suffix " %0, %1" ::"a"(v), "Nd"(port));  \
    }                                                                    \
    static __always_inline type in##suffix(uint16_t port)                \
    {                                                                    \
        type v;                                                          \
        __asm__ volatile("in" #suffix " %1, %0" : "=a"(v) : "Nd"(port)); \
        return v;                                                        \
    }
DEFINE_PORT_IO(b, uint8_t)
DEFINE_PORT_IO(w, uint16_t)
DEFINE_PORT_IO(l, uint32_t)
#undef DEFINE_PORT_IO

/* A width of 1, 2 or 4 bytes that is known only now. */
static inline uint32_t port_read(uint16_t port, unsigned int bytes)
{
    return bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
}
static inline void port_write(uint16_t port, unsigned int bytes, uint32_t v)
{
    if (bytes == 1) {
        outb(port, (uint8_t)v);
    } else if (bytes == 2) {
        outw(port, (uint16_t)v);
    } else {
        outl(port, v);
    }
}

#define DEFINE_MMIO(suffix, type)                                            \
    static __always_inline type mmio_read##suffix(const volatile void *p)    \
    {                                                                        \
        return *(const volatile type *)p;                                    \
    }                                                                        \
    static __always_inline void mmio_write##suffix(volatile void *p, type v) \
    {                                                                        \
        *(volatile type *)p = v;                                             \
    }
DEFINE_MMIO(8, uint8_t)
DEFINE_MMIO(16, uint16_t)
DEFINE_MMIO(32, uint32_t)
DEFINE_MMIO(64, uint64_t)
#undef DEFINE_MMIO

#endif
