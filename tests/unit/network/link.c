/*
 * The primitives of network/: each changes the kernel of a fresh network namespace, and what the
 * kernel then says is looked at. Proves: bridges, pairs and VLANs come and go; names, MACs, flags,
 * masters, addresses and routes are set as asked; errors are the kernel's errno with a sentence.
 */
#include "tests/unit/network/space.h"

#include "network/address.h"
#include "network/link.h"
#include "network/sysctl.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct netlink nl;
static struct error err;

#define ok(call)                                \
    do {                                        \
        err.msg[0] = '\0';                      \
        if ((call) != 0) {                      \
            fail_msg("%s: %s", #call, err.msg); \
        }                                       \
    } while (0)

static struct link get(const char *name)
{
    struct link link;

    ok(link_find(&nl, name, &link, &err));
    return link;
}

static void test_bridge_and_pair(void **state)
{
    struct mac mac;
    struct link a, bridge;

    assert_true(mac_parse("02:00:00:00:00:0a", &mac));
    ok(link_add_bridge(&nl, &(struct link_new){.name = "br0", .index = 77}, &err));
    ok(link_add_veth(&nl, &(struct link_new){.name = "a", .index = 80, .mac = &mac},
                     &(struct link_new){.name = "b", .index = 81}, &err));
    bridge = get("br0");
    a = get("a");
    assert_int_equal(bridge.index, 77);
    assert_true(link_is(&bridge, "bridge"));
    assert_int_equal(a.index, 80);
    assert_int_equal(a.lower, 81);
    assert_true(a.lower_here);
    assert_true(mac_equal(&a.mac, &mac));
    assert_false(a.flags & IFF_UP);
    ok(link_set_master(&nl, 80, 77, &err));
    ok(link_set_up(&nl, 80, true, &err));
    ok(link_set_arp(&nl, 80, false, &err));
    ok(link_set_mtu(&nl, 80, 1400, &err));
    ok(link_set_mac(&nl, 81, &MAC_BACKEND, &err));
    ok(link_rename(&nl, 81, "vif0.0", &err));
    a = get("a");
    assert_int_equal(a.master, 77);
    assert_true((a.flags & IFF_UP) && (a.flags & IFF_NOARP));
    assert_int_equal(a.mtu, 1400);
    bridge = get("vif0.0");
    assert_true(mac_equal(&bridge.mac, &MAC_BACKEND));
    ok(link_set_master(&nl, 80, 0, &err));
    assert_int_equal(get("a").master, 0);
    ok(link_delete(&nl, 80, &err));
    assert_int_equal(link_find(&nl, "vif0.0", &a, NULL), -ENODEV);
    ok(link_delete(&nl, 77, &err));
}

static void test_errors(void **state)
{
    struct link link;

    assert_int_equal(link_find(&nl, "nothing", &link, &err), -ENODEV);
    assert_non_null(strstr(err.msg, "There is no interface nothing"));
    assert_int_equal(link_find(&nl, "a-name-that-is-too-long", &link, &err), -ENODEV);
    assert_int_equal(link_add_bridge(&nl, &(struct link_new){.name = "lo"}, &err), -EEXIST);
    assert_int_equal(link_set_up(&nl, 4711, true, &err), -ENODEV);
    assert_non_null(strstr(err.msg, "number 4711 cannot be brought up"));
    ok(link_add_bridge(&nl, &(struct link_new){.name = "br0"}, &err));
    assert_int_equal(link_rename(&nl, get("br0").index, "lo", &err), -EEXIST);
    assert_non_null(strstr(err.msg, "br0 cannot be renamed to lo"));
    ok(link_delete(&nl, get("br0").index, &err));
}

static void test_list(void **state)
{
    struct link *list;
    size_t count;

    ok(link_add_bridge(&nl, &(struct link_new){.name = "br0"}, &err));
    ok(link_list(&nl, &list, &count, &err));
    assert_int_equal(count, 2);
    assert_string_equal(list[0].name, "lo");
    assert_string_equal(list[1].name, "br0");
    free(list);
    ok(link_delete(&nl, get("br0").index, &err));
}

static void test_vlan(void **state)
{
    struct link vlan;
    int rc;

    ok(link_add_bridge(&nl, &(struct link_new){.name = "br0"}, &err));
    rc = link_add_vlan(&nl, &(struct link_new){.name = "br0.5"}, get("br0").index, 5, &err);
    if (rc == -EOPNOTSUPP) {
        ok(link_delete(&nl, get("br0").index, &err));
        skip(); /* this kernel has no VLANs */
    }
    assert_int_equal(rc, 0);
    vlan = get("br0.5");
    assert_true(link_is(&vlan, "vlan"));
    assert_int_equal(vlan.vlan, 5);
    assert_int_equal(vlan.lower, get("br0").index);
    ok(link_delete(&nl, get("br0").index, &err));
}

static struct address parse(const char *text)
{
    struct address a;

    assert_true(address_parse(text, &a));
    return a;
}

static void test_address_text(void **state)
{
    struct address a, network = parse("10.1.16.0/20");
    char text[ADDRESS_TEXT];

    assert_string_equal(address_format(&network, text), "10.1.16.0/20");
    a = parse("fd00::1/64");
    assert_string_equal(address_format(&a, text), "fd00::1/64");
    a = parse("10.1.31.255");
    assert_string_equal(address_format(&a, text), "10.1.31.255");
    assert_true(address_inside(&a, &network));
    a = parse("10.1.32.0");
    assert_false(address_inside(&a, &network));
    assert_false(address_parse("10.0.0.1/33", &a));
    assert_false(address_parse("10.0.0.1/", &a));
    assert_false(address_parse("10.0.0.1/-1", &a));
    assert_false(address_parse("10.0.0", &a));
    assert_false(address_parse("fd00::1/129", &a));
    assert_false(address_parse("", &a));
}

static void test_addresses(void **state)
{
    struct address a4 = parse("10.0.0.1/24"), a6 = parse("fd00::1/64");
    struct link_address *list;
    size_t count;
    int link;

    ok(link_add_bridge(&nl, &(struct link_new){.name = "br0"}, &err));
    link = get("br0").index;
    ok(link_set_up(&nl, link, true, &err));
    ok(address_add(&nl, link, &a4, 0, &err));
    ok(address_add(&nl, link, &a6, IFA_F_NODAD, &err));
    assert_int_equal(address_add(&nl, link, &a4, 0, &err), -EEXIST);
    ok(address_list(&nl, link, AF_INET, &list, &count, &err));
    assert_int_equal(count, 1);
    assert_true(address_equal(&list[0].local, &a4));
    assert_int_equal(list[0].valid, UINT32_MAX);
    free(list);
    ok(address_delete(&nl, link, &a4, &err));
    assert_int_equal(address_delete(&nl, link, &a4, &err), -EADDRNOTAVAIL);
    ok(address_delete(&nl, link, &a6, &err));
    ok(link_delete(&nl, link, &err));
}

static const struct route *find_route(const struct route *list, size_t count, const char *to)
{
    struct address wanted = parse(to);

    for (size_t i = 0; i < count; i++) {
        if (address_equal(&list[i].to, &wanted)) {
            return &list[i];
        }
    }
    fail_msg("no route to %s", to);
    return NULL;
}

static void test_routes(void **state)
{
    struct address a4 = parse("10.0.0.1/24");
    struct route static4 = {.to = parse("10.9.0.7"), .source = parse("10.0.0.1"), .metric = 5};
    struct route via = {.to = parse("0.0.0.0/0"), .via = parse("192.0.2.1"), .onlink = true};
    struct route other = {.to = parse("fd07::/48"), .table = 300};
    const struct route *found;
    struct route *list;
    size_t count;
    int link;

    ok(link_add_bridge(&nl, &(struct link_new){.name = "br0"}, &err));
    link = static4.link = via.link = other.link = get("br0").index;
    ok(link_set_up(&nl, link, true, &err));
    ok(address_add(&nl, link, &a4, 0, &err));
    ok(route_add(&nl, &static4, &err));
    ok(route_add(&nl, &via, &err));
    ok(route_add(&nl, &other, &err));
    assert_int_equal(route_add(&nl, &static4, &err), -EEXIST);
    ok(route_list(&nl, AF_INET, 0, &list, &count, &err));
    found = find_route(list, count, "10.9.0.7");
    assert_true(found->metric == 5 && found->link == link && found->scope == RT_SCOPE_LINK);
    assert_true(address_equal(&found->source, &static4.source));
    found = find_route(list, count, "0.0.0.0/0");
    assert_true(found->onlink && address_equal(&found->via, &via.via));
    free(list);
    ok(route_list(&nl, AF_INET6, 300, &list, &count, &err));
    assert_int_equal(count, 1);
    assert_true(address_equal(&list[0].to, &other.to));
    free(list);
    ok(route_delete(&nl, &static4, &err));
    assert_int_equal(route_delete(&nl, &static4, &err), -ESRCH);
    ok(link_delete(&nl, link, &err));
}

static void test_sysctl(void **state)
{
    char value[16];

    ok(link_add_bridge(&nl, &(struct link_new){.name = "vif7.0"}, &err));
    ok(sysctl_set("ipv4/conf/vif7.0/proxy_arp", "1", &err));
    ok(sysctl_get("ipv4/conf/vif7.0/proxy_arp", value, sizeof(value), &err));
    assert_string_equal(value, "1");
    assert_int_equal(sysctl_get("ipv4/conf/vif8.0/proxy_arp", value, sizeof(value), &err), -ENOENT);
    assert_int_equal(sysctl_set("ipv4/ip_forward", "many", &err), -EINVAL);
    ok(link_delete(&nl, get("vif7.0").index, &err));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bridge_and_pair),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_vlan),
        cmocka_unit_test(test_address_text),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_sysctl),
    };
    int failed;

    space_enter();
    if (netlink_open(&nl, &err) != 0) {
        return 1;
    }
    failed = cmocka_run_group_tests_name("link", tests, NULL, NULL);
    netlink_close(&nl);
    return failed != 0;
}
