"""Spoken conversations on the WebSocket: what is heard, what is said, and who interrupts whom."""
import ctypes
import io
import json
import re
import shutil
import ssl
import subprocess
import sys
import wave

import pytest

from cartesia_stt import CartesiaSTT
from cartesia_tts import Cartesia
from node import PATIENCE_S, ROOT, Node, until
from socket_peer import Conversation

KEY = "sk_car_thisServersOwn0000000"
OWN_KEY = "sk_car_somebodysOwn000000000"
SILENCE = bytes(3200)  # a tenth of a second at 16 kHz
PCM = {"encoding": "pcm_s16le", "sample_rate": 16000}
LONG = "what is on the menu?"
# Where no deadline is what is looked at, a thread of the scripted server may take its time.
PATIENT = {"MAYA_MIND_CONNECT_SECONDS": str(PATIENCE_S)}
NEVER = {"MAYA_VOICE_FIRST_SECONDS": "600", "MAYA_VOICE_SILENCE_SECONDS": "600"}


@pytest.fixture(scope="module")
def stt():
    with CartesiaSTT() as s:
        yield s


@pytest.fixture(scope="module")
def node(tmp_path_factory, stt):
    n = Node(tmp_path_factory.mktemp("ears"), {
        **PATIENT, "MAYA_CARTESIA_URL": stt.url, "CARTESIA_API_KEY": KEY,
        "MAYA_SESSIONS_PER_CONTAINER": "100", "MAYA_VOICE": "espeak"})
    n.start()
    n.never_logged(KEY)
    n.never_logged(OWN_KEY)
    yield n
    n.close()
    shutil.rmtree(n.folder, ignore_errors=True)


@pytest.fixture
def talker(nodes):
    """A Maya that never ends what she says, and what she hears with: only who interrupts her
    makes her stop, however slow this machine is."""
    with Cartesia() as voice, CartesiaSTT(voice=voice) as ears:
        voice.lingers = True  # what goes on and on would be cut after a minute of audio
        n = nodes({**PATIENT, **NEVER, "MAYA_CARTESIA_URL": ears.url, "CARTESIA_API_KEY": KEY,
                   "MAYA_VOICE": "cartesia", "MAYA_DEFAULT_SESSION_MEMORY_MB": "16"})
        n.never_logged(KEY)
        yield n, ears


def listen(node, stt, **start):
    c = Conversation(node)
    c.say(type="start", audio=PCM, **start)
    assert c.next("session")["audio"] is True
    s = stt.stream()
    c.next("listening")
    return c, s


def types(events):
    return [e["type"] for e in events]


def test_typed_words_need_no_key(nodes):
    n = nodes({"MAYA_VOICE": "off"})
    assert n.get("/api/v1/agent").json()["ears"] == {
        "name": "cartesia", "ready": False, "encodings": ["pcm_s16le", "opus"]}
    with Conversation(n) as c:
        assert c.first["audio"] is False and c.first["speak"] is False
        c.say(type="start", audio=PCM)
        c.next("session")
        error = c.next("error")
        assert error["code"] == "ears_unavailable" and "CARTESIA_API_KEY" in error["content"]
        for _ in range(3):
            c.audio(SILENCE)
        c.say(type="text", text="a negroni please")
        events = c.until("complete")
        assert set(types(events)) == {"text_chunk", "sentence", "complete"}, events
        done = events[-1]
        assert "".join(e["content"] for e in events if e["type"] == "text_chunk") == \
            done["full_response"]
        assert [o["name"] for o in done["current_order"]] == ["Negroni"]
        assert {e["turn"] for e in events} == {1}
        assert n.tab(c.session)["tab_amount"] == 11
        c.say(type="text", text="what did I order?")
        assert c.until("complete")[-1]["turn"] == 2


def test_ears_off_means_off(nodes, stt):
    n = nodes({"MAYA_EARS": "off", "MAYA_VOICE": "off", "CARTESIA_API_KEY": KEY,
               "MAYA_CARTESIA_URL": stt.url})
    assert n.get("/api/v1/agent").json()["ears"] is None
    with Conversation(n) as c:
        c.say(type="start", audio=PCM)
        c.next("session")
        assert c.next("error")["code"] == "ears_unavailable"


