"""What the book covers, and where: read from keys in the notebooks and pages, never listed by hand.

A *key* is the number of a topic (`31`) or of an erratum (`E34`) in `book/coverage.yml`.  It stands

- in the metadata of a Markdown cell: `"covers": ["31", "E34"]`;
- in the label of a box: `> **Exhibit E34 · …**`;
- in a comment of a page of `book/`: `<!-- covers: 152 E12 -->`.

No Sphinx in here: `covers.py` makes links and tables of it, `tests/unit/test_coverage.py` counts.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

BOX = re.compile(r"^> \*\*Exhibits? (E\d{2,3}(?:, E\d{2,3})*) · ", re.M)
COMMENT = re.compile(r"^<!-- covers: ([E\d ]+) -->$", re.M)
ANY_BOX = re.compile(r"^> \*\*(?:Exhibit|Repair)", re.M)
HEADING = re.compile(r"^#{1,3} +(.+)$", re.M)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)

SEVERITY = {"F": "false", "M": "misleading", "m": "minor"}
EVIDENCE = {
    "X": "run",
    "T": "read in the text",
    "S": "checked in public documents",
    "K": "from general knowledge",
}


@dataclass(frozen=True)
class Entry:
    """One topic or one erratum; the last two fields are empty for a topic."""

    key: str
    text: str
    group: str
    severity: str = ""
    evidence: str = ""


@dataclass(frozen=True)
class Place:
    """Where a key stands: a page without suffix, an anchor on it, and what a link to it says."""

    page: str
    anchor: str
    label: str

    @property
    def chapter(self) -> int:
        """The chapter's number; pages that are no chapter come last."""
        match = re.match(r"notebooks/(\d\d)_", self.page)
        return int(match[1]) if match else 100


def topics(root: Path) -> dict[str, Entry]:
    """The topics of `book/coverage.yml` by key, in order."""
    return {
        str(number): Entry(str(number), text, group)
        for group, entries in ledger(root)["topics"].items()
        for number, text in entries.items()
    }


def errata(root: Path) -> dict[str, Entry]:
    """The errata of `book/coverage.yml` by key, in order; each is given as `F X · title`."""
    found = {}
    for group, entries in ledger(root)["errata"].items():
        for key, line in entries.items():
            codes, title = line.split(" · ", 1)
            severity, evidence = codes.split()
            found[key] = Entry(key, title, group, SEVERITY[severity], EVIDENCE[evidence])
    return found


def ledger(root: Path) -> dict:
    """The data of `book/coverage.yml`."""
    return yaml.safe_load((root / "book" / "coverage.yml").read_text(encoding="utf-8"))


def order(key: str) -> tuple[bool, int]:
    """Topics first, then errata, each by number."""
    return key.startswith("E"), int(key.removeprefix("E"))


# ---------------------------------------------------------------------------- where a key stands


def places(root: Path) -> dict[str, list[Place]]:
    """Every key that stands somewhere, with all of its places in the order of the book."""
    found = defaultdict(list)
    files = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    for path in files + sorted((root / "book").glob("*.md")):
        for key, place in places_in(path, root):
            if place not in found[key]:
                found[key].append(place)
    return dict(found)


@lru_cache(maxsize=64)
def places_in(path: Path, root: Path) -> list[tuple[str, Place]]:
    """The pairs of key and place in one file; the boxes of a cell besides its metadata."""
    page = path.relative_to(root).with_suffix("").as_posix()
    text = path.read_text(encoding="utf-8")
    return list(
        in_notebook(json.loads(text), page) if path.suffix == ".ipynb" else in_page(text, page)
    )


def in_notebook(notebook: dict, page: str) -> Iterator[tuple[str, Place]]:
    heading = ""
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "markdown":
            continue
        boxes = [key for keys in BOX.findall(source) for key in keys.split(", ")]
        for key in boxes:
            yield key, Place(page, key, f"exhibit {key}")
        for key in cell["metadata"].get("covers", []):
            if key not in boxes:
                label = main_section(source)[0] or heading
                yield key, Place(page, cell_anchor(cell), plain(label))
        heading = last_heading(source) or heading


