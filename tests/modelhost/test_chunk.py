"""Chunks: within their size, exact spans of the text, cut at good places, and in time for any input."""

import itertools
import random
import time
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from pglore_host.chunk import Chunk, chunk
from pglore_host.errors import HostError

PROSE = (
    "The quick brown fox jumps over the lazy dog near the river. It was a sunny day, and everyone was out in the park. "
    "Nobody had seen such a thing before! Would it happen again? The old man by the gate did not think so."
)


@pytest.fixture(scope="module")
def tokenizer(model_folder: Path) -> Tokenizer:
    loaded = Tokenizer.from_file(str(model_folder / "tokenizer.json"))
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


def check(text: str, chunks: list[Chunk], tokenizer: Tokenizer, size: int) -> None:
    """What holds for the chunks of every text."""
    assert [entry.ordinal for entry in chunks] == list(range(len(chunks)))
    for entry in chunks:
        assert text[entry.start : entry.end] == entry.text == entry.text.strip() != ""
        assert entry.tokens <= size
    for before, after in itertools.pairwise(chunks):
        assert before.start < after.start and before.end < after.end
        assert not text[before.end : after.start].strip()


def test_tokens_are_those_of_the_tokenizer(tokenizer):
    text = "\n\n".join([PROSE, "Ünïcode naïve café, 3.14 and e-mail@example.org: don't!", PROSE])
    for entry in chunk(text, tokenizer, size=32):
        assert entry.tokens == len(tokenizer.encode(entry.text, add_special_tokens=False))


def test_a_short_text_is_one_chunk(tokenizer):
    assert chunk("  Hello world. \n", tokenizer, size=64) == [Chunk(0, 2, 14, None, "Hello world.", 3)]


@pytest.mark.parametrize("text", ["", " ", "\n\r\n\t \u00a0"])
def test_a_text_without_words_has_no_chunk(tokenizer, text):
    assert chunk(text, tokenizer, size=64) == []


def test_chunks_end_at_sentences(tokenizer):
    text = " ".join([PROSE] * 5)
    chunks = chunk(text, tokenizer, size=64)
    check(text, chunks, tokenizer, 64)
    assert all(entry.text[-1] in ".!?" for entry in chunks)


def test_chunks_end_at_paragraphs_where_they_can(tokenizer):
    text = "\n\n".join([PROSE] * 6)
    chunks = chunk(text, tokenizer, size=130)
    check(text, chunks, tokenizer, 130)
    assert [entry.text for entry in chunks] == ["\n\n".join([PROSE] * 2)] * 3


def test_no_chunk_is_a_crumb(tokenizer):
    text = " ".join([PROSE] * 9)
    counts = [entry.tokens for entry in chunk(text, tokenizer, size=100)]
    assert min(counts) > 60


def test_a_sentence_over_size_is_cut_between_words(tokenizer):
    text = " ".join(["word"] * 100)
    chunks = chunk(text, tokenizer, size=16)
    check(text, chunks, tokenizer, 16)
    assert all(set(entry.text.split()) == {"word"} for entry in chunks)


def test_only_a_word_over_size_is_cut_inside(tokenizer):
    text = "before " + "x" * 5000 + " after"
    chunks = chunk(text, tokenizer, size=32)
    check(text, chunks, tokenizer, 32)
    assert "".join(entry.text for entry in chunks).replace(" ", "") == text.replace(" ", "")


def test_a_cut_inside_a_word_keeps_accents_with_their_letters(tokenizer):
    text = "e\u0301" * 3000
    assert all(entry.text[0] == "e" for entry in chunk(text, tokenizer, size=16))


def test_headings_are_the_path_above_the_chunk(tokenizer):
    text = f"# Guide\n\n{PROSE}\n\n## Install\n\n{PROSE}\n\n### Linux\n\n{PROSE}\n\n## Use\n\n{PROSE}"
    chunks = chunk(text, tokenizer, size=64)
    check(text, chunks, tokenizer, 64)
    assert [entry.heading for entry in chunks] == [
        "Guide",
        "Guide > Install",
        "Guide > Install > Linux",
        "Guide > Use",
    ]


def test_a_heading_stays_with_the_text_below_it(tokenizer):
    text = "# Title\n\n## Part\n\n" + PROSE * 3
    first = chunk(text, tokenizer, size=40)[0]
    assert first.text.startswith("# Title\n\n## Part\n\nThe quick")
    assert first.heading == "Title > Part"


