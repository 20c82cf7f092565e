#!/usr/bin/env python3
"""xenstored and its rings: broken ones, new starts, guests that don't read, guests that die, limits.
TAP on standard output.

usage: rings.py BUILD-DIRECTORY
"""
import os
import random
import sys
import time

import harness as h

RINGIDX, PROTO = 2, 3


class World:
    def __init__(self, build, *options):
        self.daemon = h.ours(build, *options).start()
        self.xs = h.Socket(self.daemon.socket)
        self.guests = {}
        for domid in (1, 2):
            self.introduce(domid)

    def introduce(self, domid):
        assert self.xs.call(h.INTRODUCE, f'{domid}\0' '7\0' '3\0'.encode())[0] == h.INTRODUCE
        self.xs.call(h.MKDIR, f'/g{domid}\0'.encode())
        self.xs.call(h.SET_PERMS, f'/g{domid}\0b{domid}\0'.encode())
        self.guests[domid] = h.Ring(self.daemon.dir, domid)

    def works(self, domid):
        kind, body = self.guests[domid].call(h.WRITE, f'/g{domid}/w\0x'.encode())
        assert (kind, body) == (h.WRITE, b'OK\0'), (kind, body)

    def usage(self, domid):
        text = self.xs.call(h.CONTROL, f'quota\0{domid}\0'.encode())[1].decode().rstrip('\0')
        return {k.strip(): int(v) for k, v in (x.split(':') for x in text.split('\n')[1:] if x)}

    def close(self):
        alive = self.daemon.process.poll() is None
        log = self.daemon.read_log()
        self.daemon.close()
        assert alive, log


def wait(test, timeout=10):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if test():
            return
        time.sleep(0.005)
    raise TimeoutError(test.__doc__ or 'it did not happen')


def test_broken(w):
    bad = w.guests[1]
    assert bad.index(4) & 7 == 7, 'the features are not announced'
    bad.call(h.WATCH, b'/g1\0t\0')
    for how, error in ((lambda: bad.set_index(1, bad.req_cons + 1025), RINGIDX),
                       (lambda: bad.set_index(3, bad.rsp_cons - 1), RINGIDX),
                       (lambda: bad.send(h.HEADER.pack(h.READ, 1, 0, 4097)), PROTO)):
        how()
        if bad.index(3) != bad.rsp_cons and error == RINGIDX:
            bad.send(h.HEADER.pack(h.READ, 1, 0, 2) + b'/\0') if bad.req_prod == bad.req_cons else bad.kick()
        else:
            bad.kick()
        wait(lambda: bad.error == error)
        w.works(2)
        assert w.usage(1)['watches'] == 0
        # A new start, as the ring's protocol has it.
        bad.words[5] = 1
        bad.kick()
        wait(lambda: bad.words[5] == 0)
        assert bad.error == 0 and bad.req_prod == 0 and bad.rsp_prod == 0
        bad.data = b''
        w.works(1)


def test_quiet_log(w):
    """A guest cannot fill the log by doing the same wrong thing over and over."""
    bad = w.guests[1]
    for _ in range(20):
        bad.send(h.HEADER.pack(h.READ, 1, 0, 4097))
        bad.kick()
        wait(lambda: bad.error == PROTO)
        bad.words[5] = 1
        bad.kick()
        wait(lambda: bad.words[5] == 0)
        bad.data = b''
    lines = [line for line in w.daemon.read_log().splitlines() if 'too long' in line]
    assert len(lines) == 1, lines


def test_garbage(w):
    """Whatever a guest writes into its ring, the other one is served."""
    bad, rng = w.guests[1], random.Random(3)
    for _ in range(300):
        for _ in range(rng.randrange(1, 8)):
            bad.map[rng.randrange(2076)] = rng.randrange(256)
        bad.kick()
        if rng.random() < 0.1:
            w.works(2)
        if bad.error:
            bad.words[6] = 0
            for i in range(4):
                bad.words[i] = 0
            bad.words[5] = 1
            bad.kick()
    w.works(2)


