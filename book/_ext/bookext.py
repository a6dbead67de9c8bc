"""The book's Sphinx extension: what Jupyter Book does not do by itself, one function each.

1. `configure`: the repository's address from pyproject.toml, an execution cache that sees edits in
   the package, and a reader's progress left untouched by the build.
2. `expand_modules`: `{{module name}}` lines of the API page.
3. `Numbers`, `Boxes`, `Solutions`: plain HTML and Markdown of a notebook become glued values,
   exhibit boxes with anchors, and folded solutions.
4. `GluedFigure`: a figure of a chapter on another page.
5. `keep_pages_local`, `copy_mathjax`: no page asks another host for anything.
"""

import base64
import hashlib
import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

# ---------------------------------------------------------------------------- configuration


def repository_address(root: Path) -> str:
    """The one place where the address is written: `[project.urls] Repository` of pyproject.toml."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["urls"]["Repository"].rstrip("/")


def cache_folder(root: Path) -> Path:
    """Where executed notebooks are kept: a folder named after everything a cell may import.

    jupyter-cache compares the code of a notebook only.  An edit in `llmcourse/`, another pinned
    version or another Python must run the notebooks again, so each has a folder of its own.
    """
    files = [p for p in (root / "llmcourse").rglob("*") if p.is_file() and p.suffix != ".pyc"]
    files += root.glob("requirements*.txt")
    digest = fingerprint(root, files, start=sys.version)
    return root / "_build" / ".jupyter_cache" / digest


def fingerprint(root: Path, files: list[Path], start: str = "") -> str:
    """16 hexadecimal digits that change with the name or the content of any of the files."""
    digest = hashlib.sha256(start.encode())
    for path in sorted(files):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def configure(app: Sphinx, config: Config) -> None:
    """Set what depends on other files; runs before Sphinx compares the configuration with the last.

    A changed `nb_execution_cache_path` makes Sphinx read every page again.
    """
    root = Path(app.srcdir)
    config.html_theme_options["repository_url"] = repository_address(root)
    folder = cache_folder(root)
    config.nb_execution_cache_path = str(folder)
    # Sphinx copies a style sheet only when it writes pages: an edited one has them all written.
    look = [p for p in (root / "book").glob("_*/**/*") if p.is_file() and p.suffix != ".pyc"]
    config.book_look = fingerprint(root, look)
    for outdated in folder.parent.glob("*"):
        if outdated != folder:
            shutil.rmtree(outdated)
    home = tempfile.TemporaryDirectory(prefix="llmcourse-")  # of the build, not the reader's own
    os.environ["LLMCOURSE_HOME"] = home.name
    app.connect("build-finished", lambda app, error: home.cleanup())


# ---------------------------------------------------------------------------- API pages

MODULE = """\
## `{name}`

```{{eval-rst}}
.. automodule:: {name}
```
"""


def expand_modules(app: Sphinx, docname: str, source: list[str]) -> None:
    """Turn each line `{{module llmcourse.gpt}}` into a heading and the module's docstrings."""
    source[0] = re.sub(
        r"^\{\{module (\S+)\}\}$", lambda m: MODULE.format(name=m[1]), source[0], flags=re.M
    )


# ---------------------------------------------------------------------------- notebook pages


def glued_values(app: Sphinx, docname: str) -> dict[str, object]:
    """Name and value of everything that the page's notebook handed to `llmcourse.glue`.

    The value of a figure is its mime bundle.
    """
    path = Path(app.env.mystnb_config.output_folder) / f"{docname}.glue.json"
    if not path.exists():
        return {}
    outputs = json.loads(path.read_text(encoding="utf-8"))
    data = {name: output["data"] for name, output in outputs.items()}
    return {
        name: json.loads(d["text/plain"]) if "text/plain" in d else d for name, d in data.items()
    }


def format_number(key: str, values: dict[str, object]) -> str:
    """The text for `<data value="key">`, where key is `name` or `name:format`.

    A negative number gets a minus sign, not a hyphen.

    Raises:
        KeyError: if no cell glues the name.
    """
    name, _, spec = key.partition(":")
    text = format(values[name], spec)
    return text if isinstance(values[name], str) else text.replace("-", "−", 1)


class Numbers(SphinxTransform):
    """`<data value="name:.2f">…</data>` shows the value of the execution that made the page."""

    default_priority = 400
    opening = re.compile(r'<data\s+value="([^"]+)"')

    def apply(self, **kwargs: object) -> None:
        values = None
        for start in list(self.document.findall(nodes.raw)):
            match = self.opening.match(start.astext())
            if not match:
                continue
            if values is None:
                values = glued_values(self.app, self.env.docname)
            siblings = start.parent.children
            first = siblings.index(start) + 1
            last = first
            while last < len(siblings) and siblings[last].astext() != "</data>":
                last += 1
            try:
                text = format_number(match[1], values)
            except (KeyError, ValueError) as error:
                logger.warning("<data value=%r>: %r", match[1], error, location=start)
                continue
            start.parent[first:last] = [nodes.Text(text)]


class Boxes(SphinxTransform):
    """A quotation that opens with `**Exhibit E34 · …**` or `**Repair E34.**` becomes a box.

    The exhibit's box is the anchor `#E34`, for links from this page and from others.  One box may
    hold several: `**Exhibits E80, E81 · …**` has two anchors.
    """

    default_priority = 400
    label = re.compile(r"(Exhibit|Repair)s? (E\d{2,3}(?:, E\d{2,3})*)\b")

    def apply(self, **kwargs: object) -> None:
        slugs = self.env.metadata[self.env.docname].setdefault("myst_slugs", {})
        for quote in self.document.findall(nodes.block_quote):
            first = next(quote.findall(nodes.strong), None)
            match = first and self.label.match(first.astext())
            if not match or not quote.astext().startswith(first.astext()):
                continue
            kind, keys = match[1].lower(), match[2].split(", ")
            quote["classes"] += [kind]
            first["classes"] += ["box-label"]
            if kind == "exhibit":
                quote["ids"] = keys
                title = first.astext().rstrip(".")
                slugs.update({key: (quote.line or 0, key, title) for key in keys})


