"""A memory cgroup of its own for one child process: limit, page cache, what is charged.

    with MemoryCgroup(96 * MIB) as group:
        child = subprocess.Popen([...], preexec_fn=group.enter)
        group.fill_page_cache(folder)      # to the limit, from within the group
        group.charged() / group.limit      # page cache counted
    # every process of it must have ended; the cgroup is removed

MemoryCgroup() raises CgroupUnavailable, with the reason, where such a cgroup cannot be made.
"""

import os
import re
import subprocess
import sys
import time

MIB = 1024 * 1024


class CgroupUnavailable(Exception):
    """Says in words why no memory cgroup can be made here."""


def _own_folder():
    """Folder of our own memory cgroup and whether it is v2."""
    try:
        with open("/proc/self/cgroup", encoding="ascii") as f:
            groups = [line.rstrip("\n").split(":", 2) for line in f]
        with open("/proc/self/mountinfo", encoding="utf-8") as f:
            mounts = [line.split() for line in f]
    except OSError as e:
        raise CgroupUnavailable(f"cgroups cannot be read: {e}") from e
    v1 = [path for _, names, path in groups if "memory" in names.split(",")]
    v2 = [path for number, names, path in groups if number == "0" and names == ""]
    for mount in mounts:
        dash = mount.index("-")
        kind, options = mount[dash + 1], mount[dash + 3].split(",")
        if v1 and not (kind == "cgroup" and "memory" in options):
            continue
        if not v1 and kind != "cgroup2":
            continue
        path = (v1 or v2 or ["/"])[0]
        root = mount[3].rstrip("/")
        below = path[len(root):] if path.startswith(root) else ""
        return mount[4] + below.rstrip("/"), not v1
    raise CgroupUnavailable("no memory cgroup is mounted")


class MemoryCgroup:
    def __init__(self, limit):
        self.limit = limit
        parent, self.v2 = _own_folder()
        self.path = os.path.join(parent, f"maya-test-{os.getpid()}-{id(self):x}")
        try:
            os.mkdir(self.path)
        except OSError as e:
            raise CgroupUnavailable(f"no right to make a cgroup: {e}") from e
        try:
            self.set_limit(limit)
        except OSError as e:
            os.rmdir(self.path)
            raise CgroupUnavailable(f"the new cgroup has no memory controller: {e}") from e

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def _write(self, name, value):
        with open(os.path.join(self.path, name), "w", encoding="ascii") as f:
            f.write(str(value))

    def read(self, name):
        with open(os.path.join(self.path, name), encoding="ascii") as f:
            return f.read()

    def set_limit(self, limit):
        self._write("memory.max" if self.v2 else "memory.limit_in_bytes", limit)
        self.limit = limit

    def enter(self):
        """Move the calling process in; made for preexec_fn."""
        self._write("cgroup.procs", os.getpid())

    def charged(self):
        """Bytes charged by the kernel, page cache counted."""
        return int(self.read("memory.current" if self.v2 else "memory.usage_in_bytes"))

    def oom_kills(self):
        text = self.read("memory.events" if self.v2 else "memory.oom_control")
        found = re.search(r"^oom_kill (\d+)$", text, re.M)
        return int(found.group(1)) if found else 0

    def fill_page_cache(self, folder, size=None):
        """Write `size` bytes (default: the limit) to a file on disk, from within the group.

        The file is gone when the writer has ended; its pages would go with it, so the writer is
        kept: returns it as a process that waits for its standard input to close.
        CgroupUnavailable when the folder is in memory, where files are no page cache.
        """
        kind = subprocess.check_output(["stat", "-f", "-c", "%T", str(folder)], text=True).strip()
        if kind in ("tmpfs", "ramfs"):
            raise CgroupUnavailable(f"{folder} is on {kind}, which has no page cache")
        code = (
            "import os, sys, tempfile\n"
            "f = tempfile.TemporaryFile(dir=sys.argv[1])\n"
            "block = b'x' * (1 << 20)\n"
            "for i in range(int(sys.argv[2]) >> 20):\n"
            "    f.write(block)\n"
            "    if i % 16 == 15: f.flush(); os.fdatasync(f.fileno())\n"
            "f.flush(); os.fdatasync(f.fileno())\n"
            "print('filled', flush=True)\n"
            "sys.stdin.read()\n"
        )
        return self._helper(code, "filled", str(folder), str(size or self.limit))

    def hold_memory(self, size):
        """Hold `size` bytes of anonymous memory in the group, in a process of its own."""
        code = (
            "import sys\n"
            "held = bytearray(b'x') * int(sys.argv[1])\n"
            "print('held', flush=True)\n"
            "sys.stdin.read()\n"
        )
        return self._helper(code, "held", str(size))

    def _helper(self, code, word, *args):
        child = subprocess.Popen(
            [sys.executable, "-S", "-c", code, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=self.enter,
        )
        line = child.stdout.readline().strip()
        if line != word:
            child.kill()
            child.communicate()
            raise RuntimeError(f"wanted '{word}', got '{line}' (status {child.returncode})")
        return child

    @staticmethod
    def let_go(child):
        """End what fill_page_cache() or hold_memory() returned."""
        child.communicate(timeout=60)

    def remove(self):
        """Remove the cgroup; it must be empty. The kernel may need a moment after an exit."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                os.rmdir(self.path)
                return
            except FileNotFoundError:
                return
            except OSError:
                os.sched_yield()
        raise RuntimeError(f"{self.path} is still in use by {self.read('cgroup.procs').split()}")
