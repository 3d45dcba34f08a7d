"""Web pages: HTML to Markdown-like text, without navigation and decoration."""

import re
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from .errors import BAD_ARGUMENT, HostError
from .page_writer import PageWriter, collapse
from .stopping import check

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)")
# These need no end tag, or have none: they do not nest.
_FLAT = frozenset(re.findall(r"\S+", """
    p li td th tr dt dd option optgroup thead tbody tfoot colgroup col rt rp br hr img input link meta area base
    embed source track wbr html head body param
"""))
_FORMATTING = frozenset(re.findall(r"\S+", """
    a b big code em font i nobr s small strike strong tt u
"""))
_DEPTH = 500  # open elements; browsers stop at 512
_REOPENED = 2_000_000  # formatting elements that the parser may have to open anew
_NUMBER = re.compile(
    r"(?:(?:chapter|appendix|part|section)\s+(?:\d+|[A-Z]|[IVXLC]+)(?:\.\d+)*[.:]|(?:[A-Z]|\d+)(?:\.\d+)+\.|\d+\.)\s+(?=\S)",
    re.IGNORECASE,
)
_PILCROW = re.compile(r"\s*[#\u00b6\u00a7]\Z")
_META = {
    "description": "description",
    "og:description": "description",
    "author": "author",
    "keywords": "keywords",
    "date": "date",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page's title (None if it has none), Markdown-like content and metadata by name."""

    title: str | None
    content: str
    metadata: dict[str, str]


def read(html: str) -> Page:
    """The page's text; raises HostError LO103 for markup nested beyond reason."""
    _check_nesting(html)
    tree = LexborHTMLParser(html)
    body = tree.body
    if body is None:
        return Page(None, "", {})
    main = _main(tree, body)
    title = _title(tree, main)
    content = PageWriter(title, heading).write(main)
    return Page(title, content, _metadata(tree))


def heading(text: str) -> str:
    """A heading's words: one line, without section number and permalink sign."""
    words = _PILCROW.sub("", collapse(text))
    number = _NUMBER.match(words)
    return words[number.end() :] if number else words


def _check_nesting(html: str) -> None:
    """Refuse what makes a parser take quadratic time or memory."""
    open_elements: dict[str, int] = {}
    depth = formatting = reopened = 0
    for tag in _TAG.finditer(html):
        check()
        closing, name = tag[1], tag[2].lower()
        if name in _FLAT:
            reopened += formatting
        elif not closing:
            open_elements[name] = open_elements.get(name, 0) + 1
            depth += 1
            formatting += name in _FORMATTING
            reopened += formatting
        elif open_elements.get(name):
            open_elements[name] -= 1
            depth -= 1
            formatting -= name in _FORMATTING
        if depth > _DEPTH or reopened > _REOPENED:
            raise HostError(
                BAD_ARGUMENT,
                f"the page's elements are nested more than {_DEPTH} deep",
                "Check that it is HTML and whole.",
            )


def _main(tree: LexborHTMLParser, body: LexborNode) -> LexborNode:
    """The element that holds the page's own text, where the page says which."""
    for selector in ("main", '[role="main"]', "article"):
        found = tree.css(selector)
        if len(found) == 1 and len(found[0].text()) > 200:
            return found[0]
    return body


def _title(tree: LexborHTMLParser, main: LexborNode) -> str | None:
    """The first heading of the first level, else what the page calls itself."""
    for node in (main.css_first("h1"), tree.css_first("title")):
        if node is not None and (words := heading(node.text())):
            return words[:300]
    return None


def _metadata(tree: LexborHTMLParser) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in tree.css("meta[content]"):
        name = _META.get((node.attributes.get("name") or node.attributes.get("property") or "").lower())
        value = collapse(node.attributes.get("content") or "")
        if name and value:
            found.setdefault(name, value[:1000])
    root = tree.css_first("html")
    language = (root.attributes.get("lang") or "").strip() if root is not None else ""
    if language:
        found["lang"] = language[:35]
    return found
