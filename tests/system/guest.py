#!/usr/bin/env python3
"""Runs one of our own test kernels (tests/guests) as Domain 0 and passes on the TAP that it prints.

    tests/system/guest.py FILE[:option=value...]

The kernel is started in Linux's place, without a ramdisk, and prints TAP on the console (console_io). When it has
ended with its plan ("1..N" and as many results), or powers the machine off, the test is over. Options:

    vcpus=N         CPUs of the machine (default 2)         memory=MIB     of the machine (default 512)
    timeout=S       seconds (default 120)                   args=WORDS     the kernel's command line, + for a space
    hv=OPTIONS      for the hypervisor, + for a space       on=xen         run on Debian's Xen instead
    cpu=MODEL       QEMU's name of the processor (default: an AMD EPYC)

A hypervisor that crashes or hangs is a bail-out, which counts as a failure; so is a kernel that crashes.
"""

import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tap  # noqa: E402
from vm import Failure, Machine, TREE, slowness  # noqa: E402

# What the hypervisor prints when it dies: its own panic, or Xen's.
PANIC = re.compile(r"panic|Fatal trap|FATAL TRAP|Assertion .* failed|BUG at", re.I)
# ... and when it has given up our kernel, whose results do not come any more.
CRASH = re.compile(r"Domain 0 crashed")


class Guest(Machine):
    """A machine whose Domain 0 is one of our kernels."""

    def __init__(self, elf, arguments, **options):
        super().__init__(vmlinuz=elf, linux_options=arguments, network=None, **options)

    def _boot_arguments(self):
        if not os.path.exists(self.hypervisor):
            raise Failure("there is no %s: build it first" % self.hypervisor)
        kernel = ("%s %s" % (self.vmlinuz, self.linux_options)).strip()
        return ["-kernel", self.hypervisor, "-append", self._hypervisor_options(),
                "-initrd", kernel.replace(",", ",,")]


def finished(log):
    """Has the guest printed as many results as it planned?"""
    results = tap.parse(log)
    planned = re.findall(r"^(?:\(\w+\)\s*)?(?:\[[^\]]*\]\s*)?1\.\.(\d+)\s*$", log, re.M)
    return bool(planned) and sum(map(int, planned)) <= results.total() and "plan" not in dict(results.failed)


def run(machine, timeout):
    """Runs to the end; returns None or what is wrong."""
    timeout *= slowness()
    machine.start()
    deadline = time.time() + timeout
    while True:
        if not machine._read(0.5):
            code = machine.process.wait()
            return "QEMU ends with %d" % code if code else None
        if PANIC.search(machine.log):
            machine.wait(3)
            return "the hypervisor died"
        if finished(machine.log):
            machine.wait(2)     # a power-off or a late panic may follow
            return "the hypervisor died" if PANIC.search(machine.log) else None
        if CRASH.search(machine.log):
            machine.wait(1)
            return "Domain 0 crashed"
        if time.time() >= deadline:
            return "not finished after %d s" % timeout


def main():
    elf, *words = sys.argv[1].split(":")
    options = dict(word.split("=", 1) for word in words)
    arguments = options.get("args", "").replace("+", " ")
    processor = {"cpu": options["cpu"]} if "cpu" in options else {}
    machine = Guest(os.path.abspath(os.path.join(TREE, elf)), arguments, **processor,
                    hypervisor=options.get("on", "hospes"), vcpus=int(options.get("vcpus", 2)),
                    memory=int(options.get("memory", 512)), hv_options=options.get("hv", "").replace("+", " "))
    with machine:
        try:
            wrong = run(machine, int(options.get("timeout", 120)))
        except Failure as failure:
            wrong = str(failure)
        results = tap.parse(machine.log)
        print(machine.log)

    if wrong:
        print("Bail out! %s" % wrong)
    return 1 if wrong or results.failed or not results.total() else 0


if __name__ == "__main__":
    sys.exit(main())
