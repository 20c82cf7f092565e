/*
 * Questions on the wire. Contract: probe_packet.h. Formats: RFC 826 (ARP), RFC 4861 (neighbour
 * discovery), RFC 792 and RFC 4443 (echo).
 */
#include "network/probe_packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct arp {
    uint16_t hardware, protocol;
    uint8_t hardware_size, protocol_size;
    uint16_t operation; /* 1 asks, 2 answers */
    uint8_t sender_mac[6], sender[4], target_mac[6], target[4];
} __attribute__((packed));

_Static_assert(sizeof(struct arp) == 28, "RFC 826");

/* A neighbour solicitation with the sender's MAC. */
struct solicitation {
    struct ip6_hdr ip;
    struct nd_neighbor_solicit body;
    uint8_t option, option_size; /* 1: source's link-layer address; in units of 8 bytes */
    uint8_t mac[6];
} __attribute__((packed));

_Static_assert(sizeof(struct solicitation) == 40 + 24 + 8, "RFC 4861");

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Read until `matches` likes a packet or the time is over. */
static bool await(int fd, int wait_ms, bool (*matches)(const uint8_t *, size_t, const void *),
                  const void *arg)
{
    long end = now_ms() + wait_ms, left;
    uint8_t packet[2048];

    while ((left = end - now_ms()) > 0) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};

        if (poll(&wait, 1, (int)left) > 0) {
            ssize_t n = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);

            if (n > 0 && matches(packet, (size_t)n, arg)) {
                return true;
            }
            if (n < 0 && errno != EAGAIN && errno != EINTR) {
                return false; /* the link went down */
            }
        }
    }
    return false;
}

static bool is_arp_answer(const uint8_t *packet, size_t size, const void *arg)
{
    const struct address *whom = arg;
    struct arp arp;

    if (size < sizeof(arp)) {
        return false;
    }
    memcpy(&arp, packet, sizeof(arp));
    return ntohs(arp.operation) == 2 && memcmp(arp.sender, whom->byte, 4) == 0;
}

static bool is_advertisement(const uint8_t *packet, size_t size, const void *arg)
{
    const struct address *whom = arg;
    struct {
        struct ip6_hdr ip;
        struct nd_neighbor_advert body;
    } answer;

    if (size < sizeof(answer)) {
        return false;
    }
    memcpy(&answer, packet, sizeof(answer));
    return answer.ip.ip6_nxt == IPPROTO_ICMPV6 &&
           answer.body.nd_na_hdr.icmp6_type == ND_NEIGHBOR_ADVERT &&
           memcmp(&answer.body.nd_na_target, whom->byte, 16) == 0;
}

static uint32_t add_up(const void *data, size_t size, uint32_t sum)
{
    const uint8_t *byte = data;

    for (size_t i = 0; i + 1 < size; i += 2) {
        sum += (uint32_t)byte[i] << 8 | byte[i + 1];
    }
    return sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return htons((uint16_t)~sum);
}

static void fill_arp(struct arp *arp, const struct link *link, const struct address *from,
                     const struct address *whom)
{
    *arp = (struct arp){.hardware = htons(1),
                        .protocol = htons(ETH_P_IP),
                        .hardware_size = 6,
                        .protocol_size = 4,
                        .operation = htons(1)};
    memcpy(arp->sender_mac, link->mac.byte, 6);
    memcpy(arp->sender, from->byte, 4);
    memcpy(arp->target, whom->byte, 4);
}

