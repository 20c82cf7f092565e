"""The cases of test_debian_swap.py: the stock tools of Debian 12's Xen 4.17 (xl,
xenstored, xenconsoled, xenstore-ls, xentop) run a PV guest's life cycle on the hypervisor that main() is given. Debian's
userland is the disk dom0.raw, entered by chroot: none of our programs is in the machine. The cases build on one another."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import Cases  # noqa: E402
import lives  # noqa: E402
from vm import Failure  # noqa: E402

# xl has no cache of unpacked kernels: what is unpacked already saves it half of each creation but one.
CONFIG = """name = "g1"
kernel = "/mnt/host/vmlinux"
ramdisk = "/mnt/host/guest.cpio"
extra = "console=hvc0"
memory = 192
vcpus = 1
maxvcpus = 2
disk = ["/root/a.img,raw,xvda,w"]
vif = ["bridge=xenbr0,mac=00:16:3e:00:00:01"]
on_crash = "destroy"
"""
# "sched-credit" is only there where the scheduler is credit, which Hospes' is.
XEN_OPTIONS = "sched=credit"
START = """truncate -s 16M /root/a.img; truncate -s 8M /root/b.img
printf 'XENSTORED="/usr/lib/xen-4.17/bin/xenstored"\\n' >> /etc/default/xen
printf 'autoballoon="off"\\nclaim_mode=0\\n' >> /etc/xen/xl.conf
/etc/init.d/xen start"""

cases = Cases()
life = lives.Life()
state, run, guest = life.state, life.run, life.guest


def wait_vcpus(number):
    life.wait_vcpus(number, "xl vcpu-list g1; xenstore-ls -f /local/domain | grep /cpu")


def domains():
    """name -> (domid, MiB, vCPUs, state) of xl list."""
    rows = [line.split() for line in run("xl list").strip().split("\n")[1:]]
    return {row[0]: (int(row[1]), int(row[2]), int(row[3]), row[4]) for row in rows}


def free_memory():
    """MiB without an owner."""
    return int(run("xl info free_memory"))


@cases.add("Debian's xenstored and xenconsoled start, xl knows the machine")
def start():
    m = state["machine"] = lives.debian_machine(state["hypervisor"], memory=3072, dom0_mem="1536M", icount=lives.ICOUNT,
                                                hv_options=XEN_OPTIONS if state["hypervisor"] == "xen" else "",
                                                log_file=os.environ.get("DEBIAN_LOG"))
    m.run(START, 120, check=True)
    assert list(domains()) == ["Domain-0"]
    text = run("xl info")
    assert re.search(r"^total_memory\s*: 30\d\d$", text, re.M) and "xen_scheduler          : credit" in text, text
    run("xl debug-keys h")
    assert "debug" in run("sleep 1; xl dmesg").lower()
    assert 'domid = "0"' in run("xenstore-ls /local/domain/0")
    state["free"] = free_memory()


@cases.add("xl create: the guest answers over its card and writes its disk")
def create():
    run("xl create %s" % lives.write(state["machine"], "g1.cfg", CONFIG), 180)
    assert domains()["g1"][2] == 1
    assert guest("echo written | dd of=/dev/xvda bs=512 count=1 conv=sync oflag=direct 2>&1; nproc").split()[-1] == "1"
    assert run("head -c 7 /root/a.img") == "written"
    text = run("xenstore-ls /local/domain/0/backend")
    assert text.count('state = "4"') == 2, text


@cases.add("xl pause, unpause; xl console")
def pause():
    run("xl pause g1")
    assert "p" in domains()["g1"][3]
    assert state["machine"].run("ping -c 1 -W 2 10.9.0.2")[0] != 0
    run("xl unpause g1 && ping -c 2 -W 5 10.9.0.2")
    m = state["machine"]
    m.type(m.shell + " -c 'xl console g1'\n")
    m.wait(2)
    m.type("\n")
    m.expect(r"guest:[^\n]*# ", 60)
    m.type("echo con''sole-works\n")
    m.expect(r"^console-works", 30)
    m.type("\x1d")
    m.wait(1)
    m.type("\n")
    m.expect(r"dom0:[^\n]*# ", 30)


@cases.add("xl vcpu-set, vcpu-pin, vcpu-list, mem-set, sched-credit change the running guest")
def change():
    run("xl vcpu-set g1 2")
    wait_vcpus(2)
    run("xl vcpu-pin g1 1 1")
    text = run("xl vcpu-list g1")
    assert re.search(r"^g1\s+\d+\s+1\s+1\s+\S+\s+\S+\s+1 / ", text, re.M), text
    run("xl vcpu-set g1 1")
    wait_vcpus(1)
    run("xl mem-set g1 150")
    lives.wait_for("a guest of 150 MiB", lambda: domains()["g1"][1] <= 151)
    run("xl mem-set g1 192")
    lives.wait_for("a guest of 192 MiB", lambda: domains()["g1"][1] >= 191)
    run("xl sched-credit -d g1 -w 512 -c 50")
    assert re.search(r"^g1\s+\d+\s+512\s+50\s*$", run("xl sched-credit"), re.M)
    run("xl sched-credit -d g1 -w 256 -c 0")


@cases.add("xl block-attach, block-detach, network-attach, network-detach")
def hotplug():
    sees = "ls /dev | grep -c xvd; ls /sys/class/net | grep -c eth"
    run("xl block-attach g1 /root/b.img,raw,xvdb,w && xl network-attach g1 bridge=xenbr0", 120)
    lives.wait_for("two disks and two cards", lambda: guest(sees).split() == ["2", "2"])
    assert run("xl block-list g1").count("/local/domain/") == 2 and run("xl network-list g1").count(" xenbr0") == 0
    run("xl block-detach g1 xvdb && xl network-detach g1 1", 120)
    lives.wait_for("one disk and one card", lambda: guest(sees).split() == ["1", "1"])


@cases.add("xl list -l, xentop, xl dump-core, xl sysrq tell of the guest")
def tell():
    text = run("xl list -l")
    whole = json.loads(text[text.index("["):])     # after warnings, if any
    assert whole[-1]["config"]["c_info"]["name"] == "g1", whole
    text = run("xentop -b -i 2 -d 1", 30)
    assert len(re.findall(r"^\s*g1\s", text, re.M)) == 2, text
    run("xl dump-core g1 /run/core", 180)
    run("grep -q 'Linux version 6.1' /run/core", 120)
    run("rm /run/core")
    run("xl sysrq g1 h")
    lives.wait_for("the guest's help for sysrq", lambda: "sysrq: HELP" in guest("dmesg"))
    run("xl rename g1 other && xl domid other && xl rename other g1 && xl uptime g1")


@cases.add("xl reboot starts it anew; a crash ends it and everything is given back")
def end():
    first = domains()["g1"][0]
    run("xl reboot g1")
    lives.wait_for("the new guest", lambda: domains().get("g1", (0,))[0] > first, 120)
    wait_vcpus(1)
    run("xl sysrq g1 c")
    lives.wait_for("the end of the crashed guest", lambda: list(domains()) == ["Domain-0"], 60)
    everything_given_back()


@cases.add("xl destroy in the midst of a boot, xl shutdown -w of a guest at work")
def shutdown():
    path = lives.write(state["machine"], "g1.cfg", CONFIG)
    stock = lives.write(state["machine"], "stock.cfg", CONFIG.replace("/vmlinux", "/vmlinuz"))
    run("xl create %s && sleep 2 && xl destroy g1" % stock, 240)
    assert list(domains()) == ["Domain-0"]
    run("xl create " + path, 180)
    guest("nproc")
    run("xl shutdown -w g1", 120)
    lives.wait_for("the end of the guest", lambda: list(domains()) == ["Domain-0"])
    everything_given_back()
    state["machine"].poweroff()


def everything_given_back():
    """No page, no interface, no loop device, nothing in the store."""
    try:
        lives.wait_for("%d MiB of free memory" % state["free"], lambda: abs(state["free"] - free_memory()) <= 1, 10)
    except Failure as failure:
        raise Failure("%s, there are %d" % (failure, free_memory()))
    text = run("ls /sys/class/net /sys/bus/xen-backend/devices; losetup -a; xenstore-ls /local/domain; "
               "xenstore-ls /vm || true; xenstore-ls /libxl || true")
    assert not re.search(r"vif\d|img|g1|51712", text), text


def main(hypervisor):
    return life.main(cases, hypervisor)
