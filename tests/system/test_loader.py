#!/usr/bin/env python3
"""The first seconds: how loaders start the hypervisor, what it says to bad modules and options, and the keys of its
serial line. TAP. A machine that cannot go on must say the cause and the cure in one line and stop."""

import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import Cases  # noqa: E402
from vm import CACHE, UP, Machine, hypervisor_file, small_image  # noqa: E402

cases = Cases()
VMLINUZ = os.path.join(CACHE, "linux/6.1/vmlinuz")


class Modules(Machine):
    """A machine whose boot modules are given as they are, missing ones and bad ones too."""

    def __init__(self, modules, **options):
        super().__init__(network=None, **options)
        self.modules = modules

    def _boot_arguments(self):
        arguments = ["-kernel", self.hypervisor, "-append", self._hypervisor_options()]
        return arguments + (["-initrd", ",".join(self.modules)] if self.modules else [])


def refused(sentence, modules, **options):
    with Modules(modules, **options) as machine:
        machine.start()
        machine.expect(sentence, 60)


def kernel_with(change):
    """A copy of the stock kernel's file, changed."""
    with open(VMLINUZ, "rb") as f:
        data = bytearray(f.read())
    data = change(data)
    with tempfile.NamedTemporaryFile(prefix="hospes-kernel-", delete=False) as f:
        f.write(data)
    return f.name


def refused_kernel(sentence, change):
    name = kernel_with(change)
    try:
        refused(sentence, [name])
    finally:
        os.unlink(name)


def spoil_payload(data):
    """Bytes in the middle of the compressed kernel, long after its headers."""
    middle = len(data) // 2
    data[middle:middle + 64] = bytes(64)
    return data


def elf(machine_type, elf_class=2):
    """The header of a program for some machine, with nothing in it."""
    header = b"\x7fELF" + bytes([elf_class, 1, 1]) + bytes(9)
    return header + struct.pack("<HHIQQQIHHHHHH", 2, machine_type, 1, 0x100000, 64, 0, 0, 64, 56, 0, 64, 0, 0)


cases.add("no module: the loader's menu is what to mend", r"No Domain 0: .*first module", [])(refused)
cases.add("a text as the kernel", r"neither a Linux bzImage nor an ELF file: name the kernel of Domain 0 first",
          lambda data: b"This is no kernel.\n" * 400)(refused_kernel)
cases.add("an empty kernel", r"Domain 0's kernel|No Domain 0", lambda data: b"")(refused_kernel)
cases.add("a truncated kernel", r"Domain 0's kernel.*(damaged|truncated|copy it again)",
          lambda data: data[:len(data) * 2 // 3])(refused_kernel)
cases.add("a kernel with a spoilt payload", r"Domain 0's kernel.*(damaged|copy it again)", spoil_payload)(refused_kernel)
cases.add("a kernel for another processor", r"Domain 0's kernel is not a 64-bit x86 kernel: use an amd64 one",
          lambda data: elf(183))(refused_kernel)
cases.add("a program without segments", r"Domain 0's kernel has nothing to load|has no Xen notes",
          lambda data: elf(62))(refused_kernel)
cases.add("too little memory for Domain 0", r"Domain 0.*(raise|more memory|memory)", [VMLINUZ],
          )(lambda sentence, modules: refused(sentence, modules, hv_options="dom0_mem=32M"))


@cases.add("unknown and malformed options are named in a warning, and the machine boots")
def options():
    with Machine(hv_options="colour=blue dom0_mem=1G loglvl=nonsense", memory=2048, network=None) as machine:
        machine.boot()
        for word in ["colour=blue", "loglvl=nonsense"]:
            assert re.search(r"Command line: .* \"%s\"" % word, machine.log), word
        machine.poweroff()


@cases.add("GRUB starts it by multiboot 2 from a CD")
def multiboot2():
    with tempfile.TemporaryDirectory(prefix="hospes-cd-") as work:
        os.makedirs(work + "/cd/boot/grub")
        shutil.copy(hypervisor_file("hospes"), work + "/cd/boot/hospes")
        shutil.copy(VMLINUZ, work + "/cd/boot/vmlinuz")
        small_image("6.1", output=work + "/cd/boot/ramdisk")
        with open(work + "/cd/boot/grub/grub.cfg", "w") as f:
            f.write("set timeout=0\nmenuentry hospes {\n"
                    " multiboot2 /boot/hospes com1=115200,8n1 console=com1 dom0_mem=512M\n"
                    " module2 /boot/vmlinuz console=hvc0\n module2 /boot/ramdisk\n}\n")
        subprocess.run(["grub-mkrescue", "-o", work + "/cd.iso", work + "/cd"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with Machine(memory=1024, network=None) as machine:
            machine._boot_arguments = lambda: ["-cdrom", work + "/cd.iso", "-boot", "d"]
            machine.start()
            machine.expect(r"Boot loader: GRUB", 60)
            machine.expect(UP, 120)
            machine.expect(r"\w+:[^\n]*# ", 30)
            status, _ = machine.run("test $(awk '/MemTotal/ { print $2 }' /proc/meminfo) -lt 524288", typed=True)
            assert status == 0, "dom0_mem was not honoured"
            machine.poweroff()


@cases.add("Ctrl-A three times gives the keys to the hypervisor, and each debug key answers")
def debug_keys():
    with Machine(vcpus=2, memory=1024, network=None) as machine:
        machine.boot()
        machine.type("\x01\x01\x01")
        machine.expect(r"[Ii]nput.*hypervisor|input to (Hospes|Xen)", 20)
        machine.type("h")
        listed = machine.expect(r"(?s)(key.*?)\n(?=\S*\(d0\)|\Z)", 20).group(1)
        for key, sign in [("q", r"Domain 0|domain 0|d0"), ("m", r"free|heap"), ("r", r"CPU|run queue"),
                          ("t", r"TSC|clock"), ("a", r"timer"), ("i", r"IRQ|vector"), ("e", r"port|event"),
                          ("d", r"running [\s\S]*Trace:"), ("0", r"rip")]:
            machine.type(key)
            machine.expect(sign, 20)
        machine.type("\x01\x01\x01")
        machine.wait(1)
        machine.run("true", check=True)
        machine.poweroff()
        assert listed


if __name__ == "__main__":
    sys.exit(cases.main())
