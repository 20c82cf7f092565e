#!/usr/bin/env python3
"""The same requests to our xenstored and to Debian's C xenstored 4.17: the same answers and events.

Two parts: a written list of cases, chiefly errors, and long random sequences (the seed is fixed) over
sockets and unprivileged rings, with transactions, permissions and watches. What may differ is the
generation number in DIRECTORY_PART. TAP on standard output; all is skipped where Debian's is missing.

usage: conformance.py BUILD-DIRECTORY [steps of each random run]
"""
import os
import random
import sys

import harness as h

PRIVILEGED, GUESTS = ('s0', 's1'), ('d1', 'd2')
PATHS = ['/', '/a', '/a/b', '/a/b/c', '/a/b/c/d', '/g1', '/g1/x', '/g1/x/y', '/g2', '/g2/x', '/pub',
         '/pub/one', '/pub/two', '/local/domain/1/data', '/local/domain/2/data', 'rel', 'rel/x',
         'data/k', '/tool', '/tool/xenstored']
ODD = ['', '//', '/a//b', '/a/', '/A b', '/ä', '@introduceDomain', '@releaseDomain', '@other', 'x' * 2100,
       '/' + 'y' * 2047, '/' + 'y' * 2048, '/local/domain/1/' + 'z' * 2040, '/' + 'z' * 3200]
PERMS = ['n0', 'r0', 'n1', 'b1', 'n2', 'r1', 'w2', 'n0\0r1', 'n0\0b2\0r1', 'b0\0n1', 'n1\0r2', 'n2\0w1',
         'n0\0r1\0r2\0r3\0r0\0w1', 'x0', 'n', 'n1x', 'n99', 'r0\0b99', 'n0\0', 'b3']
DATA = ['', 'v', 'value', 'x' * 300, 'y' * 1900, 'z' * 2030, 'a\0b', '\0', 'q' * 3000]


class Pair:
    """Both daemons, with the same connections."""

    def __init__(self, build):
        self.daemons = [h.ours(build).start(), h.debians(build).start()]
        self.conns = []
        self.gone = False
        for d in self.daemons:
            self.conns.append({'s0': h.Socket(d.socket), 's1': h.Socket(d.socket)})
        for domid in (1, 2):
            self.both('s0', h.INTRODUCE, f'{domid}\0' '7\0' '3\0'.encode())
            for d, c in zip(self.daemons, self.conns):
                c[f'd{domid}'] = h.Ring(d.dir, domid)
        for path, perm in (('/g1', 'n1'), ('/g2', 'n2'), ('/pub', 'b0'), ('/local/domain/1', 'n1'),
                           ('/local/domain/2', 'r2')):
            self.both('s0', h.MKDIR, path.encode() + b'\0')
            self.both('s0', h.SET_PERMS, f'{path}\0{perm}\0'.encode())

    def close(self):
        for d in self.daemons:
            d.close()

    def both(self, conn, kind, payload=b'', tx=0):
        answers = []
        for d, c in zip(self.daemons, self.conns):
            try:
                kind_got, body = c[conn].call(kind, payload, tx)
                if kind_got == h.DIRECTORY_PART:
                    body = b'G\0' + body.split(b'\0', 1)[1]
                answers.append((kind_got, body))
            except TimeoutError:
                answers.append(('no answer', b''))
            except h.Gone:
                answers.append((f'gone, status {d.process.poll()}: {d.read_log()}', b''))
                self.gone = True
        return answers

    def events(self, conn):
        answers = []
        for d, c in zip(self.daemons, self.conns):
            try:
                answers.append(c[conn].take_events())
            except (TimeoutError, h.Gone) as error:
                answers.append(f'{error!r} status {d.process.poll()}: {d.read_log()}')
                self.gone = True
        return answers


def describe(kind, payload, tx):
    return f'type {kind} tx {tx} {payload[:80]!r} ({len(payload)} bytes)'


def check(pair, conn, kind, payload, tx, problems):
    ours, theirs = pair.both(conn, kind, payload, tx)
    if ours != theirs:
        problems.append(f'{conn}: {describe(kind, payload, tx)}: ours {ours}, Debian {theirs}')
    return ours


def check_events(pair, conns, problems, after):
    for conn in conns:
        ours, theirs = pair.events(conn)
        if ours != theirs:
            problems.append(f'{conn}: events after {after}: ours {ours}, Debian {theirs}')


