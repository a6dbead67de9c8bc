"""The numbers in the sentences are those that the cells compute."""

from pathlib import Path

import pytest

from tests.notebooks import prose
from tests.notebooks.execution import executed, format_number, glued, read


@pytest.fixture(scope="module")
def values() -> dict[Path, dict[str, object]]:
    return {}


@pytest.fixture
def glue(chapter: Path, values: dict) -> dict[str, object]:
    """Name and value of every `glue` of the chapter's last execution."""
    if chapter not in values:
        values[chapter] = glued(executed(chapter))
    return values[chapter]


def test_every_number_is_glued_by_a_cell(chapter: Path, glue: dict) -> None:
    missing = {number.name for number in prose.numbers(read(chapter))} - set(glue)
    assert not missing, f"no cell calls glue() with these names: {sorted(missing)}"


def test_every_glued_value_is_quoted(chapter: Path, glue: dict) -> None:
    unused = set(glue) - {number.name for number in prose.numbers(read(chapter))}
    assert not unused, f"glued, but no <data value=…> quotes it: {sorted(unused)}"


def test_committed_text_is_what_the_run_gives(chapter: Path, glue: dict) -> None:
    wrong = []
    for number in prose.numbers(read(chapter)):
        if number.name in glue and not number.varies:
            expected = format_number(number.key, glue)
            if number.text != expected:
                wrong.append(f"{number.key}: text says {number.text!r}, the run gives {expected!r}")
    assert not wrong, "\n".join([*wrong, f"run: make record NOTEBOOK=notebooks/{chapter.name}"])
