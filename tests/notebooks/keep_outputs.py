"""A pytest plugin for the nbval pass: `python -m pytest -p tests.notebooks.keep_outputs …`.

nbval executes every cell, compares, and throws the outputs away.  This keeps them: when all cells
of a notebook have passed, the executed notebook goes into the cache from which the site is built,
so the build executes nothing.
"""

import copy
import os
import platform
import tempfile
import time
from collections import defaultdict

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from tests.notebooks.execution import store

LANGUAGE = {"name": "python", "pygments_lexer": "ipython3", "version": platform.python_version()}


def pytest_configure(config: pytest.Config) -> None:
    """Kernels inherit a folder of their own for `progress()`, not the reader's."""
    os.environ["LLMCOURSE_HOME"] = tempfile.mkdtemp(prefix="llmcourse-nbval-")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Compared outputs are committed without execution counts, which nbval would call an error."""
    for item in items:
        if isinstance(item, IPyNbCell) and item.cell.outputs:
            item.cell.execution_count = item.cell.execution_count or 1


passed: dict[IPyNbFile, list[IPyNbCell]] = defaultdict(list)
started: dict[IPyNbFile, float] = {}


def pytest_runtest_setup(item: pytest.Item) -> None:
    started.setdefault(item.parent, time.perf_counter())


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """Count a cell that passed; with the last one, keep the notebook."""
    report = (yield).get_result()
    if not (isinstance(item, IPyNbCell) and report.when == "call" and report.passed):
        return
    cells = passed[item.parent]
    cells.append(item)
    code_cells = [cell for cell in item.parent.nb.cells if cell.cell_type == "code"]
    if len(cells) == len(code_cells):
        seconds = time.perf_counter() - started[item.parent]
        store(item.path, with_outputs(item.parent.nb, cells), seconds)


def with_outputs(notebook, cells: list[IPyNbCell]):
    """A copy of the notebook as nbclient would have left it: outputs and counts of this run."""
    result = copy.deepcopy(notebook)
    result.metadata["language_info"] = LANGUAGE
    outputs = {cell.cell_num: cell.test_outputs for cell in cells}
    code_cells = (cell for cell in result.cells if cell.cell_type == "code")
    for number, cell in enumerate(code_cells):
        cell.outputs = copy.deepcopy(outputs[number])
        cell.execution_count = number + 1
    return result
