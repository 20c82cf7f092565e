/*
 * vsnprintf: the formats are listed in <hospes/lib.h>. No floating point, no locale, no memory.
 * Invariant: `out` never writes outside [buf, buf + size), and always counts.
 */
#include <hospes/lib.h>
#include <hospes/arch.h>

enum {
    FLAG_ZERO = 1,
    FLAG_LEFT = 2,
    FLAG_ALT = 4,
    FLAG_PLUS = 8,
    FLAG_SPACE = 16,
    FLAG_UPPER = 32
};

struct sink {
    char *buf;
    size_t size, len;
};

/* One conversion: %[flags][width][.precision][length]letter. precision < 0: none. */
struct spec {
    unsigned int flags;
    int width, precision;
    char length; /* 'H' hh, 'h', 'l' (also ll, j, z, t), 0 */
};

static void out(struct sink *s, char c)
{
    if (s->len < s->size) {
        s->buf[s->len] = c;
    }
    s->len++;
}

static void pad(struct sink *s, char c, int n)
{
    for (; n > 0; n--) {
        out(s, c);
    }
}

static void out_string(struct sink *s, const char *str, const struct spec *sp)
{
    size_t n, i;

    if (str == NULL) {
        str = "(null)";
    }
    n = sp->precision >= 0 ? strnlen(str, (size_t)sp->precision) : strlen(str);
    if (!(sp->flags & FLAG_LEFT)) {
        pad(s, ' ', sp->width - (int)n);
    }
    for (i = 0; i < n; i++) {
        out(s, str[i]);
    }
    if (sp->flags & FLAG_LEFT) {
        pad(s, ' ', sp->width - (int)n);
    }
}

/* sign: the character in front, 0: none. */
static void out_number(struct sink *s, unsigned long v, unsigned int base, char sign,
                       const struct spec *sp)
{
    const char *digits = sp->flags & FLAG_UPPER ? "0123456789ABCDEF" : "0123456789abcdef";
    bool prefix = (sp->flags & FLAG_ALT) && base == 16 && v != 0;
    char tmp[24];
    int n = 0, zeros, spaces;

    do {
        if (v == 0 && sp->precision == 0) {
            break;
        }
        tmp[n++] = digits[v % base];
        v /= base;
    } while (v != 0);
    zeros = sp->precision - n;
    if ((sp->flags & FLAG_ALT) && base == 8 && zeros <= 0 && (n == 0 || tmp[n - 1] != '0')) {
        zeros = 1;
    }
    if (zeros < 0) {
        zeros = 0;
    }
    spaces = sp->width - n - zeros - (sign != 0) - (prefix ? 2 : 0);
    if ((sp->flags & FLAG_ZERO) && !(sp->flags & FLAG_LEFT) && sp->precision < 0 && spaces > 0) {
        zeros += spaces;
        spaces = 0;
    }
    if (!(sp->flags & FLAG_LEFT)) {
        pad(s, ' ', spaces);
    }
    if (sign != 0) {
        out(s, sign);
    }
    if (prefix) {
        out(s, '0');
        out(s, sp->flags & FLAG_UPPER ? 'X' : 'x');
    }
    pad(s, '0', zeros);
    while (n > 0) {
        out(s, tmp[--n]);
    }
    if (sp->flags & FLAG_LEFT) {
        pad(s, ' ', spaces);
    }
}

/* %p, %ps and %pv; returns how many letters behind the p were used. */
static int out_pointer(struct sink *s, const void *p, char kind, struct spec *sp)
{
    const struct vcpu *v = p;
    char name[80];

    if (kind == 's') {
        arch_symbol_name(name, sizeof(name), (unsigned long)p);
        out_string(s, name, sp);
        return 1;
    }
    if (kind == 'v') {
        if (v == NULL) {
            out_string(s, "no vcpu", sp);
        } else if (v->domain->is_idle) {
            snprintf(name, sizeof(name), "idle%u", v->vcpu_id);
            out_string(s, name, sp);
        } else {
            snprintf(name, sizeof(name), "d%uv%u", v->domain->domain_id, v->vcpu_id);
            out_string(s, name, sp);
        }
        return 1;
    }
    sp->flags |= FLAG_ALT;
    if (p == NULL) {
        out_string(s, "(nil)", sp);
    } else {
        out_number(s, (unsigned long)p, 16, 0, sp);
    }
    return 0;
}

