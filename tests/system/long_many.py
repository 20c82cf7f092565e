#!/usr/bin/env python3
"""Many guests at once on one machine, all created at the same moment, each with disks and a card on the bridge: two
whole Debians, then eight; and eight small ones of the stock kernel. They work all the time: fio with verification, a
package that is built, installed, compared and removed (the small ones: copies that are compared), pings of one another,
of Domain 0 and of the outside. Meanwhile one is crashed, one rebooted, paused, ballooned, given and robbed of a vCPU, a
disk and a card, and the others go on meanwhile; where there are eight Debians, six are disturbed at the same time. At
the end all is given back. TAP; arguments select cases ("2 Debians on hospes")."""

import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import world  # noqa: E402
from tap import Cases  # noqa: E402
from vm import CACHE, slowness  # noqa: E402

cases = Cases()
state = {}
# One CPU: time is a function of the instructions executed, for a computer that is busy with other work; more: real time.
CPUS = int(os.environ.get("MANY_CPUS", "2"))

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
# Its vCPUs are brought online by udev, as an administrator would have it. What a shutdown has interrupted is not wrong.
DEBIAN_WORK = r"""exec >/dev/hvc0 2>&1 </dev/null
mkdir -p /run/udev/rules.d
echo 'SUBSYSTEM=="cpu", ACTION=="add", ATTR{online}=="0", ATTR{online}="1"' > /run/udev/rules.d/99-cpu.rules
udevadm control --reload
disk() {
    i=0
    while :; do
        fio --name=v --filename=/root/fio.dat --size=4M --rw=randwrite --bs=4k --direct=1 --ioengine=libaio \
            --iodepth=8 --verify=crc32c --verify_fatal=1 --randseed=$i --minimal >/tmp/fio.out 2>&1 &&
            echo "disk: verified $i" || grep -q 'terminating on signal' /tmp/fio.out ||
            { echo "disk: WRONG $i"; cat /tmp/fio.out; }
        i=$((i + 1))
    done
}
packages() {
    i=0
    while :; do
        i=$((i + 1)); root=/root/package; rm -rf $root
        mkdir -p $root/DEBIAN $root/usr/share/hospes-test
        printf 'Package: hospes-test\nVersion: %s\nArchitecture: all\nMaintainer: nobody\nDescription: a test\n' $i \
            > $root/DEBIAN/control
        for f in $(seq 20); do head -c 50000 /dev/urandom > $root/usr/share/hospes-test/$f; done
        dpkg-deb -Zgzip -z1 --build $root /root/hospes-test.deb >/dev/null &&
            dpkg -i /root/hospes-test.deb >/tmp/dpkg.out 2>&1
        [ $? -gt 128 ] && continue
        sync; echo 3 >/proc/sys/vm/drop_caches
        dpkg -s hospes-test | grep -q "^Version: $i\$" && [ -z "$(dpkg --verify hospes-test)" ] &&
            diff -r $root/usr/share/hospes-test /usr/share/hospes-test
        case $? in 0) echo "package: verified $i";; 1|2) echo "package: WRONG $i"; cat /tmp/dpkg.out;; esac
        dpkg --purge hospes-test >/dev/null 2>&1
        sleep 5
    done
}
network & look & disk & packages &
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
        world.config(share, "d%d" % i, kernel="/root/vmlinuz", ramdisk="/root/initrd", memory=320, vcpus=1,
                     maxvcpus=2, extra="root=/dev/xvda rw console=hvc0 guest=%d peers=%d" % (i, peers),
                     disk=["phy:/dev/vd%s,xvda,w" % chr(ord("a") + i - 1), "file:/root/work%d,xvdb,r" % i],
                     vif=["bridge=xenbr0"], on_crash="restart")
    for i in range(1, small + 1):
        world.config(share, "s%d" % i, kernel="/root/vmlinuz-small", ramdisk="/root/guest.cpio", memory=192,
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
        names = ["d%d" % i for i in range(1, debians + 1)] + ["s%d" % i for i in range(1, small + 1)]
        timing = {"icount": "shift=1,sleep=off", "accel": "tcg,thread=single"} if CPUS == 1 else {}
        machine = world.start_machine(hypervisor, "MANY_LOG", share=share, memory=1536 + 330 * debians + 210 * small,
                                      vcpus=CPUS, **timing, disks=[(CACHE + "/disks/domu.raw", "snapshot=on")] * debians)
        state.update(key=key, share=share, names=names, machine=machine, faults=dict.fromkeys(names, 0))
        world.join_bridge(machine)
        machine.run("ip addr add 10.9.0.1/24 dev xenbr0; cp /mnt/host/vmlinuz* /mnt/host/initrd /mnt/host/guest.cpio "
                    "/root/; for i in $(seq %d); do cp /mnt/host/work /root/work$i; done; for i in $(seq %d); do "
                    "truncate -s 8M /root/s$i.img; done; truncate -s 8M /root/extra.img" % (debians, small), 120,
                    check=True)
    return state["machine"]


UP = "domu login:|is up after"


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
        world.wait_console(machine, name, UP, 400)
    print("# all at their logins after %.0f s" % (time.time() - begin), flush=True)


# As a person would, through the console: waits for each answer before it types the next line; ^] leaves.
LOG_IN = r"""log=%s
count() { grep -aEc "$1" $log; }
beyond() { for i in $(seq 120); do [ $(count "$2") -gt $1 ] && return; sleep 1; done; }
prompts=$(count 'root@domu') works=$(count 'debian: at work')
(sleep 1; echo root; beyond $prompts 'root@domu'; echo 'sh /dev/xvdb'; beyond $works 'debian: at work'
 printf '\035') | xm console %s > /dev/null
