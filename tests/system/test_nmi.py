#!/usr/bin/env python3
"""NMIs at any instruction. An NMI comes where interrupts are off: in the middle of entry and exit, on the guest's stack
pointer, between the last check and the IRETQ. QEMU's monitor sends them as fast as it can while our test kernels go
through the entry paths, fuzz hypercalls and compare their registers, and while Linux boots; the option nmi=ignore makes
each of them only go in and out. Everything must end as without them. TAP."""

import os
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import guest  # noqa: E402
from tap import Cases, Skip, parse  # noqa: E402
from vm import BUILD, Machine  # noqa: E402

cases = Cases()


class Hammer(threading.Thread):
    """Sends NMIs to every CPU, from when the hypervisor has set up its own handler on all of them until it is stopped
    or the machine ends."""

    def __init__(self, machine, path, interval):
        super().__init__(daemon=True)
        self.machine = machine
        self.path = path
        self.interval = interval
        self.sent = 0
        self.stop = threading.Event()

    def run(self):
        while "CPUs online" not in self.machine.log and "CPU online" not in self.machine.log:
            if self.stop.wait(0.05):
                return
        monitor = socket.socket(socket.AF_UNIX)
        monitor.connect(self.path)
        monitor.settimeout(1)
        while not self.stop.wait(self.interval):
            try:
                monitor.send(b"nmi\n")
                monitor.recv(65536)
            except socket.timeout:
                continue
            except OSError:
                return
            self.sent += 1


def hammered(machine, body, interval=0.001):
    """body() with NMIs; returns how many."""
    path = os.path.join(machine.work, "monitor")
    machine.extra += ["-monitor", "unix:%s,server=on,wait=off" % path]
    hammer = Hammer(machine, path, interval)
    hammer.start()
    try:
        body()
    finally:
        hammer.stop.set()
        hammer.join()
    print("# %d NMIs" % hammer.sent)
    assert hammer.sent > 20, "hardly any NMI was sent"


def test_kernel(name, arguments="", vcpus=2, **options):
    elf = os.path.join(BUILD, "tests/guests", name)
    if not os.path.exists(elf):
        raise Skip("%s is not built" % elf)
    machine = guest.Guest(elf, arguments, vcpus=vcpus, memory=512, **options)
    machine.hv_options += " nmi=ignore"
    with machine:
        wrong = []
        hammered(machine, lambda: wrong.append(guest.run(machine, 170)))
        results = parse(machine.log)
        assert not wrong[0], "%s\n%s" % (wrong[0], machine.tail())
        assert results.total() and not results.failed, results.failed


cases.add("entry and exit", "entry_exit")(test_kernel)
cases.add("privileged instructions", "privileged")(test_kernel)
cases.add("hypercalls with senseless arguments", "hypercall_fuzz", "n=40000")(test_kernel)


@cases.add("entry and exit where guests' page tables lack the hypervisor; each NMI looks at them")
def isolated():
    # The hypervisor with assertions: it looks through the table that the guest was on.
    hypervisor = os.path.join(BUILD, "debug/hospes")
    if not os.path.exists(hypervisor):
        raise Skip("%s is not built" % hypervisor)
    for kernel in ["entry_exit", "privileged"]:
        test_kernel(kernel, hypervisor=hypervisor, hv_options="xpti=true")


@cases.add("vcpus that share a processor")
def context_switch():
    test_kernel("context_switch", vcpus=1, hv_options="dom0_max_vcpus=3")


@cases.add("Linux boots")
def linux():
    with Machine(hv_options="nmi=ignore", dom0_mem="1G") as machine:
        hammered(machine, lambda: machine.boot(300), interval=0.03)


if __name__ == "__main__":
    sys.exit(cases.main())
