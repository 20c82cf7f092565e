#!/usr/bin/env python3
"""Our whole toolstack (xenstored, xenconsoled, xend, xm) in the small Domain 0: guests of Debian's stock kernel are
created by xm, come up beside each other, are paused, rebooted, shut down and destroyed, and everything is given back.
The same cases run on build/hospes and on Debian's stock Xen 4.17: the swap tells a fault of the tools from one of the
hypervisor. TAP; arguments select cases by name, for example "on hospes"."""

import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import world  # noqa: E402
from tap import Cases  # noqa: E402
from vm import CACHE, Failure, Machine, small_image  # noqa: E402

SMALL = """name = "%(name)s"
kernel = "/mnt/host/vmlinuz"
ramdisk = "/mnt/host/guest.cpio"
extra = "console=hvc0"
memory = 256
vcpus = 1
vif = ["bridge=xenbr0"]
"""
DEBIAN = """name = "debian"
kernel = "/mnt/host/vmlinuz"
ramdisk = "/mnt/host/initrd"
extra = "root=/dev/xvda ro console=hvc0"
memory = 512
vcpus = 1
disk = ["phy:/dev/vda,xvda,w"]
vif = ["bridge=xenbr0"]
"""

cases = Cases()
state = {}      # the machine of the hypervisor that is being tested, and what its cases leave for one another


def on(hypervisor):
    """The running machine with this hypervisor; started at the first call."""
    if state.get("hypervisor") != hypervisor:
        if state:
            state["machine"].close()
            state.clear()
        share = tempfile.mkdtemp(prefix="hospes-guests-")
        shutil.copy(os.path.join(CACHE, "disks/domu-vmlinuz"), os.path.join(share, "vmlinuz"))
        shutil.copy(os.path.join(CACHE, "disks/domu-initrd"), os.path.join(share, "initrd"))
        # The kernel is the Debian disk's own, of which the small guest needs no module.
        small_image("6.1", output=os.path.join(share, "guest.cpio"))
        for name in ("g1", "g2"):
            with open(os.path.join(share, name), "w") as f:
                f.write(SMALL % {"name": name})
        with open(os.path.join(share, "debian"), "w") as f:
            f.write(DEBIAN)
        state.update(hypervisor=hypervisor, share=share)
        state["machine"] = Machine(hypervisor=hypervisor, memory=4096, dom0_mem="1536M", share=share,
                                   disks=[(os.path.join(CACHE, "disks/domu.raw"), "snapshot=on")])
        state["machine"].boot(180)
    return state["machine"]


def names(machine):
    _, text = machine.run("xm list", 60, check=True)
    return [line.split()[0] for line in text.strip().split("\n")[1:]]


def console_has(machine, guest, pattern, seconds):
    """Waits until the guest's console log has a line of this extended regular expression."""
    log = "/var/log/xen/console/guest-%s.log" % guest
    status, text = machine.run("for i in $(seq %d); do grep -Eq '%s' %s && exit 0; sleep 1; done; tail -20 %s; exit 1"
                               % (seconds, pattern, log, log), seconds * 2 + 30)
    if status:
        raise Failure("%s did not print %r within %d s:\n%s" % (guest, pattern, seconds, text))


def start(hypervisor):
    machine = on(hypervisor)
    assert names(machine) == ["Domain-0"]
    _, text = machine.run("xm info", 60, check=True)
    match = re.search(r"^free_memory\s*:\s*(\d+)", text, re.M)
    assert match, text
    state["free"] = int(match.group(1))


def create(hypervisor):
    machine = on(hypervisor)
    machine.run("xm create /mnt/host/g1", 180, check=True)
    machine.run("xm create /mnt/host/g2", 180, check=True)
    assert sorted(names(machine)) == ["Domain-0", "g1", "g2"], names(machine)
    for guest in ("g1", "g2"):
        console_has(machine, guest, "hospes: guest .* is up after", 120)


def pause(hypervisor):
    machine = on(hypervisor)
    machine.run("xm pause g1", 60, check=True)
    _, text = machine.run("xm list g1 | tail -1", 60, check=True)
    assert re.search(r"\bg1\b.*--p", text), text
    machine.run("xm unpause g1", 60, check=True)
    _, text = machine.run("xm list g1 | tail -1", 60, check=True)
    assert not re.search(r"\bg1\b.*--p", text), text


def debian(hypervisor):
    machine = on(hypervisor)
    machine.run("xm create /mnt/host/debian", 180, check=True)
    console_has(machine, "debian", "domu login:", 240)


def end(hypervisor):
    machine = on(hypervisor)
    machine.run("xm destroy g1", 60, check=True)
    assert sorted(names(machine)) == ["Domain-0", "debian", "g2"], names(machine)
    machine.run("xm shutdown -w debian", 240, check=True)
    machine.run("xm shutdown -w g2", 240, check=True)
    machine.run("for i in $(seq 30); do test $(xm list | wc -l) = 2 && exit 0; sleep 1; done; xm list; exit 1", 120,
                check=True)
    _, text = machine.run("sleep 3; xm info", 60, check=True)
    free = int(re.search(r"^free_memory\s*:\s*(\d+)", text, re.M).group(1))
    assert abs(free - state["free"]) <= 1, "free before %d MiB, after %d" % (state["free"], free)
    machine.poweroff()


for _hypervisor in ("hospes", "xen"):
    for _name, _function in [("Domain 0 starts the tools", start),
                             ("xm creates two guests that come up beside each other", create),
                             ("xm pauses and unpauses a guest", pause),
                             ("a whole Debian guest reaches its login from its disk", debian),
                             ("guests are destroyed and shut down, everything is given back", end)]:
        cases.add("%s on %s" % (_name, _hypervisor), _hypervisor)(_function)


if __name__ == "__main__":
    sys.exit(world.main(cases, state))