def written_cases():
    """(connection, type, payload, transaction) for what the random runs hardly reach."""
    cases = []
    for conn in ('s0', 'd1'):
        for kind in list(range(0, 26)) + [0xffff]:
            if kind in (h.WATCH_EVENT,):
                continue
            # Where one path is wanted and something else comes, Debian's answers with whatever errno was
            # left over, or falls: nothing to compare with.
            one_path = kind in (h.DIRECTORY, h.READ, h.GET_PERMS, h.MKDIR, h.RM)
            for payload in (b'', b'\0', b'abc', b'abc\0def', b'/nope\0', b'0\0', b'9\0', b'1\0' b'x\0',
                            b'/a\0' b'0\0', b'-1\0', b'32752\0'):
                if one_path and payload.count(b'\0') != 1 or one_path and payload == b'abc\0def':
                    continue
                if kind == h.CONTROL and payload == b'':
                    continue
                cases.append((conn, kind, payload, 0))
                cases.append((conn, kind, payload, 77))
        for odd in ODD:
            name = odd.encode()
            for kind in (h.READ, h.DIRECTORY, h.GET_PERMS, h.MKDIR, h.RM):
                cases.append((conn, kind, name + b'\0', 0))
            cases.append((conn, h.WRITE, name + b'\0v', 0))
            cases.append((conn, h.WATCH, name + b'\0tok\0', 0))
            cases.append((conn, h.WATCH, name + b'\0tok\0', 0))
            cases.append((conn, h.UNWATCH, name + b'\0tok\0', 0))
            cases.append((conn, h.UNWATCH, name + b'\0tok\0', 0))
            if odd[:1] != '@' or conn == 's0' and odd != '@other':  # Debian's errno is left over
                cases.append((conn, h.SET_PERMS, name + b'\0n0\0', 0))
            cases.append((conn, h.DIRECTORY_PART, name + b'\0' b'0\0', 0))
    for perm in PERMS:
        for conn in ('s0', 'd1', 'd2'):
            for path in ('/g1', '/g2', '/pub', '/nope', '@introduceDomain', '@releaseDomain'):
                if path[0] == '@' and conn != 's0':
                    continue  # refused, with whatever errno was left over
                cases.append((conn, h.SET_PERMS, f'{path}\0{perm}\0'.encode(), 0))
                cases.append(('s0', h.GET_PERMS, f'{path}\0'.encode(), 0))
    for i in range(140):
        cases.append(('d2', h.WATCH, f'/g2/w{i}\0t\0'.encode(), 0))
    cases.append(('d2', h.RESET_WATCHES, b'\0', 0))
    for _ in range(13):
        cases.append(('d2', h.TX_START, b'\0', 0))
    cases.append(('d2', h.RESET_WATCHES, b'\0', 0))
    for i in range(700):
        cases.append(('s0', h.MKDIR, f'/many/name-{i}\0'.encode(), 0))
    cases.append(('s0', h.DIRECTORY, b'/many\0', 0))
    for off in (0, 1, 11, 4000, 6000, 6889, 6890, 6891, 100000):
        cases.append(('s0', h.DIRECTORY_PART, f'/many\0{off}\0'.encode(), 0))
    cases.append(('s0', h.RM, b'/many\0', 0))
    for command in (b'help\0', b'quota\0', b'quota-soft\0', b'quota\0' b'1\0', b'quota\0' b'2\0',
                    b'quota\0set\0nodes\0' b'50\0', b'quota\0set\0nodes\0' b'0\0', b'quota\0set\0x\0' b'1\0',
                    b'quota\0' b'77\0', b'check\0', b'check\0x\0', b'nope\0', b'print\0hi\0', b'log\0',
                    b'quota\0'):
        cases.append(('s0', h.CONTROL, command, 0))
        cases.append(('d1', h.CONTROL, command, 0))
    for i in range(60):
        cases.append(('d2', h.WRITE, f'/g2/n{i}\0v'.encode(), 0))
    cases.append(('s0', h.CONTROL, b'quota\0' b'2\0', 0))
    cases.append(('d2', h.RM, b'/g2/n1\0', 0))
    for target in (b'1\0' b'2\0', b'1\0' b'9\0', b'9\0' b'1\0', b'1\0'):
        cases.append(('s0', h.SET_TARGET, target, 0))
    for conn, path in (('d1', '/g2'), ('d1', '/g2/n2'), ('d2', '/g1')):
        cases.append((conn, h.READ, f'{path}\0'.encode(), 0))
        cases.append((conn, h.WRITE, f'{path}/t\0v'.encode(), 0))
    return cases


