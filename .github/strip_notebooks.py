"""Leave in a notebook what its author wrote, and nothing that a run put there.

    python .github/strip_notebooks.py notebooks/*.ipynb

Outputs and execution counts go, except where a cell is tagged `keep_output`: these outputs are
compared on every run.  nbval compares a cell only if it has an execution count, which nbstripout
alone takes away, so a kept cell gets the count of a run from top to bottom.  Of the metadata, tags,
`mystnb` (figure captions) and the kernel's name stay; ids of cells stay too.  Exits with 1 if a
file changed, as pre-commit expects.
"""

import sys
from pathlib import Path

import nbformat
from nbstripout import strip_output

CELL_METADATA = {"tags", "mystnb"}
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}


def stripped(text: str) -> str:
    """The notebook `text` (JSON, nbformat 4) without what a run leaves behind."""
    notebook = nbformat.reads(text, as_version=4)
    strip_output(notebook, keep_output=False, keep_count=False, keep_id=True)
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    count = 0
    for cell in notebook.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k in CELL_METADATA}
        if cell.cell_type != "code":
            continue
        count += 1
        if cell.outputs:
            cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n"


def main(paths: list[str]) -> int:
    changed = False
    for path in map(Path, paths):
        before = path.read_text(encoding="utf-8")
        after = stripped(before)
        if after != before:
            path.write_text(after, encoding="utf-8", newline="\n")
            print(f"stripped {path}")
            changed = True
    return int(changed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
