#!/usr/bin/env python3
"""Bridge mode of the host, on the kernel of network namespaces. Proves: the seed's steps happen in the seed's order,
each with the kernel's state that it should leave; open connections (IPv4 and IPv6, from outside and from here) live
through start and stop; starting twice and stopping twice change nothing; stop restores links, addresses, routes of
all tables, rules, neighbours and settings exactly; a wire that goes dead and a gateway
that falls silent roll everything back; several bridges, bridges that are there already, VLANs, lifetimes."""

import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as labs                      # noqa: E402
from lab import Lab, TREE, set_setting  # noqa: E402
from tap import Cases, Skip             # noqa: E402

PROGRAM = os.path.join(TREE, "build/tests/network-bridge")
STATE = tempfile.mkdtemp(prefix="bridge-mode-")
cases = Cases()
lab = None


def fresh(**options):
    """A new lab for every case: what one leaves behind is not another one's fault."""
    global lab
    why = labs.impossible()
    if why:
        raise Skip(why)
    lab = Lab(**options)
    subprocess.run(["rm", "-rf", STATE])
    return lab


def start_program(*words, **env):
    return subprocess.Popen([PROGRAM, *words, "state=" + STATE], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            env=dict(os.environ, **{k: str(v) for k, v in env.items()}))


def run(*words, expect=0, **env):
    process = start_program(*words, **env)
    output = process.communicate()[0].decode()
    assert process.returncode == expect, "%s ends with %s: %s" % (" ".join(words), process.returncode, output)
    return output


def plan(*words):
    return subprocess.run([PROGRAM, "plan", *words], capture_output=True, check=True).stdout.decode()


def quiet():
    return labs.no_transaction(STATE)


def same(before, after):
    differences = []

    def compare(a, b, path):
        if isinstance(a, dict) and isinstance(b, dict):
            for key in sorted(set(a) | set(b)):
                compare(a.get(key), b.get(key), path + "/" + str(key))
        elif isinstance(a, list) and isinstance(b, list):
            for x in a:
                if x not in b:
                    differences.append("%s: %r is not there any more" % (path, x))
            for x in b:
                if x not in a:
                    differences.append("%s: %r is new" % (path, x))
            if not differences and a != b:
                differences.append("%s: has another order: %r is now %r" % (path, a, b))
        elif a != b:
            differences.append("%s: %r is now %r" % (path, a, b))
    compare(before, after, "")
    assert not differences, "\n".join(differences)


def same_soon(before, limit=5):
    """The same, at the latest after some seconds: link-local addresses are examined for a while."""
    end = time.time() + limit
    while True:
        try:
            return same(before, lab.state())
        except AssertionError:
            if time.time() > end:
                raise
            time.sleep(0.05)