def run_written(build):
    problems = []
    pair = Pair(build)
    try:
        for i, (conn, kind, payload, tx) in enumerate(written_cases()):
            check(pair, conn, kind, payload, tx, problems)
            if i % 50 == 0:
                check_events(pair, PRIVILEGED + GUESTS, problems, f'case {i}')
            if pair.gone or len(problems) > 20:
                break
    finally:
        pair.close()
    return problems


class Random:
    """One random sequence."""

    def __init__(self, build, seed, guests):
        self.rng = random.Random(seed)
        self.conns = PRIVILEGED + (GUESTS if guests else ())
        self.pair = Pair(build)
        self.open = {c: [] for c in self.conns}
        self.problems = []

    def path(self):
        return self.rng.choice(ODD if self.rng.random() < 0.03 else PATHS).encode() + b'\0'

    def step(self):
        rng, conn = self.rng, self.rng.choice(self.conns)
        txs = self.open[conn]
        tx = rng.choice(txs) if txs and rng.random() < 0.6 else 0
        what = rng.random()
        if what < 0.08 and len(txs) < 4:
            answer = check(self.pair, conn, h.TX_START, b'\0', 0, self.problems)
            if answer[0] == h.TX_START:
                txs.append(int(answer[1][:-1]))
        elif what < 0.16 and txs:
            tx = txs.pop(rng.randrange(len(txs)))
            check(self.pair, conn, h.TX_END, rng.choice([b'T\0', b'T\0', b'T\0', b'F\0']), tx,
                  self.problems)
        elif what < 0.36:
            payload = self.path() + rng.choice(DATA).encode()
            check(self.pair, conn, h.WRITE, payload[:4096], tx, self.problems)
        elif what < 0.5:
            check(self.pair, conn, h.READ, self.path(), tx, self.problems)
        elif what < 0.6:
            check(self.pair, conn, h.DIRECTORY, self.path(), tx, self.problems)
        elif what < 0.68:
            check(self.pair, conn, h.MKDIR, self.path(), tx, self.problems)
        elif what < 0.75:
            check(self.pair, conn, h.RM, self.path(), tx, self.problems)
        elif what < 0.82:
            path = self.path()
            if path[:1] != b'@':  # Debian's refusals carry whatever errno was left over
                check(self.pair, conn, h.SET_PERMS, path + rng.choice(PERMS).encode() + b'\0', tx,
                      self.problems)
        elif what < 0.88:
            check(self.pair, conn, h.GET_PERMS, self.path(), tx, self.problems)
        elif what < 0.93:
            check(self.pair, conn, h.WATCH, self.path() + rng.choice([b't1\0', b't2\0']), 0,
                  self.problems)
        elif what < 0.95:
            check(self.pair, conn, h.UNWATCH, self.path() + rng.choice([b't1\0', b't2\0']), 0,
                  self.problems)
        elif what < 0.97:
            check(self.pair, conn, h.DIRECTORY_PART, self.path() + b'0\0', tx, self.problems)
        elif what < 0.975:
            check(self.pair, conn, h.CONTROL, rng.choice([b'quota\0' b'1\0', b'quota\0' b'2\0']), 0,
                  self.problems)
        elif what < 0.98:
            check(self.pair, conn, h.RESET_WATCHES, b'\0', 0, self.problems)
            txs.clear()

    def run(self, steps):
        try:
            for i in range(steps):
                self.step()
                check_events(self.pair, self.conns, self.problems, f'step {i}')
                if self.pair.gone or len(self.problems) > 10:
                    break
        finally:
            self.pair.close()
        return self.problems


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../..'))
    build = sys.argv[1] if len(sys.argv) > 1 else 'build'
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 1500
    if not os.path.exists(h.DEBIAN) or not os.path.exists(f'{build}/tests/fakexen.so'):
        print("1..0 # SKIP Debian's xenstored 4.17 is not on this machine")
        return 0
    runs = [('written cases', lambda: run_written(build))]
    for seed in range(4):
        runs.append((f'random requests over sockets, seed {seed}',
                     lambda s=seed: Random(build, s, False).run(steps)))
        runs.append((f'random requests, guests too, seed {seed}',
                     lambda s=seed: Random(build, 100 + s, True).run(steps // 2)))
    print(f'1..{len(runs)}')
    failed = 0
    for n, (name, run) in enumerate(runs, 1):
        problems = run()
        print(f'{"not ok" if problems else "ok"} {n} - {name}', flush=True)
        for p in problems:
            print(f'# {p}')
        failed += bool(problems)
    return failed


if __name__ == '__main__':
    sys.exit(main())
