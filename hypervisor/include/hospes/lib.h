/* The small library: strings, formatted output to the console, assertions, panic, sorting. */
#ifndef HOSPES_LIB_H
#define HOSPES_LIB_H

#include <stdarg.h>
#include <hospes/types.h>

/* The compiler may call these by itself. */
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

/* Copies at most size-1 bytes and always ends dst; returns strlen(src). */
size_t strlcpy(char *dst, const char *src, size_t size);

/*
 * Formats: %d %i %u %x %X %o %p %s %c %% with flags 0 - # + space, width, precision, and the
 * lengths hh h l ll z t j. Ours besides: %ps (symbol+offset/size of an address), %pv (a struct vcpu
 * *: d1v0). snprintf returns the length that a large enough buffer would have got.
 */
#ifdef HOSPES_HOST_TEST /* not libc's, which has no %pv */
#define snprintf  hv_snprintf
#define vsnprintf hv_vsnprintf
#endif
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
int vsnprintf(char *buf, size_t size, const char *fmt, va_list args) __printf(3, 0);

/* Decimal, 0x hex or 0 octal; *end (may be NULL) is set behind the last digit. */
unsigned long strtoul(const char *s, char **end, int base);

/* Message levels, from <loglvl> on the command line. A guest-provoked message uses the G_ ones,
 * which are rate limited: no guest can drive the console. */
#define LOG_ERR \
    "\001"      \
    "0"
#define LOG_WARNING \
    "\001"          \
    "1"
#define LOG_INFO \
    "\001"       \
    "2"
#define LOG_DEBUG \
    "\001"        \
    "3"
#define LOG_G_ERR \
    "\002"        \
    "0"
#define LOG_G_WARNING \
    "\002"            \
    "1"
#define LOG_G_INFO \
    "\002"         \
    "2"
#define LOG_G_DEBUG \
    "\002"          \
    "3"

/* To the console ring and the console devices; any context but NMI. No level: LOG_INFO. */
void printk(const char *fmt, ...) __printf(1, 2);
void vprintk(const char *fmt, va_list args) __printf(1, 0);

/* Prints the message, registers and a symbolised trace on every console, then stops or reboots. */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn;

/* For our own broken invariants only; never reachable from a guest. */
void bug(const char *file, int line, const char *what) __noreturn __cold;
#define BUG() bug(__FILE__, __LINE__, "BUG")
#define BUG_ON(c)                        \
    do {                                 \
        if (unlikely(c)) {               \
            bug(__FILE__, __LINE__, #c); \
        }                                \
    } while (0)
#ifdef CONFIG_DEBUG
#define ASSERT(c) BUG_ON(!(c))
#else
#define ASSERT(c)        \
    do {                 \
        (void)sizeof(c); \
    } while (0)
#endif
#define ASSERT_UNREACHABLE() ASSERT(!"reachable")
/* In-place heap sort; cmp as for qsort. */
void sort(void *base, size_t n, size_t size, int (*cmp)(const void *, const void *));

#endif
