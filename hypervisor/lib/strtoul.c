/* Numbers from text. Read <hospes/lib.h> first. On the host libc has this one. */
#include <hospes/lib.h>

#ifndef HOSPES_HOST_TEST

/* The value of a digit; 99 when c is none. */
static unsigned int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned int)(c - '0');
    }
    if (c >= 'a' && c <= 'z') {
        return (unsigned int)(c - 'a') + 10;
    }
    if (c >= 'A' && c <= 'Z') {
        return (unsigned int)(c - 'A') + 10;
    }
    return 99;
}

unsigned long strtoul(const char *s, char **end, int base)
{
    unsigned long value = 0;
    unsigned int digit;

    if ((base == 0 || base == 16) && s[0] == '0' && (s[1] | 0x20) == 'x' &&
        digit_value(s[2]) < 16) {
        s += 2;
        base = 16;
    } else if (base == 0) {
        base = s[0] == '0' ? 8 : 10;
    }
    for (; (digit = digit_value(*s)) < (unsigned int)base; s++) {
        if (__builtin_mul_overflow(value, (unsigned long)base, &value) ||
            __builtin_add_overflow(value, (unsigned long)digit, &value)) {
            value = ~0ul;
        }
    }
    if (end != NULL) {
        *end = (char *)(uintptr_t)s;
    }
    return value;
}

#endif
