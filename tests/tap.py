"""TAP (the Test Anything Protocol), both ways: parse() reads what a test program printed, Cases lets a Python test
print it. Four outcomes: success, failure, skip (with its reason), and error: the test itself could not do its work."""

import re
import sys
import time
import traceback

# A line may have the hypervisor's or a kernel's prefix: "(XEN) ", "(d0) ", "[    1.25] ".
_PREFIX = r"^(?:\([A-Za-z0-9]+\)\s*)?(?:\[[^\]]*\]\s*)?"
_RESULT = re.compile(_PREFIX + r"(not )?ok\b[ \t]*(\d+)?[ \t]*(?:-[ \t]*)?([^#\r\n]*)(#[ \t]*skip\b[^\r\n]*)?",
                     re.I | re.M)
_PLAN = re.compile(_PREFIX + r"1\.\.(\d+)\b", re.M)
_BAIL = re.compile(_PREFIX + r"Bail out!([^\r\n]*)", re.M)


class Results:
    """What a test program said: lists of (name, detail)."""

    def __init__(self):
        self.passed, self.failed, self.skipped = [], [], []

    def total(self):
        return len(self.passed) + len(self.failed) + len(self.skipped)


def parse(text):
    """Results of a whole output. A plan that was not fulfilled, or a bail-out, is one more failure. A program may
    print several plans, one for each of its groups: they add up."""
    results = Results()
    for match in _RESULT.finditer(text):
        name = match.group(3).strip() or "test %s" % match.group(2)
        if match.group(4):
            results.skipped.append((name, match.group(4).lstrip("# ")))
        elif match.group(1):
            results.failed.append((name, ""))
        else:
            results.passed.append((name, ""))
    planned = sum(int(match.group(1)) for match in _PLAN.finditer(text))
    if _PLAN.search(text) and planned != results.total():
        results.failed.append(("plan", "%d tests planned, %d reported" % (planned, results.total())))
    for match in _BAIL.finditer(text):
        results.failed.append(("bail-out", match.group(1).strip()))
    return results


class Skip(Exception):
    """Raised by a case that cannot be tried here; says why."""


class Cases:
    """The test cases of a Python program:

        cases = Cases()

        @cases.add("powers off")
        def power_off(): ...

        sys.exit(cases.main())

    An assertion or any other exception is a failure. Arguments of the program select cases whose names contain one
    of them; --list names them all."""

    def __init__(self):
        self.cases = []

    def add(self, name, *arguments):
        def register(function):
            self.cases.append((name, function, arguments))
            return function
        return register

    def main(self, argv=None):
        words = sys.argv[1:] if argv is None else argv
        if words == ["--list"]:
            print("\n".join(name for name, _, _ in self.cases))
            return 0
        chosen = [c for c in self.cases if not words or any(word in c[0] for word in words)]
        print("1..%d" % len(chosen), flush=True)
        failed = 0
        for number, (name, function, arguments) in enumerate(chosen, 1):
            start = time.time()
            try:
                function(*arguments)
                print("ok %d - %s" % (number, name))
            except Skip as reason:
                print("ok %d - %s # SKIP %s" % (number, name, reason))
            except Exception:  # whatever it is, it is this case's failure, and the next case still runs
                failed += 1
                print("not ok %d - %s" % (number, name))
                for line in traceback.format_exc().rstrip().split("\n"):
                    print("# " + line)
            print("# %.1f s" % (time.time() - start), flush=True)
        return 1 if failed else 0
