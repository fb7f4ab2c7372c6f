"""The WebSocket itself, against another implementation: handshake, frames, closing, limits."""
import base64
import hashlib
import json
import os

import pytest
from websockets.frames import Frame, Opcode

from node import until
from socket_peer import Conversation, Refused

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = base64.b64encode(bytes(16)).decode()
OPEN = {"Host": "x", "Upgrade": "websocket", "Connection": "keep-alive, Upgrade",
        "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13"}


def ask(node, method="GET", version="HTTP/1.1", drop=(), body=b"", **change):
    headers = {k: v for k, v in {**OPEN, **change}.items() if k not in drop}
    head = f"{method} /api/v1/voice {version}\r\n" + "".join(
        f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n"
    with node.raw(head.encode() + body) as s:
        answer = b""
        while b"\r\n\r\n" not in answer:
            piece = s.recv(65536)
            if not piece:
                break
            answer += piece
    return int(answer.split(b" ", 2)[1]), answer.decode("latin-1")


def test_the_handshake(node):
    status, answer = ask(node)
    assert status == 101
    accept = base64.b64encode(hashlib.sha1((KEY + GUID).encode()).digest()).decode()
    assert f"Sec-WebSocket-Accept: {accept}\r\n" in answer
    assert "Upgrade: websocket\r\nConnection: Upgrade\r\n" in answer
    assert "Extensions" not in answer and "Content-Length" not in answer
    status, answer = ask(node, **{"Sec-WebSocket-Extensions": "permessage-deflate"})
    assert status == 101 and "Extensions" not in answer


@pytest.mark.parametrize("status, change", [
    (426, {"drop": ["Upgrade"]}), (426, {"Upgrade": "h2c"}),
    (426, {"Sec-WebSocket-Version": "8"}), (426, {"drop": ["Sec-WebSocket-Version"]}),
    (400, {"Connection": "keep-alive"}), (400, {"drop": ["Sec-WebSocket-Key"]}),
    (400, {"Sec-WebSocket-Key": "short"}), (400, {"version": "HTTP/1.0"}),
    (400, {"body": b"x", "Content-Length": "1"}), (405, {"method": "POST"}),
    (405, {"method": "HEAD"}),
])
def test_what_is_no_handshake(node, status, change):
    change = dict(change)
    got, answer = ask(node, **change)
    assert got == status, answer
    if status == 426:
        assert "Sec-WebSocket-Version: 13\r\n" in answer and "Upgrade: websocket\r\n" in answer


def test_origins(nodes):
    n = nodes({"ALLOW_ORIGINS": "https://bar.example", "MAYA_VOICE": "off"})
    own = f"http://{n.host}:{n.port}"
    for origin in ["https://bar.example", own]:
        Conversation(n, headers=[("Origin", origin)]).close()
    for origin in ["https://bar.example.evil", "null", "http://127.0.0.1", "https://"]:
        with pytest.raises(Refused) as refused:
            Conversation(n, headers=[("Origin", origin)])
        assert refused.value.status == 403


def test_session_ids(node):
    with Conversation(node, "my-own-session-1") as c:
        assert c.session == "my-own-session-1"
    with Conversation(node, headers=[("X-Session-ID", "in-a-header-0001")]) as c:
        assert c.session == "in-a-header-0001"
    with pytest.raises(Refused) as refused:
        Conversation(node, "not+an,id")
    assert refused.value.status == 400


def test_pings_and_fragments(node):
    with Conversation(node) as c:
        c.frames(lambda ws: ws.send_ping(b"there?"))
        until("no pong", lambda: c.pongs == 1)
        text = json.dumps({"type": "text", "text": "grüße, a beer"}, ensure_ascii=False).encode()

        def write(ws):
            ws.send_text(text[:22], fin=False)
            ws.send_ping(b"")
            for i in range(22, len(text)):
                ws.send_continuation(text[i:i + 1], fin=False)
            ws.send_continuation(b"", fin=True)

        c.frames(write)
        c.until("complete")
        assert c.pongs == 2


@pytest.mark.parametrize("data, code", [
    (b"\x81\x05hello", 1002), (b"\xc1\x80\0\0\0\0", 1002), (b"\x83\x80\0\0\0\0", 1002),
    (b"\x80\x80\0\0\0\0", 1002), (b"\x81\x81\0\0\0\0\xff", 1007),
    (b"\x82\xff\x00\x00\x00\x01\x00\x00\x00\x00\0\0\0\0x", 1009),
    (b"\x88\x81\0\0\0\0\x03", 1002),
])
def test_what_must_not_be_ends_it(node, data, code):
    with Conversation(node) as c:
        c.raw(data)
        assert c.closed()[0] == code


def test_too_long_a_message(node):
    with Conversation(node) as c:
        c.text(json.dumps({"type": "text", "text": "x" * 70000}))
        assert c.closed() == (1009, "a message may have 65536 bytes")


def test_closing(node):
    with Conversation(node) as c:
        c.frames(lambda ws: ws.send_close(4000, "that is all"))
        assert c.closed() == (4000, "that is all")
    until("it is still counted", lambda: node.metric("maya_http_websockets") == 0)


def test_a_stop_says_goodbye(nodes):
    n = nodes({"MAYA_VOICE": "off"})
    with Conversation(n) as c, Conversation(n) as d:
        c.say(type="text", text="a beer")
        c.until("complete")
        n.stop()
        assert c.closed() == (1001, "the server is shutting down")
        assert d.closed()[0] == 1001


def test_who_reads_nothing_is_cut_off(nodes):
    n = nodes({"MAYA_VOICE": "off"})
    with Conversation(n) as c:
        c.lock.acquire()  # its reader waits

        def flood():
            c.sock.sendall(b"".join(
                Frame(Opcode.PING, os.urandom(100)).serialize(mask=True) for _ in range(2000)))
            return n.metric("maya_http_websockets") == 0

        try:
            until("it grows", lambda: closed_by(flood))
        finally:
            c.lock.release()
        assert n.metric("maya_http_closed_total", reason="stalled") == 1


def closed_by(act):
    try:
        return act()
    except OSError:
        return True
