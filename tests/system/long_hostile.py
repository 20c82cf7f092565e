#!/usr/bin/env python3
"""Hostile neighbours: a guest that spins on all its vCPUs, one that floods event channels, one grants, one that writes
garbage into the rings of its console and its store, one into its disk's ring, one that sends nonsense to the store and
spoils its own nodes, one that fills its quota. Beside each of them a well-behaved guest that computes and one that
uses its disk and its card go on: they lose no more than their fair share. The tools answer in time, guests come and go,
and when the neighbour is destroyed nothing of it is left. TAP; arguments select cases ("spin on hospes")."""

import os
import re
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import world  # noqa: E402
from tap import Cases  # noqa: E402
from vm import BUILD, CACHE, slowness  # noqa: E402

cases = Cases()
state = {}
SECONDS = int(os.environ.get("HOSTILE_SECONDS", "20"))     # how long each of them is watched

GUEST = r"""modprobe -a xen-blkfront xen-netfront; sleep 1
ip link set eth0 up; ip addr add 10.9.0.2/24 dev eth0
work() {
    i=0
    while :; do
        dd if=/dev/urandom of=/tmp/d bs=4k count=16 2>/dev/null
        dd if=/tmp/d of=/dev/xvda bs=4k seek=$((i % 7 * 16)) oflag=direct 2>/dev/null
        dd if=/dev/xvda of=/tmp/e bs=4k skip=$((i % 7 * 16)) count=16 iflag=direct 2>/dev/null
        cmp /tmp/d /tmp/e && ping -c 1 -W 20 10.9.0.1 >/dev/null && echo "good: $i" || echo "good: WRONG $i"
        i=$((i + 1))
    done
}
work &
"""

MODES = ["spin", "events", "grants", "rings", "devices", "store", "quota"]


def machine_of(hypervisor):
    if state.get("hypervisor") != hypervisor:
        if state:
            state["machine"].close()
        share = tempfile.mkdtemp(prefix="hospes-hostile-")
        shutil.copy(os.path.join(BUILD, "tests/guests/domu/neighbour"), share + "/neighbour")
        shutil.copy(os.path.join(CACHE, "linux/6.1/vmlinuz"), share + "/vmlinuz")
        world.script_ramdisk(share + "/guest.cpio", GUEST)
        world.config(share, "good", kernel="/mnt/host/vmlinuz", ramdisk="/mnt/host/guest.cpio", memory=192,
                     extra="console=hvc0 quiet", disk=["file:/root/good.img,xvda,w"], vif=["bridge=xenbr0"])
        world.config(share, "meter", kernel="/mnt/host/neighbour", extra="meter", memory=16)
        world.config(share, "idle", kernel="/mnt/host/neighbour", extra="idle", memory=16)
        for mode in MODES:
            world.config(share, mode, kernel="/mnt/host/neighbour", extra=mode, memory=32, vcpus=2,
                         disk=["file:/root/bad.img,xvda,w"], vif=["bridge=xenbr0"], on_crash="destroy",
                         on_reboot="destroy")
        machine = world.start_machine(hypervisor, "HOSTILE_LOG", share=share, memory=2048)
        state.update(hypervisor=hypervisor, share=share, machine=machine)
        machine.run("ip addr add 10.9.0.1/24 dev xenbr0; truncate -s 8M /root/good.img /root/bad.img", check=True)
        machine.run("xm create -q /mnt/host/good && xm create -q /mnt/host/meter", 120, check=True)
        world.wait_console(machine, "good", "good: 3", 120)
        responsive(machine)
        state["alone"] = measure(machine, 15)
        print("# alone: %s" % describe(state["alone"]), flush=True)
    return state["machine"]


def cpu_times(machine):
    return {name: float(d["cpu_time"]) for name, d in world.domains(machine).items()}


