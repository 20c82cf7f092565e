#!/usr/bin/env python3
"""network-nat and network-route on the kernel of network namespaces. Proves: start makes the bridge, the rules, forwarding
and the server, and starting twice changes nothing; stop restores links, settings, rules and processes exactly; killed with
SIGKILL at every point of start and of stop (before each line of the journal and before each change), also together with
the watchdog, the machine is by itself, or with the next run, as it was; a gateway that falls silent rolls everything back; a
bridge that somebody else made is used and stays."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as labs                      # noqa: E402
from lab import Lab, TREE, set_setting  # noqa: E402
from tap import Cases, Skip             # noqa: E402

WORK = tempfile.mkdtemp(prefix="host-modes-")
os.chmod(WORK, 0o755)                   # dnsmasq reads its files as another user
RUN = WORK + "/run"                     # as /run/hospes, it is not there at first
STATE = WORK + "/journal"
cases = Cases()
lab = None


def fresh():
    global lab
    why = labs.impossible() or next(("no " + p for p in ("nft", "dnsmasq") if not shutil.which(p)), None)
    if why:
        raise Skip(why)
    end_servers()
    subprocess.run(["rm", "-rf", RUN, STATE], check=True)
    lab = Lab()
    set_setting("ipv4/ip_forward", "0")
    return lab


def start_program(mode, *words, **env):
    return subprocess.Popen([os.path.join(TREE, "build/tests/network-" + mode), *words, "state=" + STATE, "run=" + RUN],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            env=dict(os.environ, **{k: str(v) for k, v in env.items()}))


def run(mode, *words, expect=0, **env):
    process = start_program(mode, *words, **env)
    output = process.communicate()[0].decode()
    assert process.returncode == expect, "%s ends with %s: %s" % (" ".join(words), process.returncode, output)
    return output


def servers():
    """The processes of our dnsmasq."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open("/proc/%s/cmdline" % entry, "rb") as f:
                if ("--conf-file=%s/nat/dnsmasq.conf" % RUN).encode() in f.read().split(b"\0"):
                    found.append(int(entry))
        except (OSError, ValueError):
            pass
    return found


def end_servers():
    for pid in servers():
        os.kill(pid, signal.SIGKILL)



def state():
    """All that a start and a stop must restore."""
    found = lab.state()
    found["forward"] = open("/proc/sys/net/ipv4/ip_forward").read().strip()
    found["forward6"] = open("/proc/sys/net/ipv6/conf/all/forwarding").read().strip()
    found["rules"] = tables()
    found["servers"] = len(servers())
    found["files"] = sorted(os.listdir(RUN)) if os.path.isdir(RUN) else []
    for link in found["links"].values():
        link.pop("ifindex", None)   # a bridge that was deleted and made again may have another
    return found


def tables():
    """The packet filter's rules, without counters and handles."""
    text = subprocess.run(["nft", "-j", "list", "ruleset"], capture_output=True, check=True).stdout

    def clean(thing):
        if isinstance(thing, dict):
            return {k: clean(v) for k, v in thing.items() if k not in ("handle", "packets", "bytes", "metainfo")}
        return [clean(x) for x in thing] if isinstance(thing, list) else thing
    return [x for x in clean(json.loads(text)["nftables"]) if x != {}]


def quiet():
    return labs.no_transaction(STATE)


def same(before, what="", limit=5):
    """The same, at the latest after some seconds: the kernel takes IPv6 addresses of a link away in its own time."""
    end = time.time() + limit
    while True:
        now = state()
        different = [key for key in before if now[key] != before[key]]
        if not different:
            return
        if time.time() > end:
            raise AssertionError("\n".join("%s%s was\n%r\nis\n%r" % (what, key, before[key], now[key]) for key in different))
        time.sleep(0.05)


@cases.add("start and stop of both modes, twice each")
def start_and_stop():
    fresh()
    before = state()
    assert "virbr0 has 192.168.122.1/24" in run("nat", "start")
    assert lab.addresses("virbr0")[0] == "192.168.122.1/24"
    assert len(servers()) == 1 and tables() and state()["forward"] == "1"
    on = state()
    assert "Nothing is to be done" in run("nat", "plan")
    run("nat", "start")
    same(on)
    assert "IP forwarding is on" in run("route", "start")
    run("nat", "stop")
    assert state()["forward"] == "1" and not servers() and "virbr0" not in lab.links()
    run("route", "stop")
    same(before)
    assert "off" in run("nat", "stop") and "off" in run("route", "status")
    same(before)


