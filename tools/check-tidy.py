#!/usr/bin/env python3
"""clang-tidy (.clang-tidy) without a remark, over every .c file of src/.

What passed is remembered in build/check/tidy/ by a hash of the preprocessed text, so that
only what changed is looked at again.
"""
import concurrent.futures
import hashlib
import os
import pathlib
import shlex
import signal
import subprocess
import sys


def flags():
    out = subprocess.run(["pkg-config", "--cflags", "libuv", "sqlite3", "libsodium", "jansson",
                          "yaml-0.1", "libcurl", "espeak-ng", "libopusenc"], capture_output=True, text=True)
    return ["-std=c11", "-D_GNU_SOURCE", '-DMAYA_VERSION="0"', '-DMAYA_PREFIX="/"', "-Isrc",
            *shlex.split(out.stdout)]


def check(path, extra, salt, cache):
    text = subprocess.run(["clang", *extra, "-E", "-P", "-C", str(path)], capture_output=True)
    if text.returncode:
        return text.stderr.decode()
    seen = cache / hashlib.sha256(salt + text.stdout).hexdigest()
    if seen.exists():
        return ""
    p = subprocess.run(["clang-tidy", "--quiet", str(path), "--", *extra], text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if p.returncode or "warning:" in p.stdout or "error:" in p.stdout:
        return p.stdout
    seen.touch()
    return ""


def main():
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C does not wait for all that is queued
    os.chdir(pathlib.Path(__file__).resolve().parent.parent)
    cache = pathlib.Path("build/check/tidy")
    cache.mkdir(parents=True, exist_ok=True)
    extra = flags()
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True).stdout
    salt = pathlib.Path(".clang-tidy").read_bytes() + version + " ".join(extra).encode()
    # The biggest first: the last one to finish should be a small one.
    files = sorted(pathlib.Path("src").rglob("*.c"), key=lambda f: -f.stat().st_size)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [t for t in pool.map(lambda f: check(f, extra, salt, cache), files) if t.strip()]
    # What stands in a header is told once and not for every file that includes it.
    print("\n".join(dict.fromkeys(line for t in found for line in t.splitlines()
                                  if ": error: " in line or ": warning: " in line)))
    return bool(found)


sys.exit(main())
