"""The cases of test_our_tools.py and test_our_tools_xen.py: our whole toolstack (xenstored, xenconsoled, xend, xm)
runs a PV guest's life cycle on the hypervisor that main() is given, by xm and by the classic XML-RPC methods from
Python's xmlrpc.client. The cases build on one another."""

import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import Cases  # noqa: E402
import lives  # noqa: E402
from vm import Failure  # noqa: E402

CONFIG = """name = "g1"
kernel = "/mnt/host/vmlinuz"
ramdisk = "/mnt/host/guest.cpio"
extra = "console=hvc0"
memory = 192
vcpus = 1
maxvcpus = 2
disk = ["file:/root/a.img,xvda,w"]
vif = ["bridge=xenbr0"]
on_crash = "destroy"
"""
LOG = "/var/log/xen/console/guest-g1.log"

cases = Cases()
life = lives.Life()
state, run, guest = life.state, life.run, life.guest


def refused(command, sentence):
    """Must fail, with this in its answer."""
    status, text = state["machine"].run(command, 60)
    assert status != 0 and sentence in text, text


def listing(command):
    return json.loads(run(command))


def wait_vcpus(number):
    life.wait_vcpus(number, "xm vcpu-list g1; chroot /debian xenstore-ls -f /local/domain | grep /cpu")


def domains():
    return {d["name"]: d for d in listing("xm list --json")}


def free_memory():
    """MiB without an owner."""
    return int(listing("xm info --json")["free_memory"])


def end_of_guest():
    lives.wait_for("the end of the guest", lambda: list(domains()) == ["Domain-0"])


def everything_given_back():
    """No page, no interface, no loop device, nothing in the store."""
    try:
        lives.wait_for("%d MiB of free memory" % state["free"], lambda: abs(state["free"] - free_memory()) <= 1, 10)
    except Failure as failure:
        raise Failure("%s, there are %d" % (failure, free_memory()))
    text = run("ls /sys/class/net /sys/bus/xen-backend/devices; losetup -a; ls /var/lib/xend/domains; "
               "chroot /debian xenstore-ls /local/domain; chroot /debian xenstore-ls /vm || true")
    assert not re.search(r"vif\d|img|g1|51712", text), text


@cases.add("Domain 0 starts our tools; xm knows the machine")
def start():
    m = state["machine"] = lives.our_machine(state["hypervisor"], memory=3072, dom0_mem="1536M", icount=lives.ICOUNT,
                                             hv_options="sched=credit" if state["hypervisor"] == "xen" else "",
                                             log_file=os.environ.get("OURS_LOG"))
    m.run("truncate -s 16M /root/a.img; truncate -s 8M /root/b.img", check=True)
    lives.wait_for("an answer of xend", lambda: m.run("xm list", 60)[0] == 0)
    assert list(domains()) == ["Domain-0"]
    assert listing("xm info --json")["xen_scheduler"] == "credit"
    run("xm debug-keys h")
    assert "debug" in run("sleep 1; xm dmesg").lower()
    state["free"] = free_memory()


@cases.add("xm create: the guest answers over its card and writes its disk")
def create():
    path = lives.write(state["machine"], "g1.cfg", CONFIG)
    run("xm create --check %s && xm create %s" % (path, path), 180)
    assert guest("echo written | dd of=/dev/xvda bs=512 count=1 conv=sync oflag=direct 2>&1; nproc").split()[-1] == "1"
    assert run("head -c 7 /root/a.img") == "written"
    disk, = listing("xm block-list --json g1")
    card, = listing("xm network-list --json g1")
    assert disk["state"] == "4" and card["state"] == "4", (disk, card)
    refused("xm create " + path, "g1")
    assert domains()["g1"]["state_name"] == "running"


@cases.add("xm pause, unpause, console")
def pause():
    m = state["machine"]
    run("xm pause g1")
    assert domains()["g1"]["state"][2] == "p"
    assert m.run("ping -c 1 -W 2 10.9.0.2")[0] != 0
    run("xm unpause g1 && ping -c 2 -W 5 10.9.0.2")
    m.type("xm console g1\n")
    m.wait(2)
    m.type("\n")
    m.expect(r"guest:[^\n]*# ", 60)
    m.type("echo con''sole-works\n")
    m.expect(r"^console-works", 30)
    m.type("\x1d")
    m.wait(1)
    m.type("\n")
    m.expect(r"dom0:[^\n]*# ", 30)
    assert "Linux version" in run("head -c 4000 " + LOG)


