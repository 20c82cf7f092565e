"""A wire between machines: an Ethernet hub of UNIX sockets, which notes every frame and can be cut.

    with Wire() as wire:
        a = Machine(network=None, extra=wire.card("52:54:00:00:00:0a"))
        b = Machine(network=None, extra=wire.card("52:54:00:00:00:0b"))
        ...
        frames = wire.frames            # (seconds, bytes) of all that was said
        wire.dead = True                # nothing gets through any more
        wire.save("/tmp/wire.pcap")     # for tcpdump -r
"""

import os
import select
import shutil
import socket
import struct
import tempfile
import threading
import time


class Wire:
    def __init__(self):
        self.work = tempfile.mkdtemp(prefix="hospes-wire-")
        self.ends = []              # (the hub's socket, the machine's path)
        self.frames = []
        self.dead = False
        self.lock = threading.Lock()
        self.going = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.going = False
        self.thread.join()
        for end, _ in self.ends:
            end.close()
        shutil.rmtree(self.work, ignore_errors=True)

    def card(self, mac, model="virtio-net-pci"):
        """Words for QEMU's command line: a card on this wire."""
        with self.lock:
            number = len(self.ends)
            ours, theirs = (os.path.join(self.work, "%s%d" % (side, number)) for side in ("hub", "qemu"))
            end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            end.bind(ours)
            end.setblocking(False)
            self.ends.append((end, theirs))
        return ["-netdev", "dgram,id=wire%d,local.type=unix,local.path=%s,remote.type=unix,remote.path=%s"
                % (number, theirs, ours), "-device", "%s,netdev=wire%d,mac=%s" % (model, number, mac)]

    def _run(self):
        while self.going:
            with self.lock:
                ends = list(self.ends)
            ready, _, _ = select.select([end for end, _ in ends], [], [], 0.2)
            for end in ready:
                try:
                    frame = end.recv(65536)
                except OSError:
                    continue
                if self.dead:
                    continue
                self.frames.append((time.time(), frame))
                for other, path in ends:
                    if other is not end:
                        try:
                            other.sendto(frame, path)
                        except OSError:
                            pass            # that machine is off, or slow: the frame is lost, as on any wire

    def save(self, path):
        """As a pcap file (LINKTYPE_ETHERNET)."""
        with open(path, "wb") as out:
            out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            for when, frame in self.frames:
                out.write(struct.pack("<IIII", int(when), int(when % 1 * 1e6), len(frame), len(frame)))
                out.write(frame)
