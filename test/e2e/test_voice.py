"""Answers that are spoken: events, files, barge-in, and what happens where nobody speaks."""
import array
import base64
import concurrent.futures
import io
import json
import shutil
import socket
import subprocess
import wave

import pytest

from node import ROOT, Node, until

LONG = "what is on the menu?"
MOUTHS = {"mouth_closed", "mouth_talk_a", "mouth_talk_e", "mouth_talk_o"}
FORMATS = ["wav", "pcm", "opus", "mp3"]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    n = Node(tmp_path_factory.mktemp("voice"), {"MAYA_DEFAULT_SESSION_MEMORY_MB": "16",
                                                "MAYA_SESSIONS_PER_CONTAINER": "150"})
    n.start()
    speaks(n)
    yield n
    n.close()
    shutil.rmtree(n.folder, ignore_errors=True)


def eventually(value, fine):
    until(f"is not so: {value()}", lambda: fine(value()))


def speaks(n):
    until("nobody speaks", lambda: n.metric("maya_voice_available", voice="espeak") == 1)


def told(node, text, session=None, **query):
    """The events of a turn, as dictionaries."""
    with node.stream(method="GET", session=session, query={"message": text, **query}) as s:
        assert s.status == 200, s.response.read()
        return [e.json() for e in s]


def files(events):
    """The audio of each sentence, whole: [(first event, bytes)]."""
    out = []
    for e in events:
        if e["type"] != "audio":
            continue
        data = base64.b64decode(e["audio_base64"], validate=True)
        assert 0 < len(data) <= 12 * 1024
        if e["chunk"] == 0:
            out.append([e, b""])
        assert e["sentence"] == out[-1][0]["sentence"]
        out[-1][1] += data
    return out


def samples(data, sized=True):
    """Of a WAV file, whose sizes must be true."""
    if not sized:
        assert data[4:8] == data[40:44] == b"\xff" * 4
        data = data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:40] + \
            (len(data) - 44).to_bytes(4, "little") + data[44:]
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    with wave.open(io.BytesIO(data)) as w:
        assert (w.getnchannels(), w.getsampwidth(), w.getframerate()) == (1, 2, 22050)
        return array.array("h", w.readframes(w.getnframes()))


def is_mp3(data):
    """Frame behind frame to the end: MPEG 2 layer III, 64 kbit/s, 22.05 kHz."""
    at = frames = 0
    while at + 4 <= len(data):
        assert data[at] == 0xFF and data[at + 1] & 0xFE == 0xF2, (at, data[at:at + 4])
        assert data[at + 2] >> 4 == 8 and data[at + 2] >> 2 & 3 == 0
        at += 72 * 64000 // 22050 + (data[at + 2] >> 1 & 1)
        frames += 1
    return at == len(data) and frames > 2


def is_opus(data):
    """Ogg pages in order, of one stream that begins and ends."""
    at = pages = 0
    while at < len(data):
        assert data[at:at + 4] == b"OggS"
        kind, count = data[at + 5], data[at + 26]
        assert int.from_bytes(data[at + 18:at + 22], "little") == pages
        assert bool(kind & 2) == (pages == 0)
        at += 27 + count + sum(data[at + 27:at + 27 + count])
        pages += 1
        if pages == 1:
            assert data[28:36] == b"OpusHead"
    return at == len(data) and bool(kind & 4)


CHECKS = {"wav": lambda d: len(samples(d)) > 0, "pcm": lambda d: len(d) % 2 == 0,
          "opus": is_opus, "mp3": is_mp3}


@pytest.mark.parametrize("text", ["hello there", "two dry martinis please", LONG])
def test_audio_between_the_events(node, text):
    events = told(node, text, voice=1)
    kinds = [e["type"] for e in events]
    sentences = [e["content"] for e in events if e["type"] == "sentence"]
    assert kinds[0] == "session" and kinds[-1] == "audio_end"
    assert kinds.count("complete") == kinds.count("audio_end") == 1 and "error" not in kinds
    assert events[-1]["outcome"] == "spoken"
    assert [kinds[: kinds.index("complete")].count("sentence")] == [len(sentences)]
    heard = [e for e in events if e["type"] == "audio"]
    # In order, each sentence from its first chunk to its last, none before its text.
    assert [e["sentence"] for e in heard] == sorted(e["sentence"] for e in heard)
    for i, e in enumerate(events):
        if e["type"] == "audio":
            assert kinds[:i].count("sentence") > e["sentence"]
    whole = files(events)
    assert {e["sentence"] for e, _ in whole} == set(range(len(sentences)))
    for e, data in whole:
        assert e["content"].strip() in sentences[e["sentence"]]
        s = samples(data)
        assert abs(len(s) / 22050 - e["seconds"]) < 0.001
        letters = len(e["content"])
        assert letters / 40 < e["seconds"] < letters / 4 + 2
        assert sum(abs(v) for v in s) / len(s) > 100  # not silence
        times = [v["at"] for v in e["visemes"]]
        assert times == sorted(set(times)) and times[-1] <= e["seconds"]
        assert {v["viseme"] for v in e["visemes"]} <= MOUTHS
    chunks = [[e["chunk"] for e in heard if e["sentence"] == n] for n in range(len(sentences))]
    assert all(c[0] == 0 for c in chunks)
    assert [e["last"] for e in heard].count(True) == len(whole)


