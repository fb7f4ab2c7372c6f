"""Keys, session ids and what people say are in no log line, no metric and no stored byte."""
import pytest

KEYS = {"gemini_key": "AIza" + "TestTestTestTestTestTestTestTestTes",
        "cartesia_key": "sk_car_" + "TestTestTestTestTestTest"}
SAID = "my grandmother's recipe has seven kingfishers in it"
FROM_OUTSIDE = {"GEMINI_API_KEY": "AIza" + "FakeFakeFakeFakeFakeFakeFakeFakeFak",
                "CARTESIA_API_KEY": "sk_car_" + "FakeFakeFakeFakeFakeFake",
                "MAYA_MASTER_KEY": "a fake passphrase that nobody may see",
                "MAYA_MASTER_KEY_OLD": "an older passphrase that nobody may see"}


def everything_stored(node):
    return b"".join(p.read_bytes() for p in node.data.rglob("*") if p.is_file())


def shown(node):
    """All that a stranger, an operator's scraper and a log shipper get to see."""
    return node.log() + "".join(node.get(p).body.decode() for p in (
        "/metrics", "/healthz", "/readyz", "/openapi.json", "/"))


@pytest.mark.parametrize("args", [[], ["--log-format", "json"]])
def test_keys_are_nowhere(nodes, args):
    node = nodes(FROM_OUTSIDE, args=args)
    sid = node.get("/api/v1/session/status").session
    assert node.post("/api/v1/session/keys", KEYS, session=sid).status == 200
    node.post("/api/v1/session/keys", {"gemini_key": None, "cartesia_key": KEYS["cartesia_key"]},
              session=sid)
    node.chat(SAID, sid)
    with node.stream(SAID, sid) as s:
        list(s)
    node.post("/api/v1/chat", {"user_input": [SAID]}, session=sid)
    node.post("/api/v1/chat", '{"user_input": "' + SAID, session=sid)
    node.get("/" + KEYS["gemini_key"])
    node.get("/nothing", headers={"Authorization": "Bearer " + KEYS["gemini_key"]})
    node.chat(SAID, KEYS["gemini_key"])  # somebody mixes up the fields
    page = shown(node)
    secrets = [*KEYS.values(), *FROM_OUTSIDE.values(), SAID, sid]
    for secret in secrets:
        assert secret not in page, secret[:12]
    node.stop()
    log = node.log()
    stored = everything_stored(node)
    for secret in secrets:
        assert secret not in log, secret[:12]
        if secret not in (sid, KEYS["gemini_key"]):  # ids are the names of rows
            assert secret.encode() not in stored, secret[:12]


def test_answers_do_not_repeat_keys(nodes):
    node = nodes()
    reply = node.post("/api/v1/session/keys", {"gemini_key": {"a": KEYS["gemini_key"]}})
    assert reply.status == 422
    sid = node.get("/api/v1/session/status").session
    node.post("/api/v1/session/keys", KEYS, session=sid)
    for path in ("/api/v1/session/status", "/api/v1/payments/tab"):
        assert KEYS["gemini_key"] not in node.get(path, session=sid).body.decode()
    assert KEYS["gemini_key"] not in node.chat("what is my key?", sid).body.decode()


def test_the_made_key_is_for_its_owner_alone(nodes):
    node = nodes()
    node.say("hello there, good evening", "first-of-the-house")
    keys = [p for p in node.data.iterdir() if p.is_file() and "key" in p.name]
    assert len(keys) == 1
    assert keys[0].stat().st_mode & 0o777 == 0o600
    assert keys[0].read_text(errors="replace").strip() not in node.log()
    assert "MAYA_MASTER_KEY" in node.log()  # it says what having made one means
