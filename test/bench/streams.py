#!/usr/bin/env python3
"""What an idle event stream costs: open many at a Maya of its own, and compare its memory.

    test/bench/streams.py --maya build/maya --count 50000

Every stream watches a session of its own (--per-session N: N streams watch each). Bytes a
stream are the growth of the process (RSS), and of the kernel's part: what its memory cgroup was
charged beyond that, or half of what all slabs of the machine grew, whichever is more (kernels do
not charge every accepted socket, and both ends of a connection are alike). The readers are
outside of that cgroup. It is measured when every stream has had a heartbeat; then one message is
said in each of some sessions, and every reader must hear it.
"""
import argparse
import contextlib
import json
import os
import pathlib
import platform
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "e2e"))

from cgroup_helper import CgroupUnavailable, MemoryCgroup  # noqa: E402

READY = re.compile(r"^maya: listening on http://([^:/ ]+):(\d+)$")
PATH = "/api/v1/session/events"
PORTS_PER_ADDRESS = 20000
AT_ONCE = 256  # connections being opened
GIVE_UP_S = 120
IP_BIND_ADDRESS_NO_PORT = 24


def kb(path, field):
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def allow_files(count):
    """Raise our limit of open files; the server inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= count:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(hard, count)))
        return
    sys.exit(f"{count} files must be open at once, and this user may open {hard}: "
             f"ask for fewer streams, or raise the limit (ulimit -Hn)")


class Maya:
    def __init__(self, binary, folder, count, group):
        env = {"PATH": os.environ["PATH"], "MAYA_LOG_LEVEL": "warning",
               "MAYA_SESSION_RATE_LIMIT": "0", "MAYA_APP_RATE_LIMIT": "0",
               "MAYA_BURST_LIMIT": "0", "MAYA_DEFAULT_SESSION_MEMORY_MB": "1",
               "MAYA_SESSIONS_PER_CONTAINER": "1000", "MAYA_HEAD_TIMEOUT_SECONDS": "600",
               "MAYA_MAX_CONNECTIONS": str(count + 1000)}
        self.group = group
        with open(pathlib.Path(folder) / "maya.log", "ab") as log:
            self.process = subprocess.Popen(
                [binary, "serve", "--host", "127.0.0.1", "--port", "0", "--data-dir",
                 str(pathlib.Path(folder) / "data"), "--agent", str(ROOT / "agents/maya")],
                env=env, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True,
                preexec_fn=group.enter if group else None)
        self.pid = self.process.pid
        for line in self.process.stdout:
            if m := READY.match(line.rstrip("\n")):
                self.port = int(m[2])
                return
        sys.exit("maya did not start:\n" + (pathlib.Path(folder) / "maya.log").read_text())

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as r:
            m = re.search(rf"^{name} (\S+)$", r.read().decode(), re.M)
        return float(m[1])

    def say(self, session, text):
        body = json.dumps({"user_input": text}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/chat", body,
            {"X-Session-ID": session, "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as r:
            r.read()

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Bytes of the process, of its cgroup, and of the whole machine's kernel."""
        found = {"process": kb(f"/proc/{self.pid}/status", "VmRSS"),
                 "slab": kb("/proc/meminfo", "Slab")}
        if self.group:
            found["cgroup"] = self.group.charged()
            if not self.group.v2:  # v1 counts the buffers of sockets apart
                with contextlib.suppress(OSError):
                    found["cgroup"] += int(self.group.read("memory.kmem.tcp.usage_in_bytes"))
        return found

    def stop(self, readers):
        """Drain; seconds until it has ended."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        readers.leave()
        code = self.process.wait(GIVE_UP_S)
        if code:
            sys.exit(f"maya ended with {code}")
        return time.monotonic() - began


class Readers:
    """Many open streams, and what has come on each."""

    def __init__(self, port):
        self.port, self.poll = port, select.epoll()
        self.socks, self.heads, self.beats = {}, {}, set()
        self.told, self.lost = 0, 0

    def open(self, count, per_session):
        waiting, made = set(), 0
        while made < count or waiting:
            while made < count and len(waiting) < AT_ONCE:
                s = socket.socket()
                s.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                s.bind((f"127.0.0.{2 + made // PORTS_PER_ADDRESS}", 0))
                s.connect(("127.0.0.1", self.port))
                s.sendall(f"GET {PATH}?session_id=bench-stream-{made // per_session} HTTP/1.1\r\n"
                          f"Host: localhost\r\nUser-Agent: bench\r\n"
                          f"Accept: text/event-stream\r\n\r\n".encode())
                s.setblocking(False)
                self.socks[s.fileno()] = s
                self.heads[s.fileno()] = b""
                self.poll.register(s.fileno(), select.EPOLLIN)
                waiting.add(s.fileno())
                made += 1
            waiting -= self.read(GIVE_UP_S, "the streams' beginning")
            self.stop_if_lost("while the streams were opened")

    def read(self, wait_s, what):
        """Read what has come; returns those that have begun by it."""
        begun = set()
        ready = self.poll.poll(wait_s, 4096)
        if not ready and what:
            sys.exit(f"never came: {what}")
        for fd, _ in ready:
            data = self.socks[fd].recv(65536)
            if not data:
                self.poll.unregister(fd)
                self.lost += 1
                continue
            if fd in self.heads:
                head = self.heads[fd] = self.heads[fd] + data
                if b'"session"' in head:
                    if not head.startswith(b"HTTP/1.1 200 "):
                        sys.exit(f"refused: {head[:300]!r}")
                    begun.add(fd)
                    del self.heads[fd]
            elif data.startswith(b"3\r\n:\n\n"):
                self.beats.add(fd)
            self.told += data.count(b'"type": "turn"')
        return begun

    def until(self, says, what):
        end = time.monotonic() + GIVE_UP_S
        while not says():
            self.read(1, None)
            self.stop_if_lost(f"while waiting for {what}")
            if time.monotonic() > end:
                sys.exit(f"never came: {what}")

    def leave(self):
        """Read to the end, and close."""
        end = time.monotonic() + GIVE_UP_S
        while self.socks:
            for fd, _ in self.poll.poll(1, 4096):
                data = self.socks[fd].recv(65536)
                if not data or data.endswith(b"\r\n0\r\n\r\n"):
                    self.poll.unregister(fd)
                    self.socks.pop(fd).close()
            if time.monotonic() > end:
                sys.exit(f"{len(self.socks)} streams were not ended by the drain")

    def stop_if_lost(self, when):
        if self.lost:
            sys.exit(f"{self.lost} streams were closed {when}")


def measure(maya, count, per_session):
    readers = Readers(maya.port)
    before = maya.memory()
    began, cpu = time.monotonic(), maya.cpu_s()
    readers.open(count, per_session)
    found = {"count": count, "sessions": -(-count // per_session),
             "open_s": round(time.monotonic() - began, 2),
             "open_cpu_us": round((maya.cpu_s() - cpu) * 1e6 / count, 1)}
    readers.beats.clear()
    began, cpu = time.monotonic(), maya.cpu_s()
    readers.until(lambda: len(readers.beats) == count, "a heartbeat on every stream")
    held = time.monotonic() - began
    found["idle_cpu_percent"] = round((maya.cpu_s() - cpu) * 100 / held, 2)
    after = maya.memory()
    for part in after:
        found[f"{part}_bytes_each"] = round((after[part] - before[part]) / count, 1)
    kernel = max(found["slab_bytes_each"] / 2,
                 found.get("cgroup_bytes_each", 0) - found["process_bytes_each"])
    found["bytes_each"] = round(found["process_bytes_each"] + kernel, 1)
    said = min(100, found["sessions"])
    began = time.monotonic()
    for i in range(said):
        maya.say(f"bench-stream-{i}", "an ipa please")
    readers.until(lambda: readers.told == min(said * per_session, count), "the events of turns")
    found["said"], found["told"] = said, readers.told
    found["told_ms_each"] = round((time.monotonic() - began) * 1000 / said, 3)
    found["held"] = int(maya.metric("maya_http_streams"))
    if found["held"] != count:
        sys.exit(f"{count} streams were opened, and {found['held']} are held")
    return found, readers


def arguments(parser):
    parser.add_argument("--streams", type=int, default=50000,
                        help="streams: idle ones, or as many as the system allows to one process")


def rows(bench):
    """As a group of bench.py, in a process of its own."""
    from kit import Row
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = bench.args.streams
    count = wanted if most == resource.RLIM_INFINITY else min(wanted, most - 1500)
    done = subprocess.run([sys.executable, "-B", os.path.abspath(__file__), "--maya", bench.maya,
                           "--count", str(count), "--json"], stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    yield Row("idle event streams held", str(found["count"]), "", str(wanted),
              found["count"] >= wanted)
    yield Row("bytes of each, the kernel's included", f"{found['bytes_each']:.0f}",
              "about 25 KB (the best found elsewhere)", "10240", found["bytes_each"] <= 10240)
    yield Row("of it the process's own", f"{found['process_bytes_each']:.0f}")
    yield Row("CPU of all heartbeats, % of a core", f"{found['idle_cpu_percent']}")
    yield Row("all ended by a drain in, s", f"{found['drain_s']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--maya", default=str(ROOT / "build/maya"))
    parser.add_argument("--count", type=int, default=50000)
    parser.add_argument("--per-session", type=int, default=1, help="streams that watch one session")
    parser.add_argument("--json", action="store_true", help="figures only, as one JSON object")
    args = parser.parse_args()
    allow_files(args.count + 1000)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        group = None
        try:
            group = stack.enter_context(MemoryCgroup(4 << 30))
        except CgroupUnavailable as why:
            print(f"no cgroup of its own ({why}): the kernel's part is half of what all slabs of "
                  f"the machine grew", file=sys.stderr)
        maya = Maya(os.path.abspath(args.maya), folder, args.count, group)
        stack.callback(lambda: maya.process.poll() is None and maya.process.kill()
                       or maya.process.wait())
        found, readers = measure(maya, args.count, args.per_session)
        found["drain_s"] = round(maya.stop(readers), 2)
    found["machine"] = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores"
    if args.json:
        print(json.dumps(found))
        return
    print(f"| {found['count']} idle event streams, {found['sessions']} sessions | |\n|---|---|\n"
          f"| bytes each, kernel's included | {found['bytes_each']:.0f} |\n"
          f"| of it the process's own | {found['process_bytes_each']:.0f} |\n"
          f"| opened in | {found['open_s']} s, {found['open_cpu_us']} us of CPU each |\n"
          f"| CPU of all heartbeats | {found['idle_cpu_percent']} % of a core |\n"
          f"| a message and its event | {found['told_ms_each']} ms |\n"
          f"| all ended by a drain in | {found['drain_s']} s |\n"
          f"| machine | {found['machine']} |")


if __name__ == "__main__":
    main()
