/*
 * Network modes on a real kernel, in network namespaces: a guest reaches what it should and nothing
 * that it should not, what it forges is stopped, and its end leaves no route, rule or lease.
 *
 * The machine: eth0 with 192.0.2.1/24 and 2001:db8::1/64 and, on its wire, a host "outside" with
 * .9 and ::9. In bridge mode eth0 is a port of xenbr0, which then has the addresses.
 */
#include "network/bridge.h"
#include "network/dnsmasq.h"
#include "network/filter.h"
#include "network/forwarding.h"
#include "network/host_modes.h"
#include "network/mode.h"
#include "network/nat.h"
#include "network/nft.h"
#include "network/route.h"
#include "network/script.h"
#include "tests/unit/network/frame.h"
#include "tests/unit/network/guest.h"
#include "tests/unit/network/space.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAC1 "00:16:3e:00:00:01"
#define MAC2 "00:16:3e:00:00:02"

static char folder[] = "/tmp/hospes-modes.XXXXXX";
static struct guest outside, one, two;

/* A card with options as a configuration has them; card_end() frees it. */
static struct net_card *card_new(int domid, const char *domain, const char *options)
{
    struct vif_spec *vif = xalloc(sizeof(*vif));
    struct net_card *card = xalloc(sizeof(*card));
    struct error err = {0};

    if (vif_parse(options, vif, &err) != 0) {
        print_error("%s\n", err.msg);
        assert_true(false);
    }
    *card = (struct net_card){.domid = domid, .id = 0, .domain = domain, .vif = vif};
    return card;
}

static void card_end(struct net_card *card)
{
    struct vif_spec *vif = (struct vif_spec *)(uintptr_t)card->vif;

    vif_finish(vif);
    free(vif);
    free(card);
}

static void online(struct net_card *card)
{
    struct error err = {0};
    int rc = net_check(card, &err);

    rc = rc ? rc : net_online(card, &err);
    if (rc != 0) {
        print_error("%s\n", err.msg);
    }
    assert_int_equal(rc, 0);
}

/* It is refused, with these words in the sentence. */
static void refused(int domid, const char *options, const char *words)
{
    struct net_card *card = card_new(domid, "x", options);
    struct error err = {0};

    assert_true(net_check(card, &err) < 0);
    if (strstr(err.msg, words) == NULL) {
        print_error("\"%s\" has not \"%s\"\n", err.msg, words);
    }
    assert_non_null(strstr(err.msg, words));
    card_end(card);
}

static void offline(struct net_card *card)
{
    net_offline(card);
    card_end(card);
}

/* --- the machine ---------------------------------------------------------------------------- */

static void addresses_on(const char *ifname)
{
    shell_ok(NULL, "ip addr add 192.0.2.1/24 dev %s && ip -6 addr add 2001:db8::1/64 dev %s nodad",
             ifname, ifname);
}

static int start(void **state)
{
    guest_start(&outside);
    guest_start(&one);
    guest_start(&two);
    shell_ok(NULL, "ip link add eth0 type veth peer name tmp0 && ip link set tmp0 netns %d",
             outside.pid);
    shell_ok(&outside, "ip link set tmp0 name eth0 && ip addr add 192.0.2.9/24 dev eth0 && ip link "
                       "set eth0 up && ip -6 addr add 2001:db8::9/64 dev eth0 nodad");
    shell_ok(NULL, "ip link set eth0 up");
    guest_card(&one, "vif1.0", MAC1);
    guest_card(&two, "vif2.0", MAC2);
    return 0;
}

static int start_bridge(void **state)
{
    start(state);
    shell_ok(NULL, "ip link add xenbr0 type bridge forward_delay 0 && ip link set xenbr0 up && ip "
                   "link set eth0 master xenbr0");
    addresses_on("xenbr0");
    return 0;
}

static int start_routed(void **state)
{
    start(state);
    addresses_on("eth0");
    shell_ok(NULL, "sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 "
                   "net.ipv6.conf.eth0.proxy_ndp=0 net.ipv6.conf.eth0.accept_ra=1");
    return 0;
}

/* The machine is taken apart whatever the test did. Nothing of ours may have been left. */
static int end(void **state)
{
    char *rules = nft_ask("list ruleset"), left[2048];

    snprintf(left, sizeof(left), "%s", rules);
    free(rules);
    guest_end(&one);
    guest_end(&two);
    guest_end(&outside);
    dnsmasq_stop();
    shell(NULL, "nft flush ruleset; for i in eth0 xenbr0 virbr0 vif1.0 vif2.0 web web2; do ip link "
                "del $i; done 2>/dev/null; sysctl -qw net.ipv4.ip_forward=0 "
                "net.ipv6.conf.all.forwarding=0");
    assert_string_equal(left, "");
    return 0;
}

