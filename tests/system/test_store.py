#!/usr/bin/env python3
"""Our xenstored and xenconsoled under Debian's toolstack on Debian's stock Xen 4.17: xl creates a guest of Debian's
stock kernel, which boots to its login; its console is in its log from the first byte; both daemons are killed
with SIGKILL again and again under load and the guest does not notice; after it has gone nothing is left
in the store. TAP."""

import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import Cases  # noqa: E402
from vm import BUILD, CACHE, Machine  # noqa: E402

cases = Cases()
GUEST = '''name="g1"
kernel="/srv/guests/vmlinuz"
ramdisk="/srv/guests/initrd"
cmdline="root=/dev/xvda ro console=hvc0"
memory=512
vcpus=1
disk=["phy:/dev/vdb,xvda,w"]
'''
KILL = """n=0; while [ $n -lt %d ]; do
 kill -9 $(cat /run/xenstored-ours.pid) 2>/dev/null; sleep 0.%d; kill -9 $(cat /run/xenconsoled-ours.pid) 2>/dev/null
 sleep 0.3; xenstore-write /stress/$n v$n; n=$((n+1)); done; xenstore-ls /stress | wc -l"""


def overlay():
    """Debian's root with our two daemons beside its own."""
    root = tempfile.mkdtemp(prefix="store-")
    os.makedirs(root + "/opt/ours")
    for name in ("xenstored", "xenconsoled"):
        shutil.copy(os.path.join(BUILD, "bin", name), root + "/opt/ours/")
    return root


START = """set -e
for m in xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xen-blkback xen-netback; do modprobe $m; done
mountpoint -q /proc/xen || mount -t xenfs xenfs /proc/xen
mkdir -p /run/xen /run/xenstored
/opt/ours/xenstored --supervise --pid-file /run/xenstored-ours.pid
/usr/lib/xen-4.17/bin/xen-init-dom0
/opt/ours/xenconsoled --supervise --log=all --pid-file /run/xenconsoled-ours.pid
xenstore-ls /local/domain/0 | head"""


@cases.add("a guest's life with both daemons killed again and again")
def life():
    log = os.environ.get("STORE_LOG")
    with Machine(hypervisor="xen", image="debian", memory=4096, dom0_mem="2G", overlays=[overlay()],
                 disks=[(CACHE + "/disks/domu.raw", "snapshot=on")], log_file=log) as m:
        m.boot(timeout=400)
        status, text = m.run(START, 120)
        assert status == 0, text
        with open(m.share + "/g1.cfg", "w") as f:
            f.write(GUEST)
        start = time.time()
        status, text = m.run("xl create /mnt/host/g1.cfg && xl list", 300)
        assert status == 0 and "g1" in text, text
        print("# created after %.0f s" % (time.time() - start), flush=True)
        m.run("timeout 400 sh -c 'until grep -q \"domu login:\" /var/log/xen/console/guest-g1.log; do sleep 1; done'",
              420, check=True)
        print("# login after %.0f s" % (time.time() - start), flush=True)
        status, text = m.run("head -3 /var/log/xen/console/guest-g1.log; ls /run/xenconsoled")
        assert "Linux version" in text and "1.sock" in text, text
        status, text = m.run(KILL % (50, 1), 400)
        assert text.split()[-1] == "50", text
        # The guest lives, its console and its store connection work, its disk too.
        m.type("/usr/lib/xen-4.17/bin/xenconsole 1\n")
        time.sleep(2)
        m.type("\n")
        m.expect("domu login: ", 120)
        m.type("root\n")
        m.expect("root@domu:~# ", 120)
        m.type("dd if=/dev/xvda of=/dev/null bs=1M count=50 && echo disk-''fine\n")
        m.expect("disk-fine", 120)
        m.type("poweroff\n")
        m.expect("reboot: Power down", 200)
        m.expect("root@dom0", 120)
        m.run("timeout 60 sh -c 'while xl list g1 >/dev/null 2>&1; do sleep 1; done'", 90)
        status, text = m.run("xl list; xenstore-ls /local/domain; xenstore-ls /vm; ls /run/xenconsoled")
        assert "g1" not in text and "1.sock" not in text, text
        m.poweroff()


if __name__ == "__main__":
    sys.exit(cases.main())
