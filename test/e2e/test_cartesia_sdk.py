"""The scripted Cartesia, as Cartesia's own client sees it: make peers installs that."""
import base64
import json
import os
import shutil
import subprocess

import pytest

from cartesia_tts import Cartesia, error, pcm
from node import ROOT
from test_cartesia import certificate  # noqa: F401

SDK = ROOT / "build/peers/node_modules/@cartesia/cartesia-js"
pytestmark = pytest.mark.skipif(not (SDK.exists() and shutil.which("node")),
                                reason="make peers was not run")
TEXTS = ["Sure, ", "one negroni coming up. ", "Anything else?"]


def ask(url, wire, cert=None):
    env = {**os.environ, **({"NODE_EXTRA_CA_CERTS": str(cert)} if cert else {})}
    return subprocess.run(["node", str(ROOT / "test/e2e/cartesia_sdk.cjs"), url, wire, *TEXTS],
                          capture_output=True, text=True, env=env, timeout=120)


def test_http():
    with Cartesia() as c:
        run = ask(c.url, "http")
        assert run.returncode == 0, run.stderr
        heard = [base64.b64decode(b) for b in json.loads(run.stdout)["heard"]]
        assert heard == [pcm(t) for t in TEXTS]
        for a in c.asked:
            assert a.headers["authorization"].startswith("Bearer sk_car_")
            assert a.headers["cartesia-version"] == "2026-08-14"


@pytest.mark.parametrize("answer, name", [(error(401, "x"), "Authentication"),
                                          (error(429, "concurrency_limited"), "RateLimit"),
                                          (error(500, "x"), "InternalServer")])
def test_http_refused(answer, name):
    with Cartesia() as c:
        c.then(answer)
        run = ask(c.url, "http")
        assert run.returncode == 1 and name in run.stderr, run.stderr


def test_websocket(certificate):  # noqa: F811
    path, context = certificate
    with Cartesia(tls=context) as c:
        run = ask(c.url.replace("127.0.0.1", "localhost"), "websocket", path)
        assert run.returncode == 0, run.stderr
        events = json.loads(run.stdout)["events"]
        kinds = {e["type"] for e in events}
        assert kinds == {"chunk", "phoneme_timestamps", "done"}
        audio = b"".join(base64.b64decode(e.get("data") or e["audio"]["data"]
                                          if isinstance(e.get("audio"), dict) else e["data"])
                         for e in events if e["type"] == "chunk")
        assert audio == pcm("".join(TEXTS))
        assert c.connections[0].headers["authorization"].startswith("Bearer sk_car_")
