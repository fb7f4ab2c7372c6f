"""`maya chat` and `maya healthcheck` against a server of a few lines that misbehaves on demand."""
import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from node import MAYA, PATIENCE_S, until

SUM = {"tab_amount": 26.0, "balance": 974.0, "tip_percentage": None, "tip_amount": 0.0}
SID = "sess_0123456789abcdef"
CUT = object()  # in a script: break the connection off


def event(n, kind, **more):
    text = json.dumps({"type": kind, "session_id": SID, **more})
    head = f"id: {n}\n" if n is not None else ""
    return f"{head}data: {text}\n\n".encode()


def answer(*words, ids=True, full=None):
    """The events of a whole turn that says `words`."""
    n = iter(range(1, 1000)) if ids else iter(lambda: None, 1)
    full = "".join(words) if full is None else full
    return [event(next(n), "session"),
            *(event(next(n), "text_chunk", content=w, partial=w) for w in words),
            event(next(n), "complete", content=full, full_response=full, payment_summary=SUM)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.removeprefix("/api/v1")
        # Before it counts as seen: who waits for that may put another answer there.
        page = self.fake.pages.get(path, (404, {}, {"detail": "Not Found"}))
        self.fake.seen.append((path, dict(self.headers.items()), body))
        if path == "/chat/stream":
            return self.turn(self.fake.turns.pop(0))
        self.plain(*page)

    do_POST = do_GET

    def plain(self, status, headers, data):
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def turn(self, script):
        if isinstance(script, tuple):
            return self.plain(*script)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("X-Session-ID", SID)
        self.end_headers()
        for piece in script:
            if piece is CUT:
                # With a reset, not an end: what a crashed server leaves behind.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                           struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return
            if callable(piece):
                piece(self)
                continue
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


class Fake:
    def __init__(self):
        self.seen, self.turns = [], []
        self.pages = {
            "/session/status": (200, {}, {"session_id": SID, "is_active": True}),
            "/agent": (200, {}, {"name": "Maya", "greeting": "Good evening."}),
            "/payments/tab": (200, {}, {**SUM, "status": "pending"}),
            "/payments/tip": (200, {}, {**SUM, "tip_percentage": 20, "tip_amount": 5.2}),
            "/session/reset": (200, {}, {"status": "success", "session_id": SID}),
            "/session/history": (200, {}, {"current_order": [
                {"name": "Martini", "price": 26.0, "modifiers": "dry", "quantity": 2},
                {"name": "Water", "price": 1.0, "modifiers": "no modifiers", "quantity": 1}]}),
            "/menu": (200, {}, {"categories": [{"name": "Beer", "items": [
                {"name": "IPA", "price": 6.0, "description": "Hoppy\x1b[31m"}]}]}),
        }
        handler = type("FakeHandler", (Handler,), {"fake": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def asked(self, path="/chat/stream"):
        return [(headers, body) for p, headers, body in self.seen if p == path]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def fake():
    f = Fake()
    yield f
    f.close()


def run(*args, lines="", env=None):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MAYA_")}
    p = subprocess.run([MAYA, *args], input=lines.encode(), capture_output=True,
                       timeout=3 * PATIENCE_S, env={**clean, **(env or {})}, cwd="/")
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def chat(fake, *turns, lines="hello\n", args=()):
    fake.turns = list(turns)
    return run("chat", fake.url, *args, lines=lines)


def test_an_answer_a_line(fake):
    code, out, err = chat(fake, answer("One ", "Mar", "tini."), answer("Two\n", "lines\n\n", "of it"),
                          answer("Bye."), lines="a martini\n\n  \nmenu\nbye")
    assert (code, out, err) == (0, "One Martini.\nTwo lines of it\nBye.\n", "")
    assert [json.loads(body) for _, body in fake.asked()] == [
        {"message": "a martini"}, {"message": "menu"}, {"message": "bye"}]


def test_one_session_and_a_key_a_turn(fake):
    chat(fake, answer("A."), answer("B."), lines="1\n2\n")
    (first, _), (second, _) = fake.asked()
    assert first["X-Session-ID"] == second["X-Session-ID"] == SID
    assert re.fullmatch("[0-9a-f]{32}", first["Idempotency-Key"])
    assert first["Idempotency-Key"] != second["Idempotency-Key"]
    assert "Last-Event-ID" not in second


def test_session_of_before(fake):
    chat(fake, answer("A."), args=("--session", "sess_mine"))
    assert {h["X-Session-ID"] for h, _ in fake.asked("/session/status")} == {"sess_mine"}
    code, _, err = chat(fake, args=("--session", "a\r\nX-Evil: 1"))
    assert code == 2 and "letters, digits" in err
    fake.pages["/session/status"] = (200, {}, {"session_id": "a b\r\nX-Evil: 1"})
    code, _, _ = chat(fake, answer("A."))
    assert "X-Session-ID" not in fake.asked()[-1][0] and code == 0


def test_every_byte_by_itself(fake):
    stream = b"".join(answer("Caf\u00e9 ", "cr\u00e8me, ", "\u20ac5."))
    code, out, _ = chat(fake, [bytes([b]) for b in stream])
    assert (code, out) == (0, "Caf\u00e9 cr\u00e8me, \u20ac5.\n")


def test_words_appear_as_they_come(fake):
    """The second half is sent only when the first was seen."""
    go = threading.Event()
    events = answer("Good ", "evening.")
    fake.turns = [[*events[:2], lambda _: go.wait(PATIENCE_S), *events[2:]]]
    p = subprocess.Popen([MAYA, "chat", fake.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    p.stdin.write(b"hi\n")
    p.stdin.close()
    assert os.read(p.stdout.fileno(), 100) == b"Good"
    go.set()
    assert p.stdout.read() == b" evening.\n"
    p.stdout.close()
    assert p.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("cut_at", [1, 25, 90])
def test_cut_in_mid_event_goes_on_where_it_was(fake, cut_at):
    events = answer("One ", "Martini, ", "dry.")
    torn = events[:2] + [events[2][:cut_at], CUT]
    code, out, err = chat(fake, torn, events[2:])
    assert (code, out, err) == (0, "One Martini, dry.\n", "")
    (first, _), (second, _) = fake.asked()
    assert first["Idempotency-Key"] == second["Idempotency-Key"]
    assert second["Last-Event-ID"] == "2"


def test_a_stream_that_ends_early_is_no_answer(fake):
    events = answer("One ", "Martini.")
    code, out, _ = chat(fake, events[:2], events)  # all of them once more: known by their ids
    assert (code, out) == (0, "One Martini.\n")


def test_a_repeated_stream_with_other_ids_is_said_once(fake):
    code, out, _ = chat(fake, answer("One ", "Mar", "tini.", ids=False)[:3] + [CUT],
                        answer("One Martini.", ids=False))
    assert (code, out) == (0, "One Martini.\n")


def test_it_gives_up(fake):
    code, out, err = chat(fake, *[answer("One ")[:2] + [CUT]] * 4, lines="hello\nnever asked\n")
    assert (code, out) == (1, "One\n")
    assert "broke off" in err and fake.url in err and err.count("\n") == 1
    assert len(fake.asked()) == 4


def test_malformed_events_are_asked_for_again(fake):
    events = answer("One ", "Martini.")
    bad = [b"id: 2\ndata: {\"type\": \"text_chunk\", \"content\n\n", b"data: [1,2\n\n", b"data: 7\n\n",
           b"data: null\n\n", b"data: {\"type\": 5, \"content\": {}}\n\n", b"garbage\n\n",
           b"data: \xff\xfe\n\n"]
    code, out, _ = chat(fake, [events[0], *bad, *events[1:3], b"id: 4\ndata: {\"type\":\n\n"],
                        events[3:])
    assert (code, out) == (0, "One Martini.\n")
    assert fake.asked()[1][0]["Last-Event-ID"] == "3"


@pytest.mark.parametrize("status, words, code", [
    (503, "Session limit reached", 75), (429, "Rate limit exceeded.", 75),
    (413, "The request body is too large.", 1)])
def test_refusals_in_the_servers_words(fake, status, words, code):
    got, out, err = chat(fake, (status, {"Retry-After": "7"}, {"detail": words, "code": "x"}))
    assert (got, out) == (code, "")
    assert err == f"maya: {words} (try again in 7 s)\n"


def test_refusals_without_words(fake):
    page = b"<html>" + b"x" * 5000
    code, _, err = chat(fake, (500, {"Content-Type": "text/html"}, page))
    assert (code, err) == (1, f"maya: {fake.url} answers 500\n")
    code, _, err = chat(fake, (422, {}, {"detail": [{"msg": "Field required\x1b[2J"}]}))
    assert (code, err) == (1, "maya: Field required[2J\n")


@pytest.mark.parametrize("location, told", [
    ("https://bar.example:8443/api/v1/chat/stream?x=1", "https://bar.example:8443"),
    ("https://bar.example", "https://bar.example"), ("/elsewhere?at=http://b", "another page"),
    ("https://\x1b[2Jbar.example/", "https://[2Jbar.example"), ("", "another page")])
def test_sent_elsewhere(fake, location, told):
    code, _, err = chat(fake, (308, {"Location": location}, b""))
    assert (code, err) == (1, f"maya: {fake.url} sends people to {told}; give that address\n")


def test_a_gateway_that_finds_nobody_is_asked_again(fake):
    code, out, _ = chat(fake, (502, {}, b"bad gateway"), answer("Here."))
    assert (code, out) == (0, "Here.\n")


def test_a_container_that_is_replaced_in_mid_answer(fake):
    events = answer("One ", "Martini.")
    busy = (429, {}, {"detail": "Too many messages are waiting.", "code": "turn_in_progress"})
    code, out, err = chat(fake, events[:2] + [CUT], (503, {}, {"detail": "Shutting down."}), busy,
                          events[2:])
    assert (code, out, err) == (0, "One Martini.\n", "")
    assert len({h["Idempotency-Key"] for h, _ in fake.asked()}) == 1


def test_something_else_answers(fake):
    code, _, err = chat(fake, (200, {"Content-Type": "text/html\x1b"}, b"<html>"))
    assert code == 1 and "not as Maya does (text/html)" in err
    fake.pages["/session/status"] = (200, {"Content-Type": "text/html"}, b"<html>")
    code, _, err = chat(fake)
    assert code == 1 and "is the address right?" in err
    fake.pages["/session/status"] = (200, {}, b"x" * (3 << 20))
    code, _, err = chat(fake)
    assert code == 1 and "more than a Maya would" in err


def test_an_error_event(fake):
    code, out, err = chat(fake, [event(1, "session"), event(2, "text_chunk", content="Well"),
                                 event(3, "error", content="No\x1b[31m more.")])
    assert (code, out, err) == (1, "Well\n", "maya: No[31m more.\n")


def test_an_error_that_passes(fake):
    """Its id may be that of the event before: no words came in between."""
    code, out, err = chat(fake, [event("3-0-0", "session"), event(
        "3-0-0", "error", content="Session limit reached", code="session_limit")])
    assert (code, out, err) == (75, "", "maya: Session limit reached\n")


def test_a_stream_from_its_start_and_words_that_begin_alike(fake):
    events = answer("One ", "One more.")
    code, out, _ = chat(fake, events[:2] + [CUT], events)
    assert (code, out) == (0, "One One more.\n")


def test_only_complete_has_words(fake):
    assert chat(fake, answer(full="All at once."))[1] == "All at once.\n"
    assert chat(fake, answer("Some", full="Something."))[1] == "Something.\n"
    assert chat(fake, answer("Wrong.", full="Right."))[1] == "Wrong. Right.\n"
    assert chat(fake, answer(full=""))[1] == "\n"


def test_control_characters_never_come_through(fake):
    evil = "a\x1b]0;owned\x07b\x9b31mcd\u202ee\x08f\r\x7f"
    fake.turns = [answer(*evil, full=evil)]
    code, out, err = run("chat", fake.url, lines="hi\n/menu\n")
    assert code == 0
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out + err)
    assert "a]0;ownedb31mcdef" in out
    assert chat(fake, answer("a\x00b", full="a"))[:2] == (0, "a\n")


def test_commands(fake):
    code, out, err = chat(fake, lines="/order\n/tab\n/menu\n/tip 20%\n/tip $2.50\n/reset\n/quit\nno\n")
    assert (code, err) == (0, "")
    assert out == (" 2 x Martini, dry  $26.00\n 1 x Water  $1.00\n"
                   "tab $26.00, balance $974.00\n"
                   "Beer\n  IPA                  $  6.00  Hoppy[31m\n"
                   + "tab $26.00, tip $5.20 (20%), balance $974.00\n" * 2
                   + "A fresh start: nothing is ordered.\n")
    assert [json.loads(b) for _, b in fake.asked("/payments/tip")] == [
        {"tip_percentage": 20}, {"tip_amount": 2.5}]
    assert fake.asked() == []


def test_commands_that_are_none(fake):
    code, _, err = chat(fake, lines="/odrer\n")
    assert (code, err) == (2, "maya: there is no /odrer; did you mean /order?\n")
    code, out, _ = chat(fake, lines="/tip a lot\n")
    assert code == 0 and "/tip 20" in out and fake.asked("/payments/tip") == []


def test_nobody_is_there():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))  # bound, and not listening: nobody else can take it
        code, out, err = run("chat", f"127.0.0.1:{s.getsockname()[1]}", lines="hi\n")
    assert (code, out) == (1, "")
    assert "nobody answers at" in err and "maya serve" in err and err.count("\n") == 1


@pytest.mark.parametrize("url, words", [("ftp://x", "not an address"), ("http://", "check the address"),
                                        ("https://127.0.0.1:9", "nobody answers")])
def test_odd_addresses(url, words):
    code, _, err = run("chat", url, lines="hi\n")
    assert code in (1, 2) and words in err and err.count("\n") == 1


def test_a_proxy_is_not_for_this_machine(fake):
    fake.turns = [answer("Direct.")]
    code, out, _ = run("chat", fake.url, lines="hi\n", env={"http_proxy": "http://127.0.0.1:1"})
    assert (code, out) == (0, "Direct.\n")


def test_where_it_asks_by_itself(fake):
    fake.turns = [answer("Here.")]
    code, out, _ = run("chat", lines="hi\n", env={"PORT": str(fake.server.server_port)})
    assert (code, out) == (0, "Here.\n")


class Terminal:
    """`maya chat` as a person sees it."""

    def __init__(self, *args, env=None):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm", **(env or {})})
            os.execv(MAYA, [str(MAYA), *args])

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, pattern):
        """What was written up to and with the pattern, since the last time."""
        while not (m := re.search(pattern, self.text)):
            ready, _, _ = select.select([self.fd], [], [], PATIENCE_S)
            assert ready, f"{pattern!r} never came: {self.text!r}"
            try:
                self.text += os.read(self.fd, 4096).decode()
            except OSError:
                raise AssertionError(f"{pattern!r} never came: {self.text!r}") from None
        seen, self.text = self.text[:m.end()], self.text[m.end():]
        return seen

    def end(self):
        rest = self.text
        while True:
            try:
                piece = os.read(self.fd, 4096)
            except OSError:
                break
            if not piece:
                break
            rest += piece.decode()
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status), rest


