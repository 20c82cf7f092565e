/*
 * Memory and strings. The compiler calls memcpy, memmove, memset and memcmp by itself. On x86 the
 * bulk goes through the string instructions in words of 8 bytes: as fast as anything that may not
 * use vector registers. Read <hospes/lib.h> first. On the host (fake/) libc has all of these.
 */
#include <hospes/lib.h>

#ifndef HOSPES_HOST_TEST

#ifdef __x86_64__
void *memcpy(void *dst, const void *src, size_t n)
{
    void *d = dst;
    size_t words = n / 8, tail = n % 8;

    __asm__ volatile("rep movsq; mov %[tail], %[n]; rep movsb"
                     : "+D"(d), "+S"(src), [n] "+c"(words)
                     : [tail] "r"(tail)
                     : "memory");
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    void *d = dst;
    size_t words = n / 8, tail = n % 8;

    __asm__ volatile("rep stosq; mov %[tail], %[n]; rep stosb"
                     : "+D"(d), [n] "+c"(words)
                     : [tail] "r"(tail), "a"(0x0101010101010101ul * (unsigned char)c)
                     : "memory");
    return dst;
}

/* From the end down, for areas that overlap with dst behind src. */
static void copy_down(char *dst, const char *src, size_t n)
{
    __asm__ volatile("std; rep movsb; cld" : "+D"(dst), "+S"(src), "+c"(n)::"memory");
}
#else
/* barrier() keeps the compiler from recognising the loops and calling the functions themselves. */
void *memcpy(void *dst, const void *src, size_t n)
{
    unsigned char *d = dst;
    const unsigned char *s = src;

    while (n-- > 0) {
        *d++ = *s++;
        barrier();
    }
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    unsigned char *d = dst;

    while (n-- > 0) {
        *d++ = (unsigned char)c;
        barrier();
    }
    return dst;
}

static void copy_down(char *dst, const char *src, size_t n)
{
    while (n-- > 0) {
        *dst-- = *src--;
        barrier();
    }
}
#endif

void *memmove(void *dst, const void *src, size_t n)
{
    if (n == 0 || dst == src) {
        return dst;
    }
    if ((uintptr_t)dst - (uintptr_t)src >= n) {
        return memcpy(dst, src, n);
    }
    copy_down((char *)dst + n - 1, (const char *)src + n - 1, n);
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *p = a, *q = b;

    for (; n > 0; n--, p++, q++) {
        if (*p != *q) {
            return *p - *q;
        }
    }
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n] != '\0') {
        n++;
        barrier();
    }
    return n;
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n] != '\0') {
        n++;
    }
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0; n--, a++, b++) {
        if (*a != *b || *a == '\0') {
            return (unsigned char)*a - (unsigned char)*b;
        }
    }
    return 0;
}

/* The result may be written through only if the argument might have been: as in libc. */
static char *unconst(const char *s)
{
    return (char *)(uintptr_t)s;
}

char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++) {
        if (*s == '\0') {
            return NULL;
        }
    }
    return unconst(s);
}

#endif

size_t strlcpy(char *dst, const char *src, size_t size)
{
    size_t len = strlen(src), n;

    if (size > 0) {
        n = len < size - 1 ? len : size - 1;
        memcpy(dst, src, n);
        dst[n] = '\0';
    }
    return len;
}
