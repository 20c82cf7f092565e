#!/usr/bin/env python3
"""A machine for the system tests: QEMU with a hypervisor, a kernel as Domain 0 and a serial console.

As a library:

    with Machine(hypervisor="hospes", kernel="6.1", vcpus=2) as m:
        m.boot()                                # to a shell of Domain 0
        status, text = m.run("uname -r")
        m.poweroff()

As a program: start a machine, run commands in its Domain 0, print what they print, power off:

    tests/system/vm.py --hypervisor xen --image debian --overlay DIR --cmd 'xl list'
    tests/system/vm.py --hypervisor hospes --interactive

hypervisor  "hospes" (build/hospes), "xen" (Debian's 4.17, the reference), "none" (the kernel alone) or a file.
image       "small": the BusyBox Domain 0 of dom0/image, seconds to the shell.
            "debian": a whole Debian 12 on a disk (dom0/disk), about a minute; its writes are thrown away.
overlay     directories whose files are put over the root of the small image. Debian gets them by copying at the
            first shell.
share       a host directory that Domain 0 has at /mnt/host (virtio-9p, read and write); a temporary one if none
            is given: Machine.share.

Everything the machine prints is in Machine.log (text) and, where a path is given, in that file.
"""

import argparse
import atexit
import ctypes
import fcntl
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

def die_with_parent():
    """In the child: a test that is killed takes its machine with it (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.environ.get("HOSPES_CACHE") or os.path.expanduser("~/.cache/hospes")
QEMU = os.path.join(CACHE, "qemu/bin/qemu-system-x86_64")
QEMU_IMG = os.path.join(CACHE, "qemu/bin/qemu-img")
BUILD = os.path.join(TREE, "build")
UP = r"hospes: (Domain 0|guest \S+|the machine without a hypervisor) is up after [^\r\n]*"


class Failure(Exception):
    """The machine did something else than was expected of it; the message shows the end of its log."""


def slowness():
    """By how much time limits are stretched: 1, or more where other work keeps the processors busy."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def hypervisor_file(name):
    """The path of a hypervisor by its name; None for "none"."""
    known = {"hospes": os.path.join(BUILD, "hospes"), "xen": os.path.join(CACHE, "xen/hypervisor"),
             "none": None}
    return known.get(name, name)


def kernel_release(kernel):
    with open(os.path.join(CACHE, "linux", kernel, "release")) as f:
        return f.read().strip()


def small_image(kernel, overlays=(), tools=None, output=None):
    """Builds a ramdisk with dom0/image and returns its path; those without overlays are made once."""
    output = output or os.path.join(BUILD, "dom0-%s.cpio" % kernel)
    command = [os.path.join(TREE, "dom0/image"), "--kernel", kernel, "--output", output]
    if tools:
        command += ["--tools", tools]
    for overlay in overlays:
        command += ["--overlay", overlay]
    subprocess.run(command, check=True)
    return output