@cases.add("xm vcpu-set, vcpu-pin, vcpu-list, mem-set, mem-max, sched-credit change the running guest")
def change():
    run("xm vcpu-set g1 2")
    wait_vcpus(2)
    run("xm vcpu-pin g1 1 1")
    assert re.search(r"^g1\s+\d+\s+1\s+1\s+\S+\s+\S+\s+1$", run("xm vcpu-list g1"), re.M), run("xm vcpu-list g1")
    run("xm vcpu-set g1 1")
    wait_vcpus(1)
    run("xm mem-set g1 150")
    lives.wait_for("a guest of 150 MiB", lambda: domains()["g1"]["memory"] <= 151)
    run("xm mem-set g1 192")
    lives.wait_for("a guest of 192 MiB", lambda: domains()["g1"]["memory"] >= 191)
    refused("xm mem-set g1 100000", "MiB")
    run("xm sched-credit -d g1 -w 512 -c 50")
    shares = {s["name"]: s for s in listing("xm sched-credit --json")}["g1"]
    assert (shares["weight"], shares["cap"]) == (512, 50), shares
    run("xm sched-credit -d g1 -w 256 -c 0")


@cases.add("xm block-attach, block-detach, network-attach, network-detach; a killed xend finds it all")
def hotplug():
    sees = "ls /dev | grep -c xvd; ls /sys/class/net | grep -c eth"
    run("xm block-attach g1 file:/root/b.img xvdb w && xm network-attach g1", 120)
    lives.wait_for("two disks and two cards", lambda: guest(sees).split() == ["2", "2"])
    refused("xm block-attach g1 file:/root/a.img xvdc w", "in use by g1")
    run("kill -9 $(pidof xend); sleep 1; xend --log /var/log/xend.log start; xm list", 60)
    assert len(listing("xm block-list --json g1")) == 2 and len(listing("xm network-list --json g1")) == 2
    run("xm block-detach g1 xvdb && xm network-detach g1 1", 120)
    lives.wait_for("one disk and one card", lambda: guest(sees).split() == ["1", "1"])


@cases.add("xm list --long, top, dump-core, sysrq, rename, uptime, log tell of the guest")
def tell():
    assert "(name g1)" in run("xm list --long g1")
    assert len(re.findall(r"^\s*g1\s", run("xm top -b -i 2 -d 1", 30), re.M)) == 2
    run("xm dump-core g1 /run/core", 180)
    run("grep -q 'Linux version 6.1' /run/core", 120)
    run("rm /run/core; xm sysrq g1 h")
    lives.wait_for("the guest's help for sysrq", lambda: "sysrq: HELP" in guest("dmesg"))
    run("xm rename g1 other && xm domid other && xm rename other g1 && xm uptime g1")
    assert run("xm domname $(xm domid g1)").strip() == "g1"
    assert "g1" in run("xm log | tail -20")


@cases.add("xm reboot starts it anew; a crash ends it and everything is given back")
def end():
    first = domains()["g1"]["domid"]
    run("xm reboot -w g1", 200)
    assert domains()["g1"]["domid"] > first
    wait_vcpus(1)
    run("xm sysrq g1 c")
    end_of_guest()
    everything_given_back()


