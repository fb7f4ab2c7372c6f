#!/usr/bin/env python3
"""Run TAP programs, print what failed, and close with 'N passed, N failed'.

An argument is one program, perhaps with its own arguments behind it, separated by spaces.
"""
import concurrent.futures
import os
import subprocess
import sys

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1:abort_on_error=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


def run(program):
    try:
        p = subprocess.run(program.split(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=600, env=dict(os.environ, **SANITIZERS),
                           stdin=subprocess.DEVNULL)
        return program, p.returncode, p.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        return program, 124, (e.stdout or b"").decode(errors="replace") + "\n# timed out"
    except OSError as e:
        return program, 127, f"# {e}"


def main():
    passed = failed = skipped = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for program, status, out in pool.map(run, sys.argv[1:]):
            lines = out.splitlines()
            skip = sum(l.startswith("ok ") and "# skip" in l.lower() for l in lines)
            ok = sum(l.startswith("ok ") for l in lines) - skip
            bad = sum(l.startswith("not ok ") for l in lines)
            plan = next((int(l[3:]) for l in lines if l.startswith("1..")), -1)
            ran = ok + bad + skip
            if (status != 0 and bad == 0) or plan != ran:
                bad += 1
                print(f"{program}: exit {status}, {ran} of {plan} cases ran")
            if bad:
                print(f"--- {program}\n{out}")
            passed += ok
            failed += bad
            skipped += skip
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return failed != 0


sys.exit(main())
