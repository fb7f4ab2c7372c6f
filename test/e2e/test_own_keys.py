"""Keys that a session brings are shown to their providers first, and to nobody else."""
import json
import threading

import pytest

from certs import PAST, certificate
from node import until
from provider import Answer, Endless, Provider, failure, gemini_words

GEMINI = "AIza-a-test-key-of-somebodys-own"
CARTESIA = "sk_car_a-test-key-of-somebodys-own"
MODELS = {"models": [{"name": "models/gemini-x", "version": "1"}], "nextPageToken": "x"}
VOICES = {"data": [{"id": "f786b574", "name": "Katie"}], "has_more": True}
GOOGLES_NO = {"error": {
    "code": 400, "message": f"API key not valid. Please pass a valid API key. {GEMINI}",
    "status": "INVALID_ARGUMENT", "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
         "domain": "googleapis.com", "metadata": {"service": "x"}}]}}
CARTESIAS_NO = {"error_code": None, "title": "Invalid API key", "message": CARTESIA,
                "request_id": "r1"}
BOTH = {"gemini_key": GEMINI, "cartesia_key": CARTESIA}


def google_error(status, name):
    return failure(status, {"error": {"code": status, "message": GEMINI, "status": name}})


@pytest.fixture
def bar(nodes):
    def make(gemini, cartesia=None, **env):
        n = nodes({"MAYA_KEY_CHECK_SECONDS": "20", "MAYA_MIND": "auto",
                   "MAYA_GEMINI_BASE_URL": gemini if isinstance(gemini, str) else gemini.url,
                   "MAYA_CARTESIA_URL": cartesia.url + "/" if cartesia else "http://127.0.0.1:1",
                   "MAYA_MIND_RETRIES": "0", **env})
        n.never_logged(GEMINI)
        n.never_logged(CARTESIA)
        return n

    return make


def give(n, body, session="mine"):
    reply = n.post("/api/v1/session/keys", body, session=session)
    text = reply.body.decode()
    assert GEMINI not in text and CARTESIA not in text
    return reply


