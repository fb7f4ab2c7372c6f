#!/usr/bin/env python3
"""Run every stage of the tests; print one line a stage, all of what failed, and the sum.

Two stages run at a time. Those that test the running program wait most of the time, and what the
others compile and analyse, at a lower priority, fills the gaps. Lines come in the table's order.

Tests of the running program share two cores with all of that, and what they talk with (browsers,
engines) is stopped for seconds. When so few fail that this can be the reason, their files run once
more in the end, alone, and the run says which failed at first: look at them, for it may be a fault
that shows under load alone. A crash or a sanitizer's report always counts.

Full output is kept in build/logs/<stage>.log. The last line is 'N passed, N failed'; the exit
status is not 0 when anything failed. Stages may be named: tools/run-tests.py unit check
"""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

SAN = "SAN=address,undefined"
LONGEST_S, LONGEST_STOP_S = 1800, 60
# name, what it is, targets and variables for make, stages that must be over before (since they
# make what it needs, or write into the same folder), whether it yields to the others
STAGES = [
    ("build", "build", ["all"], [], False),
    ("unit", "unit tests", ["test-unit"], ["build"], False),
    ("unit-san", "unit tests, sanitized", [SAN, "test-unit"], ["build"], True),
    ("fuzz-san", "stored fuzz inputs, sanitized", [SAN, "test-fuzz"], ["unit-san"], True),
    ("e2e", "end to end", ["test-e2e"], ["unit"], False),
    ("e2e-san", "end to end, sanitized", [SAN, "test-e2e"], ["e2e", "fuzz-san"], False),
    ("check", "checks", ["check"], ["fuzz-san", "unit"], True),
    ("people", "a thousand people", ["test-people"], ["e2e-san"], False),
]
# Of these a file that failed may run again, where so few tests failed, and not by such a report.
AGAIN, AGAIN_MAX = ("e2e", "e2e-san"), 2
REPORT = re.compile(r"(Address|Leak)Sanitizer|runtime error:|maya: bug:|died of signal")
FAILED = re.compile(r"^(?:FAILED|ERROR) ((test/e2e/\w+\.py)::.*?)(?: - .*)?$", re.MULTILINE)
COUNT = re.compile(r"(\d+) (passed|failed|error|errors|skipped|deselected)\b")


def counts(text):
    """The numbers of the last line that tells some, of our own tools or of pytest."""
    for line in reversed(text.splitlines()):
        found = {what: int(n) for n, what in COUNT.findall(line)}
        if found.keys() & {"passed", "failed", "error", "errors"}:
            bad = sum(found.get(w, 0) for w in ("failed", "error", "errors"))
            return found.get("passed", 0), bad, found.get("skipped", 0)
    return 0, 0, 0


class Stage:
    """One row of the table, run in a thread of its own when what it needs is over."""
    stopped = threading.Event()

    def __init__(self, row, jobs, before):
        self.name, self.title, self.make, needs, yields = row
        self.command = [*(["nice", "-n", "19"] if yields else []), "make", f"-j{jobs}", *self.make]
        self.log = pathlib.Path(f"build/logs/{self.name}.log")
        self.needs = [before[n] for n in needs if n in before]
        self.process, self.status, self.text, self.took = None, None, "", 0
        self.thread = threading.Thread(target=self.run)

    def run(self):
        for stage in self.needs:
            stage.thread.join()
        # Without a build nothing works; what else failed keeps no other from being tested.
        if self.stopped.is_set() or any(
                s.status is None or (s.name == "build" and s.status) for s in self.needs):
            return
        began = time.monotonic()
        env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(self.command, stdout=out, stderr=subprocess.STDOUT,
                                            env=env, stdin=subprocess.DEVNULL, process_group=0)
            if self.stopped.is_set():
                self.stop()
            try:
                self.status = self.process.wait(LONGEST_S)
            except subprocess.TimeoutExpired:
                self.stop()
                out.write(f"\nstopped after {LONGEST_S} s\n".encode())
                self.status = 124
        self.text = self.log.read_text(errors="replace")
        self.took = time.monotonic() - began

    def stop(self):
        """As Ctrl-C would, for all that it started: tests end what they run."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            try:
                self.process.wait(LONGEST_STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def result(self):
        """Wait for it and print its line; how many passed and failed."""
        self.thread.join()
        if self.status is None:
            print(f"{self.title + ':':31} not run", flush=True)
            return 0, 0
        passed, failed, skipped = counts(self.text) if self.name != "build" else (0, 0, 0)
        if self.status != 0 and failed == 0:
            failed = 1
        told = "done" if self.name == "build" and not failed else f"{passed} passed, {failed} failed"
        if skipped:
            told += f", {skipped} skipped"
        if failed:
            print(f"---- {self.title}: {self.log}")
            print("\n".join(self.text.splitlines()[-200:]))
        print(f"{self.title + ':':31} {told} ({self.took:.0f} s)", flush=True)
        return passed, failed


def run_again(stages, jobs):
    """What failed under load, alone. How many tests that failed at first pass now."""
    failed = [(s, dict(FAILED.findall(s.text))) for s in stages.values()
              if s.name in AGAIN and s.status]
    if sum(len(tests) for _, tests in failed) > AGAIN_MAX or any(
            not tests or REPORT.search(s.text) for s, tests in failed):
        return 0
    passed = 0
    for stage, tests in failed:
        files = " ".join(sorted(set(tests.values())))
        row = (f"{stage.name}-again", f"{stage.title}, again", [*stage.make, f"E2E={files}",
               "WORKERS=1"], [], False)
        stages[row[0]] = one = Stage(row, jobs, {})
        one.thread.start()
        if one.result()[1] == 0:
            passed += counts(stage.text)[1]
            print(*(f"failed at first, passed alone: {name}" for name in tests), sep="\n")
    return passed


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-j", type=int, default=os.cpu_count() or 2)
    parser.add_argument("stage", nargs="*", help=", ".join(s[0] for s in STAGES))
    args = parser.parse_args()
    unknown = set(args.stage) - {s[0] for s in STAGES}
    if unknown:
        parser.error(f"no such stage: {', '.join(sorted(unknown))}")
    os.chdir(pathlib.Path(__file__).resolve().parent.parent)
    pathlib.Path("build/logs").mkdir(parents=True, exist_ok=True)

    stages = {}
    for row in STAGES:
        if not args.stage or row[0] in args.stage:
            stages[row[0]] = Stage(row, args.j, stages)
    for what in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores the first
        signal.signal(what, interrupted)
    total_passed = total_failed = 0
    try:
        for stage in stages.values():
            stage.thread.start()
        for stage in stages.values():
            passed, failed = stage.result()
            total_passed += passed
            total_failed += failed
        again = run_again(stages, args.j)
    except KeyboardInterrupt:
        Stage.stopped.set()
        for stage in stages.values():
            stage.stop()
        print("interrupted; what was said is in build/logs")
        return 130
    total_failed -= again
    print(f"{total_passed + again} passed, {total_failed} failed"
          + (f", {again} not at first" if again else ""))
    return 1 if total_failed else 0


sys.exit(main())
