"""`maya secret` on a real Docker Engine in Swarm mode."""
import json
import subprocess

import pytest

from docker import PATIENCE_S, start_engine
from node import MAYA, until


@pytest.fixture(scope="module")
def swarm():
    made = start_engine(swarm=True)
    yield made
    made.stop()


def maya(engine, *words, code=0, **more):
    done = subprocess.run([MAYA, *words], env=engine.env, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60, **more)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def secrets_of(engine):
    return {s["name"]: s for s in json.loads(maya(engine, "secret", "list", "--json"))}


def test_create_list_replace_and_delete(swarm):
    assert "1 value" in maya(swarm, "secret", "create", "one", "A=first")
    assert secrets_of(swarm)["one"]["values"] == "A"
    why = maya(swarm, "secret", "create", "one", "A=second", code=1)
    assert "there is a secret 'one' already; --force replaces it" in why
    maya(swarm, "secret", "create", "one", "A=second", "B=x", "--force")
    assert secrets_of(swarm)["one"]["values"] == "A, B"
    assert secrets_of(swarm)["one"]["version"] == "v2"
    assert len(swarm.json("GET", "/secrets")) == 2  # whoever runs with the first one keeps it
    assert "--yes" in maya(swarm, "secret", "delete", "one", code=1)
    assert maya(swarm, "secret", "delete", "one", "-y") == "The secret 'one' is gone.\n"
    assert swarm.json("GET", "/secrets") == []
    assert "no secret 'one'" in maya(swarm, "secret", "delete", "one", "-y", code=1)
    said = maya(swarm, "secret", "delete", "one", "-y", "--allow-missing")
    assert said == "There is no secret 'one'.\n"
    assert maya(swarm, "secret", "list").startswith("No secrets yet")


VALUE = 'a "quoted" $HOME `x` \\ back, =, # and\na second line\twith é'


def read_by_a_container(swarm, name):
    """What a container of a service that has this secret finds in it."""
    image = swarm.base_image()
    s = next(s for s in swarm.json("GET", "/secrets") if s["Spec"]["Name"] == name)
    spec = {"Name": "reader", "TaskTemplate": {
        "ContainerSpec": {"Image": image, "Command": ["/bin/cat", "/run/secrets/v"],
                          "Secrets": [{"SecretID": s["ID"], "SecretName": name, "File":
                                       {"Name": "v", "UID": "0", "GID": "0", "Mode": 256}}]},
        "RestartPolicy": {"Condition": "none"}}}
    made = swarm.json("POST", "/services/create", spec)["ID"]
    try:
        def ended():
            tasks = swarm.json("GET", '/tasks?filters={"service":["reader"]}')
            states = [t["Status"]["State"] for t in tasks]
            assert "failed" not in states and "rejected" not in states, tasks
            return states == ["complete"] and tasks[0]["Status"]["ContainerStatus"]["ContainerID"]

        return swarm.logs(until("it has read it", ended, PATIENCE_S))
    finally:
        swarm.call("DELETE", f"/services/{made}")


def test_a_value_arrives_as_it_was(swarm, tmp_path):
    (tmp_path / "v.json").write_text(json.dumps({"V": VALUE}))
    maya(swarm, "secret", "create", "hard", "--from-json", str(tmp_path / "v.json"))
    text = read_by_a_container(swarm, "hard.1")
    # Read back by Maya's own reader of such files.
    (tmp_path / "back.env").write_text(text)
    maya(swarm, "secret", "create", "again", "--from-dotenv", str(tmp_path / "back.env"))
    assert read_by_a_container(swarm, "again.1") == text
    assert '\\"quoted\\"' in text and "\\n" in text
    maya(swarm, "secret", "delete", "hard", "-y")
    maya(swarm, "secret", "delete", "again", "-y")


def test_one_in_use_stays(swarm):
    maya(swarm, "secret", "create", "used", "A=1")
    maya(swarm, "secret", "create", "used", "A=2", "--force")
    s = next(s for s in swarm.json("GET", "/secrets") if s["Spec"]["Name"] == "used.1")
    made = swarm.json("POST", "/services/create", {
        "Name": "bar-v1", "Labels": {"maya.app": "bar"}, "Mode": {"Replicated": {"Replicas": 0}},
        "TaskTemplate": {"ContainerSpec": {"Image": swarm.base_image(), "Secrets": [
            {"SecretID": s["ID"], "SecretName": "used.1",
             "File": {"Name": "v", "UID": "0", "GID": "0", "Mode": 256}}]}}})["ID"]
    try:
        assert secrets_of(swarm)["used"]["used_by"] == "bar"
        assert "is used by bar" in maya(swarm, "secret", "delete", "used", "-y", code=1)
        assert len(swarm.json("GET", "/secrets")) == 2
    finally:
        swarm.call("DELETE", f"/services/{made}")
    maya(swarm, "secret", "delete", "used", "-y")


SAID = "sekret-4711"


@pytest.mark.parametrize("words, why", [
    (["a b", "A=1"], "is no name for a secret"),
    (["x" * 57, "A=1"], "at most 56 long"),
    (["x"], "a secret needs values"),
    (["x", "A=1", "A=2"], "A is given twice"),
    (["x", f"9={SAID}"], "no name of a value"),
    (["x", SAID], "one has no '='"),
    (["x", "--from-dotenv", "/nonexistent"], "there is no file '/nonexistent'"),
    (["x", "--from-json", "/etc/hostname"], "not JSON"),
    (["x", "--nonsense"], "has no flag '--nonsense'"),
    (["x", "--from-dotenv"], "--from-dotenv takes a value: FILE"),
    (["x", "--force=1", "A=1"], "--force takes no value"),
])
def test_mistakes_are_told_and_no_value_is(swarm, words, why):
    said = maya(swarm, "secret", "create", *words, code=2)
    assert why in said and SAID not in said
    assert swarm.json("GET", "/secrets") == []


def test_without_a_swarm(swarm, tmp_path):
    alone = start_engine()
    try:
        why = maya(alone, "secret", "list", code=1)
        assert "is not a Swarm yet" in why and "docker swarm init" in why
    finally:
        alone.stop()
    gone = subprocess.run([MAYA, "secret", "list"], capture_output=True, text=True,
                          env={**swarm.env, "DOCKER_HOST": f"unix://{tmp_path}/none"})
    assert gone.returncode == 1 and "no Docker Engine answers at" in gone.stderr
    assert gone.stderr.count("\n") == 1