def test_a_spoken_order(node, stt):
    c, s = listen(node, stt)
    with c:
        assert s.path == "/stt/turns/websocket"
        assert s.query == {"model": "ink-2", "encoding": "pcm_s16le", "sample_rate": "16000"}
        assert s.headers["authorization"] == f"Bearer {KEY}"
        assert s.headers["cartesia-version"] == "2026-08-14"
        assert "sec-websocket-extensions" not in s.headers
        sound = bytes(range(256)) * 25
        c.audio(sound)
        assert s.hears(len(sound)) == sound
        s.turn("two negronis please")
        events = c.until("complete")
        assert types(events)[:6] == ["speech_started", "transcript", "transcript", "transcript",
                                     "speech_ended", "text_chunk"], events
        assert [(e["text"], e["final"]) for e in events if e["type"] == "transcript"] == [
            ("two", False), ("two negronis", False), ("two negronis please", True)]
        assert events[-1]["current_order"][0]["quantity"] == 2
        history = node.get("/api/v1/session/history", session=c.session).json()["history"]
        assert history[0] == {"role": "user", "content": "two negronis please"}
        s.turn("and a martini")
        assert len(c.until("complete")[-1]["current_order"]) == 2
        c.say(type="close")
        assert c.closed() == (1000, "")
    until("the stream stays open", s.gone.is_set)


def test_replies_are_spoken(node, stt):
    c, s = listen(node, stt, speak={"format": "wav"})
    with c:
        s.turn("a negroni please")
        events = c.until("audio_end")
        assert events[-1]["outcome"] == "spoken"
        audio = [e for e in events if e["type"] == "audio"]
        sentences = [e["content"] for e in events if e["type"] == "sentence"]
        assert [e["content"] for e in audio if e["chunk"] == 0] == sentences
        first = [e for e in audio if e["sentence"] == 0]
        with wave.open(io.BytesIO(b"".join(e["data"] for e in first))) as w:
            assert w.getnframes() / w.getframerate() == pytest.approx(first[0]["seconds"], abs=.01)
        assert first[0]["visemes"] and first[-1]["last"]


def test_speaking_interrupts_maya(talker):
    node, stt = talker
    before = node.metric("maya_ears_interruptions_total")
    c, s = listen(node, stt, speak=True)
    with c:
        s.turn(LONG)
        c.until("audio")
        s.start()
        events = c.until("interrupted")
        s.turn("never mind")  # goes on as the same turn
        turn = events[-1]["turn"] + (not events[-1]["undone"])
        after = c.until("complete", turn=turn)
        heard = [e for e in after if e["type"].startswith("audio")]
        assert not [e for e in heard if e["turn"] != turn]
        if not heard:  # all that there is may come before the words are complete
            c.until("audio", turn=turn)
    assert node.metric("maya_ears_interruptions_total") == before + 1


def test_typing_and_stop_interrupt_too(talker):
    node, _ = talker
    with Conversation(node) as c:
        c.say(type="start", speak=True)
        c.next("session")
        c.say(type="text", text=LONG)
        c.until("audio")
        c.say(type="text", text="two beers")
        assert c.until("interrupted")
        c.until("audio")
        c.say(type="stop")
        events = c.until("stopped")
        assert "interrupted" in types(events)
        assert events[-1]["turns"] + events[-1]["speeches"] == 1
        c.say(type="stop")  # what was stopped in its commit is told meanwhile, too
        assert c.until("stopped")[-1]["speeches"] == 0
    # somebody else may ask for silence too
    with Conversation(node) as c:
        c.say(type="start", speak=True)
        c.next("session")
        c.say(type="text", text=LONG)
        c.until("audio")
        assert node.post("/api/v1/chat/stop", session=c.session).json()["status"] == "success"
        c.until("interrupted")


