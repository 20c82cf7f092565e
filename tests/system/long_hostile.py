#!/usr/bin/env python3
"""Hostile neighbours: a guest that spins on all its vCPUs, one that floods event channels, one grants, one that writes
garbage into the rings of its console and its store, one into its disk's ring, one that sends nonsense to the store and
spoils its own nodes, one that fills its quota; and all of them at once. Beside them a well-behaved guest that computes
and one that uses its disk and its card go on: they lose no more than their fair share, as the hypervisor accounts the
time of vcpus. The tools answer in time, compared with what they take without the neighbour, guests come and go, and
when the neighbour is destroyed nothing of it is left. TAP; arguments select cases ("spin on hospes")."""

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
from vm import BUILD, CACHE  # noqa: E402

cases = Cases()
state = {}
# One CPU, whose time is a function of the instructions executed, so that what else the computer does changes nothing;
# more CPUs run in real time and need a quiet computer.
CPUS = int(os.environ.get("HOSTILE_CPUS", "1"))
WELL_BEHAVED = 3    # vcpus: the two guests' and Domain 0's
SECONDS = int(os.environ.get("HOSTILE_SECONDS", "8"))     # how long each of them is watched

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
COMPUTE = ["spin", "events", "grants"]      # on both of their vcpus, without a pause


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
                         disk=["file:/root/bad-%s.img,xvda,w" % mode], vif=["bridge=xenbr0"], on_crash="destroy",
                         on_reboot="destroy")
        timing = {"icount": "shift=1,sleep=off", "accel": "tcg,thread=single"} if CPUS == 1 else {}
        machine = world.start_machine(hypervisor, "HOSTILE_LOG", share=share, memory=2048, vcpus=CPUS, **timing)
        state.update(hypervisor=hypervisor, share=share, machine=machine)
        machine.run("ip addr add 10.9.0.1/24 dev xenbr0; truncate -s 8M /root/good.img %s" %
                    " ".join("/root/bad-%s.img" % mode for mode in MODES), check=True)
        machine.run("xm create -q /mnt/host/good && xm create -q /mnt/host/meter", 120, check=True)
        world.wait_console(machine, "good", "good: 3", 120)
        responsive(machine)
        state["alone"], state["tools"] = measure(machine, SECONDS), responsive(machine)
        print("# alone: %s\n# %s" % (describe(state["alone"]), state["tools"]), flush=True)
    return state["machine"]


def vcpu_times(machine):
    """Seconds that each vcpu has run, by the hypervisor's account, by (domain, vcpu); and Domain 0's clock."""
    times = {}
    for d in world.listing(machine, "xm vcpu-list --json"):
        for v in d["vcpu"]:
            times[d["name"], v["number"]] = float(v["cpu_time"])
    _, text = machine.run("cat /proc/uptime", check=True)
    return times, float(text.split()[0])


def measure(machine, seconds):
    """What the well-behaved guests did meanwhile: pieces of work of the one, and how much of the time its vcpu ran and
    waited; rounds of the other; the vcpu of anybody else that ran most, and how busy all CPUs were."""
    skip = world.count_console(machine, "meter", "meter:")
    good = world.count_console(machine, "good", "good: [0-9]")
    before, begin = vcpu_times(machine)
    machine.run("sleep %d" % seconds, seconds * 3 + 60)
    rounds = world.count_console(machine, "good", "good: [0-9]") - good
    after, end = vcpu_times(machine)
    ran = {vcpu: (after[vcpu] - before.get(vcpu, 0)) / (end - begin) for vcpu in after}
    _, text = machine.run("grep -a meter: %s | tail -n +%d" % (world.console_log("meter"), skip + 2))
    found = [[int(n) for n in m] for m in re.findall(r"did (\d+) in (\d+) ms, waited (\d+) ms", text)]
    assert found, "the computing guest is silent: %r" % text
    did, took, waited = (sum(column) for column in zip(*found))
    most, who = max((ran[vcpu], vcpu) for vcpu in ran if vcpu[0] != "meter")
    return {"work": did * 1000.0 / took, "waited": waited / took, "ran": ran["meter", 0], "most": most,
            "who": "%s's vcpu %d" % who, "busy": sum(ran.values()), "rounds": rounds / (end - begin)}


def describe(m):
    return "%.0f pieces of work a second; its vcpu ran %.2f of the time and waited %.2f (%s ran %.2f, all %.2f), " \
        "%.2f rounds of disk and network a second" % \
        (m["work"], m["ran"], m["waited"], m["who"], m["most"], m["busy"], m["rounds"])