/* --- bridge mode ---------------------------------------------------------------------------- */

/* Without guards everything passes. What a guest with MAC1, 192.0.2.5 and 2001:db8::5 may send, and
 * what not. */
static void check_frames(bool guarded)
{
    const char *local = "fe80::216:3eff:fe00:1", *mine = "2001:db8::5";
    const struct {
        const char *what;
        bool passes;
        struct frame frame;
    } rows[] = {
        {"its own packet", true, frame_udp4(MAC1, "192.0.2.5", 1000, 1000)},
        {"another MAC", false, frame_udp4(MAC2, "192.0.2.5", 1000, 1000)},
        {"another address", false, frame_udp4(MAC1, "192.0.2.6", 1000, 1000)},
        {"no address", false, frame_udp4(MAC1, "0.0.0.0", 1000, 1000)},
        {"a question to DHCP", true, frame_udp4(MAC1, "0.0.0.0", 68, 67)},
        {"an answer of DHCP", false, frame_udp4(MAC1, "192.0.2.5", 67, 68)},
        {"another address behind a VLAN tag", false, frame_tagged(MAC1, "192.0.2.6")},
        {"its own ARP", true, frame_arp(MAC1, MAC1, "192.0.2.5")},
        {"ARP probe", true, frame_arp(MAC1, MAC1, "0.0.0.0")},
        {"ARP for another address", false, frame_arp(MAC1, MAC1, "192.0.2.1")},
        {"ARP with another MAC inside", false, frame_arp(MAC1, MAC2, "192.0.2.5")},
        {"its own advertisement", true, frame_icmp6(MAC1, mine, 136, mine, 2, MAC1)},
        {"advertisement without MAC", true, frame_icmp6(MAC1, mine, 136, mine, 0, NULL)},
        {"advertisement of its link-local address", true,
         frame_icmp6(MAC1, local, 136, local, 2, MAC1)},
        {"advertisement of another", false, frame_icmp6(MAC1, mine, 136, "2001:db8::1", 2, MAC1)},
        {"advertisement with another MAC", false, frame_icmp6(MAC1, mine, 136, mine, 2, MAC2)},
        {"its own solicitation", true, frame_icmp6(MAC1, mine, 135, "2001:db8::9", 1, MAC1)},
        {"solicitation with another MAC", false,
         frame_icmp6(MAC1, mine, 135, "2001:db8::9", 1, MAC2)},
        {"asks whether its address is free", true, frame_icmp6(MAC1, "::", 135, mine, 0, NULL)},
        {"claims another address", false, frame_icmp6(MAC1, "::", 135, "2001:db8::9", 0, NULL)},
        {"another IPv6 address", false, frame_icmp6(MAC1, "2001:db8::6", 128, mine, 0, NULL)},
        {"another link-local address", false, frame_icmp6(MAC1, "fe80::1", 128, mine, 0, NULL)},
        {"router advertisement", false, frame_icmp6(MAC1, local, 134, mine, 0, NULL)},
        {"redirect", false, frame_icmp6(MAC1, local, 137, mine, 0, NULL)},
        {"another protocol", false, frame_ethernet(MAC1, 0x88cc)},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct frame *f = &rows[i].frame;

        if (frame_arrives(&one, f->byte, f->size, &outside, "eth0") !=
            (rows[i].passes || !guarded)) {
            print_error("%s: %s\n", rows[i].what,
                        rows[i].passes || !guarded ? "stopped" : "passed");
            assert_true(false);
        }
    }
}

static void test_bridge(void **state)
{
    struct net_card *a = card_new(1, "a", "mac=" MAC1), *b = card_new(2, "b", "mac=" MAC2);

    online(a);
    online(b);
    shell_ok(&one, "ip addr add 192.0.2.5/24 dev eth0");
    shell_ok(&two, "ip addr add 192.0.2.6/24 dev eth0");
    assert_true(pings(&one, "192.0.2.9"));
    assert_true(pings(&one, "192.0.2.6"));
    assert_true(pings(&one, "192.0.2.1"));
    assert_true(pings(&outside, "192.0.2.5"));
    assert_true(prints("ip link show vif1.0", "fe:ff:ff:ff:ff:ff"));
    assert_true(prints("ip link show vif1.0", "NOARP"));
    assert_true(prints("ip link show vif1.0", "master xenbr0"));
    check_frames(false);
    offline(a);
    offline(b);
}

