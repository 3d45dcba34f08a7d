"""Writing a web page's elements as Markdown-like text, one block after the other."""

import re
from collections.abc import Callable

from selectolax.lexbor import LexborNode

from .boilerplate import is_boilerplate, is_link_list
from .stopping import check

_SPACE = re.compile(r"[\s\u200b\u00ad\ufeff]+")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    re.findall(
        r"\S+",
        """
    p div section article main header aside figure figcaption blockquote address center details summary fieldset
    legend hgroup body dl ul ol caption
""",
    )
)
# A heading of one of these words names a remark, not a section.
_REMARKS = frozenset(["note", "notes", "tip", "warning", "caution", "important", "danger", "attention", "hint"])
_PERMALINKS = frozenset(("#", "\u00a7", "\u00b6"))
_LAYOUT = frozenset(("table", "h1", "h2", "h3", "h4", "h5", "h6"))


def collapse(text: str) -> str:
    """The text with every run of white space, hard and zero-width spaces included, as one space."""
    return _SPACE.sub(" ", text.replace("\u00ad", "").replace("\u200b", "")).strip()


class PageWriter:
    """Collects a page's blocks in one walk over its elements, without recursion (pages can be deep)."""

    def __init__(self, title: str | None, clean_heading: Callable[[str], str]) -> None:
        self._title, self._clean = title, clean_heading
        self._titled = False  # the title's own heading has been met
        self._done: list[str] = []
        self._inline: list[str] = []
        self._lists: list[list] = []  # open lists: [kind, number of the last item]
        self._mark = ""  # what the next block begins with: a bullet, a term, the name of a remark
        self._term: list[str] = []

    def write(self, root: LexborNode) -> str:
        """The text of the element, blocks parted by an empty line, items of a list by a line end."""
        node, entering = root, True
        while True:
            check()
            if entering:
                inside = self._enter(node)
                if inside and node.child is not None:
                    node = node.child
                    continue
                if inside:
                    self._leave(node)
            else:
                self._leave(node)
            if node.mem_id == root.mem_id:
                break
            if node.next is not None:
                node, entering = node.next, True
            else:
                node, entering = node.parent, False
        self._flush()
        return self._joined()

    def _enter(self, node: LexborNode) -> bool:
        """Take what an element begins; False if its children are not to be read."""
        tag = node.tag
        if tag == "-text":
            self._inline.append(node.text_content or "")
            return True
        if is_boilerplate(node) or (tag == "header" and not _holds_title(node)):
            return False
        if tag == "a" and node.text(strip=True) in _PERMALINKS:
            return False
        if tag in _HEADINGS:
            self._flush()
            self._heading(_HEADINGS[tag], self._clean(_text(node)))
        elif tag == "pre":
            self._flush()
            self._code(node)
        elif tag == "table":
            self._flush()
            if is_link_list(node):
                return False
            if any(child.tag in _LAYOUT and child.mem_id != node.mem_id for child in node.css(", ".join(_LAYOUT))):
                return True
            self._table(node)
        elif tag in ("ul", "ol", "dl"):
            self._flush()
            if is_link_list(node):
                return False
            if self._mark.strip(" -:"):  # a term, or a remark, that a list explains
                self._block(self._mark.rstrip())
            self._mark = ""
            self._lists.append([tag, 0])
            return True
        elif tag == "li":
            self._flush()
            self._mark = self._bullet()
            return True
        elif tag == "dt":
            self._flush()
            self._term.append(collapse(_text(node)))
        elif tag == "dd":
            self._flush()
            term = self._taken_term()
            self._mark = self._bullet() + (f"{term}: " if term else "")
            return True
        elif tag == "br":
            self._inline.append(" ")
            return True
        elif tag in _BLOCKS or tag in ("td", "th", "tr", "hr", "header"):
            self._flush()
            return True
        else:
            return True
        return False

    def _leave(self, node: LexborNode) -> None:
        tag = node.tag
        if tag in ("ul", "ol", "dl"):
            self._flush()
            if term := self._taken_term():
                self._block(self._bullet() + term)
            if self._lists:
                self._lists.pop()
        elif tag in _BLOCKS or tag in ("li", "dd", "td", "th", "tr"):
            self._flush()
            if tag in ("li", "dd"):
                self._mark = ""

    def _flush(self) -> None:
        """End the paragraph that is open."""
        if self._inline:
            words = collapse("".join(self._inline))
            self._inline = []
            if words:
                self._block(self._mark + words)
                self._mark = ""

    def _block(self, text: str) -> None:
        self._done.append(text)

    def _heading(self, level: int, words: str) -> None:
        if not words:
            return
        if words.rstrip(":").casefold() in _REMARKS:
            self._mark = words.rstrip(":") + ": "
        elif not self._titled and words == self._title:
            self._titled = True
        else:
            self._mark = ""
            self._block("#" * (max(level, 2) if self._title else level) + " " + words)

    def _code(self, node: LexborNode) -> None:
        code = (node.text() or "").replace("\u00a0", " ").strip("\n").rstrip()
        if code.strip():
            fence = "```"
            while fence in code:
                fence += "`"
            if self._mark.strip(" -:"):
                self._block(self._mark.rstrip())
            self._mark = ""
            self._block(f"{fence}\n{code}\n{fence}")

    def _table(self, node: LexborNode) -> None:
        """Rows as Markdown; a table of one column as a list."""
        caption = node.css_first("caption")
        if caption is not None and (words := collapse(_text(caption))):
            self._block(words)
        rows = []
        for row in node.css("tr"):
            cells = [collapse(_text(cell)).replace("|", "\\|") for cell in row.css("td, th")]
            if any(cells):
                rows.append((cells, row.css_first("td") is None))
        width = max((len(cells) for cells, _ in rows), default=0)
        if width == 1:
            for cells, head in rows:
                if not head:
                    self._block("- " + cells[0].replace("\\|", "|"))
            return
        lines = []
        for number, (cells, head) in enumerate(rows):
            lines.append("| " + " | ".join(cells + [""] * (width - len(cells))) + " |")
            if head and number == 0:
                lines.append("|" + "---|" * width)
        if lines:
            self._block("\n".join(lines))

    def _taken_term(self) -> str:
        """The terms that wait for their definition."""
        term, self._term = ", ".join(filter(None, self._term)), []
        return term

    def _bullet(self) -> str:
        if not self._lists:
            return "- "
        indent = "  " * (len(self._lists) - 1)
        kind, _ = self._lists[-1]
        self._lists[-1][1] += 1
        return f"{indent}{self._lists[-1][1]}. " if kind == "ol" else f"{indent}- "

    def _joined(self) -> str:
        """The blocks, the title first; items of one list on lines of their own, all else parted by an empty line."""
        parts = [f"# {self._title}"] if self._title else []
        for text in self._done:
            tight = parts and _is_item(text) and _is_item(parts[-1])
            parts.append(text if not parts else ("\n" if tight else "\n\n") + text)
        return "".join(parts)


_ITEM = re.compile(r"\n*\s*(?:- |\d+\. )")


def _is_item(text: str) -> bool:
    return bool(_ITEM.match(text)) and "\n" not in text.strip()


def _text(node: LexborNode) -> str:
    """The text inside an element, boilerplate left out, blocks parted by a space."""
    parts: list[str] = []
    at, down = node.child, True
    while at is not None and at.mem_id != node.mem_id:
        if down and at.tag == "-text":
            parts.append(at.text_content or "")
        elif down and not is_boilerplate(at):
            if at.tag in ("p", "br", "div", "li", "td", "pre", "tr"):
                parts.append(" ")
            if at.child is not None:
                at = at.child
                continue
        if at.next is not None:
            at, down = at.next, True
        else:
            at, down = at.parent, False
    return "".join(parts)


def _holds_title(node: LexborNode) -> bool:
    """Whether a header element is that of an article, with its title in it."""
    return node.css_first("h1") is not None
