"""Sphinx extension: `{licences}`, the packages of requirements*.txt by the licence that they state.

What is installed says so itself, so that the list cannot go stale.
"""

import re
from collections import defaultdict
from importlib import metadata
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

# What does not say it in its metadata, from the file LICENSE of its source.
UNSTATED = {"axe-playwright-python": "MIT"}
NAMES = (
    (r"^Apache.*$", "Apache-2.0"),
    (r"^MIT License$", "MIT"),
    (r"^BSD License$", "BSD"),
    (r"^ISC License \(ISCL\)$", "ISC"),
    (r"^Mozilla Public License 2\.0.*$", "MPL-2.0"),
    (r"^Python Software Foundation License$", "PSF-2.0"),
)


def pinned(root: Path) -> list[str]:
    """The names in requirements.txt and requirements-models.txt, each once."""
    lines = [
        line
        for file in ("requirements.txt", "requirements-models.txt")
        for line in (root / file).read_text(encoding="utf-8").splitlines()
    ]
    return sorted({match[0] for line in lines if (match := re.match(r"[\w.-]+(?===)", line))})


def licence(name: str) -> str | None:
    """The licence that an installed package states; None where it is not installed here."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    classes = [
        line.split(" :: ")[-1]
        for line in about.get_all("Classifier") or []
        if line.startswith("License :: ") and not line.endswith("OSI Approved")
    ]
    stated = about.get("License-Expression") or ", ".join(classes) or about.get("License") or ""
    stated = stated.strip().partition("\n")[0] or UNSTATED.get(name, "not stated")
    if " AND " in stated or " OR " in stated:
        return stated
    for pattern, short in NAMES:
        stated = re.sub(pattern, short, stated)
    return stated


def by_licence(root: Path) -> dict[str, list[str]]:
    """The packages under each licence, the most frequent one first."""
    groups = defaultdict(list)
    for name in pinned(root):
        groups[licence(name) or "not installed on this system"].append(name)
    return dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])))


class Licences(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        for file in ("requirements.txt", "requirements-models.txt"):
            self.env.note_dependency(str(root / file))
        items = []
        for name, packages in by_licence(root).items():
            term = nodes.term("", name)
            body = nodes.definition("", nodes.paragraph("", ", ".join(packages)))
            items.append(nodes.definition_list_item("", term, body))
        return [nodes.definition_list("", *items)]


def setup(app: Sphinx) -> dict:
    app.add_directive("licences", Licences)
    return {"version": "1", "parallel_read_safe": True}