def broken_off(node, stt):
    """What is heard of a turn whose stream breaks in the middle; None: the first half waited too
    long for the second, which is said after 2.5 s, and stood for itself."""
    c, s = listen(node, stt)
    resumed = node.metric("maya_ears_resumed_total")
    with c:
        c.audio(SILENCE)
        s.start()
        s.update("two negronis")
        c.until("transcript")
        s.cut()
        until("it is noticed", lambda: node.metric("maya_ears_resumed_total") > resumed)
        c.audio(SILENCE)
        again = stt.stream()
        again.hears(len(SILENCE))
        again.turn("and one beer")
        events = c.until("transcript", final=True)
        if events[-1]["text"] == "two negronis":
            assert c.until("transcript", final=True)[-1]["text"] == "and one beer"
            return None
        return events + c.until("complete")


def test_a_stream_that_breaks_is_opened_again(node, stt):
    events = until("both halves in time", lambda: broken_off(node, stt))
    assert "speech_started" not in types(events) and "listening" not in types(events)
    final = [e["text"] for e in events if e["type"] == "transcript" and e["final"]]
    assert final == ["two negronis and one beer"]
    assert {o["name"]: o["quantity"] for o in events[-1]["current_order"]}["Negroni"] == 2


def test_words_are_kept_when_nothing_follows(node, stt):
    c, s = listen(node, stt)
    with c:
        s.start()
        s.update("a beer please")
        c.until("transcript")
        s.cut()
        assert c.until("transcript", final=True)[-1]["text"] == "a beer please"
        c.until("complete")


def test_twice_is_too_often(node, stt):
    c, s = listen(node, stt)
    with c:
        s.cut()
        before = stt.connections
        until("it is not asked again", lambda: c.audio(SILENCE) or stt.connections > before)
        again = stt.stream()
        again.hears(1)  # it is open at the other end, too
        again.cut()
        error = c.until("error")[-1]
        assert error["code"] == "ears_failed"
        assert error["content"] == "Cartesia broke off and could not be reached again"
        c.say(type="text", text="a beer")
        c.until("complete")


@pytest.mark.parametrize("status, words", [
    (401, "does not accept the key of this server"),
    (402, "credit is used up"),
    (429, "hears as many as it may"),
    (503, "cannot be reached now"),
    (400, "does not take this audio"),
    ("cut", "cannot be reached now"),
    ("hang", "cannot be reached now"),
])
def test_refusals_are_said_in_words(nodes, status, words):
    with CartesiaSTT() as own:
        soon = {"MAYA_MIND_CONNECT_SECONDS": "0.5"}
        n = nodes({**(soon if status == "hang" else PATIENT), "MAYA_CARTESIA_URL": own.url,
                   "CARTESIA_API_KEY": KEY, "MAYA_VOICE": "off"})
        own.refuse(status, headers={"Retry-After": "1"} if status == 429 else None)
        with Conversation(n) as c:
            c.say(type="start", audio=PCM)
            c.audio(SILENCE)
            error = c.until("error")[-1]
            assert error["code"] == "ears_failed" and words in error["content"], error
            assert KEY not in json.dumps(error)
            c.audio(SILENCE)
            c.say(type="text", text="a beer")
            c.until("complete")


