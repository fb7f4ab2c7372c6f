"""An HTTP proxy with bad manners: it stands between a browser and any Maya and delays, cuts,
splits or refuses the answers to messages, so that the tests need no fake server. It
remembers what was asked.
"""
import dataclasses
import http.client
import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "te", "upgrade"}


@dataclasses.dataclass
class Fault:
    """What happens to one message; each is used once, in order."""
    status: int = 0  # answer this instead of asking the server
    code: str = ""
    retry_after_s: int = 0
    cut_events: int = -1  # break off after so many events
    torn: bool = True  # the break is an error for the browser, not a clean end
    drop: bool = False  # the server does the work, the browser hears nothing at all
    hold: dict = dataclasses.field(default_factory=dict)  # after so many events: wait for that
    one_byte: bool = False  # every byte in a packet of its own
    forget: bool = False  # hide what was seen, so that the server begins anew


class Gate(threading.Event):
    """Where an answer is held back until it is set."""
    said = None  # the words that came before it, when the answer is there


def holds(*events):
    return {n: Gate() for n in events}


FAULTS = {
    "cut": Fault(cut_events=4),
    "end": Fault(cut_events=4, torn=False),
    "drop": Fault(drop=True),
    "full": Fault(status=503, code="session_limit", retry_after_s=3),
    "split": Fault(one_byte=True),
    "large": Fault(status=413, code="request_too_large"),
    "fast": Fault(status=429, code="rate_limited", retry_after_s=10),
}
DETAIL = {503: "Session limit reached", 413: "The request body is too large.",
          429: "Rate limit exceeded."}


def words_of(event):
    told = [json.loads(line[5:]) for line in event.splitlines() if line.startswith(b"data:")]
    return "".join(e["content"] for e in told if e["type"] == "text_chunk")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.relay()

    do_POST = do_GET

    def relay(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urllib.parse.urlsplit(self.path).path
        self.proxy.seen.append((self.command, self.path, dict(self.headers.items()), body))
        fault = Fault()
        if path in self.proxy.closed:
            return self.refuse(Fault(status=503, code="store_unavailable"))
        if path.endswith("/chat/stream") and self.proxy.faults:
            fault = self.proxy.faults.pop(0)
        if fault.status:
            return self.refuse(fault)
        up = http.client.HTTPConnection(self.proxy.host, timeout=60)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP}
            if fault.forget:
                headers.pop("Last-Event-ID", None)
            up.request(self.command, self.path, body or None, headers)
            answer = up.getresponse()
            self.answer(answer, fault)
        finally:
            up.close()

    def refuse(self, fault):
        data = json.dumps({"detail": DETAIL[fault.status], "code": fault.code}).encode()
        self.send_response(fault.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if fault.retry_after_s:
            self.send_header("Retry-After", str(fault.retry_after_s))
        self.end_headers()
        self.wfile.write(data)

    def answer(self, answer, fault):
        stream = answer.headers.get("Content-Type", "").startswith("text/event-stream")
        if fault.drop:
            answer.read()
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in HOP:
                self.send_header(name, value)
        if not stream:
            data = answer.read()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.events(answer, fault):
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True

    def events(self, answer, fault):
        """Pass the events on. False: leave the browser without a proper end."""
        sent, said = 0, ""
        event = b""
        for line in answer:
            event += line
            if line.strip():
                continue
            if sent == fault.cut_events:
                return not fault.torn
            self.send(event, fault.one_byte)
            said += words_of(event)
            event = b""
            sent += 1
            if sent in fault.hold:
                fault.hold[sent].said = said.strip()
                fault.hold[sent].wait(60)
            if self.proxy.pace_s:
                time.sleep(self.proxy.pace_s)
        return True

    def send(self, data, one_byte):
        step = 1 if one_byte else len(data)
        for at in range(0, len(data), step):
            part = data[at:at + step]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            self.wfile.flush()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # of five, what a browser opens at once is lost, and tried again late

    def handle_error(self, request, client_address):
        pass


class Unruly:
    def __init__(self, upstream, port=0, pace_s=0.01):
        self.host = urllib.parse.urlsplit(upstream).netloc
        self.pace_s = pace_s
        self.faults = []
        self.closed = set()  # paths that answer 503
        self.seen = []
        self.server = Server(("127.0.0.1", port), type("Proxy", (Handler,), {"proxy": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def messages(self):
        """The requests that said something: (method, path, headers, body)."""
        return [r for r in self.seen if urllib.parse.urlsplit(r[1]).path.endswith("/chat/stream")]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
