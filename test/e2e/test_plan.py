"""deploy.yaml without an engine: `maya deploy --dry-run` and `maya config check`."""
import json
import os
import re
import subprocess

import pytest

from certs import certificate
from node import MAYA, ROOT


def maya(folder, *args, **env):
    return subprocess.run([MAYA, *args], cwd=folder, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60,
                          env={k: v for k, v in os.environ.items()
                               if not k.startswith(("MAYA_", "MODAL_"))} | env)


def app(folder, text, name="deploy.yaml"):
    if not (folder / "agents").exists():
        (folder / "agents").symlink_to(ROOT / "agents")
    (folder / name).write_text(text)
    return folder


def test_a_file_is_named_with_its_flag(tmp_path):
    for command in (["deploy"], ["image", "build"]):
        p = maya(tmp_path, *command, "bar.yaml")
        assert (p.returncode, p.stdout) == (2, "")
        assert p.stderr == f"maya: a file is named with -f: maya {' '.join(command)} -f bar.yaml\n"


def test_the_plan_says_it_all(tmp_path):
    certificate(tmp_path / "tls", "DNS:bar.example.org")
    p = maya(app(tmp_path, """name: bar
size: large
env: {MAYA_LOG_LEVEL: debug}
secrets: [keys]
hostnames: [bar.example.org]
tls: {certificate: tls/cert.pem, key: tls/key.pem}
"""), "deploy", "--dry-run", "--tag", "v1.0", "--strategy", "canary")
    assert p.returncode == 0, p.stderr
    lines = dict(re.match(r"(\S+)\s+(.*)", line).groups() for line in p.stdout.splitlines()
                 if line[0] != " ")
    assert lines["app"] == "bar, tag v1.0, canary"
    assert re.match(r"maya/bar:[0-9a-f]{16}, [\d.]+ MiB: this program", lines["image"])
    assert lines["sessions"].startswith("80 x 75 MiB = 6000 MiB; 0.75 x 8192 - ")
    assert lines["sessions"].endswith("they fit")
    assert lines["in"] == "all      800 sessions, 81920 MiB when all containers run"
    assert "MAYA_LOG_LEVEL=debug" in p.stdout and "MAYA_SESSIONS_PER_CONTAINER=80" in p.stdout
    assert lines["secrets"] == "keys" and lines["volumes"] == "bar-data=/data"
    assert lines["hostnames"] == "bar.example.org" and lines["tls"] == "tls/cert.pem"
    assert lines["memory"].startswith("8192 MiB each, and as much swap again where the machine has some; ")


def test_the_plan_for_programs(tmp_path):
    p = maya(app(tmp_path, "name: bar\n"), "deploy", "--dry-run", "--json",
             MODAL_MEMORY_MB="8192", MODAL_MAX_CONTAINERS="2")
    plan = json.loads(p.stdout)
    assert plan["spec"]["memory"] == 8192 and plan["spec"]["max_containers"] == 2
    assert plan["spec"]["name"] == "bar" and plan["image"]["size"] > 1 << 20


def test_another_server(tmp_path):
    p = maya(app(tmp_path, "name: web\nimage: {ready: 'nginx:1'}\nmemory: 32\n"), "deploy",
             "--dry-run")
    assert p.returncode == 0, p.stderr
    assert "image       nginx:1: as it is" in p.stdout
    assert "MAYA_" not in p.stdout and "PORT=8000" in p.stdout


@pytest.mark.parametrize("text, says", [
    ("name: x\nsiez: small\n", "deploy.yaml:2: unknown key 'siez'; did you mean 'size'?"),
    ("name: x\nsize: large\nsessions: 100\n",
     r"deploy.yaml:3: MAYA_SESSIONS_PER_CONTAINER 100 x .* what fits: \d+ sessions, or .* MiB of "
     "memory"),
    ("name: x\nimage: {base: b}\ncommand: [x]\n\tport: 1\n", "deploy.yaml:4: not valid YAML"),
    ("name: x\nimage: {agent: none}\n",
     "deploy.yaml:2: 'image.agent' says 'none', which cannot be read: No such file or directory"),
])
def test_one_sentence_when_it_is_wrong(tmp_path, text, says):
    p = maya(app(tmp_path, text), "deploy", "--dry-run")
    assert p.returncode == 1
    assert p.stderr.count("\n") == 1
    assert re.match("maya: " + says, p.stderr), p.stderr


WEB = "name: x\ncommand: [/web]\nimage:\n  "


