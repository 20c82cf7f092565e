#!/usr/bin/env python3
"""Networks between machines: two emulated machines with our hypervisor and a plain one on one wire; on each of the two a
guest in bridge, in route and in NAT mode. They reach what they should and nothing they shouldn't; a guest that forges its
MAC or address is stopped; what a guest's card needed is gone after it. TAP."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from sessions import add_program  # noqa: E402
from tap import Cases  # noqa: E402
from vm import CACHE, TREE, Machine, slowness  # noqa: E402
from wire import Wire  # noqa: E402

cases = Cases()

# What a guest's system does at its start: its card, if the kernel's command line has an address for it, and a server.
GUEST = """#!/bin/sh
modprobe xen-netfront
for i in $(seq 50); do [ -e /sys/class/net/eth0 ] && break; sleep 0.2; done
word() { sed -n "s/.*\\b$1=\\([^ ]*\\).*/\\1/p" /proc/cmdline; }
ip link set eth0 up
if [ -n "$(word card)" ]; then
    ip addr add $(word card)/24 dev eth0
    ip route add default via $(word router)
else
    udhcpc -i eth0 -t 20 -T 2 -n -q
fi
mkdir -p /srv
hostname > /srv/who; word name >> /srv/who
httpd -p 80 -h /srv
stty -echo < /dev/hvc0
echo "guest-is-ready"
"""

CONFIG = """name = "%(name)s"
memory = 144
kernel = "/root/vmlinuz"
ramdisk = "/root/guest.gz"
extra = "console=hvc0 quiet hospes.nonet name=%(name)s %(words)s"
vif = [ '%(vif)s' ]
"""

HOSTS = {"a": 1, "b": 2}            # 192.0.2.1 and .2; the plain machine is .9


def guests_of(host):
    """Name, words for the guest's kernel, and its card."""
    n = HOSTS[host]
    address = "192.0.2.%d" % n
    return [
        (host + "-bridge", "card=192.0.2.%d1 router=192.0.2.9" % n, "antispoof=on, ip=192.0.2.%d1" % n),
        (host + "-route", "card=192.0.2.%d2 router=%s" % (n, address), "script=vif-route, ip=192.0.2.%d2" % n),
        (host + "-nat", "", "script=vif-nat, forward=tcp:8080:80"),
    ]


def prepare(share):
    """The guests' kernel and ramdisk, in a machine's share."""
    overlay = tempfile.mkdtemp(prefix="networks-")
    add_program(overlay, "tcpdump")
    script = os.path.join(overlay, "etc/hospes/start.d/50-guest")
    os.makedirs(os.path.dirname(script))
    with open(script, "w") as f:
        f.write(GUEST)
    os.chmod(script, 0o755)
    image = os.path.join(share, "guest.cpio")
    subprocess.run([os.path.join(TREE, "dom0/image"), "--kernel", "6.1", "--output", image, "--overlay", overlay],
                   check=True)
    subprocess.run(["gzip", "-1f", image], check=True)
    os.rename(image + ".gz", os.path.join(share, "guest.gz"))
    subprocess.run(["cp", "-L", os.path.join(CACHE, "linux/6.1/vmlinuz"), share + "/vmlinuz"], check=True)
    subprocess.run(["rm", "-rf", overlay], check=True)