static void test_antispoof(void **state)
{
    struct net_card *a =
        card_new(1, "a", "mac=" MAC1 ",antispoof=on,ip=192.0.2.5 2001:db8::5 10.7.0.0/16");

    online(a);
    shell_ok(&one, "ip addr add 192.0.2.5/24 dev eth0 && ip -6 addr add 2001:db8::5/64 dev eth0");
    assert_true(pings(&one, "192.0.2.9"));
    assert_true(shell_soon(&one, "busybox ping -c1 -W1 2001:db8::9 >/dev/null 2>&1"));
    check_frames(true);
    shell_ok(&one, "ip addr add 192.0.2.77/24 dev eth0");
    assert_false(shell(&one, "busybox ping -c1 -W1 -I 192.0.2.77 192.0.2.9 >/dev/null 2>&1"));
    shell_ok(&one, "ip link set eth0 address 00:16:3e:99:99:99");
    assert_false(pings(&one, "192.0.2.9"));
    offline(a);
}

/* Only what the words say. */
static void test_antispoof_words(void **state)
{
    struct net_card *a = card_new(1, "a", "mac=" MAC1 ",antispoof=mac ra");
    struct frame f = frame_udp4(MAC2, "192.0.2.5", 1, 1),
                 g = frame_udp4(MAC1, "198.51.100.1", 1, 1);
    struct frame h = frame_icmp6(MAC1, "fe80::1", 134, "::1", 0, NULL);

    online(a);
    assert_false(frame_arrives(&one, f.byte, f.size, &outside, "eth0"));
    assert_true(frame_arrives(&one, g.byte, g.size, &outside, "eth0"));
    assert_false(frame_arrives(&one, h.byte, h.size, &outside, "eth0"));
    offline(a);
}

static void test_names(void **state)
{
    struct net_card *a = card_new(1, "web", "mac=" MAC1 ",vifname=%n,antispoof=on,ip=192.0.2.5");
    struct error err = {0};

    online(a);
    shell_ok(&one, "ip addr add 192.0.2.5/24 dev eth0");
    assert_true(has_link("web"));
    assert_false(has_link("vif1.0"));
    assert_true(pings(&one, "192.0.2.9"));
    assert_int_equal(net_rename(a, "web2", &err), 0);
    a->domain = "web2";
    assert_true(has_link("web2"));
    assert_true(shell_soon(&one, "busybox ping -c1 -W1 192.0.2.9 >/dev/null 2>&1"));
    shell_ok(&one, "ip link set eth0 address 00:16:3e:99:99:99");
    assert_false(pings(&one, "192.0.2.9")); /* the guards have gone with it */
    offline(a);
    refused(3, "mac=" MAC1 ",vifname=%q", "%n");
    refused(3, "mac=" MAC1 ",vifname=much-too-long-a-name-%d", "shorten");
}

static void test_sweep(void **state)
{
    struct net_card *a = card_new(1, "a", "mac=" MAC1 ",antispoof=on");
    char *rules;

    online(a);
    filter_sweep(); /* the interface is there: nothing happens */
    rules = nft_ask("list ruleset");
    assert_non_null(strstr(rules, "on-vif1.0"));
    free(rules);
    shell_ok(NULL, "ip link del vif1.0");
    filter_sweep(); /* end() looks whether they are gone */
    card_end(a);
}

static void test_bridge_refusals(void **state)
{
    refused(3, "mac=" MAC1 ",bridge=nobr", "There is no bridge nobr");
    refused(3, "mac=" MAC1 ",bridge=eth0", "is no bridge");
    refused(3, "mac=" MAC1 ",antispoof=ip", "needs the guest's addresses");
    refused(3, "mac=" MAC1 ",forward=tcp:1:1", "Only a network card in NAT mode");
}

/* --- route mode ----------------------------------------------------------------------------- */

static bool settings_are(const char *values)
{
    return prints("sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding "
                  "net.ipv6.conf.eth0.proxy_ndp net.ipv6.conf.eth0.accept_ra | tr -d '\\n'",
                  values);
}

