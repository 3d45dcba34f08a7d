"""The examples of README and docs run, in the order of each page, on a database of its own."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ["docs/*.md", "docs/how-to/*.md", "docs/explanation/*.md", "docs/reference/filter.md"]
PAGES = [ROOT / "README.md", *(page for pages in FOLDERS for page in sorted(ROOT.glob(pages)))]
BLOCK = re.compile(r"^```(sql|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)")


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text())


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name)
def test_every_example_of_a_page_runs_and_every_query_gives_a_row(request, db, dsn, monkeypatch, page):
    monkeypatch.setenv("PGLORE_DSN", dsn)
    if "'writer'" in page.read_text():  # the language model of an example
        request.getfixturevalue("writer")
    for language, text in blocks(page):
        if language == "python":
            exec(compile(text, name(page), "exec"), {})
            continue
        cursor = db.execute(text.encode())
        while True:
            if cursor.description:
                assert cursor.rowcount > 0, text
            if not cursor.nextset():
                break


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_of_a_page_leads_to_a_file(page):
    local = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []
