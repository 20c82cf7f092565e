#!/usr/bin/env python3
"""xenstored is killed; nothing is lost and nothing is done half or twice.

Guests on rings (and a socket client that sets things up) are the witnesses. Each guest knows what every
answer must be, because only it touches its part of the store; a lost, repeated, torn or
reordered byte, answer or event shows. Three ways to be killed: at every crash point in turn (see
xenstored/crashpoint.h) with a fixed run of requests; at random moments, a hundred times, under load; and
by a live update, where the socket's connection, its watches and its requests must live on too.
TAP on standard output.

usage: killed.py BUILD-DIRECTORY [distance between the crash points tried]
"""
import os
import random
import sys
import threading
import time

import harness as h


class Guest:
    """Requests of one guest, each answer checked against a model of its part of the store."""

    def __init__(self, ring, rng, home):
        self.ring, self.rng, self.home = ring, rng, home
        self.values = {}
        self.events = []
        self.conflicts = 0

    def call(self, kind, payload, tx=0):
        kind, body = self.ring.call(kind, payload, tx, timeout=30)
        self.events += [e.split(b'\0')[0] for e in self.ring.events]
        self.ring.events = []
        return kind, body

    def expect(self, want, kind, payload, tx=0):
        got = self.call(kind, payload, tx)
        assert got == want, f'{self.home}: type {kind} {payload[:60]!r} tx {tx}: got {got}, want {want}'

    def path(self):
        return f'{self.home}/n{self.rng.randrange(12)}'.encode()

    def value(self):
        return bytes(self.rng.randrange(32, 127) for _ in range(self.rng.choice([1, 20, 300, 1500])))

    def step(self):
        what, path = self.rng.random(), self.path()
        if what < 0.4:
            value = self.value()
            self.expect((h.WRITE, b'OK\0'), h.WRITE, path + b'\0' + value)
            self.values[path] = value
        elif what < 0.65:
            want = (h.READ, self.values[path]) if path in self.values else (h.ERROR, b'ENOENT\0')
            self.expect(want, h.READ, path + b'\0')
        elif what < 0.75:
            self.expect((h.RM, b'OK\0'), h.RM, path + b'\0')
            self.values.pop(path, None)
        elif what < 0.8:
            self.expect((h.ERROR, b'ENOSPC\0'), h.WRITE, path + b'\0' + b'x' * 3000)
        else:
            self.transaction()

    def transaction(self):
        kind, body = self.call(h.TX_START, b'\0')
        assert kind == h.TX_START, (kind, body)
        tx = int(body[:-1])
        changed = {}
        for _ in range(self.rng.randrange(1, 4)):
            path, value = self.path(), self.value()
            if self.rng.random() < 0.3:
                self.call(h.READ, path + b'\0', tx)  # inside, a restart may show either version
            self.expect((h.WRITE, b'OK\0'), h.WRITE, path + b'\0' + value, tx)
            changed[path] = value
        kind, body = self.call(h.TX_END, b'T\0', tx)
        if (kind, body) == (h.TX_END, b'OK\0'):
            self.values.update(changed)
        else:
            assert body == b'EAGAIN\0', (kind, body)
            self.conflicts += 1

    def check_all(self):
        kind, body = self.call(h.DIRECTORY, self.home.encode() + b'\0')
        names = sorted(body.split(b'\0')[:-1])
        want = sorted(p.rsplit(b'/', 1)[1] for p in self.values)
        assert names == want, (names, want)
        for path, value in self.values.items():
            self.expect((h.READ, value), h.READ, path + b'\0')


def set_up(daemon, seed, guests=2):
    s = h.Socket(daemon.socket)
    out = []
    for domid in range(1, guests + 1):
        assert s.call(h.INTRODUCE, f'{domid}\0' '7\0' '3\0'.encode())[0] == h.INTRODUCE
        home = f'/g{domid}'
        s.call(h.MKDIR, home.encode() + b'\0')
        s.call(h.SET_PERMS, f'{home}\0n{domid}\0'.encode())
        out.append(Guest(h.Ring(daemon.dir, domid), random.Random(seed + domid), home))
    for g in out:
        g.expect((h.WATCH, b'OK\0'), h.WATCH, g.home.encode() + b'\0token\0')
    s.close()
    return out


def keep_alive(daemon):
    """Starts the daemon again whenever it has ended; stop with the event."""
    stop = threading.Event()

    def watch():
        while not stop.is_set():
            if daemon.process.poll() is not None:
                daemon.start(wait=False)
            time.sleep(0.001)
    thread = threading.Thread(target=watch)
    thread.start()
    return stop, thread


def crash_run(build, point):
    """One run with a crash at the given point. Returns False when the run ended before it."""
    daemon = h.ours(build)
    daemon.start(wait=False, XENSTORED_CRASH_AT=str(point))
    first = daemon.process
    stop = thread = None
    try:
        stop, thread = keep_alive(daemon)
        try:
            guests = set_up(daemon, 1, 1)
        except (h.Gone, OSError):
            guests = set_up_again(daemon)
        for _ in range(30):
            for g in guests:
                g.step()
        for g in guests:
            g.check_all()
        return first.poll() is not None
    finally:
        if stop:
            stop.set()
            thread.join()
        daemon.close()


