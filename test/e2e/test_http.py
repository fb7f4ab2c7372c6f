"""The HTTP server of net/ under use and abuse, through the probe (probe_server.c).

Another build of the probe: MAYA_PROBE=build/san/test/probe_server. Nothing here asserts how
long something took: a test waits for an event (an answer, an end of file, a counter of the
probe) and LIMIT is only there to end a test whose event never comes. The probe's own deadlines
are longer still, but for the one that a test is about.
"""
import contextlib
import json
import os
import pathlib
import random
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROBE = os.environ.get("MAYA_PROBE", str(ROOT / "build/test/probe_server"))
SANITIZED = b"__asan_init" in pathlib.Path(PROBE).read_bytes()
LIMIT = 60
PACE = 0.02  # between two bytes of a drip
PATIENT = dict.fromkeys(("head_ms", "body_ms", "idle_ms", "write_ms"), 10 * LIMIT * 1000)
TRIES = 20  # of what proves nothing when this process, or the probe, stood still in it
HOST = b"Host: a\r\n"
FILE = bytes(ord("a") + i % 26 for i in range(26)) * (1024 * 1024 // 26 + 1)
FILE = FILE[:1024 * 1024]


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Client:
    """One connection, raw bytes out, parsed answers in."""

    def __init__(self, address, family=socket.AF_INET, small=False):
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(LIMIT)
        if small:  # a small window, so that what is not read soon stays with the server
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.connect(address)
        self.data = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def more(self):
        try:
            got = self.sock.recv(65536)
        except ConnectionResetError:
            got = b""
        self.data += got
        return len(got) > 0

    def line(self):
        while b"\r\n" not in self.data:
            assert self.more(), f"ended inside a line: {self.data!r}"
        text, self.data = self.data.split(b"\r\n", 1)
        return text

    def take(self, n):
        while len(self.data) < n:
            assert self.more(), f"ended with {len(self.data)} of {n} bytes"
        got, self.data = self.data[:n], self.data[n:]
        return got

    def until(self, text):
        while text not in self.data:
            assert self.more(), f"ended before {text!r}: {self.data!r}"
        got, self.data = self.data.split(text, 1)
        return got

    def head(self):
        version, status, _ = self.line().split(b" ", 2)
        assert version == b"HTTP/1.1"
        headers = {}
        while line := self.line():
            name, value = line.decode("latin-1").split(": ", 1)
            assert name.lower() not in headers, f"{name} twice"
            headers[name.lower()] = value
        return Reply(int(status), headers, b"")

    def chunks(self):
        body = b""
        while size := int(self.line(), 16):
            body += self.take(size)
            assert self.line() == b""
        assert self.line() == b""
        return body

    def reply(self, method="GET"):
        r = self.head()
        if method == "HEAD" or r.status in (204, 304) or r.status < 200:
            return r
        if r.headers.get("transfer-encoding") == "chunked":
            r.body = self.chunks()
        elif "content-length" in r.headers:
            r.body = self.take(int(r.headers["content-length"]))
        else:
            r.body = self.rest()
        return r

    def rest(self):
        """Everything up to the end of the connection."""
        while self.more():
            pass
        got, self.data = self.data, b""
        return got

    def ended(self):
        """Nothing more comes, and the connection ends."""
        return self.rest() == b""

    def ask(self, target="/hello", method="GET", body=None, headers=b""):
        length = b"" if body is None else b"Content-Length: %d\r\n" % len(body)
        self.send(b"%s %s HTTP/1.1\r\n" % (method.encode(), target.encode()) + HOST + headers +
                  length + b"\r\n" + (body or b""))
        return self.reply(method)

    def reset(self):
        """Leave with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Probe:
    """The probe in a process of its own. Flags as keywords: head_ms=500."""

    def __init__(self, pass_fds=(), **flags):
        args = [PROBE]
        for name, value in {**PATIENT, **flags}.items():
            args += ["--" + name.replace("_", "-"), str(value)]
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:quarantine_size_mb=1")
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                        pass_fds=pass_fds, env=env)
        ready = self.process.stdout.readline().split()
        assert ready and ready[0] == b"port", "the probe did not start"
        self.port = int(ready[1])

    def client(self, small=False):
        return Client(("127.0.0.1", self.port), small=small)

    def ask(self, *args, **kwargs):
        with self.client() as c:
            return c.ask(*args, **kwargs)

    def raw(self, data):
        """Send bytes; returns the first answer, and whether the connection ended after it."""
        with self.client() as c:
            c.send(data)
            r = c.reply()
            return r, c.ended()

    def stats(self):
        return self.ask("/stats").json()

    def wait(self, counter, least):
        r = self.ask(f"/wait?for={counter}&least={least}")
        assert r.status == 200
        return True

    def term(self):
        self.process.send_signal(signal.SIGTERM)

    def finish(self):
        """It ends by itself, cleanly, having said that it drained."""
        out = self.process.communicate(timeout=LIMIT)[0]
        assert self.process.returncode == 0
        assert out == b"drained\n"
        return True

    def close(self):
        if self.process.poll() is None:
            self.term()
            self.finish()
        assert self.process.returncode == 0


@contextlib.contextmanager
def probe_with(**flags):
    p = Probe(**flags)
    try:
        yield p
    finally:
        if p.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                p.term()
                p.process.wait(LIMIT)
        if p.process.poll() is None:
            p.process.kill()
        p.process.wait()
        p.process.stdout.close()
    assert p.process.returncode == 0, "the probe did not end cleanly"


@pytest.fixture(scope="module")
def probe():
    with probe_with() as p:
        yield p


def check_refusal(reply, ended, status, code):
    assert reply.status == status
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["connection"] == "close"
    said = reply.json()
    assert said["code"] == code and said["detail"]
    assert ended


# --- ordinary use


def test_get(probe):
    r = probe.ask()
    assert (r.status, len(r.body)) == (200, 48)
    assert r.headers["content-type"] == "text/plain"
    assert "connection" not in r.headers
    assert re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} "
                        r"\d\d:\d\d:\d\d GMT", r.headers["date"])


def test_requests_follow_each_other_on_one_connection(probe):
    with probe.client() as c:
        for i in range(100):
            body = b"%d" % i * (i + 1)
            assert c.ask("/echo", "POST", body).body == body


def test_head_has_no_body(probe):
    with probe.client() as c:
        r = c.ask("/hello", "HEAD")
        assert (r.status, r.headers["content-length"]) == (200, "48")
        r = c.ask("/three", "HEAD")
        assert (r.status, r.headers["transfer-encoding"]) == (200, "chunked")
        r = c.ask("/file", "HEAD", headers=b"Range: bytes=0-1\r\n")
        assert (r.status, r.headers["content-length"]) == (200, str(len(FILE)))
        assert c.ask("/hello").status == 200  # nothing was left over


def test_what_the_owner_sees(probe):
    r = probe.ask("/mirror?a=1%2b2+3&b=%20", headers=b"X-TEST: \t one  two \t\r\n")
    assert r.body.decode().splitlines() == [
        "method=GET", "path=/mirror", "query=a=1%2b2+3&b=%20", "x-test=one  two", "a=1+2 3",
        "peer=127.0.0.1"]
    assert b"path=/a b/c\n" in probe.ask("/a%20b%2Fc").body
    assert b"path=/mirror\n" in probe.ask("http://a/mirror").body


def test_header_values_cannot_end_their_line(probe):
    r = probe.ask("/mirror")
    assert "set-cookie" not in r.headers
    assert "Set-Cookie" in r.headers["x-evil"]


def test_no_content(probe):
    with probe.client() as c:
        r = c.ask("/tell", "POST", b"")
        assert r.status == 204 and "content-length" not in r.headers
        assert c.ask().status == 200


def test_large_body_comes_back(probe):
    body = random.Random(1).randbytes(1024 * 1024)
    with probe.client() as c:
        sender = threading.Thread(target=c.send, args=(
            b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(body) + body,))
        sender.start()
        assert c.reply().body == body
        sender.join()


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_bytes_may_come_in_any_pieces(probe, step):
    data = (b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
            b"5;name=value\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: yes\r\n\r\n"
            b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc")
    with probe.client() as c:
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(0, len(data), step):
            c.send(data[i:i + step])
        assert c.reply().body == b"hello world"
        assert c.reply().body == b"abc"


def test_stream_is_chunked(probe):
    with probe.client() as c:
        r = c.ask("/three")
        assert r.headers["transfer-encoding"] == "chunked" and "content-length" not in r.headers
        assert r.body == b"one two three"
        assert c.ask().status == 200


def test_stream_events_come_one_by_one(probe):
    with probe.client() as c:
        c.send(b"GET /sse HTTP/1.1\r\n" + HOST + b"\r\n")
        assert c.head().headers["content-type"] == "text/event-stream"
        for _ in range(3):
            probe.ask("/tell")
            assert c.until(b"data: told\n\n") is not None


def test_a_thousand_streams_all_get_the_next_event():
    open_files(1200)
    with probe_with() as p, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(p.client()) for _ in range(1000)]
        for c in clients:
            c.send(b"GET /sse HTTP/1.1\r\n" + HOST + b"\r\n")
        for c in clients:
            c.head()
        assert p.stats()["streams"] == 1000
        p.ask("/tell")
        for c in clients:
            c.until(b"data: told\n\n")


def cpu_ticks(p):
    fields = pathlib.Path(f"/proc/{p.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.parametrize("size", [1, 1000000])
def test_bytes_on_a_stream_do_not_spin_the_loop(probe, size):
    """What a client says while it is being answered waits, and costs nothing meanwhile."""
    with probe.client() as c:
        c.send(b"GET /sse HTTP/1.1\r\n" + HOST + b"\r\n")
        c.head()
        c.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while size:
                size -= c.sock.send(b"x" * size)
        c.sock.settimeout(LIMIT)
        before = cpu_ticks(probe)
        probe.ask("/slow?ms=1000")
        assert cpu_ticks(probe) - before < os.sysconf("SC_CLK_TCK") // 2
        probe.ask("/tell")
        c.until(b"data: told\n\n")


def test_http_1_0(probe):
    with probe.client() as c:
        c.send(b"GET /hello HTTP/1.0\r\n\r\n")
        r = c.reply()
        assert (r.status, r.headers["connection"]) == (200, "close")
        assert c.ended()
    with probe.client() as c:
        for _ in range(2):
            c.send(b"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert c.reply().headers["connection"] == "keep-alive"
    with probe.client() as c:  # it knows no chunks: the body ends with the connection
        c.send(b"GET /three HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        r = c.reply()
        assert "transfer-encoding" not in r.headers and r.headers["connection"] == "close"
        assert r.body == b"one two three"


def test_connection_close_is_obeyed(probe):
    with probe.client() as c:
        r = c.ask(headers=b"Connection: x, Close\r\n")
        assert r.headers["connection"] == "close"
        assert c.ended()


def test_client_may_shut_its_side_after_asking(probe):
    with probe.client() as c:
        c.send(b"GET /hello HTTP/1.1\r\n" + HOST + b"\r\n")
        c.sock.shutdown(socket.SHUT_WR)
        assert c.reply().status == 200
        assert c.ended()


# --- files


def test_file_whole_and_not_modified(probe):
    r = probe.ask("/file")
    assert r.body == FILE
    assert (r.headers["etag"], r.headers["accept-ranges"]) == ('"v1"', "bytes")
    for tag, status in [(b'"v1"', 304), (b'W/"v1"', 304), (b'"v0", "v1"', 304), (b"*", 304),
                        (b'"v2"', 200), (b"v1", 200)]:
        r = probe.ask("/file", headers=b"If-None-Match: " + tag + b"\r\n")
        assert r.status == status, tag
        assert r.headers["etag"] == '"v1"'


@pytest.mark.parametrize("value,start,end", [
    ("bytes=0-0", 0, 1), ("bytes=10-19", 10, 20), ("bytes=-5", len(FILE) - 5, len(FILE)),
    ("bytes=1048570-", 1048570, len(FILE)), ("bytes=5-99999999", 5, len(FILE)),
    ("bytes=-99999999", 0, len(FILE)), ("BYTES=1-2", 1, 3)])
def test_file_part(probe, value, start, end):
    r = probe.ask("/file", headers=f"Range: {value}\r\n".encode())
    assert r.status == 206
    assert r.headers["content-range"] == f"bytes {start}-{end - 1}/{len(FILE)}"
    assert r.body == FILE[start:end]


@pytest.mark.parametrize("value,status", [
    ("bytes=1048576-", 416), ("bytes=-0", 416), ("bytes=2-1", 200), ("bytes=a-b", 200),
    ("bytes=0-1,3-4", 200), ("lines=1-2", 200), ("bytes=", 200), ("bytes=--1", 200),
    ("bytes=99999999999999999999-", 200), ("bytes=1", 200)])
def test_file_part_that_is_not_there(probe, value, status):
    r = probe.ask("/file", headers=f"Range: {value}\r\n".encode())
    assert r.status == status
    if status == 416:
        assert r.headers["content-range"] == f"bytes */{len(FILE)}"
    else:
        assert r.body == FILE


def test_file_part_if_unchanged(probe):
    part = b"Range: bytes=0-1\r\nIf-Range: "
    assert probe.ask("/file", headers=part + b'"v1"\r\n').status == 206
    assert probe.ask("/file", headers=part + b'"v2"\r\n').status == 200
    assert probe.ask("/file", headers=part + b'W/"v1"\r\n').status == 200


# --- what is refused

INNER = b"GET /tell HTTP/1.1\r\n" + HOST + b"\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST
POST = b"POST /echo HTTP/1.1\r\n" + HOST
LEN = b"Content-Length: %d\r\n" % len(INNER)

AMBIGUOUS = {
    "length and chunked": POST + LEN + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    "chunked and length": POST + b"Transfer-Encoding: chunked\r\n" + LEN + b"\r\n0\r\n\r\n" + INNER,
    "two lengths": POST + b"Content-Length: 0\r\n" + LEN + b"\r\n" + INNER,
    "two lengths, the other way": POST + LEN + b"Content-Length: 0\r\n\r\n" + INNER,
    "two equal lengths": POST + LEN + LEN + b"\r\n" + INNER,
    "list of lengths": POST + b"Content-Length: 5, 5\r\n\r\nhello" + INNER,
    "unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + INNER,
    "coding in a list": POST + b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n" + INNER,
    "two codings": POST + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n" + INNER,
    "coding with a tab inside": POST + b"Transfer-Encoding: chun\tked\r\n\r\n0\r\n\r\n" + INNER,
    "coding in HTTP/1.0": b"POST /echo HTTP/1.0\r\nConnection: keep-alive\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    "folded header": GET + b"X: a\r\n b\r\n\r\n" + INNER,
    "folded length": POST + b"X: a\r\n Content-Length: 31\r\n\r\n" + INNER,
    "folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + INNER,
    "bare CR hides a coding": POST + b"X-Abc:\rxTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    "bare CR ends a line": GET + b"X: a\rY: b\r\n\r\n" + INNER,
    "bare LF ends a line": GET + b"X: a\nY: b\r\n\r\n" + INNER,
    "bare LF ends the head": b"GET / HTTP/1.1\nHost: a\n\n" + INNER,
    "space before the colon": POST + b"Content-Length : 5\r\n\r\nhello" + INNER,
    "space in a name": POST + b"Content Length: 5\r\n\r\nhello" + INNER,
    "empty name": GET + b": a\r\n\r\n" + INNER,
    "no colon": GET + b"X\r\n\r\n" + INNER,
    "NUL in a value": GET + b"X: a\0b\r\n\r\n" + INNER,
    "NUL in a name": GET + b"X\0: b\r\n\r\n" + INNER,
    "NUL in the target": b"GET /\0 HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    "control character": GET + b"X: \x08\r\n\r\n" + INNER,
    "no host": b"GET / HTTP/1.1\r\n\r\n" + INNER,
    "two hosts": GET + b"Host: b\r\n\r\n" + INNER,
    "two equal hosts": GET + HOST + b"\r\n" + INNER,
    "host with a path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" + INNER,
    "host against target": b"GET http://b/ HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    "length with a sign": POST + b"Content-Length: +5\r\n\r\nhello" + INNER,
    "length in hexadecimal": POST + b"Content-Length: 0x5\r\n\r\nhello" + INNER,
    "negative length": POST + b"Content-Length: -1\r\n\r\n" + INNER,
    "empty length": POST + b"Content-Length:\r\n\r\n" + INNER,
    "length that overflows": POST + b"Content-Length: 18446744073709551616\r\n\r\n" + INNER,
    "authority form": b"GET a:80 HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    "connect": b"CONNECT a:80 HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    "asterisk for GET": b"GET * HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    "bad percent": b"GET /%zz HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    "percent NUL": b"GET /%00 HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    "two spaces": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    "space in the target": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    "no version": b"GET /\r\n" + HOST + b"\r\n" + INNER,
    "method that is no token": b"G(T / HTTP/1.1\r\n" + HOST + b"\r\n" + INNER,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "chunk size with 0x": POST + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n" + INNER,
    "chunk size with a sign": POST + b"Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n" + INNER,
    "chunk size with a space": POST + b"Transfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n" + INNER,
    "chunk size that overflows": POST + b"Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\na"
                                 b"\r\n0\r\n\r\n" + INNER,
    "empty chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n" + INNER,
    "chunk longer than it says": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n" + INNER,
    "bare LF after a chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n" + INNER,
    "bare LF in an extension": POST + b"Transfer-Encoding: chunked\r\n\r\n1;\na\r\n0\r\n\r\n" + INNER,
    "bare LF after a chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n" + INNER,
    "folded trailer": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\r\n b\r\n\r\n" + INNER,
    "endless extension": POST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 10000,
    "endless trailer": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * 10000,
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_ambiguous_is_refused(probe, name):
    """One answer, 400, and the end: what was hidden inside never ran."""
    before = probe.stats().get("204", 0)
    reply, ended = probe.raw(AMBIGUOUS[name])
    check_refusal(reply, ended, 400, "invalid_request")
    assert probe.stats().get("204", 0) == before


def test_body_that_looks_like_a_request_is_a_body(probe):
    before = probe.stats().get("204", 0)
    with probe.client() as c:
        c.send(b"GET /echo HTTP/1.1\r\n" + HOST + LEN + b"\r\n" + INNER)
        assert c.reply().body == INNER
        c.send(POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(INNER) + INNER +
               b"\r\n0\r\n\r\n")
        assert c.reply().body == INNER
        assert c.ask("/stats").json().get("204", 0) == before


def test_upgrades_are_not_taken(probe):
    for what in (b"h2c", b"websocket"):
        r = probe.ask(headers=b"Connection: Upgrade\r\nUpgrade: " + what + b"\r\n")
        assert r.status == 200


@pytest.mark.parametrize("data,status,code", [
    (GET + b"X: " + b"a" * 20000, 431, "head_too_large"),
    (b"GET /" + b"a" * 20000, 431, "head_too_large"),
    (GET + b"X: a\r\n" * 101, 431, "head_too_large"),
    (POST + b"Content-Length: 1048577\r\n\r\n", 413, "request_too_large"),
    (POST + b"Content-Length: 999999999999999999\r\n\r\n", 413, "request_too_large"),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n100001\r\n", 413, "request_too_large"),
    (POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n", 413, "request_too_large"),
    (POST + b"Expect: a-miracle\r\n\r\n", 417, "expectation_failed"),
    (b"BREW /pot HTTP/1.1\r\n" + HOST + b"\r\n", 501, "method_unknown"),
    (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 501, "method_unknown"),
    (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505, "http_version"),
])
def test_refused_with_its_own_status(probe, data, status, code):
    reply, ended = probe.raw(data)
    check_refusal(reply, ended, status, code)


def test_limits_themselves_are_allowed(probe):
    assert probe.ask(headers=b"X: " + b"a" * 16000 + b"\r\n").status == 200
    assert probe.ask(headers=b"X: a\r\n" * 99).status == 200
    with probe.client() as c:
        c.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"80000\r\n" + b"x" * 0x80000 + b"\r\n"
               b"80000\r\n" + b"x" * 0x80000 + b"\r\n0\r\n\r\n")
        assert len(c.reply().body) == 1024 * 1024


def test_answer_reaches_who_is_still_sending(probe):
    """413 is told at once, and the 10 MB that follow do not destroy it."""
    with probe.client() as c:
        def push():
            with contextlib.suppress(OSError):
                c.send(POST + b"Content-Length: 10485760\r\n\r\n" + b"x" * 10485760)
        sender = threading.Thread(target=push)
        sender.start()
        r = c.reply()
        check_refusal(r, c.ended(), 413, "request_too_large")
        with contextlib.suppress(OSError):  # it lingers for a while only, and may be gone
            c.sock.shutdown(socket.SHUT_RDWR)
        sender.join()


def test_expect_continue(probe):
    with probe.client() as c:
        c.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert c.reply().status == 100
        c.send(b"ok")
        assert c.reply().body == b"ok"
        c.send(POST + b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert c.reply().status == 100
        c.send(b"2\r\nok\r\n0\r\n\r\n")
        assert c.reply().body == b"ok"
        # the body is here already: nothing to ask for
        c.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nok")
        assert c.reply().body == b"ok"
    reply, ended = probe.raw(POST + b"Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n")
    check_refusal(reply, ended, 413, "request_too_large")


# --- pipelining


def test_pipelined_answers_come_in_order(probe):
    with probe.client() as c:
        data = b""
        for i in range(200):
            if i == 50:
                data += b"GET /slow?ms=50 HTTP/1.1\r\n" + HOST + b"\r\n"
            body = b"%d" % i
            data += POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
        c.send(data)
        for i in range(200):
            if i == 50:
                assert c.reply().body == b"done\n"
            assert c.reply().body == b"%d" % i


def test_read_ahead_is_bounded():
    """While one request is in progress the next ones stay in the client's socket."""
    with probe_with() as p, p.client() as c:
        before = p.stats()["rss_kb"]
        one = POST + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000
        count = 16 * 1024 * 1024 // len(one)
        c.send(b"GET /wait?for=accepted&least=3 HTTP/1.1\r\n" + HOST + b"\r\n")
        data, sent = one * count, 0
        c.sock.setblocking(False)
        while select.select([], [c.sock], [], 0.5)[1]:  # until nobody takes more
            sent += c.sock.send(data[sent:sent + 65536])
        assert sent < len(data)
        c.sock.settimeout(LIMIT)
        grown = p.stats()["rss_kb"] - before  # also the third connection: the wait is over
        assert grown < (4096 if SANITIZED else 1024)
        sender = threading.Thread(target=c.send, args=(data[sent:],))
        sender.start()
        assert c.reply().body == b"done\n"
        for _ in range(count):
            assert len(c.reply().body) == 1000
        sender.join()


def test_read_ahead_may_end_inside_a_large_head():
    with probe_with(max_head=100000) as p, p.client() as c:
        c.send(b"GET /wait?for=accepted&least=2 HTTP/1.1\r\n" + HOST + b"\r\n")
        large = b"GET /mirror HTTP/1.1\r\n" + HOST + b"X-Test: " + b"a" * 90000 + b"\r\n\r\n"
        sender = threading.Thread(target=c.send, args=(large + INNER,))
        sender.start()
        assert p.ask().status == 200
        assert c.reply().body == b"done\n"
        assert b"x-test=" + b"a" * 90000 in c.reply().body
        assert c.reply().status == 204
        sender.join()


# --- time


def drip(client, piece):
    """Send `piece` again and again, until the server says something or ends it."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while not select.select([client.sock], [], [], PACE)[0]:
            client.send(piece)


@pytest.fixture(scope="module")
def hasty():
    with probe_with(head_ms=400, idle_ms=400, body_ms=400, write_ms=400) as p:
        yield p


def heard(p, data, piece=None):
    """A client that sent `data`, perhaps dripped `piece`, and was answered. Who is silent from the
    start is closed without a word, and on a busy machine that may be this one: it comes again."""
    for _ in range(TRIES):
        c = p.client()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            c.send(data)
        if piece is not None:
            drip(c, piece)
        if c.more():
            return c
        c.sock.close()
    raise AssertionError(f"closed without a word, {TRIES} times")


def ask_hasty(p, target):
    with heard(p, b"GET %s HTTP/1.1\r\n" % target.encode() + HOST + b"\r\n") as c:
        return c.reply()


@pytest.mark.parametrize("start,piece", [(GET + b"X: ", b"a"), (b"GET /", b"a"), (GET + b"X: a", b"")])
def test_dripped_or_stalled_head_is_cut(hasty, start, piece):
    with heard(hasty, start, piece) as c:
        check_refusal(c.reply(), c.ended(), 408, "request_timeout")
    assert ask_hasty(hasty, "/stats").json()["head_timeout"] > 0


@pytest.mark.parametrize("start,piece", [
    (POST + b"Content-Length: 100000\r\n\r\n", b"a"),
    (POST + b"Content-Length: 100000\r\n\r\n", b""),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n", b""),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a"),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"A:\r\n")])
def test_dripped_or_stalled_body_is_cut(start, piece):
    with probe_with(body_ms=400) as p:
        with p.client() as c:
            c.send(start)
            drip(c, piece)
            check_refusal(c.reply(), c.ended(), 408, "request_timeout")
        assert p.stats()["body_timeout"] == 1


def test_silent_connection_is_cut(hasty):
    with hasty.client() as c:
        assert c.ended()


def test_idle_connection_is_cut():
    with probe_with(idle_ms=400) as p:
        with p.client() as c:
            assert c.ask().status == 200
            assert c.ended()
        assert p.wait("idle", 1)


def test_request_in_progress_is_not_cut(hasty):
    assert ask_hasty(hasty, "/slow?ms=1500").body == b"done\n"


def test_quiet_stream_is_not_cut(hasty):
    with heard(hasty, b"GET /sse HTTP/1.1\r\n" + HOST + b"\r\n") as c:
        c.head()
        ask_hasty(hasty, "/slow?ms=1500")
        ask_hasty(hasty, "/tell")
        c.until(b"data: told\n\n")


def test_unread_answers_are_cut():
    with probe_with(write_ms=400) as p, p.client(small=True) as c:
        c.send((b"GET /file HTTP/1.1\r\n" + HOST + b"\r\n") * 64)
        assert p.wait("stalled", 1)


def test_who_keeps_sending_after_a_refusal_is_cut():
    with probe_with() as p, p.client() as c:
        c.send(b"nonsense\r\n\r\n")
        check_refusal(c.reply(), c.ended(), 400, "invalid_request")
        with contextlib.suppress(OSError):  # the other side is gone for good in the end
            while True:
                c.send(b"x")
                select.select([], [], [c.sock], PACE)
        assert p.wait("bad_request", 1)


# --- clients that leave


@pytest.mark.parametrize("target", ["/sse", "/slow?ms=600000", "/wait?for=never", "/firehose"])
@pytest.mark.parametrize("how", ["fin", "rst"])
def test_gone_client_is_noticed(probe, target, how):
    """Though nothing is written to it, and nothing was to be for a long time."""
    gone = probe.stats()["told_gone"]
    with probe.client() as c:
        c.send(b"GET %s HTTP/1.1\r\n" % target.encode() + HOST + b"\r\n")
        assert probe.wait("busy", 2)  # it has begun; the one who waits is busy too
        if how == "fin":
            c.sock.shutdown(socket.SHUT_WR)
        else:
            c.reset()
        assert probe.wait("told_gone", gone + 1)
    assert probe.stats()["told_gone"] == gone + 1


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_gone_client_is_noticed_though_it_said_too_much(probe, how):
    """So much was read ahead that the server has stopped reading."""
    gone = probe.stats()["told_gone"]
    with probe.client() as c:
        c.send(b"GET /sse HTTP/1.1\r\n" + HOST + b"\r\n")
        c.head()
        if how == "fin":  # a FIN waits behind what the server's kernel does not take
            c.send(b"x" * 50000)
            c.sock.shutdown(socket.SHUT_WR)
        else:  # a reset does not wait
            c.sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    c.sock.send(b"x" * 65536)
            c.reset()
        assert probe.wait("told_gone", gone + 1)


@pytest.mark.parametrize("start", [b"GET / HT", POST + b"Content-Length: 10\r\n\r\nabc",
                                   POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc"])
def test_gone_before_it_asked(probe, start):
    before = probe.stats()
    with probe.client() as c:
        c.send(start)
        c.sock.shutdown(socket.SHUT_WR)
        assert c.ended()
    after = probe.stats()
    assert after["told_gone"] == before["told_gone"]  # it never was a request
    assert after["gone"] > before["gone"]


# --- readers that do not read


def test_unread_stream_costs_little_and_is_cut():
    with probe_with(write_ms=1500) as p, p.client(small=True) as c:
        before = p.stats()["rss_kb"]
        c.send(b"GET /firehose HTTP/1.1\r\n" + HOST + b"\r\n")
        assert p.wait("told_gone", 1)
        stats = p.stats()
        assert stats["stalled"] == 1 and stats["streams"] == 0
        assert stats["rss_kb"] - before < (8192 if SANITIZED else 1024)


def test_rude_stream_is_cut_at_its_limit():
    with probe_with(max_queued=300000) as p, p.client(small=True) as c:
        c.send(b"GET /firehose?rude=1 HTTP/1.1\r\n" + HOST + b"\r\n")
        assert p.wait("stalled", 1)
        assert p.stats()["told_gone"] == 1


def test_slow_reader_that_reads_gets_everything():
    with probe_with() as p, p.client(small=True) as c:
        c.send((b"GET /file HTTP/1.1\r\n" + HOST + b"\r\n") * 8)
        for _ in range(8):
            assert c.reply().body == FILE


def read_slowly(c, size, write_ms):
    """Take `size` bytes in far longer than write_ms. False: it was cut, but had stood still."""
    steady, last = True, time.monotonic()
    while len(c.data) < size:
        select.select([], [], [], write_ms / 150000)  # the slowness
        more, now = c.more(), time.monotonic()
        steady, last = steady and now - last < write_ms / 2000, now
        if not more:
            assert not steady, "cut though it was reading"
            return False
    return True


def test_slow_reader_is_not_a_stalled_one():
    """It takes far longer than write_ms in all, but never takes nothing for so long."""
    for write_ms in (300, 600, 1200, 2400, 4800):
        with probe_with(write_ms=write_ms) as p, p.client(small=True) as c:
            c.send((b"GET /file HTTP/1.1\r\n" + HOST + b"\r\n") * 2)
            if read_slowly(c, 2 * len(FILE), write_ms):
                assert c.reply().body == FILE
                assert c.reply().body == FILE
                assert p.stats()["stalled"] == 0
                return
    raise AssertionError("it never read to the end without standing still")


# --- very many


def open_files(n):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < n:
        pytest.skip(f"needs {n} open files, {hard} are allowed")
    if soft < n:
        resource.setrlimit(resource.RLIMIT_NOFILE, (n, hard))


@pytest.mark.parametrize("start", [b"GET /hello HT", POST + b"Content-Length: 1000000\r\n\r\nabc", b""])
def test_thousands_of_half_open_connections(start):
    count = 3000
    open_files(count + 100)
    with probe_with() as p, contextlib.ExitStack() as stack:
        before = p.stats()["rss_kb"]
        for _ in range(count):
            stack.enter_context(p.client()).send(start)
        assert p.wait("conns", count)
        stats = p.stats()
        assert stats["conns"] >= count
        grown = (stats["rss_kb"] - before) * 1024 / count
        assert grown < (8192 if SANITIZED else 2048), f"{grown:.0f} bytes a connection"
        assert p.ask().status == 200


def test_bodies_of_all_connections_are_bounded():
    with probe_with(max_bodies=1000000) as p, contextlib.ExitStack() as stack:
        begun = POST + b"Content-Length: 400000\r\n\r\n" + b"x" * 399999
        clients = [stack.enter_context(p.client()) for _ in range(3)]
        for c in clients:
            c.send(begun)
        told = select.select([c.sock for c in clients], [], [], LIMIT)[0]
        assert len(told) == 1
        for c in clients:
            if c.sock in told:
                r = c.reply()
                check_refusal(r, c.ended(), 503, "out_of_memory")
                assert r.headers["retry-after"] == "1"
            else:
                c.send(b"x")
                assert len(c.reply().body) == 400000
        assert len(p.ask("/echo", "POST", b"x" * 400000).body) == 400000


def test_too_many_connections():
    with probe_with(max_conns=10) as p, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(p.client()) for _ in range(10)]
        for c in clients:
            assert c.ask().status == 200
        with p.client() as c:
            r = c.reply()
            check_refusal(r, c.ended(), 503, "too_many_connections")
            assert r.headers["retry-after"] == "1"
        for c in clients[1:]:
            c.sock.close()
        while clients[0].ask("/stats").json()["conns"] > 1:
            pass
        stats = p.stats()
        assert stats["connections"] == 1 and stats["503"] == 1


def test_flood_beyond_the_limit_is_just_closed():
    with probe_with(max_conns=5) as p, contextlib.ExitStack() as stack:
        kept = stack.enter_context(p.client())
        assert kept.ask().status == 200
        flood = [stack.enter_context(p.client()) for _ in range(200)]
        assert kept.ask("/wait?for=accepted&least=201").status == 200
        stats = kept.ask("/stats").json()
        assert stats["conns"] <= 5 + 64
        assert stats["accepted"] == 201
        for c in flood[10:]:
            c.rest()


def test_accepts_again_after_running_out_of_files():
    with probe_with(nofile=40) as p, p.client() as kept:
        assert kept.ask().status == 200
        with contextlib.ExitStack() as stack:
            for _ in range(60):
                stack.enter_context(p.client()).send(b"GET /hello HTTP/1.1\r\n" + HOST + b"\r\n")
            assert kept.ask().status == 200
        while kept.ask("/stats").json()["conns"] > 1:
            pass
        assert p.ask().status == 200


# --- the end


def test_drain_by_count():
    with probe_with() as p:
        idle, busy, stream, half = p.client(), p.client(), p.client(), p.client()
        assert idle.ask().status == 200
        # In progress until the three others have gone.
        busy.send(b"GET /wait?for=drain&least=3 HTTP/1.1\r\n" + HOST + b"\r\n")
        stream.send(b"GET /sse HTTP/1.1\r\n" + HOST + b"\r\n")
        stream.head()
        half.send(b"GET /hello HTTP/1.1\r\n")
        p.wait("conns", 5)
        p.term()
        assert idle.ended()
        assert b"event: bye" in stream.chunks()
        assert stream.ended()
        half.send(HOST + b"\r\n")  # what had begun may finish
        r = half.reply()
        assert (r.status, r.headers["connection"]) == (200, "close")
        assert half.ended()
        with pytest.raises(OSError):
            p.client()
        for c in (idle, stream, half):
            c.sock.close()
        r = busy.reply()
        assert (r.body, r.headers["connection"]) == (b"done\n", "close")
        assert busy.ended()
        assert p.finish()
        busy.sock.close()


def test_drain_reads_what_has_arrived():
    """A request that lies in the socket when the drain begins is answered."""
    with probe_with() as p, p.client() as c:
        assert c.ask().status == 200
        p.process.send_signal(signal.SIGSTOP)
        c.send(b"GET /hello HTTP/1.1\r\n" + HOST + b"\r\n")
        p.term()
        p.process.send_signal(signal.SIGCONT)
        assert c.reply().status == 200
        assert c.ended()
        assert p.finish()


def test_drain_cuts_after_its_grace():
    with probe_with(grace_ms=300) as p, p.client() as c:
        c.send(b"GET /wait?for=never HTTP/1.1\r\n" + HOST + b"\r\n")
        p.wait("conns", 2)
        p.term()
        assert c.ended()
        assert p.finish()


def test_drain_with_nobody_there():
    with probe_with() as p:
        p.term()
        assert p.finish()


# --- other sockets


def test_unix_socket():
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/s"
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(path)
        stale.close()  # left over by one that died
        with probe_with(host="unix:" + path):
            with Client(path, socket.AF_UNIX) as c:
                assert c.ask("/echo", "POST", b"hello").body == b"hello"
                assert b"peer=unix\n" in c.ask("/mirror").body
        assert not os.path.exists(path)


def test_unix_socket_in_use_is_not_taken():
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/s"
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            other.listen()
            p = subprocess.run([PROBE, "--host", "unix:" + path], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, timeout=LIMIT)
            assert p.returncode == 100
            assert b"address already in use" in p.stderr.lower()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
def test_inherited_socket(family):
    with tempfile.TemporaryDirectory() as folder, socket.socket(family) as s:
        if family == socket.AF_UNIX:
            s.bind(folder + "/s")
        else:
            try:
                s.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
            except OSError:
                pytest.skip("no such addresses here")
        s.listen()
        with probe_with(fd=s.fileno(), pass_fds=[s.fileno()]) as p:
            if family != socket.AF_UNIX:
                assert p.port == s.getsockname()[1]
            with Client(s.getsockname(), family) as c:
                peer = {socket.AF_INET: b"127.0.0.1", socket.AF_INET6: b"::1"}.get(family, b"unix")
                assert c.ask("/mirror").body.endswith(b"\npeer=%s\n" % peer)


def test_port_in_use_is_told():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        p = subprocess.run([PROBE, "--port", str(other.getsockname()[1])], timeout=LIMIT,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert p.returncode == 100
        assert b"address already in use" in p.stderr.lower()


# --- anything else


def test_mutated_requests_do_not_hurt(probe):
    """Not a fuzzer (test/fuzz/http.c is): the whole server against odd bytes."""
    rand = random.Random(7)
    seeds = list(AMBIGUOUS.values()) + [GET + b"\r\n", POST + b"Content-Length: 2\r\n\r\nok"]
    for _ in range(400):
        data = bytearray(rand.choice(seeds))
        for _ in range(rand.randint(1, 6)):
            at = rand.randrange(len(data))
            what = rand.random()
            if what < 0.5:
                data[at] = rand.randrange(256)
            elif what < 0.75:
                del data[at]
            else:
                data[at:at] = bytes(rand.choice([b"\r\n", b"\0", b":", b" ", b"\n", b"0"]))
        with probe.client() as c:
            with contextlib.suppress(OSError):
                c.send(bytes(data))
                c.sock.shutdown(socket.SHUT_WR)
            assert re.match(rb"(HTTP/1\.1 \d{3} |$)", c.rest())
    assert probe.ask().status == 200
