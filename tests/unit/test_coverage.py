"""Every topic and every erratum of the sources has its place in the book; no key is unknown."""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import ledger  # noqa: E402

PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "book").glob("*.md")}
NOTEBOOKS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
}
FOUND = ledger.places(ROOT)


def test_there_are_162_topics_and_116_errata():
    assert list(ledger.topics(ROOT)) == [str(n) for n in range(1, 163)]
    assert list(ledger.errata(ROOT)) == [f"E{n:02d}" for n in range(1, 117)]


def test_no_topic_is_missing():
    missing = [key for key in ledger.topics(ROOT) if key not in FOUND]
    assert not missing, "topics without a cell or page; see book/_ext/ledger.py for the keys"


def test_no_erratum_is_missing():
    missing = [key for key in ledger.errata(ROOT) if key not in FOUND]
    assert not missing, "errata without an exhibit, a cell or a page"


def test_no_key_is_unknown():
    known = ledger.topics(ROOT) | ledger.errata(ROOT)
    assert not {key: places for key, places in FOUND.items() if key not in known}


def test_keys_are_strings_on_markdown_cells():
    for name, notebook in NOTEBOOKS.items():
        for cell in notebook["cells"]:
            keys = cell["metadata"].get("covers", [])
            assert all(isinstance(key, str) for key in keys), f"{name}, {cell['id']}"
            assert not keys or cell["cell_type"] == "markdown", f"{name}, {cell['id']}"
            assert len(keys) == len(set(keys)), f"{name}, {cell['id']}: a key twice"


def test_the_errata_page_has_every_entry_in_order():
    entries = re.findall(r"^```\{erratum\} (\S+)$", PAGES["errata"], re.M)
    assert entries == list(ledger.errata(ROOT))


def test_an_erratum_is_kept_on_its_page_only_if_no_chapter_shows_it():
    for key, places in FOUND.items():
        pages = {place.page for place in places}
        if key.startswith("E") and "book/errata" in pages:
            assert pages == {"book/errata"}, f"{key} is in a chapter now: take its comment away"


# ---------------------------------------------------------------------------- how keys are found


def cell(source: str, covers: list[str] | None = None) -> dict:
    metadata = {"covers": covers} if covers else {}
    return {"cell_type": "markdown", "id": "c1", "metadata": metadata, "source": [source]}


def labels(*cells: dict) -> dict[str, str]:
    found = ledger.in_notebook({"cells": list(cells)}, "notebooks/01_a")
    return {key: place.label for key, place in found}


@pytest.mark.parametrize(
    ("source", "label"),
    [
        ("Text.", "Before"),
        ("## Later\n\nText.", "Later"),
        ("A long end of a section.\n\n## Later\n\nText.", "Before"),
        ("Short.\n\n## Later\n\nA long beginning of a section.", "Later"),
        ("A long end of a section.\n\n## Later\n\n> **Repair E34.** Short.", "Later"),
        ("Text with code.\n\n```\n# a comment\n```", "Before"),
    ],
)
def test_a_key_belongs_to_the_section_that_its_cell_is_about(source, label):
    assert labels(cell("# 1. A\n\n## Before"), cell(source, ["31"])) == {"31": label}


def test_the_anchor_stands_where_that_section_begins():
    source = "Short.\n\n## Later\n\nA long beginning of a section."
    notebook = json.dumps({"cells": [cell(source, ["31"])]})
    (shown,) = json.loads(ledger.with_anchors(notebook, is_notebook=True))["cells"]
    assert shown["source"].index("## Later") < shown["source"].index('id="cell-c1"')
    assert shown["source"].index('id="cell-c1"') < shown["source"].index("A long beginning")


def test_a_box_is_a_key_and_its_own_anchor():
    found = dict(
        ledger.in_notebook({"cells": [cell("> **Exhibits E80, E81 · T.** x", ["E80", "43"])]}, "n")
    )
    assert {key: place.anchor for key, place in found.items()} == {
        "E80": "E80", "E81": "E81", "43": "cell-c1",
    }  # fmt: skip


def test_a_comment_of_a_page_is_a_key_and_becomes_an_anchor():
    text = "# Page\n\n## Books\n\n<!-- covers: 154 E45 -->\nA book."
    assert {key: place.label for key, place in ledger.in_page(text, "book/p")} == {
        "154": "Books", "E45": "Books",
    }  # fmt: skip
    assert 'id="covers-154"' in ledger.with_anchors(text, is_notebook=False)


def test_a_table_of_applications_has_the_agreed_columns(tmp_path):
    (tmp_path / "notebooks").mkdir()
    head = (
        "| application | model | metric | baseline | score | 95% interval | n |\n|-|-|-|-|-|-|-|\n"
    )
    source = head + "| chat | small | share | none, 1 | 2 | 1 to 3 | 30 |"
    table = cell(source) | {"metadata": {"applications": True}}
    path = tmp_path / "notebooks" / "17_a.ipynb"
    path.write_text(json.dumps({"cells": [table]}), encoding="utf-8")
    row = ["chat", "small", "share", "none, 1", "2", "1 to 3", "30"]
    assert ledger.applications(tmp_path) == [("notebooks/17_a", row)]
    path.write_text(json.dumps({"cells": [table | {"source": "| score |\n|-|\n| 2 |"}]}))
    with pytest.raises(ValueError, match="17_a.ipynb: a table of applications has the columns"):
        ledger.applications(tmp_path)
