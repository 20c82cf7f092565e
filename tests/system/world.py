"""What the long tests of many guests share: a machine with our toolstack, guests of several kinds, what they print, and
a ledger of everything that must be the same before and after (Ledger).

A guest of the stock kernel is either "tiny" (BusyBox alone, no modules), "small" (the BusyBox image of dom0/image) or a
whole Debian. Guests are told what to do by a script (etc/hospes/start.d for the small ones, a disk whose first bytes
are a shell script for Debian) and answer on their consoles, which xenconsoled keeps in files."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time

from vm import BUILD, CACHE, Failure, Machine, small_image

TINY_INIT = """#!/bin/sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
exec </dev/hvc0 >/dev/hvc0 2>&1
echo "tiny: up"
%s
while :; do /bin/busybox sleep 1000; done
"""


def main(cases, state):
    """Runs the cases, then takes away what they left in `state` for one another: "machine" and "share". The exit code."""
    try:
        return cases.main()
    finally:
        if state:
            state["machine"].close()
            shutil.rmtree(state["share"], ignore_errors=True)


def tiny_ramdisk(path, commands=""):
    """A ramdisk of BusyBox alone; `commands` run in its /init after it has said "tiny: up"."""
    root = tempfile.mkdtemp(prefix="tiny-")
    for directory in ("bin", "dev", "proc", "sys"):
        os.mkdir(os.path.join(root, directory))
    shutil.copy(os.path.realpath(CACHE + "/busybox"), root + "/bin/busybox")
    os.symlink("busybox", root + "/bin/sh")
    with open(root + "/init", "w") as f:
        f.write(TINY_INIT % commands)
    os.chmod(root + "/init", 0o755)
    subprocess.run("find . | cpio --quiet -o -H newc -R 0:0 > %s" % path, shell=True, cwd=root, check=True)
    shutil.rmtree(root)


def script_ramdisk(path, script, kernel="6.1"):
    """The small image as a guest that runs `script` at its start."""
    overlay = tempfile.mkdtemp(prefix="guest-script-")
    name = os.path.join(overlay, "etc/hospes/start.d/50-script")
    os.makedirs(os.path.dirname(name))
    with open(name, "w") as f:
        f.write("#!/bin/sh\n" + script)
    os.chmod(name, 0o755)
    with open(overlay + "/etc/hospes/modules", "w"):
        pass    # a guest needs none of those that the small image loads by itself
    small_image(kernel, [overlay], output=path)
    shutil.rmtree(overlay)


def config(share, name, **settings):
    """Writes a config file `name` into the share; values are written as Python's literals."""
    with open(os.path.join(share, name), "w") as f:
        f.write("name = \"%s\"\n" % name)
        for key, value in settings.items():
            f.write("%s = %s\n" % (key, json.dumps(value)))
    return "/mnt/host/" + name


def start_machine(hypervisor="hospes", log=None, **options):
    """A machine with the small Domain 0 and our tools, booted; on Xen too."""
    options.setdefault("memory", 4096)
    options.setdefault("dom0_mem", "1G")
    tools = tempfile.mkdtemp(prefix="world-")
    os.makedirs(tools + "/usr/sbin")
    shutil.copy(os.path.join(BUILD, "tests/tools/probe"), tools + "/usr/sbin/")
    options["overlays"] = list(options.get("overlays", ())) + [tools]
    if log:
        options["log_file"] = os.environ.get(log)
    machine = Machine(hypervisor=hypervisor, **options)
    try:
        machine.boot(300)
        machine.run("for i in $(seq 60); do xm list >/dev/null 2>&1 && exit 0; sleep 1; done; exit 1", 120, check=True)
    except BaseException:
        machine.close()
        raise
    finally:
        shutil.rmtree(tools)
    return machine


def join_bridge(machine):
    """Puts Domain 0's network card on the bridge, so that guests reach the outside (QEMU's 10.0.2.2) through it."""
    machine.run("ls /sys/class/net/xenbr0/brif | grep -qv vif || { ip link set eth0 master xenbr0; ip addr flush dev "
                "eth0; udhcpc -i xenbr0 -n -q -t 5 -T 2 -S; }; ip link set xenbr0 up; ping -c 2 -w 20 10.0.2.2", 100,
                check=True)


def listing(machine, command):
    _, text = machine.run(command, 120, check=True)
    return json.loads(text)


def domains(machine):
    """The domains that run, by name."""
    return {d["name"]: d for d in listing(machine, "xm list --json") if d.get("domid", -1) >= 0}


def console_log(guest):
    return "/var/log/xen/console/guest-%s.log" % guest


def wait_console(machine, guest, pattern, seconds, count=1):
    """Waits until the guest's console has `count` lines of this extended regular expression."""
    log = console_log(guest)
    status, text = machine.run("for i in $(seq %d); do [ $(grep -aEc '%s' %s) -ge %d ] && exit 0; sleep 1; done; "
                               "tail -n 20 %s; exit 1" % (seconds, pattern, log, count, log), seconds * 3 + 60)
    if status:
        raise Failure("%s did not print %r %d times within %d s:\n%s" % (guest, pattern, count, seconds, text))


def count_console(machine, guest, pattern):
    _, text = machine.run("grep -aEcs '%s' %s" % (pattern, console_log(guest)))
    return int(text.strip() or 0)


LEDGER = r"""
probe ledger
for p in xend xenstored xenconsoled; do
    pid=$(pidof $p | tr ' ' '\n' | sort -n | tail -1)
    echo $p.pid $pid
    echo $p.fds $(ls /proc/$pid/fd | wc -l)
    echo $p.threads $(ls /proc/$pid/task | wc -l)
    echo $p.rss $(awk '/VmRSS/ { print $2 }' /proc/$pid/status)
done
echo dom0.available $(awk '/MemAvailable/ { print $2 }' /proc/meminfo)
echo dom0.slab $(awk '/^Slab/ { print $2 }' /proc/meminfo)
echo dom0.loops $(losetup -a | wc -l)
echo dom0.backends $(ls /sys/bus/xen-backend/devices | wc -l)
echo dom0.vifs $(ls /sys/class/net | grep -c vif)
echo dom0.processes $(ls -d /proc/[0-9]* | wc -l)
"""


class Ledger:
    """Numbers that tell of leaks; Ledger(machine).compare(before) lists those that have grown too much."""

    def __init__(self, machine, settle=3):
        machine.run("sleep %d; sync; echo 3 > /proc/sys/vm/drop_caches" % settle, 60)
        _, text = machine.run(LEDGER, 120, check=True)
        self.values = {words[0]: int(words[1]) for words in map(str.split, text.strip().split("\n"))
                       if len(words) == 2 and words[1].isdigit()}

    def __str__(self):
        return ", ".join("%s %d" % item for item in sorted(self.values.items()))

    def compare(self, before, slack):
        """Texts of what has got worse than `before` by more than slack[name] (0 where it is not named; None: not
        compared). free_pages and dom0.available get worse when they shrink."""
        worse = []
        for name, old in before.values.items():
            limit = slack.get(name, slack.get(name.split(".")[-1], 0))
            new = self.values.get(name, -1)
            grown = old - new if name in ("free_pages", "dom0.available") else new - old
            if limit is not None and grown > limit:
                worse.append("%s was %d, is %d" % (name, old, new))
        return worse
