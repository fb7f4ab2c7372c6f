#!/usr/bin/env python3
"""Run the checks, several at a time; print what they found and 'N passed, N failed'.

Checks may be named: make check CHECKS="format layers". Every one is a command that prints
what is wrong and exits with a status other than 0.
"""
import argparse
import concurrent.futures
import os
import pathlib
import signal
import subprocess
import sys
import time

PY = [sys.executable]


def make(*words):
    return ["make", "--no-print-directory", "-s", *words]


# The long ones first, so that the short ones fill the gaps.
CHECKS = {
    "tidy": PY + ["tools/check-tidy.py"],
    # What is asked of clang is whether it builds without a remark: nobody will debug it.
    "clang": make("CC=clang", "WERROR=1", "CFLAGS=-O2", "B=build/check/clang", "all"),
    "gcc": make("CC=gcc", "remarks"),
    "cppcheck": ["tools/check-cppcheck.sh"],
    "headers": PY + ["tools/check-headers.py"],
    "format": ["tools/check-format.sh"],
    "layers": PY + ["tools/check-layers.py"],
    "source": PY + ["tools/check-source.py"],
    "secrets": PY + ["tools/check-secrets.py"],
    "links": PY + ["tools/check-links.py"],
}
# These look at what gcc built.
AFTER_GCC = {
    "names": PY + ["tools/check-names.py", "build/lib"],
    "docs": PY + ["tools/check-docs.py", "build/maya"],
}


def run(name, command):
    began = time.monotonic()
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
                       stdin=subprocess.DEVNULL)
    return name, p.returncode, p.stdout.decode(errors="replace"), time.monotonic() - began


def main():
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C does not wait for all that is queued
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-j", type=int, default=os.cpu_count() or 2)
    parser.add_argument("check", nargs="*")
    args = parser.parse_args()
    os.chdir(pathlib.Path(__file__).resolve().parent.parent)
    unknown = set(args.check) - CHECKS.keys() - AFTER_GCC.keys()
    if unknown:
        sys.exit(f"no such check: {', '.join(sorted(unknown))}; "
                 f"there are {' '.join([*CHECKS, *AFTER_GCC])}")

    def wanted(table):
        return {n: c for n, c in table.items() if not args.check or n in args.check}

    first, then = wanted(CHECKS), wanted(AFTER_GCC)
    if then:
        first["gcc"] = CHECKS["gcc"]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.j) as pool:
        running = {pool.submit(run, n, c) for n, c in first.items()}
        while running:
            done, running = concurrent.futures.wait(running, return_when="FIRST_COMPLETED")
            for job in done:
                name, status, out, took = job.result()
                print(f"{'ok  ' if status == 0 else 'FAIL'} {name} ({took:.1f} s)", flush=True)
                if out.strip() and (status or name == "source"):
                    print("    " + out.strip().replace("\n", "\n    "), flush=True)
                passed += status == 0
                failed += status != 0
                if name == "gcc":
                    running |= {pool.submit(run, n, c) for n, c in then.items()}
    print(f"{passed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
