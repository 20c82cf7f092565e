/*
 * Frames. Contract: frame.h.
 */
#include "tests/unit/network/frame.h"

#include "network/address.h"
#include "network/link.h"

#include <assert.h>
#include <string.h>

static void put(struct frame *f, const void *bytes, size_t size)
{
    memcpy(f->byte + f->size, bytes, size);
    f->size += size;
}

static void put_mac(struct frame *f, const char *text)
{
    struct mac mac;

    assert(mac_parse(text, &mac));
    put(f, mac.byte, 6);
}

static void put_address(struct frame *f, const char *text)
{
    struct address a;

    assert(address_parse(text, &a));
    put(f, a.byte, address_bits(&a) / 8);
}

struct frame frame_ethernet(const char *from, uint16_t type)
{
    struct frame f = {.size = 0};

    put_mac(&f, "ff:ff:ff:ff:ff:ff");
    put_mac(&f, from);
    put(&f, (uint8_t[]){type >> 8, type & 0xff}, 2);
    return f;
}

struct frame frame_arp(const char *from, const char *sender_mac, const char *sender)
{
    struct frame f = frame_ethernet(from, 0x0806);

    put(&f, (uint8_t[]){0, 1, 8, 0, 6, 4, 0, 2}, 8);
    put_mac(&f, sender_mac);
    put_address(&f, sender);
    put_mac(&f, "00:00:00:00:00:00");
    put_address(&f, "192.0.2.9");
    return f;
}

/* The checksum of a header at `at`, into its field; a bridge may look at it. */
static void put_checksum(struct frame *f, size_t at, size_t size, size_t field)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < size; i += 2) {
        sum += (uint32_t)f->byte[at + i] << 8 | f->byte[at + i + 1];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    f->byte[at + field] = (uint8_t)(sum >> 8);
    f->byte[at + field + 1] = (uint8_t)sum;
}

struct frame frame_udp4(const char *from, const char *source, uint16_t sport, uint16_t dport)
{
    struct frame f = frame_ethernet(from, 0x0800);

    put(&f, (uint8_t[]){0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0}, 12);
    put_address(&f, source);
    put_address(&f, "192.0.2.9");
    put_checksum(&f, 14, 20, 10);
    put(&f,
        (uint8_t[]){sport >> 8, sport & 0xff, dport >> 8, dport & 0xff, 0, 12, 0, 0, 1, 2, 3, 4},
        12);
    return f;
}

/* The same packet behind a VLAN tag. */
struct frame frame_tagged(const char *from, const char *source)
{
    struct frame plain = frame_udp4(from, source, 1000, 1000), f = frame_ethernet(from, 0x8100);

    put(&f, (uint8_t[]){0, 5}, 2);
    put(&f, plain.byte + 12, plain.size - 12);
    return f;
}

/* ICMPv6: a type, and for neighbour discovery a target and one option (a MAC; NULL: none). */
struct frame frame_icmp6(const char *from, const char *source, uint8_t type, const char *target,
                         uint8_t option, const char *mac)
{
    struct frame f = frame_ethernet(from, 0x86dd);
    uint8_t size = mac ? 32 : 24;

    put(&f, (uint8_t[]){0x60, 0, 0, 0, 0, size, 58, 255}, 8);
    put_address(&f, source);
    put_address(&f, "ff02::1");
    put(&f, (uint8_t[]){type, 0, 0, 0, 0, 0, 0, 0}, 8);
    put_address(&f, target);
    if (mac != NULL) {
        put(&f, (uint8_t[]){option, 1}, 2);
        put_mac(&f, mac);
    }
    return f;
}
