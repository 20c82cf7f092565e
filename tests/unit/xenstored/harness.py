"""Starts store daemons on a hypervisor made of files, and speaks the wire protocol to them.

Both our daemon (built with platform_fake.c) and Debian's C xenstored (under fakexen_preload.so) run on
the same directory layout, so the same requests can be put to both, over sockets and over rings.
"""
import ctypes
import mmap
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

(CONTROL, DIRECTORY, READ, GET_PERMS, WATCH, UNWATCH, TX_START, TX_END, INTRODUCE, RELEASE,
 GET_DOMAIN_PATH, WRITE, MKDIR, RM, SET_PERMS, WATCH_EVENT, ERROR, IS_INTRODUCED, RESUME, SET_TARGET,
 _, RESET_WATCHES, DIRECTORY_PART) = range(23)

RING = 1024
HEADER = struct.Struct('<IIII')
DEBIAN = '/usr/lib/xen-4.17/bin/xenstored'


class Gone(Exception):
    """The connection was closed."""


class Stream:
    """Messages over some transport: send() and recv_some() are the transport's."""

    def __init__(self):
        self.data = b''
        self.events = []
        self.req = 0

    def post(self, kind, payload=b'', tx=0, req=None):
        if req is None:
            self.req += 1
            req = self.req
        self.send(HEADER.pack(kind, req, tx, len(payload)) + payload)
        return req

    def message(self, timeout=5.0):
        end = time.monotonic() + timeout
        while True:
            if len(self.data) >= 16:
                kind, req, tx, size = HEADER.unpack(self.data[:16])
                if len(self.data) >= 16 + size:
                    body = self.data[16:16 + size]
                    self.data = self.data[16 + size:]
                    return kind, req, tx, body
            if time.monotonic() > end:
                raise TimeoutError('no answer')
            self.data += self.recv_some(max(0.0, end - time.monotonic()))

    def call(self, kind, payload=b'', tx=0, timeout=5.0):
        req = self.post(kind, payload, tx)
        while True:
            kind, got, got_tx, body = self.message(timeout)
            if kind == WATCH_EVENT:
                self.events.append(body)
            else:
                assert got == req and got_tx == tx, (got, req, got_tx, tx)
                return kind, body

    def take_events(self):
        """The events that have come so far: a request behind them says that there are no more."""
        self.call(GET_DOMAIN_PATH, b'0\0')
        events, self.events = self.events, []
        return events


class Socket(Stream):
    def __init__(self, path):
        super().__init__()
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(path)

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Gone() from error

    def recv_some(self, timeout):
        self.sock.settimeout(max(0.001, timeout))
        try:
            data = self.sock.recv(65536)
        except socket.timeout:
            return b''
        except OSError as error:
            raise Gone() from error
        if not data:
            raise Gone()
        return data

    def close(self):
        self.sock.close()


class Ring(Stream):
    """A guest's end of a ring."""

    def __init__(self, directory, domid):
        super().__init__()
        self.dir, self.domid = directory, domid
        self.file = open(f'{directory}/ring-{domid}', 'r+b')
        self.map = mmap.mmap(self.file.fileno(), 4096)
        # Whole stores, as a guest's: an index written byte by byte would be a broken one for a moment.
        self.words = (ctypes.c_uint32 * 7).from_buffer(self.map, 2048)
        self.kick_sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def index(self, n):
        return self.words[n]

    def set_index(self, n, value):
        self.words[n] = value & 0xffffffff

    req_cons = property(lambda s: s.index(0))
    req_prod = property(lambda s: s.index(1))
    rsp_cons = property(lambda s: s.index(2))
    rsp_prod = property(lambda s: s.index(3))
    error = property(lambda s: s.index(6))

    def kick(self):
        try:
            self.kick_sock.sendto(struct.pack('<I', self.domid + 10), f'{self.dir}/evtchn')
        except OSError:
            pass  # the daemon is being restarted: it looks at the ring by itself

    def send(self, data, timeout=5.0):
        end = time.monotonic() + timeout
        while data:
            room = RING - ((self.req_prod - self.req_cons) & 0xffffffff)
            if room <= 0:
                if time.monotonic() > end:
                    raise TimeoutError('ring stays full')
                time.sleep(0.0002)
                continue
            prod = self.req_prod
            piece, data = data[:room], data[room:]
            for i, byte in enumerate(piece):
                self.map[(prod + i) % RING] = byte
            self.set_index(1, prod + len(piece))
            self.kick()

    def recv_some(self, timeout):
        end = time.monotonic() + timeout
        spins = 0
        while self.rsp_prod == self.rsp_cons:
            if time.monotonic() > end:
                return b''
            spins += 1
            time.sleep(0 if spins < 50 else 0.0002)
        cons, prod = self.rsp_cons, self.rsp_prod
        size = (prod - cons) & 0xffffffff
        assert size <= RING, 'the daemon broke the ring'
        data = bytes(self.map[RING + (cons + i) % RING] for i in range(size))
        self.set_index(2, prod)
        self.kick()
        return data


class Daemon:
    """A running daemon on its own directory."""

    def __init__(self, name, command, preload=None, domains=4):
        self.name, self.command, self.preload = name, command, preload
        self.dir = tempfile.mkdtemp(prefix=f'xs-{name}-')
        self.socket = f'{self.dir}/socket'
        for domid in range(domains):
            self.add_domain(domid)
        with open(f'{self.dir}/xsd_port', 'w') as f:
            f.write('1')
        self.process = None

    def add_domain(self, domid):
        with open(f'{self.dir}/ring-{domid}', 'wb') as f:
            f.truncate(4096)
        open(f'{self.dir}/dom-{domid}', 'w').close()

    def start(self, wait=True, **more_env):
        env = dict(os.environ, XENSTORED_FAKE_DIR=self.dir, XENSTORED_RUNDIR=self.dir,
                   XENSTORED_PATH=self.socket)
        env.update(more_env)
        env.pop('LD_PRELOAD', None)
        if self.preload:
            env['LD_PRELOAD'] = self.preload
        self.log = open(f'{self.dir}/log', 'ab')
        self.process = subprocess.Popen(self.command + ['-N'], env=env, stdout=self.log,
                                        stderr=self.log)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                s = Socket(self.socket)
                s.call(GET_DOMAIN_PATH, b'0\0')
                s.close()
                return
            except (OSError, Gone):
                if self.process.poll() is not None:
                    raise RuntimeError(f'{self.name} ended: {self.read_log()}') from None
                time.sleep(0.01)
        raise TimeoutError(f'{self.name} does not answer')

    def read_log(self):
        with open(f'{self.dir}/log', errors='replace') as f:
            return f.read()[-2000:]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def event(self, port):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.sendto(struct.pack('<I', port), f'{self.dir}/evtchn')
        s.close()

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


def ours(build, *options, domains=4):
    return Daemon('ours', [f'{build}/tests/xenstored-fake', '--fake-xen', 'x', *options],
                  domains=domains)


def debians(build, *options, domains=4):
    return Daemon('debian', [DEBIAN, *options], preload=os.path.abspath(f'{build}/tests/fakexen.so'),
                  domains=domains)
