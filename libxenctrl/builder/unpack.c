/*
 * unpack.c: unpacking kernels with the system's libraries.
 *
 * Read builder.h first. Each format is one function that streams from memory into a sink through a
 * buffer, so that output is limited as it appears and never has to be in memory at once.
 */
#include "libxenctrl/builder/builder.h"
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define CHUNK       (1u << 20)
#define LZ4_BLOCK   (8u << 20) /* unpacked size of a block of the legacy format */
#define LZ4_MAGIC   0x184c2102u
#define LZMA_MEMORY (256ull << 20) /* most that a dictionary may take */

/* Where the output goes. */
struct out {
    xc_sink *sink;
    void *context;
    uint64_t left; /* of the limit */
    uint8_t *buffer;
    char *why;
};

const char *xc_packing_name(enum xc_packing packing)
{
    static const char *const names[] = {
        [XC_PLAIN] = "not packed", [XC_GZIP] = "gzip", [XC_XZ] = "xz",       [XC_LZMA] = "lzma",
        [XC_ZSTD] = "zstd",        [XC_LZ4] = "lz4",   [XC_BZIP2] = "bzip2", [XC_LZO] = "lzo",
    };

    return names[packing];
}

enum xc_packing xc_packing_of(const uint8_t *data, size_t size)
{
    static const struct {
        enum xc_packing packing;
        unsigned int n;
        uint8_t magic[6];
    } magics[] = {
        {XC_GZIP, 2, {0x1f, 0x8b}},
        {XC_XZ, 6, {0xfd, '7', 'z', 'X', 'Z', 0}},
        {XC_ZSTD, 4, {0x28, 0xb5, 0x2f, 0xfd}},
        {XC_LZ4, 4, {0x02, 0x21, 0x4c, 0x18}},
        {XC_BZIP2, 3, {'B', 'Z', 'h'}},
        {XC_LZO, 4, {0x89, 'L', 'Z', 'O'}},
        {XC_LZMA, 3, {0x5d, 0, 0}},
    };

    for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
        if (size >= magics[i].n && memcmp(data, magics[i].magic, magics[i].n) == 0) {
            return magics[i].packing;
        }
    }
    return XC_PLAIN;
}

static int emit(struct out *out, const void *data, size_t n)
{
    if (n > out->left) {
        xc_explain(out->why, XC_WHY_SIZE, "it unpacks to more than it may");
        return -EFBIG;
    }
    out->left -= n;
    return n > 0 ? out->sink(out->context, data, n) : 0;
}

static int damaged(const struct out *out, enum xc_packing packing)
{
    xc_explain(out->why, XC_WHY_SIZE, "its %s data is damaged (copy the file again)",
               xc_packing_name(packing));
    return -ENOEXEC;
}

static int no_memory(const struct out *out)
{
    xc_explain(out->why, XC_WHY_SIZE, "there is no memory left to unpack it");
    return -ENOMEM;
}

static int unpack_gzip(const uint8_t *data, size_t size, struct out *out)
{
    z_stream z = {.next_in = (z_const Bytef *)(uintptr_t)data, .avail_in = (uInt)size};
    int rc = 0, r;

    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) {
        return no_memory(out);
    }
    do {
        z.next_out = out->buffer;
        z.avail_out = CHUNK;
        r = inflate(&z, Z_NO_FLUSH);
        if (r != Z_OK && r != Z_STREAM_END) {
            rc = r == Z_MEM_ERROR ? no_memory(out) : damaged(out, XC_GZIP);
        } else {
            rc = emit(out, out->buffer, CHUNK - z.avail_out);
        }
    } while (rc == 0 && r != Z_STREAM_END);
    (void)inflateEnd(&z);
    return rc;
}

