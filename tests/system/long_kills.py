#!/usr/bin/env python3
"""xend, xenstored and xenconsoled are each killed with SIGKILL a hundred times, at random moments and under load:
guests are created, destroyed, given and robbed of disks, stored and deleted, and talk on their consoles all the
time. No guest dies or notices, no stored configuration is lost, no operation stays half done, everything comes back by
itself, and what was taken is given back. TAP; arguments select cases ("on hospes"). KILLS in the environment
changes the hundred."""

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
KILLS = int(os.environ.get("KILLS", "100"))

# The guests that must not notice: their disk, their card and their console are in use all the time.
GUEST = r"""modprobe -a xen-blkfront xen-netfront; sleep 1
ip link set eth0 up; ip addr add 10.9.0.$(sed 's/.*guest=\([0-9]*\).*/\1/' /proc/cmdline)/24 dev eth0
work() {
    i=0; lost=0
    while :; do
        dd if=/dev/urandom of=/tmp/d bs=4k count=16 2>/dev/null
        dd if=/tmp/d of=/dev/xvda bs=4k seek=$((i % 7 * 16)) oflag=direct 2>/dev/null
        dd if=/dev/xvda of=/tmp/e bs=4k skip=$((i % 7 * 16)) count=16 iflag=direct 2>/dev/null
        cmp /tmp/d /tmp/e || echo "disk: WRONG"
        ping -c 1 -W 20 10.9.0.1 >/dev/null || lost=$((lost + 1))
        usleep 200000
        echo "line $i up $(cut -d. -f1 /proc/uptime) s, lost $lost pings."
        i=$((i + 1))
    done
}
work &
"""
# What goes on meanwhile. Any of it may fail, because a daemon has just been killed.
LOAD = {
    "guests": "xm create -q /mnt/host/wa; xm create -q /mnt/host/wb; xm mem-set wb 12; xm destroy wa wb",
    "devices": "xm block-attach r2 file:/root/extra.img xvdc w; xm block-detach r2 xvdc",
    "stored": "xm new /mnt/host/wc; xm list --json; xm delete wc; xm sched-credit -d r1 -w 300; sleep 1",
}
LOOP = """(while [ ! -e /tmp/stop ]; do %s; done) >/tmp/load.%s 2>&1 </dev/null &
"""
# The youngest process of the name is the daemon, the older its supervisor. busybox's $RANDOM is 0 to 32767.
KILL = """n=0; missed=0; while [ $n -lt %(count)d ]; do
    for p in xend xenstored xenconsoled; do
        usleep $((RANDOM * %(spread)d))
        pid=$(pidof $p | tr ' ' '\\n' | sort -n | tail -1)
        [ $(pidof $p | wc -w) -ge 2 ] && kill -9 $pid && echo $p || missed=$((missed + 1))
    done
    n=$((n + 1))
done | sort | uniq -c"""


def machine_of(hypervisor):
    if state.get("hypervisor") != hypervisor:
        if state:
            state["machine"].close()
        share = tempfile.mkdtemp(prefix="hospes-kills-")
        shutil.copy(os.path.join(BUILD, "tests/guests/domu/neighbour"), share + "/neighbour")
        shutil.copy(os.path.join(CACHE, "linux/6.1/vmlinuz"), share + "/vmlinuz")
        world.script_ramdisk(share + "/guest.cpio", GUEST)
        for i in (1, 2):
            world.config(share, "r%d" % i, kernel="/mnt/host/vmlinuz", ramdisk="/mnt/host/guest.cpio", memory=192,
                         extra="console=hvc0 quiet guest=%d0" % i, disk=["file:/root/r%d.img,xvda,w" % i],
                         vif=["bridge=xenbr0"])
        for name in ("wa", "wb", "wc"):
            world.config(share, name, kernel="/mnt/host/neighbour", extra="idle", memory=16,
                         disk=["file:/root/%s.img,xvda,w" % name], vif=["bridge=xenbr0"])
        world.config(share, "kept", kernel="/mnt/host/neighbour", extra="idle", memory=77)
        machine = world.start_machine(hypervisor, "KILLS_LOG", share=share, memory=2560)
        state.update(hypervisor=hypervisor, share=share, machine=machine)
        machine.run("ip addr add 10.9.0.1/24 dev xenbr0; cd /root; for f in r1 r2 wa wb wc extra; do "
                    "truncate -s 8M $f.img; done", check=True)
    return state["machine"]


