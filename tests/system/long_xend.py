#!/usr/bin/env python3
"""Our toolstack (xenstored, xenconsoled, xend, xm) on Debian's stock Xen 4.17 and on our hypervisor: a PV guest of
Debian's stock kernel is created, uses its disk and its network card, is given and robbed of devices, survives a killed xend, reboots, crashes
and goes, and leaves nothing behind. TAP."""

import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import Cases  # noqa: E402
from vm import BUILD, CACHE, TREE, Machine  # noqa: E402

cases = Cases()

# What the guest does: it writes its disk, answers on the network and tells what it sees every few seconds.
GUEST = """#!/bin/sh
echo 1 > /proc/sys/kernel/sysrq
modprobe -a xen-blkfront xen-netfront
sleep 1
ip addr add 10.9.0.2/24 dev eth0
ip link set eth0 up
echo "hello-from-the-guest" | dd of=/dev/xvda bs=512 count=1 conv=sync oflag=direct
ping -c 3 10.9.0.1 && echo pinged-domain-0
(while :; do echo "sees $(ls -d /dev/xvd* | wc -l) disks $(ls /sys/class/net | grep -c eth) cards"; sleep 3; done) &
"""

CONFIG = """name = "g1"
memory = 256
maxmem = 300
kernel = "/root/vmlinuz"
ramdisk = "/root/guest.gz"
extra = "console=hvc0"
disk = [ 'file:/root/a.img,xvda,w' ]
vif = [ 'bridge=xenbr0' ]
on_crash = "destroy"
"""

START = """set -e
cp /mnt/host/vmlinuz /mnt/host/guest.gz /root/
truncate -s 16M /root/a.img; truncate -s 8M /root/b.img
cp /mnt/host/g1.cfg /root/
for m in xen-blkback xen-netback bridge loop; do modprobe $m; done
mkdir -p /run/xenstored /run/xen /var/lib/xenstored /var/log/xen /var/run/xend
pidof xenstored || xenstored
pidof xenconsoled || xenconsoled --log=all
[ -e /sys/class/net/xenbr0 ] || ip link add xenbr0 type bridge
ip link set xenbr0 up; ip addr add 10.9.0.1/24 dev xenbr0
pidof xend || xend --log /var/log/xend.log start
for i in $(seq 30); do xm list >/dev/null 2>&1 && break; sleep 1; done
xm list"""

LOG = "/var/log/xen/console/guest-g1.log"


def prepare(share):
    """The guest's kernel, ramdisk and configuration, in the machine's share."""
    overlay = tempfile.mkdtemp(prefix="xend-guest-")
    script = os.path.join(overlay, "etc/hospes/start.d/50-guest")
    os.makedirs(os.path.dirname(script))
    with open(script, "w") as f:
        f.write(GUEST)
    os.chmod(script, 0o755)
    image = os.path.join(overlay, "guest.cpio")
    subprocess.run([os.path.join(TREE, "dom0/image"), "--kernel", "6.1", "--output", image, "--overlay",
                    overlay], check=True)
    with open(os.path.join(share, "guest.gz"), "wb") as f:
        subprocess.run(["gzip", "-1c", image], stdout=f, check=True)
    subprocess.run(["cp", os.path.join(CACHE, "linux/6.1/vmlinuz"), share + "/vmlinuz"], check=True)
    with open(share + "/g1.cfg", "w") as f:
        f.write(CONFIG)


def overlay():
    """The daemons that the small image does not bring by itself."""
    root = tempfile.mkdtemp(prefix="xend-dom0-")
    os.makedirs(root + "/usr/sbin")
    for name in ("xenstored", "xenconsoled", "xend", "xm"):
        subprocess.run(["cp", os.path.join(BUILD, "bin", name), root + "/usr/sbin/"], check=True)
    return root


def listing(m, command):
    _, text = m.run(command, 60, check=True)
    return json.loads(text)


