"""The minds against a mock server that somebody else wrote: make peers installs it."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

from node import ROOT, until

CLI = ROOT / "build/peers/node_modules/@copilotkit/aimock/dist/cli.js"
pytestmark = pytest.mark.skipif(not (CLI.exists() and shutil.which("node")),
                                reason="make peers was not run")
TWO = "two negronis please"
FIXTURES = {"fixtures": [
    {"match": {"userMessage": TWO, "hasToolResult": False}, "response": {"toolCalls": [
        {"name": "add_to_order",
         "arguments": json.dumps({"item_name": "Negroni", "quantity": 2})}]}},
    {"match": {"userMessage": TWO, "hasToolResult": True},
     "response": {"content": "Two Negronis, as you wish."}},
    {"match": {"userMessage": "good evening"}, "response": {"content": "Good evening to you."}},
]}


def listens(pid, port):
    """Whether this process does, and not another one to which the port was given meanwhile."""
    held = set()
    with contextlib.suppress(OSError):  # it closes one, or ends
        for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            held.add(os.readlink(fd))
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in pathlib.Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and local.endswith(f":{port:04X}") and f"socket:[{inode}]" in held:
                return True
    return False


@pytest.fixture
def peer(tmp_path):
    """peer(*flags) starts the mock server and gives its address."""
    running = []

    def attempt(flags):
        """Its port; None where somebody else was quicker to take that."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        path = pathlib.Path(tmp_path / "fixtures.json")
        path.write_text(json.dumps(FIXTURES))
        with open(tmp_path / "peer.log", "ab") as log:
            process = subprocess.Popen(
                ["node", str(CLI), "-p", str(port), "-f", str(path), *flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        running.append(process)
        until("the mock server listens",
              lambda: process.poll() is not None or listens(process.pid, port))
        return port if process.poll() is None else None

    def start(*flags):
        port = until(f"a mock server; see {tmp_path}/peer.log", lambda: attempt(flags))
        return f"http://127.0.0.1:{port}"

    yield start
    for p in running:
        p.kill()
        p.wait()


def env(kind, url):
    if kind == "openai":
        return {"MAYA_MIND": "openai", "MAYA_OPENAI_BASE_URL": url + "/v1"}
    return {"MAYA_MIND": "gemini", "MAYA_GEMINI_BASE_URL": url, "GEMINI_API_KEY": "x" * 20}


@pytest.mark.parametrize("kind", ["openai", "gemini"])
@pytest.mark.parametrize("flags", [(), ("--chunk-size", "1"), ("--chunk-size", "3")])
def test_conversation(nodes, peer, kind, flags):
    n = nodes(env(kind, peer(*flags)))
    said = n.say("good evening", "x")
    assert said["response_text"] == "Good evening to you." and said["mind"] == kind
    said = n.say(TWO, "x")
    assert said["response_text"] == "Two Negronis, as you wish.", said
    assert [(line["name"], line["quantity"]) for line in said["current_order"]] == [("Negroni", 2)]


@pytest.mark.parametrize("kind", ["openai", "gemini"])
@pytest.mark.parametrize("flag", ["--chaos-drop", "--chaos-malformed", "--chaos-disconnect"])
def test_faults(nodes, peer, kind, flag):
    n = nodes({**env(kind, peer(flag, "1")), "MAYA_MIND_RETRIES": "0"})
    said = n.say(TWO, "x")
    assert said["mind"] == "house" and re.match(f"{kind}: ", said["mind_why"]), said
    assert [(line["name"], line["quantity"]) for line in said["current_order"]] == [("Negroni", 2)]