static const char *parse_flags(const char *f, struct spec *sp)
{
    static const char letters[] = "0-#+ ";
    const char *at;

    while (*f != '\0' && (at = strchr(letters, *f)) != NULL) {
        sp->flags |= 1u << (at - letters);
        f++;
    }
    return f;
}

/* A decimal number of at most 4 digits' worth, or '*'. */
static const char *parse_count(const char *f, int *value, va_list *args)
{
    int v = 0;

    if (*f == '*') {
        *value = va_arg(*args, int);
        return f + 1;
    }
    for (; *f >= '0' && *f <= '9'; f++) {
        v = v < 10000 ? v * 10 + (*f - '0') : v;
    }
    *value = v;
    return f;
}

static const char *parse_length(const char *f, struct spec *sp)
{
    if (f[0] == 'h') {
        sp->length = f[1] == 'h' ? 'H' : 'h';
        return f + (f[1] == 'h' ? 2 : 1);
    }
    if (*f == 'l' || *f == 'z' || *f == 't' || *f == 'j') {
        sp->length = 'l';
        return f + (f[0] == 'l' && f[1] == 'l' ? 2 : 1);
    }
    return f;
}

static const char *parse_spec(const char *f, struct spec *sp, va_list *args)
{
    *sp = (struct spec){.precision = -1};
    f = parse_flags(f, sp);
    f = parse_count(f, &sp->width, args);
    if (sp->width < 0) {
        sp->flags |= FLAG_LEFT;
        sp->width = sp->width == -0x7fffffff - 1 ? 0 : -sp->width;
    }
    if (*f == '.') {
        f = parse_count(f + 1, &sp->precision, args);
    }
    return parse_length(f, sp);
}

static void out_signed(struct sink *s, const struct spec *sp, va_list *args)
{
    long v = sp->length == 'l' ? va_arg(*args, long) : va_arg(*args, int);
    char sign = sp->flags & FLAG_PLUS ? '+' : sp->flags & FLAG_SPACE ? ' ' : 0;

    if (sp->length == 'H') {
        v = (signed char)v;
    } else if (sp->length == 'h') {
        v = (short)v;
    }
    out_number(s, v < 0 ? 0 - (unsigned long)v : (unsigned long)v, 10, v < 0 ? '-' : sign, sp);
}

static void out_unsigned(struct sink *s, const struct spec *sp, unsigned int base, va_list *args)
{
    unsigned long v =
        sp->length == 'l' ? va_arg(*args, unsigned long) : va_arg(*args, unsigned int);

    if (sp->length == 'H') {
        v = (unsigned char)v;
    } else if (sp->length == 'h') {
        v = (unsigned short)v;
    }
    out_number(s, v, base, 0, sp);
}

/* Returns what is behind the conversion. */
static const char *convert(struct sink *s, const char *f, va_list *args)
{
    struct spec sp;
    char c[2] = "";

    f = parse_spec(f, &sp, args);
    switch (*f) {
    case '\0':
        return f;
    case 'd':
    case 'i':
        out_signed(s, &sp, args);
        break;
    case 'u':
        out_unsigned(s, &sp, 10, args);
        break;
    case 'o':
        out_unsigned(s, &sp, 8, args);
        break;
    case 'X':
        sp.flags |= FLAG_UPPER;
        out_unsigned(s, &sp, 16, args);
        break;
    case 'x':
        out_unsigned(s, &sp, 16, args);
        break;
    case 'c':
        c[0] = (char)va_arg(*args, int);
        pad(s, ' ', sp.flags & FLAG_LEFT ? 0 : sp.width - 1);
        out(s, c[0]);
        pad(s, ' ', sp.flags & FLAG_LEFT ? sp.width - 1 : 0);
        break;
    case 's':
        out_string(s, va_arg(*args, const char *), &sp);
        break;
    case 'p':
        f += out_pointer(s, va_arg(*args, const void *), f[1], &sp);
        break;
    default: /* also %% */
        out(s, *f);
        break;
    }
    return f + 1;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
    struct sink s = {buf, size, 0};
    va_list ap;

    va_copy(ap, args);
    while (*fmt != '\0') {
        if (*fmt == '%') {
            fmt = convert(&s, fmt + 1, &ap);
        } else {
            out(&s, *fmt++);
        }
    }
    va_end(ap);
    if (size > 0) {
        buf[s.len < size ? s.len : size - 1] = '\0';
    }
    return (int)s.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(buf, size, fmt, args);
    va_end(args);
    return n;
}