def test_small_sections_join(tokenizer):
    text = "# Terms\n\n" + "\n\n".join(f"## Term {number}\n\nShort." for number in range(8))
    chunks = chunk(text, tokenizer, size=128)
    check(text, chunks, tokenizer, 128)
    assert len(chunks) < 4
    assert chunks[0].heading == "Terms"


def test_a_comment_in_fenced_code_is_no_heading(tokenizer):
    text = "# Title\n\n```sh\n# not a heading\nls\n```\n"
    assert [entry.heading for entry in chunk(text, tokenizer, size=64)] == ["Title"]


def test_markdown_is_recognised_by_its_headings(tokenizer):
    assert chunk("# A\n\nb", tokenizer, size=64)[0].heading == "A"
    assert chunk("# A\n\nb", tokenizer, size=64, strategy="text")[0].heading is None
    assert chunk("A\n=\n\nb", tokenizer, size=64)[0].heading is None
    assert chunk("A\n=\n\nb", tokenizer, size=64, strategy="markdown")[0].heading == "A"


def test_code_is_cut_between_lines(tokenizer):
    text = "```\n" + "\n".join(f"SELECT {number} FROM a;" for number in range(60)) + "\n```"
    chunks = chunk(text, tokenizer, size=64, strategy="markdown")
    check(text, chunks, tokenizer, 64)
    assert all(entry.text.split("\n")[0].startswith(("```", "SELECT")) for entry in chunks)


def test_overlap_repeats_whole_sentences(tokenizer):
    text = " ".join([PROSE] * 5)
    chunks = chunk(text, tokenizer, size=64, overlap=20)
    assert all(entry.tokens <= 64 for entry in chunks)
    for before, after in itertools.pairwise(chunks):
        assert before.start < after.start < before.end < after.end
        assert text[after.start - 2] in ".!?"
        assert len(tokenizer.encode(text[after.start : before.end], add_special_tokens=False)) <= 20


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"strategy": "semantic", "size": 64}, "strategy"),
        ({"size": 0}, "size"),
        ({"size": 10**9}, "size"),
        ({"size": 64, "overlap": 33}, "overlap"),
        ({"size": 64, "overlap": -1}, "overlap"),
    ],
)
def test_a_bad_argument_is_named(tokenizer, arguments, words):
    with pytest.raises(HostError) as caught:
        chunk("text", tokenizer, **arguments)
    assert caught.value.code == "LO103" and words in caught.value.message and caught.value.hint


ALPHABET = [
    "a",
    "word ",
    ". ",
    "! ",
    "\n",
    "\n\n",
    "\r\n",
    "\t",
    "# ",
    "## X\n",
    "```\n",
    "- ",
    "1. ",
    "| a |\n",
    "👩‍👩‍👧",
    "e\u0301",
    "שלום ",
    "漢字",
    "。",
    "\x01",
    "\x1c",
    "\u2028",
    "\u200d",
    "x" * 150,
    "---\n",
    "===\n",
    "<b>",
    "%s",
    "'",
]


@pytest.mark.parametrize("seed", range(60))
def test_any_text_is_cut_into_exact_spans(tokenizer, seed):
    chance = random.Random(seed)
    text = "".join(chance.choices(ALPHABET, k=chance.randrange(400)))
    size = chance.choice([8, 17, 64])
    for strategy in ("auto", "markdown", "text"):
        chunks = chunk(text, tokenizer, strategy=strategy, size=size)
        check(text, chunks, tokenizer, size)
        assert "".join("".join(entry.text for entry in chunks).split()) == "".join(text.split())


@pytest.mark.parametrize("piece", ["x", "!", "\n", "# a\n", "```", ". ", "漢字。", "1 ", "👩‍👩‍👧 "])
def test_a_quarter_of_a_million_of_anything_takes_seconds(tokenizer, piece):
    began = time.process_time()  # of the processor: what else the machine does is none of the test's business
    chunk(piece * (250_000 // len(piece)), tokenizer, size=128, overlap=16)
    assert time.process_time() - began < 60


def test_chunking_twice_gives_the_same(tokenizer):
    text = "\n\n".join([PROSE] * 20)
    assert chunk(text, tokenizer, size=50, overlap=10) == chunk(text, tokenizer, size=50, overlap=10)
