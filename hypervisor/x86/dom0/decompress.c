/*
 * The decompressors, which are the ordinary static libraries: this file alone sees their headers,
 * and libc_shim.c gives them what they need of a C library. Only for unpacking at boot.
 */
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#include <stdint.h>
#include <string.h>

size_t decompress_gzip(const void *in, size_t in_len, void *out, size_t out_len);
size_t decompress_xz(const void *in, size_t in_len, void *out, size_t out_len);
size_t decompress_zstd(const void *in, size_t in_len, void *out, size_t out_len);
size_t decompress_lz4(const void *in, size_t in_len, void *out, size_t out_len);

size_t decompress_gzip(const void *in, size_t in_len, void *out, size_t out_len)
{
    z_stream s = {.next_in = (z_const Bytef *)(uintptr_t)in,
                  .avail_in = (uInt)in_len,
                  .next_out = out,
                  .avail_out = (uInt)out_len};
    int rc;

    if (inflateInit2(&s, 15 + 16) != Z_OK) { /* 32 KiB window, gzip header */
        return 0;
    }
    rc = inflate(&s, Z_FINISH);
    inflateEnd(&s);
    return rc == Z_STREAM_END ? out_len - s.avail_out : 0;
}

size_t decompress_xz(const void *in, size_t in_len, void *out, size_t out_len)
{
    uint64_t memlimit = 256ul << 20;
    size_t in_pos = 0, out_pos = 0;

    if (lzma_stream_buffer_decode(&memlimit, 0, NULL, in, &in_pos, in_len, out, &out_pos,
                                  out_len) != LZMA_OK) {
        return 0;
    }
    return out_pos;
}

size_t decompress_zstd(const void *in, size_t in_len, void *out, size_t out_len)
{
    size_t n = ZSTD_decompress(out, out_len, in, in_len);

    return ZSTD_isError(n) ? 0 : n;
}

/* Linux uses the legacy frame: after the magic, blocks of (32-bit length, data), 8 MiB each
 * unpacked. */
size_t decompress_lz4(const void *in, size_t in_len, void *out, size_t out_len)
{
    const uint8_t *p = in, *end = p + in_len;
    size_t done = 0;

    for (p += 4; end - p >= 4;) {
        size_t room = out_len - done < (8u << 20) ? out_len - done : (8u << 20);
        uint32_t n;
        int got;

        memcpy(&n, p, sizeof(n));
        p += 4;
        if (n == 0 || n > (size_t)(end - p)) {
            return 0;
        }
        got = LZ4_decompress_safe((const char *)p, (char *)out + done, (int)n, (int)room);
        if (got < 0) {
            return 0;
        }
        done += (size_t)got;
        p += n;
    }
    return done;
}
