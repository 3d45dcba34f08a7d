"""Parsing: a document's bytes to title, Markdown-like text and metadata."""

import re
from dataclasses import dataclass, field

from .blocks import blocks, plain
from .decode import decode
from .errors import BAD_ARGUMENT, HostError
from .webpage import read

_HTML = frozenset(("text/html", "application/xhtml+xml"))
_MARKDOWN = frozenset(("text/markdown", "text/x-markdown"))
_LOOKS_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s++|<!--(?>.*?-->)|<\?xml(?>.*?\?>))*+"
    rb"<(?:!doctype\s+html|html|head|body|title|meta|h[1-6]|p|div|article|section|table|ul|ol|dl|pre)\b",
    re.IGNORECASE | re.DOTALL,
)
_FRONT = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FIELD = re.compile(r"([A-Za-z][\w-]{0,40}):[ \t]*(.*)")
_KEPT = frozenset(("title", "description", "author", "date", "lang", "language", "keywords", "tags", "category", "url"))


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a document says: title (None if it has none), Markdown-like content, metadata by name."""

    title: str | None
    content: str
    metadata: dict[str, str] = field(default_factory=dict)


def parse(document: bytes, mime: str | None = None) -> Parsed:
    """Title, content and metadata of HTML, Markdown or plain text; the kind is recognised if mime is None.

    raises  HostError LO103 for another kind, for binary data and for markup that is nested beyond reason
    """
    kind = _kind(document, mime)
    text = decode(document, mime, markup=kind in _HTML)
    if kind in _HTML:
        page = read(text)
        return Parsed(page.title, page.content, page.metadata)
    metadata: dict[str, str] = {}
    if kind != "text/plain" or mime is None:
        text, metadata = _front_matter(text)
    title = metadata.pop("title", None) or (_heading(text) if kind != "text/plain" else None)
    return Parsed(title, text.strip(), metadata)


def _kind(document: bytes, mime: str | None) -> str:
    """The MIME type without parameters; Markdown stands for every text that is not HTML and has no type."""
    if mime is None:
        return "text/html" if _LOOKS_HTML.match(document[:4096]) else "text/markdown"
    kind = mime.partition(";")[0].strip().lower()
    if kind not in _HTML and not kind.startswith("text/"):
        raise HostError(
            BAD_ARGUMENT, f'cannot read documents of type "{kind}"', "It reads text/html, text/markdown and text/plain."
        )
    return kind if kind in _HTML or kind in _MARKDOWN else "text/plain"


def _front_matter(text: str) -> tuple[str, dict[str, str]]:
    """The text without its front matter (YAML between --- lines), and the plain fields that were in it."""
    found = _FRONT.match(text, 0, 20_000)
    if not found:
        return text, {}
    lines = found.group(1).split("\n")
    fields = [_FIELD.fullmatch(line) for line in lines if line.strip() and not line.startswith(("#", " ", "\t", "-"))]
    if not fields or None in fields:
        return text, {}
    named = {entry.group(1).lower(): entry.group(2).strip().strip("\"'") for entry in fields if entry}
    return text[found.end() :], {name: value for name, value in named.items() if value and name in _KEPT}


def _heading(text: str) -> str | None:
    """The first heading, if it is of the first level or nothing but it begins the text."""
    for number, block in enumerate(blocks(text[:20_000])):
        if block.kind == "heading" and (block.level == 1 or number == 0):
            return plain(block.title) or None
    return None
