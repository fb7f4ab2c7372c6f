"""Options: one sentence when wrong, one order of precedence, one table for all of it."""
import json
import re
import shutil
import subprocess

import pytest

from node import MAYA, PATIENCE_S, ROOT, Node

TABLE = re.findall(r'^OPTION\(\w+, "(\w+)", "([\w-]*)"',
                   (ROOT / "src" / "config" / "config.def").read_text(), re.M)


def maya(folder, *args, **env):
    """Run a command of the program to its end, in an empty environment."""
    return subprocess.run([MAYA, *args], cwd=folder, env={"PATH": "/usr/bin:/bin", **env},
                          capture_output=True, text=True, timeout=PATIENCE_S,
                          stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("name, value, mentions", [
    ("PORT", "99999", "0 to 65535"), ("PORT", "eighty", "0 to 65535"),
    ("MAYA_SESSIONS_PER_CONTAINER", "0", "1"), ("MAYA_SESSIONS_PER_CONTAINER", "-5", "1"),
    ("MAYA_SESSIONS_PER_CONTAINER", "5.5", "whole"), ("MAYA_SESSION_EXPIRY_SECONDS", "soon", ""),
    ("MAYA_CONTAINER_MEMORY_THRESHOLD", "1.5", "0.95"),
    ("MAYA_CONTAINER_MEMORY_THRESHOLD", "nan", "0.95"),
    ("MAYA_DEFAULT_SESSION_MEMORY_MB", "lots", ""), ("MAYA_LOG_LEVEL", "loud", "debug"),
    ("MAYA_LOG_FORMAT", "xml", "json"), ("MAYA_ADMISSION_POLICY", "hope", "reserved"),
    ("MODAL_MEMORY_MB", "1e3", ""), ("MAYA_BURST_LIMIT", "99999999999999999999", ""),
])
def test_an_invalid_value_stops_with_one_sentence(tmp_path, name, value, mentions):
    p = maya(tmp_path, "serve", **{name: value})
    assert p.returncode not in (0, -6, -11)
    lines = p.stderr.strip().splitlines()
    assert len(lines) == 1, p.stderr
    assert name in lines[0] and value in lines[0] and mentions in lines[0]
    assert not list(tmp_path.iterdir()), "it made something before it looked"


def test_an_invalid_line_of_env_is_told_with_its_place(tmp_path):
    (tmp_path / ".env").write_text("# the port\n\nPORT=eighty\n")
    p = maya(tmp_path, "serve")
    assert p.returncode != 0
    assert ".env" in p.stderr and "3" in p.stderr and "PORT" in p.stderr


def test_a_secret_is_never_told(tmp_path):
    p = maya(tmp_path, "config", MAYA_MASTER_KEY="a fake passphrase to be kept")
    assert p.returncode == 0
    assert "passphrase" not in p.stdout + p.stderr
    assert re.search(r"^MAYA_MASTER_KEY: set", p.stdout, re.M)


def test_an_unknown_name_is_a_warning_with_the_nearest(tmp_path):
    p = maya(tmp_path, "config", MAYA_SESION_RATE_LIMIT="3")
    assert p.returncode == 0
    assert "MAYA_SESION_RATE_LIMIT" in p.stderr and "MAYA_SESSION_RATE_LIMIT" in p.stderr


def test_an_unknown_flag_is_an_error(tmp_path):
    p = maya(tmp_path, "serve", "--prot", "80")
    assert p.returncode == 2
    assert "--prot" in p.stderr


def test_precedence(tmp_path):
    (tmp_path / ".env").write_text("PORT=1001\nMAYA_BURST_LIMIT=1002\nMAYA_SESSION_RATE_LIMIT=1003\n")
    p = maya(tmp_path, "config", "--port", "3001", PORT="2001", MAYA_BURST_LIMIT="2002")
    told = dict(re.findall(r"^(\w+)=(\S*)", p.stdout, re.M))
    assert told["PORT"] == "3001"
    assert told["MAYA_BURST_LIMIT"] == "2002"
    assert told["MAYA_SESSION_RATE_LIMIT"] == "1003"
    assert told["MAYA_APP_RATE_LIMIT"] == "100"


def test_another_env_file(tmp_path):
    (tmp_path / "evening.env").write_text("export PORT='1234'\n")
    p = maya(tmp_path, "config", "--env-file", "evening.env")
    assert "PORT=1234" in p.stdout
    p = maya(tmp_path, "config", "--env-file", "missing.env")
    assert p.returncode != 0 and "missing.env" in p.stderr


def test_help_and_document_know_every_option(tmp_path):
    p = maya(tmp_path, "serve", "--help")
    assert p.returncode == 0
    document = (ROOT / "docs" / "config.md").read_text()
    for name, flag in TABLE:
        assert name in p.stdout and name in document
        assert not flag or f"--{flag}" in p.stdout and flag in document


def test_a_plan_that_cannot_work(nodes):
    node: Node = nodes({"MAYA_DEFAULT_SESSION_MEMORY_MB": "500",
                        "MAYA_SESSIONS_PER_CONTAINER": "50"}, start=False)
    with pytest.raises(AssertionError):
        node.start()
    said = [l for l in node.log().splitlines() if "MAYA_SESSIONS_PER_CONTAINER" in l]
    assert said, node.log()
    # The arithmetic, and the nearest plan that works.
    assert "500" in said[-1] and "50" in said[-1] and "0.8" in said[-1]
    assert re.search(r"MAYA_SESSIONS_PER_CONTAINER=\d+|at most \d+|\d+ sessions", said[-1])


def test_the_start_tells_the_configuration(nodes):
    node = nodes({"MAYA_BURST_LIMIT": "17", "GEMINI_API_KEY": "AIzaFakeFakeFakeFakeFakeFakeFakeFake"})
    assert "MAYA_BURST_LIMIT=17" in node.log()
    assert "AIzaFake" not in node.log()


def test_json_lines(nodes):
    node = nodes(args=["--log-format", "json", "--log-level", "debug"])
    node.say("good evening to the house", "json-lines-0001")
    node.get("/nothing")
    node.stop()
    lines = [l for l in node.log().splitlines() if not l.startswith("maya: listening on ")]
    assert len(lines) > 3
    for line in lines:
        event = json.loads(line)
        assert {"level", "event"} <= event.keys()


@pytest.mark.parametrize("level, has", [("debug", True), ("error", False)])
def test_log_levels(nodes, level, has):
    node = nodes({"MAYA_LOG_LEVEL": level})
    node.say("good evening to the house", "log-levels-0001")
    node.stop()
    lines = [l for l in node.log().splitlines() if not l.startswith("maya: listening on ")]
    assert bool(lines) is has


def test_a_rate_limit_and_none(nodes):
    node = nodes({"MAYA_BURST_LIMIT": "3"})
    texts = [node.say("an ipa please", "hurried-0000001")["response_text"] for _ in range(5)]
    assert not any("Rate limit" in t for t in texts[:3])
    assert all("Rate limit exceeded" in t for t in texts[3:])
    assert node.tab("hurried-0000001")["tab_amount"] == 18.0


def test_a_folder_that_cannot_be_used(tmp_path):
    (tmp_path / "file").write_text("")
    p = maya(tmp_path, "serve", "--port", "0", "--data-dir", str(tmp_path / "file" / "x"),
             "--agent", str(ROOT / "agents" / "maya"))
    assert p.returncode not in (0, -6, -11)
    assert "file/x" in p.stderr


def test_an_installed_program_finds_its_agent(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "elsewhere").mkdir()
    program = shutil.copy(MAYA, tmp_path / "bin" / "maya")
    shutil.copytree(ROOT / "agents", tmp_path / "share" / "maya" / "agents")
    p = subprocess.Popen([program, "serve", "--host", "127.0.0.1", "--port", "0"],
                         cwd=tmp_path / "elsewhere", stdout=subprocess.PIPE, text=True,
                         stderr=subprocess.DEVNULL, env={})
    try:
        assert p.stdout.readline().startswith("maya: listening on http://127.0.0.1:")
    finally:
        p.kill()
        p.communicate()


@pytest.mark.parametrize("text, mentions", [
    (b"", "1: a document has 1 to 1048576 bytes"), (b"x" * 1048577, "1: a document has 1 to"),
    (b"Ice\nmelts \xff\n", "2: not UTF-8 text")])
def test_a_document_that_cannot_be_used(tmp_path, text, mentions):
    shutil.copytree(ROOT / "agents" / "maya", tmp_path / "agent")
    (tmp_path / "agent" / "knowledge" / "ice.md").write_bytes(text)
    p = maya(tmp_path, "serve", "--port", "0", "--agent", str(tmp_path / "agent"))
    assert p.returncode == 1
    assert "knowledge/ice.md:" + mentions in p.stderr


def test_an_agent_folder_with_a_mistake(tmp_path):
    shutil.copytree(ROOT / "agents" / "maya", tmp_path / "agent")
    menu = tmp_path / "agent" / "menu.yaml"
    menu.write_text(menu.read_text() + "\nnonsense: [\n")
    p = maya(tmp_path, "serve", "--port", "0", "--agent", str(tmp_path / "agent"))
    assert p.returncode not in (0, -6, -11)
    assert re.search(r"menu\.yaml:\d+", p.stderr)


def test_a_port_that_is_taken(nodes):
    node = nodes()
    other = nodes(start=False, args=["--port", str(node.port)])
    with pytest.raises(AssertionError):
        other.start()
    assert str(node.port) in other.log()
