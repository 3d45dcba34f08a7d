"""Prompts: a question and numbered sources in one text, as lore.prompt writes it, or any text with a question last."""

import re
from dataclasses import dataclass

_OPEN = re.compile(r'<source id="(\d{1,9})"[^>\n]*>[ \t]*\r?\n?')
_CLOSE = re.compile(r"\r?\n?</source>[ \t]*")
_LABEL = re.compile(r"\A\s*question\s*:\s*", re.IGNORECASE)
_INSTRUCTION = "Answer the question from the sources below"  # how lore.prompt begins
_ESCAPED = "<\\/source"


@dataclass(frozen=True, slots=True)
class Source:
    """A text to answer from; number is its id in the prompt, None where the prompt does not number it."""

    number: int | None
    text: str


def split(prompt: str) -> tuple[str, list[Source]]:
    """The question and the sources.

    Sources are one run of <source id="n"> ... </source>; the question is what follows the run, so that nothing that a
    source says can pass for it. Without any, the question is the last line and all before it one source, not numbered.
    """
    found: list[Source] = []
    opened = _OPEN.search(prompt)
    position = 0
    while opened:
        closed = _CLOSE.search(prompt, opened.end())
        if not closed:
            break
        text = prompt[opened.end() : closed.start()].replace(_ESCAPED, "</source")
        found.append(Source(int(opened.group(1)), text))
        position = closed.end()
        opened = _OPEN.search(prompt, position)
        if opened and prompt[position : opened.start()].strip():
            break
    if found:
        return _LABEL.sub("", prompt[position:]).strip(), found
    return _unmarked(prompt)


def _unmarked(prompt: str) -> tuple[str, list[Source]]:
    """The question at the end of a prompt without sources, and what stands before it."""
    text = prompt.strip()
    last = max(text.rfind("\n"), text.lower().rfind("question:") - 1)
    if last < 0 and not text.endswith("?"):
        return _LABEL.sub("", text).strip(), []
    if last < 0:  # one line: the last sentence is the question
        last = max(text.rfind(mark) for mark in (". ", "! ", "? "))
    question = _LABEL.sub("", text[last + 1 :]).strip()
    before = text[: last + 1].strip()
    if before.startswith(_INSTRUCTION) and "\n" not in before:  # a prompt of lore.prompt without sources
        before = ""
    return question, [Source(None, before)] if before else []
