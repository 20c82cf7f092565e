/*
 * What a path may look like, and walking up. Read path.h first.
 */
#include "xenstored/path.h"

size_t path_parent_len(const char *s, size_t len)
{
    const char *slash = memrchr(s, '/', len);

    return slash && slash > s ? (size_t)(slash - s) : 1;
}

struct path path_parent(const struct path *p)
{
    return path_of(p->s, path_parent_len(p->s, p->len));
}

const char *path_base(const struct path *p, size_t *len)
{
    size_t start = p->len;

    while (start > 0 && p->s[start - 1] != '/') {
        start--;
    }
    *len = p->len - start;
    return p->s + start;
}

enum { REFUSED, PLAIN, SLASH };

/* What each byte is in a path. */
static const unsigned char class_of[256] = {
    ['a' ... 'z'] = PLAIN, ['A' ... 'Z'] = PLAIN, ['0' ... '9'] = PLAIN, ['-'] = PLAIN,
    ['_'] = PLAIN,         ['@'] = PLAIN,         ['/'] = SLASH,
};

/* The length of "/local/domain/N/" at the start, N a number of up to five digits; else 0. */
static size_t domain_prefix(const char *s, size_t len)
{
    static const char home[] = "/local/domain/";
    size_t at = sizeof(home) - 1, digits = 0;

    if (len < at || memcmp(s, home, at) != 0) {
        return 0;
    }
    while (at < len && digits < 5 && s[at] >= '0' && s[at] <= '9') {
        at++;
        digits++;
    }
    return digits && at < len && s[at] == '/' ? at + 1 : 0;
}

bool path_is_valid(const char *s, size_t len, size_t max)
{
    if (len == 0 || s[0] != '/' || (len > 1 && s[len - 1] == '/')) {
        return false;
    }
    if (len > max && len > max + domain_prefix(s, len)) {
        return false;
    }
    for (size_t i = 0, before = REFUSED; i < len; i++) {
        size_t here = class_of[(unsigned char)s[i]];

        if (here == REFUSED || (here == SLASH && before == SLASH)) {
            return false;
        }
        before = here;
    }
    return true;
}

bool path_is_below(const struct path *child, const struct path *parent)
{
    if (path_is_root(parent) && parent->s[0] == '/') {
        return true;
    }
    if (child->len < parent->len || memcmp(child->s, parent->s, parent->len) != 0) {
        return false;
    }
    return child->len == parent->len || child->s[parent->len] == '/';
}

unsigned path_levels_below(const struct path *child, const struct path *parent)
{
    size_t from = path_is_root(parent) ? 0 : parent->len;
    unsigned levels = 0;

    if (child->len == parent->len) {
        return 0;
    }
    for (size_t i = from; i < child->len; i++) {
        levels += child->s[i] == '/';
    }
    return levels;
}
