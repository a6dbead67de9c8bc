"""The appendices' Sphinx extension: what `ledger.py` finds, as links, lists and a table.

1. `{chapter}`, `{where}`, `{cited}`, `{number}`: a chapter by its number, all places of a key, the
   chapters that cite a work, and a number that a chapter has computed.
2. `{erratum}`, `{coverage}`, `{applications}`: an entry of the errata, the lists of what is
   covered, the scores of all chapters.
3. `add_anchors`: an anchor wherever a key stands.

Links are made when a page is read, from the files themselves, so that no list of them can go stale.
"""

import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from bookext import format_number, glued_values
from docutils import nodes
from docutils.statemachine import StringList
from ledger import (
    COLUMNS,
    Place,
    applications,
    chapter_title,
    chapters_with,
    errata,
    order,
    places,
    topics,
    with_anchors,
)
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

logger = logging.getLogger(__name__)


def add_anchors(app: Sphinx, docname: str, source: list[str]) -> None:
    source[0] = with_anchors(source[0], app.env.doc2path(docname).endswith(".ipynb"))


# ---------------------------------------------------------------------------- links


class Linking:
    """What roles and directives share: links from the page that is being read."""

    @property
    def root(self) -> Path:
        """The repository; the page is read again when anything has changed there."""
        self.env.metadata[self.env.docname]["reads_ledger"] = True
        return Path(self.env.srcdir)

    def link(self, text: str, page: str, anchor: str = "") -> nodes.Node:
        if page == self.env.docname:
            address = ""
        else:
            address = self.env.app.builder.get_relative_uri(self.env.docname, page)
        address += f"#{anchor}" if anchor else ""
        return nodes.reference("", "", nodes.Text(text), refuri=address, internal=True)

    def links(self, found: list[Place], lead: str = "") -> list[nodes.Node]:
        """Links to all places, one for each section, with the chapter's number, between commas."""
        result, seen = [], set()
        for place in sorted(found, key=lambda place: place.chapter):
            if (place.page, place.label) in seen:
                continue
            seen.add((place.page, place.label))
            number = f"{place.chapter}\N{NO-BREAK SPACE}· " if place.chapter < 100 else ""
            result += [nodes.Text(", " if result else lead)]
            result += [self.link(number + place.label, place.page, place.anchor)]
        return result


class ChapterRole(SphinxRole, Linking):
    """`` {chapter}`4` ``: a link to chapter 4; plain text as long as there is none."""

    def run(self) -> tuple[list[nodes.Node], list]:
        name = f"Chapter {int(self.text)}"
        found = sorted((self.root / "notebooks").glob(f"{int(self.text):02d}_*.ipynb"))
        if not found:
            return [nodes.Text(name)], []
        return [self.link(name, f"notebooks/{found[0].stem}")], []


class NumberRole(SphinxRole):
    """`` {number}`05_masks_and_heads suspect:.2f` ``: what a cell of that chapter has glued."""

    def run(self) -> tuple[list[nodes.Node], list]:
        stem, _, key = self.text.partition(" ")
        opening = f'<data data-page="notebooks/{stem}" value="{key}">'
        return [nodes.raw("", html, format="html") for html in (opening, "</data>")], []


class CitedRole(SphinxRole, Linking):
    """`` {cited}`1706.03762` ``: links to the chapters that have this number, address or name."""

    def run(self) -> tuple[list[nodes.Node], list]:
        result = []
        for page in chapters_with(self.text, self.root):
            number = str(int(page.removeprefix("notebooks/")[:2]))
            result += [nodes.Text(", " if result else "Chapter "), self.link(number, page)]
        return [*result, nodes.Text(".")] if result else [nodes.Text("In the articles.")], []


class WhereRole(SphinxRole, Linking):
    """`` {where}`31 E18` ``: links to all places of these keys outside this page."""

    def run(self) -> tuple[list[nodes.Node], list]:
        known = places(self.root)
        found = []
        for key in self.text.split():
            for place in known.get(key, []):
                if place not in found and place.page.startswith("notebooks/"):
                    found.append(place)
        return self.links(found) or [nodes.Text("(in no chapter)")], []


# ---------------------------------------------------------------------------- errata