PROMPT = re.escape("\x1b[1;36m>\x1b[0m ")


def test_a_conversation_in_a_terminal(fake):
    fake.turns = [answer("One ", "Martini.")]
    t = Terminal("chat", fake.url)
    assert "Good evening." in t.until(PROMPT)
    t.type("a martini\n")
    said = t.until(PROMPT)
    assert "One Martini.\r\n\x1b[2mtab $26.00, balance $974.00\x1b[0m\r\n" in said
    t.type("\x04")
    code, rest = t.end()
    assert code == 0 and f"--session {SID}" in rest


def test_no_color(fake):
    fake.turns = [answer("One.")]
    t = Terminal("chat", fake.url, env={"NO_COLOR": "1"})
    seen = t.until("> ")
    t.type("hi\n")
    seen += t.until("> ")
    t.type("/quit\n")
    code, rest = t.end()
    assert code == 0 and "\x1b" not in seen + rest


def test_ctrl_c_stops_the_answer_and_not_the_conversation(fake):
    gone = threading.Event()

    def wait_for_the_end(handler):
        try:
            while handler.connection.recv(100):
                pass
        except OSError:
            pass
        gone.set()

    events = answer("One ", "Martini.")
    fake.turns = [[*events[:2], wait_for_the_end], answer("Still here.")]
    t = Terminal("chat", fake.url)
    t.until(PROMPT)
    t.type("a long story\n")
    t.until("One")
    t.type("\x03")
    t.until(re.escape("(stopped)"))
    assert gone.wait(PATIENCE_S)
    t.until(PROMPT)
    t.type("\x03")
    t.until("Ctrl-D leaves")
    t.until(PROMPT)
    t.type("hi\n")
    t.until("Still here")
    t.until(PROMPT)
    t.type("\x04")
    assert t.end()[0] == 0


