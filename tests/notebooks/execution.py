"""Executed notebooks, shared by every pass: nbval, the tests of the text, `make record`, the site.

A chapter runs once.  Its outputs go into the jupyter-cache from which Jupyter Book takes them, in
the folder that book/_ext/bookext.py names after the package and the pins, so that an edit in
`llmcourse/` runs everything again.
"""

import copy
import json
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

from bookext import cache_folder, format_number, repository_address  # noqa: E402

TEXT = "application/papermill.record/text/plain"

__all__ = [
    "ROOT", "chapters", "executed", "format_number", "glued", "read", "repository_address", "store",
]  # fmt: skip


def chapters(root: Path = ROOT) -> list[Path]:
    """The notebooks of the book in reading order."""
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def read(path: Path) -> NotebookNode:
    """The notebook as Jupyter Book reads it, so that both find the same entry of the cache."""
    return nbformat.read(path, as_version=4)


def store(path: Path, executed: NotebookNode, seconds: float, root: Path = ROOT) -> None:
    """Put an executed notebook where the build of the site looks for it."""
    bundle = CacheBundleIn(executed, str(path), data={"execution_seconds": seconds})
    get_cache(cache_folder(root)).cache_notebook_bundle(
        bundle, check_validity=False, overwrite=True
    )


def executed(path: Path, fresh: bool = False, root: Path = ROOT) -> NotebookNode:
    """The notebook with the outputs of its last execution; executes it if there is none.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails, with the cell and its traceback.
    """
    notebook = read(path)
    if not fresh:
        try:
            return get_cache(cache_folder(root)).merge_match_into_notebook(notebook)[1]
        except KeyError:
            pass
    result = copy.deepcopy(notebook)
    with tempfile.TemporaryDirectory(prefix="llmcourse-") as home:
        client = NotebookClient(
            result,
            timeout=240,
            record_timing=False,  # times in the metadata would hide the entry from the next look-up
            resources={"metadata": {"path": str(path.parent)}},
        )
        client.execute(env={**os.environ, "LLMCOURSE_HOME": home})
    store(path, result, 0.0, root)
    return result


def glued(notebook: NotebookNode) -> dict[str, object]:
    """Name and value of every number or word that an executed notebook glues; figures left out."""
    values = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            mark = output.get("metadata", {}).get("scrapbook")
            if mark and TEXT in output["data"]:
                values[mark["name"]] = json.loads(output["data"][TEXT])
    return values
