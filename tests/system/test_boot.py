#!/usr/bin/env python3
"""Stock kernels as Domain 0 on build/hospes: they boot to userland with these numbers of vCPUs and amounts of memory,
their devices work, they log no warning that they do not also log on Xen 4.17, and they really power off and reboot
the machine. TAP; arguments select cases by name."""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import Cases  # noqa: E402
from vm import BUILD, Machine, UP, kernel_release  # noqa: E402

cases = Cases()

# What differs from run to run on an emulated machine that shares its processors, on any hypervisor.
NOISE = re.compile(r"clocksource|TSC unstable|hrtimer: interrupt took|sched: RT throttling|"
                   r"perf: interrupt took too long|rcu: .*stall|workqueue: .* hogged CPU")


def warnings(machine):
    """The kernel's messages of level warning and above, without numbers, as a set."""
    _, text = machine.run("timeout 3 cat /dev/kmsg", check=False)
    found = set()
    for line in text.split("\n"):
        head, _, message = line.partition(";")
        level = head.split(",")[0]
        if level.isdigit() and int(level) & 7 <= 4 and not NOISE.search(message):
            found.add(re.sub(r"0x[0-9a-f]+|[0-9a-f]{8,}|\d+", "N", message))
    return found


def boot(kernel, vcpus, memory, **options):
    machine = Machine(kernel=kernel, vcpus=vcpus, memory=memory, **options)
    try:
        return machine.boot(timeout=180)
    except Exception:
        machine.close()
        raise


def check(machine, kernel, vcpus):
    """Commands that touch processors, memory, timers, disk-less file systems, the network and the control devices."""
    _, text = machine.run("uname -r; nproc", check=True)
    assert text.split() == [kernel_release(kernel), str(vcpus)], text
    status, text = machine.run("cat /sys/hypervisor/type /sys/hypervisor/uuid /proc/xen/capabilities")
    assert text.split() == ["xen", "00000000-0000-0000-0000-000000000000", "control_d"], text
    with open(os.path.join(BUILD, "hypervisor/build-id")) as f:
        build_id = bytes.fromhex(f.read())
    # Linux shows the bytes themselves, to the first that is zero.
    _, text = machine.run("hexdump -ve '1/1 \"%02x\"' /sys/hypervisor/properties/buildid", check=True)
    assert text.strip() == build_id.split(b"\0")[0].hex(), text
    # Each vCPU does work of its own and gets the same answer.
    machine.run("dd if=/dev/urandom of=/tmp/random bs=1M count=8 2>/dev/null; "
                "for i in $(seq %d); do md5sum < /tmp/random > /tmp/sum.$i & done; wait; "
                "test $(cat /tmp/sum.* | sort -u | wc -l) = 1" % vcpus, check=True, timeout=120)
    # Two seconds are two seconds for the kernel's clock as well.
    _, text = machine.run("cut -d' ' -f1 /proc/uptime; sleep 2; cut -d' ' -f1 /proc/uptime", check=True)
    before, after = map(float, text.split())
    assert 1.9 < after - before < 10, text
    # The network: the machine's user-mode network gives an address by DHCP.
    machine.run("for i in $(seq 20); do ip addr show dev eth0 | grep -q 10.0.2.15 && exit 0; sleep 1; done; exit 1",
                check=True, timeout=60)


def small(kernel, vcpus, memory):
    with boot(kernel, vcpus, memory) as machine:
        check(machine, kernel, vcpus)
        machine.poweroff()


for _kernel, _vcpus, _memory in [("6.1", 1, 512), ("6.1", 2, 1024), ("6.12", 2, 1024), ("6.1", 4, 2048),
                                 ("6.12", 8, 4096), ("6.1", 2, 16384)]:
    cases.add("Linux %s with %d vCPUs and %d MiB boots, works and powers off" % (_kernel, _vcpus, _memory),
              _kernel, _vcpus, _memory)(small)


@cases.add("an old Intel processor: xAPIC, neither SMEP, SMAP, XSAVE nor FSGSBASE")
def old_processor():
    # One thread: xAPIC mode with several has ended in QEMU's own assertions.
    with boot("6.1", 2, 1024, cpu="Nehalem,-monitor", accel="tcg,thread=single") as machine:
        assert "xAPIC mode" in machine.log
        check(machine, "6.1", 2)
        machine.poweroff()


@cases.add("Linux calibrates its TSC by the PIT")
def calibration():
    # It reads the PIT as fast as it can and gives up where something else comes between: on an emulated machine that is
    # whatever the host does meanwhile. So time counts instructions here.
    with Machine(vcpus=1, memory=1024, network=None, icount="shift=1,sleep=off", accel="tcg,thread=single") as machine:
        machine.start()
        machine.expect(r"tsc: Detected (9|10)\d\d\.\d+ MHz", 120)
        assert "Fast TSC calibration using PIT" in machine.log, machine.tail()


@cases.add("reboot starts the machine again")
def reboot():
    with boot("6.1", 2, 1024, reboot=True) as machine:
        machine.type("reboot\n")
        machine.expect(r"reboot: Restarting system", 60)
        machine.expect(UP, 180)


def no_new_warnings(kernel):
    found = {}
    for hypervisor in ["xen", "hospes"]:
        with boot(kernel, 2, 1024, hypervisor=hypervisor) as machine:
            machine.run("sleep 3")
            found[hypervisor] = warnings(machine)
    new = found["hospes"] - found["xen"]
    assert not new, "not on Xen: " + "; ".join(sorted(new))


for _kernel in ["6.1", "6.12"]:
    cases.add("Linux %s has no warning in its log that it has not on Xen" % _kernel, _kernel)(no_new_warnings)


@cases.add("a whole Debian reaches its login, network and disk, and powers off")
def debian():
    with Machine(image="debian", vcpus=2, memory=2048) as machine:
        machine.boot(timeout=400)
        _, text = machine.run("systemctl is-system-running --wait; systemctl --failed --no-legend", timeout=200)
        assert text.split() == ["running"], text
        machine.run("ip -4 addr show dev eth0 | grep 10.0.2.15 && ping -c 2 10.0.2.2", check=True)
        machine.run("dd if=/dev/urandom of=/var/tmp/f bs=1M count=64 && sync && md5sum /var/tmp/f > /var/tmp/s && "
                    "echo 3 > /proc/sys/vm/drop_caches && md5sum -c /var/tmp/s", check=True, timeout=200)
        machine.run("printf '#include <stdio.h>\\nint main(void) { puts(\"built\"); }' > /tmp/h.c && "
                    "gcc -O2 -o /tmp/h /tmp/h.c && /tmp/h | grep built", check=True, timeout=200)
        machine.poweroff(200)


if __name__ == "__main__":
    sys.exit(cases.main())
