"""A chapter runs once: nbval executes it, and the site is built from that execution.

Shown on a book of one small chapter, with the real configuration and the real commands.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.notebooks.execution import ROOT
from tests.run_all import BOOK, NBVAL

GLUE = "application/papermill.record/text/plain"
FIGURE = {
    "image": {"alt": "A rising line"},
    "figure": {"caption": "It rises.", "name": "fig-line"},
}


def chapter(source: str = "from llmcourse import answer") -> nbformat.NotebookNode:
    """A notebook that glues a value, draws a figure and quotes the value."""
    glue = (
        f"display({{{GLUE!r}: str(answer)}}, raw=True, metadata={{'scrapbook': {{'name': 'answer'"
    )
    cells = [
        new_markdown_cell("# One chapter"),
        new_code_cell(source),
        new_code_cell(f"{glue}, 'mime_prefix': 'application/papermill.record/'}}}})"),
        new_markdown_cell('The answer is <data value="answer:.1f">0</data>.'),
        new_code_cell(
            "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
            metadata={"mystnb": FIGURE},
        ),
        new_markdown_cell("> **Exhibit E34 · A claim.** Run it.\n\n[See it](#E34)"),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small book in a folder of its own."""
    root = tmp_path_factory.mktemp("book")
    for name in ("_config.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    for name in ("book/_ext", "book/_static", "book/_templates", "tests/notebooks"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "_toc.yml").write_text("format: jb-book\nroot: notebooks/01_small\n", encoding="utf-8")
    (root / "llmcourse").mkdir()
    (root / "llmcourse" / "__init__.py").write_text("answer = 42\n", encoding="utf-8")
    (root / "notebooks").mkdir()
    nbformat.write(chapter(), root / "notebooks" / "01_small.ipynb")
    return root


def run(root: Path, command: list[str]) -> subprocess.CompletedProcess:
    """Run a command of `make test` in another book, whose own `llmcourse` is imported there."""
    return subprocess.run(
        [part for part in command if part != "-q"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


@pytest.fixture(scope="module")
def page(book: Path) -> str:
    """The page of the chapter, built after nbval has run it."""
    tested = run(book, NBVAL)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    built = run(book, BOOK)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "Using cached notebook" in built.stdout
    assert "Executing notebook" not in built.stdout
    return (book / "_build/html/notebooks/01_small.html").read_text(encoding="utf-8")


def test_site_shows_what_nbval_executed(page: str) -> None:
    assert '<data value="answer:.1f">42.0</data>' in page
    assert 'alt="A rising line"' in page
    assert "It rises." in page


def test_exhibit_is_a_box_with_an_anchor(page: str) -> None:
    assert 'class="exhibit" id="E34"' in page or 'id="E34" class="exhibit"' in page
    assert 'href="#E34"' in page


def test_no_page_names_another_host_to_load_from(page: str) -> None:
    assert 'src="http' not in page
    assert 'src="//' not in page


def test_a_second_build_executes_nothing(book: Path, page: str) -> None:
    built = run(book, BOOK)
    assert built.returncode == 0
    assert "Executing notebook" not in built.stdout


def test_an_edited_style_sheet_reaches_the_site_and_executes_nothing(book: Path, page: str) -> None:
    sheet = book / "book" / "_static" / "book.css"
    sheet.write_text(sheet.read_text(encoding="utf-8") + "/* edited */\n", encoding="utf-8")
    built = run(book, BOOK)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "Executing notebook" not in built.stdout
    copied = book / "_build" / "html" / "_static" / "book.css"
    assert "/* edited */" in copied.read_text(encoding="utf-8")


def test_an_edit_in_the_package_runs_the_notebook_again(book: Path, page: str) -> None:
    (book / "llmcourse" / "__init__.py").write_text("answer = 43\n", encoding="utf-8")
    built = run(book, BOOK)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "Executing notebook" in built.stdout
    html = (book / "_build/html/notebooks/01_small.html").read_text(encoding="utf-8")
    assert '<data value="answer:.1f">43.0</data>' in html


def test_a_failing_cell_fails_the_build_and_is_shown(book: Path, page: str) -> None:
    nbformat.write(chapter("answer = 1 / 0  # here"), book / "notebooks" / "01_small.ipynb")
    built = run(book, BOOK)
    said = built.stdout + built.stderr
    assert built.returncode != 0
    assert "1 / 0  # here" in said
    assert "ZeroDivisionError" in said


def test_a_failed_notebook_is_not_kept(book: Path, page: str) -> None:
    nbformat.write(chapter("answer = 1 / 0  # there"), book / "notebooks" / "01_small.ipynb")
    assert run(book, NBVAL).returncode != 0
    assert "Executing notebook" in run(book, BOOK).stdout


def test_a_number_without_a_cell_fails_the_build(book: Path, page: str) -> None:
    notebook = chapter("answer = 1")
    notebook.cells.append(new_markdown_cell('<data value="unknown">1</data>'))
    nbformat.write(notebook, book / "notebooks" / "01_small.ipynb")
    built = run(book, BOOK)
    assert built.returncode != 0
    assert "unknown" in built.stderr


def test_record_writes_outputs_and_numbers(book: Path, tmp_path: Path) -> None:
    from tests.notebooks.execution import executed
    from tests.notebooks.record import recorded

    notebook = chapter("answer = 42\nprint(answer)")
    notebook.cells[1].metadata["tags"] = ["keep_output", "nbval-check-output"]
    (tmp_path / "notebooks").mkdir()
    path = tmp_path / "notebooks" / "01_small.ipynb"
    nbformat.write(notebook, path)
    result = recorded(notebook, executed(path, fresh=True, root=tmp_path))
    assert result.cells[1].outputs[0].text == "42\n"
    assert not any(cell.outputs for cell in result.cells[2:] if cell.cell_type == "code")
    assert all(c.execution_count is None for c in result.cells if c.cell_type == "code")
    assert '<data value="answer:.1f">42.0</data>' in result.cells[3].source


def test_commands_use_this_python() -> None:
    assert BOOK[0] == NBVAL[0] == sys.executable