class Host:
    """A machine with our hypervisor, its network in bridge mode, and its guests."""

    def __init__(self, wire, name):
        self.name = name
        self.number = HOSTS[name]
        self.overlay = tempfile.TemporaryDirectory(prefix="networks-")
        os.chmod(self.overlay.name, 0o755)      # it becomes the root's mode: dnsmasq is not root
        add_program(self.overlay.name, "tcpdump")
        self.machine = Machine(hypervisor="hospes", memory=1152, dom0_mem="512M", vcpus=1, network=None,
                               linux_options="hospes.nonet", extra=wire.card("52:54:00:00:00:0%d" % self.number),
                               overlays=[self.overlay.name],
                               log_file=os.environ.get("NETWORKS_LOG") and os.environ["NETWORKS_LOG"] + name)
        self.tokens = 0
        self.failure = None
        prepare(self.machine.share)

    def start(self):
        self.machine.boot(300)
        self.machine.run("""set -e
cp /mnt/host/vmlinuz /mnt/host/guest.gz /root/
ip addr add 192.0.2.%d/24 dev eth0; ip link set eth0 up; ip route add default via 192.0.2.9
ip link del xenbr0 2>/dev/null || true
/etc/xen/scripts/network-bridge start netdev=eth0
for i in $(seq 30); do xm list >/dev/null 2>&1 && break; sleep 1; done
xm list""" % self.number, 120, check=True)

    def start_all(self):
        """In a thread of its own, with the machine on: its network, its guests. What goes wrong is kept."""
        try:
            self.start()
            for guest in guests_of(self.name):
                self.create(*guest)
            for name, _, _ in guests_of(self.name):
                self.wait_ready(name)
        except Exception as failure:
            self.failure = failure

    def create(self, name, words, vif):
        with open(os.path.join(self.machine.share, name), "w") as f:
            f.write(CONFIG % {"name": name, "words": words, "vif": vif})
        self.machine.run("xm create /mnt/host/" + name, 300, check=True)

    def console(self, name):
        return self.machine.run("cat /var/log/xen/console/guest-%s.log" % name)[1]

    def wait_ready(self, name, seconds=240):
        status, text = self.machine.run(
            "log=/var/log/xen/console/guest-%s.log; for i in $(seq %d); do grep -q guest-is-ready $log && exit 0; "
            "sleep 5; xm domid %s || break; done; tail -20 $log; exit 1" % (name, seconds / 5 * slowness(), name),
            seconds * 2)
        assert status == 0, text

    def guest(self, name, command, seconds=60):
        """Runs a command in a guest, by its console; returns its exit status and what it printed."""
        self.tokens += 1
        token = "done%d" % self.tokens
        status, text = self.machine.run(
            "log=/var/log/xen/console/guest-%s.log; before=$(wc -c < $log)\n"
            "(sleep 0.5; printf '%%s\\n' '%s; echo %s-\"\"$?'; sleep 0.5) | xm console %s > /dev/null 2>&1 &\n"
            "for i in $(seq %d); do tail -c +$before $log | grep -q '%s-[0-9]' && break; sleep 0.5; done\n"
            "tail -c +$before $log" % (name, command.replace("'", "'\\''"), token, name,
                                       2 * seconds * slowness(), token), seconds * 2)
        match = re.search(token + r"-(\d+)", text)
        assert match, "%s in %s: %s" % (command, name, text)
        return int(match.group(1)), text[:match.start()]


class Net:
    """All of it, started once."""
    wire = None
    hosts = {}
    plain = None

    @classmethod
    def start(cls):
        if cls.wire is None:
            cls.wire = Wire()
            for name in HOSTS:
                cls.hosts[name] = Host(cls.wire, name)
            cls.plain = Machine(hypervisor="none", memory=192, vcpus=1, network=None, tools=False,
                                linux_options="hospes.nonet", extra=cls.wire.card("52:54:00:00:00:09"))
            cls.plain.boot(200)
            cls.plain.run("ip addr add 192.0.2.9/24 dev eth0; ip link set eth0 up; mkdir -p /srv; echo plain > /srv/who; "
                          "httpd -p 80 -h /srv", check=True)
            for host in cls.hosts.values():
                host.machine.start()
            starts = [threading.Thread(target=host.start_all) for host in cls.hosts.values()]
            for thread in starts:
                thread.start()
            for thread in starts:
                thread.join()
            for host in cls.hosts.values():
                if host.failure:
                    raise host.failure

    @classmethod
    def end(cls):
        for machine in [host.machine for host in cls.hosts.values()] + [cls.plain]:
            if machine:
                machine.close()
        if cls.wire:
            cls.wire.__exit__()


def fetch(address, port):
    """A page of a web server. (The static BusyBox's wget needs libraries that only Domain 0 has.)"""
    return "printf 'GET /who HTTP/1.0\\r\\n\\r\\n' | nc -w 10 %s %d | grep ." % (address, port)


def ping(address):
    return "ping -c 1 -W 3 %s >/dev/null" % address