def domains(m):
    return {d["name"]: d for d in listing(m, "xm list --json")}


def wait_log(m, what, seconds=400):
    status, text = m.run("for i in $(seq %d); do grep -q '%s' %s && exit 0; sleep 1; done; tail -5 %s; exit 1"
                         % (seconds, what, LOG, LOG), seconds * 2)
    assert status == 0, text


def free_memory(m):
    return {p: v for p, v in listing(m, "xm info --json").items()}["free_memory"]


def life(m):
    before = free_memory(m)
    _, text = m.run("xm create --check /root/g1.cfg && xm create /root/g1.cfg", 300, check=True)
    assert "Started domain g1" in text, text
    wait_log(m, "pinged-domain-0")
    _, text = m.run("head -c 20 /root/a.img; ping -c 1 10.9.0.2", 60, check=True)
    assert text.startswith("hello-from-the-guest"), text
    disk, = listing(m, "xm block-list --json g1")
    card, = listing(m, "xm network-list --json g1")
    assert disk["state"] == "4" and card["state"] == "4", (disk, card)
    return before


def hotplug(m):
    m.run("xm block-attach g1 file:/root/b.img xvdb w && xm network-attach g1", 200, check=True)
    wait_log(m, "sees 2 disks 2 cards", 100)
    status, text = m.run("xm block-attach g1 file:/root/a.img xvdc w", 60)
    assert status == 1 and "in use by g1" in text, text
    m.run("kill -9 $(pidof xend); sleep 1; xend --log /var/log/xend.log start; sleep 3", 60, check=True)
    assert domains(m)["g1"]["state_name"] == "running"
    assert len(listing(m, "xm block-list --json g1")) == 2
    m.run("xm block-detach g1 xvdb && xm network-detach g1 1", 200, check=True)
    assert len(listing(m, "xm network-list --json g1")) == 1


def change(m):
    m.run("xm mem-set g1 200 && xm sched-credit -d g1 -w 512 && xm pause g1", 60, check=True)
    assert domains(m)["g1"]["state"][2] == "p"
    m.run("xm unpause g1", 60, check=True)
    assert {s["name"]: s["weight"] for s in listing(m, "xm sched-credit --json")}["g1"] == 512
    for _ in range(60):
        if abs(domains(m)["g1"]["memory"] - 200) <= 2:
            return
        time.sleep(1)
    raise AssertionError("the guest does not shrink: %r" % domains(m)["g1"]["memory"])


def end(m, before):
    first = domains(m)["g1"]["domid"]
    m.run("xm reboot -w g1", 400, check=True)
    assert domains(m)["g1"]["domid"] > first
    m.run("rm -f /root/seen; cp %s /root/seen; :> %s" % (LOG, LOG), 60)
    wait_log(m, "pinged-domain-0")
    m.run("xm sysrq g1 c; for i in $(seq 60); do xm domid g1 2>/dev/null || exit 0; sleep 1; done; exit 1", 200,
          check=True)
    assert list(domains(m)) == ["Domain-0"]
    status, text = m.run("losetup -a | grep img; ls /sys/class/net | grep vif; ls /sys/bus/xen-backend/devices", 60)
    assert text.strip() == "", text
    after = free_memory(m)
    assert after >= before - 1, (before, after)


def whole(hypervisor):
    with Machine(hypervisor=hypervisor, memory=3072, dom0_mem="1G", overlays=[overlay()],
                 log_file=os.environ.get("XEND_LOG")) as m:
        prepare(m.share)
        m.boot(timeout=400)
        status, text = m.run(START, 120)
        assert status == 0, text
        before = life(m)
        hotplug(m)
        change(m)
        end(m, before)


@cases.add("a guest's life under our toolstack on stock Xen")
def on_xen():
    whole("xen")


@cases.add("a guest's life under our toolstack on our hypervisor")
def on_hospes():
    whole("hospes")


if __name__ == "__main__":
    sys.exit(cases.main())
