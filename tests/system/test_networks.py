#!/usr/bin/env python3
"""Networks on one machine: a small Domain 0 with an emulated e1000e, a guest on its bridge and one behind its NAT. An ssh
session from outside lives through start and stop of the bridge; the bridged guest gets its address from the wire's own
server; the guest behind NAT gets a lease and names, reaches the outside under Domain 0's address, and is reached at its
forwarded port. The outside is QEMU's user network; what is on the wire is captured. TAP.

long_networks.py does it with several machines and all modes, long_networks_dom0.py with kills and a whole Debian."""

import os
import re
import shutil
import socket
import struct
import sys
import tempfile
import threading
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sessions  # noqa: E402
import world  # noqa: E402
from tap import Cases  # noqa: E402
from vm import Machine, slowness  # noqa: E402

cases = Cases()

# A guest: an address by DHCP, a web server that says who it is, and a shell for whoever calls port 99.
GUEST = """
modprobe xen-netfront
for i in $(seq 100); do [ -e /sys/class/net/eth0 ] && break; usleep 100000; done
ip link set eth0 up
udhcpc -i eth0 -t 20 -T 2 -n -q
mkdir -p /srv
cat /sys/class/net/eth0/address > /srv/who
httpd -p 80 -h /srv
(while :; do nc -l -p 99 -e sh; done) < /dev/null > /dev/null 2>&1 &
echo "guest-is-ready at $(ip -4 -o addr show dev eth0 | sed 's/.*inet \\([0-9.]*\\).*/\\1/')"
"""

MACS = {"bridged": "00:16:3e:00:00:01", "nat": "00:16:3e:00:00:02"}
VIFS = {"bridged": "mac=%s, bridge=xenbr0" % MACS["bridged"],
        "nat": "mac=%s, script=vif-nat, forward=tcp:8080:80" % MACS["nat"]}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Outside:
    """The host's end of the wire: a server that answers with the port that it was called from."""

    def __init__(self):
        self.calls = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            connection, address = self.listener.accept()
            self.calls.append(connection.recv(100))
            connection.sendall(b"hello from outside\n")
            connection.close()


class Lab:
    machine = session = outside = work = None
    ports = {}
    addresses = {}


def command(words, expect=0, limit=120):
    status, text = Lab.machine.run(words, limit)
    assert status == expect, "%s ends with %d: %s" % (words, status, text)
    return text


def in_guest(name, words):
    """What a shell in the guest prints."""
    base = os.path.join(Lab.machine.share, "words")
    with open(base, "w") as f:
        f.write(words + "\n")
    return command("for i in $(seq 20); do nc -w 60 %s 99 < /mnt/host/words && exit 0; sleep 1; done; exit 1"
                   % Lab.addresses[name], limit=200)


def frames():
    """All frames that were on the wire so far (pcap of QEMU's filter-dump)."""
    with open(os.path.join(Lab.work, "wire.pcap"), "rb") as f:
        data = f.read()
    at, found = 24, []
    while at + 16 <= len(data):
        size, = struct.unpack_from("<I", data, at + 8)
        found.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return found


@cases.add("an ssh session into Domain 0 is open")
def boot():
    Lab.work = tempfile.mkdtemp(prefix="networks-nat-")
    overlay = Lab.work + "/overlay"
    os.mkdir(overlay)
    sessions.ssh_overlay(overlay, Lab.work)
    Lab.outside = Outside()
    Lab.ports = {"ssh": free_port(), "http": free_port()}
    wire = ["-netdev", "user,id=wire,hostfwd=tcp:127.0.0.1:%(ssh)d-:22,hostfwd=tcp:127.0.0.1:%(http)d-:8080" % Lab.ports,
            "-device", "e1000e,netdev=wire", "-object", "filter-dump,id=dump,netdev=wire,file=%s/wire.pcap" % Lab.work]
    Lab.machine = m = Machine(hypervisor="hospes", memory=1024, dom0_mem="512M", network=None, extra=wire,
                              overlays=[overlay], linux_options="hospes.nonet",
                              log_file=os.environ.get("NETWORKS_LOG"))
    shutil.copy(m.vmlinuz, os.path.join(m.share, "vmlinuz"))
    world.script_ramdisk(os.path.join(m.share, "guest.cpio"), GUEST)
    m.boot(300)
    command("ip link del xenbr0; modprobe e1000e; for i in $(seq 50); do [ -e /sys/class/net/eth0 ] && break; usleep 100000; "
            "done; ip link set eth0 up; udhcpc -i eth0 -n -q -t 10 -S && " + sessions.START_SSH)
    Lab.session = sessions.Ssh(Lab.ports["ssh"], Lab.work)
    Lab.session.lives(60)


