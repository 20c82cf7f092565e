/*
 * What a path may look like, and walking up. Read path.h first.
 */
#include "xenstored/path.h"

struct path path_parent(const struct path *p)
{
    size_t len = p->len;

    while (len > 1 && p->s[len - 1] != '/') {
        len--;
    }
    return path_of(p->s, len > 1 ? len - 1 : 1);
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

static bool valid_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '/' || c == '_' || c == '@';
}

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
    for (size_t i = 0; i < len; i++) {
        if (!valid_char((unsigned char)s[i]) || (s[i] == '/' && i > 0 && s[i - 1] == '/')) {
            return false;
        }
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