def set_up_again(daemon):
    """The setup's own connection was lost: what it did is there or not; doing it again must work."""
    for _ in range(100):
        try:
            s = h.Socket(daemon.socket)
            kind, body = s.call(h.INTRODUCE, b'1\0' b'7\0' b'3\0')
            assert kind == h.INTRODUCE, body
            s.call(h.MKDIR, b'/g1\0')
            s.call(h.SET_PERMS, b'/g1\0n1\0')
            s.close()
            break
        except (OSError, h.Gone):
            time.sleep(0.02)
    g = Guest(h.Ring(daemon.dir, 1), random.Random(2), '/g1')
    kind, body = g.call(h.WATCH, b'/g1\0token\0')
    assert kind == h.WATCH or body == b'EEXIST\0', body
    return [g]


def test_every_point(build, stride):
    point, crashed = 1, 0
    while crash_run(build, point):
        crashed += 1
        point += stride
    assert crashed > 3, crashed
    return f'{crashed} crash points'


def test_random(build, kills=100):
    daemon = h.ours(build).start()
    rng = random.Random(11)
    errors = []
    running = True

    def work(g):
        steps = 0
        try:
            while running:
                g.step()
                steps += 1
            g.check_all()
        except Exception as error:  # pylint: disable=broad-except
            errors.append(f'{error!r} after {steps} steps')

    try:
        guests = set_up(daemon, 77)
        threads = [threading.Thread(target=work, args=(g,)) for g in guests]
        for t in threads:
            t.start()
        for _ in range(kills):
            time.sleep(rng.random() * 0.15)
            daemon.kill()
            daemon.start(wait=rng.random() < 0.8)
        running = False
        daemon.wait_ready()
        for t in threads:
            t.join()
        assert not errors, errors
        for g in guests:
            # The last change must have been told, whatever happened before.
            path = f'{g.home}/last'.encode()
            g.expect((h.WRITE, b'OK\0'), h.WRITE, path + b'\0x')
            g.events += [e.split(b'\0')[0] for e in g.ring.take_events()]
            assert path in g.events, 'an event was lost'
        s = h.Socket(daemon.socket)
        assert s.call(h.CONTROL, b'check\0')[1] == b'OK\0'
        assert 'store check' not in daemon.read_log(), daemon.read_log()
        return f'{kills} kills, {sum(g.conflicts for g in guests)} transactions repeated'
    finally:
        running = False
        daemon.close()


def test_live_update(build):
    daemon = h.ours(build).start()
    try:
        guests = set_up(daemon, 5)
        s = h.Socket(daemon.socket)
        s.call(h.WATCH, b'/g1\0sock\0')
        s.take_events()
        kind, body = s.call(h.TX_START, b'\0')
        tx = int(body[:-1])
        s.call(h.WRITE, b'/never\0x', tx)
        program = os.path.abspath(f'{build}/tests/xenstored-fake').encode()
        for n in range(10):
            for _ in range(10):
                for g in guests:
                    g.step()
            pid = daemon.process.pid
            half = h.HEADER.pack(h.GET_DOMAIN_PATH, 9, 0, 2) + b'5\0'
            other = h.Socket(daemon.socket)
            other.send(half[:9])  # a request that is cut in two by the update
            time.sleep(0.02)
            assert s.call(h.CONTROL, b'live-update\0-f\0' + program + b'\0')[1] == b'OK\0'
            assert s.call(h.CONTROL, b'live-update\0-s\0')[1] == b'OK\0'
            assert daemon.process.poll() is None and daemon.process.pid == pid
            other.send(half[9:])
            assert other.message()[3] == b'/local/domain/5\0'
            guests[0].expect((h.WRITE, b'OK\0'), h.WRITE, b'/g1/lu\0%d' % n)
            guests[0].values[b'/g1/lu'] = b'%d' % n
            assert b'/g1/lu\0sock\0' in s.take_events(), 'the socket has lost its watch'
        # With nobody else to wake the new program.
        s.call(h.CONTROL, b'live-update\0-f\0' + program + b'\0')
        assert s.call(h.CONTROL, b'live-update\0-s\0', timeout=2)[1] == b'OK\0'
        assert s.call(h.TX_END, b'T\0', tx)[1] == b'EAGAIN\0'
        assert s.call(h.READ, b'/never\0')[1] == b'ENOENT\0'
        assert s.call(h.CONTROL, b'live-update\0-f\0/nonexistent\0')[1] != b'OK\0'
        assert s.call(h.CONTROL, b'live-update\0-f\0/etc/passwd\0')[1] != b'OK\0'
        for g in guests:
            g.check_all()
        return '10 updates'
    finally:
        daemon.close()


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../..'))
    build = sys.argv[1] if len(sys.argv) > 1 else 'build'
    stride = int(sys.argv[2]) if len(sys.argv) > 2 else 23
    tests = [('killed at every crash point', lambda: test_every_point(build, stride)),
             ('killed at random under load', lambda: test_random(build)),
             ('live update', lambda: test_live_update(build))]
    print(f'1..{len(tests)}')
    failed = 0
    for n, (name, test) in enumerate(tests, 1):
        try:
            note = test()
            print(f'ok {n} - {name} # {note}', flush=True)
        except (AssertionError, TimeoutError, OSError, RuntimeError, h.Gone) as error:
            failed += 1
            print(f'not ok {n} - {name}\n# {error!r}', flush=True)
    return failed


if __name__ == '__main__':
    sys.exit(main())
