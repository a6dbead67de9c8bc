"""Keys in a notebook become links on other pages, and its numbers and scores are shown there.

Shown on a book of one chapter and one appendix, with the real configuration and the real command.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.notebooks.execution import ROOT
from tests.run_all import BOOK

GLUE = (
    "display({'application/papermill.record/text/plain': '0.25'}, raw=True, metadata="
    "{'scrapbook': {'name': 'share', 'mime_prefix': 'application/papermill.record/'}})"
)
SCORES = """\
| application | model | metric | baseline | score | 95% interval | n |
|---|---|---|---|---|---|---|
| naps | small | share | none, 0 | <data value="share:.2f"></data> | 0 to 1 | 4 |
"""
LEDGER = """\
topics: {First: {1: Sleep, 2: Waking}}
errata: {All: {E01: F X · A claim, E02: M T · Another}}
"""
PAGE = """\
# Appendix

{chapter}`1` and {chapter}`2`; {where}`1`; {cited}`1706.03762`; {number}`01_small share:.1f`.

<!-- covers: 2 E02 -->
Text after a key.

```{erratum} E01
It is *so*.
```

```{coverage} topics
```

```{applications}
```
"""


def chapter(score: str = "0.25") -> nbformat.NotebookNode:
    cells = [
        new_markdown_cell("# 1. Small\n\n## Rest\n\nShort."),
        new_code_cell(GLUE.replace("0.25", score)),
        new_markdown_cell("A paper: arXiv 1706.03762.", metadata={"covers": ["1"]}),
        new_markdown_cell("> **Exhibit E01 · A claim.** Run it."),
        new_markdown_cell(SCORES, metadata={"applications": True}),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("book")
    for name in ("_config.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    for name in ("book/_ext", "book/_static", "book/_templates"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    toc = "format: jb-book\nroot: notebooks/01_small\nchapters: [{file: book/appendix}]\n"
    (root / "_toc.yml").write_text(toc, encoding="utf-8")
    (root / "llmcourse").mkdir()
    (root / "notebooks").mkdir()
    nbformat.write(chapter(), root / "notebooks" / "01_small.ipynb")
    (root / "book" / "coverage.yml").write_text(LEDGER, encoding="utf-8")
    (root / "book" / "appendix.md").write_text(PAGE, encoding="utf-8")
    return root


def build(root: Path) -> str:
    """The page of the appendix, or what the build says if it fails."""
    built = subprocess.run(
        BOOK, cwd=root, env={**os.environ, "PYTHONPATH": str(root), "PYTHONUTF8": "1"},
        capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    return (root / "_build/html/book/appendix.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(book: Path) -> str:
    return build(book)


def links(page: str) -> dict[str, str]:
    """Text and address of the links in the article."""
    found = re.findall(r'<a class="reference internal" href="([^"]+)">([^<]+)</a>', page)
    return {text: address for address, text in found}


def test_a_key_is_linked_where_it_stands(book: Path, page: str) -> None:
    shown = (book / "_build/html/notebooks/01_small.html").read_text(encoding="utf-8")
    for text in ("1\N{NO-BREAK SPACE}· Rest", "1\N{NO-BREAK SPACE}· exhibit E01"):
        address, _, anchor = links(page)[text].partition("#")
        assert address == "../notebooks/01_small.html"
        assert f'id="{anchor}"' in shown


def test_a_key_of_a_page_keeps_the_text_after_it(page: str) -> None:
    assert 'id="covers-2"' in page
    assert "<p>Text after a key.</p>" in page


def test_a_chapter_that_is_not_there_is_named_and_not_linked(page: str) -> None:
    assert links(page)["Chapter 1"] == "../notebooks/01_small.html"
    assert "Chapter 2" in page
    assert "Chapter 2" not in links(page)


def test_numbers_and_scores_come_from_the_chapters_execution(page: str) -> None:
    assert re.search(r'<data data-page="notebooks/01_small" value="share:.1f">0.2</data>', page)
    row = page[page.index("naps") :]
    assert re.search(r'<data data-page="notebooks/01_small" value="share:.2f">0.25</data>', row)


def test_all_is_counted(page: str) -> None:
    assert "2 of 2 topics are placed." in page
    assert "A claim" in page
    assert "false; run" in page


def test_another_result_reaches_the_appendix(book: Path, page: str) -> None:
    nbformat.write(chapter(score="0.75"), book / "notebooks" / "01_small.ipynb")
    assert 'value="share:.2f">0.75</data>' in build(book)