class Erratum(SphinxDirective, Linking):
    """One entry of the errata: its title and kind from `coverage.yml`, and links to its exhibits.

    ```{erratum} E34
    The claim, what a run shows, and what is right.
    ```
    """

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        key = self.arguments[0]
        try:
            entry = errata(self.root)[key]
        except KeyError:
            raise self.error(f"book/coverage.yml has no erratum {key}") from None
        found = [p for p in places(self.root).get(key, []) if p.page.startswith("notebooks/")]
        box = nodes.container(classes=["erratum"], ids=[key])
        self.set_source_info(box)
        label = nodes.paragraph("", "", classes=["erratum-label"])
        label += nodes.strong("", f"{key} · {entry.text}")
        kind = f" {entry.severity}; {entry.evidence}"
        label += nodes.inline("", kind, classes=["erratum-kind", entry.severity])
        box += label
        self.state.nested_parse(self.content, self.content_offset, box)
        if found:
            box += nodes.paragraph("", "", *self.links(found, "Where: "), classes=["where"])
        return [box]


class Coverage(SphinxDirective, Linking):
    """`{coverage} topics` or `{coverage} errata`: every entry, with links to all its places."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        entries = {"topics": topics, "errata": errata}[self.arguments[0]](self.root)
        found = places(self.root)
        missing = [key for key in entries if key not in found]
        said = f"{len(entries) - len(missing)} of {len(entries)} {self.arguments[0]} are placed."
        if missing:
            said += f" Not yet: {', '.join(missing)}."
        result: list[nodes.Node] = [nodes.paragraph("", said)]
        group = ""
        for key in sorted(entries, key=order):
            entry = entries[key]
            if entry.group != group:
                group = entry.group
                result += [nodes.rubric("", group), nodes.bullet_list(classes=["coverage"])]
            text = nodes.paragraph("", f"{key} · {entry.text}")
            text += self.links(found.get(key, []), ": ")
            result[-1] += nodes.list_item("", text, ids=[f"item-{key}"])
        return result


# ---------------------------------------------------------------------------- applications

DATA = re.compile(r"<data\s+([^>]*)>")
BORROWED = re.compile(r'<data data-page="([^"]+)".*?\bvalue="([^"]+)"')


class Applications(SphinxDirective, Linking):
    """The tables of applications of all chapters, each under a link to its chapter."""

    def run(self) -> list[nodes.Node]:
        result: list[nodes.Node] = []
        for page, rows in groupby(applications(self.root), key=lambda row: row[0]):
            lines = [row_of(COLUMNS), row_of("---" for _ in COLUMNS)]
            for _, cells in rows:
                lines.append(row_of(DATA.sub(rf'<data data-page="{page}" \1>', c) for c in cells))
            box = nodes.container(classes=["scores"])
            self.state.nested_parse(StringList(lines, self.env.docname), self.content_offset, box)
            result += [nodes.rubric("", "", self.link(chapter_title(page, self.root), page)), box]
        return result or [nodes.paragraph("", "No chapter has a table of applications yet.")]


def row_of(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


class BorrowedNumbers(SphinxPostTransform):
    """`<data data-page="…" value="…">`: a number of another page, from that page's execution."""

    default_priority = 5

    def run(self, **kwargs: object) -> None:
        for start in list(self.document.findall(nodes.raw)):
            match = BORROWED.match(start.astext())
            if not match:
                continue
            siblings = start.parent.children
            first = last = siblings.index(start) + 1
            while last < len(siblings) and siblings[last].astext() != "</data>":
                last += 1
            try:
                text = format_number(match[2], glued_values(self.app, match[1]))
            except (KeyError, ValueError) as error:
                logger.warning("%s, <data value=%r>: %r", match[1], match[2], error)
                continue
            start.parent[first:last] = [nodes.Text(text)]


def outdated(app: Sphinx, env: BuildEnvironment, *changes: set[str]) -> list[str]:
    """Pages that are made from the keys are read again whenever anything else is."""
    if not any(changes):
        return []
    return [name for name, data in env.metadata.items() if data.get("reads_ledger")]


def setup(app: Sphinx) -> dict:
    app.connect("source-read", add_anchors)
    app.connect("env-get-outdated", outdated)
    app.add_role("chapter", ChapterRole())
    app.add_role("where", WhereRole())
    app.add_role("cited", CitedRole())
    app.add_role("number", NumberRole())
    app.add_directive("erratum", Erratum)
    app.add_directive("coverage", Coverage)
    app.add_directive("applications", Applications)
    app.add_post_transform(BorrowedNumbers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
