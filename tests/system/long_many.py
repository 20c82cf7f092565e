#!/usr/bin/env python3
"""Many guests at once on one machine: two whole Debians and six small ones of the stock kernel, all created at the
same moment, each with a disk and a card on the bridge. They work all the time: fio with verification, copies that are
compared, pings of one another, of Domain 0 and of the outside. Meanwhile others are crashed, rebooted, paused,
ballooned, given and robbed of vCPUs, disks and cards; nobody else may notice. Then eight whole Debians at once to
their logins and the same work. At the end all is given back. TAP; arguments select cases ("on hospes")."""

import os
import re
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import world  # noqa: E402
from tap import Cases, Skip  # noqa: E402
from vm import CACHE, slowness  # noqa: E402

cases = Cases()
state = {}
SMALL = 6
DEBIANS = int(os.environ.get("MANY_DEBIANS", "8"))

# What every guest does, for ever; guest=N on its command line is its number, of peers=N.
WORK = r"""
n=$(sed 's/.*guest=\([0-9]*\).*/\1/' /proc/cmdline); peers=$(sed 's/.*peers=\([0-9]*\).*/\1/' /proc/cmdline)
echo 1 > /proc/sys/kernel/sysrq
ip link set eth0 up; ip addr add 10.9.0.$((10 + n))/24 dev eth0
network() {
    while :; do
        reached=
        for peer in 10.9.0.1 10.0.2.2 $(for p in $(seq $peers); do [ $p = $n ] || echo 10.9.0.$((10 + p)); done); do
            ping -c 1 -W 5 $peer >/dev/null 2>&1 && reached="$reached $peer"
        done
        echo "net: reached$reached"; sleep 4
    done
}
look() {
    while :; do
        echo "sees $(nproc) cpus $(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo) MiB" \
             "$(ls /sys/block | grep -c xvd) disks $(ls /sys/class/net | grep -c eth) cards."; sleep 3
    done
}
"""
SMALL_WORK = r"""modprobe -a xen-blkfront xen-netfront; sleep 1
mkdir -p /mnt/a
(udhcpc -i eth0 -n -q -S >/dev/null 2>&1) &
disk() {
    i=0
    while :; do
        dd if=/dev/urandom of=/tmp/d bs=64k count=16 2>/dev/null
        dd if=/tmp/d of=/dev/xvda bs=4k seek=$((i % 7 * 256)) oflag=direct 2>/dev/null
        dd if=/dev/xvda of=/tmp/e bs=4k skip=$((i % 7 * 256)) count=256 iflag=direct 2>/dev/null
        cmp /tmp/d /tmp/e && echo "disk: verified $i" || echo "disk: WRONG $i"
        i=$((i + 1)); sleep 1
    done
}
network & look & disk &
"""
DEBIAN_WORK = r"""exec >/dev/hvc0 2>&1 </dev/null
disk() {
    i=0
    while :; do
        fio --name=v --filename=/root/fio.dat --size=4M --rw=randwrite --bs=4k --direct=1 --ioengine=libaio \
            --iodepth=8 --verify=crc32c --verify_fatal=1 --randseed=$i --minimal >/tmp/fio.out 2>&1 &&
            echo "disk: verified $i" || { echo "disk: WRONG $i"; cat /tmp/fio.out; }
        i=$((i + 1))
    done
}
files() {
    while :; do
        rm -rf /root/copy; cp -a /usr/bin /root/copy; sync; echo 3 >/proc/sys/vm/drop_caches
        diff -r /usr/bin /root/copy && echo "files: the same" || echo "files: WRONG"; sleep 5
    done
}
network & look & disk & files &
echo "debian: at work"; sleep 1; exit
"""


def prepare(share, debians, small):
    """Kernels, ramdisks, and a config for each guest: d1, d2... are Debian, s1, s2... small; numbers go on."""
    for name in ("vmlinuz", "initrd"):
        shutil.copy(os.path.join(CACHE, "disks/domu-" + name), os.path.join(share, name))
    shutil.copy(os.path.join(CACHE, "linux/6.1/vmlinuz"), os.path.join(share, "vmlinuz-small"))
    world.script_ramdisk(share + "/guest.cpio", WORK + SMALL_WORK)
    with open(share + "/work", "wb") as f:
        f.write((WORK + DEBIAN_WORK).encode().ljust(65536, b"\n"))
    peers = debians + small
    for i in range(1, debians + 1):
        world.config(share, "d%d" % i, kernel="/mnt/host/vmlinuz", ramdisk="/mnt/host/initrd", memory=320, vcpus=1,
                     maxvcpus=2, extra="root=/dev/xvda rw console=hvc0 guest=%d peers=%d" % (i, peers),
                     disk=["phy:/dev/vd%s,xvda,w" % chr(ord("a") + i - 1), "file:/root/work%d,xvdb,r" % i],
                     vif=["bridge=xenbr0"], on_crash="restart")
    for i in range(1, small + 1):
        world.config(share, "s%d" % i, kernel="/mnt/host/vmlinuz-small", ramdisk="/mnt/host/guest.cpio", memory=192,
                     vcpus=1, maxvcpus=2, maxmem=192, on_crash="restart",
                     extra="console=hvc0 quiet guest=%d peers=%d" % (debians + i, peers),
                     disk=["file:/root/s%d.img,xvda,w" % i], vif=["bridge=xenbr0"])


