"""A scripted stand-in for Cartesia's speech-to-text (`/stt/turns/websocket`) over real sockets.

Each connection is a Stream that the test takes with `server.stream()` and drives: which messages
come, in which pieces, and how it ends. Refusals (401, 429, ...) are put before it is asked.
What is asked of `/tts` at the same address goes to `voice`, a cartesia_tts.Cartesia.
"""
import contextlib
import http
import json
import queue
import socket
import struct
import threading
import urllib.parse

from websockets.frames import Opcode
from websockets.server import ServerConnection

from node import PATIENCE_S, until


class Stream:
    def __init__(self, server, sock):
        self.server, self.sock = server, sock
        self.ws = ServerConnection()
        self.lock = threading.Lock()
        self.heard = b""  # audio so far
        self.messages = []  # JSON that came
        self.gone = threading.Event()
        self.bytewise = False

    def _flush(self):
        for data in self.ws.data_to_send():
            with contextlib.suppress(OSError):
                for piece in [bytes([b]) for b in data] if self.bytewise else [data]:
                    if piece:
                        self.sock.sendall(piece)

    def run(self):
        with contextlib.suppress(OSError):
            while data := self.sock.recv(65536):
                with self.lock:
                    self.ws.receive_data(data)
                    for event in self.ws.events_received():
                        if not self._take(event):
                            return self.cut()
                    self._flush()
        self.gone.set()

    def _take(self, event):
        if hasattr(event, "headers"):
            return self._handshake(event)
        if event.opcode is Opcode.BINARY:
            self.heard += event.data
        elif event.opcode is Opcode.TEXT:
            self.messages.append(json.loads(event.data))
        return True

    def _handshake(self, request):
        self.path, _, query = request.path.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query))
        self.headers = dict((k.lower(), v) for k, v in request.headers.raw_items())
        plan = self.server.plans.get() if not self.server.plans.empty() else None
        if plan == "hang":
            return True
        if plan == "cut":
            return False
        if plan:
            status, headers, body = plan
            reply = self.ws.reject(http.HTTPStatus(status), body)
            for name, value in headers.items():
                reply.headers[name] = value
            self.ws.send_response(reply)
            self.server.refused += 1
            self._flush()
            return True
        self.ws.send_response(self.ws.accept(request))
        self._flush()
        self.send({"type": "connected", "request_id": "r0"}, locked=True)
        self.server.streams.put(self)
        return True

    # -- what the test does

    def send(self, message, locked=False):
        text = message if isinstance(message, str) else json.dumps(message)
        with contextlib.nullcontext() if locked else self.lock:
            self.ws.send_text(text.encode())
            self._flush()

    def start(self):
        self.send({"type": "turn.start", "request_id": "r1"})

    def update(self, text):
        self.send({"type": "turn.update", "request_id": "r1", "transcript": text})

    def end(self, text):
        self.send({"type": "turn.end", "request_id": "r1", "transcript": text})

    def turn(self, text):
        """A whole turn, word by word, with what else Cartesia sends on the way."""
        self.start()
        words = text.split(" ")
        for n in range(1, len(words)):
            self.update(" ".join(words[:n]))
        self.send({"type": "turn.eager_end", "request_id": "r1", "transcript": text})
        self.send({"type": "turn.resume", "request_id": "r1"})
        self.send({"type": "turn.weather", "request_id": "r1", "sun": [1]})
        self.end(text)

    def hears(self, count):
        until(f"{count} bytes of audio", lambda: len(self.heard) >= count)
        return self.heard

    def close(self, code=1000, reason=""):
        with self.lock:
            self.ws.send_close(code, reason)
            self._flush()

    def cut(self):
        """Broken off: a reset."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.shutdown(socket.SHUT_RD)
        self.sock.close()
        self.gone.set()


class CartesiaSTT:
    def __init__(self, tls=None, voice=None):
        self.tls, self.voice = tls, voice
        self.streams, self.plans = queue.Queue(), queue.SimpleQueue()
        self.connections, self.refused, self.open = 0, 0, []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        with contextlib.suppress(OSError):  # it does not trust us, or is gone
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            if self.voice and b" /tts" in sock.recv(64, socket.MSG_PEEK):
                return self.voice.serve(sock)
            s = Stream(self, sock)
            self.open.append(s)
            s.run()

    def refuse(self, status, body=None, headers=None):
        """The next one is answered with this status, "hang" or "cut"."""
        if isinstance(status, str):
            self.plans.put(status)
            return
        text = json.dumps(body or {"error_code": None, "title": "No", "message": "not today"})
        self.plans.put((status, {"Content-Type": "application/json", **(headers or {})}, text))

    def stream(self):
        """The next stream that was opened."""
        return self.streams.get(timeout=PATIENCE_S)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for s in list(self.open):
            with contextlib.suppress(OSError):
                s.sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
