"""`maya completion`: real shells on a terminal of their own, in which Tab is pressed."""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import pytest

from node import MAYA, PATIENCE_S, ROOT

SHELLS = ("bash", "zsh", "fish")
PROMPT, TAB = "READY-PROMPT> ", "\t"
START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             f"PS1='READY-PROM''PT> '; source <({MAYA} completion bash)"),
    "zsh": (["zsh", "-f", "-i"],
            "PROMPT='READY-PROM''PT> '; unsetopt zle_bracketed_paste prompt_sp 2>/dev/null; "
            f"autoload -U compinit; compinit -u -D; source <({MAYA} completion zsh)"),
    "fish": (["fish", "--no-config", "-i"],
             "function fish_prompt; echo -n 'READY-PROM''PT> '; end; set fish_greeting; "
             f"{MAYA} completion fish | source"),
}


def table(name, row):
    return re.findall(row, (ROOT / "src" / name).read_text(), re.M)


COMMANDS = table("cli/cmd.def", r'^CMD\((\w+), true')
OPTIONS = table("config/config.def", r'^OPTION\(\w+, "\w+", "([\w-]+)"')


class Shell:
    def __init__(self, name, folder):
        argv, setup = START[name]
        if not shutil.which(argv[0]):
            pytest.skip(f"no {name} here")
        env = {"PATH": f"{MAYA.parent}:/usr/bin:/bin", "HOME": str(folder), "TERM": "dumb",
               "LANG": "C.UTF-8", "COLUMNS": "200", "LINES": "50"}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(argv[0], argv, env)
        self.seen = ""
        self.type(setup + "\n")
        self.wait(PROMPT)

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self, text):
        """Read until it was written, and return what came before."""
        end = time.monotonic() + PATIENCE_S
        while text not in self.seen:
            left = end - time.monotonic()
            assert left > 0, f"no {text!r} in {self.seen[-2000:]!r}"
            if select.select([self.fd], [], [], left)[0]:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
        before, _, self.seen = self.seen.partition(text)
        return before

    def run(self, line):
        """Type a line with Tabs in it; what the command then said."""
        head, *rest = line.split(TAB)
        self.type(head)
        for part in rest:
            self.type(TAB + part)
        self.type("; echo the-end-of''-it\n")
        said = self.wait("the-end-of-it")
        self.wait(PROMPT)
        return said

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture(params=SHELLS)
def shell(request, tmp_path):
    (tmp_path / "my own.env").write_text("PORT=1234\n")
    (tmp_path / "my-folder").mkdir()
    s = Shell(request.param, tmp_path)
    yield s
    s.close()


@pytest.mark.parametrize("line, said", [
    ("maya healt\t--help", "Usage: maya healthcheck"),
    ("maya docs er\t", "# Errors"),
    ("maya help confi\t", "Usage: maya config"),
    ("maya config --log-fo\tjson", "MAYA_LOG_FORMAT=json (from --log-format)"),
    ("maya config --log-level deb\t", "MAYA_LOG_LEVEL=debug (from --log-level)"),
    ("maya config --log-level=deb\t", "MAYA_LOG_LEVEL=debug (from --log-level)"),
    ("maya config --reload=tr\t", "MAYA_RELOAD=true (from --reload)"),
    ("maya config --env-file my\\ o\t", "PORT=1234 (from my own.env line 1)"),
    ("maya config --data-dir my\t", "MAYA_DATA_DIR=my-folder"),
    ("maya config --reload --po\t77", "PORT=77 (from --port)"),
])
def test_tab(shell, line, said):
    assert said in shell.run(line)


def test_the_program_that_is_typed_is_asked(shell, tmp_path):
    """And not another one that is found on the PATH."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "maya").symlink_to(MAYA)
    assert "Usage: maya healthcheck" in shell.run("./bin/maya healt\t--help")


def ask(*words):
    p = subprocess.run([MAYA, "complete", "--", *words], capture_output=True, text=True,
                       timeout=PATIENCE_S)
    assert p.returncode == 0 and not p.stderr
    return [line.split("\t")[0] for line in p.stdout.splitlines()]


def test_everything_of_the_tables():
    assert ask("") == COMMANDS
    assert ask("help", "") == COMMANDS
    flags = ask("serve", "--")
    assert flags == [f"--{o}" for o in OPTIONS] + ["--help"]
    assert set(ask("config", "")) == {"check", *flags}
    assert ask("key", "r") == ["rotate"]
    assert ask("--v") == ["--version"]
    assert ask("container", "exec", "--engine", "x", "ID", "--") == ["--engine", "--help"]
    assert ask("container", "exec", "--engine", "x", "ID", "ls", "--") == [":files"]
    for row in re.findall(r'^OPTION\(\w+, "\w+", "([\w-]+)", CONFIG_CHOICE, .*?"([\w|,-]+)", "[^"]*"\)$',
                          (ROOT / "src/config/config.def").read_text(), re.M):
        first = [c.split(",")[0] for c in row[1].split("|")]
        assert ask("serve", f"--{row[0]}", "") == first
        assert ask("serve", f"--{row[0]}=") == [f"--{row[0]}={c}" for c in first]


@pytest.mark.parametrize("words", [
    ["nonsense", ""], ["nonsense", "--"], ["serve", "--nonsense=", ""], ["serve", "--port", ""],
    ["serve", "=" * 500], ["serve", "--" + "x" * 500 + "="], ["", ""], ["chat", "--session", ""],
    ["docs", "errors", ""]])
def test_nothing_to_offer(words):
    assert [w for w in ask(*words) if words[-1] == "" and w in COMMANDS] == []


def test_mistakes():
    for args, code in ((["completion"], 2), (["completion", "tcsh"], 2), (["complete"], 2),
                       (["completion", "--help"], 0)):
        p = subprocess.run([MAYA, *args], capture_output=True, text=True, timeout=PATIENCE_S)
        assert p.returncode == code
    assert "source <(maya completion bash)" in p.stdout


def test_exit_codes_are_told():
    rows = table("cli/exit.def", r'^EXIT\(\w+, (\d+), "(.*)"\)$')
    page = (ROOT / "docs" / "commands.md").read_text()
    assert len(rows) >= 4
    for number, sentence in rows:
        assert f"| {number} | {sentence} |" in page
