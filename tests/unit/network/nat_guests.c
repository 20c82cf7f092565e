/*
 * Guests in NAT mode, on a real kernel in network namespaces: leases, names, masquerading,
 * forwarded ports, nothing else from outside; the server comes back; the mode's end leaves nothing.
 * Read first: modes_lab.h.
 */
#include "network/dnsmasq.h"
#include "network/host_modes.h"
#include "network/nat.h"
#include "tests/unit/network/modes_lab.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
        auto_plan on = {0}, off = {0}, forward = {0};

        assert_int_equal(netlink_open(&nl, &err), 0);
        assert_int_equal(nat->plan(&nl, true, &on, &err), 0);
        assert_int_equal(nat->plan(&nl, false, &off, &err), 0);
        assert_int_equal(route->plan(&nl, true, &forward, &err), 0);
        assert_int_equal(on.count, i == 0 ? 4 : 0);
        assert_int_equal(off.count, i == 0 ? 0 : 4);
        assert_int_equal(forward.count, 1); /* where it is on: that it stays on is noted */
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

/* With IPv6: the guest makes an address of what Domain 0 advertises, and is behind Domain 0's. */
static void test_nat6(void **state)
{
    struct net_card *a = card_new(1, "one", "mac=" MAC1 ",script=vif-nat");
    struct error err = {0};
    int there = serve(&outside, 80, "from outside"), server = serve(&one, 80, "from one");

    assert_int_equal(nat_configure(NULL, NULL, "fd00:122::1/32", &err), -EINVAL);
    assert_int_equal(nat_configure(NULL, NULL, "fd00:122::1/64", &err), 0);
    shell_ok(&one, "sysctl -qw net.ipv6.conf.eth0.accept_ra=1 net.ipv6.conf.eth0.accept_dad=0");
    online(a);
    assert_true(has_lease(&one, a));
    assert_true(shell_soon(&one, "ip -6 addr show eth0 | grep -q fd00:122::216:3eff:fe00:1/64"));
    assert_true(shell_soon(&one, "busybox ping -c1 -W1 fd00:122::1 >/dev/null 2>&1"));
    assert_true(shell_soon(&one, "busybox ping -c1 -W1 2001:db8::9 >/dev/null 2>&1"));
    assert_true(
        shell(&one, "busybox nslookup -type=aaaa one. fd00:122::1 | grep -q fd00:122::216"));
    /* It speaks under Domain 0's address: outside knows no way to its own. From there none leads
     * in. */
    shell_ok(&outside, "ip -6 route add fd00:122::/64 via 2001:db8::1");
    assert_false(pings(&outside, "fd00:122::216:3eff:fe00:1"));
    shell_ok(&one, "ip -6 addr add fd00:122::77/64 dev eth0 nodad");
    assert_false(shell(&one, "busybox ping -c1 -W1 -I fd00:122::77 fd00:122::1 >/dev/null 2>&1"));
    offline(a);
    assert_int_equal(nat_stop(&err), 0);
    assert_true(prints("sysctl -n net.ipv6.conf.all.forwarding", "0"));
    assert_int_equal(nat_configure(NULL, NULL, NULL, &err), 0);
    serve_end(server);
    serve_end(there);
}

static void test_nat_network_taken(void **state)
{
    shell_ok(NULL, "ip addr add 192.168.122.200/25 dev eth0");
    refused(1, "mac=" MAC1 ",script=vif-nat", "is in use: eth0 has the address");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nat, start_nat, end),
        cmocka_unit_test_setup_teardown(test_host_modes, start_nat, end),
        cmocka_unit_test_setup_teardown(test_nat6, start_nat, end),
        cmocka_unit_test_setup_teardown(test_nat_network_taken, start_nat, end),
    };

    return run_modes(tests, sizeof(tests) / sizeof(tests[0]));
}
