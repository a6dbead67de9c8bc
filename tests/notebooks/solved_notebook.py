"""A chapter with its own solutions in place of the stubs, and the pass that executes it."""

import copy
import os
import re
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from llmcourse.exercises.exercise import Exercise

HEADING = re.compile(
    r"^### Exercise (\d\d\.\d+) · (.+)\n+\*(easy|medium|hard) · (\d+) minutes · (code|paper)\*$",
    re.M,
)
CHECK = re.compile(r"check\(\s*[\"'](\d\d\.\d+)[\"']")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


class NotSolved(AssertionError):
    """The solutions of a chapter are incomplete, do not run, or do not pass their checks."""


def tagged(notebook: NotebookNode, prefix: str, cell_type: str) -> dict[str, NotebookNode]:
    """The cells of a type with a tag `prefix-04.2`, by the number in the tag."""
    cells = {}
    for cell in notebook.cells:
        for tag in cell.metadata.get("tags", []):
            if tag.startswith(f"{prefix}-") and cell.cell_type == cell_type:
                id = tag.removeprefix(f"{prefix}-")
                if id in cells:
                    raise NotSolved(f"two cells have the tag {tag}")
                cells[id] = cell
    return cells


def headings(notebook: NotebookNode) -> dict[str, tuple[str, str, int, str]]:
    """Title, level, minutes and kind of each exercise, as the text states them."""
    found = (match for c in notebook.cells if c.cell_type == "markdown" for match in
             HEADING.finditer(c.source))  # fmt: skip
    return {m[1]: (m[2], m[3], int(m[4]), m[5]) for m in found}


def checks(notebook: NotebookNode) -> dict[str, NotebookNode]:
    """The cells with the tag `check`, by the exercise that they check."""
    found = {}
    for cell in notebook.cells:
        if "check" in cell.metadata.get("tags", []):
            match = CHECK.search(cell.source)
            if not match:
                raise NotSolved(
                    f'this cell has the tag check but calls no check("…"): {cell.source}'
                )
            found[match[1]] = cell
    return found


def compare_with_registry(notebook: NotebookNode, registered: dict[str, Exercise]) -> None:
    """Every exercise of the registry is in the notebook with all its cells, and no other is.

    Raises:
        NotSolved: naming each exercise and what it lacks.
    """
    stated = headings(notebook)
    parts = {
        "statement (### Exercise … and its line of level, minutes, kind)": stated,
        "stub (code, tag exercise-…)": tagged(notebook, "exercise", "code"),
        "check (code, tag check)": checks(notebook),
        "solution (Markdown, tag solution-…)": tagged(notebook, "solution", "markdown"),
    }
    faults = []
    for part, found in parts.items():
        faults += [f"{id} has no {part}" for id in registered if id not in found]
        faults += [f"{id} has a {part} but no checks" for id in found if id not in registered]
    for id in stated.keys() & registered.keys():
        e = registered[id]
        if stated[id] != (e.title, e.level, e.minutes, e.kind):
            faults.append(
                f"{id} is stated as {stated[id]}, its checks say "
                f"{(e.title, e.level, e.minutes, e.kind)}"
            )
    stubs = tagged(notebook, "exercise", "code")
    for id in stubs.keys() & registered.keys():
        e = registered[id]
        opening = f"def {e.call}:" if e.call else f"{e.name} = ..."
        if opening not in stubs[id].source:
            faults.append(f"{id}: the stub lacks `{opening}`, as its checks call it")
    if faults:
        raise NotSolved("; ".join(faults))


def with_solutions(notebook: NotebookNode) -> NotebookNode:
    """What the solutions pass executes: cells tagged `setup`, and all code of the exercises.

    Raises:
        NotSolved: if there is no heading `## Exercises`, or a stub has no solution.
    """
    solved = copy.deepcopy(notebook)
    solutions = tagged(solved, "solution", "markdown")
    for id, stub in tagged(solved, "exercise", "code").items():
        if id not in solutions:
            raise NotSolved(f"{id} has no Markdown cell with the tag solution-{id}")
        blocks = BLOCK.findall(solutions[id].source)
        if len(blocks) != 1:
            raise NotSolved(f"solution-{id} has {len(blocks)} ```python blocks, and should have 1")
        stub.source = blocks[0].rstrip()
    is_heading = [
        c.cell_type == "markdown" and bool(re.search(r"^## Exercises$", c.source, re.M))
        for c in solved.cells
    ]
    if True not in is_heading:
        raise NotSolved("there is no heading ## Exercises")
    start = is_heading.index(True)
    solved.cells = [
        cell
        for i, cell in enumerate(solved.cells)
        if cell.cell_type == "code" and (i > start or "setup" in cell.metadata.get("tags", []))
    ]
    return solved


def run_solutions(path: Path, registered: dict[str, Exercise], home: Path) -> None:
    """Execute the chapter at `path` with its solutions, strictly, progress kept in `home`.

    Raises:
        NotSolved: if anything is missing or fails, with what to do about it.
    """
    notebook = nbformat.read(path, as_version=4)
    compare_with_registry(notebook, registered)
    solved = with_solutions(notebook)
    client = NotebookClient(solved, timeout=120, resources={"metadata": {"path": str(path.parent)}})
    try:
        client.execute(env=os.environ | {"LLMCOURSE_STRICT": "1", "LLMCOURSE_HOME": str(home)})
    except CellExecutionError as error:
        advice = ": tag the cell that defines it `setup`" if error.ename == "NameError" else ""
        raise NotSolved(f"{path.name}: {error.ename}: {error.evalue}{advice}\n{error}") from None
    for id, cell in checks(solved).items():
        printed = "".join(out.text for out in cell.outputs if out.get("name") == "stdout")
        expected = f"{id} {registered[id].title}: right."
        if not printed.startswith(expected):
            raise NotSolved(f"{path.name}: the check of {id} printed {printed!r}, not {expected!r}")
