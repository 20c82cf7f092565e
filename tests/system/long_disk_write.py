#!/usr/bin/env python3
"""The life of a disk write, followed with the project's own tracing (docs/life-of-a-disk-write.md is about this run): a
guest's dd puts bytes into its virtual disk; the trace of the hypervisor shows the guest's event, Domain 0's mapping of
the granted page, the disk's interrupt and the event back, in this order; the request is found in the ring, the bytes
in the granted page and on the disk. DISK_WRITE_OUT=FILE keeps what was printed. TAP."""

import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import world  # noqa: E402
from tap import Cases  # noqa: E402
from vm import CACHE  # noqa: E402

cases = Cases()
TEXT = "hospes-was-here"
# Two pages, whole ones, so that nothing has to be read first: the first page's grant may be in use already, the
# second's is new.
WRITE = "printf %s | dd of=/dev/xvda bs=8192 seek=5 conv=sync" % TEXT
RUN = r"""mount -t tracefs t /sys/kernel/tracing 2>/dev/null; cd /sys/kernel/tracing
cat > /tmp/write << 'X'
#!/bin/sh
(sleep 1; echo; sleep 2; echo '%s'; sleep 6) | timeout 12 xm console g >/dev/null 2>&1
exit 0
X
chmod +x /tmp/write; echo > trace
for e in block_bio_queue block_rq_issue block_rq_complete; do echo 1 > events/block/$e/enable; done
xc-trace --domain %d --switches /tmp/write; echo 0 > events/block/enable
echo "--- Domain 0's block layer:"; grep -v '^#' trace"""
INSIDE = r"""ref=$(probe read /local/domain/%(id)d/device/vbd/51712/ring-ref)
echo "ring-ref $ref, event-channel $(probe read /local/domain/%(id)d/device/vbd/51712/event-channel)"
xc-trace ring %(id)d $ref
xc-trace page %(id)d $(xc-trace ring %(id)d $ref | sed -n 's/.*write.*sector 80.*grant \([0-9]*\),.*/\1/p' | tail -1) 0 16
dd if=/dev/vda bs=512 skip=80 count=1 iflag=direct 2>/dev/null | hexdump -C | head -2; grep virtio /proc/interrupts"""


def order(text, *patterns):
    """The lines that match, each after the one before it."""
    lines, at = [], 0
    for pattern in patterns:
        match = re.compile(pattern, re.M).search(text, at)
        assert match, "no %r after %r in\n%s" % (pattern, lines, text)
        lines.append(match.group(0))
        at = match.end()
    return lines


@cases.add("a guest's dd is seen in ring, grant, event channel, backend and disk")
def follow():
    share = tempfile.mkdtemp(prefix="hospes-write-")
    shutil.copy(CACHE + "/linux/6.1/vmlinuz", share + "/vmlinuz")
    world.script_ramdisk(share + "/guest.cpio", "modprobe xen-blkfront; sleep 1; echo guest-ready\n")
    world.config(share, "g", kernel="/mnt/host/vmlinuz", ramdisk="/mnt/host/guest.cpio", memory=128,
                 extra="console=hvc0 quiet", disk=["phy:/dev/vda,xvda,w"])
    disk = share + "/disk.raw"
    with open(disk, "wb") as f:
        f.truncate(8 << 20)
    machine = world.start_machine("hospes", "DISK_WRITE_LOG", share=share, memory=1536, disks=[disk])
    with machine as m:
        m.run("xm create -q /mnt/host/g", 120, check=True)
        world.wait_console(m, "g", "guest-ready", 120)
        m.wait(3)
        domid = world.domains(m)["g"]["domid"]
        _, seen = m.run(RUN % (WRITE, domid), 120, check=True)
        _, inside = m.run(INSIDE % {"id": domid}, 60, check=True)
        if os.environ.get("DISK_WRITE_OUT"):
            with open(os.environ["DISK_WRITE_OUT"], "w") as f:
                f.write("$ %s\n%s\n---\n%s" % (WRITE, seen, inside))
        port = re.search(r"event-channel (\d+)", inside).group(1)
        lines = order(seen, r"^.*event +d%d port %s -> d0 port \d+$" % (domid, port),
                      r"^.*grant map +d0: d%d's grant \d+, frame 0x[0-9a-f]+.*$" % domid,
                      r"^.*interrupt +\d+ -> d0 port \d+$",
                      r"^.*event +d0 port \d+ -> d%d port %s$" % (domid, port))
        print("# " + "\n# ".join(lines))
        order(seen, r"block_bio_queue: .* W.* 80 \+ 16", r"block_rq_issue: .* 80 \+ 16",
              r"block_rq_complete: .* 80 \+ 16")
        order(inside, r"write .* sector 80, first segment: grant \d+, sectors 0 to 7", "  000 .*" + TEXT,
              r"00000000  68 6f 73 70 .*" + TEXT)
        m.poweroff()
    with open(disk, "rb") as f:
        f.seek(80 * 512)
        assert f.read(len(TEXT)) == TEXT.encode()
    shutil.rmtree(share)


if __name__ == "__main__":
    sys.exit(cases.main())