def test_who_does_not_ask_gets_no_audio(node):
    for query in ({}, {"voice": 0}, {"voice": "false"}):
        kinds = {e["type"] for e in told(node, "hello there", **query)}
        assert kinds == {"session", "text_chunk", "sentence", "complete"}
    assert node.say("hello there")["audio_base64"] is None


@pytest.mark.parametrize("form", FORMATS)
def test_formats(node, form):
    for e, data in files(told(node, "two dry martinis please", audio=form)):
        assert e["format"] == form and e["sample_rate"] == 22050
        assert CHECKS[form](data)


@pytest.mark.parametrize("form", FORMATS)
def test_whole_answer(node, form):
    body = {"user_input": "two dry martinis please", "audio": form}
    reply = node.post("/api/v1/chat", body)
    assert reply.status == 200
    data = base64.b64decode(reply.json()["audio_base64"], validate=True)
    assert CHECKS[form](data) and len(data) > 4000
    assert reply.json()["payment_summary"]["tab_amount"] == 26.0


@pytest.mark.parametrize("form, kind", [(None, "audio/wav"), ("opus", "audio/ogg; codecs=opus"),
                                        ("mp3", "audio/mpeg"),
                                        ("pcm", "audio/pcm; rate=22050; channels=1")])
def test_speech_route(node, form, kind):
    sid = f"speech-route-{form}"
    node.say("two dry martinis please", sid)
    node.say("hello there", sid)
    path = "/api/v1/speech/1" + (f"?format={form}" if form else "")
    reply = node.get(path, session=sid)
    assert reply.status == 200 and reply.headers["Content-Type"] == kind
    assert reply.headers["Cache-Control"] == "no-store"
    if form is None:
        assert len(samples(reply.body, sized=False)) > 22050
    else:
        assert CHECKS[form](reply.body)
    as_an_element_asks = node.get(f"/api/speech/1?session_id={sid}&format={form or 'wav'}")
    assert as_an_element_asks.status == 200 and len(as_an_element_asks.body) > 4000
    assert len(node.get("/api/v1/speech/2?format=pcm", session=sid).body) > 4000
    for path, status in (("/api/v1/speech/3", 404), ("/api/v1/speech/x", 404),
                         ("/api/v1/speech/1?format=flac", 400)):
        refused = node.get(path, session=sid)
        assert refused.status == status and "detail" in refused.json()
    assert node.get("/api/v1/speech/1", session="nobody-was-here").status == 404


def test_many_at_once(node):
    def one(i):
        events = told(node, "two dry martinis please", f"voice-many-{i}", voice=1)
        assert events[-1]["outcome"] == "spoken"
        return [len(samples(d)) for _, d in files(events)]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(len(r) >= 1 for r in pool.map(one, range(32)))
    eventually(lambda: node.metric("maya_voice_speeches"), lambda n: n == 0)


def test_metrics(node):
    before = node.metric("maya_voice_sentences_total", voice="espeak", outcome="spoken")
    n = len(files(told(node, "hello there", voice=1)))
    assert node.metric("maya_voice_sentences_total", voice="espeak", outcome="spoken") == before + n
    assert node.metric("maya_voice_audio_seconds_total", voice="espeak") > 0
    assert node.metric("maya_voice_first_audio_seconds_count") > 0
    assert node.metric("maya_voice_memory_bytes") == 0


class Listener:
    """Reads no faster than asked, so that the server has to wait."""

    def __init__(self, node, path):
        self.s = socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.s.settimeout(60)
        self.s.connect((node.host, node.port))
        self.s.sendall(f"GET {path} HTTP/1.0\r\nHost: a\r\n\r\n".encode())
        self.data = b""

    def read_until(self, part):
        while part not in self.data:
            more = self.s.recv(4096)
            assert more, self.data[-200:]
            self.data += more

    def rest(self):
        while more := self.s.recv(65536):
            self.data += more
        return [json.loads(line[6:]) for line in self.data.split(b"\n")
                if line.startswith(b"data: ")]