def send(n, body):
    """The same, and whoever gives it may leave before the answer."""
    body = json.dumps(body).encode()
    return n.raw(b"POST /api/v1/session/keys HTTP/1.1\r\nHost: x\r\nX-Session-ID: mine\r\n"
                 b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


def states(reply):
    return {name: v["state"] for name, v in reply.json()["keys"].items()}


def has_keys(n, session="mine"):
    return n.get("/api/v1/session/status", session=session).json()["has_valid_keys"]


def checks(n, provider="gemini"):
    return {s: n.metric("maya_key_checks_total", provider=provider, state=s)
            for s in ("valid", "invalid", "not_checked")}


def clean(n):
    shown = n.log() + n.get("/metrics").body.decode()
    assert GEMINI not in shown and CARTESIA not in shown


def test_both_valid(bar):
    with Provider(failure(200, MODELS)) as g, Provider(failure(200, VOICES)) as c:
        n = bar(g, c)
        reply = give(n, {"gemini_key": f" {GEMINI} ", "cartesia_key": CARTESIA})
        assert reply.status == 200 and has_keys(n)
        assert reply.json() == {"status": "success", "session_id": "mine", "has_valid_keys": True,
                                "keys": {"gemini": {"state": "valid"},
                                         "cartesia": {"state": "valid"}}}
        [asked], [other] = g.asked, c.asked
        assert (asked.method, asked.path) == ("GET", "/v1beta/models?pageSize=1")
        assert asked.headers["x-goog-api-key"] == GEMINI
        assert "authorization" not in asked.headers and CARTESIA not in str(asked.headers)
        assert (other.method, other.path) == ("GET", "/voices?limit=1")
        assert other.headers["authorization"] == f"Bearer {CARTESIA}"
        assert other.headers["cartesia-version"] == "2026-08-14"
        assert "x-goog-api-key" not in other.headers and GEMINI not in str(other.headers)
        assert checks(n) == {"valid": 1, "invalid": 0, "not_checked": 0} == checks(n, "cartesia")
        g.then(gemini_words("Yes."))
        assert n.say("good evening", "mine")["mind"] == "gemini"
        assert g.asked[-1].headers["x-goog-api-key"] == GEMINI
        clean(n)


@pytest.mark.parametrize("answer, reason", [
    (failure(400, GOOGLES_NO), "Gemini does not accept this key (400 API_KEY_INVALID)."),
    (failure(400, json.dumps([GOOGLES_NO]).encode()), "Gemini does not accept this key (400 API_KEY_INVALID)."),
    (google_error(401, "UNAUTHENTICATED"), "Gemini does not accept this key (401 UNAUTHENTICATED)."),
    (failure(401), "Gemini does not accept this key (401)."),
    (google_error(403, "PERMISSION_DENIED"),
     "Gemini does not accept this key (403 PERMISSION_DENIED)."),
], ids=["400", "400-in-a-list", "401", "401-bare", "403"])
def test_invalid(bar, answer, reason):
    with Provider(failure(200, MODELS), answer) as g:
        n = bar(g)
        assert give(n, {"gemini_key": GEMINI}).status == 200
        before = n.get("/api/v1/session/history", session="mine").body
        reply = give(n, {"gemini_key": "another-key-that-is-none"})
        assert reply.status == 400
        assert reply.json() == {"detail": reason, "code": "api_key_invalid",
                                "keys": {"gemini": {"state": "invalid", "reason": reason}}}
        assert checks(n) == {"valid": 1, "invalid": 1, "not_checked": 0}
        assert n.get("/api/v1/session/history", session="mine").body == before
        g.then(gemini_words("Yes."))  # with the key from before
        assert n.say("good evening", "mine")["mind"] == "gemini"
        assert g.asked[-1].headers["x-goog-api-key"] == GEMINI
        clean(n)


def test_invalid_makes_no_session(bar):
    with Provider(failure(400, GOOGLES_NO)) as g:
        n = bar(g)
        assert give(n, {"gemini_key": GEMINI}, "never-seen-before").status == 400
        assert n.metric("maya_sessions_created_total") == 0
        assert not has_keys(n, "never-seen-before")


def test_one_of_two_is_invalid(bar):
    with Provider(failure(200, MODELS)) as g, Provider(failure(401, CARTESIAS_NO)) as c:
        n = bar(g, c)
        reply = give(n, BOTH)
        assert reply.status == 400 and states(reply) == {"gemini": "valid", "cartesia": "invalid"}
        assert reply.json()["detail"] == "Cartesia does not accept this key (401)."
        assert not has_keys(n)
        clean(n)


@pytest.mark.parametrize("answer, reason", [
    (google_error(429, "RESOURCE_EXHAUSTED"),
     "Gemini could not tell: it answered 429 RESOURCE_EXHAUSTED."),
    (failure(500), "Gemini could not tell: it answered 500."),
    (google_error(400, "FAILED_PRECONDITION"),
     "Gemini could not tell: it answered 400 FAILED_PRECONDITION."),
    (failure(403, b"<html>The proxy says no</html>"), "Gemini could not tell: it answered 403."),
    (failure(404), "Gemini could not tell: it answered 404."),
    (failure(200, b"{"), "Gemini answered something that is no list of models."),
    (failure(200, b"<html>Log in to this hotel</html>"),
     "Gemini answered something that is no list of models."),
    (failure(200, {"error": {"status": "API_KEY_INVALID"}}),
     "Gemini answered something that is no list of models."),
    (failure(200, b"\xff\0" * 50), "Gemini answered something that is no list of models."),
    (failure(200, b"[" * 30000), "Gemini answered something that is no list of models."),
    (Answer([json.dumps(MODELS).encode()], end="cut"), "Gemini broke the connection off."),
    (Answer([b"{"], end="reset"), "Gemini broke the connection off."),
    (Endless(b"x" * 4096), "Gemini answered more than a question about a key can need."),
], ids=["429", "500", "400-other", "403-proxy", "404", "half", "html", "error-in-200", "binary",
        "deep", "cut", "reset", "endless"])
def test_could_not_tell(bar, answer, reason):
    with Provider(answer) as g:
        n = bar(g)
        reply = give(n, {"gemini_key": GEMINI})
        assert reply.status == 200 and reply.json()["has_valid_keys"] is True
        assert reply.json()["keys"] == {"gemini": {"state": "not_checked", "reason": reason}}
        assert has_keys(n) and checks(n)["not_checked"] == 1
        clean(n)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(bar, status):
    with Provider(otherwise=failure(200, MODELS)) as elsewhere:
        answer = failure(status, headers={"Location": elsewhere.url + "/v1beta/models"})
        with Provider(answer) as g:
            n = bar(g)
            reply = give(n, {"gemini_key": GEMINI})
            assert reply.json()["keys"]["gemini"] == {
                "state": "not_checked", "reason": f"Gemini could not tell: it answered {status}."}
            assert elsewhere.connections == 0


def test_too_slow(bar):
    with Provider(otherwise=Answer(end="hang")) as g, \
            Provider(otherwise=failure(200, VOICES)) as c:
        n = bar(g, c, MAYA_KEY_CHECK_SECONDS="0.3")

        def other_is_in_time():
            reply = give(n, BOTH)
            assert reply.status == 200 and has_keys(n)
            assert reply.json()["keys"]["gemini"] == {
                "state": "not_checked", "reason": "Gemini did not answer within 0.3 s."}
            return g.asked and reply.json()["keys"]["cartesia"] == {"state": "valid"}

        until("Cartesia's answer", other_is_in_time)
        assert g.asked[0].gone.wait(20)


def test_nobody_listens(bar):
    n = bar("http://127.0.0.1:1")
    reply = give(n, BOTH)
    assert reply.status == 200 and has_keys(n)
    assert reply.json()["keys"] == {
        "gemini": {"state": "not_checked", "reason": "Gemini cannot be reached."},
        "cartesia": {"state": "not_checked", "reason": "Cartesia cannot be reached."}}
    clean(n)


def test_not_asked(bar):
    with Provider(otherwise=failure(200, MODELS)) as g:
        n = bar(g, MAYA_KEY_CHECK_SECONDS="0")
        reply = give(n, {"gemini_key": GEMINI})
        assert reply.status == 200 and has_keys(n)
        assert reply.json()["keys"]["gemini"] == {"state": "not_checked",
                                                  "reason": "Keys are not checked here."}
        assert g.asked == []


@pytest.mark.parametrize("how", [{}, {"name": "DNS:elsewhere.example"}, {"ends": PAST}],
                         ids=["self-signed", "wrong host", "expired"])
def test_certificate_that_does_not_verify(bar, how, tmp_path):
    path, context = certificate(tmp_path / "tls", **how)
    with Provider(otherwise=failure(200, MODELS), tls=context) as g:
        n = bar(g, **({"MAYA_CA_FILE": str(path)} if how else {}))
        reply = give(n, {"gemini_key": GEMINI})
        assert reply.json()["keys"]["gemini"] == {
            "state": "not_checked",
            "reason": "Gemini could not be asked: its certificate does not verify."}
        assert g.asked == []
        clean(n)


@pytest.mark.parametrize("key", ["a key with spaces", "a-key\r\nX-Other: header", "schl\u00fcssel",
                                 "tab\tinside"])
def test_what_is_no_key_is_sent_nowhere(bar, key):
    with Provider(otherwise=failure(200, MODELS)) as g:
        n = bar(g)
        reply = give(n, {"gemini_key": key})
        assert reply.status == 400 and reply.json()["code"] == "api_key_invalid"
        assert "visible ASCII" in reply.json()["detail"]
        reply = give(n, {"gemini_key": GEMINI, "cartesia_key": key})
        assert states(reply) == {"gemini": "not_checked", "cartesia": "invalid"}
        assert g.asked == [] and not has_keys(n)


def test_too_long(bar):
    with Provider(otherwise=failure(200, MODELS)) as g:
        n = bar(g)
        assert give(n, {"gemini_key": "k" * 512}).status == 200
        reply = give(n, {"gemini_key": "k" * 513})
        assert reply.status == 400 and "at most 512" in reply.json()["detail"]
        assert len(g.asked) == 1


def test_client_that_leaves(bar):
    with Provider(otherwise=Answer(end="hang")) as g:
        n = bar(g, MAYA_KEY_CHECK_SECONDS="60")
        with send(n, {"gemini_key": GEMINI}):
            asked = g.wait_for(1)
        assert asked.gone.wait(20)  # nobody waits for the answer any more
        assert not has_keys(n)


def test_nobodys_turn_waits(bar):
    with Provider(otherwise=Answer(end="hang")) as g:
        n = bar(g, MAYA_MIND="house")
        giving = threading.Thread(target=lambda: give(n, {"gemini_key": GEMINI}), daemon=True)
        giving.start()
        g.wait_for(1)
        assert n.say("good evening to you", "mine")["mind"] == "house"  # the same session
        g.close()  # cuts it off
        giving.join(20)
        assert not giving.is_alive() and has_keys(n)


def test_many_at_once(bar):
    """So many are asked at the same time and no more: the others are kept unasked."""
    with Provider(otherwise=Answer(end="hang")) as g:
        n = bar(g, MAYA_KEY_CHECK_SECONDS="60")
        replies = []
        guests = [threading.Thread(target=lambda i=i: replies.append(
            give(n, {"gemini_key": GEMINI}, f"guest-{i}")), daemon=True) for i in range(16)]
        for t in guests:
            t.start()
        g.wait_for(16)
        one_more = give(n, {"gemini_key": GEMINI}, "guest-16")
        assert one_more.status == 200 and len(g.asked) == 16
        assert one_more.json()["keys"]["gemini"]["reason"] == (
            "Too many keys are being checked at this moment.")
        g.close()
        for t in guests:
            t.join(20)
        assert [r.status for r in replies] == [200] * 16
        g2 = give(n, {"gemini_key": GEMINI}, "guest-17")
        assert g2.json()["keys"]["gemini"]["reason"] == "Gemini cannot be reached."


def test_stop_while_it_asks(bar):
    with Provider(otherwise=Answer(end="hang")) as g:
        n = bar(g, MAYA_DRAIN_SECONDS="0")
        with send(n, {"gemini_key": GEMINI}):
            g.wait_for(1)
            n.stop()
        assert g.asked[0].gone.wait(20)
