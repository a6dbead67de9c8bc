"""Every solution in the book runs after the cells tagged `setup`, and passes its own check."""

import re
import textwrap
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from llmcourse.exercises.exercise import Exercise, all_exercises
from tests.notebooks.solved_notebook import (
    NotSolved,
    compare_with_registry,
    run_solutions,
    with_solutions,
)


def registered(chapter: int) -> dict[str, Exercise]:
    return {id: e for id, e in all_exercises().items() if e.chapter == chapter}


def test_solutions_pass_their_checks(chapter: Path, tmp_path: Path) -> None:
    run_solutions(chapter, registered(int(chapter.stem[:2])), home=tmp_path)


# ------------------------------------------------------------------ the mechanism itself

TWO = {id: all_exercises()[id] for id in ("01.1", "01.3")}
SETUP = "from llmcourse.exercises import check, hint, progress\nfrom math import log"
RIGHT = {
    "01.1": "answer_01_1 = (1 / 2 * 1 / 4 * 1 / 8) ** (-1 / 3)",
    "01.3": """
        def bits_per_byte_of(nats_per_token, n_tokens, text):
            return nats_per_token * n_tokens / log(2) / len(text.encode())
        """,
}
STUBS = {
    "01.1": "answer_01_1 = ...",
    "01.3": "def bits_per_byte_of(nats_per_token, n_tokens, text):\n    ...",
}


def small_chapter(solutions: dict[str, str] = RIGHT, setup_tags: tuple = ("setup",)):
    cells = [
        new_markdown_cell("# Small"),
        new_code_cell(SETUP, metadata={"tags": list(setup_tags)}),
        new_code_cell("raise RuntimeError('the solutions pass does not run the chapter')"),
        new_markdown_cell("Text.\n\n## Exercises\n\nTwo of them."),
    ]
    for id, source in solutions.items():
        e = all_exercises()[id]
        block = textwrap.dedent(source).strip()
        fold = f"<details><summary>Solution {id}</summary>\n\n```python\n{block}\n```\n\nSo.\n\n"
        cells += [
            new_markdown_cell(
                f"### Exercise {id} · {e.title}\n\n*{e.level} · {e.minutes} minutes · {e.kind}*\n\n"
                "Do it."
            ),
            new_code_cell(STUBS[id], metadata={"tags": [f"exercise-{id}"]}),
            new_code_cell(f'check("{id}", {e.name})', metadata={"tags": ["check"]}),
            new_markdown_cell(f"{fold}</details>", metadata={"tags": [f"solution-{id}"]}),
        ]
    cells.append(new_code_cell("progress()"))
    return new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": ""}}
    )


def written(notebook, folder: Path) -> Path:
    path = folder / "01_small.ipynb"
    nbformat.write(notebook, path)
    return path


def test_right_solutions_pass(tmp_path):
    run_solutions(written(small_chapter(), tmp_path), TWO, home=tmp_path)
    assert '"01.1", "01.3"' in (tmp_path / "progress.json").read_text()


def test_wrong_solution_fails(tmp_path):
    wrong = RIGHT | {"01.3": RIGHT["01.3"].replace(".encode()", "")}
    with pytest.raises(NotSolved, match="counting characters, not bytes"):
        run_solutions(written(small_chapter(wrong), tmp_path), TWO, home=tmp_path)


def test_solution_that_is_still_the_stub_fails(tmp_path):
    path = written(small_chapter(RIGHT | {"01.1": STUBS["01.1"]}), tmp_path)
    with pytest.raises(NotSolved, match=r"01\.1 not attempted"):
        run_solutions(path, TWO, home=tmp_path)


def test_missing_setup_tag_is_named(tmp_path):
    path = written(small_chapter(setup_tags=()), tmp_path)
    with pytest.raises(
        NotSolved, match="'check' is not defined: tag the cell that defines it `setup`"
    ):
        run_solutions(path, TWO, home=tmp_path)


def test_check_that_prints_nothing_fails(tmp_path):
    notebook = small_chapter()
    cell = next(c for c in notebook.cells if "check" in c.metadata.get("tags", []))
    cell.source = f"if False:\n    {cell.source}"
    with pytest.raises(NotSolved, match=r"the check of 01\.1 printed ''"):
        run_solutions(written(notebook, tmp_path), TWO, home=tmp_path)


@pytest.mark.parametrize(
    ("drop", "says"),
    [
        ("exercise-01.3", "01.3 has no stub"),
        ("solution-01.3", "01.3 has no solution"),
        ("check", "01.1 has no check"),
        ("### Exercise 01.3", "01.3 has no statement"),
    ],
)
def test_missing_part_is_named(drop, says):
    notebook = small_chapter()
    notebook.cells = [
        c for c in notebook.cells if drop not in c.metadata.get("tags", []) and drop not in c.source
    ]
    with pytest.raises(NotSolved, match=re.escape(says)):
        compare_with_registry(notebook, TWO)


def test_exercise_in_one_place_only_is_named():
    with pytest.raises(NotSolved, match=r"01\.2 has no statement"):
        compare_with_registry(small_chapter(), registered(1))
    with pytest.raises(NotSolved, match=r"01\.3 has a stub .* but no checks"):
        compare_with_registry(small_chapter(), {"01.1": TWO["01.1"]})


def test_statement_that_disagrees_with_the_checks_is_named():
    notebook = small_chapter()
    for cell in notebook.cells:
        cell.source = cell.source.replace("medium · 10 minutes", "easy · 10 minutes")
    with pytest.raises(NotSolved, match=r"01\.3 is stated as"):
        compare_with_registry(notebook, TWO)


def test_stub_with_another_name_than_its_checks_is_named():
    notebook = small_chapter()
    for cell in notebook.cells:
        cell.source = cell.source.replace("def bits_per_byte_of", "def bits")
    with pytest.raises(NotSolved, match=r"01\.3: the stub lacks `def bits_per_byte_of\(nats"):
        compare_with_registry(notebook, TWO)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("```python", "```", "has 0 ```python blocks"),
        ("## Exercises", "## Practice", "no heading ## Exercises"),
    ],
)
def test_solution_that_cannot_be_found_is_named(old, new, says):
    notebook = small_chapter()
    for cell in notebook.cells:
        cell.source = cell.source.replace(old, new)
    with pytest.raises(NotSolved, match=re.escape(says)):
        with_solutions(notebook)