def test_ctrl_c_at_the_prompt_is_never_lost(fake):
    """Nor where it comes between the prompt and the wait for a line."""
    t = Terminal("chat", fake.url)
    t.until(PROMPT)
    for _ in range(500):
        t.type("\x03")
        t.until("Ctrl-D leaves")
        t.until(PROMPT)
    t.type("\x04")
    assert t.end()[0] == 0


def test_a_refusal_does_not_end_a_conversation(fake):
    fake.turns = [(503, {"Retry-After": "5"}, {"detail": "Session limit reached"}), answer("Hi.")]
    t = Terminal("chat", fake.url)
    t.until(PROMPT)
    t.type("hi\n")
    assert "maya: Session limit reached (try again in 5 s)\r\n" in t.until(PROMPT)
    t.type("hi\n")
    t.until("Hi[.]")
    os.kill(t.pid, signal.SIGHUP)
    assert t.end()[0] == -signal.SIGHUP


@pytest.mark.parametrize("status, body, code, words", [
    (200, {"status": "healthy", "checks": []}, 0, "healthy\n"),
    (503, {"status": "unhealthy", "checks": ["Container memory pressure detected", "store\x1b"]}, 1,
     "maya: unhealthy: Container memory pressure detected, store\n"),
    (200, {"status": "unhealthy", "checks": []}, 1, "maya: unhealthy\n"),
    (503, {"status": "healthy", "checks": []}, 1, "maya: unhealthy\n"),
    (404, {"detail": "Not Found"}, 1, "answers 404, but not as Maya does\n"),
    (200, b"ok", 1, "answers 200, but not as Maya does\n"),
    (200, [], 1, "answers 200, but not as Maya does\n")])
