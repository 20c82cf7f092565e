/*
 * bzimage.c: finding the packed kernel in a Linux bzImage.
 *
 * Read builder.h first. The header is that of Linux's boot protocol 2.08 ("The Linux/x86 Boot
 * Protocol"): payload_offset and payload_length name the packed ELF file. Its last four bytes are
 * the unpacked size.
 */
#include "libxenctrl/builder/builder.h"

/* Offsets in the file. */
enum {
    SETUP_SECTS = 0x1f1,
    MAGIC = 0x202,
    VERSION = 0x206,
    PAYLOAD_OFFSET = 0x248,
    PAYLOAD_LENGTH = 0x24c,
    HEADER_END = 0x250,
};

static int refuse(char *why, const char *text)
{
    xc_explain(why, XC_WHY_SIZE, "%s", text);
    return -ENOEXEC;
}

bool xc_is_bzimage(const uint8_t *data, size_t size)
{
    return size >= HEADER_END && memcmp(data + MAGIC, "HdrS", 4) == 0;
}

int xc_bzimage_payload(const uint8_t *data, size_t size, struct xc_payload *payload, char *why)
{
    uint64_t offset, length;

    if (!xc_is_bzimage(data, size)) {
        return refuse(why, "it is no bzImage");
    }
    if ((data[VERSION] | data[VERSION + 1] << 8) < 0x208) {
        return refuse(why,
                      "it is a Linux kernel older than 2.6.24, whose bzImage can't be unpacked");
    }
    offset = (data[SETUP_SECTS] + 1) * 512ull + xc_le32(data + PAYLOAD_OFFSET);
    length = xc_le32(data + PAYLOAD_LENGTH);
    if (offset > size || length > size - offset) {
        return refuse(why, "it is damaged: the packed kernel lies outside the file (was it "
                           "truncated?)");
    }
    if (length < 16) {
        return refuse(why, "it is damaged: there is no packed kernel in it");
    }
    *payload = (struct xc_payload){
        .packing = xc_packing_of(data + offset, length),
        .offset = offset,
        .size = length,
        .unpacked = xc_le32(data + offset + length - 4),
    };
    if (payload->packing == XC_PLAIN) {
        payload->unpacked = length;
    } else if (payload->packing == XC_LZ4) {
        payload->size -= 4; /* its frames have no end of their own */
    }
    return 0;
}