@pytest.fixture
def slow_speaker(nodes, tmp_path):
    """Says much: more than the sockets between us hold."""
    folder = tmp_path / "maya"
    shutil.copytree(ROOT / "agents" / "maya", folder)
    yaml = (folder / "agent.yaml").read_text()
    (folder / "agent.yaml").write_text(yaml.replace("speed: 1", "speed: 0.5"))
    n = nodes({"MAYA_DEFAULT_SESSION_MEMORY_MB": "32"}, args=["--agent", str(folder)])
    speaks(n)
    return n


def test_stop(slow_speaker):
    n = slow_speaker
    # several listeners of one session: the reply alone may fit into large socket buffers
    n.say(LONG, "voice-stop")
    listeners = [Listener(n, "/api/chat/stream?message=what+is+on+the+menu&voice=1"
                             "&session_id=voice-stop") for _ in range(3)]
    for reader in listeners:
        reader.read_until(b'"type": "audio"')
    eventually(lambda: n.metric("maya_turns_in_progress"), lambda v: v == 0)
    waiting = n.metric("maya_voice_speeches")  # some of them may end by themselves just now
    stopped = n.post("/api/v1/chat/stop", session="voice-stop").json()
    assert stopped["status"] == "success" and stopped["turns"] == 0
    assert stopped["speeches"] <= waiting
    assert n.metric("maya_voice_speeches") == 0
    outcomes = []
    for reader in listeners:
        events = reader.rest()
        kinds = [e["type"] for e in events]
        assert kinds.count("complete") == 1 and kinds[-1] == "audio_end"
        outcomes.append(events[-1]["outcome"])
    assert outcomes.count("stopped") == stopped["speeches"]
    assert len(n.get("/api/v1/session/history", session="voice-stop").json()["history"]) == 8
    assert n.post("/api/v1/chat/stop", session="voice-stop").json()["speeches"] == 0


def test_interrupt(slow_speaker):
    n = slow_speaker
    n.say(LONG, "voice-interrupt")
    first = Listener(n, "/api/chat/stream?message=menu+please&voice=1&session_id=voice-interrupt")
    first.read_until(b'"type": "audio"')
    # before that its turn would be undone, not its speech ended
    eventually(lambda: n.metric("maya_turns_in_progress"), lambda v: v == 0)
    events = told(n, "hello there", "voice-interrupt", interrupt=1)
    assert events[-1]["type"] == "complete"
    assert n.metric("maya_voice_speeches") == 0
    assert first.rest()[-1]["type"] == "audio_end"


def test_listener_that_leaves(slow_speaker):
    n = slow_speaker
    listeners = [Listener(n, f"/api/chat/stream?message=menu+please&voice=1&session_id=leave-{i}")
                 for i in range(4)]
    for reader in listeners:
        reader.read_until(b'"type": "audio"')
        reader.s.close()
    eventually(lambda: n.metric("maya_voice_speeches"), lambda v: v == 0)
    eventually(lambda: n.metric("maya_sessions_memory_bytes"), lambda v: v < 200000)


def test_slow_listener_gets_everything(slow_speaker):
    n = slow_speaker
    reader = Listener(n, "/api/chat/stream?message=what+is+on+the+menu&voice=1&session_id=slow")
    reader.read_until(b'"type": "audio"')
    events = reader.rest()
    assert events[-1] == {"type": "audio_end", "session_id": "slow", "outcome": "spoken",
                          "voice": "espeak"}
    for _, data in files(events):
        samples(data)
    eventually(lambda: n.metric("maya_sessions_memory_bytes"), lambda v: v < 200000)


def test_small_budget(nodes):
    """What does not fit is not said, and everything else works."""
    n = nodes({"MAYA_DEFAULT_SESSION_MEMORY_MB": "0.0625"})
    speaks(n)
    events = told(n, "two dry martinis please", "small", voice=1)
    kinds = [e["type"] for e in events]
    assert "complete" in kinds and kinds[-1] == "audio_end"
    assert n.metric("maya_voice_sentences_total", voice="espeak", outcome="over_budget") > 0
    assert n.tab("small")["tab_amount"] == 26.0


def without(tmp_path, *libraries):
    """An environment in which these libraries are not what they should be."""
    for name in libraries:
        (tmp_path / name).write_bytes(b"not a library")
    return {"LD_LIBRARY_PATH": str(tmp_path)}