static void fill_solicitation(struct solicitation *s, const struct link *link,
                              const struct address *from, const struct address *whom)
{
    static const uint8_t group[13] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
    const size_t body = sizeof(*s) - sizeof(s->ip);
    uint32_t sum;

    memset(s, 0, sizeof(*s));
    s->ip.ip6_flow = htonl(6u << 28);
    s->ip.ip6_plen = htons((uint16_t)body);
    s->ip.ip6_nxt = IPPROTO_ICMPV6;
    s->ip.ip6_hlim = 255;
    memcpy(&s->ip.ip6_src, from->byte, 16);
    memcpy(&s->ip.ip6_dst, group, sizeof(group));
    memcpy(s->ip.ip6_dst.s6_addr + 13, whom->byte + 13, 3);
    s->body.nd_ns_hdr.icmp6_type = ND_NEIGHBOR_SOLICIT;
    memcpy(&s->body.nd_ns_target, whom->byte, 16);
    s->option = 1;
    s->option_size = 1;
    memcpy(s->mac, link->mac.byte, 6);
    sum = add_up(s->ip.ip6_src.s6_addr, 32, (uint32_t)body + IPPROTO_ICMPV6);
    s->body.nd_ns_hdr.icmp6_cksum = fold(add_up((const uint8_t *)s + sizeof(s->ip), body, sum));
}

bool packet_ask(const struct link *link, const struct address *from, const struct address *whom,
                int wait_ms)
{
    bool six = whom->family == AF_INET6;
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(six ? ETH_P_IPV6 : ETH_P_ARP),
                             .sll_ifindex = link->index,
                             .sll_halen = 6};
    struct solicitation solicitation;
    struct arp arp;
    const void *packet = six ? (const void *)&solicitation : (const void *)&arp;
    size_t size = six ? sizeof(solicitation) : sizeof(arp);
    bool answered = false;
    int fd;

    if (from->family != whom->family) {
        return false;
    }
    fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, to.sll_protocol);
    if (fd < 0) {
        return false;
    }
    if (six) {
        fill_solicitation(&solicitation, link, from, whom);
        memcpy(to.sll_addr, "\x33\x33\xff", 3);
        memcpy(to.sll_addr + 3, whom->byte + 13, 3);
    } else {
        fill_arp(&arp, link, from, whom);
        memset(to.sll_addr, 0xff, 6);
    }
    if (bind(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
        sendto(fd, packet, size, 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)size) {
        answered = await(fd, wait_ms, six ? is_advertisement : is_arp_answer, whom);
    }
    close(fd);
    return answered;
}

/* What tells our echoes from those of others. */
struct echo {
    uint8_t type, code;
    uint16_t sum, id, number;
    uint8_t data[8];
};

struct echo_wanted {
    uint8_t type;
    uint16_t id;
    bool six;
};

static bool is_echo_reply(const uint8_t *packet, size_t size, const void *arg)
{
    const struct echo_wanted *wanted = arg;
    size_t skip = wanted->six || size == 0 ? 0 : (size_t)(packet[0] & 15) * 4;
    struct echo echo;

    if (size < skip + sizeof(echo)) {
        return false;
    }
    memcpy(&echo, packet + skip, sizeof(echo));
    return echo.type == wanted->type && echo.id == wanted->id;
}

bool packet_ping(const struct address *whom, int wait_ms)
{
    bool six = whom->family == AF_INET6, answered = false;
    struct sockaddr_in to4 = {.sin_family = AF_INET};
    struct sockaddr_in6 to6 = {.sin6_family = AF_INET6};
    const struct sockaddr *to = six ? (struct sockaddr *)&to6 : (struct sockaddr *)&to4;
    socklen_t to_size = six ? sizeof(to6) : sizeof(to4);
    struct echo echo = {.type = six ? ICMP6_ECHO_REQUEST : ICMP_ECHO, .id = (uint16_t)getpid()};
    struct echo_wanted wanted = {six ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY, echo.id, six};
    int fd = socket(whom->family, SOCK_RAW | SOCK_CLOEXEC, six ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

    if (fd < 0) {
        return false;
    }
    memcpy(&to4.sin_addr, whom->byte, 4);
    memcpy(&to6.sin6_addr, whom->byte, 16);
    if (!six) { /* the kernel adds up ICMPv6 itself */
        echo.sum = fold(add_up(&echo, sizeof(echo), 0));
    }
    if (connect(fd, to, to_size) == 0 && send(fd, &echo, sizeof(echo), 0) == sizeof(echo)) {
        answered = await(fd, wait_ms, is_echo_reply, &wanted);
    }
    close(fd);
    return answered;
}
