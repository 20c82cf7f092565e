"""A wire between two machines, made of network namespaces: "here" is the machine under test, "there" a neighbour that
is also its gateway. Everything is asked of the kernel through `ip -json`."""

import ctypes
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(TREE, "tests"))

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _call(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), "%s: %s" % (what, os.strerror(ctypes.get_errno())))


def _new_namespace():
    _call(_libc.unshare(CLONE_NEWNET), "unshare")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def impossible():
    """Why no lab can be made here, or None."""
    if shutil.which("ip") is None:
        return "no ip command (iproute2)"
    child = subprocess.run(["unshare", "-n", "true"], capture_output=True)
    return None if child.returncode == 0 else "no network namespaces: " + child.stderr.decode().strip()


def no_transaction(folder):
    """No transaction of this folder of journals is going on: whoever held the lock has gone, and so has the journal."""
    with open(os.path.join(folder, "lock"), "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return not os.path.exists(os.path.join(folder, "journal"))


class Lab:
    """eth0 here (10.0.0.2, fd00::2), e0 there (10.0.0.1, fd00::1, the gateway), with an echo server on each side."""

    PORT = 7777

    def __init__(self, detection=False):
        """detection: duplicate address detection, which holds IPv6 addresses back for two seconds."""
        self.there = _new_namespace()
        self.here = _new_namespace()    # the process stays here
        self.at_there("link", "set", "lo", "up")
        if not detection:
            set_setting("ipv6/conf/default/accept_dad", "0")
        self.ip("link", "set", "lo", "up")
        self.add_wire("eth0", "e0")
        for command in (("addr", "add", "10.0.0.1/24", "dev", "e0"), ("addr", "add", "fd00::1/64", "dev", "e0", "nodad")):
            self.at_there(*command)
        for command in (
                ("link", "set", "eth0", "address", "02:00:00:00:00:02"), ("link", "set", "eth0", "up"),
                ("addr", "add", "10.0.0.2/24", "dev", "eth0"), ("addr", "add", "10.0.0.22/24", "dev", "eth0"),
                ("-6", "addr", "add", "fd00::2/64", "dev", "eth0", "nodad"),
                ("route", "add", "default", "via", "10.0.0.1"), ("-6", "route", "add", "default", "via", "fd00::1")):
            self.ip(*command)
        self.serve(self.there)
        self.serve(self.here)
        self.settle()

    def settle(self):
        """Wait until every interface that is up has its link-local address, which is no longer being examined, and every
        IPv6 address its route: the kernel makes that one some time later."""
        def settled():
            routes = {route["dst"] for route in self.ip_json("-6", "route", "show", "table", "local")}
            for link in self.ip_json("addr", "show"):
                ready = "UP" in link["flags"] and "LOWER_UP" in link["flags"] and "LOOPBACK" not in link["flags"]
                six = [a for a in link["addr_info"] if a["family"] == "inet6"]
                if ready and "master" not in link and (not six or any(a.get("tentative") or a["local"] not in routes
                                                                      for a in six)):
                    return False
            return True
        self.wait_for(settled, 10)

    def add_wire(self, name, other):
        """A cable between an interface here and one there, which is up."""
        self.ip("link", "add", "name", name, "type", "veth", "peer", "name", other)
        helper = subprocess.Popen(["nsenter", "--net=/proc/self/fd/%d" % self.there, "sleep", "600"],
                                  pass_fds=[self.there])
        try:
            self.wait_for(lambda: os.readlink("/proc/%d/ns/net" % helper.pid) !=
                          os.readlink("/proc/thread-self/ns/net"), 5)
            self.ip("link", "set", other, "netns", str(helper.pid))
        finally:
            helper.kill()
            helper.wait()
        self.at_there("link", "set", other, "up")

    @contextmanager
    def inside(self, namespace):
        """This thread works in the other namespace for a moment."""
        back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        _call(_libc.setns(namespace, CLONE_NEWNET), "setns")
        try:
            yield
        finally:
            _call(_libc.setns(back, CLONE_NEWNET), "setns")
            os.close(back)

    def ip(self, *words):
        done = subprocess.run(["ip", *words], capture_output=True)
        if done.returncode != 0:
            raise AssertionError("ip %s: %s" % (" ".join(words), done.stderr.decode().strip()))
        return done.stdout.decode()

    def at_there(self, *words):
        with self.inside(self.there):
            return self.ip(*words)

    def ip_json(self, *words):
        return json.loads(self.ip("-json", "-details", *words) or "[]")

    def links(self):
        return {link["ifname"]: link for link in self.ip_json("link", "show")}

    def addresses(self, name, flags=False):
        """["10.0.0.2/24", ...] in the kernel's order; with flags a set of words for each."""
        found = self.ip_json("addr", "show", "dev", name)[0]["addr_info"]
        if flags:
            return [{key for key, value in a.items() if value is True} for a in found]
        return ["%s/%d" % (a["local"], a["prefixlen"]) for a in found]

    def state(self):
        """All that a start and a stop must restore exactly. What counts by itself is left out."""
        def clean(thing):
            if isinstance(thing, dict):
                if "UP" not in thing.get("flags", ["UP"]):
                    thing.pop("qdisc", None)    # one that was never up has none yet
                return {k: clean(v) for k, v in thing.items()
                        if k not in ("valid_life_time", "preferred_life_time", "expires", "stats64", "addrgenmode", "gso_max_size",
                                     "gso_ipv4_max_size", "tso_max_size", "carrier_changes", "refcnt", "used", "updated", "operstate",
                                     "state", "probes", "linkmode", "proto_down", "gc_timer", "hello_timer", "tcn_timer",
                                     "topology_change_timer")}
            if isinstance(thing, list):
                return [clean(x) for x in thing]
            return thing

        def ordered(things):
            return sorted((clean(x) for x in things), key=lambda x: json.dumps(x, sort_keys=True))
        return {
            "links": {x["ifname"]: clean(x) for x in self.ip_json("addr", "show")},
            "routes": ordered(self.ip_json("route", "show", "table", "all")),
            "routes6": ordered(self.ip_json("-6", "route", "show", "table", "all")),
            "rules": ordered(self.ip_json("rule", "show")),
            "neighbours": ordered(self.ip_json("neigh", "show", "nud", "permanent")),
            "settings": {name: settings(name) for name in os.listdir("/proc/sys/net/ipv4/conf")},
        }

    def serve(self, namespace):
        """An echo server for IPv4 and IPv6 in that namespace."""
        with self.inside(namespace):
            server = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("::", self.PORT))
        server.listen(64)

        def echo(client):
            with client:
                while True:
                    data = client.recv(4096)
                    if not data:
                        return
                    client.sendall(data)

        def accept():
            while True:
                client, _ = server.accept()
                threading.Thread(target=echo, args=(client,), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()

    def connect(self, address, namespace=None, limit=5):
        """A connection from there to here (or the other way round, with namespace=self.here)."""
        end = time.time() + limit
        while True:
            with self.inside(self.there if namespace is None else namespace):
                s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
            s.settimeout(0.5)
            try:
                s.connect((address, self.PORT))
                # The kernel waits a second and more before it says a thing again: long enough to hide a quick recovery.
                s.settimeout(limit)
                return s
            except OSError:
                s.close()
                if time.time() > end:
                    raise

    @staticmethod
    def talks(connection, limit=10):
        """Does an open connection still carry what is said?"""
        word = os.urandom(8)
        connection.settimeout(limit)
        connection.sendall(word)
        got = b""
        while len(got) < len(word):
            more = connection.recv(len(word) - len(got))
            if not more:
                return False
            got += more
        return got == word

    @staticmethod
    def wait_for(condition, limit):
        end = time.time() + limit
        while not condition():
            if time.time() > end:
                raise AssertionError("did not happen in %s s" % limit)
            time.sleep(0.01)


def settings(name):
    """What /proc/sys/net says of an interface."""
    found = {}
    for group in ("ipv4/conf", "ipv6/conf", "ipv4/neigh", "ipv6/neigh"):
        folder = "/proc/sys/net/%s/%s" % (group, name)
        for entry in os.listdir(folder) if os.path.isdir(folder) else []:
            try:
                with open(os.path.join(folder, entry)) as f:
                    found[group + "/" + entry] = f.read().strip()
            except OSError:
                pass
    return found


def set_setting(path, value):
    with open("/proc/sys/net/" + path, "w") as f:
        f.write(value)
