#!/usr/bin/env python3
"""Bridge mode and SIGKILL. Proves: killed at every point of start and of stop (before each line of the journal and before
each change), the program leaves a machine that by itself, within seconds, is as it was and reachable, with its open
connections; the same where the watchdog dies at any point of its rollback, or before the program; where both die at
once, the next run of anything rolls back; a journal of another boot of the machine does no harm."""

import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bridge_mode import STATE, children, fresh, go_on, quiet, run, same_soon, start_program, stopped_at  # noqa: E402
from lab import set_setting  # noqa: E402
from tap import Cases  # noqa: E402

cases = Cases()


def reachable_after_kill(lab, kill, before, opened):
    """Kill at this point; True if the program got past its last point instead."""
    process = kill()
    process.wait()
    if process.returncode == 0:
        return True
    assert process.returncode == -signal.SIGKILL, process.stdout.read().decode()
    killed = time.time()
    lab.wait_for(quiet, 10)
    for address in ("10.0.0.2", "fd00::2"):
        lab.connect(address, limit=5 - (time.time() - killed)).close()
    if before is not None:
        same_soon(before)
    assert lab.talks(opened)
    return False


def as_dhcp_leaves_it(lab):
    """An address with a lifetime and a metric, routes of protocol dhcp with source and metric, a rule, another table."""
    lab.ip("addr", "flush", "dev", "eth0", "scope", "global")
    for words in ("addr add 10.0.0.2/24 dev eth0 metric 1024 brd 10.0.0.255 valid_lft 3600 preferred_lft 3500",
                  "-6 addr add fd00::2/64 dev eth0 nodad valid_lft 3600 preferred_lft 3500",
                  "route add default via 10.0.0.1 dev eth0 proto dhcp src 10.0.0.2 metric 1024",
                  "route add 10.0.0.1 dev eth0 proto dhcp scope link src 10.0.0.2 metric 1024",
                  "route add 10.9.0.0/16 via 10.99.0.1 dev eth0 onlink table 77", "rule add iif eth0 lookup 77",
                  "-6 route replace default via fd00::1 dev eth0 proto static metric 512"):
        lab.ip(*words.split())
    set_setting("ipv6/conf/eth0/addr_gen_mode", "1")
    lab.settle()


def kill_everywhere(word):
    lab = fresh()
    as_dhcp_leaves_it(lab)
    opened = lab.connect("10.0.0.2")
    if word == "stop":
        run("start")
    before = lab.state()
    point = 0
    while not reachable_after_kill(lab, lambda: start_program(word, DIE_AT=point), before, opened):
        point += 1
    assert point > 30, "only %d points" % point
    print("# killed at %d points" % point)
    assert ("peth0" in lab.links()) == (word == "start")


cases.add("SIGKILL at every point of start: reachable by itself, as before", "start")(kill_everywhere)
cases.add("SIGKILL at every point of stop: reachable by itself, as before", "stop")(kill_everywhere)


@cases.add("the watchdog is killed while it rolls back: its own watchdog goes on")
def watchdog_rolls_back_and_dies():
    lab = fresh()
    opened = lab.connect("10.0.0.2")
    before = lab.state()
    mark = os.path.join(STATE, "die")
    for point, dog_point in [(40, n) for n in range(0, 24, 2)] + [(40, 1000)]:
        os.makedirs(STATE, exist_ok=True)
        with open(mark, "w"):
            pass
        assert not reachable_after_kill(lab, lambda: start_program("start", DIE_AT=point, DOG_DIES=mark, DOG_DIES_AT=dog_point),
                                        before, opened)
        assert os.path.exists(mark) == (dog_point == 1000), "the watchdog did not die at its point %d" % dog_point


def kill_watchdog(lab, process):
    """And wait until it is really dead: a busy machine may take longer for that than the program for its next steps."""
    dog = children(process.pid)[0]
    os.kill(dog, signal.SIGKILL)

    def is_dead():
        with open("/proc/%d/stat" % dog) as f:
            return f.read().rpartition(")")[2].split()[0] == "Z"
    lab.wait_for(is_dead, 10)


@cases.add("the watchdog is killed before the program: it gets a successor")
def watchdog_dies():
    lab = fresh()
    opened = lab.connect("10.0.0.2")
    before = lab.state()
    process = stopped_at(20)
    kill_watchdog(lab, process)
    go_on(process)
    assert process.returncode == 0, process.stdout.read().decode()
    assert lab.talks(opened)
    run("stop")
    process = stopped_at(20)
    kill_watchdog(lab, process)
    for _ in range(12):     # until the next step has begun
        os.kill(process.pid, signal.SIGCONT)
        os.waitpid(process.pid, os.WUNTRACED)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    lab.wait_for(quiet, 5)
    same_soon(before)
    assert lab.talks(opened)


@cases.add("both are killed at once: the next start of anything rolls back")
def both_die():
    lab = fresh()
    opened = lab.connect("10.0.0.2")
    before = lab.state()
    for point in (12, 18, 25, 33):
        process = stopped_at(point)
        for victim in children(process.pid) + [process.pid]:
            os.kill(victim, signal.SIGKILL)
        process.wait()
        time.sleep(0.1)
        assert not quiet()
        assert "Rolled back: Bridge mode: eth0 goes on xenbr0" in run("recover")
        same_soon(before)
        assert lab.talks(opened)
    assert "nothing to roll back" in run("recover")


@cases.add("a journal of another boot is thrown away")
def other_boot():
    lab = fresh()
    process = stopped_at(25)
    for victim in children(process.pid) + [process.pid]:
        os.kill(victim, signal.SIGKILL)
    process.wait()
    path = os.path.join(STATE, "journal")
    with open(path) as f:
        text = f.read()
    boot = text.split('"boot"')[1].split('"')[1]
    with open(path, "w") as f:
        f.write(text.replace(boot, "0" * len(boot)))
    assert "nothing to roll back" in run("recover")
    assert not os.path.exists(path)


if __name__ == "__main__":
    sys.exit(cases.main())
