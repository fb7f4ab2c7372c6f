"""Cartesia's voices, scripted: POST /tts/bytes and the WebSocket /tts/websocket, over plain
sockets or TLS, as documented (API version 2026-08-14).

What is said is a function of the text alone, so that a test can tell whether what was heard is
exactly what was sent: pcm(text). Everything that was asked is kept. How it misbehaves:

  http          answers to requests, in order: Bytes(...), which may be slow, cut, refused ...
  refuse        (status, headers, body) instead of an upgrade
  mangle        mangle(message) -> list of what is sent instead: dictionaries, or bytes as they are
  piece         bytes of audio in a chunk
  timestamps    "before", "after" the chunk that they describe, or None
  bytewise      every frame goes out byte by byte
  endless       a flush is never done: audio comes as long as somebody takes it
  lingers       a flush is never done: nothing comes behind a line's audio, until it is cancelled
  waits         a flush is done once more is pushed, or all was: no context is ever idle
"""
import base64
import hashlib
import json
import queue
import socket
import ssl
import struct
import threading
import zlib

from node import PATIENCE_S, until

RATE = 24000
PHONEMES = ["h", "ɛ", "l", "oʊ"]


def pcm(text):
    """16 bits, little end first: 10 ms for each character, other noise for each text."""
    text = text.strip()
    count = 240 * max(len(text), 1)
    seed = zlib.crc32(text.encode())
    return b"".join(struct.pack("<h", (seed + i * 7919) % 20000 - 10000) for i in range(count))


class Bytes:
    """How one request over HTTP is answered. end: "whole", "cut", "hang", "endless"."""

    def __init__(self, status=200, body=None, headers=None, cut=None, end="whole", piece=4096,
                 kind="audio/pcm"):
        self.status, self.body, self.cut, self.end, self.piece = status, body, cut, end, piece
        self.headers = {"Content-Type": kind if status == 200 else "application/json",
                        **(headers or {})}


def error(status, code, headers=None):
    return Bytes(status, json.dumps({"error_code": code, "title": "No", "message": "no, sk_car_x",
                                     "request_id": "r"}).encode(), headers)


class Asked:
    def __init__(self, headers, body):
        self.headers, self.body = headers, body

    @property
    def text(self):
        return self.body["transcript"].strip()


class Context:
    def __init__(self, id):
        self.id, self.text, self.flush, self.messages = id, "", 0, []
        self.time, self.cancelled, self.ended = 0.0, threading.Event(), False
        self.work, self.stopped, self.pushed = queue.Queue(), threading.Event(), 0


class Line(str):
    """A text that was said, and of which context; None: over HTTP."""

    def __new__(cls, text, context=None):
        line = super().__new__(cls, text)
        line.context = context
        return line


class Since:
    """What is said from now on. A context that is there already may be dead to who opened it, who
    does not wait for its last words: they are nobody's."""

    def __init__(self, fake):
        self.lines, self.before, self.dead = fake.lines, len(fake.lines), fake.contexts

    def __iter__(self):
        return (line for line in self.lines[self.before:] if line.context not in self.dead)


class Connection:
    def __init__(self, headers):
        self.headers, self.contexts, self.lock = headers, {}, threading.Lock()
        self.messages, self.closed = [], threading.Event()