def in_page(text: str, page: str) -> Iterator[tuple[str, Place]]:
    for match in COMMENT.finditer(text):
        keys = match[1].split()
        for key in keys:
            label = plain(last_heading(text[: match.start()]))
            yield key, Place(page, comment_anchor(match[1]), label)


def main_section(source: str) -> tuple[str, int]:
    """What the keys of a cell are about: the heading of a section, and where its text begins.

    A cell may hold the end of one section and the beginning of the next.  Its keys belong to the
    section that has a box, or else to the longest; the heading is empty if it is the first one's.
    """
    headings = list(HEADING.finditer(without_code(source)))
    starts = [("", 0), *((match[1], match.end()) for match in headings)]
    ends = [match.start() for match in headings] + [len(source)]
    sections = [(name, start, source[start:end]) for (name, start), end in zip(starts, ends)]
    name, start, _ = max(sections, key=lambda part: (bool(ANY_BOX.search(part[2])), len(part[2])))
    return name, start


def last_heading(text: str) -> str:
    """The last heading in a Markdown text; an empty string if there is none."""
    found = HEADING.findall(without_code(text))
    return found[-1] if found else ""


def plain(heading: str) -> str:
    """A heading without its number and markup."""
    return re.sub(r"^\d+\. |[`*]", "", heading).strip()


def without_code(text: str) -> str:
    """The text with blanks for what stands between fences, where `#` is a comment."""
    return FENCE.sub(lambda match: " " * len(match[0]), text)


def chapters_with(text: str, root: Path) -> list[str]:
    """The pages of the chapters whose notebooks have this text in them."""
    files = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    return [f"notebooks/{path.stem}" for path in files if text in path.read_text(encoding="utf-8")]


def chapter_title(page: str, root: Path) -> str:
    """The heading of a chapter, with its number."""
    notebook = json.loads((root / f"{page}.ipynb").read_text(encoding="utf-8"))
    sources = ("".join(cell["source"]) for cell in notebook["cells"])
    return next(match[1] for s in sources if (match := re.search(r"^# +(.+)$", s, re.M)))


# ---------------------------------------------------------------------------- anchors


def cell_anchor(cell: dict) -> str:
    return f"cell-{cell['id']}"


def comment_anchor(keys: str) -> str:
    return f"covers-{keys.split()[0]}"


def with_anchors(source: str, is_notebook: bool) -> str:
    """The source of a page or notebook with an anchor wherever its keys stand.

    In a cell the anchor is where the section begins that `places` names.
    """
    if not is_notebook:
        return COMMENT.sub(lambda match: div(comment_anchor(match[1])) + "\n", source)
    if '"covers"' not in source:
        return source
    notebook = json.loads(source)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown" and cell["metadata"].get("covers"):
            text = "".join(cell["source"])
            at = main_section(text)[1]
            cell["source"] = f"{text[:at]}\n\n{div(cell_anchor(cell))}\n\n{text[at:]}".lstrip("\n")
    return json.dumps(notebook, ensure_ascii=False)


def div(anchor: str) -> str:
    return f'<div class="anchor" id="{anchor}"></div>'


# ---------------------------------------------------------------------------- applications

ROW = re.compile(r"^\|(.+)\|\s*$", re.M)
COLUMNS = ["application", "model", "metric", "baseline", "score", "95% interval", "n"]


def applications(root: Path) -> list[tuple[str, list[str]]]:
    """Page and cells of every row in a table of applications, in the order of the book.

    Raises:
        ValueError: if the table of a chapter has other columns than `COLUMNS`.
    """
    found = []
    for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        page = path.relative_to(root).with_suffix("").as_posix()
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if not cell["metadata"].get("applications"):
                continue
            rows = [split_row(row) for row in ROW.findall("".join(cell["source"]))]
            if not rows or rows[0] != COLUMNS:
                raise ValueError(f"{path.name}: a table of applications has the columns {COLUMNS}")
            found += [(page, row) for row in rows[2:]]
    return found


def split_row(row: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row)]
