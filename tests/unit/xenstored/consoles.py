#!/usr/bin/env python3
"""xenconsoled on a machine made of files, with our xenstored: logs, readers, floods, restarts.

Proves: a guest's output is in its log from the first byte, once, whatever number of times the daemon is
killed; several readers see it; typing reaches the guest; broken indices and floods hurt nobody; logs
rotate and reopen; a dead guest's last words are kept. TAP on standard output.

usage: consoles.py BUILD-DIRECTORY
"""
import ctypes
import mmap
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import harness as h

IN, OUT = 1024, 2048


class Guest:
    """A guest's end of a console ring."""

    def __init__(self, directory, domid):
        self.dir, self.domid = directory, domid
        path = f'{directory}/con-{domid}'
        with open(path, 'wb') as f:
            f.truncate(4096)
        self.file = open(path, 'r+b')
        self.map = mmap.mmap(self.file.fileno(), 4096)
        self.words = (ctypes.c_uint32 * 4).from_buffer(self.map, IN + OUT)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def index(self, n):
        return self.words[n]

    def set_index(self, n, value):
        self.words[n] = value & 0xffffffff

    def kick(self):
        try:
            self.sock.sendto(struct.pack('<I', self.domid + 10), f'{self.dir}/con-evtchn')
        except OSError:
            pass

    def room(self):
        return OUT - ((self.index(3) - self.index(2)) & 0xffffffff)

    def write_some(self, data):
        """As much as there is room for; the number of bytes."""
        n = min(self.room(), len(data))
        prod = self.index(3)
        for i in range(n):
            self.map[IN + (prod + i) % OUT] = data[i]
        self.set_index(3, prod + n)
        if n:
            self.kick()
        return n

    def write(self, data, timeout=20):
        end = time.monotonic() + timeout
        while data:
            n = self.write_some(data)
            data = data[n:]
            if not n:
                self.kick()
                time.sleep(0.001)
                if time.monotonic() > end:
                    raise TimeoutError('the console does not take output')

    def typed(self):
        cons, prod = self.index(0), self.index(1)
        data = bytes(self.map[(cons + i) % IN] for i in range((prod - cons) & 0xffffffff))
        self.set_index(0, prod)
        self.kick()
        return data


class World:
    """xenstored, xenconsoled and some guests."""

    def __init__(self, build, *options):
        self.build, self.options = build, list(options)
        self.store = h.ours(build, domains=6).start()
        self.dir = self.store.dir
        self.log_dir, self.sock_dir = f'{self.dir}/logs', f'{self.dir}/con'
        self.xs = h.Socket(self.store.socket)
        self.start()

    def start(self):
        env = dict(os.environ, XENCONSOLED_FAKE_DIR=self.dir, XENSTORED_PATH=self.store.socket)
        self.log = open(f'{self.dir}/con.log', 'ab')
        self.process = subprocess.Popen(
            [f'{self.build}/tests/xenconsoled-fake', '-i', f'--log-dir={self.log_dir}',
             f'--socket-dir={self.sock_dir}', *self.options], env=env, stdout=self.log,
            stderr=self.log)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        alive = self.process.poll() is None
        self.kill()
        self.store.close()
        return alive

    def put(self, path, value):
        assert self.xs.call(h.WRITE, f'{path}\0{value}'.encode())[0] == h.WRITE

    def get(self, path):
        kind, body = self.xs.call(h.READ, f'{path}\0'.encode())
        return body.decode() if kind == h.READ else None

    def guest(self, domid, name):
        g = Guest(self.dir, domid)
        home = f'/local/domain/{domid}'
        self.put(f'{home}/name', name)
        self.put(f'{home}/console/ring-ref', '1234')
        self.put(f'{home}/console/port', '2')
        self.put(f'{home}/console/type', 'xenconsoled')
        self.xs.call(h.INTRODUCE, f'{domid}\0' '7\0' '3\0'.encode())
        return g

    def tty(self, domid):
        return wait(lambda: self.get(f'/local/domain/{domid}/console/tty'), 'a tty in the store')

    def reader(self, domid):
        path = f'{self.sock_dir}/{domid}.sock'

        def connect():
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(path)
                return s
            except OSError:
                s.close()
                return None
        return wait(connect, 'a socket')

    def logged(self, name, suffix=''):
        try:
            with open(f'{self.log_dir}/guest-{name}.log{suffix}', 'rb') as f:
                return f.read()
        except FileNotFoundError:
            return b''


def wait(test, what, timeout=15):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        value = test()
        if value:
            return value
        time.sleep(0.005)
    raise TimeoutError(f'{what} did not come')


def receive(sock, want, timeout=10):
    data = b''
    sock.settimeout(timeout)
    while want not in data:
        piece = sock.recv(65536)
        if not piece:
            break
        data += piece
    return data


def test_readers(build):
    w = World(build)
    try:
        g = w.guest(1, 'alpha')
        g.write(b'first byte\n')
        tty = os.open(w.tty(1), os.O_RDWR | os.O_NOCTTY)
        wait(lambda: w.logged('alpha') == b'first byte\n', 'the log')
        one, two = w.reader(1), w.reader(1)
        assert b'first byte\n' in receive(one, b'byte\n'), 'no scrollback'
        g.write(b'second\n')
        for s in (one, two):
            assert b'second\n' in receive(s, b'second\n')
        data = b''
        while b'second\n' not in data:
            data += os.read(tty, 1000)
        assert data == b'first byte\nsecond\n', data
        one.send(b'typed ')
        typed = wait(g.typed, 'typing')
        os.write(tty, b'here')
        while typed != b'typed here':
            typed += wait(g.typed, 'typing')
        one.close()
        g.write(b'third\n')
        assert b'third\n' in receive(two, b'third\n')
        two.send(b'z' * 5000)
        count = 0
        while count < 5000:
            count += len(wait(g.typed, 'much typing'))
        assert count == 5000
    finally:
        assert w.close(), 'the daemon has died'


