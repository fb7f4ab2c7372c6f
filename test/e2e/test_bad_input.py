"""What clients send by mistake or on purpose: the right status, a clear body, bounded memory."""
import contextlib
import json
import resource
import socket

import pytest

from node import PATIENCE_S, read_all, replies, until

MB = 1 << 20


def post(body, path="/api/v1/chat", head=b""):
    return (b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n%b"
            b"Content-Length: %d\r\nConnection: close\r\n\r\n%b"
            % (path.encode(), head, len(body), body))


def one(node, data):
    found = replies(node.ask_raw(data))
    assert len(found) == 1, found
    return found[0]


def clear(reply, statuses):
    """An error that a program and a person can read."""
    status, headers, body = reply
    assert status in statuses, reply
    assert headers["content-type"].startswith("application/json")
    assert json.loads(body)["code"] and json.loads(body)["detail"]


# -- JSON


@pytest.mark.parametrize("body", [
    b"{", b"}", b"null", b"true", b"5", b'"text"', b"[]", b"{'user_input':'x'}",
    b'{"user_input":"x",}', b'{"user_input":"x"} trailing', b'{"user_input":"\\ud800"}',
    b'{"user_input":"\\u00"}', b'{"user_input":"a\nb"}', b'{"user_input":NaN}',
    b'{"user_input":1e999}', b'{"user_input":[]}', b'{"user_input":{}}', b'{"user_input":null}',
    b'{"user_input":true}', b"\xef\xbb\xbf", b"\x00", b'{"user_input":"x\x00y"}',
    b'{"user_input":"\xff\xfe"}', b'{"user_input":"\xc0\xaf"}', b'{"user_input":"\xed\xa0\x80"}',
    b'{"user_input":"\xf5\x80\x80\x80"}', b'{"user_input":"\xe2\x82"}',
])
def test_bodies_that_are_not_right(node, body):
    clear(one(node, post(body)), (400, 422))


@pytest.mark.parametrize("path, body", [
    ("/api/v1/session/keys", b'{"gemini_key":{}}'), ("/api/v1/session/keys", b"[]"),
    ("/api/v1/payments/tip", b'{"tip_percentage":"many"}'),
    ("/api/v1/payments/tip", b'{"tip_amount":"-1"}'), ("/api/v1/payments/tip", b'{"tip_amount":[]}'),
    ("/api/v1/payments/tip", b'{"tip_percentage":true}'),
    ("/api/v1/payments/tip", b'{"tip_percentage":99999999999999999999999}'),
])
def test_fields_that_are_not_right(node, path, body):
    clear(one(node, post(body, path)), (400, 422))


def test_a_nul_in_a_message(node):
    """Legal JSON; either it is refused or it comes back as it went."""
    status, _, body = one(node, post(b'{"user_input":"a\\u0000b"}'))
    assert status in (400, 422) or json.loads(body)["history"][0]["content"] == "a\0b"


