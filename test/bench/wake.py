"""A turn in a hibernated session beside a turn in a resident one, by turns in one run.

One client, one connection, one turn at a time over POST /api/v1/chat/stream; what counts is the
time from the request's last byte to the answer's first. Every session is woken once, and talks
once more as a resident one right after the next was woken. The database is in the page cache.
"""
import gc
import json
import socket
import statistics
import tempfile
import time

from kit import Maya, Row, load, percentile

QUESTION = "what do I owe you?"


def arguments(parser):
    parser.add_argument("--wake-sessions", type=int, default=5000,
                        help="wake: sessions of ten turns, each woken once")


class Talker:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def say(self, session, text):
        """Microseconds from the request to the first byte of its answer; reads all of it."""
        body = json.dumps({"message": text}).encode()
        ask = (f"POST /api/v1/chat/stream HTTP/1.1\r\nHost: bench\r\nX-Session-ID: {session}\r\n"
               f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
               ).encode() + body
        began = time.perf_counter_ns()
        self.socket.sendall(ask)
        said = self.socket.recv(65536)
        took = (time.perf_counter_ns() - began) / 1000
        while not said.endswith(b"\r\n0\r\n\r\n"):
            more = self.socket.recv(65536)
            if not more:
                raise RuntimeError(f"cut short: {said!r}")
            said += more
        if not said.startswith(b"HTTP/1.1 200 ") or b'"complete"' not in said:
            raise RuntimeError(f"no answer: {said!r}")
        return took


def wait(says):
    end = time.monotonic() + 120
    while not says():
        if time.monotonic() > end:
            raise RuntimeError("the sessions do not fall asleep")
        time.sleep(0.1)  # between two looks


def by_turns(maya, sessions):
    """(woken, resident): microseconds to the first byte, of each pair."""
    talker = Talker(maya.port)
    woken, resident = [], []
    gc.disable()
    for i in range(sessions):
        woken.append(talker.say(f"sess_wake-{i:011}", QUESTION))
        if i:
            resident.append(talker.say(f"sess_wake-{i - 1:011}", QUESTION))
    gc.enable()
    return woken, resident


def rows(bench):
    sessions = bench.args.wake_sessions
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        maya = Maya(bench.maya, folder, bench.on, MAYA_SESSIONS_PER_CONTAINER=str(2 * sessions),
                    MAYA_DEFAULT_SESSION_MEMORY_MB="0.0625", MAYA_SESSION_HIBERNATE_SECONDS="3",
                    MAYA_ADMISSION_POLICY="measured")
        load(maya, bench.off, 600, 64, path="/readyz", script="evening.lua",
             until=lambda: maya.total("maya_turns_total") >= sessions * 10,
             BENCH_NAME="wake", BENCH_SESSIONS=str(sessions), BENCH_TURNS="10")
        wait(lambda: maya.metric("maya_active_sessions") == 0)
        before = maya.metric("maya_sessions_woken_total")
        woken, resident = by_turns(maya, sessions)
        count = int(maya.metric("maya_sessions_woken_total") - before)
        yield Row(f"sessions woken, of {sessions} that were asked", str(count), "",
                  str(sessions), count == sessions, must=True)
        for name, share, target in (("p50", 0.5, 0.1), ("p99", 0.99, 1.0)):
            a, b = percentile(woken, share) / 1000, percentile(resident, share) / 1000
            yield Row(f"first byte of a woken session's turn over a resident one's, {name} ms",
                      f"{a - b:.3f} ({a:.3f} over {b:.3f})",
                      "4.8 / 6.1 ms, the best found elsewhere", f"{target}", a - b <= target)
        over = [w - r for w, r in zip(woken[:-1], resident)]
        yield Row("the same, of the same session: median of the differences, ms",
                  f"{statistics.median(over) / 1000:.3f}")
        maya.stop()