@cases.add("it lives through start, stop and start of the bridge; the network is afterwards what it was")
def bridge():
    look = "ip -o link | sed 's/ qlen.*//'; ip -o addr | sed 's/valid_lft.*//'; ip route; cat /sys/class/net/eth0/address"
    before = command(look)
    assert "eth0 is on xenbr0" in command("xm network-start", limit=200)
    Lab.session.lives()
    shown = command("ls /sys/class/net/xenbr0/brif; ip -o addr show dev eth0; ip route; cat /sys/class/net/peth0/address")
    assert all(x in shown for x in ("peth0", "vif0.0", "default via 10.0.2.2 dev eth0", "fe:ff:ff:ff:ff:ff")), shown
    assert "eth0 has left xenbr0" in command("xm network-stop", limit=200)
    Lab.session.lives()
    now = command(look)
    assert now == before, "%s\nbecame\n%s" % (before, now)
    command("xm network-start", limit=200)
    Lab.session.lives()


@cases.add("guests on the bridge and behind NAT get their addresses by DHCP")
def start():
    for name, vif in VIFS.items():
        path = world.config(Lab.machine.share, name, kernel="/mnt/host/vmlinuz", ramdisk="/mnt/host/guest.cpio", memory=112,
                            extra="console=hvc0 quiet hospes.nonet", vif=[vif])
        command("xm create " + path, limit=300)
    for name in VIFS:
        world.wait_console(Lab.machine, name, "guest-is-ready", int(120 * slowness()))
        text = command("cat " + world.console_log(name))
        match = re.search(r"guest-is-ready at (\d+\.\d+\.\d+\.\d+)", text)
        assert match, "%s has no address:\n%s" % (name, text)
        Lab.addresses[name] = match.group(1)
    assert Lab.addresses["bridged"].startswith("10.0.2."), Lab.addresses
    assert Lab.addresses["nat"].startswith("192.168.122."), Lab.addresses
    assert Lab.addresses["nat"] in command("cat /run/hospes/nat/leases; xm network-list --long nat")
    Lab.session.lives()


@cases.add("each reaches the outside, the bridged guest under its own address, the other under Domain 0's")
def reach():
    for name in VIFS:
        text = in_guest(name, "echo from-%s | nc -w 20 10.0.2.2 %d" % (name, Lab.outside.port))
        assert "hello from outside" in text, (name, text)
    assert sorted(Lab.outside.calls) == [b"from-bridged\n", b"from-nat\n"], Lab.outside.calls
    dom0 = re.search(r"inet (\S+)/", command("ip -4 -o addr show dev eth0")).group(1)
    calls = {name: frame for frame in frames() for name in VIFS if b"from-" + name.encode() in frame}
    assert calls["bridged"][26:30] == socket.inet_aton(Lab.addresses["bridged"])
    assert calls["bridged"][6:12] == bytes.fromhex(MACS["bridged"].replace(":", ""))
    assert calls["nat"][26:30] == socket.inet_aton(dom0)
    assert not any(bytes([192, 168, 122]) in frame[26:33] for frame in frames() if frame[12:14] == b"\x08\x00")
    assert not any(bytes.fromhex(MACS["nat"].replace(":", "")) in frame[:12] for frame in frames())


@cases.add("the guest behind NAT has names: its own, and those that Domain 0's own server knows")
def names():
    command("dnsmasq -C /dev/null -x /tmp/upstream.pid -u root --no-resolv --listen-address=127.0.0.1 --bind-interfaces "
            "--address=/outside.example/192.0.2.77 && echo 'nameserver 127.0.0.1' > /etc/resolv.conf && sleep 2")
    text = in_guest("nat", "nslookup nat; nslookup outside.example")
    assert Lab.addresses["nat"] in text and "192.0.2.77" in text, text
    command("kill $(cat /tmp/upstream.pid)")


@cases.add("the outside reaches the guest behind NAT at its forwarded port, and at no other")
def forward():
    page = urllib.request.urlopen("http://127.0.0.1:%d/who" % Lab.ports["http"], timeout=30 * slowness()).read().decode()
    assert page.strip() == MACS["nat"], page
    rules = command("cat /proc/sys/net/ipv4/ip_forward; xm network-status network-nat")
    assert rules.startswith("1") and "NAT mode is on" in rules, rules


@cases.add("the end of the guests and of NAT mode leaves nothing; the session is still open")
def end():
    for name in VIFS:
        command("xm destroy " + name)
    command("for i in $(seq 50); do ls /sys/class/net | grep -q 'vif[1-9]' || exit 0; sleep 0.2; done; exit 1")
    assert "NAT mode is off" in command("xm network-stop network-nat")
    text = command("ls /sys/class/net; cat /proc/sys/net/ipv4/ip_forward; pidof dnsmasq; ls -A /run/hospes 2>/dev/null; true")
    assert "virbr0" not in text and "vif1" not in text and text.strip().endswith("\n0"), text
    Lab.session.lives()
    assert "eth0 has left xenbr0" in command("xm network-stop", limit=200)
    Lab.session.lives()
    print("# the longest wait for an answer: %.1f s" % Lab.session.gap())
    Lab.session.end()
    Lab.machine.poweroff()


if __name__ == "__main__":
    code = cases.main()
    if Lab.machine:
        Lab.machine.close()
    shutil.rmtree(Lab.work, ignore_errors=True)
    sys.exit(code)
