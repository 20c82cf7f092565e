#!/usr/bin/env python3
"""Bridge mode on our hypervisor, with an emulated e1000e on the wire, in the small Domain 0 and in a whole Debian
(systemd-networkd, DHCP): an ssh session into Domain 0 from outside, through the wire, lives through start and stop of the
bridge, and through a SIGKILL of network-bridge at every step and between them; VLANs; a link that goes dead; xend's
network_script and xm's commands. TAP."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sessions  # noqa: E402
from tap import Cases  # noqa: E402
from vm import BUILD, TREE, Machine, slowness  # noqa: E402

cases = Cases()

# Of our programs' libraries, those that Debian's disk may not have.
LIBRARIES = r"lib(nl|nftables|microhttpd|xmlrpc|json|edit|bsd|md|gmp)"

# What Domain 0's network is, without what counts by itself. (A default route that a router
# advertised is the kernel's own, which learns it anew; see docs/networks.md.)
STATE = r"""
for link in /sys/class/net/*; do
    echo "$link $(cat $link/address) $(cat $link/ifindex) $(cat $link/flags) $(cat $link/mtu) $(readlink $link/master)"
done | sort
(ip -o addr; ip route show table all; ip -6 route show table all; ip rule) |
    sed -E 's/(valid|preferred)_lft [0-9]+sec/\1_lft N/g; s/ *expires [0-9]+sec//; s/ *$//; /^default via fe80/d; s/ state [A-Z]+//; s/ qdisc [a-z_]+//; s/ tentative//' |
    sort
"""


def overlay(image):
    """The key of whoever comes by ssh; for Debian also our programs, and the libraries that its disk lacks."""
    root = os.path.join(Lab.work, "overlay-" + image)
    os.mkdir(root, 0o755)   # it becomes that of Domain 0's root
    sessions.ssh_overlay(root, Lab.work, program=image == "small")
    if image == "small":
        return root
    for name in ("xenstored", "xenconsoled", "xend", "xm"):
        sessions.add_program(root, os.path.join(BUILD, "bin", name), "/usr/sbin/" + name, LIBRARIES)
    sessions.add_program(root, os.path.join(BUILD, "bin/network-bridge"), "/etc/xen/scripts/network-bridge", LIBRARIES)
    os.makedirs(root + "/etc/xend")
    with open(root + "/etc/xend/xend.conf", "w") as f:
        f.write('network_script = "network-bridge"\n')
    return root


class Lab:
    machine = session = work = None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# network-bridge as it is, but for an environment variable that names the point where it dies.
KILLED = "build/tests/network-bridge-plain"


def boot(image):
    close()
    subprocess.run(["make", "-s", KILLED], cwd=TREE, check=True)
    os.makedirs(os.path.join(BUILD, "test-logs"), exist_ok=True)
    Lab.work = tempfile.mkdtemp(prefix="networks-dom0-")
    port = free_port()
    wire = ["-netdev", "user,id=wire,hostfwd=tcp:127.0.0.1:%d-:22" % port, "-device", "e1000e,netdev=wire"]
    Lab.machine = m = Machine(hypervisor="hospes", image=image, memory=2048, dom0_mem="1G", vcpus=1, network=None, extra=wire,
                              overlays=[overlay(image)], tools=True,
                              log_file=os.path.join(BUILD, "test-logs/networks-dom0-%s.log" % image))
    m.boot()
    subprocess.run(["cp", os.path.join(TREE, KILLED), os.path.join(m.share, "network-bridge-killed")], check=True)
    if image == "small":
        # Started by hand here; the image's own xend knows nothing of the wire.
        m.run("kill $(pidof xend); modprobe e1000e; sleep 2; ip link del xenbr0; ip link set eth0 up; udhcpc -i eth0 -n -q -t 10 -S; "
              "echo 'network_script = \"network-bridge\"' > /etc/xend/xend.conf", 120)
    m.run("for i in $(seq 60); do ip route | grep -q ^default && break; sleep 1; done; ip route | grep ^default", 200, check=True)
    m.run("for m in veth bridge 8021q; do modprobe $m; done; " + sessions.START_SSH, check=True)
    Lab.session = sessions.Ssh(port, Lab.work)
    Lab.session.lives(60)


def close():
    if Lab.machine:
        Lab.machine.close()
    if Lab.session:
        Lab.session.end()
    if Lab.work:
        shutil.rmtree(Lab.work, ignore_errors=True)
    Lab.machine = Lab.session = Lab.work = None


def command(words, expect=0, limit=120):
    status, text = Lab.machine.run(words, limit)
    assert status == expect, "%s ends with %d: %s" % (words, status, text)
    return text


def bridge(words, expect=0):
    return command("/etc/xen/scripts/network-bridge " + words, expect, 200)


def state():
    return command(STATE)


def same(before, limit=20):
    """The network is as it was; systemd-networkd may still be at work on what it was told of."""
    end = time.time() + limit * slowness()
    while True:
        now = state()
        if now == before:
            return
        if time.time() > end:
            gone = [line for line in before.split("\n") if line not in now.split("\n")]
            new = [line for line in now.split("\n") if line not in before.split("\n")]
            raise AssertionError("gone: %s\nnew: %s" % ("\n  ".join(gone), "\n  ".join(new)))
        time.sleep(1)


def start_and_stop():
    names = command("cat /etc/resolv.conf")
    before = state()
    for _ in range(2):
        assert "eth0 is on xenbr0" in bridge("start")
        Lab.session.lives()
        shown = command("ls /sys/class/net/xenbr0/brif; ip -o addr show dev eth0; ip route; cat /sys/class/net/peth0/address")
        assert all(x in shown for x in ("peth0", "vif0.0", "default via 10.0.2.2 dev eth0", "fe:ff:ff:ff:ff:ff")), shown
        assert "eth0 is on xenbr0 already" in bridge("start")
        assert "eth0 has left xenbr0" in bridge("stop")
        Lab.session.lives()
    print("# the longest wait for an answer: %.1f s" % Lab.session.gap())
    same(before)
    assert command("cat /etc/resolv.conf") == names


def vlan():
    bridge("stop")
    command("""set -e
        ip link add link eth0 name eth0.5 type vlan id 5; ip link add link eth0 name eth0.6 type vlan id 6
        ip addr add 10.5.0.2/24 dev eth0.5; ip link set eth0.5 up; ip -6 addr add fd05::2/64 dev eth0.5
        ip route add 10.55.0.0/16 via 10.5.0.1; ip route add 10.56.0.0/16 via 10.5.0.1 table 77; sleep 3""")
    before = state()
    wanted = command("ip -o addr show dev eth0.5; cat /sys/class/net/eth0.6/flags; ip route show table all dev eth0.5; "
                     "cat /sys/class/net/eth0.5/address /sys/class/net/eth0.6/address")
    for word in ("start", "stop"):
        bridge(word)
        Lab.session.lives()
        now = command("ip -o addr show dev eth0.5; cat /sys/class/net/eth0.6/flags; ip route show table all dev eth0.5; "
                      "cat /sys/class/net/eth0.5/address /sys/class/net/eth0.6/address")
        assert now == wanted, "%s: %s became %s" % (word, wanted, now)
    same(before)
    command("ip link del eth0.5; ip link del eth0.6")


def alone():
    """Debian's systemd-networkd ends, and what it had configured stays. It would give a new eth0 its addresses once more, its
    own way (version 252 gives an address that it finds there no metric): exactness could not be asked of us. How its work and
    ours get on is seen in the cases before."""
    command("pidof systemd-networkd || exit 0; ip addr save dev eth0 > /tmp/addresses; ip route save > /tmp/routes; "
            "systemctl stop systemd-networkd.socket systemd-networkd; ip addr restore < /tmp/addresses; "
            "ip route restore < /tmp/routes; ip route | grep ^default")


def kill_everywhere(word, pace):
    """Killed before the first point, and at every pace-th after it; points are lines of the journal and changes."""
    alone()
    bridge("start" if word == "stop" else "stop")
    Lab.session.lives()
    before = state()
    point = 0
    while True:
        status, text = Lab.machine.run("DIE_AT=%d /mnt/host/network-bridge-killed %s" % (point, word), 200)
        if status == 0:
            break
        assert status == 137, text
        command("for i in $(seq 50); do test -e /var/lib/xend/network/journal || exit 0; sleep 0.2; done; exit 1")
        Lab.session.lives()
        same(before)
        point += pace
    assert point > 25, "there are only %d points" % point
    Lab.session.lives()
    if word == "start":
        bridge("stop")
    print("# killed at %d points; the longest wait for an answer: %.1f s" % (point / pace, Lab.session.gap()), flush=True)


def dead_link():
    """Something takes the wire down again and again, as a bad cable does."""
    bridge("stop")
    before = state()
    text = command("(while :; do ip link set peth0 down 2>/dev/null; sleep 0.2; done) & bad=$!; "
                   "/etc/xen/scripts/network-bridge start wait=6; rc=$?; kill $bad; exit $rc", 1, 200)
    assert "Everything was rolled back" in text, text
    same(before)
    Lab.session.lives()


def with_xend():
    command("""set -e
        for m in xen-privcmd xen-evtchn xen-gntdev xen-blkback xen-netback bridge loop; do modprobe $m; done
        [ -e /proc/xen/xsd_port ] || mount -t xenfs xenfs /proc/xen
        mkdir -p /run/xenstored /run/xen /var/lib/xenstored /var/log/xen /var/run/xend
        pidof xenstored || xenstored
        pidof xenconsoled || xenconsoled --log=all""", limit=200)
    start = "xend --log /var/log/xend.log start; for i in $(seq 60); do xm list >/dev/null 2>&1 && break; sleep 1; done; xm list"
    command(start, limit=300)
    assert "eth0 is on xenbr0, through peth0" in command("xm network-status")
    Lab.session.lives()
    assert "Nothing is to be done" in command("xm network-plan")
    shown = command("xm network-plan stop")
    assert "Rename peth0 to eth0" in shown and "must answer on eth0" in shown, shown
    assert "eth0 has left xenbr0" in command("xm network-stop", limit=200)
    Lab.session.lives()
    shown = command("xm network-plan netdev=eth0 bridge=xenbr7 --long")
    assert "Create the bridge xenbr7" in shown and "ARP is turned off" in shown, shown
    assert "There is no interface eth5" in command("xm network-start netdev=eth5", expect=1)
    # The program stops half-way, and is killed together with its watchdog: the next start of xend rolls back.
    command("STOP_AT=25 /mnt/host/network-bridge-killed start & sleep 3; killall -9 network-bridge-killed; sleep 1; "
            "test -e /var/lib/xend/network/journal", limit=200)
    command("kill -9 $(pidof xend); sleep 1; " + start, limit=300)
    Lab.session.lives(60)
    assert "Rolled back" in command("grep -i 'rolled back' /var/log/xend.log")
    assert "eth0 is on xenbr0, through peth0" in command("xm network-status")
    command("xm network-stop", limit=200)
    Lab.session.lives()


for image, pace in (("small", 3), ("debian", 6)):
    cases.add(image + ": a session into Domain 0 from outside is open", image)(boot)
    cases.add(image + ": it lives through start and stop of the bridge, twice")(start_and_stop)
    cases.add(image + ": a VLAN keeps its MAC, state, addresses and routes")(vlan)
    cases.add(image + ": xend starts the bridge; xm shows plans, stops and starts it")(with_xend)
    cases.add(image + ": a link that stays dead: rolled back")(dead_link)
    cases.add(image + ": killed at every step of start, it lives", "start", pace)(kill_everywhere)
    cases.add(image + ": killed at every step of stop, it lives", "stop", pace)(kill_everywhere)

if __name__ == "__main__":
    code = cases.main()
    close()
    sys.exit(code)
