/*
 * Text made fit for XML and JSON. Contract: text.h.
 */
#include "xend/lib/text.h"

#include "xend/lib/alloc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bytes of the character that s begins with, or 0 if it is none that XML 1.0 allows: overlong
 * forms, surrogates, U+FFFE, U+FFFF and what is beyond U+10FFFF are refused.
 */
static size_t character(const unsigned char *s)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
    uint32_t code;

    if (n <= 1) {
        bool fine = s[0] == '\t' || s[0] == '\n' || (s[0] >= ' ' && s[0] != 0x7f);

        return n == 1 && fine ? 1 : 0;
    }
    code = s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (s[i] >> 6 != 2) {
            return 0;
        }
        code = code << 6 | (s[i] & 0x3f);
    }
    if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) || code == 0xfffe ||
        code == 0xffff) {
        return 0;
    }
    return n;
}

char *text_clean(const char *s)
{
    char *copy = xstrdup(s);

    for (char *p = copy; *p != '\0';) {
        size_t n = character((const unsigned char *)p);

        if (n == 0) {
            *p = '?';
            n = 1;
        }
        p += n;
    }
    return copy;
}