@pytest.mark.parametrize("text, says", [
    (WEB + "dockerfile: nope", ":4: 'image.dockerfile' says 'nope', which cannot be read: No such file"),
    (WEB + "dockerfile: deploy.yaml\n  context: deploy.yaml", ":5: 'image.context' says 'deploy.yaml', "
     "which is no folder"),
    (WEB + "base: b\n  requirements: nope", ":5: 'image.requirements' says 'nope', which cannot be read"),
    (WEB + "base: b\n  files:\n    deploy.yaml: /a\n    ./nope: /b", ":7: 'image.files' says './nope', "),
    (WEB + "ready: UPPER CASE", ":4: 'image.ready' is 'UPPER CASE', which no engine takes"),
    ("name: x\ncpu: 0.0001", ":2: 'cpu' is '0.0001', less than an engine can give"),
    ("name: x\nport: 8001", ":2: 'port' is 8001, where Maya tells the gateway of her room"),
    ("name: x\nport: 080", ":2: 'port' is '080'; write it without a 0 in front, as 80"),
    ("name: x\nuser: '0:0'", ":2: 'user' is '0:0', which is root"),
    ("name: x\nhostnames: [a.b, a.b]", ":2: 'a.b' is twice in 'hostnames'"),
    ("name: x\nenv: {HOST: 127.0.0.1}", ":2: HOST is '127.0.0.1', where only the container itself"),
    ("name: x\nenv: {MAYA_DATA_DIR: /tmp/x}", ":2: MAYA_DATA_DIR is '/tmp/x', which is on no volume"),
    ("name: x\nenv: {MAYA_LOG_FORMAT: text}", ":2: MAYA_LOG_FORMAT is 'text', and `maya app logs` reads"),
    ("name: x\ntls: {certificate: nope, key: tls/key.pem}", ":2: 'tls.certificate' is 'nope', which cannot"),
    ("name: x\nhostnames: [a.b]\ntls: {certificate: tls/cert.pem, key: tls/key.pem}",
     ":3: the certificate 'tls/cert.pem' is not for the name 'a.b'"),
    ("name: x\ntls:\n  certificate: tls/cert.pem\n  key: old/key.pem", ":3: the certificate 'tls/cert.pem' "),
])
def test_what_would_fail_later_is_told_now(tmp_path, text, says):
    """By both, with the line, and before an image is made."""
    if "tls:" in text:
        certificate(tmp_path / "tls", "DNS:bar.example.org")
        certificate(tmp_path / "old", "DNS:bar.example.org")
    app(tmp_path, text + "\n")
    for args in (["deploy", "--dry-run"], ["config", "check", "-f", "deploy.yaml"]):
        p = maya(tmp_path, *args)
        assert (p.returncode, p.stdout, p.stderr.count("\n")) == (1, "", 1), p.stderr
        assert p.stderr.startswith("maya: deploy.yaml" + says), p.stderr


@pytest.mark.parametrize("args, says", [
    (["--tag", "a b"], "--tag is 'a b'; it may be letters"),
    (["--name", "-x"], "--name"),
    (["--strategy", "hope"], "--strategy is 'hope'; it may be rolling, blue-green, canary or "
     "recreate"),
    (["-f", "none.yaml"], "open 'none.yaml': No such file"),
])
def test_wrong_flags(tmp_path, args, says):
    p = maya(app(tmp_path, "name: x\n"), "deploy", "--dry-run", *args)
    assert p.returncode in (1, 2) and says in p.stderr


def test_no_file(tmp_path):
    p = maya(tmp_path, "deploy", "--dry-run")
    assert p.returncode == 2 and "there is no deploy.yaml here" in p.stderr


def test_config_check_proves_it(tmp_path):
    app(tmp_path, "name: bar\nsize: small\n", "other.yaml")
    p = maya(tmp_path, "config", "check", "-f", "other.yaml")
    assert p.returncode == 0, p.stderr
    assert "50 x 25 MiB = 1250 MiB" in p.stdout
    # The one that lies here is looked at as well.
    p = maya(app(tmp_path, "name: bar\nmemory: 1024\n"), "config", "check",
             MAYA_SESSIONS_PER_CONTAINER="1", MAYA_DEFAULT_SESSION_MEMORY_MB="1",
             MAYA_AGENT_DIR=str(ROOT / "agents/maya"))
    assert p.returncode == 1
    assert p.stdout.startswith("memory ") and "deploy.yaml: bar" in p.stdout
    assert "deploy.yaml:2: MAYA_SESSIONS_PER_CONTAINER 50" in p.stderr


def test_the_schema_is_one(tmp_path):
    schema = json.loads(maya(tmp_path, "docs", "deploy-schema").stdout)
    assert schema["properties"]["size"]["enum"] == ["small", "medium", "large"]
    assert schema["properties"]["health"]["properties"]["interval"]["type"] == "integer"
    assert schema["additionalProperties"] is False