[ $(count 'debian: at work') -gt $works ] || { tail -n 20 $log; exit 1; }
"""


def log_in(machine, names):
    """Side by side, those that are Debians."""
    names = [name for name in names if name[0] == "d"]
    for name in names:
        with open(os.path.join(state["share"], "log-in-" + name), "w") as f:
            f.write(LOG_IN % (world.console_log(name), name))
    status, text = machine.run("for g in %s; do sh /mnt/host/log-in-$g & all=\"$all $!\"; done; bad=0; "
                               "for p in $all; do wait $p || bad=1; done; exit $bad" % " ".join(names), 300)
    assert status == 0, text


def progress(machine, names, missing):
    """How often each guest has verified its disk and its package, and how often it reached everyone but so many."""
    whole = "net: reached( [0-9.]+){%d,}" % (len(state["names"]) + 1 - missing)
    count = world.count_console
    return {n: (count(machine, n, "disk: verified"), count(machine, n, whole),
                count(machine, n, "package: verified") if n[0] == "d" else None) for n in names}


def moves_on(machine, names, missing=0, seconds=300):
    """Every one of these guests verifies its disk again and reaches everybody again, but for those that are missing;
    nothing was ever wrong."""
    old = progress(machine, names, missing)
    end = time.time() + seconds * slowness()
    while True:
        new = progress(machine, names, missing)
        behind = [n for n in names if any(a is not None and a <= b for a, b in zip(new[n], old[n]))]
        if not behind or time.time() > end:
            break
        machine.wait(3)
    for n in names:
        assert faults(machine, n) == state["faults"][n], "%s has printed what it should not" % n
    assert not behind, "no progress of %s: %s, then %s" % (behind, old, new)


def faults(machine, name):
    return world.count_console(machine, name, "WRONG|Call Trace|Kernel panic|I/O error")


def at_work(hypervisor, debians, small):
    machine = machine_of(hypervisor, debians, small)
    begin = time.time()
    log_in(machine, state["names"])
    print("# logged in within %.0f s" % (time.time() - begin), flush=True)
    moves_on(machine, state["names"], seconds=400)
    print("# everybody did its work and reached %d others, Domain 0 and the outside within %.0f s" %
          (len(state["names"]) - 1, time.time() - begin))


# Disturbances: generators that do something to one guest, let the others go on at their `yield`, and look at what
# has become of it.

def comes_again(machine, name, do):
    ups, domid = world.count_console(machine, name, UP), world.domains(machine)[name]["domid"]
    do()
    yield
    world.wait_console(machine, name, UP, 400, ups + 1)
    assert world.domains(machine)[name]["domid"] > domid
    log_in(machine, [name])


def crash(machine, name):
    yield from comes_again(machine, name, lambda: machine.run(
        "(sleep 1; echo; echo 'echo c > /proc/sysrq-trigger'; sleep 5; printf '\\035') | xm console %s" % name, 100))
    assert world.count_console(machine, name, "sysrq: Trigger a crash") > 0
    state["faults"][name] = faults(machine, name)
    assert world.count_console(machine, name, "WRONG") == 0


def reboot(machine, name):
    yield from comes_again(machine, name, lambda: machine.run("xm reboot %s" % name, 60, check=True))


def pause(machine, name):
    machine.run("xm pause %s" % name, 60, check=True)
    count = world.count_console(machine, name, "disk: verified")
    machine.wait(5)
    yield
    assert world.count_console(machine, name, "disk: verified") == count
    machine.run("xm unpause %s" % name, 60, check=True)


def sees(machine, name, pattern):
    world.wait_console(machine, name, "sees " + pattern, 100,
                       world.count_console(machine, name, "sees " + pattern) + 1)


def has_memory(machine, name, mib):
    for _ in range(60):
        memory = world.domains(machine)[name]["memory"]
        if abs(memory - mib) <= 1:
            return
        machine.wait(1)
    assert False, "%s has %d MiB, not %d" % (name, memory, mib)


def balloon(machine, name):
    small, all_of_it = (250, 320) if name[0] == "d" else (120, 192)
    machine.run("xm mem-set %s %d" % (name, small), 60, check=True)
    has_memory(machine, name, small)
    yield
    machine.run("xm mem-set %s %d" % (name, all_of_it), 60, check=True)
    has_memory(machine, name, all_of_it)


def vcpus(machine, name):
    machine.run("xm vcpu-set %s 2" % name, 60, check=True)
    sees(machine, name, "2 cpus")
    yield
    machine.run("xm vcpu-set %s 1" % name, 60, check=True)
    sees(machine, name, "1 cpus")


def devices(machine, name):
    disks = 2 if name[0] == "d" else 1
    for last in (False, True):
        machine.run("xm block-attach %s file:/root/extra.img xvdc w && xm network-attach %s bridge=xenbr0" %
                    (name, name), 120, check=True)
        sees(machine, name, "[0-9]+ cpus [0-9]+ MiB %d disks 2 cards" % (disks + 1))
        if last:
            yield
        machine.run("xm block-detach %s xvdc && xm network-detach %s 1" % (name, name), 120, check=True)
        sees(machine, name, "[0-9]+ cpus [0-9]+ MiB %d disks 1 cards" % disks)


DISTURBANCES = [("crashes and is started again", crash), ("reboots", reboot), ("is paused", pause),
                ("is ballooned", balloon), ("is given and robbed of a vCPU", vcpus),
                ("is given and robbed of disks and cards", devices)]


def disturbed(pairs):
    """A case: to each guest (by its index) something is done; the others go on meanwhile, then all do."""
    def case(hypervisor, debians, small):
        machine = machine_of(hypervisor, debians, small)
        begin, names = time.time(), state["names"]
        victims = [names[i % len(names)] for i, _ in pairs]
        under_way = [what(machine, victim) for victim, (_, what) in zip(victims, pairs)]
        for one in under_way:
            next(one)
        moves_on(machine, [n for n in names if n not in victims], len(victims))
        print("# the others went on, %.0f s" % (time.time() - begin), flush=True)
        for one in under_way:
            assert next(one, "at its end") == "at its end"
        moves_on(machine, names)
        print("# %s: %.0f s" % (", ".join(victims), time.time() - begin), flush=True)
    return case


def end(hypervisor, debians, small):
    machine = machine_of(hypervisor, debians, small)
    begin = time.time()
    machine.run("xm destroy %s; xm shutdown -a -w" % state["names"][-1], 400, check=True)
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
    who = "%d %s on %s" % (debians or small, "Debians" if debians else "small guests", hypervisor)
    steps = [("all come up at once", all_up), ("all work on their disks and reach one another", at_work)]
    if debians > len(DISTURBANCES):
        steps += [("six are disturbed at once", disturbed([(i, what) for i, (_, what) in enumerate(DISTURBANCES)]))]
    else:
        steps += [("one " + title, disturbed([(i, what)])) for i, (title, what) in enumerate(DISTURBANCES)]
    for title, function in steps + [("all end, and everything is given back", end)]:
        cases.add("%s: %s" % (who, title), hypervisor, debians, small)(function)


add_all("hospes", 0, 8)
add_all("hospes", 2, 0)
add_all("hospes", 8, 0)
add_all("xen", 0, 8)


if __name__ == "__main__":
    sys.exit(world.main(cases, state))