class Stepper:
    """Runs the program from stop to stop and tells of every change of what the kernel shows."""

    def __init__(self, *words):
        self.process = start_program(*words, STOP_AT=0)

    def steps(self):
        while True:
            _, status = os.waitpid(self.process.pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                self.process.returncode = os.waitstatus_to_exitcode(status)
                return
            yield self.picture()
            os.kill(self.process.pid, signal.SIGCONT)

    @staticmethod
    def picture():
        names = {}
        for name, link in lab.links().items():
            if name != "lo":
                names[link["ifindex"]] = name
        picture = set()
        for name, link in lab.links().items():
            if name == "lo":
                continue
            picture.add("%s is %s" % (name, "up" if "UP" in link["flags"] else "down"))
            picture.add("%s has MAC %s" % (name, link["address"]))
            if "NOARP" in link["flags"]:
                picture.add("%s has no ARP" % name)
            if "master" in link:
                picture.add("%s is on %s" % (name, link["master"]))
            picture.add("%s is number %d" % (name, link["ifindex"]))
            picture.update("%s has %s" % (name, a) for a in lab.addresses(name) if not a.startswith("fe80"))
        for family in ("-4", "-6"):
            picture.update("default route %s on %s" % (family, r["dev"]) for r in lab.ip_json(family, "route")
                           if r["dst"] == "default")
        return picture


def in_order(pictures, wanted):
    """Each of the wanted facts becomes true after the one before it (or with it)."""
    last = 0
    for fact, present in wanted:
        first = next((i for i, p in enumerate(pictures) if i >= last and (fact in p) == present and
                      (i == 0 or (fact in pictures[i - 1]) != present)), None)
        assert first is not None, "%s '%s' does not happen after the step before it" % (
            "becoming" if present else "the end of", fact)
        last = first


@cases.add("start: the seed's steps in the seed's order, seen in the kernel")
def seed_steps():
    fresh()
    number = lab.links()["eth0"]["ifindex"]
    stepper = Stepper("start")
    pictures = list(stepper.steps())
    assert stepper.process.returncode == 0, stepper.process.stdout.read().decode()
    pictures.append(Stepper.picture())
    mac, backend = "02:00:00:00:00:02", "fe:ff:ff:ff:ff:ff"
    in_order(pictures, [
        ("xenbr0 is down", True),                                                   # 1: the bridge is there
        ("eth0 is up", False), ("eth0 is down", True),                              # 2
        ("veth0 has MAC " + mac, True), ("veth0 has 10.0.0.2/24", True),            # 3
        ("peth0 is number %d" % number, True),                                      # 4
        ("veth0 is down", False), ("eth0 has 10.0.0.2/24", True),                   # 5
        ("peth0 has MAC " + backend, True), ("peth0 has no ARP", True), ("peth0 has 10.0.0.2/24", False),   # 6
        ("peth0 is on xenbr0", True), ("vif0.0 is on xenbr0", True),                # 7
        ("xenbr0 is up", True), ("peth0 is up", True), ("vif0.0 is up", True),      # 8
        ("eth0 is up", True), ("eth0 has fd00::2/64", True), ("default route -4 on eth0", True),
        ("default route -6 on eth0", True),
    ])
    end = pictures[-1]
    for fact in ("eth0 has MAC " + mac, "eth0 has 10.0.0.2/24", "eth0 has 10.0.0.22/24", "vif0.0 has MAC " + backend,
                 "xenbr0 has MAC " + backend, "peth0 is number %d" % number):
        assert fact in end, fact
    assert not any(f.startswith("veth0") for f in end)
    assert "eth0 has no ARP" not in end
    assert lab.addresses("peth0") == lab.addresses("vif0.0") == lab.addresses("xenbr0") == []


@cases.add("whoever asks the wire for this machine is told eth0's MAC, and nothing else")
def one_answer():
    fresh()
    run("start")
    with lab.inside(lab.there):
        heard = subprocess.Popen(["tcpdump", "-Z", "root", "-l", "-n", "-i", "e0", "arp[6:2] == 2"], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
    time.sleep(1)
    lab.at_there("neigh", "flush", "dev", "e0")
    lab.connect("10.0.0.2").close()
    time.sleep(1)
    heard.terminate()
    answers = [line for line in heard.communicate()[0].decode().split("\n") if "10.0.0.2 is-at" in line]
    assert answers and all("02:00:00:00:00:02" in line for line in answers), answers


@cases.add("stop: the same steps backwards, and everything is as it was")
def stop_steps():
    fresh()
    before = lab.state()
    run("start")
    stepper = Stepper("stop")
    pictures = list(stepper.steps())
    assert stepper.process.returncode == 0, stepper.process.stdout.read().decode()
    in_order(pictures, [
        ("eth0 is up", False), ("xenbr0 is up", False), ("peth0 is on xenbr0", False), ("peth0 has 10.0.0.2/24", True),
        ("peth0 has no ARP", False), ("veth0 is down", True), ("peth0 is down", False), ("eth0 is up", True),
        ("xenbr0 is down", False)])
    same_soon(before)


@cases.add("connections live through start and stop, IPv4 and IPv6, both ways")
def connections():
    fresh(detection=True)
    with open("/etc/resolv.conf") as f:
        names = f.read()
    open_ones = [lab.connect("10.0.0.2"), lab.connect("fd00::2"), lab.connect("10.0.0.1", lab.here),
                 lab.connect("fd00::1", lab.here)]
    for words in (["start"], ["stop"], ["start"], ["stop"]):
        run(*words)
        for connection in open_ones:
            assert lab.talks(connection), words
        lab.connect("10.0.0.22").close()
        lab.connect("fd00::1", lab.here).close()
    with open("/etc/resolv.conf") as f:
        assert f.read() == names


@cases.add("stop restores tables, metrics, rules, neighbours, settings, MTU, labels exactly; start keeps them")
def everything():
    fresh()
    set_setting("ipv4/conf/eth0/rp_filter", "2")
    set_setting("ipv4/conf/eth0/arp_announce", "1")
    set_setting("ipv6/conf/eth0/accept_ra", "0")
    set_setting("ipv4/neigh/eth0/gc_stale_time", "77")
    lab.ip("link", "add", "name", "d0", "type", "bridge")
    lab.ip("link", "set", "d0", "up")
    lab.ip("link", "set", "eth0", "mtu", "1400")
    lab.ip("link", "set", "eth0", "txqueuelen", "500")
    for words in ("addr add 10.1.0.2/24 dev eth0 label eth0:one", "addr add 10.2.0.2/24 dev eth0 noprefixroute",
                  "addr add 10.3.0.2/32 dev eth0 scope host metric 9",
                  "route add 10.20.0.0/16 via 10.0.0.1 metric 5", "route add 10.20.0.0/16 via 10.0.0.77 metric 6",
                  "route add 10.21.0.0/16 via 10.0.0.1 table 100 mtu 1300 initcwnd 20",
                  "route add 10.22.0.0/16 nexthop via 10.0.0.1 weight 3 nexthop via 10.0.0.5 weight 2",
                  "route add 10.23.0.0/16 via 192.0.2.9 dev eth0 onlink proto 42 tos 0x10",
                  "route add 10.24.0.0/16 dev d0 src 10.0.0.22", "route add blackhole 10.25.0.0/16",
                  "-6 route add fd20::/32 via fd00::1 metric 5 table 300", "-6 route add fd21::/32 dev eth0 metric 7 pref high",
                  "-6 route add fd22::/32 nexthop via fd00::1 nexthop via fd00::5",
                  "rule add from 10.0.0.22 table 100 priority 500", "rule add iif eth0 to 10.9.0.0/16 table 100",
                  "neigh add 10.0.0.66 lladdr 02:00:00:00:00:66 dev eth0 nud permanent",
                  "-6 neigh add fd00::66 lladdr 02:00:00:00:00:66 dev eth0 nud permanent"):
        lab.ip(*words.split())
    before = lab.state()
    run("start")
    during = lab.state()
    for part in ("routes", "routes6", "rules", "neighbours"):
        same([x for x in before[part]],
             [x for x in during[part] if x.get("dev") not in ("peth0", "vif0.0", "xenbr0")])
    same(before["settings"]["eth0"], during["settings"]["eth0"])
    same(before["links"]["eth0"]["addr_info"], during["links"]["eth0"]["addr_info"])
    assert [during["links"][n]["mtu"] for n in ("eth0", "peth0", "vif0.0", "xenbr0")] == [1400] * 4
    assert during["links"]["eth0"]["txqlen"] == 500
    run("stop")
    same_soon(before)


@cases.add("an address of a DHCP client keeps its lifetime and its flags")
def lifetimes():
    fresh()
    lab.ip("addr", "add", "10.4.0.2/24", "dev", "eth0", "valid_lft", "1000", "preferred_lft", "500")
    lab.ip("-6", "addr", "add", "fd04::2/64", "dev", "eth0", "nodad", "valid_lft", "2000", "preferred_lft", "1000")
    for word in ("start", "stop"):
        run(word)
        found = {a["local"]: a for a in lab.ip_json("addr", "show", "dev", "eth0")[0]["addr_info"]}
        assert found["10.4.0.2"]["dynamic"] and found["fd04::2"]["dynamic"]
        assert 950 < found["10.4.0.2"]["valid_life_time"] <= 1000
        assert 450 < found["10.4.0.2"]["preferred_life_time"] <= 500
        assert 1950 < found["fd04::2"]["valid_life_time"] <= 2000
        assert "nodad" in found["fd04::2"] and not found["10.0.0.2"].get("dynamic")


@cases.add("a default route that a router advertised is left to the kernel; a copy serves meanwhile, for a minute")
def advertised():
    fresh()
    lab.ip("-6", "route", "del", "default")
    lab.ip("-6", "route", "add", "default", "via", "fd00::1", "dev", "eth0", "proto", "ra", "metric", "512", "expires", "900")
    for word in ("start", "stop"):
        run(word)
        found, = [r for r in lab.ip_json("-6", "route", "show") if r["dst"] == "default"]
        assert found["gateway"] == "fd00::1" and found["metric"] == 513 and 0 < found["expires"] <= 60, found
        if word == "start":
            lab.ip("-6", "route", "add", "default", "via", "fd00::1", "dev", "eth0", "proto", "ra", "metric", "512", "expires", "900")
            lab.ip("-6", "route", "del", "default", "metric", "513")


@cases.add("starting twice and stopping twice change nothing; plan and status say so")
def twice():
    fresh()
    off = lab.state()
    assert "Nothing is to be done" in plan("stop")
    assert "is on no bridge" in run("status", expect=3)
    run("stop")
    same(off, lab.state())
    shown = plan()
    assert shown.index("Create the bridge xenbr0") < shown.index("Rename eth0 to peth0") < shown.index("Bring xenbr0")
    assert "10.0.0.1, fd00::1 must answer" in shown
    same(off, lab.state())
    run("start")
    on = lab.state()
    assert "is on xenbr0 already" in run("start")
    assert "Nothing is to be done" in plan()
    assert "eth0 is on xenbr0, through peth0" in run("status")
    same_soon(on)
    run("stop")
    same_soon(off)


def children(pid):
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open("/proc/%s/stat" % entry) as f:
                if entry.isdigit() and int(f.read().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry))
        except OSError:
            pass
    return found


def stopped_at(point, word="start"):
    process = start_program(word, STOP_AT=point)
    os.waitpid(process.pid, os.WUNTRACED)
    return process


def go_on(process):
    while True:
        os.kill(process.pid, signal.SIGCONT)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            process.returncode = os.waitstatus_to_exitcode(status)
            return


def dead_wire(word, cut, mend):
    """The wire dies after the first step and stays dead until the program gives up."""
    fresh()
    opened = lab.connect("10.0.0.2")
    if word == "stop":
        run("start")
    before = lab.state()
    process = start_program(word, "wait=3", STOP_AT=18)
    os.waitpid(process.pid, os.WUNTRACED)
    cut()
    go_on(process)
    output = process.stdout.read().decode()
    assert process.returncode == 1 and "Everything was rolled back" in output, output
    mend()
    same_soon(before)
    lab.connect("10.0.0.2").close()
    assert lab.talks(opened)
    return output


@cases.add("the wire goes dead during start: rolled back")
def dead_cable_start():
    output = dead_wire("start", lambda: lab.at_there("link", "set", "e0", "down"), lambda: lab.at_there("link", "set", "e0", "up"))
    assert "wire of eth0 is dead" in output


@cases.add("the wire goes dead during stop: rolled back")
def dead_cable_stop():
    output = dead_wire("stop", lambda: lab.at_there("link", "set", "e0", "down"), lambda: lab.at_there("link", "set", "e0", "up"))
    assert "wire of eth0 is dead" in output


@cases.add("the gateway falls silent: rolled back")
def silent_gateway():
    output = dead_wire("start", lambda: lab.at_there("link", "set", "e0", "arp", "off"), lambda: lab.at_there("link", "set", "e0", "arp", "on"))
    assert "10.0.0.1 answered before" in output or "fd00::1 answered before" in output, output


@cases.add("a bridge that is there is used as it is, and stays")
def existing_bridge():
    fresh()
    lab.ip("link", "add", "name", "xenbr0", "type", "bridge", "forward_delay", "0", "ageing_time", "12300")
    lab.ip("link", "add", "name", "v1", "type", "veth", "peer", "name", "v2")
    lab.ip("link", "set", "v1", "master", "xenbr0")
    lab.ip("link", "set", "xenbr0", "up")
    lab.ip("link", "set", "v1", "up")
    lab.ip("link", "set", "v2", "up")
    lab.settle()
    before = lab.state()
    opened = lab.connect("10.0.0.2")
    assert "Use the bridge xenbr0 as it is" in plan()
    run("start")
    assert lab.links()["peth0"]["master"] == "xenbr0" and lab.talks(opened)
    assert lab.links()["xenbr0"]["linkinfo"]["info_data"]["ageing_time"] == 12300
    assert "v1 is still on xenbr0" in run("stop", expect=1)
    run("stop", "force=yes")
    same_soon(before)
    assert lab.talks(opened)


@cases.add("an interface that is on somebody else's bridge is left alone")
def others_bridge():
    fresh()
    lab.ip("link", "add", "name", "br0", "type", "bridge", "forward_delay", "0")
    lab.ip("addr", "flush", "dev", "eth0")
    lab.ip("link", "set", "eth0", "master", "br0")
    lab.ip("link", "set", "br0", "up")
    lab.ip("addr", "add", "10.0.0.2/24", "dev", "br0")
    lab.ip("route", "add", "default", "via", "10.0.0.1")
    lab.settle()
    before = lab.state()
    assert "br0 is on the bridge br0, which is used as it is" in run("start")
    assert "eth0 is on the bridge br0, which is used as it is" in run("start", "netdev=eth0")
    run("stop")
    same(before, lab.state())


@cases.add("two interfaces, two bridges; each stops by itself")
def two_bridges():
    fresh()
    lab.add_wire("eth1", "e1")
    lab.at_there("addr", "add", "10.8.0.1/24", "dev", "e1")
    lab.ip("link", "set", "eth1", "up")
    lab.ip("addr", "add", "10.8.0.2/24", "dev", "eth1")
    lab.settle()
    before = lab.state()
    run("start")
    run("start", "netdev=eth1")
    links = lab.links()
    assert links["peth0"]["master"] == links["vif0.0"]["master"] == "xenbr0"
    assert links["peth1"]["master"] == links["vif0.1"]["master"] == "xenbr1"
    lab.connect("10.0.0.2").close()
    lab.connect("10.8.0.2").close()
    run("stop")
    assert "xenbr1" in lab.links() and "xenbr0" not in lab.links()
    lab.connect("10.8.0.2").close()
    run("stop", "netdev=eth1")
    same_soon(before)


@cases.add("VLANs on the interface keep their MAC, state, addresses and routes")
def vlans():
    fresh()
    try:
        lab.ip("link", "add", "link", "eth0", "name", "eth0.5", "type", "vlan", "id", "5")
    except AssertionError as why:
        raise Skip("no VLANs in this kernel: %s" % why)
    lab.ip("link", "add", "link", "eth0", "name", "eth0.6", "type", "vlan", "id", "6")
    lab.at_there("link", "add", "link", "e0", "name", "e0.5", "type", "vlan", "id", "5")
    lab.at_there("addr", "add", "10.5.0.1/24", "dev", "e0.5")
    lab.at_there("link", "set", "e0.5", "up")
    lab.ip("addr", "add", "10.5.0.2/24", "dev", "eth0.5")
    lab.ip("link", "set", "eth0.5", "up")
    lab.ip("-6", "addr", "add", "fd05::2/64", "dev", "eth0.5", "nodad")
    lab.ip("route", "add", "10.55.0.0/16", "via", "10.5.0.1")
    opened = lab.connect("10.5.0.2")
    before = lab.state()
    for word in ("start", "stop"):
        run(word)
        assert lab.talks(opened)
        now = lab.state()
        same(before["links"]["eth0.5"]["addr_info"], now["links"]["eth0.5"]["addr_info"])
        assert now["links"]["eth0.5"]["address"] == "02:00:00:00:00:02"
        assert "UP" in now["links"]["eth0.5"]["flags"] and "UP" not in now["links"]["eth0.6"]["flags"]
    same_soon(before)


@cases.add("an interface that is down, and one without a gateway, go on a bridge and come back")
def without_network():
    fresh()
    lab.add_wire("eth1", "e1")
    before = lab.state()
    assert "nothing can be asked" in plan("netdev=eth1")
    run("start", "netdev=eth1", "wait=3")
    assert "UP" not in lab.links()["eth1"]["flags"] and lab.links()["peth1"]["master"] == "xenbr1"
    run("stop", "netdev=eth1", "wait=3")
    same_soon(before)


@cases.add("what cannot be done is refused with the reason, and nothing is changed")
def refusals():
    fresh()
    lab.ip("link", "add", "link", "eth0", "name", "mv0", "type", "macvlan", "mode", "bridge")
    before = lab.state()
    for words, sentence in (
            (["start"], "mv0 (macvlan) stands on eth0"), (["start", "netdev=eth7"], "There is no interface eth7"),
            (["start", "netdev=lo"], "lo is no Ethernet interface"), (["start", "probe=10.0.0.250"], "10.0.0.250 does not answer"),
            (["start", "probe=ten"], "an address to ping is wanted")):
        if words == ["start", "probe=10.0.0.250"]:
            lab.ip("link", "del", "mv0")
            before = lab.state()
        output = run(*words, expect=1)
        assert sentence in output, output
        same_soon(before)
    run("start", "vifnum=many", expect=2)
    run("begin", expect=2)
    lab.ip("link", "add", "name", "peth0", "type", "bridge")
    assert "peth0 is there already" in run("start", expect=1)
    lab.ip("link", "del", "peth0")
    lab.ip("link", "add", "name", "veth0", "type", "bridge")
    assert "veth0 is there without vif0.0" in run("start", expect=1)


if __name__ == "__main__":
    sys.exit(cases.main())
