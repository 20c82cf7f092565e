/*
 * Contract: modes_lab.h.
 */
#include "tests/unit/network/modes_lab.h"

#include "network/dnsmasq.h"
#include "network/forwarding.h"
#include "network/host_modes.h"
#include "network/nft.h"
#include "tests/unit/network/space.h"
#include "xend/lib/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char folder[] = "/tmp/hospes-modes.XXXXXX";
struct guest outside, one, two;

struct net_card *card_new(int domid, const char *domain, const char *options)
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

void card_end(struct net_card *card)
{
    struct vif_spec *vif = (struct vif_spec *)(uintptr_t)card->vif;

    vif_finish(vif);
    free(vif);
    free(card);
}

void online(struct net_card *card)
{
    struct error err = {0};
    int rc = net_check(card, &err);

    rc = rc ? rc : net_online(card, &err);
    if (rc != 0) {
        print_error("%s\n", err.msg);
    }
    assert_int_equal(rc, 0);
}

void refused(int domid, const char *options, const char *words)
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

void offline(struct net_card *card)
{
    net_offline(card);
    card_end(card);
}

void addresses_on(const char *ifname)
{
    shell_ok(NULL, "ip addr add 192.0.2.1/24 dev %s && ip -6 addr add 2001:db8::1/64 dev %s nodad",
             ifname, ifname);
}

int start(void **state)
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

int start_bridge(void **state)
{
    start(state);
    shell_ok(NULL, "ip link add xenbr0 type bridge forward_delay 0 && ip link set xenbr0 up && ip "
                   "link set eth0 master xenbr0");
    addresses_on("xenbr0");
    return 0;
}

/* The machine is taken apart whatever the test did. Nothing of ours may have been left. */
int end(void **state)
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

int run_modes(const struct CMUnitTest *tests, size_t count)
{
    char nat[64], notes[64], journal[64];
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
    snprintf(journal, sizeof(journal), "%s/journal", folder);
    host_programs("build/tests", journal, folder);
    failed = _cmocka_run_group_tests("tests", tests, count, NULL, NULL);
    shell(NULL, "rm -rf %s", folder);
    return failed;
}
