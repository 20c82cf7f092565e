/*
 * Guests in bridge mode, on a real kernel in network namespaces: they reach what they should, what
 * they forge is stopped where antispoof= says so, their interfaces are called as vifname= says, and
 * their end leaves no rule. Classic scripts, too. Read first: modes_lab.h.
 */
#include "network/filter.h"
#include "network/nft.h"
#include "network/script.h"
#include "tests/unit/network/frame.h"
#include "tests/unit/network/modes_lab.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
        cmocka_unit_test_setup_teardown(test_script, start_bridge, end),
    };

    return run_modes(tests, sizeof(tests) / sizeof(tests[0]));
}
