/*
 * The few functions of a C library that the decompression libraries call. Used while Domain 0's
 * kernel is unpacked and never afterwards.
 */
#include <hospes/lib.h>
#include <hospes/memory.h>

void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void free(void *p);
void abort(void);
void *__memcpy_chk(void *dst, const void *src, size_t n, size_t room);
void *__memmove_chk(void *dst, const void *src, size_t n, size_t room);
void *__memset_chk(void *dst, int c, size_t n, size_t room);
void __stack_chk_fail(void);

/* Large buffers come as scattered frames; which of the two it was is told by the size kept in
 * front. */
#define LARGE  (16ul << 10)
#define HEADER 64ul

void *malloc(size_t n)
{
    size_t bytes;
    char *p;

    if (__builtin_add_overflow(n, HEADER, &bytes)) {
        return NULL;
    }
    p = bytes > LARGE ? vzalloc(bytes) : xzalloc_bytes(bytes, HEADER);
    if (!p) {
        return NULL;
    }
    *(size_t *)p = bytes;
    return p + HEADER;
}

void *calloc(size_t n, size_t size)
{
    size_t bytes;

    return __builtin_mul_overflow(n, size, &bytes) ? NULL
                                                   : malloc(bytes); /* both kinds come cleared */
}

void free(void *p)
{
    char *base = (char *)p - HEADER;

    if (!p) {
        return;
    }
    if (*(size_t *)base > LARGE) {
        vfree(base);
    } else {
        xfree(base);
    }
}

void abort(void)
{
    panic("a decompression library gave up");
}

void *__memcpy_chk(void *dst, const void *src, size_t n, size_t room)
{
    BUG_ON(n > room);
    return memcpy(dst, src, n);
}

void *__memmove_chk(void *dst, const void *src, size_t n, size_t room)
{
    BUG_ON(n > room);
    return memmove(dst, src, n);
}

void *__memset_chk(void *dst, int c, size_t n, size_t room)
{
    BUG_ON(n > room);
    return memset(dst, c, n);
}

void __stack_chk_fail(void)
{
    panic("stack overrun in a decompression library");
}

/* zstd's tracing hooks: nobody listens. */
unsigned long long ZSTD_trace_decompress_begin(const void *dctx);
void ZSTD_trace_decompress_end(unsigned long long ctx, const void *trace);

unsigned long long ZSTD_trace_decompress_begin(const void *dctx)
{
    return 0;
}

void ZSTD_trace_decompress_end(unsigned long long ctx, const void *trace)
{
}