def can(host, name, command):
    return Net.hosts[host].guest(name, command)[0] == 0


@cases.add("guests in three modes start on two machines")
def start():
    Net.start()


@cases.add("guests reach their own Domain 0, the other machine, its guests, and the plain one")
def reach():
    for host, other in (("a", "b"), ("b", "a")):
        n, m = HOSTS[host], HOSTS[other]
        for kind in ("bridge", "route", "nat"):
            whom = ["192.0.2.%d" % n, "192.0.2.%d" % m, "192.0.2.9", "192.0.2.%d1" % m, "192.0.2.%d2" % m]
            lost = Net.hosts[host].guest("%s-%s" % (host, kind), "for i in %s; do %s || echo lo\"\"st $i; done"
                                         % (" ".join(whom), ping("$i")))[1]
            assert "lost" not in lost, (host, kind, lost)


@cases.add("the plain machine reaches bridged and routed guests, NAT guests by their forwarded port only")
def from_outside():
    for n in HOSTS.values():
        for address in ("192.0.2.%d1" % n, "192.0.2.%d2" % n):
            assert Net.plain.run(ping(address), 30)[0] == 0, address
        status, text = Net.plain.run(fetch("192.0.2.%d" % n, 8080), 60)
        assert status == 0 and "-nat" in text, text
    lease = Net.hosts["a"].machine.run("xm network-list --long a-nat; cat /run/hospes/nat/leases")[1]
    address = re.search(r"192\.168\.122\.\d+", lease).group(0)
    Net.plain.run("ip route add 192.168.122.0/24 via 192.0.2.1", check=True)
    assert Net.plain.run(ping(address), 30)[0] != 0, address
    assert Net.plain.run(fetch(address, 80), 60)[0] != 0, address


@cases.add("a NAT guest speaks under Domain 0's address: its own is never on the wire")
def masquerade():
    Net.wire.frames.clear()
    assert can("a", "a-nat", fetch("192.0.2.9", 80))
    sources = {frame[26:30] for _, frame in list(Net.wire.frames) if frame[12:14] == b"\x08\x00"}
    assert bytes([192, 0, 2, 1]) in sources, sources
    assert not any(source[:2] == bytes([192, 168]) for source in sources), sources


def hex_of(text):
    """The first frame that tcpdump -xx has printed."""
    lines = re.findall(r"^\s+0x[0-9a-f]+:  ((?:[0-9a-f]{2,4} ?)+)", text.split("0x0000", 1)[-1].join(["\t0x0000", ""]),
                       re.M)
    return bytes.fromhex("".join(lines).replace(" ", ""))


WALK = []           # (where, what tcpdump printed there), for docs/life-of-a-packet.md


def walk(kind, command, expression):
    """One packet of a guest, as it is seen at every interface on its way to the wire."""
    host, name = Net.hosts["a"], "a-" + kind
    domid = re.search(r"%s +(\d+)" % name, host.machine.run("xm list", check=True)[1]).group(1)
    places = ["vif%s.0" % domid] + (["virbr0", "eth0", "vif0.0"] if kind == "nat" else []) + ["xenbr0", "peth0"]
    for place in places:
        host.machine.run("tcpdump -Z root -i %s -c 1 -n -e -xx -v %s > /tmp/%s.dump 2>&1 &" % (place, expression, place),
                         check=True)
    Net.wire.frames.clear()
    _, text = host.guest(name, "(tcpdump -Z root -i eth0 -c 1 -n -e -xx -v %s > /tmp/dump 2>&1 &) ; sleep 4; %s; sleep 2; "
                         "cat /tmp/dump" % (expression.replace('"', ""), command), 60)
    seen = [("guest's eth0", text)]
    for place in places:
        seen.append((place, host.machine.run("cat /tmp/%s.dump" % place)[1]))
    WALK.append((kind, seen, list(Net.wire.frames)))
    return [(place, hex_of(dump)) for place, dump in seen]


@cases.add("one packet of a bridged guest is the same, byte for byte, at every interface and on the wire")
def walk_bridge():
    seen = walk("bridge", "ping -c 1 -s 20 -p 42 192.0.2.9 > /dev/null", "icmp[icmptype] == icmp-echo")
    assert all(frame and frame == seen[0][1] for _, frame in seen), WALK[-1]
    assert any(frame == seen[0][1] for _, frame in Net.wire.frames), (seen, Net.wire.frames)