@pytest.mark.parametrize("opening, closing", [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("depth", [3000, 100000])
def test_deep_nesting(node, opening, closing, depth):
    deep = opening * depth + b"1" + closing * depth
    status, _, body = one(node, post(b'{"user_input":"hi","x":' + deep + b"}"))
    assert status in (400, 413, 422), (status, body[:200])
    assert node.get("/healthz").status == 200


def test_a_member_given_twice_is_one_turn(node):
    status, _, body = one(node, post(b'{"user_input":"an ipa","user_input":"two martinis"}'))
    assert status in (200, 400, 422)
    if status == 200:
        assert len(json.loads(body)["history"]) == 2


# -- sizes


def test_a_body_over_the_limit_is_refused_before_it_is_sent(node):
    head = (b"POST /api/v1/chat HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            b"Content-Length: 10485760\r\n\r\n")
    with node.raw(head) as s:
        reply = replies(read_all(s))[0]
    clear(reply, (413,))
    assert json.loads(reply[2])["code"] == "request_too_large"


def test_a_chunked_body_over_the_limit(node):
    head = (b"POST /api/v1/chat HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    before = node.rss()
    with node.raw(head) as s:
        with contextlib.suppress(OSError):
            for _ in range(160):
                s.sendall(chunk)
            s.sendall(b"0\r\n\r\n")
        answer = b""
        with contextlib.suppress(OSError):
            answer = read_all(s)
    assert not answer or answer.startswith(b"HTTP/1.1 413 "), answer[:100]
    assert node.rss() - before < 8 * MB
    assert node.get("/healthz").status == 200


def test_expect_continue_is_not_invited_to_send_too_much(node):
    head = (b"POST /api/v1/chat HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
            b"Content-Type: application/json\r\nContent-Length: 10485760\r\n\r\n")
    with node.raw(head) as s:
        assert read_all(s).startswith(b"HTTP/1.1 413 ")


def test_expect_continue(node):
    body = b'{"user_input":"hello there"}'
    head = (b"POST /api/v1/chat HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
    with node.raw(head) as s:
        assert s.recv(4096).startswith(b"HTTP/1.1 100 ")
        s.sendall(body)
        assert replies(read_all(s))[0][0] == 200


@pytest.mark.parametrize("head", [
    b"X-Big: " + b"a" * 100000 + b"\r\n",
    b"".join(b"X-Many-%d: %b\r\n" % (i, b"a" * 100) for i in range(1000)),
    b"Cookie: " + b"a=b; " * 20000 + b"\r\n",
])
def test_huge_headers(node, head):
    request = b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n"
    answer = b""
    with node.raw() as s, contextlib.suppress(OSError):
        with contextlib.suppress(OSError):
            s.sendall(request)
        answer = read_all(s)
    assert not answer or answer.startswith(b"HTTP/1.1 431 "), answer[:100]
    assert node.get("/healthz").status == 200


def test_a_huge_path(node):
    answer = b""
    with node.raw() as s, contextlib.suppress(OSError):
        with contextlib.suppress(OSError):  # it does not listen to the end for ever
            s.sendall(b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = read_all(s)
    assert not answer or answer.split()[1] in (b"414", b"431"), answer[:100]


# -- shapes that hide another request: one answer, 400, and the connection is closed

SMUGGLED = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"POST /api/v1/chat HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
SHAPES = {
    "length and chunked": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED),
    "two equal lengths": HEAD + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "list of lengths": HEAD + b"Content-Length: 0, %d\r\n\r\n" % len(SMUGGLED),
    "plus length": HEAD + b"Content-Length: +5\r\n\r\n",
    "minus length": HEAD + b"Content-Length: -5\r\n\r\n",
    "hex length": HEAD + b"Content-Length: 0x5\r\n\r\n",
    "huge length": HEAD + b"Content-Length: 99999999999999999999\r\n\r\n",
    "empty length": HEAD + b"Content-Length: \r\n\r\n",
    "xchunked": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n",
    "chunked twice": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked then gzip": HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "two codings": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
    "obs-fold": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
    "folded length": HEAD + b"X-A: b\r\n Content-Length: 31\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "bare LF": b"GET /healthz HTTP/1.1\nHost: a\n\n",
    "bare CR in a value": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: b\rc\r\n\r\n",
    "bare CR hides a header": HEAD + b"X-A:\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "NUL in a value": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n",
    "space before the colon": HEAD + b"Content-Length : 5\r\n\r\nhello",
    "space in a name": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX A: b\r\n\r\n",
    "no name": b"GET /healthz HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
    "no colon": b"GET /healthz HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
    "space first": b"GET /healthz HTTP/1.1\r\n Host: a\r\n\r\n",
    "no version": b"GET /healthz\r\nHost: a\r\n\r\n",
    "three spaces": b"GET  /healthz  HTTP/1.1\r\nHost: a\r\n\r\n",
    "control in the path": b"GET /health\x01z HTTP/1.1\r\nHost: a\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 40 + b"\r\n\r\n",
    "bad chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "negative chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "huge chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n",
    "chunk longer than said": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
    "bare LF after a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_ambiguous_requests(node, shape):
    before = node.metric("maya_http_requests_total", route="/metrics", method="GET", code="200")
    found = replies(node.ask_raw(SHAPES[shape] + SMUGGLED))
    assert len(found) == 1, found
    allowed = (400, 501) if "coding" in shape or "chunked" in shape or "gzip" in shape else (400,)
    allowed += (413,) if "huge" in shape else ()
    allowed += (505,) if "HTTP" in shape or "version" in shape else ()
    assert found[0][0] in allowed, found
    assert b"maya_" not in found[0][2]
    after = node.metric("maya_http_requests_total", route="/metrics", method="GET", code="200")
    assert after - before <= 1  # our own look


def test_versions(node):
    assert one(node, b"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n")[0] in (400, 505)
    assert one(node, b"GET /healthz HTTP/1.0\r\nHost: a\r\n\r\n")[0] == 200


def test_pipelined_requests_are_answered_in_order(node):
    paths = [b"/healthz", b"/nothing", b"/readyz", b"/healthz"] * 5
    data = b"".join(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % p for p in paths[:-1])
    data += b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % paths[-1]
    assert [r[0] for r in replies(node.ask_raw(data))] == [404 if p == b"/nothing" else 200
                                                           for p in paths]


def test_chunked_with_extensions_and_trailers(node):
    body = b'{"user_input":"hello there"}'
    data = (HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n%x;a=b\r\n%b\r\n"
            b"0\r\nX-Trailer: y\r\n\r\n" % (len(body), body))
    assert one(node, data)[0] == 200


def test_a_request_split_at_every_byte(node):
    data = post(b'{"user_input":""}', head=b"X-Session-ID: split-bytes\r\n")
    for cut in range(1, len(data)):
        with node.raw(data[:cut]) as s:
            s.sendall(data[cut:])
            assert read_all(s).startswith(b"HTTP/1.1 200 "), cut


def test_paths_that_climb(node):
    for path in ("/../etc/passwd", "/%2e%2e/etc/passwd", "/..%2fetc/passwd", "/%00", "/%zz",
                 "//etc/passwd", "/api/v1/../../healthz", "/static/..\\..\\x"):
        status = one(node, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())[0]
        assert status in (400, 404), path


# -- slow, gone and many


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """A Maya with little patience."""
    from node import Node
    n = Node(tmp_path_factory.mktemp("hasty"), {
        "MAYA_HEAD_TIMEOUT_SECONDS": "0.5", "MAYA_BODY_TIMEOUT_SECONDS": "0.5",
        "MAYA_IDLE_TIMEOUT_SECONDS": "0.5"})
    n.start()
    yield n
    n.close()


def dripped(node, first, drop):
    """Send `first`, then `drop` again and again until the server has had enough."""
    with node.raw(first) as s:
        s.settimeout(0.1)
        for _ in range(10 * PATIENCE_S):
            try:
                s.sendall(drop)
                got = s.recv(4096)
            except socket.timeout:
                continue
            except OSError:
                return b""
            return got
    raise AssertionError("never cut")


def test_a_dripped_head_is_cut(hasty):
    got = dripped(hasty, b"GET /healthz HTTP/1.1\r\nX-Slow: ", b"a")
    assert not got or got.startswith(b"HTTP/1.1 408 "), got


def test_a_dripped_body_is_cut(hasty):
    got = dripped(hasty, HEAD + b"Content-Length: 5000\r\n\r\n", b" ")
    assert not got or got.startswith(b"HTTP/1.1 408 "), got


@pytest.mark.parametrize("first", [b"", b"GET", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_silence_is_cut(hasty, first):
    with hasty.raw(first) as s:
        read_all(s)  # returns when the server closes


def test_thousands_of_half_open_connections(nodes):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 5000 if hard == resource.RLIM_INFINITY else min(hard, 5000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(most, soft), hard))
    count = min(most, 5000) - 500
    node = nodes({"MAYA_HEAD_TIMEOUT_SECONDS": "600"})  # the first are there when the last come
    before = node.rss()
    held = []
    try:
        for i in range(count):
            held.append(node.raw(b"POST /api/v1/chat HTTP/1.1\r\nHost: a\r\nX-Half: "))
        until("all of them", lambda: node.metric("maya_http_connections") >= count)
        assert node.get("/healthz").status == 200
        assert node.chat("two martinis please", "served-all-the-same").status == 200
        assert node.rss() - before < count * 16384 + 16 * MB
    finally:
        for s in held:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    until("none of them", lambda: node.metric("maya_http_connections") <= 2)


def test_more_connections_than_allowed(nodes):
    node = nodes({"MAYA_MAX_CONNECTIONS": "20", "MAYA_HEAD_TIMEOUT_SECONDS": "600"})
    held = [node.raw() for _ in range(20)]
    until("all of them", lambda: asks_in_vain(node))
    for s in held:
        s.close()
    until("room again", lambda: not asks_in_vain(node))


def asks_in_vain(node):
    try:
        return node.get("/healthz").status == 503
    except OSError:
        return True


def test_a_reader_that_takes_nothing_costs_nothing(node):
    """Many pipelined questions, no answer read: the server stops reading instead of growing."""
    before = node.rss()
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 100
    with node.raw() as s:
        s.settimeout(0.2)
        with contextlib.suppress(OSError):
            for _ in range(200):
                s.sendall(ask)
        assert node.rss() - before < 16 * MB
        assert node.get("/healthz").status == 200


def test_the_store_takes_no_harm(node):
    """After all of the above the same container still serves a whole turn."""
    assert node.say("two martinis please", "after-the-abuse")["payment_summary"]["tab_amount"] == 26
    assert node.metric("maya_turns_in_progress") == 0