def test_hostile(build):
    w = World(build)
    try:
        bad, good = w.guest(1, 'bad'), w.guest(2, 'good')
        w.tty(1), w.tty(2)
        lazy = w.reader(1)  # never reads
        rng = random.Random(5)
        for _ in range(300):
            bad.set_index(rng.randrange(4), rng.getrandbits(32))
            bad.kick()
        good.write(b'still here\n')
        wait(lambda: w.logged('good') == b'still here\n', "the other guest's log")
        bad.set_index(2, 0)
        bad.set_index(3, 0)
        end, sent = time.monotonic() + 2, 0
        while time.monotonic() < end:
            sent += bad.write_some(b'flood ' * 400)
            bad.kick()
        # 30 rings' worth in 200 ms is the limit.
        assert sent < 2.5 * 5 * 31 * 2048 * 1.5, sent
        before = time.monotonic()
        good.write(b'in time\n')
        wait(lambda: b'in time\n' in w.logged('good'), "the other guest's log")
        assert time.monotonic() - before < 2
        lazy.close()
    finally:
        assert w.close(), 'the daemon has died'


def test_killed(build):
    w = World(build)
    try:
        g = w.guest(1, 'gamma')
        rng = random.Random(7)
        w.tty(1)
        written = b''
        for n in range(100):
            line = f'{n}: '.encode() + bytes(rng.randrange(32, 127) for _ in range(rng.randrange(900))) + b'\n'
            g.write(line[:len(line) // 2])
            g.kick()
            time.sleep(rng.random() * 0.003)
            w.kill()
            w.start()
            g.write(line[len(line) // 2:])
            written += line
        wait(lambda: len(w.logged('gamma')) >= len(written), 'the rest of the log')
        assert w.logged('gamma') == written, 'the log differs'
        w.tty(1)
        assert os.path.exists(w.get('/local/domain/1/console/tty'))
    finally:
        assert w.close(), 'the daemon has died'


def test_logs(build):
    w = World(build, '--log-limit=10K', '--log-keep=2')
    try:
        g = w.guest(1, '../x y')
        for n in range(50):
            g.write(b'%04d' % n + b'r' * 995 + b'\n')
            wait(lambda: g.room() == OUT, 'the ring to be emptied')
        sizes = [len(w.logged('.._x_y', s)) for s in ('', '.1', '.2', '.3')]
        assert sizes[1] >= 10240 and sizes[2] >= 10240 and sizes[3] == 0 and sizes[0] <= 13000, sizes
        text = w.logged('.._x_y', '.2') + w.logged('.._x_y', '.1') + w.logged('.._x_y')
        numbers = [int(line[:4]) for line in text.splitlines()]
        assert numbers == list(range(numbers[0], 50)), 'the rotated logs have gaps'
        os.rename(f'{w.log_dir}/guest-.._x_y.log', f'{w.log_dir}/away')
        w.process.send_signal(signal.SIGHUP)
        wait(lambda: os.path.exists(f'{w.log_dir}/guest-.._x_y.log'), 'a new log file')
        g.write(b'after\n')
        wait(lambda: w.logged('.._x_y') == b'after\n', 'the new log')
    finally:
        assert w.close(), 'the daemon has died'


def test_death(build):
    w = World(build)
    try:
        g = w.guest(3, 'mortal')
        w.tty(3)
        s = w.reader(3)
        g.write(b'alive\n')
        wait(lambda: w.logged('mortal') == b'alive\n', 'the log')
        prod = g.index(3)
        for i, c in enumerate(b'last words\n'):
            g.map[IN + (prod + i) % OUT] = c
        g.set_index(3, prod + 11)  # no event for these
        w.xs.call(h.RELEASE, b'3\0')
        assert b'last words\n' in receive(s, b'last words\n')
        wait(lambda: w.logged('mortal') == b'alive\nlast words\n', 'last words')
        s.settimeout(15)
        assert s.recv(100) == b'', 'the connection stays open'
        wait(lambda: not os.path.exists(f'{w.sock_dir}/3.sock'), 'the end of the socket')
        w.guest(3, 'reborn').write(b'new\n')
        wait(lambda: w.logged('reborn') == b'new\n', "the next guest's log")
    finally:
        assert w.close(), 'the daemon has died'


def test_store_restart(build):
    w = World(build)
    try:
        w.guest(1, 'one').write(b'a')
        w.tty(1)
        w.store.kill()
        w.store.start()
        w.xs = h.Socket(w.store.socket)
        w.guest(2, 'two').write(b'b')
        wait(lambda: w.logged('two') == b'b', 'a console after the restart of the store')
    finally:
        assert w.close(), 'the daemon has died'


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../..'))
    build = sys.argv[1] if len(sys.argv) > 1 else 'build'
    tests = [('several readers, and typing', test_readers), ('hostile guest', test_hostile),
             ('killed a hundred times', test_killed), ('rotation and reopening', test_logs),
             ('death of a guest', test_death), ('restart of the store', test_store_restart)]
    print(f'1..{len(tests)}')
    failed = 0
    for n, (name, test) in enumerate(tests, 1):
        try:
            test(build)
            print(f'ok {n} - {name}', flush=True)
        except (AssertionError, TimeoutError, OSError, RuntimeError) as error:
            failed += 1
            print(f'not ok {n} - {name}\n# {error!r}', flush=True)
    return failed


if __name__ == '__main__':
    sys.exit(main())