class Solutions(SphinxTransform):
    """Give the folds of solutions a class, so that the style sheet leaves the theme's own alone."""

    default_priority = 400

    def apply(self, **kwargs: object) -> None:
        for node in list(self.document.findall(nodes.raw)):
            html = node.astext()
            if html.startswith("<details>"):
                html = html.replace("<details>", '<details class="solution">', 1)
                node.replace_self(nodes.raw("", html, format="html"))


# ---------------------------------------------------------------------------- figures elsewhere


class GluedFigure(SphinxDirective):
    """A figure that a chapter handed to `llmcourse.glue`, shown on another page.

    ```{glued-figure} ladder
    :doc: ../notebooks/01_language_models.ipynb
    :alt: …
    :name: fig-…

    The caption.
    ```
    """

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {name: directives.unchanged_required for name in ("doc", "alt", "name")}

    def run(self) -> list[nodes.Node]:
        missing = {"doc", "alt"} - set(self.options)
        if missing:
            raise self.error(f"glued-figure needs the options {sorted(missing)}")
        relative, path = self.env.relfn2path(self.options["doc"])
        self.env.note_dependency(path)
        placeholder = GluedImage(
            key=self.arguments[0], doc=self.env.path2doc(relative), alt=self.options["alt"]
        )
        figure = nodes.figure("", placeholder)
        self.set_source_info(figure)
        self.set_source_info(placeholder)
        self.add_name(figure)
        text = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, text)
        if text.children:
            figure += nodes.caption("", "", *text.children[0].children)
        return [figure]


class GluedImage(nodes.General, nodes.Element):
    """Stands for the image until all notebooks have been executed."""


class ShowGluedImages(SphinxPostTransform):
    """Write the image of each `GluedImage` to the site, and refer to it."""

    default_priority = 5

    def run(self, **kwargs: object) -> None:
        for node in list(self.document.findall(GluedImage)):
            figure = glued_values(self.app, node["doc"]).get(node["key"])
            if not isinstance(figure, dict):
                logger.warning("no cell of %s glues a figure %r", node["doc"], node["key"],
                               location=node)  # fmt: skip
                node.parent.remove(node)
                continue
            if "image/svg+xml" in figure:
                data, suffix = figure["image/svg+xml"].encode(), "svg"
            else:
                data, suffix = base64.b64decode(figure["image/png"]), "png"
            builder = self.app.builder
            name = f"{hashlib.sha256(data).hexdigest()[:32]}.{suffix}"
            target = Path(builder.outdir) / builder.imagedir / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            page = Path(builder.outdir) / builder.get_target_uri(self.env.docname)
            address = os.path.relpath(target, page.parent).replace(os.sep, "/")
            node.replace_self(nodes.image(uri=address, candidates={"*": address}, alt=node["alt"]))


# ---------------------------------------------------------------------------- offline pages

# Summaries of search results are fetched page by page, which a browser forbids on file://.
SEARCH_FROM_DISK = (
    "if (location.protocol === 'file:') DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;"
)
# What MathJax fetches by itself: its fonts, and the TeX extensions that formulas may ask for.
MATHJAX = ("tex-chtml.js", "output/chtml/fonts/woff-v2/*.woff", "input/tex/extensions/*.js")


def is_foreign(script: object) -> bool:
    """Whether a script or style comes from another host, or is part of thebe (which would)."""
    address = getattr(script, "filename", None) or ""
    body = getattr(script, "attributes", {}).get("body") or ""
    return "//" in str(address) or "thebe" in f"{address}{body}" or "https://" in body


def keep_pages_local(
    app: Sphinx, pagename: str, template: str, context: dict, doctree: nodes.document | None
) -> None:
    """Drop scripts and styles that a page would fetch from another host."""
    for kind in ("script_files", "css_files"):
        context[kind] = [entry for entry in context.get(kind, []) if not is_foreign(entry)]


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Copy the needed part of MathJax out of the installed wheel `sphinx-mathjax-offline`."""
    if error:
        return
    # The package's name has hyphens, so it can be found but not imported with a statement.
    package = importlib.util.find_spec("sphinx-mathjax-offline")
    if package is None:
        raise ExtensionError("MathJax is not installed: pip install sphinx-mathjax-offline==0.0.2")
    source = Path(package.origin).parent / "static" / "mathjax"
    for pattern in MATHJAX:
        for path in source.glob(pattern):
            target = Path(app.outdir) / "_static" / "mathjax" / path.relative_to(source)
            if path.name != "all-packages.js" and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


def setup(app: Sphinx) -> dict:
    app.add_config_value("book_look", "", "html")
    app.connect("config-inited", configure, priority=900)
    app.connect("source-read", expand_modules)
    for transform in (Numbers, Boxes, Solutions):
        app.add_transform(transform)
    app.add_node(GluedImage)
    app.add_directive("glued-figure", GluedFigure)
    app.add_post_transform(ShowGluedImages)
    app.add_js_file(None, body=SEARCH_FROM_DISK, priority=300)
    app.connect("html-page-context", keep_pages_local, priority=900)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