static void test_route(void **state)
{
    struct net_card *a = card_new(1, "a", "mac=" MAC1 ",script=vif-route,ip=192.0.2.5 2001:db8::5");
    struct net_card *b = card_new(2, "b", "mac=" MAC2 ",script=vif-route,ip=192.0.2.6");
    struct error err = {0};

    online(a);
    online(b);
    /* The first guest believes to be on the wire, the second knows its router. */
    shell_ok(&one, "ip addr add 192.0.2.5/24 dev eth0 && ip -6 addr add 2001:db8::5/128 dev eth0 "
                   "nodad && ip -6 route add default via fe80::fcff:ffff:feff:ffff dev eth0");
    shell_ok(&two, "ip addr add 192.0.2.6/32 dev eth0 && ip route add 192.0.2.1 dev eth0 && ip "
                   "route add default via 192.0.2.1");
    assert_true(prints("ip -4 addr show vif1.0", "192.0.2.1/32"));
    assert_true(prints("ip route", "192.0.2.5 dev vif1.0"));
    assert_true(pings(&one, "192.0.2.1"));
    assert_true(pings(&one, "192.0.2.9"));
    assert_true(pings(&two, "192.0.2.9"));
    assert_true(pings(&one, "192.0.2.6"));
    assert_true(pings(&outside, "192.0.2.5"));
    assert_true(shell_soon(&one, "busybox ping -c1 -W1 2001:db8::9 >/dev/null 2>&1"));
    assert_true(shell_soon(&outside, "busybox ping -c1 -W1 2001:db8::5 >/dev/null 2>&1"));
    shell_ok(&one, "ip addr add 192.0.2.77/24 dev eth0");
    assert_false(shell(&one, "busybox ping -c1 -W1 -I 192.0.2.77 192.0.2.9 >/dev/null 2>&1"));
    refused(3, "mac=" MAC1 ",script=vif-route", "needs the guest's addresses");
    refused(3, "mac=" MAC1 ",script=vif-route,ip=10.0.0.1,bridge=xenbr0", "on no bridge");
    offline(a);
    assert_false(prints("ip route; ip -6 route", "vif1.0"));
    assert_false(prints("ip route", "192.0.2.5"));
    assert_false(prints("ip neigh show proxy; ip -6 neigh show proxy", "192.0.2.5"));
    assert_false(prints("ip -6 neigh show proxy", "2001:db8::5"));
    assert_true(pings(&two, "192.0.2.9"));
    assert_false(pings(&outside, "192.0.2.5"));
    offline(b);
    assert_true(settings_are("1112"));
    assert_int_equal(forwarding_release("route", &err), 0);
    assert_true(settings_are("0001"));
}

static void test_forwarding(void **state)
{
    struct error err = {0};

    assert_true(settings_are("0001"));
    assert_int_equal(forwarding_need("route", AF_INET6, "eth0", &err), 0);
    assert_true(settings_are("0112"));
    assert_int_equal(forwarding_need("route", AF_INET, "eth0", &err), 0);
    assert_int_equal(forwarding_need("nat", AF_INET, NULL, &err), 0);
    assert_true(settings_are("1112"));
    assert_int_equal(forwarding_release("route", &err), 0);
    assert_true(settings_are("1112")); /* NAT mode still needs it */
    assert_int_equal(forwarding_release("route", &err), 0);
    assert_int_equal(forwarding_release("nat", &err), 0);
    assert_true(settings_are("0001"));
}

/* --- NAT mode ------------------------------------------------------------------------------- */

static int start_nat(void **state)
{
    char script[128];
    FILE *out;

    start(state);
    addresses_on("eth0");
    shell_ok(NULL, "sysctl -qw net.ipv4.ip_forward=0");
    snprintf(script, sizeof(script), "%s/dhcp", folder);
    out = fopen(script, "w");
    fprintf(out,
            "#!/bin/sh\n[ $1 = bound ] || exit 0\nip addr add $ip/$mask dev $interface\nip "
            "route add default via $router\necho $dns > %s/dns\n",
            folder);
    fclose(out);
    chmod(script, 0755);
    return 0;
}

static bool has_lease(struct guest *g, const struct net_card *card)
{
    char address[128];

    snprintf(address, sizeof(address), "ip -4 addr show eth0 | grep -q 'inet %s/24'",
             card->address);
    return shell(g, "busybox udhcpc -i eth0 -n -q -f -t 5 -T 1 -s %s/dhcp >/dev/null 2>&1",
                 folder) &&
           shell(g, "%s", address);
}