def begin(hypervisor):
    machine = machine_of(hypervisor)
    machine.run("xm create -q /mnt/host/r1 && xm create -q /mnt/host/r2 && xm new /mnt/host/kept", 200, check=True)
    for name in ("r1", "r2"):
        world.wait_console(machine, name, "^line 3 ", 200)
    state["domids"] = {n: d["domid"] for n, d in world.domains(machine).items()}
    # Once around, so that caches are warm and threads are there.
    for command in LOAD.values():
        machine.run(command, 200)
    state["before"] = world.Ledger(machine, 10)


def lines(machine, name):
    return world.count_console(machine, name, "^line [0-9]* up")


def kills(hypervisor):
    machine = machine_of(hypervisor)
    machine.run("rm -f /tmp/stop\n" + "".join(LOOP % (c, n) for n, c in LOAD.items()), 30, check=True)
    left, start, counts = KILLS, time.time(), {}
    while left > 0:
        piece = min(left, 10)
        _, text = machine.run(KILL % {"count": piece, "spread": 20}, 300, check=True)
        for line in text.strip().split("\n"):
            number, name = line.split()
            counts[name] = counts.get(name, 0) + int(number)
        left = KILLS - min(counts.get(n, 0) for n in ("xend", "xenstored", "xenconsoled"))
        # Sometimes the load goes on undisturbed, so that operations end, too.
        machine.wait(2)
        assert time.time() - start < 1500, counts
    machine.run("touch /tmp/stop; sleep 5; for i in $(seq 60); do xm list >/dev/null 2>&1 && break; sleep 1; done", 200)
    print("# killed: %s in %.0f s" % (counts, time.time() - start))
    _, text = machine.run("for f in /tmp/load.*; do echo $f $(wc -l <$f); sort $f | uniq -c | sort -rn | head -4; done")
    print("# " + text.strip().replace("\n", "\n# "), flush=True)


def settled(machine):
    """Waits until no operation is under way; the domains."""
    for _ in range(60):
        found = world.domains(machine)
        if all(d.get("phase", "running") in ("running", "halted") for d in found.values()):
            return found
        machine.wait(1)
    raise AssertionError("still under way: %r" % found)


def alive(hypervisor):
    machine = machine_of(hypervisor)
    found = settled(machine)
    for name in ("r1", "r2"):
        assert found[name]["domid"] == state["domids"][name], found
        now = lines(machine, name)
        world.wait_console(machine, name, "^line [0-9]* up", 100, now + 2)
        _, text = machine.run("grep -a '^line' %s | tail -1; grep -ac WRONG %s" % ((world.console_log(name),) * 2))
        print("# %s: %s" % (name, text.strip().replace("\n", "; wrong: ")))
        assert "lost 0 pings" in text and text.strip().endswith("\n0"), text
        # No line of the console was lost or written twice, whoever was killed meanwhile. The first ones stand behind
        # the shell's prompt, which has no end of line.
        _, text = machine.run("grep -ao 'line [0-9]* up [0-9]* s, lost [0-9]* pings[.]' %s | "
                              "awk '$2 != n { print n, $0; exit } { n++ }'" % world.console_log(name))
        assert not text.strip(), "%s's console: %s" % (name, text)
    _, text = machine.run("xm list --state all --json", 60, check=True)
    assert '"kept"' in text, text


def rest(hypervisor):
    machine = machine_of(hypervisor)
    names = [n for n in settled(machine) if n.startswith("w")]
    for name in names:
        machine.run("xm destroy %s; xm delete %s" % (name, name), 60)
    machine.run("xm delete wc; xm block-detach r2 xvdc", 60)
    after = world.Ledger(machine, 10)
    before = state["before"]
    print("# before: %s\n# after:  %s" % (before, after))
    # What may grow: caches of the kernel and of malloc. Everything else is exact, open files too.
    slack = {"pid": None, "rss": 4000, "dom0.available": 30000, "dom0.slab": 20000, "dom0.processes": 6,
             # The hypervisor's small-object allocator may keep part-used pages.
             "free_pages": 16}
    worse = after.compare(before, slack)
    if worse:
        _, text = machine.run("probe ls /local/domain; losetup -a; tail -40 /var/log/xend.log", 60)
        print("# " + text.replace("\n", "\n# "))
    assert not worse, "; ".join(worse)
    machine.run("xm start kept && xm destroy kept", 100, check=True)
    machine.run("xm shutdown -w r1 r2 && xm delete kept", 300, check=True)


for _hypervisor in ("hospes", "xen"):
    for _name, _function in [("two guests work, a configuration is stored", begin),
                             ("xend, xenstored and xenconsoled are killed %d times each under load" % KILLS, kills),
                             ("the guests, their consoles and the stored configuration are as they were", alive),
                             ("nothing is half done, everything is given back", rest)]:
        cases.add("%s on %s" % (_name, _hypervisor), _hypervisor)(_function)


if __name__ == "__main__":
    sys.exit(world.main(cases, state))