/* xz and the older lzma differ in how the stream begins only. */
static int unpack_lzma(enum xc_packing packing, const uint8_t *data, size_t size, struct out *out)
{
    lzma_stream s = LZMA_STREAM_INIT;
    lzma_ret r = packing == XC_XZ ? lzma_stream_decoder(&s, LZMA_MEMORY, 0)
                                  : lzma_alone_decoder(&s, LZMA_MEMORY);
    int rc = 0;

    if (r != LZMA_OK) {
        return no_memory(out);
    }
    s.next_in = data;
    s.avail_in = size;
    do {
        s.next_out = out->buffer;
        s.avail_out = CHUNK;
        r = lzma_code(&s, LZMA_RUN);
        if (r == LZMA_MEM_ERROR || r == LZMA_MEMLIMIT_ERROR) {
            rc = no_memory(out);
        } else if (r != LZMA_OK && r != LZMA_STREAM_END) {
            rc = damaged(out, packing);
        } else {
            rc = emit(out, out->buffer, CHUNK - s.avail_out);
        }
    } while (rc == 0 && r != LZMA_STREAM_END);
    lzma_end(&s);
    return rc;
}

static int unpack_zstd(const uint8_t *data, size_t size, struct out *out)
{
    ZSTD_DCtx *z = ZSTD_createDCtx();
    ZSTD_inBuffer in = {data, size, 0};
    int rc = 0;
    size_t r;

    if (z == NULL) {
        return no_memory(out);
    }
    do {
        ZSTD_outBuffer to = {out->buffer, CHUNK, 0};
        size_t before = in.pos;

        r = ZSTD_decompressStream(z, &to, &in);
        if (ZSTD_isError(r) || (r != 0 && to.pos == 0 && in.pos == before)) {
            rc = damaged(out, XC_ZSTD);
        } else {
            rc = emit(out, out->buffer, to.pos);
        }
    } while (rc == 0 && r != 0);
    (void)ZSTD_freeDCtx(z);
    return rc;
}

static int unpack_lz4(const uint8_t *data, size_t size, struct out *out)
{
    uint8_t *block = malloc(LZ4_BLOCK);
    bool any = false;
    int rc = 0;

    if (block == NULL) {
        return no_memory(out);
    }
    while (rc == 0 && size >= 4) {
        uint32_t packed = xc_le32(data);
        int n;

        data += 4;
        size -= 4;
        if (packed == LZ4_MAGIC) {
            continue;
        }
        if (packed == 0 || packed > size || packed > (uint32_t)LZ4_COMPRESSBOUND(LZ4_BLOCK)) {
            rc = damaged(out, XC_LZ4);
            break;
        }
        any = true;
        n = LZ4_decompress_safe((const char *)data, (char *)block, (int)packed, LZ4_BLOCK);
        rc = n < 0 ? damaged(out, XC_LZ4) : emit(out, block, (size_t)n);
        data += packed;
        size -= packed;
    }
    free(block);
    return rc == 0 && (size > 0 || !any) ? damaged(out, XC_LZ4) : rc;
}

static int unpack_known(enum xc_packing packing, const uint8_t *data, size_t size, struct out *out)
{
    switch (packing) {
    case XC_GZIP:
        return unpack_gzip(data, size, out);
    case XC_XZ:
    case XC_LZMA:
        return unpack_lzma(packing, data, size, out);
    case XC_ZSTD:
        return unpack_zstd(data, size, out);
    case XC_LZ4:
        return unpack_lz4(data, size, out);
    case XC_PLAIN:
        return emit(out, data, size);
    case XC_BZIP2:
    case XC_LZO:
    default:
        xc_explain(out->why, XC_WHY_SIZE,
                   "it is packed with %s, which isn't supported: use a kernel that is packed with "
                   "gzip, xz, lzma, zstd or lz4",
                   xc_packing_name(packing));
        return -ENOEXEC;
    }
}

int xc_unpack(enum xc_packing packing, const uint8_t *data, size_t size, uint64_t limit,
              xc_sink *sink, void *context, char *why)
{
    struct out out = {sink, context, limit, NULL, why};
    int rc;

    if (size > XC_MOST_KERNEL) {
        xc_explain(why, XC_WHY_SIZE, "it is too large for a kernel");
        return -EFBIG;
    }
    out.buffer = malloc(CHUNK);
    if (out.buffer == NULL) {
        return no_memory(&out);
    }
    rc = unpack_known(packing, data, size, &out);
    free(out.buffer);
    return rc;
}