def check_share(beside, alone, vcpus):
    """Beside so many vcpus of neighbours. All weigh the same, and a weight is a vcpu's: one that wants a whole CPU and
    does not get it may not have less than any other, and no CPU may be idle meanwhile."""
    assert beside["ran"] >= 0.85 * min(beside["most"], 0.95), "less than its fair share"
    assert beside["waited"] < 0.1 or beside["busy"] >= 0.9 * CPUS, "it waits, and a CPU is idle"
    # Its work for each second that it ran is what it is alone, but for what the emulator's computer lacks.
    assert beside["work"] / beside["ran"] >= (0.9 if CPUS == 1 else 0.6) * alone["work"] / alone["ran"]
    # The one that waits for disk and network loses no more than it would to so many vcpus that compute.
    fair = WELL_BEHAVED / (WELL_BEHAVED + vcpus)
    assert beside["rounds"] >= 0.8 * fair * alone["rounds"], "less than its fair share of disk and network"


TIMED = r"""seconds() {
    begin=$(cut -d ' ' -f 1 /proc/uptime); "$@" > /tmp/timed 2>&1 || { cat /tmp/timed; exit 1; }
    echo $begin $(cut -d ' ' -f 1 /proc/uptime) | awk '{ printf "%.2f ", $2 - $1 }'
}
hundred() {
    seconds probe ls / > /tmp/took; awk -v n=$(wc -l < /tmp/timed) '{ printf "%.3f ", $1 * 100 / n }' /tmp/took
}
come_and_go() { xm create -q /mnt/host/idle && xm destroy idle; }
for i in 1 2 3 4 5; do seconds xm list; done; echo
for i in 1 2 3 4 5; do hundred; done; echo
for i in 1 2 3; do seconds come_and_go; done; echo
"""
TOOLS = ["xm list", "a hundred nodes of the store", "xm create and destroy"]


def responsive(machine):
    """Seconds that the tools take, by Domain 0's clock, for each of TOOLS: the median and the longest."""
    _, text = machine.run(TIMED, 300, check=True)
    rows = [sorted(map(float, line.split())) for line in text.strip().split("\n")]
    return {what: (row[len(row) // 2], row[-1]) for what, row in zip(TOOLS, rows)}


def check_tools(beside, alone, vcpus):
    """Twice what fair shares allow: Domain 0's part of the CPUs beside the well-behaved guests and so many vcpus."""
    slower = 2 * (WELL_BEHAVED + vcpus) / CPUS
    for what in TOOLS:
        (median, longest), usual = beside[what], alone[what][0]
        assert median <= slower * usual + 0.5 and longest <= 2 * slower * usual + 2, \
            "%s takes %.2f s, %.2f at most; it was %.2f" % (what, median, longest, usual)


def show(machine, modes):
    """The last words of the neighbours, as they may be shown, and who is there."""
    logs = " ".join(world.console_log(mode) for mode in modes)
    _, text = machine.run("for log in %s; do tail -n 3 $log | tr -cd '[:print:]\\n' | cut -c 1-80; done; xm list; "
                          "cat /proc/loadavg" % logs, 60)
    print("# " + text.strip().encode("ascii", "replace").decode().replace("\n", "\n# "), flush=True)


def neighbours(hypervisor, *modes):
    """All of these hostile guests come, are watched and go."""
    machine = machine_of(hypervisor)
    before = world.Ledger(machine, 1)
    for mode in modes:
        machine.run("rm -f %s; xm create -q /mnt/host/%s" % (world.console_log(mode), mode), 120, check=True)
        world.wait_console(machine, mode, "neighbour: %s at work" % mode, 60)
    machine.run("sleep 3", 60)
    beside = measure(machine, SECONDS)
    tools = responsive(machine)
    print("# beside: %s\n# %s" % (describe(beside), tools))
    show(machine, modes)
    left = world.domains(machine)
    # A console log is limited to 16 MiB and three old ones: what a flood of garbage has left in Domain 0's memory.
    for mode in modes:
        machine.run("xm destroy %s; sleep 2; rm -f %s.*; : > %s" % (mode, world.console_log(mode),
                                                                    world.console_log(mode)), 60)
    assert set(modes) <= set(left), "a neighbour has ended by itself"
    vcpus = sum(2 if mode in COMPUTE else 1 for mode in modes)
    check_share(beside, state["alone"], vcpus)
    assert world.count_console(machine, "good", "WRONG") == 0
    check_tools(tools, state["tools"], vcpus)
    # Its last page goes when the backends in Domain 0 have let go of it.
    for attempt in range(10):
        after = world.Ledger(machine, 2)
        worse = after.compare(before, {"pid": None, "rss": 6000, "dom0.available": 20000, "dom0.slab": 20000,
                                       "dom0.processes": 4, "threads": 2, "free_pages": 32})
        if not worse:
            break
    assert not worse, "; ".join(worse)


for _hypervisor in ("hospes", "xen"):
    for _mode in MODES:
        cases.add("%s on %s" % (_mode, _hypervisor), _hypervisor, _mode)(neighbours)
    cases.add("all at once on %s" % _hypervisor, _hypervisor, *MODES)(neighbours)


if __name__ == "__main__":
    sys.exit(world.main(cases, state))