static void check_nat_reach(struct net_card *a, struct net_card *b)
{
    int server = serve(&one, 80, "from one"), there = serve(&outside, 80, "from outside");

    assert_true(pings(&one, "192.168.122.1"));
    assert_true(pings(&one, b->address));
    assert_true(pings(&one, "192.0.2.9"));
    assert_true(fetches(&two, "192.0.2.9", 80, "from outside"));
    assert_true(fetches(&outside, "192.0.2.1", 8080, "from one"));
    assert_true(fetches(&two, "192.0.2.1", 8080, "from one")); /* by the way of Domain 0 */
    assert_true(fetches(NULL, "192.0.2.1", 8080, "from one"));
    assert_true(fetches(&two, a->address, 80, "from one"));
    /* From outside nothing else leads in, not even for who knows the way. */
    shell_ok(&outside, "ip route add 192.168.122.0/24 via 192.0.2.1");
    assert_false(pings(&outside, a->address));
    assert_false(fetches(&outside, a->address, 80, "from one"));
    assert_true(shell(&two, "busybox nslookup one.  192.168.122.1 | grep -q %s", a->address));
    /* Another address than its lease is stopped. */
    shell_ok(&two, "ip addr add 192.168.122.77/24 dev eth0");
    assert_false(
        shell(&two, "busybox ping -c1 -W1 -I 192.168.122.77 %s >/dev/null 2>&1", a->address));
    serve_end(server);
    serve_end(there);
}

static void check_nat_refusals(const struct net_card *a)
{
    char options[128];

    snprintf(options, sizeof(options), "mac=00:16:3e:00:00:03,script=vif-nat,ip=%s", a->address);
    refused(3, options, "is one's");
    refused(3, "mac=00:16:3e:00:00:03,script=vif-nat,ip=10.0.0.1", "one address of Domain 0's");
    refused(3, "mac=00:16:3e:00:00:03,script=vif-nat,ip=192.168.122.1", "one address of");
    refused(3, "mac=00:16:3e:00:00:03,script=vif-nat,forward=tcp:8080:1", "leads to one already");
    refused(3, "mac=00:16:3e:00:00:03,script=vif-nat,bridge=xenbr0", "NAT mode is on virbr0");
    {
        int server = serve(NULL, 2222, "ssh");

        refused(3, "mac=00:16:3e:00:00:03,script=vif-nat,forward=tcp:2222:22", "cut off");
        serve_end(server);
    }
}

/* A server that dies comes back; a new xend finds it. */
static void check_nat_server(struct net_card *a)
{
    int pid = dnsmasq_pid(), now = pid;

    assert_true(pid > 0);
    kill(pid, SIGKILL);
    for (int i = 0; (now == 0 || now == pid) && i < 100; i++) {
        usleep(100000);
        now = dnsmasq_pid();
    }
    assert_true(now > 0 && now != pid);
    shell_ok(&one, "ip addr flush dev eth0");
    assert_true(has_lease(&one, a));
    nat_adopt(a);
    nat_ready();
    assert_true(fetches(NULL, "127.0.0.1", 8080, "") == false);
}

static void test_nat(void **state)
{
    struct net_card *a = card_new(1, "one", "mac=" MAC1 ",script=vif-nat,forward=tcp:8080:80");
    struct net_card *b =
        card_new(2, "two", "mac=" MAC2 ",script=/etc/xen/scripts/vif-nat,ip=192.168.122.50");
    struct error err = {0};

    online(a);
    online(b);
    assert_string_equal(b->address, "192.168.122.50");
    assert_true(has_lease(&one, a));
    assert_true(has_lease(&two, b));
    check_nat_reach(a, b);
    check_nat_refusals(a);
    check_nat_server(a);
    assert_int_equal(nat_stop(&err), -EBUSY);
    offline(a);
    assert_false(prints("nft list map inet hospes ports 2>/dev/null", "8080"));
    assert_true(pings(&two, "192.0.2.9"));
    offline(b);
    assert_int_equal(nat_stop(&err), 0);
    assert_false(has_link("virbr0"));
    assert_int_equal(dnsmasq_pid(), 0);
    assert_true(prints("cat /proc/sys/net/ipv4/ip_forward", "0"));
}