# Run by Debian's Python in Domain 0, with nothing but its standard library.
CLIENT = """
import time, xmlrpc.client
server = xmlrpc.client.ServerProxy("http://xend:the%20secret%20of%20the%20tests@127.0.0.1:8006/RPC2")
x = server.xend

def field(sxp, key):
    return next((pair[1] for pair in sxp[1:] if pair[0] == key), None)

def wait(what, condition, seconds=300):
    for _ in range(seconds * 2):
        if condition():
            return
        time.sleep(0.5)
    raise SystemExit(what + " did not happen")

node = {pair[0]: pair[1] for pair in x.node.info()}
assert node["nr_cpus"] == 2 and node["total_memory"] > 3000, node
config = ["vm", ["name", "g1"], ["memory", 192], ["vcpus", 2], ["on_crash", "destroy"],
          ["image", ["linux", ["kernel", "/mnt/host/vmlinuz"], ["ramdisk", "/mnt/host/guest.cpio"],
                     ["args", "console=hvc0"]]],
          ["device", ["vbd", ["uname", "file:/root/a.img"], ["dev", "xvda"], ["mode", "w"]]],
          ["device", ["vif", ["bridge", "xenbr0"]]]]
made = x.domain.create(config)
domid = field(made, "domid")
assert made[0] == "domain" and domid > 0 and field(made, "name") == "g1", made
x.domain.waitForDevices("g1")
assert field(x.domain("g1"), "state_name") == "paused"
x.domain.unpause("g1")
assert sorted(x.domains(0)) == ["Domain-0", "g1"]
assert [field(d, "name") for d in x.domains(1)] == ["Domain-0", "g1"]
wait("a connected disk", lambda: x.domain.getDeviceSxprs("g1", "vbd") and
     field([0] + x.domain.getDeviceSxprs("g1", "vbd")[0][1], "state") in (4, "4"))
try:
    x.domain.create(config)
    raise SystemExit("a second g1 was created")
except xmlrpc.client.Fault as fault:
    assert "g1" in fault.faultString, fault
try:
    x.domain.pause("nobody")
    raise SystemExit("nobody was paused")
except xmlrpc.client.Fault as fault:
    assert "nobody" in fault.faultString, fault
x.domain.pause("g1"); x.domain.unpause(domid)
x.vcpu.pin("g1", 0, "0")
info = x.vcpu.info("g1")
assert field(info, "vcpu") is not None, info
x.domain.sched_credit_set("g1", 300, 0)
assert x.domain.sched_credit_get("g1")["weight"] == 300
wait("a guest that listens to the store", lambda: "is up after" in open("/debian-log/guest-g1.log").read())
x.domain.setMemoryTarget("g1", 150)
wait("a guest of 150 MiB", lambda: field(x.domain("g1"), "memory") <= 151)
x.domain.setMemoryTarget("g1", 192)
x.vcpu.set("g1", 1)
wait("one vCPU", lambda: field(x.domain("g1"), "online_vcpus") == 1)
number = x.device.create("g1", ["vbd", ["uname", "file:/root/b.img"], ["dev", "xvdb"], ["mode", "r"]])
assert len(x.device.list("g1", "vbd")) == 2
x.device.destroy("g1", "vbd", "xvdb")
assert len(x.device.list("g1", "vbd")) == 1
x.domain.setName("g1", "other"); x.domain.setName("other", "g1")
assert x.domain.getRestartCount("g1") == 0
x.domain.shutdown("g1", "reboot")
wait("a reboot", lambda: (field(next((d for d in x.domains(1) if field(d, "name") == "g1"), [0]), "domid") or 0) > domid)
wait("the new guest's life", lambda: x.domain.getRestartCount("g1") == 1)
x.domain.destroy("g1")
assert x.domains(0) == ["Domain-0"]
x.domain.new(config)
assert x.domains_with_state(0, "halted") == ["g1"]
x.domain.start("g1")
assert field(x.domain("g1"), "state_name") == "running"
x.domain.destroy("g1")
x.domain.delete("g1")
assert x.domains_with_state(0, "all") == ["Domain-0"]
assert "xend.domain.create" in server.system.listMethods()
print("python: ok")
"""


@cases.add("Python's xmlrpc.client drives a whole life cycle with the classic methods")
def classic():
    path = lives.write(state["machine"], "client.py", CLIENT)
    run(": > %s; mkdir -p /debian/debian-log; mount -o bind /var/log/xen/console /debian/debian-log" % LOG)
    assert "python: ok" in run("chroot /debian python3 " + path, 300)
    everything_given_back()


@cases.add("xm shutdown -w of a guest at work; xm destroy in the midst of a boot")
def shutdown():
    state["machine"].run("xm destroy g1")      # what a failed case has left
    path = lives.write(state["machine"], "g1.cfg", CONFIG)
    run("xm create -q %s" % path, 180)
    guest("nproc")
    run("xm shutdown -w g1", 200)
    end_of_guest()
    run("xm create -q %s && sleep 2 && xm destroy g1" % path, 240)
    assert list(domains()) == ["Domain-0"]
    everything_given_back()
    state["machine"].poweroff()


def main(hypervisor):
    return life.main(cases, hypervisor)
