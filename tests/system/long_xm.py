#!/usr/bin/env python3
"""What xm can do besides the life cycle of our_tools.py, on a real guest: a whole Debian on a phy: disk boots its own
installed kernel through PV GRUB and is used on its console; stored domains start with the machine in their order;
wrong configurations are refused with their cause. HYPERVISOR=xen: on Debian's Xen 4.17. TAP."""

import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import Cases, Skip  # noqa: E402
from vm import CACHE  # noqa: E402
import lives  # noqa: E402

GRUB = "/usr/lib/grub-xen/grub-x86_64-xen.bin"
DEBIAN = """name = "debian"
kernel = "/mnt/host/grub"
memory = 512
vcpus = 2
disk = ["phy:/dev/vdb,xvda,w"]
vif = ["bridge=xenbr0"]
"""
SMALL = """name = "%s"
kernel = "/mnt/host/vmlinuz"
ramdisk = "/mnt/host/guest.cpio"
extra = "console=hvc0"
memory = 192
autostart = 1
autostart_order = %d
"""

cases = Cases()
state = {}      # the machine


def run(command, timeout=60):
    """Must succeed; returns the output."""
    _, text = state["machine"].run(command, timeout, check=True)
    return text


@cases.add("Domain 0 starts our tools")
def start():
    hypervisor = os.environ.get("HYPERVISOR", "hospes")
    state["machine"] = m = lives.our_machine(hypervisor, memory=4096, dom0_mem="1536M",
                                             disks=[(os.path.join(CACHE, "disks/domu.raw"), "snapshot=on")],
                                             log_file=os.environ.get("XM_LOG"))
    lives.wait_for("an answer of xend", lambda: m.run("xm list", 60)[0] == 0)


@cases.add("stored domains start with the machine, in their order; their kernel is unpacked before")
def autostart():
    m = state["machine"]
    for name, order in (("first", 1), ("second", 2)):
        run("xm new " + lives.write(m, name, SMALL % (name, order)))
    lives.wait_for("an unpacked kernel", lambda: m.run("ls /var/cache/hospes/kernels | grep -q ^k-")[0] == 0)
    # As if the machine had been started anew: xend starts such domains once after each boot.
    run("kill $(pidof xend); sleep 2; rm -f /var/lib/xend/autostarted; xend --log /var/log/xend.log start")
    lives.wait_for("the start of both", lambda: m.run("xm list first second | grep -c '[rb]-----'")[1].strip() == "2", 120)
    text = run("grep 'was built as' /var/log/xend.log")
    assert text.index("first was built") < text.index("second was built"), text
    assert "kernel from the cache" in text.split("\n")[0], text
    run("xm shutdown -w first second", 200)
    assert re.search(r"^first\s+(-\s+)?", run("xm list --state halted"), re.M)
    run("xm delete first && xm delete second")


@cases.add("a whole Debian on a phy: disk boots its own kernel through PV GRUB")
def grub():
    m = state["machine"]
    if not os.path.exists(GRUB):
        raise Skip("there is no %s (package grub-xen-host)" % GRUB)
    shutil.copy(GRUB, os.path.join(m.share, "grub"))
    run("xm create " + lives.write(m, "debian", DEBIAN), 120)
    log = "/var/log/xen/console/guest-debian.log"
    lives.wait_for("Debian's login", lambda: m.run("grep -q 'domu login:' %s" % log)[0] == 0, 400)
    assert "GRUB" in run("head -c 20000 " + log)


@cases.add("its console takes a login and work on its disk")
def console():
    m = state["machine"]
    m.type("xm console debian\n")
    m.wait(2)
    m.type("\n")
    m.expect(r"domu login: ", 60)
    m.type("root\n")
    m.expect(r"root@domu:\S*# ", 120)
    m.type("mount -o remount,rw /; dd if=/dev/urandom of=/root/x bs=1M count=8 conv=fsync; "
           "nproc; findmnt -no SOURCE /; echo work''-done\n")
    text = m.expect(r"2\n/dev/xvda\nwork-done", 120)
    assert text
    m.type("poweroff\n")
    m.expect(r"dom0:[^\n]*# ", 240)     # the guest's end ends xm console
    lives.wait_for("the end of the guest", lambda: "debian" not in run("xm list"))


@cases.add("what cannot be is refused in a sentence, and leaves nothing")
def refused():
    m = state["machine"]
    wrong = [("kernel = '/mnt/host/debian'", "kernel"), ("kernel = '/nowhere'", "/nowhere"),
             ("memory = 900000", "MiB"), ("disk = ['phy:/dev/nowhere,xvda,w']", "/dev/nowhere"),
             ("disk = ['phy:/dev/vda,xvda,w']", "/dev/vda"), ("vif = ['bridge=nowhere']", "nowhere"),
             ("name = 'Domain-0'", "Domain-0"), ("vcpus = 100000", "vcpus"), ("memory = ", "syntax")]
    for number, (line, word) in enumerate(wrong):
        path = lives.write(m, "wrong%d" % number, SMALL.replace("autostart", "#") % ("wrong", 1) + line + "\n")
        status, text = m.run("xm create -q " + path, 60)
        print("# %s -> %s" % (line, text.strip()))
        assert status != 0 and (word in text or word == "syntax") and text.count("\n") <= 3, text
    assert run("xm list | wc -l").strip() == "2"
    m.poweroff()


if __name__ == "__main__":
    try:
        code = cases.main()
    finally:
        if "machine" in state:
            state["machine"].close()
    sys.exit(code)
