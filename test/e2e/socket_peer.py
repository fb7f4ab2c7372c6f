"""The other end of Maya's WebSocket: the protocol by the `websockets` package of Debian, without
its own input and output, so that a test decides which bytes go when."""
import contextlib
import json
import queue
import socket
import threading

from websockets.client import ClientConnection
from websockets.frames import Opcode
from websockets.uri import parse_uri

from node import PATIENCE_S


class Refused(Exception):
    def __init__(self, response):
        super().__init__(f"{response.status_code} {response.body}")
        self.status, self.headers = response.status_code, response.headers
        self.body = response.body or b""


class Conversation:
    """events come as dictionaries, audio as {"type": "audio", ..., "data": bytes}."""

    def __init__(self, node, session=None, headers=(), bytewise=False, path="/api/v1/voice"):
        query = f"?session_id={session}" if session else ""
        self.sock = node.raw()
        self.bytewise = bytewise
        self.lock = threading.Lock()
        self.ws = ClientConnection(parse_uri(f"ws://{node.host}:{node.port}{path}{query}"))
        request = self.ws.connect()
        for name, value in headers:
            request.headers[name] = value
        self.ws.send_request(request)
        self._flush()
        self.events, self.gone = queue.Queue(), threading.Event()
        self.pongs, self.waits, self.pieces = 0, None, []
        self.answer = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        response = self.answer.get(timeout=PATIENCE_S)
        if isinstance(response, Exception):
            raise Refused(self.ws.handshake_exc.response if hasattr(
                self.ws.handshake_exc, "response") else response)
        self.first = self.next("session")
        self.session = self.first["session_id"]

    def _flush(self):
        for data in self.ws.data_to_send():
            with contextlib.suppress(OSError):
                if not data:
                    self.sock.shutdown(socket.SHUT_WR)
                for piece in [bytes([b]) for b in data] if self.bytewise else [data]:
                    if piece:
                        self.sock.sendall(piece)

    def _read(self):
        opened = False
        while True:
            try:
                data = self.sock.recv(65536)
            except OSError:
                data = b""
            with self.lock:
                if data:
                    self.ws.receive_data(data)
                else:
                    self.ws.receive_eof()
                for event in self.ws.events_received():
                    if not opened:
                        opened = True
                        self.answer.put(self.ws.handshake_exc or event)
                    else:
                        self._take(event)
                if not opened and self.ws.handshake_exc:
                    opened = True
                    self.answer.put(self.ws.handshake_exc)
                self._flush()
            if not data:
                break
        self.gone.set()
        self.events.put(None)

    def _take(self, frame):
        if frame.opcode is Opcode.PONG:
            self.pongs += 1
        elif frame.opcode is Opcode.TEXT:
            event = json.loads(frame.data)
            if event["type"] == "audio":
                assert self.waits is None, "audio without its bytes"
                self.waits = event
                if event["bytes"]:
                    return
            assert self.waits in (None, event), "something between audio and its bytes"
            self.waits = None
            self.events.put(event)
        elif frame.opcode is Opcode.BINARY:
            event, self.waits = self.waits, None
            assert len(frame.data) == event["bytes"]
            self.events.put({**event, "data": frame.data})

    # -- saying

    def say(self, **message):
        self.text(json.dumps(message))

    def text(self, data):
        with self.lock:
            self.ws.send_text(data.encode())
            self._flush()

    def audio(self, data):
        with self.lock:
            self.ws.send_binary(data)
            self._flush()

    def frames(self, write):
        """write(self.ws) makes frames by hand."""
        with self.lock:
            write(self.ws)
            self._flush()

    def raw(self, data):
        self.sock.sendall(data)

    # -- hearing

    def next(self, kind=None, patience_s=PATIENCE_S):
        event = self.events.get(timeout=patience_s)
        assert event is not None, f"it was closed: {self.ws.close_code} {self.ws.close_reason}"
        assert kind is None or event["type"] == kind, event
        return event

    def until(self, kind, **members):
        """All events up to the first of that kind (and these members)."""
        seen = []
        while True:
            event = self.next()
            seen.append(event)
            if event["type"] == kind and all(event.get(k) == v for k, v in members.items()):
                return seen

    def closed(self):
        """Wait for the end; (code, reason) of the close frame."""
        assert self.gone.wait(PATIENCE_S), "it stays open"
        return self.ws.close_code, self.ws.close_reason

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