def machine_of(hypervisor, debians, small):
    key = (hypervisor, debians, small)
    if state.get("key") != key:
        if state:
            state["machine"].close()
            shutil.rmtree(state["share"], ignore_errors=True)
        state.clear()
        share = tempfile.mkdtemp(prefix="hospes-many-")
        prepare(share, debians, small)
        state.update(key=key, share=share, names=["d%d" % i for i in range(1, debians + 1)] +
                     ["s%d" % i for i in range(1, small + 1)])
        machine = world.start_machine(hypervisor, "MANY_LOG", share=share, memory=1536 + 330 * debians + 210 * small,
                                      disks=[(CACHE + "/disks/domu.raw", "snapshot=on")] * debians)
        state["machine"] = machine
        world.join_bridge(machine)
        machine.run("ip addr add 10.9.0.1/24 dev xenbr0; cp /mnt/host/vmlinuz* /mnt/host/initrd /mnt/host/guest.cpio "
                    "/root/; for i in $(seq %d); do cp /mnt/host/work /root/work$i; done; for i in $(seq %d); do "
                    "truncate -s 8M /root/s$i.img; done; truncate -s 8M /root/extra.img" % (debians, small), 120,
                    check=True)
    return state["machine"]


def all_up(hypervisor, debians, small):
    """All at once: the creations run side by side, too."""
    machine = machine_of(hypervisor, debians, small)
    state["before"] = world.Ledger(machine)
    begin = time.time()
    names = state["names"]
    status, text = machine.run("for g in %s; do (xm create -q /mnt/host/$g 2>&1 || echo \"$g FAILED\") & done; wait" %
                               " ".join(names), 400)
    assert status == 0 and "FAILED" not in text, text
    assert sorted(world.domains(machine)) == sorted(names + ["Domain-0"])
    print("# %d guests created at once in %.0f s" % (len(names), time.time() - begin), flush=True)
    for name in names:
        world.wait_console(machine, name, "domu login:" if name[0] == "d" else "is up after", 400)
    print("# all at their logins after %.0f s" % (time.time() - begin), flush=True)


def log_in(machine, name):
    """As a person would: through the console."""
    machine.run("(sleep 1; echo root; sleep %d; echo; echo 'sh /dev/xvdb'; sleep %d) | timeout 60 xm console %s" %
                (5 * slowness(), 5 * slowness(), name), 120)
    world.wait_console(machine, name, "debian: at work", 60)


def progress(machine, names):
    """How often each guest has verified its disk, and how often it reached everyone."""
    peers = len(state["names"])
    whole = "net: reached( [0-9.]+){%d}" % (peers + 1)
    return {n: (world.count_console(machine, n, "disk: verified"), world.count_console(machine, n, whole))
            for n in names}


def moves_on(machine, names, seconds=300):
    """Every one of these guests verifies its disk again and reaches everybody again; nothing was ever wrong."""
    old = progress(machine, names)
    end = time.time() + seconds * slowness()
    while time.time() < end:
        new = progress(machine, names)
        behind = [n for n in names if new[n][0] <= old[n][0] or new[n][1] <= old[n][1]]
        if not behind:
            break
        machine.wait(3)
    for n in names:
        assert world.count_console(machine, n, "WRONG|Call Trace|Kernel panic") == 0, n
    assert not behind, "no progress of %s: %s, then %s" % (behind, old, new)


def at_work(hypervisor, debians, small):
    machine = machine_of(hypervisor, debians, small)
    for name in state["names"]:
        if name[0] == "d":
            log_in(machine, name)
    begin = time.time()
    moves_on(machine, state["names"], 400)
    print("# everybody verified a disk and reached %d others, Domain 0 and the outside within %.0f s" %
          (len(state["names"]) - 1, time.time() - begin))


def disturbed(what):
    """A case: one guest has something done to it by what(machine); the others go on, then all do."""
    def case(hypervisor, debians, small):
        machine = machine_of(hypervisor, debians, small)
        begin = time.time()
        what(machine)
        moves_on(machine, [n for n in state["names"] if n not in state.get("gone", [])])
        print("# %.0f s" % (time.time() - begin))
    return case


