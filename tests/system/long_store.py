#!/usr/bin/env python3
"""Our xenstored and xenconsoled under Debian's xl on Debian's stock Xen 4.17: xl creates a guest of Debian's stock
kernel, which boots to a shell; its console is in its log from the first byte, and xenconsole talks to it; then
both daemons are killed with SIGKILL again and again under load, and the guest neither dies nor misses what is
written for it in the store; after its end nothing of it is left. TAP. Without Debian's xl on this machine: skipped."""

import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import Cases, Skip  # noqa: E402
from vm import BUILD, Machine, small_image  # noqa: E402

cases = Cases()
XEN_BIN = "/usr/lib/xen-4.17/bin"
GUEST = '''name="g1"
kernel="/mnt/host/vmlinuz"
ramdisk="/mnt/host/guest.cpio"
extra="console=hvc0"
memory=256
vcpus=1
'''
START = """set -e
[ -e /proc/xen/xsd_port ] || mount -t xenfs xenfs /proc/xen
mkdir -p /run/xen /run/xenstored /run/lock /var/lock /var/log/xen /var/lib/xen
ps | grep -q '[/]usr/sbin/xenstored' || /opt/ours/xenstored --supervise --pid-file /run/xenstored/pid
ps | grep -q '[/]usr/sbin/xenconsoled' || /opt/ours/xenconsoled --supervise --log=all --pid-file /run/xenconsoled.pid
PATH=$PATH:%s; xen-init-dom0; xenstore-ls /local/domain/0""" % XEN_BIN
# Two kills a round, at moments that differ from round to round; a write and a read by Debian's clients each time.
KILLS = """n=0; while [ $n -lt %d ]; do
 usleep $((n * 7919 %% 90000)); kill -9 $(cat /run/xenstored/pid)
 usleep $((n * 104729 %% 90000)); kill -9 $(cat /run/xenconsoled.pid)
 i=0; until xenstore-write /stress/$n v$n 2>/dev/null || [ $i -gt 200 ]; do usleep 50000; i=$((i+1)); done
 n=$((n+1)); done; usleep 500000; xenstore-ls /stress | grep -c v; ps | grep -c '[x]enstored'"""


def overlay():
    """A root with our two daemons, and Debian's xl and store clients with their libraries."""
    root = tempfile.mkdtemp(prefix="store-")
    programs = {"/opt/ours/" + name: os.path.join(BUILD, "bin", name) for name in ("xenstored", "xenconsoled")}
    for name in ("xl", "xen-init-dom0", "xenconsole"):
        programs["%s/%s" % (XEN_BIN, name)] = "%s/%s" % (XEN_BIN, name)
    for name in ("ls", "read", "write"):
        programs["/usr/bin/xenstore-" + name] = "/usr/bin/xenstore-" + name
    for place, program in programs.items():
        if not os.path.exists(program):
            raise Skip("there is no %s on this machine" % program)
        files = {place: program}
        for line in subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout.split("\n"):
            words = [w for w in line.split() if w.startswith("/")]
            if words:
                files[words[0]] = words[0]
        for target, source in files.items():
            if target.startswith(("/lib/", "/lib64/")):
                target = "/usr/lib/" + target.split("/", 2)[2]
            os.makedirs(os.path.dirname(root + target), exist_ok=True)
            if not os.path.exists(root + target):
                shutil.copy(os.path.realpath(source), root + target)
    # Loaded by glibc itself when a thread is cancelled.
    shutil.copy("/lib/x86_64-linux-gnu/libgcc_s.so.1", root + "/usr/lib/x86_64-linux-gnu/")
    os.makedirs(root + "/etc/xen", exist_ok=True)
    with open(root + "/etc/xen/xl.conf", "w") as f:
        f.write('autoballoon="off"\nclaim_mode=0\n')
    return root


def guest_life(m):
    """Creates the guest and waits for its shell; returns nothing."""
    status, text = m.run("export PATH=$PATH:%s; xl create /mnt/host/g1.cfg && xl list" % XEN_BIN, 600)
    assert status == 0 and "g1" in text, text
    log = "/var/log/xen/console/guest-g1.log"
    m.run("i=0; until grep -q 'is up after' %s; do sleep 1; i=$((i+1)); [ $i -lt 500 ]; done" % log, 520, check=True)
    _, text = m.run("head -c 2000 %s; ls /run/xenconsoled" % log)
    assert "Linux version" in text and "1.sock" in text, text


@cases.add("a guest's life with both daemons killed again and again")
def life():
    root = overlay()
    with Machine(hypervisor="xen", memory=2048, dom0_mem="1G", overlays=[root], tools=False,
                 log_file=os.environ.get("STORE_LOG")) as m:
        shutil.copy(m.vmlinuz, m.share + "/vmlinuz")
        small_image("6.1", output=m.share + "/guest.cpio")
        with open(m.share + "/g1.cfg", "w") as f:
            f.write(GUEST)
        m.boot(timeout=500)
        status, text = m.run(START, 200)
        assert status == 0 and "domid" in text, text
        start = time.time()
        guest_life(m)
        print("# the guest is up after %.0f s" % (time.time() - start), flush=True)
        rounds = int(os.environ.get("STORE_KILLS", "50"))
        status, text = m.run(KILLS % rounds, 900)
        assert text.split()[-2:-1] == [str(rounds)], text
        # What is written for the guest reaches it: it gives memory back.
        m.run("xenstore-write /local/domain/1/memory/target 200000", check=True)
        m.type("%s/xenconsole 1\n" % XEN_BIN)
        m.wait(3)
        m.type("\n")
        m.type("sleep 3; awk '/MemTotal/{print $2 < 230000 ? \"small\"\"er\" : \"as before\"}' /proc/meminfo\n")
        m.expect("smaller", 120)
        m.type("poweroff\n")
        m.expect(r"Power down|System halted", 200)
        m.expect(r"dom0:[^\n]*# ", 200)
        m.run("export PATH=$PATH:%s; i=0; while xl list g1 >/dev/null 2>&1; do sleep 1; i=$((i+1)); [ $i -lt 60 ]; "
              "done" % XEN_BIN, 90)
        # A slow reader of the console gets ten seconds for what is left.
        m.run("i=0; while [ -e /run/xenconsoled/1.sock ] && [ $i -lt 30 ]; do sleep 1; i=$((i+1)); done", 90)
        _, text = m.run("xenstore-ls /local/domain; xenstore-ls /vm; ls /run/xenconsoled")
        assert "g1" not in text and "1.sock" not in text, text
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(cases.main())