def test_over_tls(nodes, tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    with CartesiaSTT(tls) as own:
        env = {**PATIENT, "MAYA_CARTESIA_URL": own.url, "CARTESIA_API_KEY": KEY,
               "MAYA_VOICE": "off"}
        n = nodes({**env, "MAYA_CA_FILE": str(cert)})
        with Conversation(n) as c:
            c.say(type="start", audio=PCM)
            c.next("session")
            s = own.stream()
            c.next("listening")
            sound = bytes(range(256)) * 250
            for _ in range(8):  # far more than one record of TLS
                c.audio(sound)
            assert s.hears(8 * len(sound)) == sound * 8
            for n_turn in range(3):
                s.turn(" ".join(["a beer"] * 40))
                c.until("complete")
            c.say(type="close")
            c.closed()
        until("the stream stays open", s.gone.is_set)
        n = nodes(env)  # who does not trust it
        with Conversation(n) as c:
            c.say(type="start", audio=PCM)
            error = c.until("error")[-1]
            assert error["code"] == "ears_failed" and "cannot be reached" in error["content"]


def test_failing_often_is_left_alone(nodes):
    with CartesiaSTT() as own:
        n = nodes({**PATIENT, "MAYA_CARTESIA_URL": own.url, "CARTESIA_API_KEY": KEY,
                   "MAYA_VOICE": "off"})
        with Conversation(n) as c:
            own.refuse(503)

            def left_alone():
                """Or it may be asked again by now, and is then left alone for twice as long."""
                c.say(type="start", audio=PCM)
                if "left alone for a moment" in c.until("error")[-1]["content"]:
                    return n.metric("maya_ears_breaker_state") == 2
                own.refuse(503)
                return False

            for i in range(5):
                assert own.connections == i and not left_alone()
            until("it is left alone", left_alone, 4 * PATIENCE_S)
        assert own.connections == own.refused
        own.plans.get()
        n.post("/api/v1/session/keys", {"gemini_key": "x" * 20, "cartesia_key": OWN_KEY},
               session="brings-a-key-0001")
        n.never_logged(OWN_KEY)
        with Conversation(n, "brings-a-key-0001") as c:  # is none of the breaker's business
            c.say(type="start", audio=PCM)
            assert own.stream().headers["authorization"] == f"Bearer {OWN_KEY}"
            c.until("listening")


def test_nonsense_from_the_provider(node, stt):
    c, s = listen(node, stt)
    with c:
        s.send("{not json")
        until("it stays", s.gone.is_set)
        before = stt.connections
        until("it is not asked again", lambda: c.audio(SILENCE) or stt.connections > before)
        s = stt.stream()
        s.send({"no": "type"})
        s.send({"type": 7})
        s.send({"type": "turn.update"})
        s.send({"type": "turn.end", "transcript": None})
        assert c.until("transcript", final=True)[-1]["text"] == ""
        s.turn("a beer")
        c.until("complete")
        s.send({"type": "error", "status_code": 402, "title": "Payment", "message": "no"})
        assert "credit" in c.until("error")[-1]["content"]


def test_in_pieces_of_one_byte(node, stt):
    with Conversation(node, bytewise=True) as c:
        c.say(type="start", audio=PCM)
        c.next("session")
        s = stt.stream()
        s.bytewise = True
        c.next("listening")
        c.audio(SILENCE)
        assert s.hears(len(SILENCE)) == SILENCE
        s.turn("ein Bier für Zoë")
        assert c.until("transcript", final=True)[-1]["text"] == "ein Bier für Zoë"
        c.until("complete")


def test_finalize_hurries(node, stt):
    c, s = listen(node, stt)
    with c:
        c.audio(SILENCE)
        c.say(type="finalize")
        s.hears(len(SILENCE) + 32000)
        until("nothing was asked", lambda: s.messages)
        assert s.messages[0]["type"] == "config"
        s.turn("a beer")
        c.until("complete")
        until("it stays hasty", lambda: len(s.messages) == 2)


def opus_packets(seconds):
    lib = ctypes.CDLL("libopus.so.0")
    error = ctypes.c_int()
    lib.opus_encoder_create.restype = ctypes.c_void_p
    encoder = ctypes.c_void_p(lib.opus_encoder_create(16000, 1, 2048, ctypes.byref(error)))
    out, frame = [], (ctypes.c_int16 * 320)(*[8000 if i % 40 < 20 else -8000 for i in range(320)])
    for _ in range(int(seconds * 50)):
        room = ctypes.create_string_buffer(1500)
        n = lib.opus_encode(encoder, frame, 320, room, 1500)
        out.append(room.raw[:n])
    lib.opus_encoder_destroy(encoder)
    return out


def test_opus(node, stt):
    with Conversation(node) as c:
        c.say(type="start", audio={"encoding": "opus"})
        c.next("session")
        s = stt.stream()
        c.next("listening")
        for p in opus_packets(1):
            c.audio(p)
        heard = memoryview(s.hears(32000)).cast("h")
        assert len(heard) == 16000 and max(heard[8000:]) > 4000
        c.audio(b"\xff\xff\xff no packet")
        assert c.next("error")["code"] == "invalid_request"
        s.turn("a beer")
        c.until("complete")


def test_what_a_client_must_not_say(node):
    with Conversation(node) as c:
        for text, words in [
                ("{", "one JSON object"), ("[]", "one JSON object"), ("{}", "type must be one of"),
                ('{"type": "sing"}', "start text stop finalize close"),
                ('{"type": 1}', "type must be one of"),
                ('{"type": "text"}', "not empty"), ('{"type": "text", "text": " "}', "not empty"),
                ('{"type": "start", "audio": 1}', "encoding"),
                ('{"type": "start", "audio": {"encoding": "mp3"}}', "encoding"),
                ('{"type": "start", "audio": {"sample_rate": 1}}', "8000 to 48000"),
                ('{"type": "start", "audio": {"sample_rate": "x"}}', "8000 to 48000"),
                ('{"type": "start", "speak": 1}', "speak"),
                ('{"type": "start", "speak": {"format": "mid"}}', "one of wav"),
                ('{"type": "start", "session_id": "a b"}', "session_id")]:
            c.text(text)
            error = c.next("error")
            assert words in error["content"], (text, error)
            assert error["code"] in ("invalid_request", "invalid_session_id")
        c.audio(b"12")
        assert "start" in c.next("error")["content"]
        c.audio(b"12")
        c.say(type="text", text="a beer")
        c.until("complete")
        c.say(type="start", session_id="another-one-0001")
        assert "another session" in c.next("error")["content"]


def test_odd_audio(node, stt):
    c, s = listen(node, stt)
    with c:
        c.audio(b"123")
        assert "two bytes a sample" in c.next("error")["content"]
        s.turn("a beer")
        c.until("complete")


def test_a_client_that_leaves_stops_its_turn(node, stt):
    c, s = listen(node, stt, speak=True)
    s.turn(LONG)
    c.until("audio")
    c.close()
    until("the stream stays open", s.gone.is_set)
    until("somebody still speaks", lambda: node.metric("maya_voice_speeches") == 0)
    until("the socket stays", lambda: node.metric("maya_http_websockets") == 0)
    assert node.metric("maya_ears_hearings") == 0


def test_numbers(node, stt):
    seconds = node.metric("maya_ears_audio_seconds_total")
    final = node.metric("maya_ears_transcripts_total", kind="final")
    done = node.metric("maya_ears_streams_total", ears="cartesia", outcome="done")
    c, s = listen(node, stt)
    with c:
        until("only this one is left", lambda: node.metric("maya_http_websockets") == 1)
        assert node.metric("maya_ears_hearings") == 1
        c.audio(SILENCE * 5)
        s.hears(len(SILENCE) * 5)
        s.turn("a beer")
        c.until("complete")
        c.say(type="close")
        c.closed()
    assert node.metric("maya_ears_audio_seconds_total") == pytest.approx(seconds + .5)
    assert node.metric("maya_ears_transcripts_total", kind="final") == final + 1
    until("it is counted", lambda: node.metric("maya_ears_streams_total", ears="cartesia",
                                               outcome="done") == done + 1)


def test_the_client_of_the_documents(node, tmp_path):
    text = (ROOT / "docs" / "clients.md").read_text()
    program = tmp_path / "client.py"
    program.write_text(re.search(r"```python\n(import asyncio.*?)```", text, re.S)[1])
    out = subprocess.run([sys.executable, str(program), f"ws://{node.host}:{node.port}",
                          "a negroni please"], capture_output=True, text=True,
                         timeout=2 * PATIENCE_S)
    assert out.returncode == 0, out.stderr
    said, spoken = out.stdout.splitlines()
    assert said.startswith("Maya: ") and spoken.endswith("bytes of speech, spoken")
    assert int(spoken.split()[0]) > 10000
