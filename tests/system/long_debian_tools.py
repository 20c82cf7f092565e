#!/usr/bin/env python3
"""Debian's stock tools on build/hospes: xl, xenstored, xenconsoled and xenstore-ls of Debian 12 run the life cycle of a
PV guest (Debian's stock kernel, a whole userland on a disk, a network card) as they do on Xen 4.17. TAP.

HYPERVISOR=xen runs the same on Debian's Xen, which tells a fault of the test from one of ours."""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import Cases  # noqa: E402
from vm import CACHE, Machine  # noqa: E402

HYPERVISOR = os.environ.get("HYPERVISOR", "hospes")
CONFIG = """name = "g1"
kernel = "/srv/guests/vmlinuz"
ramdisk = "/srv/guests/initrd"
cmdline = "root=/dev/xvda ro console=hvc0"
memory = 512
vcpus = 2
disk = ["phy:/dev/vdb,xvda,w"]
vif = ["bridge=br0,mac=00:16:3e:00:00:01"]
"""

cases = Cases()
machine = None      # one machine for all cases, which build on one another


def names():
    """The domains of xl list."""
    _, text = machine.run("xl list", 60, check=True)
    return [line.split()[0] for line in text.strip().split("\n")[1:]]


def free_memory():
    """MiB without an owner. Reclaiming is deferred a little: asked until it stands still."""
    _, text = machine.run("sleep 2; xl info free_memory", 60, check=True)
    return int(text)


@cases.add("Debian boots as Domain 0 and starts xenstored and xenconsoled")
def start():
    global machine
    machine = Machine(hypervisor=HYPERVISOR, image="debian", memory=4096, dom0_mem="2G",
                      disks=[(os.path.join(CACHE, "disks/domu.raw"), "snapshot=on")])
    machine.boot(400)
    machine.run("service xen start", 120, check=True)
    machine.run("ip link add br0 type bridge; ip addr add 192.168.77.1/24 dev br0; ip link set br0 up", check=True)
    assert names() == ["Domain-0"], names()
    _, text = machine.run("xl info", check=True)
    assert re.search(r"^total_memory\s*: 409\d$", text, re.M), text
    _, text = machine.run("xenstore-ls /local/domain/0", check=True)
    assert 'domid = "0"' in text, text
    start.free = free_memory()


@cases.add("xl create starts a guest that reaches its login")
def create():
    with open(os.path.join(machine.share, "g1.cfg"), "w") as f:
        f.write(CONFIG)
    machine.run("xl create /mnt/host/g1.cfg", 180, check=True)
    assert names() == ["Domain-0", "g1"], names()
    machine.type("xl console g1\n")
    machine.expect(r"domu login: ", 240)
    machine.type("root\n")
    machine.expect(r"root@domu:\S*# ", 60)
    # networkd would take away again an address that it has not given.
    machine.type("systemctl stop systemd-networkd.socket systemd-networkd; "
                 "ip addr add 192.168.77.2/24 dev eth0; ip link set eth0 up; lsblk -n | grep -c xvda; nproc; echo guest-'ready'\n")
    match = machine.expect(r"1\s+2\s+guest-ready", 60)
    assert match
    machine.type("\x1d")
    machine.expect(r"root@dom0:\S*# ", 20)


@cases.add("the guest's network card reaches Domain 0")
def network():
    machine.run("ping -c 3 -W 5 192.168.77.2", 60, check=True)


@cases.add("xl pauses and unpauses the guest; xenstore-ls shows its devices")
def pause():
    machine.run("xl pause g1", check=True)
    _, text = machine.run("xl list g1 | tail -1", check=True)
    assert re.search(r"--p---", text), text
    status, _ = machine.run("ping -c 1 -W 2 192.168.77.2")
    assert status != 0
    machine.run("xl unpause g1 && ping -c 2 -W 5 192.168.77.2", check=True)
    _, text = machine.run("xenstore-read /local/domain/0/backend/vbd/$(xl domid g1)/51712/state", check=True)
    assert text.strip() == "4", text


@cases.add("xl shutdown ends it and everything is given back")
def shutdown():
    machine.run("xl shutdown -w g1", 180, check=True)
    machine.run("for i in $(seq 30); do xl list g1 >/dev/null 2>&1 || exit 0; sleep 1; done; exit 1", 60, check=True)
    after = free_memory()
    # xenstored keeps what it has once allocated, but no memory of the guest may be missing.
    assert abs(start.free - after) <= 2, "free memory before %d, after %d MiB" % (start.free, after)


@cases.add("a guest is destroyed in the middle of its work")
def destroy():
    machine.run("xl create /mnt/host/g1.cfg", 180, check=True)
    machine.run("sleep 5; xl destroy g1", 120, check=True)
    assert names() == ["Domain-0"], names()
    after = free_memory()
    assert abs(start.free - after) <= 2, "free memory before %d, after %d MiB" % (start.free, after)
    machine.poweroff(200)


if __name__ == "__main__":
    try:
        code = cases.main()
    finally:
        if machine:
            machine.close()
    sys.exit(code)