def ups(machine, name):
    return world.count_console(machine, name, "is up after|domu login:")


def comes_again(machine, name, do):
    before, domid = ups(machine, name), world.domains(machine)[name]["domid"]
    do()
    world.wait_console(machine, name, "is up after|domu login:", 300, before + 1)
    assert world.domains(machine)[name]["domid"] > domid


def crash(machine):
    comes_again(machine, "s1", lambda: machine.run(
        "(sleep 1; echo; echo 'echo c > /proc/sysrq-trigger'; sleep 3) | timeout 10 xm console s1", 60))
    assert world.count_console(machine, "s1", "sysrq: Trigger a crash") > 0


def reboot(machine):
    comes_again(machine, "s2", lambda: machine.run("xm reboot s2", 60, check=True))
    comes_again(machine, "d2", lambda: machine.run("xm reboot d2", 60, check=True))
    log_in(machine, "d2")


def pause(machine):
    machine.run("xm pause s3", 60, check=True)
    count = world.count_console(machine, "s3", "disk: verified")
    machine.wait(10)
    assert world.count_console(machine, "s3", "disk: verified") == count
    machine.run("xm unpause s3", 60, check=True)


def sees(machine, name, pattern):
    world.wait_console(machine, name, "sees " + pattern, 100,
                       world.count_console(machine, name, "sees " + pattern) + 1)


def balloon(machine):
    machine.run("xm mem-set s4 120", 60, check=True)
    for _ in range(60):
        if abs(world.domains(machine)["s4"]["memory"] - 120) <= 1:
            break
        machine.wait(1)
    assert abs(world.domains(machine)["s4"]["memory"] - 120) <= 1, world.domains(machine)["s4"]
    machine.run("xm mem-set s4 190; xm mem-set d1 256", 60, check=True)
    machine.wait(10)
    assert abs(world.domains(machine)["s4"]["memory"] - 190) <= 1, world.domains(machine)["s4"]
    machine.run("xm mem-set d1 320", 60, check=True)


def vcpus(machine):
    for name in ("s5", "d1"):
        machine.run("xm vcpu-set %s 2" % name, 60, check=True)
        sees(machine, name, "[0-9]+ cpus" if name[0] == "d" else "2 cpus")
        machine.run("xm vcpu-set %s 1" % name, 60, check=True)
        sees(machine, name, "1 cpus")


def devices(machine):
    for _ in range(3):
        machine.run("xm block-attach s6 file:/root/extra.img xvdc w && xm network-attach s6 bridge=xenbr0", 120,
                    check=True)
        sees(machine, "s6", "[0-9]+ cpus [0-9]+ MiB 2 disks 2 cards")
        machine.run("xm block-detach s6 xvdc && xm network-detach s6 1", 120, check=True)
        sees(machine, "s6", "[0-9]+ cpus [0-9]+ MiB 1 disks 1 cards")


def end(hypervisor, debians, small):
    machine = machine_of(hypervisor, debians, small)
    begin = time.time()
    names = state["names"]
    machine.run("xm destroy %s; xm shutdown -a -w" % names[-1], 400, check=True)
    for _ in range(60):
        if list(world.domains(machine)) == ["Domain-0"]:
            break
        machine.wait(1)
    assert list(world.domains(machine)) == ["Domain-0"], world.domains(machine)
    print("# down in %.0f s" % (time.time() - begin))
    after = world.Ledger(machine, 5)
    print("# before: %s\n# after:  %s" % (state["before"], after))
    slack = {"pid": None, "rss": 4000, "dom0.available": 30000, "dom0.slab": 20000, "dom0.processes": 4, "threads": 2,
             "free_pages": 32}
    worse = after.compare(state["before"], slack)
    assert not worse, "; ".join(worse)
    machine.poweroff()


def add_all(hypervisor, debians, small):
    who = "%d Debians%s on %s" % (debians, " and %d small guests" % small if small else "", hypervisor)
    steps = [("all come up at once", all_up), ("all work on their disks and reach one another", at_work)]
    if small:
        steps += [(title, disturbed(what)) for title, what in [
            ("one crashes and is started again", crash), ("two reboot", reboot), ("one is paused", pause),
            ("two are ballooned", balloon), ("two are given and robbed of vCPUs", vcpus),
            ("one is given and robbed of a disk and a card", devices)]]
    for title, function in steps + [("all end, and everything is given back", end)]:
        cases.add("%s: %s" % (who, title), hypervisor, debians, small)(function)


add_all("hospes", 2, SMALL)
add_all("hospes", DEBIANS, 0)
add_all("xen", 2, SMALL)


if __name__ == "__main__":
    sys.exit(world.main(cases, state))
