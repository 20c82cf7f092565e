"""Someone at the other end of the wire who types into a session of Domain 0 and waits for the echo, again and again: what
the tests of networks look at to say that nobody was cut off.

    overlay = ssh_overlay(directory)            # Domain 0's side: dropbear with a key, for the small image's root
    session = Ssh(port, directory)              # a real ssh through QEMU's forwarded port, with `cat` at its end
    session.lives()                             # what is typed from now on is answered

A session that breaks says why at the next lives()."""

import os
import re
import shutil
import subprocess
import threading
import time

from vm import die_with_parent, slowness

# In Domain 0, whatever it is: dropbear makes its own keys.
START_SSH = "mkdir -p /etc/dropbear && chmod 700 /root /root/.ssh && dropbear -R -p 22"


class Session:
    """A word every tenth of a second, over send() and receive() of a class below."""

    def __init__(self):
        self.answered, self.worst, self.broken, self.last = 0, 0.0, None, time.time()
        threading.Thread(target=self._type, daemon=True).start()

    def _type(self):
        try:
            while True:
                word = os.urandom(8).hex().encode() + b"\n"
                sent = time.time()
                self.send(word)
                got = b""
                while len(got) < len(word):
                    more = self.receive()
                    if not more:
                        raise OSError("the connection was closed; " + self.why())
                    got += more
                if got != word:
                    raise OSError("%r came back as %r" % (word, got))
                self.answered += 1
                self.last = time.time()
                self.worst = max(self.worst, self.last - sent)
                time.sleep(0.1)
        except (OSError, ValueError) as reason:
            self.broken = reason

    def lives(self, limit=30):
        """Is what is typed from now on answered?"""
        before, end = self.answered, time.time() + limit * slowness()
        while self.answered < before + 2:
            assert self.broken is None, "the session is broken: %s" % self.broken
            assert time.time() < end, "no answer for %.0f s; %s" % (time.time() - self.last, self.why())
            time.sleep(0.05)

    def gap(self):
        """The longest wait for an answer since the last question of this kind."""
        worst, self.worst = self.worst, 0.0
        return worst

    def why(self):
        return ""


def ssh_words(port, directory):
    """The command line of ssh into Domain 0, before the command."""
    return ["ssh", "-F", "/dev/null", "-p", str(port), "-i", directory + "/key", "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
            "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=%d" % (60 * slowness()), "root@127.0.0.1"]


class Ssh(Session):
    """A login of ssh, without anything that would keep a broken connection alive or open it again."""

    def __init__(self, port, directory):
        self.errors = open(directory + "/ssh.errors", "w+")
        self.process = subprocess.Popen(ssh_words(port, directory) + ["cat"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors, bufsize=0,
                                        preexec_fn=die_with_parent)
        super().__init__()

    def send(self, data):
        self.process.stdin.write(data)

    def receive(self):
        return os.read(self.process.stdout.fileno(), 64)

    def why(self):
        self.errors.seek(0)
        return "ssh says: " + (self.errors.read().strip() or "nothing")

    def end(self):
        self.process.kill()
        self.process.wait()


def add_program(root, program, place=None, libraries="."):
    """A program of this machine and those of its libraries that match, into an overlay."""
    path = program if "/" in program else shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
    listed = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
    files = [(path, place or path)]
    for library in re.findall(r"(/\S+) \(0x", listed):
        if re.search("/" + libraries, library):
            files.append((library, re.sub("^/(lib64|lib)/", "/usr/lib/", library)))
    for file, inside in files:
        os.makedirs(os.path.dirname(root + inside), exist_ok=True)
        shutil.copy(file, root + inside)


def ssh_overlay(root, directory, program=True):
    """Domain 0's side, into an overlay: a key (its other half stays in `directory`) and dropbear."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory + "/key"], check=True)
    os.makedirs(root + "/root/.ssh", mode=0o700, exist_ok=True)
    shutil.copy(directory + "/key.pub", root + "/root/.ssh/authorized_keys")
    os.chmod(root + "/root/.ssh/authorized_keys", 0o600)
    if program:
        add_program(root, "dropbear")
