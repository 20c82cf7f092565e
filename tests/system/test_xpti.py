#!/usr/bin/env python3
"""Guests on page tables without the hypervisor (option xpti=), looked at from outside: QEMU's monitor stops the machine
while a guest runs and says what the processor's page tables map. Then Linux on a processor with Meltdown, where it is
on by itself. TAP; arguments select cases by name."""

import os
import re
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest  # noqa: E402
from tap import Cases  # noqa: E402
from vm import BUILD, Machine  # noqa: E402

cases = Cases()
INTEL = "Skylake-Server,+x2apic,-monitor"

# hypervisor/x86/include/arch/layout.h
HYPERVISOR = {"direct map": 0xffff830000200000, "frame table": 0xffff820000000000,
              "machine-to-physical table, writable": 0xffff808000000000}
SHOWN = 0xffff800000000000      # the machine-to-physical table that guests read


class Monitor:
    """QEMU's monitor on a socket."""

    def __init__(self, machine):
        self.path = os.path.join(machine.work, "monitor")
        machine.extra += ["-monitor", "unix:%s,server=on,wait=off" % self.path]
        self.socket = None

    def ask(self, command):
        if self.socket is None:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(self.path)
            self.socket.settimeout(20)
            self._answer()
        self.socket.send(command.encode() + b"\n")
        return self._answer()

    def _answer(self):
        text = ""
        while not text.endswith("(qemu) "):
            text += self.socket.recv(65536).decode("utf-8", "replace")
        return text


def symbols():
    text = subprocess.run(["nm", os.path.join(BUILD, "hospes.debug")], stdout=subprocess.PIPE, check=True, text=True).stdout
    return {line.split()[2]: int(line.split()[0], 16) for line in text.splitlines() if len(line.split()) == 3}


def mapped(monitor, address):
    return "Unmapped" not in monitor.ask("gva2gpa 0x%x" % address)


def looks(option, rounds=200):
    """What is mapped, each time that the machine was stopped while a guest ran: a list of sets of names."""
    names = symbols()
    places = dict(HYPERVISOR, **{n: names[n] for n in ["do_irq", "boot_l4", "domain_by_id", "saved_cmdline"]})
    machine = guest.Guest(os.path.join(BUILD, "tests/guests/hypercall_fuzz"), "n=1000000000", vcpus=2, memory=512,
                          hv_options=option)     # goes on for longer than anybody looks
    monitor = Monitor(machine)
    found = []
    with machine:
        machine.start()
        machine.expect(r"CPUs online", 60)
        for _ in range(rounds):
            machine.wait(0.05)
            monitor.ask("stop")
            if re.search(r"CPL=3", monitor.ask("info registers")):
                found.append({name for name, address in places.items() if mapped(monitor, address)})
                assert mapped(monitor, SHOWN), "the guest's own view of the machine-to-physical table is gone"
                assert mapped(monitor, names["_xpti_text_start"]), "no way in"
            monitor.ask("cont")
            if len(found) >= 10:
                break
    assert len(found) >= 5, "the guest was hardly ever caught running: %d times" % len(found)
    return found, places


@cases.add("nothing of the hypervisor is mapped while a guest runs")
def isolated():
    for seen in looks("xpti=true")[0]:
        assert not seen, "mapped: " + ", ".join(sorted(seen))


@cases.add("everything is where the option is off, so that the look means something")
def shared():
    found, places = looks("xpti=false")
    assert all(seen == set(places) for seen in found), found


@cases.add("Linux on a processor with Meltdown: on by itself, boots, works, powers off")
def linux():
    with Machine(cpu=INTEL, memory=1024, tools=False) as machine:
        machine.boot(timeout=180)
        assert re.search(r"Dom0 on, DomU on; the processor is vulnerable", machine.log), machine.log[:3000]
        machine.run("for i in $(seq 50); do /bin/true; done; dd if=/dev/zero of=/tmp/f bs=1M count=20 2>/dev/null && "
                    "test $(md5sum < /tmp/f | cut -c1-8) = 8f4e33f3", check=True, timeout=120)
        machine.type("\x01\x01\x01")
        machine.expect(r"[Ii]nput.*hypervisor|input to Hospes", 20)
        machine.type("X")
        machine.wait(3)
        tables = re.findall(r"XPTI: CPU \d+, table of \w+: (.*)", machine.log)
        machine.type("\x01\x01\x01")
        assert len(tables) == 4 and all(t.startswith("0 entries") for t in tables), tables
        machine.poweroff()


if __name__ == "__main__":
    sys.exit(cases.main())
