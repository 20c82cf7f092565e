#!/usr/bin/env python3
"""Two hundred creations and destructions of guests, each with a disk and a network card, leave nothing behind: free
memory, the store, Domain 0's event ports, the open files, threads and memory of xend, xenstored and xenconsoled, and
Domain 0's own memory, loop devices and backends are what they were. A small kernel of our own for most of them,
Debian's stock kernel, which connects its devices, for the rest. TAP; arguments select cases ("on hospes").

CYCLES and LINUX_CYCLES in the environment change the counts (180 and 20)."""

import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import world  # noqa: E402
from tap import Cases  # noqa: E402
from vm import BUILD, CACHE  # noqa: E402

cases = Cases()
state = {}
CYCLES = int(os.environ.get("CYCLES", "180"))
LINUX_CYCLES = int(os.environ.get("LINUX_CYCLES", "20"))
# What may grow: caches of the kernel and of malloc. Everything else is exact.
SLACK = {"pid": None, "rss": 1500, "dom0.available": 12000, "dom0.slab": 6000, "dom0.processes": 3,
         # The hypervisor's small-object allocator may keep part-used pages.
         "free_pages": 16}
# Ends as the guest's owner may end it: in the middle of whatever it does.
CYCLE = """n=0; while [ $n -lt %(count)d ]; do
    xm create -q /mnt/host/%(name)s || { echo "creation $n failed"; exit 1; }
    %(between)s
    xm destroy %(name)s || { echo "destruction $n failed"; exit 1; }
    n=$((n + 1))
done; xm list | wc -l"""


def machine_of(hypervisor):
    if state.get("hypervisor") != hypervisor:
        if state:
            state["machine"].close()
        share = tempfile.mkdtemp(prefix="hospes-cycles-")
        shutil.copy(os.path.join(BUILD, "tests/guests/domu/neighbour"), share + "/neighbour")
        shutil.copy(os.path.join(CACHE, "linux/6.1/vmlinuz"), share + "/vmlinuz")
        world.script_ramdisk(share + "/guest.cpio",
                             "modprobe -a xen-blkfront xen-netfront; sleep 1; ip link set eth0 up\n"
                             "dd if=/dev/xvda of=/dev/null bs=1M count=4 && echo read-the-disk\n")
        devices = {"disk": ["file:/root/disk.img,xvda,w"], "vif": ["bridge=xenbr0"]}
        world.config(share, "tiny", kernel="/mnt/host/neighbour", extra="idle", memory=16, vcpus=2, **devices)
        world.config(share, "linux", kernel="/mnt/host/vmlinuz", ramdisk="/mnt/host/guest.cpio", vcpus=2,
                     extra="console=hvc0 quiet", memory=192, **devices)
        machine = world.start_machine(hypervisor, "CYCLES_LOG", share=share, memory=3072)
        state.update(hypervisor=hypervisor, share=share, machine=machine)
        machine.run("truncate -s 8M /root/disk.img", check=True)
    return state["machine"]


def run_cycles(machine, name, count, between=":"):
    """Cycles in pieces, so that the time limit of each is modest; seconds for one."""
    begin, left = time.time(), count
    while left > 0:
        piece = min(left, 20)
        status, text = machine.run(CYCLE % {"count": piece, "name": name, "between": between}, 60 + piece * 40)
        assert status == 0 and text.strip().endswith("2"), text
        left -= piece
    return (time.time() - begin) / max(count, 1)


def cycles(hypervisor, name, count, between):
    machine = machine_of(hypervisor)
    run_cycles(machine, name, 3, between)           # what is made once: caches, modules, threads
    before = world.Ledger(machine, 10)
    print("# before: %s" % before)
    each = run_cycles(machine, name, count, between)
    after = world.Ledger(machine, 10)
    print("# after:  %s" % after)
    print("# %d cycles, %.2f s each" % (count, each), flush=True)
    worse = after.compare(before, SLACK)
    assert not worse, "; ".join(worse)


UP = "for i in $(seq 120); do grep -aq read-the-disk /var/log/xen/console/guest-linux.log && break; sleep 1; done; " \
     "grep -aq read-the-disk /var/log/xen/console/guest-linux.log || exit 1; " \
     ": >/var/log/xen/console/guest-linux.log"

for _hypervisor in ("hospes", "xen"):
    cases.add("%d cycles of a small kernel leave nothing behind on %s" % (CYCLES, _hypervisor),
              _hypervisor, "tiny", CYCLES, ":")(cycles)
    cases.add("%d cycles of the stock kernel with its devices in use leave nothing behind on %s" %
              (LINUX_CYCLES, _hypervisor), _hypervisor, "linux", LINUX_CYCLES, UP)(cycles)


if __name__ == "__main__":
    sys.exit(world.main(cases, state))