def test_lazy_reader(w):
    """Who causes events that nobody takes may only have so many requests under way."""
    one, two = w.guests[1], w.guests[2]
    two.call(h.WATCH, b'/g1\0t\0')
    two.take_events()
    for i in range(100):
        one.post(h.WRITE, f'/g1/n{i}\0x'.encode())
        end = time.monotonic() + 0.25  # a busy machine may let the daemon wait
        while i > 18 and one.req_prod != one.req_cons and time.monotonic() < end:
            time.sleep(0.002)
        while one.rsp_prod != one.rsp_cons:  # its own answers it takes
            one.data += one.recv_some(0.01)
        if one.req_prod != one.req_cons and i > 18:
            break
    assert 18 < i < 60, i
    assert w.usage(1)['outstanding'] >= 20
    for _ in range(200):
        two.call(h.GET_DOMAIN_PATH, b'0\0')
        two.events.clear()
        if one.req_prod == one.req_cons:
            break
    wait(lambda: one.req_prod == one.req_cons)
    wait(lambda: w.usage(1)['outstanding'] < 20)


def test_event_timeout(w):
    one, two = w.guests[1], w.guests[2]
    for i in range(60):  # more than the ring holds
        two.call(h.WATCH, f'/g1\0{"t" * 40}{i}\0'.encode())
        two.events.clear()
    before = w.usage(2)['memory']
    one.call(h.WRITE, b'/g1/n\0x')
    assert w.usage(2)['memory'] > before
    wait(lambda: w.usage(2)['memory'] < before + 1200, 5)
    wait(lambda: w.usage(1)['outstanding'] <= 60)
    two.call(h.GET_DOMAIN_PATH, b'0\0')
    assert 0 < len(two.events) < 60, len(two.events)


def test_death(w):
    w.xs.call(h.WATCH, b'@releaseDomain\0t\0')
    w.xs.call(h.WATCH, b'@introduceDomain\0t\0')
    w.xs.take_events()
    w.works(1)
    with open(f'{w.daemon.dir}/dom-1', 'w') as f:
        f.write('stopped')
    w.daemon.event(1)
    wait(lambda: b'@releaseDomain\0t\0' in w.xs.take_events())
    w.works(1)  # it is only shut down
    w.daemon.event(1)
    time.sleep(0.1)
    assert not w.xs.take_events(), 'told twice'
    with open(f'{w.daemon.dir}/dom-1', 'w') as f:
        f.write('dying')
    w.daemon.event(1)
    wait(lambda: b'@releaseDomain\0t\0' in w.xs.take_events())
    assert w.xs.call(h.READ, b'/g1\0')[1] == b'ENOENT\0'
    assert w.xs.call(h.IS_INTRODUCED, b'1\0')[1] == b'F\0'
    w.daemon.add_domain(1)
    w.introduce(1)
    assert b'@introduceDomain\0t\0' in w.xs.take_events()
    w.works(1)
    w.daemon.kill()  # and dies while the store is dead
    os.unlink(f'{w.daemon.dir}/dom-1')
    w.daemon.start()
    w.xs = h.Socket(w.daemon.socket)
    assert w.xs.call(h.READ, b'/g1\0')[1] == b'ENOENT\0'
    w.works(2)


def test_large_messages(w):
    for size in (1, 1000, 1008, 1024, 1030, 1900):
        value = os.urandom(size)
        assert w.guests[1].call(h.WRITE, b'/g1/v\0' + value)[1] == b'OK\0'
        assert w.guests[1].call(h.READ, b'/g1/v\0')[1] == value
        assert w.xs.call(h.READ, b'/g1/v\0')[1] == value


TESTS = [('broken rings and new starts', test_broken, []), ('garbage', test_garbage, []),
         ('events that nobody takes', test_lazy_reader, []),
         ('a log that stays quiet', test_quiet_log, []),
         ('events that are too old', test_event_timeout, ['-w', 'watch-event=1']),
         ('death of guests', test_death, []), ('messages larger than the ring', test_large_messages, [])]


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../..'))
    build = sys.argv[1] if len(sys.argv) > 1 else 'build'
    print(f'1..{len(TESTS)}')
    failed = 0
    for n, (name, test, options) in enumerate(TESTS, 1):
        world = World(build, *options)
        try:
            try:
                test(world)
            finally:
                world.close()
            print(f'ok {n} - {name}', flush=True)
        except (AssertionError, TimeoutError, OSError, h.Gone) as error:
            failed += 1
            print(f'not ok {n} - {name}\n# {error!r}', flush=True)
    return failed


if __name__ == '__main__':
    sys.exit(main())