@cases.add("one packet of a NAT guest has Domain 0's address from its routing on, the same on every interface behind it")
def walk_nat():
    seen = walk("nat", "ping -c 1 -s 20 -p 42 192.0.2.9 > /dev/null", "icmp[icmptype] == icmp-echo")
    inside, outside = [frame for _, frame in seen[:3]], [frame for _, frame in seen[3:]]
    assert all(frame == inside[0] for frame in inside) and inside[0][26:28] == bytes([192, 168]), WALK[-1]
    assert all(frame == outside[0] for frame in outside) and outside[0][26:30] == bytes([192, 0, 2, 1]), WALK[-1]
    assert outside[0][42:] == inside[0][42:], WALK[-1]
    assert any(frame == outside[0] for _, frame in Net.wire.frames), WALK[-1]


@cases.add("a forged MAC and a forged address are stopped, on a bridge, routed and behind NAT")
def forged():
    for kind in ("bridge", "route", "nat"):
        name = "a-" + kind
        away = "ip link set eth0 down; ip link set eth0 address 00:16:3e:66:66:66; ip link set eth0 up"
        status, text = Net.hosts["a"].guest(name, "cat /sys/class/net/eth0/address; ip -4 route show default")
        mac = re.search(r"00:16:3e(:\w\w){3}", text).group(0)
        router = re.search(r"via (\S+)", text).group(1)
        Net.wire.frames.clear()
        assert not can("a", name, away + "; ip route add default via %s 2>/dev/null; " % router + ping("192.0.2.9")), name
        assert not any(b"\x00\x16\x3e\x66\x66\x66" in frame for _, frame in list(Net.wire.frames)), name
        assert can("a", name, away.replace("00:16:3e:66:66:66", mac) +
                   "; ip route add default via %s 2>/dev/null; sleep 2; " % router + ping("192.0.2.9")), name
        Net.wire.frames.clear()
        assert not can("a", name, "ip addr add 192.0.2.66/24 dev eth0; ping -c 1 -W 3 -I 192.0.2.66 192.0.2.9"), name
        assert not any(bytes([192, 0, 2, 66]) in frame for _, frame in list(Net.wire.frames)), name
        assert can("a", name, "ip addr del 192.0.2.66/24 dev eth0; " + ping("192.0.2.9")), name


@cases.add("a guest that reboots has its card again, under its new number")
def reboot():
    host = Net.hosts["b"]
    host.machine.run("xm reboot -w b-route", 300, check=True)
    deadline = time.time() + 240 * slowness()
    while host.console("b-route").count("guest-is-ready") < 2 and time.time() < deadline:
        time.sleep(2)
    assert Net.plain.run("for i in 1 2 3 4 5; do %s && exit 0; done; exit 1" % ping("192.0.2.22"), 60)[0] == 0
    _, routes = host.machine.run("ip route; ls /sys/class/net")
    assert len(re.findall(r"192\.0\.2\.22 dev vif\d+\.0", routes)) == 1, routes


@cases.add("the end of the guests leaves no interface, route or lease")
def clean():
    machine = Net.hosts["a"].machine
    for name, _, _ in guests_of("a"):
        machine.run("xm destroy " + name, 120, check=True)
    _, text = machine.run("ls /sys/class/net; ip route; cat /run/hospes/nat/hosts")
    assert not re.search(r"vif[1-9]", text) and "192.0.2.12" not in text and "00:16:3e" not in text, text
    assert Net.plain.run(fetch("192.0.2.1", 8080), 60)[0] != 0


if __name__ == "__main__":
    try:
        code = cases.main()
    finally:
        Net.end()
        if os.environ.get("WALK"):
            with open(os.environ["WALK"], "w") as out:
                for kind, seen, wire in WALK:
                    for place, dump in seen:
                        print("== %s: %s\n%s" % (kind, place, dump), file=out)
                    for when, frame in wire:
                        print("wire %.6f %s" % (when, frame.hex()), file=out)
    sys.exit(code)