def measure(machine, seconds):
    """What the well-behaved guests did meanwhile: pieces of work and share of a CPU of the one, rounds of the other;
    and the largest share of the CPUs that another domain had. All weigh the same: nobody who has less than one CPU may
    have less than another."""
    skip = world.count_console(machine, "meter", "meter:")
    good, before, begin = world.count_console(machine, "good", "good: [0-9]"), cpu_times(machine), time.time()
    machine.run("sleep %d" % seconds, seconds * 3 + 60)
    rounds = world.count_console(machine, "good", "good: [0-9]") - good
    used = {name: t - before.get(name, t) for name, t in cpu_times(machine).items()}
    elapsed = time.time() - begin
    _, text = machine.run("grep -a meter: %s | tail -n +%d" % (world.console_log("meter"), skip + 2))
    found = [[int(n) for n in m] for m in re.findall(r"did (\d+) in (\d+) ms, waited (\d+) ms", text)]
    assert found, "the computing guest is silent: %r" % text
    did, took, waited = (sum(column) for column in zip(*found))
    most = max((used[n], n) for n in used if n != "meter")
    return {"work": did * 1000.0 / took, "share": 1 - waited / took, "rounds": rounds / elapsed, "cpu": used["meter"],
            "most": most[0], "who": most[1], "elapsed": elapsed}


def describe(m):
    return "%.0f pieces of work a second with %.0f %% of a CPU (%.1f s; %s had %.1f s), %.2f rounds of disk and network " \
        "a second" % (m["work"], m["share"] * 100, m["cpu"], m["who"], m["most"], m["rounds"])


def responsive(machine):
    """Seconds that the tools take: a listing, and a guest that comes and goes."""
    begin = time.time()
    machine.run("xm list", 60, check=True)
    listed = time.time() - begin
    machine.run("xm create -q /mnt/host/idle && xm destroy idle", 120, check=True)
    return listed, time.time() - begin - listed


def neighbour(hypervisor, mode):
    machine = machine_of(hypervisor)
    before = world.Ledger(machine)
    machine.run("rm -f %s; xm create -q /mnt/host/%s" % (world.console_log(mode), mode), 120, check=True)
    world.wait_console(machine, mode, "neighbour: %s at work" % mode, 60)
    machine.wait(5)
    beside = measure(machine, SECONDS)
    listed, made = responsive(machine)
    print("# beside: %s\n# xm list %.1f s, xm create and destroy %.1f s" % (describe(beside), listed, made))
    _, text = machine.run("grep -a '' %s | tail -n 4 | tr -cd '[:print:]\\n' | cut -c 1-80; xm list; cat /proc/loadavg" %
                          world.console_log(mode), 60)
    print("# " + text.strip().encode("ascii", "replace").decode().replace("\n", "\n# "), flush=True)
    state_of = world.domains(machine)
    # A console log is limited to 16 MiB and three old ones: what a flood of garbage has left in Domain 0's memory.
    machine.run("xm destroy %s; sleep 2; du -sk /var/log/xen/console; rm -f %s.*; : > %s" %
                (mode, world.console_log(mode), world.console_log(mode)), 60)
    assert mode in state_of, "the neighbour has ended by itself"
    assert beside["cpu"] >= 0.85 * min(beside["most"], beside["elapsed"] * 0.95), "less than its fair share"
    # Its work for each second of its share is what it is alone, but for what the emulator's host lacks.
    assert beside["work"] / beside["share"] >= 0.6 * state["alone"]["work"] / state["alone"]["share"]
    assert beside["rounds"] >= 0.25 * state["alone"]["rounds"]
    assert world.count_console(machine, "good", "WRONG") == 0
    assert listed < 5 * slowness() and made < 20 * slowness()
    # Its last page goes when the backends in Domain 0 have let go of it.
    for attempt in range(10):
        after = world.Ledger(machine, 3)
        worse = after.compare(before, {"pid": None, "rss": 6000, "dom0.available": 20000, "dom0.slab": 20000,
                                       "dom0.processes": 4, "threads": 2, "free_pages": 32})
        if not worse:
            break
    assert not worse, "; ".join(worse)


for _hypervisor in ("hospes", "xen"):
    for _mode in MODES:
        cases.add("%s on %s" % (_mode, _hypervisor), _hypervisor, _mode)(neighbour)


if __name__ == "__main__":
    sys.exit(world.main(cases, state))
