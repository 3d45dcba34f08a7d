"""Sentences are cut where a reader would cut, in prose and in technical text, and in time for any input."""

import time

import pytest

from pglore_host.blocks import blocks, has_headings
from pglore_host.sentences import lines, spans, stripped


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in spans(text)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["Dr. Smith (c. 1455 – 1536) met J. K. Rowling at 3 p.m. on Jan. 5.", "He left."],
        ["The U.S. Army came.", "It is in the U.S.", "The end."],
        ["Use pg_dump.", "pg_restore reads it.", "See e.g. Section 24.1.", "It works, i.e. it runs."],
        ["Version 17.5 is out!", "Is it?", "Yes."],
        ['"Go!" she said.', "Then it ended.[1]", "Next one."],
        ["It cost $3.5 million.", "45 people came.", "See Fig. 3 and Eq. (4).", "Next."],
        ["John F. Kennedy was born.", "E. coli grows."],
        ["He moved (see p. 5).", "And so on...", "But then… no."],
        ["It takes concat ( a, b [, ...] ) or f(x, ...) and more.", "Next."],
        ["Apple Inc. released it.", "St. Petersburg vs. Moscow etc. are cities."],
    ],
)
def test_a_text_is_cut_into_its_sentences(sentences):
    assert split(" ".join(sentences)) == sentences


def test_chinese_and_japanese_sentences_need_no_space():
    assert split("これは文です。次の文！終わり") == ["これは文です。", "次の文！", "終わり"]


def test_a_text_all_in_lower_case_is_cut_at_its_periods():
    assert split("a wing was tested . the results agree . done .") == [
        "a wing was tested .",
        "the results agree .",
        "done .",
    ]


def test_sentences_have_no_outer_white_space_and_cover_all_words():
    text = "  One here.\r\n Two\tthere.  \n"
    assert split(text) == ["One here.", "Two\tthere."]
    assert split("") == split(" \n ") == []


def test_lines_are_those_that_are_not_blank():
    text = "a\n\n   b \r\nc"
    assert [text[start:end] for start, end in lines(text)] == ["a", "b", "c"]


def test_a_blank_span_is_stripped_to_nothing():
    assert stripped("a   b", 1, 4) == (1, 1)


@pytest.mark.parametrize(
    "text", ["!" * 300_000, ". " * 150_000, '."' * 150_000, "a." * 150_000, "。" * 300_000, "?)" * 150_000]
)
def test_marks_without_end_take_linear_time(text):
    began = time.process_time()
    spans(text)
    assert time.process_time() - began < 60


def kinds(text: str) -> list[tuple[str, str]]:
    return [(block.kind, text[block.start : block.end]) for block in blocks(text)]


def test_markdown_is_read_as_blocks():
    text = (
        "# Title\n\nA paragraph\nof two lines.\n\n- one\n  more\n- two\n\n"
        "```sql\n# no heading\n\nSELECT 1\n```\n\n| a | b |\n|---|---|\n---\nend"
    )
    assert kinds(text) == [
        ("heading", "# Title"),
        ("text", "A paragraph\nof two lines."),
        ("item", "- one\n  more"),
        ("item", "- two"),
        ("code", "```sql\n# no heading\n\nSELECT 1\n```"),
        ("table", "| a | b |\n|---|---|"),
        ("rule", "---"),
        ("text", "end"),
    ]


def test_a_heading_may_be_underlined():
    found = blocks("Title\n=====\n\ntext\n\nPart\n----\nmore")
    assert [(block.kind, block.level, block.title) for block in found if block.kind == "heading"] == [
        ("heading", 1, "Title"),
        ("heading", 2, "Part"),
    ]


def test_a_headings_title_has_no_marks():
    assert blocks("## The `VACUUM` **command** [here](x.html) ##")[0].title == "The VACUUM command here"


def test_a_fence_that_is_not_closed_runs_to_the_end():
    assert [block.kind for block in blocks("a\n\n~~~\n# x\n\ny")] == ["text", "code"]


def test_a_fence_is_closed_only_by_one_as_long():
    assert kinds("````\n```\n````\nb") == [("code", "````\n```\n````"), ("text", "b")]


def test_only_a_heading_outside_code_makes_a_text_markdown():
    assert has_headings("x\n# Title\n")
    assert not has_headings("```\n# comment\n```\n#hashtag\n#\n")


@pytest.mark.parametrize(
    "line",
    [
        "# a" + " " * 200_000 + "b",
        "# " + "[" * 200_000,
        "#" + " #" * 100_000,
        "- " * 100_000 + "x",
        "# " + "**a" * 70_000,
    ],
)
def test_lines_made_to_be_slow_take_linear_time(line):
    began = time.process_time()
    assert blocks(line) and has_headings(line) == (line[:2] == "# ")
    assert time.process_time() - began < 60


def test_closing_marks_are_no_part_of_a_heading():
    assert [block.title for block in blocks("# a ##\n\n# b#\n\n## ##\n\n#c")] == ["a", "b#", "", ""]
