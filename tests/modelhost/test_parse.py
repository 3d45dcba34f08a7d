"""Parsing: web pages, Markdown and plain text become readable text; what is not text is refused, and nothing hangs."""

import random
import time

import pytest

from pglore_host.errors import HostError
from pglore_host.parse import parse


def page(body: str, head: str = "<title>T</title>") -> str:
    """The content of a page with this body, without its title line."""
    found = parse(f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode())
    return found.content.removeprefix("# T").strip()


def test_a_page_is_its_title_headings_and_paragraphs():
    html = (
        "<html><head><title>Site: Page</title></head><body><h1>Page</h1>"
        "<p>One\n  two&nbsp;three.</p><h2>Part</h2><p>Four.</body>"
    )
    found = parse(html.encode())
    assert found.title == "Page"
    assert found.content == "# Page\n\nOne two three.\n\n## Part\n\nFour."


def test_section_numbers_and_permalinks_are_no_part_of_a_heading():
    html = (
        "<title>24.1. Routine Vacuuming</title><h2>24.1. Routine Vacuuming "
        '<a class="id_link" href="#x">#</a></h2><h3>24.1.2.\u00a0Disk Space ¶</h3>'
    )
    found = parse(html.encode(), "text/html")
    assert found.title == "Routine Vacuuming"
    assert found.content == "# Routine Vacuuming\n\n### Disk Space"


@pytest.mark.parametrize("words", ["2024 in review", "3 ways to win", "A new hope", "I. Newton", "C. elegans"])
def test_other_numbers_stay_in_a_heading(words):
    assert page(f"<h2>{words}</h2>") == f"## {words}"


def test_navigation_scripts_and_footers_are_dropped():
    body = (
        '<nav>Home</nav><div class="navheader">Prev Next</div><div role="navigation">x</div>'
        "<script>evil()</script><style>p{}</style>"
        '<div class="toc"><a href="#a">A</a></div><p>Kept.</p><div hidden>no</div><span aria-hidden="true">no</span>'
        "<form><input value=x><button>Go</button></form><footer>(c)</footer><!-- no -->"
    )
    assert page(body) == "Kept."


def test_a_header_is_kept_only_where_it_holds_the_title():
    assert (
        page("<header>Site</header><article><header><h1>T</h1><p>By Ann.</p></header><p>Text.</p></article>")
        == "By Ann.\n\nText."
    )


def test_lists_keep_their_marks():
    body = "<p>So:</p><ul><li>one</li><li><p>two</p><ol><li>a<li>b</ol></li></ul><p>End.</p>"
    assert page(body) == "So:\n\n- one\n- two\n  1. a\n  2. b\n\nEnd."


def test_a_definition_stands_with_its_term():
    body = (
        "<dl><dt><code>FULL</code></dt><dd><p>Rewrites it.</p><p>Takes a lock.</p></dd><dt>a"
        "</dt><dt>b</dt><dd>Both.</dd><dt>lone</dt></dl>"
    )
    assert page(body) == "- FULL: Rewrites it.\n\nTakes a lock.\n\n- a, b: Both.\n- lone"


def test_a_term_explained_by_a_list_stands_above_it():
    assert page("<dl><dt>a</dt><dd><dl><dt>b</dt><dd>c</dd></dl></dd></dl>") == "- a:\n  - b: c"


def test_code_is_kept_as_it_is():
    body = "<p>Run:</p><pre>\nSELECT  1;\n  -- <b>two</b>\n</pre><p>Done <code>x</code>.</p>"
    assert page(body) == "Run:\n\n```\nSELECT  1;\n  -- two\n```\n\nDone x."


def test_code_with_a_fence_in_it_gets_a_longer_one():
    assert page("<pre>```\nx\n```</pre>") == "````\n```\nx\n```\n````"


def test_a_table_is_written_row_by_row():
    body = (
        "<table><caption>Types</caption><tr><th>Name</th><th>Size</th></tr><tr>"
        "<td>int</td><td>4\n bytes</td></tr></table>"
    )
    assert page(body) == "Types\n\n| Name | Size |\n|---|---|\n| int | 4 bytes |"


def test_a_table_of_one_column_is_a_list():
    body = "<table><tr><th>Function</th></tr><tr><td><p>abs(x) → x</p><p>Absolute value.</p></td></tr></table>"
    assert page(body) == "- abs(x) → x Absolute value."


def test_a_table_for_layout_is_read_through():
    assert page(
        "<table><tr><td><h2>Left</h2><p>a</p></td><td><table><tr><td>b</td></tr></table></td></tr></table>"
    ) == ("## Left\n\na\n\n- b")


def test_the_name_of_a_remark_is_no_heading():
    assert page('<h2>S</h2><div class="note"><h3>Note</h3><p>Mind it.</p></div>') == "## S\n\nNote: Mind it."


def test_a_long_list_of_links_is_dropped():
    links = "".join(f'<li><a href="{number}">page {number}</a></li>' for number in range(20))
    assert page(f"<ul>{links}</ul><ul><li>kept <a href=x>link</a></li></ul>") == "- kept link"


def test_the_main_element_is_the_page():
    text = "All that matters. " * 20
    assert page(f"<div>Menu</div><main><p>{text}</p></main><div>More</div>") == text.strip()