@cases.add("the plan says what will be done, and that the gateway is asked")
def plan():
    fresh()
    text = run("nat", "plan", "details=yes")
    for words in ("bridge virbr0 is made", "virbr0 gets the address 192.168.122.1/24", "table inet hospes is added",
                  "IP forwarding is needed by nat mode", "dnsmasq is started on virbr0", "10.0.0.1"):
        assert words in text, (words, text)
    run("nat", "start")
    text = run("nat", "plan", "stop", "details=yes")
    order = [text.index(words) for words in ("dnsmasq is ended", "no longer needed", "inet hospes is deleted",
                                             "loses the address", "virbr0 is deleted")]
    assert order == sorted(order), text
    run("nat", "stop")


def kill_everywhere(mode, word, *words):
    fresh()
    opened = lab.connect("10.0.0.2")
    if word == "stop":
        run(mode, "start", *words)
    before = state()
    point = 0
    while True:
        process = start_program(mode, word, *words, DIE_AT=point)
        output = process.communicate()[0].decode()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, output
        lab.wait_for(quiet, 15)
        same(before, "killed at point %d: " % point)
        point += 1
    assert point >= (12 if mode == "nat" else 4), "only %d points" % point
    print("# killed at %d points" % point)
    assert lab.talks(opened)
    run(mode, "stop", *words)


for word in ("start", "stop"):
    cases.add("network-nat with IPv6: SIGKILL at every point of %s: as before by itself" % word, "nat", word,
              "network6=fd00:122::1/64")(kill_everywhere)
for mode in ("nat", "route"):
    for word in ("start", "stop"):
        cases.add("network-%s: SIGKILL at every point of %s: as before by itself" % (mode, word), mode, word)(kill_everywhere)


@cases.add("the program and its watchdog are killed at once: the next run rolls back")
def both_die():
    fresh()
    before = state()
    for point in (4, 8, 12):
        process = start_program("nat", "start", STOP_AT=point)
        os.waitpid(process.pid, os.WUNTRACED)
        with open("/proc/%d/task/%d/children" % (process.pid, process.pid)) as f:
            dogs = [int(pid) for pid in f.read().split()]
        for pid in dogs + [process.pid]:
            os.kill(pid, signal.SIGKILL)
        process.wait()
        time.sleep(0.3)
        assert os.path.exists(STATE + "/journal")
        assert "Rolled back: NAT mode" in run("nat", "recover")
        same(before, "stopped at point %d: " % point)


@cases.add("a gateway that does not answer any more: everything is rolled back")
def silent_gateway():
    fresh()
    before = state()
    process = start_program("nat", "start", "wait=3", STOP_AT=10)
    os.waitpid(process.pid, os.WUNTRACED)
    lab.at_there("link", "set", "e0", "arp", "off")
    while True:
        os.kill(process.pid, signal.SIGCONT)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            break
    process.returncode = os.waitstatus_to_exitcode(status)
    output = process.communicate()[0].decode()
    assert process.returncode == 1 and "10.0.0.1 answered before" in output and "rolled back" in output, output
    lab.at_there("link", "set", "e0", "arp", "on")
    same(before)


@cases.add("a server that cannot start: everything is rolled back, with its own words")
def no_server():
    fresh()
    before = state()
    os.makedirs(RUN + "/nat")
    with open(RUN + "/nat/hosts", "w"):
        pass
    os.mkdir(RUN + "/nat/leases")   # no file can be written there
    output = run("nat", "start", expect=1)
    assert "dnsmasq does not start" in output and "rolled back" in output, output
    subprocess.run(["rm", "-rf", RUN + "/nat"], check=True)
    same(before)


@cases.add("somebody else's virbr0 is used as it is, and stays")
def foreign_bridge():
    fresh()
    lab.ip("link", "add", "virbr0", "type", "bridge")
    lab.ip("link", "set", "virbr0", "up")
    before = state()
    run("nat", "start")
    assert "192.168.122.1/24" in lab.addresses("virbr0")
    run("nat", "stop")
    same(before)


if __name__ == "__main__":
    try:
        code = cases.main()
    finally:
        end_servers()
        shutil.rmtree(WORK, ignore_errors=True)
    sys.exit(code)
