"""`pglore chat`: from a pipe, and on a terminal."""

import fcntl
import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

QUESTION = "What reclaims storage?"


def test_each_line_of_a_pipe_is_a_question_answered_with_its_sources(loaded):
    result = loaded("chat", input=f"{QUESTION}\n\n  \nWho writes a backup?\n")
    assert result.exit_code == 0
    assert re.findall(r"^\[1\] (\S+)", result.stdout, re.MULTILINE) == ["vacuum.html", "admin/backup.md"]
    assert "“VACUUM reclaims storage occupied by dead tuples.”" in result.stdout
    assert result.stderr == "" and "> " not in result.stdout


def test_what_was_said_goes_along_until_a_new_conversation(loaded, monkeypatch):
    from pglore import Collection

    histories, ask = [], Collection.ask_stream

    def noted(self, question, **options):
        histories.append([message["content"] for message in options["history"] or []])
        return ask(self, question, **options)

    monkeypatch.setattr(Collection, "ask_stream", noted)
    result = loaded("chat", input=f"{QUESTION}\nAnd a backup?\n/new\n{QUESTION}\n/quit\nNever asked.\n")
    assert [len(history) for history in histories] == [0, 2, 0]
    assert histories[1][0] == QUESTION and "VACUUM" in histories[1][1]
    assert "A new conversation." in result.stderr


def test_words_with_a_stroke_are_obeyed(loaded):
    result = loaded("chat", input=f"/sources\n{QUESTION}\n/sources\n/help\n/nonsense\n")
    assert result.stdout.count("[1] vacuum.html") == 2
    for said in ("no sources", "Ctrl-C stops an answer", "/nonsense is not known"):
        assert said in result.stderr


def test_a_line_may_go_on_in_the_next_and_the_last_need_not_end(loaded):
    result = loaded("chat", input="What reclaims \\\nstorage?")
    assert "VACUUM" in result.stdout


def test_json_is_a_line_for_each_piece(loaded):
    lines = [json.loads(line) for line in loaded("chat", "--json", input=f"{QUESTION}\n").stdout.splitlines()]
    assert "VACUUM" in "".join(line["answer"] for line in lines)
    assert lines[-1]["sources"][0]["key"] == "vacuum.html" and lines[-1]["finish_reason"]


def test_a_question_that_fails_is_told_and_those_after_it_are_answered(loaded, db):
    db.execute("SELECT lore.add('documents', 'odd', 'A text.')")
    result = loaded("chat", "--filter", '{"$bad": 1}', input=f"{QUESTION}\n")
    assert result.exit_code == 1 and "LO104" in result.stderr
    result = loaded("chat", input=f"{'x' * 200_000}\n{QUESTION}\n")
    assert result.exit_code == 1 and "Hint" in result.stderr and "VACUUM" in result.stdout
    result = loaded("chat", "nowhere", input=f"{QUESTION}\n")
    assert result.exit_code == 1 and "LO203" in result.stderr


def test_bytes_that_are_no_text_do_no_harm(loaded, dsn):
    command = [sys.executable, "-m", "pglore_cli", "chat"]
    given = b"What \xff\xfe reclaims storage?\na\x00b\n" + QUESTION.encode()
    result = subprocess.run(command, input=given, capture_output=True, env={**os.environ, "PGLORE_DSN": dsn})
    assert b"Traceback" not in result.stderr and b"NUL" in result.stderr
    assert result.stdout.decode().count("[1] vacuum.html") == 2


class Terminal:
    """The program on a terminal of its own: type into it, read what it shows."""

    def __init__(self, dsn: str, *arguments: str):
        self.end, far = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pglore_cli", "chat", *arguments],
            stdin=far, stdout=far, stderr=far, start_new_session=True, close_fds=True,
            env={**os.environ, "PGLORE_DSN": dsn, "TERM": "dumb", "COLUMNS": "100"},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(far)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self.end, text.encode())

    def rest(self) -> None:
        """Wait until the program waits for a key."""
        state = Path(f"/proc/{self.process.pid}/stat")
        while state.read_text().rpartition(")")[2].split()[0] != "S":
            time.sleep(0.01)

    def until(self, pattern: str) -> str:
        """What is shown up to a pattern, which is then behind."""
        deadline = time.monotonic() + 60
        while not (found := re.search(pattern, self.shown)):
            assert time.monotonic() < deadline, self.shown
            if select.select([self.end], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self.end, 4096).decode(errors="replace")
                except OSError:  # the program has ended
                    assert re.search(pattern, self.shown), self.shown
        text, self.shown = self.shown[: found.end()], self.shown[found.end() :]
        return text


@pytest.fixture
def terminal(dsn):
    """A function that opens a terminal: terminal('documents')."""
    opened = []

    def opener(*arguments: str) -> Terminal:
        opened.append(Terminal(dsn, *arguments))
        return opened[-1]

    yield opener
    for one in opened:
        one.process.kill()
        one.process.wait()
        os.close(one.end)


def test_on_a_terminal_ctrl_c_clears_the_line_and_ctrl_d_ends(loaded, terminal):
    screen = terminal()
    screen.until("/help lists")
    screen.until("> ")
    screen.type("never ask")
    screen.until("never ask")
    screen.rest()  # a Ctrl-C between two keys is heard by Python only with the next one
    screen.type("\x03")
    screen.until("> ")
    screen.type(f"{QUESTION}\n")
    assert "VACUUM" in screen.until(r"\[1\] vacuum.html")
    screen.until("total .* ms")
    screen.until("> ")
    screen.type("\x04")
    assert screen.process.wait(60) == 0


def test_on_a_terminal_ctrl_c_stops_the_answer_and_not_the_program(loaded, writer, terminal, db):
    def until(working: bool) -> None:
        deadline = time.monotonic() + 60
        while bool(db.execute("SELECT active FROM lore.host_status()").fetchone()[0]) is not working:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    screen = terminal("documents", "--model", writer, "--answer-tokens", "100000")
    screen.until("> ")
    screen.type("Tell me everything.\n")
    until(working=True)
    screen.type("\x03")
    screen.until("Stopped.")
    screen.until("> ")
    until(working=False)
    screen.type("/quit\n")
    assert screen.process.wait(60) == 0
