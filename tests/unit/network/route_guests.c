/*
 * Guests in route mode, on a real kernel in network namespaces: they reach what they should and
 * nothing that they should not, forwarding is on while somebody needs it, and their end leaves no
 * route. Read first: modes_lab.h.
 */
#include "network/forwarding.h"
#include "network/host_modes.h"
#include "tests/unit/network/modes_lab.h"

#include <string.h>
#include <sys/socket.h>

static int start_routed(void **state)
{
    start(state);
    addresses_on("eth0");
    shell_ok(NULL, "sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 "
                   "net.ipv6.conf.eth0.proxy_ndp=0 net.ipv6.conf.eth0.accept_ra=1");
    return 0;
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_route, start_routed, end),
        cmocka_unit_test_setup_teardown(test_forwarding, start_routed, end),
    };

    return run_modes(tests, sizeof(tests) / sizeof(tests[0]));
}