def test_healthcheck(fake, status, body, code, words):
    fake.pages["/healthz"] = (status, {}, body)
    got, out, err = run("healthcheck", f"--timeout={PATIENCE_S}", fake.url)
    assert got == code and (out + err).endswith(words)


def test_healthcheck_asks_where_this_machine_listens(fake):
    fake.pages["/healthz"] = (200, {}, {"status": "healthy", "checks": []})
    assert run("healthcheck", f"--timeout={PATIENCE_S}",
               env={"PORT": str(fake.server.server_port)})[0] == 0
    assert run("healthcheck", env={"HOST": "unix:/nowhere/maya.sock"})[0] == 1
    assert run("healthcheck", "a", "b")[0] == 2
    for wrong in ("--watch=0", "--watch", "--timeout=", "--timeout=1.5", "--wait=1"):
        assert run("healthcheck", wrong)[0] == 2


@contextlib.contextmanager
def watch(fake, seconds, well):
    """`maya healthcheck --watch`, as an engine has it; it has asked once."""
    said(fake, well)
    p = subprocess.Popen([MAYA, "healthcheck", f"--watch={seconds}", f"--timeout={PATIENCE_S}",
                          fake.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until("it asked", lambda: fake.seen)
        yield p
    finally:
        p.kill()
        p.wait()


def said(fake, well):
    fake.pages["/healthz"] = (200, {}, {"status": "healthy"}) if well else (503, {}, {"status": "unhealthy"})


def test_a_watch_tells_at_once_what_becomes_well(fake):
    with watch(fake, 3600, well=False) as p:
        said(fake, well=True)
        assert p.communicate(timeout=PATIENCE_S) == ("healthy\n", "") and p.returncode == 0


def test_a_watch_goes_on_until_it_has_been_unwell_for_as_long_as_it_says(fake):
    with watch(fake, 1, well=True) as p:
        until("it goes on asking", lambda: len(fake.seen) >= 2)
        assert p.poll() is None
        said(fake, well=False)
        assert p.communicate(timeout=PATIENCE_S) == ("", "maya: unhealthy\n") and p.returncode == 1
