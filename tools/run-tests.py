#!/usr/bin/env python3
"""Run every stage of the tests; print one line a stage, all of what failed, and the sum.

Full output is kept in build/logs/<stage>.log. The last line is 'N passed, N failed'; the exit
status is not 0 when anything failed. Stages may be named: tools/run-tests.py unit check
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import time

SAN = "SAN=address,undefined"
# name, what it is, targets and variables for make, most seconds it may take
STAGES = [
    ("build", "build", ["all"], 600),
    ("unit", "unit tests", ["test-unit"], 600),
    ("e2e", "end to end", ["test-e2e"], 1800),
    ("unit-san", "unit tests, sanitized", [SAN, "test-unit"], 900),
    ("fuzz-san", "stored fuzz inputs, sanitized", [SAN, "test-fuzz"], 600),
    ("e2e-san", "end to end, sanitized", [SAN, "test-e2e"], 1800),
    ("check", "checks", ["check"], 900),
]
COUNT = re.compile(r"(\d+) (passed|failed|error|errors|skipped|deselected)\b")


def counts(text):
    """The numbers of the last line that tells some, of our own tools or of pytest."""
    for line in reversed(text.splitlines()):
        found = {what: int(n) for n, what in COUNT.findall(line)}
        if found.keys() & {"passed", "failed", "error", "errors"}:
            bad = sum(found.get(w, 0) for w in ("failed", "error", "errors"))
            return found.get("passed", 0), bad, found.get("skipped", 0)
    return 0, 0, 0


def run(command, log, limit):
    """Exit status and output of one stage, which is also written to `log` as it comes."""
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    with open(log, "wb") as out:
        p = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=env,
                             stdin=subprocess.DEVNULL)
        try:
            status = p.wait(limit)
        except subprocess.TimeoutExpired:
            p.terminate()
            p.wait()
            out.write(f"\nstopped after {limit} s\n".encode())
            status = 124
    return status, log.read_text(errors="replace")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-j", type=int, default=os.cpu_count() or 2)
    parser.add_argument("stage", nargs="*", help=", ".join(s[0] for s in STAGES))
    args = parser.parse_args()
    root = pathlib.Path(__file__).resolve().parent.parent
    os.chdir(root)
    logs = pathlib.Path("build/logs")
    logs.mkdir(parents=True, exist_ok=True)

    total_passed = total_failed = 0
    for name, title, make, limit in STAGES:
        if args.stage and name not in args.stage:
            continue
        log = logs / f"{name}.log"
        began = time.monotonic()
        status, text = run(["make", f"-j{args.j}", *make], log, limit)
        passed, failed, skipped = counts(text) if name != "build" else (0, 0, 0)
        if status != 0 and failed == 0:
            failed = 1
        took = time.monotonic() - began
        told = "done" if name == "build" and not failed else f"{passed} passed, {failed} failed"
        if skipped:
            told += f", {skipped} skipped"
        if failed:
            print(f"---- {title}: {log}")
            print("\n".join(text.splitlines()[-200:]))
        print(f"{title + ':':31} {told} ({took:.0f} s)", flush=True)
        total_passed += passed
        total_failed += failed
        if name == "build" and failed:
            break
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed else 0


sys.exit(main())
