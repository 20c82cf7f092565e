#!/usr/bin/env python3
"""What xend does by itself, with small guests of our own kernel: each way of on_crash, on_poweroff and on_reboot, core
dumps among them; stored domains started with the machine in their order, also when xend is killed on the way; Domain 0
asked for memory that a new guest needs, only where that is allowed, and never below its minimum. TAP."""

import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import world  # noqa: E402
from tap import Cases  # noqa: E402
from vm import BUILD  # noqa: E402

cases = Cases()
state = {}


def machine():
    if not state:
        share = tempfile.mkdtemp(prefix="hospes-ends-")
        shutil.copy(os.path.join(BUILD, "tests/guests/domu/neighbour"), share + "/neighbour")
        m = world.start_machine("hospes", "ENDS_LOG", share=share, memory=1536, dom0_mem="900M")
        state.update(share=share, machine=m)
        # Configurations are read by xm, the kernel by xend: not over 9p each time.
        m.run("cp /mnt/host/neighbour /root/; mkdir -p /etc/xend", check=True)
    return state["machine"]


def create(name, word, **settings):
    path = world.config(state["share"], name, kernel="/root/neighbour", extra=word, memory=settings.pop("memory", 16),
                        **settings)
    machine().run("xm create -q -p " + path, 60, check=True)
    domid = world.domains(machine())[name]["domid"]
    machine().run("xm unpause " + name, 60, check=True)
    return domid


def alone():
    """Ends all guests, also those that come again or leave something behind meanwhile."""
    for _ in range(20):
        names = [n for n in world.domains(machine()) if n != "Domain-0"]
        if not names:
            return
        machine().run("xm destroy " + " ".join(names), 60)
    raise AssertionError("they do not end: %r" % names)


def until(what, condition, seconds=60):
    for _ in range(seconds):
        found = world.domains(machine())
        if condition(found):
            return found
        machine().wait(1)
    raise AssertionError("%s: %r" % (what, found))


@cases.add("a guest that crashes is destroyed, restarted, preserved or left behind, as it says")
def crashes():
    alone()
    create("gone", "crash", on_crash="destroy")
    first = create("again", "crash", on_crash="restart")
    kept = create("kept", "crash", on_crash="preserve")
    create("behind", "crash", on_crash="rename-restart")
    until("restart", lambda f: f.get("again", {"domid": 0})["domid"] > first)
    until("destroy", lambda f: "gone" not in f)
    found = until("rename", lambda f: "behind-1" in f)
    assert found["kept"]["domid"] == kept and found["kept"]["state"][4] == "c", found["kept"]
    assert found["behind-1"]["state"][4] == "c"


@cases.add("a guest that crashes time and again is given up")
def crashes_often():
    alone()
    create("loop", "crash", on_crash="restart")
    until("given up", lambda f: "loop" not in f, 200)
    _, text = machine().run("tail -3 /var/log/xend.log")
    assert "not started again" in text, text


@cases.add("a crash leaves a core dump")
def dumps():
    alone()
    machine().run("rm -rf /var/lib/xend/dumps/*")
    create("core", "crash", on_crash="coredump-destroy")
    until("dumped and destroyed", lambda f: "core" not in f)
    _, text = machine().run("tail -5 /var/log/xend.log; ls -l /var/lib/xend/dumps; head -c 4 /var/lib/xend/dumps/*.core | hexdump -C; "
                            "grep -c 'neighbour: ' /var/lib/xend/dumps/*.core; rm /var/lib/xend/dumps/*", check=True)
    assert "7f 45 4c 46" in text and not text.strip().endswith("\n0"), text
    first = create("core", "crash", on_crash="coredump-restart")
    until("dumped and restarted", lambda f: f.get("core", {"domid": 0})["domid"] > first)
    machine().run("xm destroy core; ls /var/lib/xend/dumps/*.core && rm /var/lib/xend/dumps/*", check=True)


@cases.add("power-off and reboot do what the configuration says")
def ends():
    alone()
    first = create("off", "poweroff", on_poweroff="restart")
    create("boot", "reboot", on_reboot="destroy")
    until("on_poweroff", lambda f: f.get("off", {"domid": 0})["domid"] > first and "boot" not in f)
    alone()
    create("off", "poweroff")
    until("power-off", lambda f: list(f) == ["Domain-0"])


# A xend that was killed is started again by the one that watches over it.
UP = "for i in $(seq 200); do xm list > /dev/null 2>&1 && break; usleep 50000; done"


@cases.add("stored domains start with the machine in their order, even if xend is killed meanwhile")
def autostart():
    alone()
    m = machine()
    for order, name in enumerate(("third", "first", "second")):
        path = world.config(state["share"], name, kernel="/root/neighbour", extra="idle", memory=16, autostart=1,
                            autostart_order=(3, 1, 2)[order])
        m.run("xm new " + path, 60, check=True)
    assert list(world.domains(m)) == ["Domain-0"]
    # As after a boot of the machine: its mark is another boot's.
    m.run("echo another > /var/lib/xend/autostarted; pid() { pidof xend | tr ' ' '\\n' | sort -n | tail -1; }; "
          "kill -9 $(pid); for i in $(seq 100); do xm domid first 2>/dev/null && break; usleep 50000; done; "
          "kill -9 $(pid); " + UP, 100)
    found = until("autostart", lambda f: {"first", "second", "third"} <= set(f))
    assert found["first"]["domid"] < found["second"]["domid"] < found["third"]["domid"], found
    m.run("xm destroy first second; kill -9 $(pidof xend | tr ' ' '\\n' | sort -n | tail -1); " + UP + "; sleep 3", 60)
    assert set(until("not again", lambda f: "third" in f)) == {"Domain-0", "third"}
    m.run("xm destroy third; xm delete first; xm delete second; xm delete third", 60, check=True)


def dom0_mib():
    return world.domains(machine())["Domain-0"]["memory"]


@cases.add("Domain 0 gives memory to a new guest only where that is allowed, and keeps its minimum")
def balloon():
    alone()
    m = machine()
    info = json.loads(m.run("xm info --json", 60, check=True)[1])
    need, before = info["free_memory"] + 100, dom0_mib()
    path = world.config(state["share"], "big", kernel="/root/neighbour", extra="idle", memory=need)
    status, text = m.run("xm create -q " + path, 60)
    assert status and "not enough memory" in text and dom0_mib() == before, text
    m.run("echo 'dom0_ballooning = 1' > /etc/xend/xend.conf; echo 'dom0_min_mem = %d' >> /etc/xend/xend.conf; "
          "xend stop && sleep 1 && xend --log /var/log/xend.log --supervise start && xm list" % (before - 200), 60,
          check=True)
    m.run("xm create -q " + path, 100, check=True)
    assert before - 200 <= dom0_mib() <= before - 90, dom0_mib()
    m.run("xm destroy big", 60, check=True)
    path = world.config(state["share"], "big", kernel="/root/neighbour", extra="idle", memory=need + 300)
    status, text = m.run("xm create -q " + path, 60)
    assert status and "not enough memory" in text and dom0_mib() >= before - 201, text
    m.run("xm mem-set 0 %d" % before, 60, check=True)
    until("Domain 0 has its memory again", lambda f: f["Domain-0"]["memory"] >= before - 2)
    m.poweroff()


if __name__ == "__main__":
    sys.exit(world.main(cases, state))
