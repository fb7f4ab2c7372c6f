"""What all commands share: help, names that are none, exit codes, pages made from tables."""
import re
import subprocess

import pytest

from node import MAYA, PATIENCE_S, ROOT

SHOWN = re.findall(r'^CMD\((\w+), true', (ROOT / "src/cli/cmd.def").read_text(), re.M)
HIDDEN = re.findall(r'^CMD\((\w+), false', (ROOT / "src/cli/cmd.def").read_text(), re.M)


def maya(*args, **env):
    p = subprocess.run([MAYA, *args], env={"PATH": "/usr/bin:/bin", **env}, capture_output=True,
                       text=True, timeout=PATIENCE_S, cwd="/", stdin=subprocess.DEVNULL)
    return p.returncode, p.stdout, p.stderr


def test_the_overview():
    code, out, err = maya("help")
    assert (code, err) == (0, "")
    assert re.findall(r"^  (\w+) ", out, re.M) == SHOWN
    assert maya("--help") == (0, out, "") == maya("-h")
    assert maya() == (2, "", out)  # who typed too little is told the same, as an error


def test_version():
    version = (ROOT / "VERSION").read_text().strip()
    assert maya("--version") == (0, f"maya {version}\n", "")


@pytest.mark.parametrize("command", SHOWN + HIDDEN)
def test_help_of_each(command):
    code, out, err = maya("help", command)
    assert (code, err) == (0, "") and out.startswith(f"Usage: maya {command} ")
    assert max(map(len, out.splitlines())) <= 100
    if command != "help":
        assert maya(command, "--help") == (code, out, err)


@pytest.mark.parametrize("typed, near", [("sevre", "serve"), ("halp", "help"), ("chta", "chat"),
                                         ("cofnig", "config"), ("healthchek", "healthcheck")])
def test_the_nearest_command(typed, near):
    assert maya(typed) == (2, "", f"maya: there is no command '{typed}'; did you mean '{near}'?\n")
    assert maya("help", typed)[0] == 2


def test_no_command_is_near():
    assert maya("zzzzzz") == (2, "", "maya: there is no command 'zzzzzz'; `maya help` lists them\n")
    assert maya("help", "a", "b")[0] == 2


def test_control_characters_of_a_mistake_stay_out_of_the_terminal():
    for args in (["\x1b[31m"], ["serve", "--\x1b[31m"], ["chat", "-\x1b[31m"], ["docs", "\x1b[31m"],
                 ["config", "\x1b[31m"], ["help", "\x1b[31m"]):
        code, out, err = maya(*args)
        assert code == 2 and "\x1b" not in out + err and err.count("\n") == 1


@pytest.mark.parametrize("name", ["commands", "config", "errors", "metrics"])
def test_pages(name):
    code, out, err = maya("docs", name)
    assert (code, err) == (0, "") and out.startswith("# ") and re.search(r"\n\| ?---", out)
    rows = [line for line in out.splitlines() if line.startswith("|")]
    for row in rows:
        assert row.endswith("|")


def test_pages_that_are_none():
    code, _, err = maya("docs")
    assert code == 2 and "commands, config" in err
    assert maya("docs", "nothing")[0] == 2


def test_a_full_disk_is_told():
    with open("/dev/full", "w", encoding="ascii") as full:
        p = subprocess.run([MAYA, "config"], stdout=full, stderr=subprocess.PIPE, text=True,
                           timeout=PATIENCE_S, check=False)
    assert p.returncode == 1 and "No space left" in p.stderr


# A program that was built elsewhere than in build/ does not find it by itself.
AGENT = ("--agent", str(ROOT / "agents/maya"))


def test_check_says_what_fits():
    code, out, _ = maya("config", "check", *AGENT, "--memory-mb", "256", "--session-memory-mb", "1")
    assert code == 0 and "They fit." in out
    code, out, err = maya("config", "check", *AGENT, "--memory-mb", "256", "--sessions", "1000")
    assert code == 1 and err.count("\n") == 1
    assert "MAYA_SESSIONS_PER_CONTAINER 1000" in err and "MiB of memory" in err
    fits = re.search(r"what fits: (\d+) session", err)[1]
    assert maya("config", "check", *AGENT, "--memory-mb", "256", "--sessions", fits)[0] == 0
    code, out, _ = maya("config", "check", *AGENT, "--memory-mb", "256")
    assert code == 0 and re.search(r"\b[1-9] will be admitted", out)
    code, out, _ = maya("config", "check", *AGENT, "--memory-mb", "256", "--sessions", "1000",
                        "--admission", "measured")
    assert code == 0