def test_no_library(nodes, tmp_path):
    n = nodes(without(tmp_path, "libespeak-ng.so.1"))
    eventually(lambda: n.get("/api/v1/agent").json()["voice"], lambda v: v is None)
    events = told(n, "two dry martinis please", "silent", voice=1)
    assert [e["type"] for e in events][-2:] == ["complete", "audio_end"]
    assert events[-1]["outcome"] == "failed" and not files(events)
    reply = n.post("/api/v1/chat", {"user_input": "hello there", "voice": True})
    assert reply.status == 200 and reply.json()["audio_base64"] is None
    reply = n.get("/api/v1/speech/1", session="silent")
    assert reply.status == 501 and reply.json()["code"] == "voice_unavailable"
    assert "libespeak-ng1" in reply.json()["detail"]
    lines = [line for line in n.log().splitlines() if "libespeak-ng" in line]
    assert len(lines) == 1 and "text only" in lines[0]


def test_no_library_though_named(nodes, tmp_path):
    env = {**without(tmp_path, "libespeak-ng.so.1"), "MAYA_VOICE": "espeak"}
    n = nodes(env, start=False)
    run = subprocess.run(n.command(), env=n.environment(), capture_output=True, text=True,
                         cwd=tmp_path, timeout=60)
    assert run.returncode != 0 and "libespeak-ng1" in run.stderr


def test_no_encoder(nodes, tmp_path):
    """(Without libmp3lame the Debian package of eSpeak NG does not load either.)"""
    n = nodes(without(tmp_path, "libopusenc.so.0"))
    speaks(n)
    with n.stream(method="GET", query={"message": "hello", "audio": "opus"}) as s:
        assert s.status == 501
        assert "libopusenc0" in json.loads(s.response.read())["detail"]
    reply = n.post("/api/chat", {"user_input": "hello", "audio": "opus"}, session="no-encoder")
    assert reply.status == 501 and "libopusenc0" in reply.json()["detail"]
    assert n.get("/api/session/history", session="no-encoder").json()["history"] == []
    assert told(n, "hello there", "no-encoder", voice=1)[-1]["outcome"] == "spoken"
    reply = n.get("/api/speech/1?format=opus", session="no-encoder")
    assert reply.status == 501 and "libopusenc0" in reply.json()["detail"]


def test_off(nodes):
    n = nodes({"MAYA_VOICE": "off"})
    assert n.get("/api/v1/agent").json()["voice"] is None
    assert n.metric("maya_voice_available", voice="espeak") == 0
    assert told(n, "hello there", voice=1)[-1]["outcome"] == "failed"
    assert n.say("hello there")["audio_base64"] is None
    maps = open(f"/proc/{n.pid}/maps").read()
    assert "espeak" not in maps


def test_voice_of_the_folder(nodes, tmp_path):
    folder = tmp_path / "maya"
    shutil.copytree(ROOT / "agents" / "maya", folder)
    yaml = folder / "agent.yaml"
    good = yaml.read_text()
    line = good.splitlines().index("  speed: 1") + 1
    for bad, part in (("  speed: 9", "'9' is not a speed"), ("  speed: fast", "is not a speed"),
                      ("  speeed: 1", "did you mean 'speed'"),
                      ("  language: EN us", "")):
        yaml.write_text(good.replace("  speed: 1", bad))
        n = nodes(args=["--agent", str(folder)], start=False)
        run = subprocess.run(n.command(), env=n.environment(), capture_output=True, text=True,
                             cwd=tmp_path, timeout=60)
        assert run.returncode != 0
        assert f"agent.yaml:{line}" in run.stderr and part in run.stderr, run.stderr
    yaml.write_text(good.replace("en-us+f3", "nobody"))
    n = nodes(args=["--agent", str(folder)])
    assert told(n, "hello there", voice=1)[-1]["outcome"] == "spoken"
    assert 'agent.yaml:' in n.log() and 'name="nobody"' in n.log()


def test_named_by_option(nodes):
    a, b = nodes({"MAYA_VOICE": "espeak"}), nodes({"MAYA_VOICE_NAME": "en-us+m3"})
    data = [b"".join(d for _, d in files(told(n, "no", "same", voice=1))) for n in (a, b)]
    assert data[0] and data[1] and data[0] != data[1]


def test_stop_of_the_server_while_it_speaks(slow_speaker):
    n = slow_speaker
    n.env["MAYA_DRAIN_SECONDS"] = "1"
    n.restart()
    reader = Listener(n, "/api/chat/stream?message=menu+please&voice=1&session_id=drain")
    reader.read_until(b'"type": "audio"')
    n.stop()
    reader.s.close()