class Machine:
    """One emulated PC. Use as a context manager: leaving it always ends QEMU."""

    def __init__(self, hypervisor="hospes", kernel="6.1", image="small", vcpus=2, memory=2048,
                 dom0_mem=None, dom0_vcpus=None, cpu="EPYC,+svm,-monitor,+x2apic", accel=None,
                 hv_options="", linux_options="", overlays=(), share=None, ramdisk=None, disks=(),
                 disk_bus="virtio", network="virtio-net-pci", extra=(), log_file=None, icount=None,
                 reboot=False, tools=True, vmlinuz=None):
        self.hypervisor = hypervisor_file(hypervisor)
        self.is_xen = hypervisor == "xen"
        self.kernel = kernel
        self.image = image
        self.vcpus = vcpus
        self.memory = memory
        self.dom0_mem = dom0_mem
        self.dom0_vcpus = dom0_vcpus
        # Under -icount QEMU ends with "Bad icount read" where a guest uses the timer of an x2APIC.
        self.cpu = cpu.replace(",+x2apic", "") if icount else cpu
        # More vCPUs than processors, each in a thread of its own, spend their time waiting for one another; one
        # thread for all is then several times faster.
        # -icount has only that.
        single = icount or vcpus > (os.cpu_count() or 1)
        self.accel = accel or ("tcg,thread=single" if single else "tcg,thread=multi")
        self.hv_options = hv_options
        self.linux_options = linux_options
        self.overlays = list(overlays)
        self.disks = list(disks)
        self.disk_bus = disk_bus
        self.network = network
        self.extra = list(extra)
        self.icount = icount
        self.reboot = reboot
        self.tools = tools
        self.vmlinuz = vmlinuz or os.path.join(CACHE, "linux", kernel, "vmlinuz")
        self.ramdisk = ramdisk
        self.log = ""
        self.position = 0           # how much of the log expect() has consumed
        self.process = None
        self.scripts = 0
        self.shell = "bash" if image == "debian" else "sh"      # what run() gives its scripts to
        self.started = 0.0
        self.work = tempfile.mkdtemp(prefix="hospes-vm-")
        self.share = share or os.path.join(self.work, "share")
        os.makedirs(self.share, exist_ok=True)
        self.log_file = open(log_file, "w") if log_file else None
        atexit.register(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    # -- starting and ending -------------------------------------------------------------------------------

    def _hypervisor_options(self):
        options = ["com1=115200,8n1", "console=com1", "loglvl=all", "guest_loglvl=all"]
        if self.dom0_mem:
            options.append("dom0_mem=%s" % self.dom0_mem)
        if self.dom0_vcpus:
            options.append("dom0_max_vcpus=%d" % self.dom0_vcpus)
        if self.is_xen:
            # Lazy FPU switching is wrong under TCG with AVX, and Xen's is lazy by default.
            options.append("spec-ctrl=eager-fpu")
        return " ".join(options + [self.hv_options]).strip()

    def _linux_options(self):
        # earlycon=xen shows what goes wrong before hvc0 is there.
        console = "console=ttyS0" if self.hypervisor is None else "console=hvc0 earlyprintk=xen"
        root = " hospes.root=LABEL=dom0" if self.image == "debian" else ""
        return (console + root + " " + self.linux_options).strip()

    def _boot_arguments(self):
        ramdisk = self.ramdisk
        if ramdisk is None:
            # Overlays reach Debian by the share, the small image by its ramdisk.
            overlays = self.overlays if self.image == "small" else []
            # Our own tools belong into the image of our own hypervisor only, unless they are asked for.
            tools = BUILD if self.tools and self.image == "small" else None
            ramdisk = small_image(self.kernel, overlays, tools, os.path.join(self.work, "ramdisk"))
        options = self._linux_options()
        if self.hypervisor is None:
            return ["-kernel", self.vmlinuz, "-initrd", ramdisk, "-append", options]
        if not os.path.exists(self.hypervisor):
            raise Failure("there is no %s: build it first" % self.hypervisor)
        modules = "%s %s,%s" % (self.vmlinuz, options.replace(",", ",,"), ramdisk.replace(",", ",,"))
        return ["-kernel", self.hypervisor, "-append", self._hypervisor_options(), "-initrd", modules]

    def _disk_arguments(self):
        arguments, disks = [], list(self.disks)
        if self.image == "debian":
            disks.insert(0, (os.path.join(CACHE, "disks/dom0.raw"), "snapshot=on"))
        if self.disk_bus == "ahci" and disks:
            arguments += ["-device", "ahci,id=disks"]
        for number, disk in enumerate(disks):
            path, options = (disk, "snapshot=off") if isinstance(disk, str) else disk
            arguments += ["-drive", "file=%s,format=raw,if=none,id=disk%d,%s" % (path, number, options)]
            device = {"virtio": "virtio-blk-pci,drive=disk%d",
                      "ahci": "ide-hd,bus=disks.%d,drive=disk%%d" % number}[self.disk_bus]
            arguments += ["-device", device % number]
        return arguments

    def arguments(self):
        """The complete command line of QEMU."""
        command = [QEMU, "-M", "q35", "-cpu", self.cpu, "-accel", self.accel, "-m", str(self.memory),
                   "-smp", str(self.vcpus), "-display", "none", "-monitor", "none", "-serial", "stdio",
                   "-nodefaults", "-no-user-config"]
        if not self.reboot:
            command.append("-no-reboot")
        if self.icount:
            command += ["-icount", self.icount]
        if self.network:
            command += ["-netdev", "user,id=net0", "-device", "%s,netdev=net0" % self.network]
        command += ["-virtfs", "local,path=%s,mount_tag=files,security_model=none" % self.share]
        return command + self._disk_arguments() + self._boot_arguments() + self.extra

    def start(self):
        """Starts QEMU and returns at once."""
        self.process = subprocess.Popen(self.arguments(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, start_new_session=True,
                                        preexec_fn=die_with_parent)
        # QEMU drops what the console prints while the pipe is full: a slow reader needs a long pipe.
        fcntl.fcntl(self.process.stdout.fileno(), fcntl.F_SETPIPE_SZ, 1 << 20)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.started = time.time()

    def close(self):
        """Ends QEMU, whatever it does, and removes what was temporary. May be called more than once."""
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
            self._read(0)
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None
        if self.log_file:
            self.log_file.close()
            self.log_file = None
        shutil.rmtree(self.work, ignore_errors=True)
        atexit.unregister(self.close)

    # -- the console ---------------------------------------------------------------------------------------

    def _read(self, timeout):
        """Takes what the machine has printed; False at the end of QEMU."""
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        if not ready:
            return True
        data = self.process.stdout.read()
        if not data:
            return False
        text = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "")
        self.log += text
        if self.log_file:
            self.log_file.write(text)
            self.log_file.flush()
        return True

    def tail(self, lines=25):
        return "\n".join(self.log.split("\n")[-lines:])

    def expect(self, pattern, timeout=60, consume=True):
        """Waits until the pattern (regular expression) appears in what was not consumed yet; returns the match."""
        timeout *= slowness()
        deadline = time.time() + timeout
        expression = re.compile(pattern, re.M)
        alive = True
        while True:
            match = expression.search(self.log, self.position)
            if match:
                if consume:
                    self.position = match.end()
                return match
            if not alive:
                raise Failure("the machine ended without %r:\n%s" % (pattern, self.tail()))
            if time.time() >= deadline:
                raise Failure("no %r within %d s:\n%s" % (pattern, timeout, self.tail()))
            alive = self._read(min(1.0, max(0.0, deadline - time.time())))

    def wait_end(self, timeout=60):
        """Waits until QEMU has ended by itself (power-off; a reboot too, unless reboot=True)."""
        timeout *= slowness()
        deadline = time.time() + timeout
        while self._read(0.5):
            if time.time() >= deadline:
                raise Failure("the machine is still on after %d s:\n%s" % (timeout, self.tail()))
        code = self.process.wait()
        if code:
            raise Failure("QEMU ended with %d:\n%s" % (code, self.tail()))

    def wait(self, seconds):
        """Lets the machine go on, collecting what it prints."""
        deadline = time.time() + seconds
        while time.time() < deadline and self._read(min(0.5, deadline - time.time())):
            pass

    def type(self, text):
        """Types on the console; a long text a few characters at a time: a hypervisor's input buffer holds about a
        hundred."""
        if len(text) <= 48:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()
            return
        for i in range(0, len(text), 16):
            self.process.stdin.write(text[i:i + 16].encode())
            self.process.stdin.flush()
            self.wait(0.05)

    # -- Domain 0 --------------------------------------------------------------------------------------------

    def boot(self, timeout=None):
        """Starts the machine, unless start() was called, and waits for a shell of Domain 0. The machine ends with the
        thread that has started it."""
        if not self.process:
            self.start()
        if self.image == "debian":
            self.expect(r"login: ", timeout or 400)
            self.type("root\n")
            self.expect(r"root@\S+:\S*# ", 120)
        else:
            self.expect(UP, timeout or 120)
            self.expect(r"\w+:[^\n]*# ", 30)
        self.run("mount | grep -q /mnt/host || { mkdir -p /mnt/host; modprobe 9pnet_virtio; "
                 "mount -t 9p -o trans=virtio,version=9p2000.L,msize=131072 files /mnt/host; }; stty -echo; "
                 "bind 'set enable-bracketed-paste off' 2>/dev/null",
                 typed=True, timeout=120)
        if self.image == "debian":
            for overlay in self.overlays:
                shutil.copytree(overlay, os.path.join(self.share, ".overlay"), symlinks=True,
                                dirs_exist_ok=True)
            if self.overlays:
                self.run("cp -a --remove-destination /mnt/host/.overlay/. / && ldconfig", check=True, timeout=300)
        return self

    def run(self, command, timeout=60, check=False, typed=False):
        """Runs shell commands in Domain 0; returns (exit status, output). Unless `typed`, the commands and the
        output go through the share, so that lines of the kernel and the hypervisor are not mixed in."""
        self.scripts += 1
        token = "vm%d" % self.scripts
        if typed:
            self.type("%s; echo %s'-ends' $?\n" % (command, token))
            match = self.expect(token + r"-ends (\d+)\s", timeout)
            output = self.log[self.log.rfind(token, 0, match.start()):match.start()]
        else:
            base = os.path.join(self.share, "." + token)
            inside = "/mnt/host/." + token
            with open(base + ".sh", "w") as f:
                f.write(command + "\n")
            with open(base, "w") as f:      # little is typed, because typing is slow
                f.write("%s %s.sh >%s.out 2>&1 </dev/null; echo %s-ends $?\n" % (self.shell, inside, inside, token))
            self.type(". %s\n" % inside)
            match = self.expect(token + r"-ends (\d+)\s", timeout)
            with open(base + ".out", errors="replace") as f:
                output = f.read()
            for name in (base, base + ".sh", base + ".out"):
                os.unlink(name)
        status = int(match.group(1))
        if check and status:
            raise Failure("%r ends with %d: %s" % (command, status, output))
        return status, output

    def poweroff(self, timeout=120):
        """Powers the machine off from inside; fails unless it really goes off."""
        self.type("poweroff\n")
        self.wait_end(timeout)


def interactive(machine):
    """QEMU on the caller's terminal; Ctrl-A X ends it."""
    command = machine.arguments()
    command[command.index("stdio")] = "mon:stdio"
    del command[command.index("-monitor"):command.index("-monitor") + 2]
    return subprocess.call(command)


def main():
    parser = argparse.ArgumentParser(description="Start a machine and run commands in its Domain 0.")
    parser.add_argument("--hypervisor", default="hospes", help="hospes, xen, none or a file")
    parser.add_argument("--kernel", default="6.1", help="6.1 or 6.12")
    parser.add_argument("--image", default="small", choices=["small", "debian"])
    parser.add_argument("--vcpus", type=int, default=2)
    parser.add_argument("--memory", type=int, default=2048, help="MiB of the machine")
    parser.add_argument("--dom0-mem", help="the hypervisor's dom0_mem=")
    parser.add_argument("--hv-options", default="")
    parser.add_argument("--linux-options", default="")
    parser.add_argument("--overlay", action="append", default=[], help="directory put over the root")
    parser.add_argument("--share", help="directory to have at /mnt/host")
    parser.add_argument("--disk", action="append", default=[], help="another raw disk; snapshot:FILE forgets what is written")
    parser.add_argument("--no-tools", dest="tools", action="store_false",
                        help="leave our own programs out of the small image")
    parser.add_argument("--cmd", action="append", default=[], help="shell commands; may be repeated")
    parser.add_argument("--timeout", type=int, default=300, help="seconds for each command")
    parser.add_argument("--interactive", action="store_true", help="the console on this terminal")
    parser.add_argument("--log", help="file for all that the machine prints")
    parser.add_argument("--verbose", action="store_true", help="print the machine's whole log at the end")
    args, extra = parser.parse_known_args()
    disks = [(disk[9:], "snapshot=on") if disk.startswith("snapshot:") else disk for disk in args.disk]
    machine = Machine(args.hypervisor, args.kernel, args.image, args.vcpus, args.memory, args.dom0_mem,
                      hv_options=args.hv_options, linux_options=args.linux_options,
                      overlays=args.overlay, share=args.share, disks=disks, extra=extra,
                      log_file=args.log, tools=args.tools)
    with machine:
        if args.interactive:
            return interactive(machine)
        status = 0
        try:
            machine.boot()
            print("booted in %.0f s" % (time.time() - machine.started))
            for command in args.cmd:
                status, output = machine.run(command, args.timeout)
                print("$ %s\n%s[ends with %d]" % (command, output, status))
            machine.poweroff()
        except Failure as failure:
            print(failure, file=sys.stderr)
            status = 1
        if args.verbose:
            print(machine.log)
        return status


if __name__ == "__main__":
    sys.exit(main())