class Cartesia:
    def __init__(self, tls=None, websocket=True):
        self.tls, self.websocket = tls, websocket
        self.http, self.asked, self.connections = queue.SimpleQueue(), [], []
        self.otherwise = None
        self.refuse = self.mangle = None
        self.piece, self.timestamps, self.bytewise = 4800, "after", False
        self.endless = self.lingers = self.waits = False
        self.lines = []  # a Line each, in the order in which they were said, over whatever
        self.open, self.closing, self.upgrades = set(), False, 0
        self.gate = threading.Event()  # nothing is said before it is set
        self.gate.set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def then(self, *answers):
        for a in answers:
            self.http.put(a)

    def close(self):
        self.closing = True
        self.gate.set()
        for s in [self.listener, *list(self.open)]:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def contexts(self):
        return [c for k in list(self.connections) for c in list(k.contexts.values())]

    def wait_for(self, what, says):
        return until(what, says)

    def since(self):
        return Since(self)

    # -- HTTP

    def _accept(self):
        while not self.closing:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.serve(s)

    def serve(self, s):
        threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        self.open.add(s)
        plain = s
        try:
            s.settimeout(PATIENCE_S)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                s = self.tls.wrap_socket(s, server_side=True)
                self.open.add(s)
            file = s.makefile("rb")
            while self._request(s, file):
                pass
        except (OSError, ssl.SSLError, ValueError):
            pass
        finally:
            self.open -= {s, plain}
            for one in (s, plain):
                try:
                    one.close()
                except OSError:
                    pass

    def _request(self, s, file):
        line = file.readline().decode().strip()
        if not line:
            return False
        method, path, _ = line.split(" ", 2)
        headers = {}
        while header := file.readline().decode().strip():
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        body = file.read(int(headers.get("content-length", 0)))
        if path.startswith("/tts/websocket") and method == "GET":
            return self._upgrade(s, file, headers)
        assert path == "/tts/bytes" and method == "POST", line
        asked = Asked(headers, json.loads(body))
        self.asked.append(asked)
        try:
            answer = self.http.get_nowait()
        except queue.Empty:
            answer = self.otherwise or Bytes()
        return self._answer(s, asked, answer)

    def _answer(self, s, asked, a):
        head = "".join(f"{k}: {v}\r\n" for k, v in a.headers.items())
        body = a.body if a.body is not None else pcm(asked.text)
        if a.status == 200:
            self.gate.wait(PATIENCE_S)
            self.lines.append(Line(asked.text))
        body = body[:a.cut]
        s.sendall(f"HTTP/1.1 {a.status} X\r\n{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for i in range(0, len(body), a.piece):
            part = body[i:i + a.piece]
            s.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        while a.end == "endless":
            s.sendall(b"1000\r\n%s\r\n" % bytes(4096))
        if a.end == "hang":
            while s.recv(4096):
                pass
        if a.end != "whole":
            return False
        s.sendall(b"0\r\n\r\n")
        return True

    # -- WebSocket

    def _upgrade(self, s, file, headers):
        self.upgrades += 1
        if self.refuse or not self.websocket:
            status, more, body = self.refuse or (404, {}, b"{}")
            head = "".join(f"{k}: {v}\r\n" for k, v in more.items())
            s.sendall(f"HTTP/1.1 {status} X\r\n{head}Content-Length: {len(body)}\r\n"
                      f"Connection: close\r\n\r\n".encode() + body)
            return False
        key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        s.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  f"Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        c = Connection(headers)
        self.connections.append(c)
        try:
            while (frame := read_frame(file)) is not None:
                kind, data = frame
                if kind == 8:
                    self._frame(s, c, 8, data)
                    return False
                if kind == 9:
                    self._frame(s, c, 10, data)
                if kind == 1:
                    self._message(s, c, json.loads(data))
        finally:
            c.closed.set()
            for context in list(c.contexts.values()):
                context.stopped.set()
                context.work.put(None)
        return False

    def _frame(self, s, c, kind, data):
        n = len(data)
        head = bytes([0x80 | kind]) + (bytes([n]) if n < 126 else struct.pack(">BH", 126, n)
                                       if n < 65536 else struct.pack(">BQ", 127, n))
        with c.lock:
            if self.bytewise:
                for b in head + data:
                    s.sendall(bytes([b]))
            else:
                s.sendall(head + data)

    def _send(self, s, c, message):
        for m in self.mangle(message) if self.mangle else [message]:
            if m == "cut":
                s.shutdown(socket.SHUT_RDWR)
                raise OSError("cut")
            self._frame(s, c, 1, m if isinstance(m, bytes) else json.dumps(m).encode())

    def _message(self, s, c, m):
        c.messages.append(m)
        id = m["context_id"]
        context = c.contexts.get(id)
        if m.get("cancel"):
            if context:
                context.cancelled.set()
                context.stopped.set()
            return
        assert set(m) >= {"model_id", "transcript", "voice", "output_format", "continue"}, m
        assert m["output_format"] == {"container": "raw", "encoding": "pcm_s16le",
                                      "sample_rate": m["output_format"]["sample_rate"]}
        if context is None:
            context = c.contexts[id] = Context(id)
            threading.Thread(target=self._speak, args=(s, c, context), daemon=True).start()
        assert not context.ended, "the context has ended"
        if context.messages:  # every field is repeated unchanged
            same = [k for k in m if k not in ("transcript", "continue", "flush")]
            assert all(m[k] == context.messages[0].get(k) for k in same), m
        context.messages.append(m)
        context.pushed += bool(m["transcript"].strip())
        context.text += m["transcript"]
        context.ended = not m["continue"]
        if m.get("flush") or context.ended:
            context.work.put((context.text, context.ended))
            context.text = ""

    def _speak(self, s, c, context):
        try:
            while (work := context.work.get()) is not None:
                text, last = work
                self.gate.wait(PATIENCE_S)
                if text.strip():
                    self._say(s, c, context, text.strip())
                if not last or text.strip():
                    context.flush += 1
                if self.waits:
                    until("more, or the end", lambda: context.ended or context.stopped.is_set() or
                          context.pushed > context.flush)
                if not last and not self.endless:
                    self._send(s, c, {"type": "flush_done", "context_id": context.id, "done": False,
                                      "status_code": 206, "flush_done": True,
                                      "flush_id": context.flush})
                if last:
                    self._send(s, c, {"type": "done", "context_id": context.id, "done": True,
                                      "status_code": 200})
                    return
        except (OSError, ValueError):
            pass

    def _say(self, s, c, context, text):
        if context.stopped.is_set():
            raise ValueError("cancelled")
        self.lines.append(Line(text, context))
        data, first = pcm(text), True
        about = {"context_id": context.id, "done": False, "status_code": 206}
        while first or self.endless:
            first = False
            for i in range(0, len(data), self.piece):
                if context.stopped.is_set():
                    raise ValueError("cancelled")
                part = data[i:i + self.piece]
                end = context.time + len(part) / 2 / RATE
                step = (end - context.time) / len(PHONEMES)
                starts = [context.time + k * step for k in range(len(PHONEMES))]
                stamps = {"type": "phoneme_timestamps", **about, "phoneme_timestamps": {
                    "phonemes": PHONEMES, "start": starts, "end": [t + step for t in starts]}}
                chunk = {"type": "chunk", **about, "step_time": 1.5,
                         "data": base64.b64encode(part).decode(), "flush_id": context.flush + 1}
                both = {"before": [stamps, chunk], "after": [chunk, stamps]}
                for m in both.get(self.timestamps, [chunk]):
                    self._send(s, c, m)
                context.time = end
        if self.lingers:
            context.stopped.wait()
            raise ValueError("cancelled")


def read_frame(file):
    head = file.read(2)
    if len(head) < 2:
        return None
    assert head[0] & 0x80 and not head[0] & 0x70 and head[1] & 0x80, head  # whole, masked
    n = head[1] & 0x7F
    if n == 126:
        n = struct.unpack(">H", file.read(2))[0]
    elif n == 127:
        n = struct.unpack(">Q", file.read(8))[0]
    mask = file.read(4)
    data = file.read(n)
    return head[0] & 0xF, bytes(b ^ mask[i % 4] for i, b in enumerate(data))