def test_metadata_comes_from_the_head():
    found = parse(
        b'<html lang="en-GB"><head><meta name="description" content="A &amp; B">'
        b'<meta property="author" content="Ann"></head>x'
    )
    assert found.metadata == {"description": "A & B", "author": "Ann", "lang": "en-GB"}
    assert found.title is None and found.content == "x"


@pytest.mark.parametrize(
    "document, mime",
    [
        ('<meta charset="windows-1252"><p>caf\u00e9'.encode("cp1252"), None),
        (
            '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1"><p>caf\u00e9'.encode("latin-1"),
            "text/html",
        ),
        ('<?xml version="1.0" encoding="ISO-8859-15"?><html><p>caf\u00e9</p></html>'.encode("iso8859-15"), None),
        ("<p>caf\u00e9".encode("cp1251", "xmlcharrefreplace"), "text/html; charset=cp1251"),
        ("<p>caf\u00e9".encode("utf-16"), "text/html"),
        ("<p>caf\u00e9".encode("utf-8-sig"), None),
        ("caf\u00e9".encode("latin-1"), "text/plain; charset=latin1"),
        ("caf\u00e9".encode(), "text/plain"),
    ],
)
def test_the_character_set_is_the_one_declared(document, mime):
    assert parse(document, mime).content == "caf\u00e9"


def test_comments_without_end_are_told_from_html_in_time():
    began = time.process_time()
    assert parse(b"<!---->" * 500 + b"x").content.endswith("x")
    assert time.process_time() - began < 60


def test_markdown_keeps_its_text_and_gives_its_front_matter():
    found = parse(b'---\ntitle: "My page"\nauthor: Ann\nsecret: x\n---\n\n# Heading\r\n\r\ntext\n')
    assert (found.title, found.content, found.metadata) == ("My page", "# Heading\n\ntext", {"author": "Ann"})


def test_the_title_of_markdown_is_its_first_heading():
    assert parse(b"# A `title`\n\ntext", "text/markdown").title == "A title"
    assert parse(b"text\n\n## Part", "text/markdown").title is None


def test_plain_text_stays_as_it_is():
    found = parse(b"# a comment\r\nx < y & z\n", "text/plain")
    assert (found.title, found.content) == (None, "# a comment\nx < y & z")


def test_rules_around_text_are_no_front_matter():
    text = "---\nNot a field\n---\nmore"
    assert parse(text.encode()).content == text


@pytest.mark.parametrize(
    "document, mime, words",
    [
        (b"%PDF-1.7\n", None, "PDF"),
        (b"PK\x03\x04rest", "text/html", "ZIP"),
        (b"\x00\x01\x02" * 100, None, "binary"),
        (b"caf\xe9 au lait", None, "UTF-8"),
        (b"abc", "application/pdf", "application/pdf"),
        (b"abc", "text/plain; charset=klingon", "klingon"),
        (b"abc", "text/plain; charset=punycode", "punycode"),
        (b"abc", "text/plain; charset=hex", "hex"),
        (b"<div>" * 100_000, "text/html", "nested"),
        (b"<p><b>" * 50_000, "text/html", "nested"),
        ("".join(f"<b id={n}>" for n in range(400)).encode() + b"<p>x" * 500_000, "text/html", "nested"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_hint(document, mime, words):
    began = time.process_time()
    with pytest.raises(HostError) as caught:
        parse(document, mime)
    assert caught.value.code == "LO103" and words in caught.value.message and caught.value.hint
    assert time.process_time() - began < 60


@pytest.mark.parametrize(
    "document", [b"", b"   \n", b"<html>", b"<html><body></body></html>", b"<!-- -->", b"<script>x</script>"]
)
def test_nothing_to_read_is_empty_text(document):
    found = parse(document, "text/html")
    assert (found.title, found.content) == (None, "")


@pytest.mark.parametrize(
    "piece",
    ["<p>x", "<", "&amp;", "<!--", "<td>", '<a b="', "<table><tr>", "]]>", "</p>", "<br>", "<li>", "<select><option>"],
)
def test_broken_markup_neither_crashes_nor_hangs(piece):
    began = time.process_time()
    try:
        parse((piece * 200_000).encode(), "text/html")
    except HostError as error:
        assert error.code == "LO103"
    assert time.process_time() - began < 60


@pytest.mark.parametrize("seed", range(40))
def test_any_bytes_give_text_or_the_listed_error(seed):
    chance = random.Random(seed)
    tags = [
        "<p>",
        "</p>",
        "<table>",
        "<tr>",
        "<td>",
        "</table>",
        "<ul>",
        "<li>",
        "</ul>",
        "<dl>",
        "<dt>",
        "<dd>",
        "<pre>",
        "</pre>",
        "<h2>",
        "x ",
        "&#0;",
        "&nbsp;",
        "\u00ad",
        "<svg>",
        "</svg>",
        "<template>",
        "<h1>",
        "<div class=toc>",
        "</div>",
        "<br>",
        "\x01",
        "é",
        "<title>",
    ]
    document = "".join(chance.choices(tags, k=chance.randrange(200))).encode()
    if seed % 4 == 0:
        document = chance.randbytes(300)
    try:
        found = parse(document, chance.choice([None, "text/html"]))
    except HostError as error:
        assert error.code == "LO103"
    else:
        assert "\x00" not in found.content and found.content == found.content.strip()
