#!/usr/bin/env python3
"""Run TAP programs, print what failed, and close with 'N passed, N failed'."""
import concurrent.futures
import os
import subprocess
import sys


def run(path):
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:allocator_may_return_null=1")
    try:
        p = subprocess.run([path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=600, env=env, stdin=subprocess.DEVNULL)
        return path, p.returncode, p.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        return path, 124, (e.stdout or b"").decode(errors="replace") + "\n# timed out"


passed = failed = 0
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for path, rc, out in pool.map(run, sys.argv[1:]):
        lines = out.splitlines()
        ok = sum(l.startswith("ok ") for l in lines)
        bad = sum(l.startswith("not ok ") for l in lines)
        plan = next((int(l[3:]) for l in lines if l.startswith("1..")), -1)
        if rc != 0 and bad == 0 or plan != ok + bad:
            bad += 1
            print(f"{path}: exit {rc}, {ok + bad} of {plan} cases ran")
        if bad:
            print(f"--- {path}\n{out}")
        passed += ok
        failed += bad
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