static void test_host_modes(void **state)
{
    const struct host_mode *nat = host_mode("network-nat"), *route = host_mode("network-route");
    char said[PROCESS_SAID];
    struct error err = {0};

    for (int i = 0; i < 2; i++) { /* off, on, and on again: then there is nothing to do */
        auto_netlink nl = {0};
        auto_plan on = {NULL}, off = {NULL}, forward = {NULL};

        assert_int_equal(netlink_open(&nl, &err), 0);
        assert_int_equal(nat->plan(&nl, true, &on, &err), 0);
        assert_int_equal(nat->plan(&nl, false, &off, &err), 0);
        assert_int_equal(route->plan(&nl, true, &forward, &err), 0);
        assert_int_equal(on.count, i == 0 ? 4 : 0);
        assert_int_equal(off.count, i == 0 ? 0 : 4);
        assert_int_equal(forward.count, i == 0 ? 1 : 0);
        assert_int_equal(nat->run("start", said, &err), 0);
        assert_non_null(strstr(said, "virbr0 has 192.168.122.1/24"));
    }
    assert_int_equal(route->run("start", said, &err), 0);
    assert_string_equal(said, "IP forwarding is on.");
    assert_int_equal(nat->run("stop", said, &err), 0);
    assert_string_equal(said, "NAT mode is off.");
    assert_false(has_link("virbr0"));
    assert_int_equal(route->run("stop", said, &err), 0);
    assert_string_equal(said, "IP forwarding is off.");
}

static void test_nat_network_taken(void **state)
{
    shell_ok(NULL, "ip addr add 192.168.122.200/25 dev eth0");
    refused(1, "mac=" MAC1 ",script=vif-nat", "is in use: eth0 has the address");
}

/* --- classic scripts ------------------------------------------------------------------------ */

static void write_script(const char *path, const char *body)
{
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    fprintf(out, "#!/bin/sh\n%s\n", body);
    fclose(out);
    chmod(path, 0755);
}

static void test_script(void **state)
{
    char path[96], options[192], log[96], body[256];
    struct net_card *a;
    struct error err = {0};

    snprintf(path, sizeof(path), "%s/hook", folder);
    snprintf(log, sizeof(log), "%s/hook.log", folder);
    snprintf(options, sizeof(options), "mac=" MAC1 ",script=%s", path);
    snprintf(body, sizeof(body),
             "echo \"$1 $2 $XENBUS_PATH $XENBUS_TYPE $vif $script\" >> %s; ip link set $vif up",
             log);
    write_script(path, body);
    a = card_new(1, "a", options);
    online(a);
    net_offline(a);
    snprintf(body, sizeof(body), "cat %s", log);
    assert_true(prints(body, "online type_if=vif backend/vif/1/0 vif vif1.0 /"));
    assert_true(prints(body, "offline type_if=vif backend/vif/1/0 vif vif1.0 /"));

    write_script(path, "echo first; echo 'no cable' >&2; exit 3");
    assert_int_equal(net_online(a, &err), -EIO);
    assert_non_null(strstr(err.msg, "failed (3): no cable"));

    write_script(path, "sleep 60 & echo waiting; wait");
    script_set_timeout(1);
    assert_int_equal(net_online(a, &err), -ETIMEDOUT);
    assert_non_null(strstr(err.msg, "waiting"));

    chmod(path, 0777);
    assert_int_equal(net_check(a, &err), -EPERM);
    chmod(path, 0644);
    assert_int_equal(net_check(a, &err), -EACCES);
    card_end(a);
    refused(1, "mac=" MAC1 ",script=vif-nonsense", "There is no script");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bridge, start_bridge, end),
        cmocka_unit_test_setup_teardown(test_antispoof, start_bridge, end),
        cmocka_unit_test_setup_teardown(test_antispoof_words, start_bridge, end),
        cmocka_unit_test_setup_teardown(test_names, start_bridge, end),
        cmocka_unit_test_setup_teardown(test_sweep, start_bridge, end),
        cmocka_unit_test_setup_teardown(test_bridge_refusals, start_bridge, end),
        cmocka_unit_test_setup_teardown(test_route, start_routed, end),
        cmocka_unit_test_setup_teardown(test_forwarding, start_routed, end),
        cmocka_unit_test_setup_teardown(test_nat, start_nat, end),
        cmocka_unit_test_setup_teardown(test_host_modes, start_nat, end),
        cmocka_unit_test_setup_teardown(test_nat_network_taken, start_nat, end),
        cmocka_unit_test_setup_teardown(test_script, start_bridge, end),
    };
    char nat[64], notes[64];
    int failed;

    space_enter();
    umask(077); /* as a daemon may have it */
    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    chmod(folder, 0755);
    snprintf(nat, sizeof(nat), "%s/nat", folder);
    dnsmasq_folder(nat);
    snprintf(notes, sizeof(notes), "%s/forwarding", folder);
    forwarding_file(notes);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    shell(NULL, "rm -rf %s", folder);
    return failed;
}
