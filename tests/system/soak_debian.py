#!/usr/bin/env python3
"""The long tests of Domain 0 (make soak): a whole Debian under load for ten minutes on build/hospes, from a virtio disk
and from AHCI, with virtio-net and e1000e. TAP. HYPERVISOR=xen runs the same on Debian's Xen; SOAK_SECONDS is the length
of the load (default 600)."""

import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import Cases  # noqa: E402
from vm import Machine  # noqa: E402

HYPERVISOR = os.environ.get("HYPERVISOR", "hospes")
SECONDS = int(os.environ.get("SOAK_SECONDS", "600"))

cases = Cases()


def kernel_trouble(machine):
    """Messages that mean a broken kernel, whatever their level."""
    _, text = machine.run("dmesg", 60)
    return re.findall(r"^.*(?:BUG:|Oops|general protection|bad page|Bad page|WARNING: CPU|soft lockup).*$", text, re.M)


def clock_error(machine, seconds):
    """How far Domain 0's clock runs from this machine's, as a fraction. Each reading is bracketed by two of ours."""
    def read():
        before = time.time()
        _, text = machine.run("cat /proc/uptime", 60, check=True)
        return (before + time.time()) / 2, float(text.split()[0]), time.time() - before
    host0, guest0, error0 = read()
    machine.wait(seconds)
    host1, guest1, error1 = read()
    span = host1 - host0
    return abs((guest1 - guest0) / span - 1), (error0 + error1) / 2 / span


def load(disk_bus, network, vcpus):
    with Machine(hypervisor=HYPERVISOR, image="debian", memory=2048, vcpus=vcpus, disk_bus=disk_bus,
                 network=network) as machine:
        machine.boot(400)
        machine.run("ping -c 3 10.0.2.2 && grep -E 'virtio|e1000e|eth0|ahci' /proc/interrupts", 60, check=True)
        machine.run("cd /tmp && for i in $(seq 40); do echo \"int f$i(int x) { return x * $i; }\" > f$i.c; done && "
                    "echo 'all: $(patsubst %.c,%.o,$(wildcard f*.c))' > Makefile && make -j$(nproc)",
                    300, check=True)
        status, text = machine.run("stress-ng --cpu 1 --vm 1 --vm-bytes 128M --fork 1 --switch 1 --signal 1 --mmap 1 "
                                   "--hdd 1 --hdd-bytes 64M --temp-path /var/tmp --timeout %d --metrics-brief "
                                   "--verify" % SECONDS, SECONDS * 2 + 300)
        assert status == 0, text
        trouble = kernel_trouble(machine)
        assert not trouble, trouble
        machine.poweroff(300)


cases.add("stress on virtio-blk and virtio-net, 2 vCPUs", "virtio", "virtio-net-pci", 2)(load)
cases.add("stress on AHCI and e1000e, 4 vCPUs", "ahci", "e1000e", 4)(load)


@cases.add("Domain 0's clock keeps the machine's time within 0.1 %")
def clock():
    with Machine(hypervisor=HYPERVISOR, vcpus=2, memory=1024) as machine:
        machine.boot()
        error, uncertainty = clock_error(machine, max(60, SECONDS // 2))
        assert error <= 0.001 + uncertainty, "%.4f %% off" % (error * 100)


if __name__ == "__main__":
    sys.exit(cases.main())
