"""The event stream: order, ids, resuming, leaving, and words that arrive as they come."""
import pytest

from node import read_all, until

TYPES = {"session", "text_chunk", "sentence", "complete", "error"}


def turn(node, text, session, **more):
    with node.stream(text, session, **more) as s:
        assert s.status == 200, s.response.read()
        return list(s)


@pytest.mark.parametrize("text", ["two dry martinis please", "what is on the menu?", "hello there",
                                  "I would like a whiskey on the rocks, and what do I owe you?"])
def test_order_of_events(node, text):
    events = [e.json() for e in turn(node, text, None)]
    kinds = [e["type"] for e in events]
    assert set(kinds) <= TYPES
    assert kinds[0] == "session" and kinds.count("session") == 1
    assert kinds[-1] == "complete" and kinds.count("complete") == 1
    assert "text_chunk" in kinds and "sentence" in kinds and "error" not in kinds
    sid = events[0]["session_id"]
    assert all(e["session_id"] == sid for e in events)
    full = events[-1]["full_response"]
    assert events[-1]["content"] == full
    assert "".join(e["content"] for e in events if e["type"] == "text_chunk") == full
    # The sentences are the words, in order, without what stands between them.
    spoken = " ".join(e["content"] for e in events if e["type"] == "sentence")
    assert spoken.split() == full.split()
    # What is unfinished after each chunk, as the predecessor's clients show it.
    for e in events:
        if e["type"] == "text_chunk":
            assert e["partial"] == e["partial"].strip()


def test_it_is_the_same_turn_as_chat(node):
    events = turn(node, "two dry martinis please", "stream-and-chat-1")
    said = events[-1].json()["full_response"]
    body = node.say("hello there", "stream-and-chat-1")
    assert body["history"][:2] == [{"role": "user", "content": "two dry martinis please"},
                                   {"role": "assistant", "content": said}]
    assert body["payment_summary"]["tab_amount"] == 26.0


def test_framing(node):
    request = (b"GET /api/v1/chat/stream?message=hello+there HTTP/1.1\r\nHost: a\r\n"
               b"Connection: close\r\n\r\n")
    data = node.ask_raw(request)
    head, _, rest = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"cache-control: no-" in head.lower()
    assert b"\r\r" not in rest and b'data: {"type": "session"' in rest.replace(b'":"', b'": "')


def test_ids_are_there_and_differ(node):
    ids = [e.id for e in turn(node, "what is on the menu?", None)]
    assert all(ids)
    assert len(set(ids)) == len(ids)


def contents(events, kind):
    return [e.json()["content"] for e in events if e.json()["type"] == kind]


@pytest.mark.parametrize("how", ["POST", "GET"])
def test_resume_at_every_boundary(node, how):
    """What was seen and what comes after the id make exactly the whole, wherever it was cut."""
    sid = f"resuming-{how}-0001"
    events = turn(node, "two dry martinis please, and what is on the menu?", sid)
    words = "".join(contents(events, "text_chunk"))
    assert len(events) >= 4
    for i, last in enumerate(events[:-1]):
        rest = turn(node, "two dry martinis please, and what is on the menu?", sid, method=how,
                    headers={"Last-Event-ID": last.id})
        both = events[:i + 1] + rest
        assert "".join(contents(both, "text_chunk")) == words, i
        assert contents(both, "sentence") == contents(events, "sentence"), i
        assert (rest[-1].id, rest[-1].data) == (events[-1].id, events[-1].data)
        assert len({e.id for e in both}) == len(both), i
    with node.stream("two dry martinis please, and what is on the menu?", sid, method=how,
                     headers={"Last-Event-ID": events[-1].id}) as s:
        assert s.status == 204  # which tells an EventSource that there is no more
        assert s.response.read() == b""
    assert node.tab(sid)["tab_amount"] == 26.0


def test_resume_over_a_restart(nodes):
    node = nodes()
    events = turn(node, "two dry martinis please", "resuming-000004")
    node.kill()
    node.start()
    rest = turn(node, "two dry martinis please", "resuming-000004",
                headers={"Last-Event-ID": events[0].id})
    assert rest[-1].data == events[-1].data
    assert node.tab("resuming-000004")["tab_amount"] == 26.0


def test_resume_after_leaving_in_the_middle(node):
    """Left before the end and resumed at once: the order counts once, whether the first turn had
    ended or was stopped and asked again."""
    sid = "resuming-000002"
    for i in range(10):
        s = node.stream("an ipa please", sid)
        first = next(iter(s))
        s.leave()
        with node.stream("an ipa please", sid, headers={"Last-Event-ID": first.id}) as again:
            assert again.status == 200
            assert list(again)[-1].json()["type"] == "complete"
        assert node.tab(sid)["tab_amount"] == 6.0 * (i + 1)


def test_an_id_nobody_issued(node):
    for bad in ("nonsense", "99999999-1", "-1", "0", "1-99999", "\u00e9"):
        with node.stream("an ipa please", "resuming-000003",
                         headers={"Last-Event-ID": bad.encode("utf-8")}) as s:
            assert s.status == 200
            assert list(s)[-1].json()["type"] == "complete"
    assert node.tab("resuming-000003")["tab_amount"] == 36.0


def test_a_client_that_leaves_stops_its_turn(node):
    before = node.metric("maya_http_streams")
    left = [node.stream("what is on the menu?", f"leaver-{i:08}") for i in range(10)]
    for s in left:
        s.leave()
    until("the streams' end", lambda: node.metric("maya_http_streams") <= before)
    until("the turns' end", lambda: node.metric("maya_turns_in_progress") == 0)
    for i in range(10):
        assert node.chat("hello again", f"leaver-{i:08}").status == 200


def test_a_request_split_at_every_byte(node):
    request = (b"POST /api/v1/chat/stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
               b"X-Session-ID: split-at-%d\r\nContent-Type: application/json\r\n"
               b"Content-Length: 22\r\n\r\n"
               b'{"message":"an ipa\\n"}')
    for cut in range(1, len(request % 0)):
        whole = request % (cut % 10)
        with node.raw(whole[:cut]) as s:
            s.sendall(whole[cut:])
            data = read_all(s)
        assert data.startswith(b"HTTP/1.1 200 "), (cut, data[:200])
        assert b"complete" in data, cut


def test_a_reader_that_reads_byte_by_byte(node):
    request = (b"GET /api/v1/chat/stream?message=what+is+on+the+menu%3F HTTP/1.1\r\nHost: a\r\n"
               b"Connection: close\r\n\r\n")
    data = b""
    with node.raw(request) as s:
        while part := s.recv(1):
            data += part
    assert b'"complete"' in data


def test_a_stream_ends_with_the_container(nodes):
    """A drain lets a running turn end; no stream is left hanging."""
    node = nodes()
    with node.stream("what is on the menu?", "draining-0001") as s:
        node.stop()
        kinds = [e.json()["type"] for e in s]
    assert kinds and kinds[-1] in ("complete", "error")


def test_an_error_is_the_end(nodes):
    """An EventSource comes back by itself after any end; it must not ask again what failed."""
    node = nodes({"MAYA_DEFAULT_SESSION_MEMORY_MB": "0.0625"})
    said = "a word " * 3000
    with node.stream(said, "failing-0000001") as s:
        if s.status == 413:
            return  # refused before the first event: an EventSource gives up by itself
        last = list(s)[-1]
    assert last.json()["type"] == "error"
    with node.stream(said, "failing-0000001", headers={"Last-Event-ID": last.id}) as s:
        assert s.status == 204
