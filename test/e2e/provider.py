"""Scripted providers over real sockets: OpenAI-compatible servers, Gemini, token servers.

A Provider listens on a free port and answers request after request with the Answers it was
given, exactly as scripted: which bytes, in which pieces, and how the connection ends. What was
asked is kept in `asked`.
"""
import contextlib
import json
import queue
import socket
import ssl
import struct
import threading

from node import PATIENCE_S, until


class Asked:
    """One request as it came."""

    def __init__(self, line, headers, body):
        self.method, self.path, _ = line.split(" ", 2)
        self.headers, self.body = headers, body
        self.gone = threading.Event()  # the other side closed before the answer was whole

    def json(self):
        return json.loads(self.body)


class Answer:
    """pieces: bytes, each sent for itself, in a chunk of its own. end: "whole" (the connection
    lives on), "cut" (closed without the end), "reset", or "hang" (stays, and says no more)."""

    def __init__(self, pieces=(), status=200, headers=None, end="whole",
                 content_type="text/event-stream"):
        self.pieces, self.status, self.end = list(pieces), status, end
        self.headers = {"Content-Type": content_type, **(headers or {})}

    def cut(self, count, end="cut"):
        """The same, but only so many pieces."""
        return Answer(self.pieces[:count], self.status, self.headers, end)

    def bytewise(self):
        return Answer([bytes([b]) for piece in self.pieces for b in piece], self.status,
                      self.headers, self.end)


def failure(status, body=b"", headers=None):
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    return Answer([body] if body else [], status, headers, content_type="application/json")


class Provider:
    def __init__(self, *answers, tls=None, otherwise=None):
        self.answers, self.otherwise = queue.SimpleQueue(), otherwise
        self.then(*answers)
        self.asked, self.connections, self.open = [], 0, set()
        self.tls, self.closing = tls, False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.scheme = "https" if tls else "http"
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def then(self, *answers):
        for a in answers:
            self.answers.put(a)

    def close(self):
        self.closing = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for s in list(self.open):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def wait_for(self, count):
        until(f"request {count}", lambda: len(self.asked) >= count)
        return self.asked[count - 1]

    # -- the wire

    def _accept(self):
        while not self.closing:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        self.open.add(s)
        try:
            s.settimeout(PATIENCE_S)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                s = self.tls.wrap_socket(s, server_side=True)
            file = s.makefile("rb")
            while self._one(s, file):
                pass
        except (OSError, ssl.SSLError, ValueError):
            pass
        finally:
            self.open.discard(s)
            with contextlib.suppress(OSError):
                s.close()

    def _one(self, s, file):
        line = file.readline().decode().strip()
        if not line:
            return False
        headers = {}
        while header := file.readline().decode().strip():
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        asked = Asked(line, headers, file.read(int(headers.get("content-length", 0))))
        try:
            answer = self.answers.get_nowait()
        except queue.Empty:
            answer = self.otherwise
        self.asked.append(asked)  # and nobody else gets its answer
        if callable(answer):
            answer = answer(asked)
        if answer is None:
            answer = failure(500)
        return self._answer(s, asked, answer)

    def _answer(self, s, asked, answer):
        head = "".join(f"{k}: {v}\r\n" for k, v in answer.headers.items())
        try:
            s.sendall(f"HTTP/1.1 {answer.status} X\r\n{head}Transfer-Encoding: chunked\r\n\r\n"
                      .encode())
            pieces, last = answer.pieces, b""
            # In one go: who reads an answer's last words finds its end there, and the connection
            # free. For an end that comes later a script ends with a piece that is called.
            if answer.end == "whole" and isinstance(pieces, list) and pieces:
                *pieces, last = pieces
            for piece in pieces:
                s.sendall(chunk(piece))
            if answer.end == "whole":
                s.sendall(chunk(last) + b"0\r\n\r\n")
                return True
            if answer.end == "reset":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif answer.end == "hang":
                while s.recv(4096):
                    pass
                asked.gone.set()
        except OSError:
            asked.gone.set()
        return False


def chunk(piece):
    if callable(piece):
        piece = piece()
    return b"%x\r\n%s\r\n" % (len(piece), piece) if piece else b""


def endless(piece):
    """A pieces list that never ends, until the other side has had enough."""
    while True:
        yield piece


class Endless(Answer):
    def __init__(self, piece, first=()):
        super().__init__()
        self.first, self.piece = list(first), piece

    @property
    def pieces(self):
        yield from self.first
        yield from endless(self.piece)

    @pieces.setter
    def pieces(self, _):
        pass


# -- OpenAI-compatible

def sse(value, end="\n\n"):
    text = value if isinstance(value, str) else json.dumps(value)
    return f"data: {text}{end}".encode()


def openai_delta(delta=None, finish=None, **more):
    return sse({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}],
                **more})


def openai_usage(prompt=20, answer=12, **more):
    return sse({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [],
                "usage": {"prompt_tokens": prompt, "completion_tokens": answer,
                          "total_tokens": prompt + answer, **more}})


def openai_words(*words, finish="stop", usage=True):
    return Answer([openai_delta({"role": "assistant", "content": None}),
                   *[openai_delta({"content": w}) for w in words],
                   openai_delta(finish=finish), *([openai_usage()] if usage else []),
                   sse("[DONE]")])


def openai_calls(*calls, first=(), finish="tool_calls", done=True):
    """calls: (name, arguments); arguments a dictionary, or a text as it is. In fragments."""
    pieces = [openai_delta({"content": w}) for w in first]
    for i, (name, args) in enumerate(calls):
        text = args if isinstance(args, str) else json.dumps(args)
        half = len(text) // 2
        pieces.append(openai_delta({"tool_calls": [
            {"index": i, "id": f"call_{i}_{name}", "type": "function",
             "function": {"name": name, "arguments": ""}}]}))
        pieces += [openai_delta({"tool_calls": [{"index": i, "function": {"arguments": part}}]})
                   for part in (text[:half], text[half:]) if part]
    pieces.append(openai_delta(finish=finish))
    return Answer(pieces + ([sse("[DONE]")] if done else []))


# -- Gemini

def gemini_chunk(*parts, finish=None, usage=None, **more):
    candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return sse({"candidates": [candidate],
                "usageMetadata": usage or {"promptTokenCount": 41, "totalTokenCount": 41},
                "modelVersion": "gemini-x", "responseId": "x1", **more}, "\r\n\r\n")


GEMINI_USAGE = {"promptTokenCount": 41, "candidatesTokenCount": 22, "thoughtsTokenCount": 117,
                "totalTokenCount": 180}


def gemini_words(*words, finish="STOP"):
    return Answer([*[gemini_chunk({"text": w}) for w in words],
                   gemini_chunk({"text": ""}, finish=finish, usage=GEMINI_USAGE)])


def gemini_call(name, args, signature=None, id=None):
    part = {"functionCall": {"name": name, "args": args}}
    if id:
        part["functionCall"]["id"] = id
    if signature:
        part["thoughtSignature"] = signature
    return part


def gemini_calls(*parts, first=()):
    return Answer([*[gemini_chunk({"text": w}) for w in first], gemini_chunk(*parts),
                   gemini_chunk({"text": ""}, finish="STOP", usage=GEMINI_USAGE)])
