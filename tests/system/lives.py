"""What the tests of guests' lives share: a small guest that does what it is told over the network, and Debian's own
tools without the minutes that its systemd takes.

The guest is the small image of dom0/image with an agent: it takes 10.9.0.2 (or what the kernel word agent= says) on
its first card and runs, as a shell, what comes in on port 99. Domain 0 has xenbr0 with 10.9.0.1."""

import lzma
import os
import shutil
import struct
import tempfile
import time

from vm import CACHE, Failure, Machine, small_image

# The machine's time is a function of the instructions that it executes (two nanoseconds each), and idle time passes at
# once: the time limits of the tools under test, such as the 40 seconds that Debian's xl gives its scripts, hold
# however busy the computer is, and waiting costs nothing.
ICOUNT = "shift=1,sleep=off"

AGENT = """#!/bin/sh
echo 1 > /proc/sys/kernel/sysrq
modprobe -a xen-blkfront xen-netfront
address=$(sed -n 's/.*\\bagent=\\([^ ]*\\).*/\\1/p' /proc/cmdline)
for i in $(seq 50); do [ -e /sys/class/net/eth0 ] && break; usleep 100000; done
ip addr add ${address:-10.9.0.2}/24 dev eth0
ip link set eth0 up
(while :; do nc -l -p 99 -e sh; done) < /dev/null > /dev/null 2>&1 &
"""

# Debian's root without its systemd: the disk, with the machine's own /dev, /proc, /sys and modules.
CHROOT = """set -e
mkdir -p /debian
mount $(findfs LABEL=dom0) /debian
for place in dev dev/pts proc sys run mnt/host; do mount -o bind /$place /debian/$place; done
[ -e /proc/xen/capabilities ] || mount -t xenfs xenfs /proc/xen
mount -o bind /proc/xen /debian/proc/xen
for module in xen-blkback xen-netback bridge loop; do modprobe $module; done
[ -e /sys/class/net/xenbr0 ] || ip link add xenbr0 type bridge
ip link set xenbr0 up
ip addr add 10.9.0.1/24 dev xenbr0
"""


def guest_image(path, kernel="6.1"):
    """The small guest's ramdisk, with the agent."""
    overlay = tempfile.mkdtemp(prefix="hospes-agent-")
    try:
        script = os.path.join(overlay, "etc/hospes/start.d/50-agent")
        os.makedirs(os.path.dirname(script))
        with open(script, "w") as f:
            f.write(AGENT)
        os.chmod(script, 0o755)
        with open(os.path.join(overlay, "etc/hospes/modules"), "w"):
            pass    # a guest needs none of those that Domain 0 loads by itself
        small_image(kernel, overlays=[overlay], output=path)
    finally:
        shutil.rmtree(overlay)


def unpacked_kernel(vmlinuz, path):
    """The ELF file inside of a bzImage with an xz payload, as Debian's kernels are."""
    with open(vmlinuz, "rb") as f:
        data = f.read()
    sectors = data[0x1f1] or 4
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = (sectors + 1) * 512 + offset
    with open(path, "wb") as f:
        f.write(lzma.LZMADecompressor().decompress(data[start:start + length]))


def debian_machine(hypervisor, **options):
    """A small Domain 0 in which run() works inside Debian's userland, the disk dom0.raw, with Debian's own tools on
    its path and nothing of ours. Returns it booted, with the guest's kernel (vmlinuz, and unpacked: vmlinux), ramdisk
    and a bridge."""
    m = Machine(hypervisor=hypervisor, tools=False,
                disks=[(os.path.join(CACHE, "disks/dom0.raw"), "snapshot=on")], **options)
    shutil.copy(m.vmlinuz, os.path.join(m.share, "vmlinuz"))
    unpacked_kernel(m.vmlinuz, os.path.join(m.share, "vmlinux"))
    guest_image(os.path.join(m.share, "guest.cpio"))
    m.boot(400)
    m.run(CHROOT, 120, check=True)
    m.shell = "chroot /debian env PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/xen-4.17/bin HOME=/root bash"
    return m


def write(machine, name, text):
    """A file in the machine's share; returns its path inside."""
    with open(os.path.join(machine.share, name), "w") as f:
        f.write(text)
    return "/mnt/host/" + name


def guest_run(machine, command, address="10.9.0.2", timeout=60):
    """Runs a command line in the guest of this address; returns its output. Waits until the guest answers."""
    base = write(machine, ".guest", command + "\n")
    status, text = machine.run("for i in $(seq %d); do busybox nc -w 5 %s 99 < %s && exit 0; sleep 1; done; exit 1"
                               % (timeout, address, base), timeout * 3)
    if status:
        raise Failure("the guest at %s does not answer: %s\n%s" % (address, text, machine.tail()))
    return text


def wait_for(what, condition, seconds=60):
    """Asks the condition again and again; returns its first true answer."""
    deadline = time.time() + seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    while True:
        answer = condition()
        if answer:
            return answer
        if time.time() > deadline:
            raise Failure("%s did not happen within %d s" % (what, seconds))
        time.sleep(0.5)


class Life:
    """A machine and what its cases leave for one another in `state`: "machine", and what they like."""

    def __init__(self):
        self.state = {}

    def run(self, command, timeout=60):
        """Must succeed; returns the output."""
        _, text = self.state["machine"].run(command, timeout, check=True)
        return text

    def guest(self, command):
        return guest_run(self.state["machine"], command)

    def wait_vcpus(self, number, evidence):
        """Until the guest has so many; `evidence` is the command whose output tells why it has not."""
        try:
            wait_for("a guest of %d vCPUs" % number, lambda: self.guest("nproc").split()[-1:] == [str(number)])
        except Failure as failure:
            raise Failure("%s\n%s%s" % (failure, self.run(evidence),
                                        self.guest("cat /sys/devices/system/cpu/online; dmesg | tail -20")))

    def main(self, cases, hypervisor):
        self.state["hypervisor"] = hypervisor
        began = time.time()
        try:
            return cases.main()
        finally:
            print("# %.0f s in all" % (time.time() - began))
            if "machine" in self.state:
                self.state["machine"].close()


def our_machine(hypervisor, disks=(), **options):
    """A small Domain 0 that has started our daemons, with a guest's kernel and ramdisk, and Debian's userland (for its
    Python) in /debian. xend also serves TCP port 8006 with the password in /etc/xend/token."""
    overlay = tempfile.mkdtemp(prefix="hospes-ours-")
    try:
        os.makedirs(overlay + "/etc/xend")
        with open(overlay + "/etc/xend/xend.conf", "w") as f:
            f.write('tcp_port = 8006\ntcp_token_file = "/etc/xend/token"\n')
        with open(overlay + "/etc/xend/token", "w") as f:
            f.write("the secret of the tests\n")
        os.chmod(overlay + "/etc/xend/token", 0o600)
        m = Machine(hypervisor=hypervisor, overlays=[overlay],
                    disks=[(os.path.join(CACHE, "disks/dom0.raw"), "snapshot=on")] + list(disks), **options)
        shutil.copy(m.vmlinuz, os.path.join(m.share, "vmlinuz"))
        guest_image(os.path.join(m.share, "guest.cpio"))
        m.boot(400)
    finally:
        shutil.rmtree(overlay)
    m.run(CHROOT, 120, check=True)
    return m
