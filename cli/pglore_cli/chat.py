"""`pglore chat`: a conversation with a collection, each answer with its sources."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from io import TextIOWrapper
from typing import Any

import click

import pglore

from . import failure, options
from .ask import print_lines, show_pieces, show_sources
from .output import line

PROMPT, MORE = "> ", ". "
HELP = """\
/sources  show the sources of the last answer again
/new      begin a new conversation: what was said is forgotten
/help     show this
/quit     end, as Ctrl-D does; Ctrl-C stops an answer
A line that ends in \\ goes on in the next."""


@dataclass
class Talk:
    """A conversation with a collection: what was said, which each question takes along, and the last answer."""

    collection: pglore.Collection
    given: dict[str, Any]
    history: list[dict[str, str]] = field(default_factory=list)
    last: pglore.AnswerPiece | None = None

    def pieces(self, question: str) -> Generator[pglore.AnswerPiece]:
        """The pieces of an answer; a whole one is remembered with its question, one that was stopped is not."""
        said, last = "", None
        stream = self.collection.ask_stream(question, history=self.history or None, **self.given)
        with closing(stream) as pieces:
            for last in pieces:
                said += last.answer
                yield last
        self.last = last
        if said.strip():
            self.history += [{"role": "user", "content": question}, {"role": "assistant", "content": said}]

    def forget(self) -> None:
        """Begin anew."""
        self.history, self.last = [], None


@click.command("chat")
@click.argument("collection", default="documents")
@options.retrieval
@options.reading
@click.option("-k", default=8, show_default=True, help="Passages that the generator reads.")
@click.option("--model", metavar="ALIAS", help="The generator; default the default one.")
@click.option("--answer-tokens", metavar="N", type=click.IntRange(1), help="Tokens of an answer, at most.")
@click.option("--language", metavar="NAME", help="Language of the answers, such as German or de.")
@click.option("--template", metavar="NAME[@VERSION]", help="The prompt template; default the one called default.")
@options.database
def command(collection: str, dsn: str | None, as_json: bool, **given: Any) -> None:
    """Talk with a collection: each answer cites its sources and knows what was said before.

    Questions are read from the terminal, or a line each from a pipe. /help lists what else may be typed.
    With --json each piece of an answer is a JSON object on a line of its own.

    \b
    Example:
      pglore chat manual
      pglore chat manual --model qwen --filter '{"section": "maintenance"}'
      printf 'What is VACUUM?\\nDoes it lock?\\n' | pglore chat manual
    """
    with pglore.connect(dsn, application_name="pglore chat") as client:
        talk = Talk(client.collection(collection), given)
        terminal = sys.stdin.isatty() and sys.stdout.isatty()
        if terminal:
            _editing()
            click.echo(f'Ask of "{line(collection)}". /help lists what else may be typed.', err=True)
        failed = 0
        for question in questions(terminal):
            if question.startswith("/"):
                obey(talk, question)
                continue
            failed = answer(talk, question, as_json, terminal) or failed
            if client.connection.closed:
                sys.exit(failed)
    sys.exit(0 if terminal else failed)


def questions(terminal: bool) -> Iterator[str]:
    """What is typed, or piped in, until its end or /quit; blank lines are nothing."""
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    begun = ""
    while True:
        try:
            typed = input((MORE if begun else PROMPT) if terminal else "")
        except EOFError:
            if terminal:
                click.echo()
            typed, ended = "", True
        except KeyboardInterrupt:  # what was begun is thrown away, as a shell does
            if not terminal:
                raise
            click.echo()
            begun = ""
            continue
        else:
            ended = False
        if typed.endswith("\\"):
            begun += typed[:-1] + "\n"
            continue
        question, begun = (begun + typed).strip(), ""
        if question == "/quit":
            return
        if question:
            yield question
        if ended:
            return


def answer(talk: Talk, question: str, as_json: bool, terminal: bool) -> int:
    """Show an answer as it is written, or say why there is none; returns the exit code that this would give.

    Ctrl-C on a terminal stops the answer, elsewhere the program.
    """
    try:
        with closing(talk.pieces(question)) as pieces:
            print_lines(pieces) if as_json else show_pieces(pieces)
    except KeyboardInterrupt:
        if not terminal:
            raise
        click.echo("\nStopped.", err=True)
        return 0
    except Exception as error:
        code = failure.report(error, as_json=as_json)
        if code is None:
            raise
        return code
    if not as_json:
        click.echo()
    return 0


def obey(talk: Talk, word: str) -> None:
    """Do what a line that begins with a stroke says."""
    if word == "/new":
        talk.forget()
        click.echo("A new conversation.", err=True)
    elif word == "/sources":
        if talk.last is None or not talk.last.sources:
            click.echo("The last answer has no sources.", err=True)
        else:
            show_sources(talk.last)
    elif word == "/help":
        click.echo(HELP, err=True)
    else:
        click.echo(f"{line(word, 40)} is not known; /help lists what is.", err=True)


def _editing() -> None:
    """Arrow keys and earlier lines in `input`, where Python was built with readline."""
    with suppress(ImportError):
        import readline  # noqa: F401
