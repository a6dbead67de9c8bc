"""What the tests and `make record` look for in the Markdown of a chapter."""

import re
from typing import NamedTuple

from nbformat import NotebookNode

DATA = re.compile(r"<data\s+(?P<attributes>[^>]*)>(?P<text>[^<]*)</data>")


class Number(NamedTuple):
    """One `<data value="key">text</data>`; `varies` is True where the text is not compared."""

    key: str
    text: str
    varies: bool

    @property
    def name(self) -> str:
        return self.key.partition(":")[0]


def attribute(name: str, attributes: str) -> str:
    """The value of an HTML attribute, or an empty string."""
    match = re.search(rf'\b{name}="([^"]*)"', attributes)
    return match[1] if match else ""


def numbers(notebook: NotebookNode) -> list[Number]:
    """Every number that the text of a notebook quotes, in order."""
    return [
        Number(attribute("value", m["attributes"]), m["text"], "varies" in m["attributes"])
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for m in DATA.finditer(cell.source)
    ]


def markdown(notebook: NotebookNode, tag: str | None = None) -> list[str]:
    """The sources of Markdown cells, all or those with a tag."""
    return [c.source for c in notebook.cells if c.cell_type == "markdown" and has_tag(c, tag)]


def code(notebook: NotebookNode, tag: str | None = None) -> list[NotebookNode]:
    """The code cells, all or those with a tag."""
    return [c for c in notebook.cells if c.cell_type == "code" and has_tag(c, tag)]


def has_tag(cell: NotebookNode, tag: str | None) -> bool:
    return tag is None or tag in cell.metadata.get("tags", [])


def count_words(text: str) -> int:
    """Words of prose: no code, no formulas, no HTML, no addresses of links."""
    for pattern in (r"```.*?```", r"\$\$.*?\$\$", r"\$[^$]*\$", r"<[^>]*>", r"\]\([^)]*\)"):
        text = re.sub(pattern, " ", text, flags=re.S)
    return len(re.findall(r"[A-Za-z][A-Za-z'’-]*|[\u3400-\u9fff]", text))


def boxes(notebook: NotebookNode, kind: str) -> list[str]:
    """The keys in the boxes of a kind, `Exhibit` or `Repair`, in order.

    A box is a quotation that opens with `**Exhibit E34 · title.**`, `**Exhibits E80, E81 · …**` or
    `**Repair E34.**`.
    """
    text = "\n\n".join(markdown(notebook))
    found = re.findall(rf"^> \*\*{kind}s? (E\d{{2,3}}(?:, E\d{{2,3}})*)[ .]", text, re.M)
    return [key for keys in found for key in keys.split(", ")]
