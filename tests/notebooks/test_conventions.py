"""Every chapter is built the same way: the site, the checks and the tools rely on it."""

import re
import statistics
from pathlib import Path

import nbformat
import pytest

from tests.notebooks import prose
from tests.notebooks.execution import chapters, executed, read
from tests.notebooks.record import colab_cell

EXERCISE = re.compile(
    r"### Exercise (?P<key>\d\d\.\d+) · (?P<title>.+)\n+"
    r"\*(?P<level>easy|medium|hard) · (?P<minutes>\d+) minutes · (?P<kind>code|paper)\*\n"
)

PICTURES = {"image/png", "image/svg+xml"}


def split_at_exercises(notebook) -> tuple[list, list]:
    """The cells before the heading `## Exercises`, and those from it to the end."""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown" and re.search(r"^## Exercises$", cell.source, re.M):
            return notebook.cells[:index], notebook.cells[index:]
    pytest.fail("the chapter has no heading '## Exercises'")


def exercises(notebook) -> dict[str, re.Match]:
    """Exercise number and heading."""
    found = (EXERCISE.search(text) for text in prose.markdown(notebook))
    return {match["key"]: match for match in found if match}


def test_there_are_chapters() -> None:
    assert chapters(), "no notebooks/NN_topic.ipynb found"


def test_notebook_is_valid_and_every_cell_has_its_own_id(chapter: Path) -> None:
    notebook = nbformat.read(chapter, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5), "ids need nbformat 4.5"
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids)), "two cells have the same id"
    assert notebook.metadata.kernelspec.name == "python3"


def test_first_cell_installs_in_colab_and_is_hidden_elsewhere(chapter: Path) -> None:
    first = read(chapter).cells[0]
    assert prose.has_tag(first, "remove-cell"), "the first cell needs the tag remove-cell"
    assert first.source == colab_cell(), "run `make record`: it writes the first cell"


def test_title_is_a_single_top_heading(chapter: Path) -> None:
    titles = [t for text in prose.markdown(read(chapter)) for t in re.findall(r"^# .+", text, re.M)]
    assert len(titles) == 1, f"a chapter has one '# ' heading, not {titles}"


def test_only_compared_cells_are_committed_with_output(chapter: Path) -> None:
    for cell in prose.code(read(chapter)):
        keep, compared = (prose.has_tag(cell, t) for t in ("keep_output", "nbval-check-output"))
        assert keep == compared, f"cell {cell.id}: keep_output and nbval-check-output go together"
        assert cell.execution_count is None, f"cell {cell.id} has an execution count: `make record`"
        if keep:
            assert cell.outputs, f"cell {cell.id} is compared but has no output: run `make record`"
        else:
            assert not cell.outputs, (
                f"cell {cell.id} has output that nothing compares: `make record` strips it"
            )


def test_there_are_cells_that_set_up_the_exercises(chapter: Path) -> None:
    assert prose.code(read(chapter), "setup"), "tag the imports that exercises need: setup"


def test_every_figure_has_alt_text_and_a_caption(chapter: Path) -> None:
    figures = 0
    for cell in prose.code(executed(chapter)):
        pictures = sum(not PICTURES.isdisjoint(output.get("data", {})) for output in cell.outputs)
        if not pictures or any(prose.has_tag(cell, t) for t in ("remove-cell", "remove-output")):
            continue
        figures += 1
        settings = cell.metadata.get("mystnb", {})
        figure, alt = settings.get("figure", {}), settings.get("image", {}).get("alt")
        assert pictures == 1, f"cell {cell.id} draws {pictures} figures: one cell, one figure"
        assert alt, f"cell {cell.id}: add mystnb.image.alt to its metadata"
        assert figure.get("caption"), f"cell {cell.id}: add mystnb.figure.caption to its metadata"
        assert alt != figure["caption"], f"cell {cell.id}: alt text repeats the caption"
        assert re.fullmatch(r"fig-[\w-]+", figure.get("name", "")), f"cell {cell.id}: name fig-…"
    assert figures >= 2, f"a chapter has two figures or more, this one {figures}"


def test_no_warning_of_one_machine_is_committed(chapter: Path) -> None:
    for cell in prose.code(read(chapter)):
        names = {output.get("name") for output in cell.outputs}
        assert "stderr" not in names, f"cell {cell.id}: silence what it warns of, or do not keep it"


def test_no_two_figures_of_the_book_share_a_name() -> None:
    owner = {}
    for path in chapters():
        for cell in prose.code(read(path)):
            name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
            if name:
                assert name not in owner, f"{path.name}: {owner[name]} has a {name} too"
                owner[name] = path.name


def test_exhibits_have_a_known_key_and_a_repair(chapter: Path) -> None:
    notebook = read(chapter)
    keys, repaired = prose.boxes(notebook, "Exhibit"), prose.boxes(notebook, "Repair")
    opened = re.findall(r"^> \*\*(?:Exhibit|Repair).*", "\n".join(prose.markdown(notebook)), re.M)
    odd = [
        o for o in opened if not re.match(r"> \*\*(Exhibits? E[\dE, ]+ · |Repairs? E[\dE, ]+\.)", o)
    ]
    assert not odd, f"write '> **Exhibit E34 · title.**' or '> **Repair E34.**', not {odd}"
    assert all(1 <= int(key[1:]) <= 116 for key in keys), f"exhibits are E01 to E116: {keys}"
    assert len(keys) == len(set(keys)), f"the same exhibit twice: {keys}"
    assert set(repaired) == set(keys), f"exhibits {sorted(keys)}, but repairs {sorted(repaired)}"


def test_markdown_reads_well_in_jupyterlab_and_colab(chapter: Path) -> None:
    for text in prose.markdown(read(chapter)):
        found = re.search(r"^:::|^```\{|\{[a-z:-]+\}`", text, re.M)
        assert not found, f"MyST markup shows raw outside the site: {text[found.start() :][:60]!r}"


def test_exercises_are_complete(chapter: Path) -> None:
    notebook = read(chapter)
    number = chapter.stem[:2]
    found = exercises(notebook)
    headings = re.findall(r"^### Exercise .*", "\n".join(prose.markdown(notebook)), re.M)
    assert len(found) == len(headings), (
        "an exercise opens with '### Exercise 04.2 · title' and '*medium · 10 minutes · code*'; "
        f"read {sorted(found)} in {headings}"
    )
    assert list(found) == [f"{number}.{i}" for i in range(1, len(found) + 1)], "number them 1, 2, …"
    assert len(found) >= 6, f"a chapter has six exercises or more, this one {len(found)}"
    assert {match["level"] for match in found.values()} == {"easy", "medium", "hard"}
    assert "paper" in {match["kind"] for match in found.values()}, "one exercise is done on paper"
    checks = [cell.source for cell in prose.code(notebook, "check")]
    for key in found:
        assert len(prose.code(notebook, f"exercise-{key}")) == 1, f"{key}: one stub, tag exercise-…"
        assert any(f'check("{key}"' in source for source in checks), f"{key}: no check cell"
        solution = prose.markdown(notebook, f"solution-{key}")
        assert len(solution) == 1, f"{key}: one Markdown cell with the tag solution-{key}"
        opening = f"<details><summary>Solution {key}</summary>\n\n"
        assert solution[0].startswith(opening), f"{key}: the solution opens with {opening!r}"
        assert solution[0].endswith("\n\n</details>"), f"{key}: the fold is not closed"
        assert solution[0].count("```python\n") == 1, f"{key}: one block of code in the solution"


def test_code_comes_in_small_portions(chapter: Path) -> None:
    before, _ = split_at_exercises(read(chapter))
    lines = [
        sum(bool(line.strip()) for line in cell.source.splitlines())
        for cell in before
        if cell.cell_type == "code"
        and not any(prose.has_tag(cell, tag) for tag in ("remove-cell", "hide-input"))
    ]
    median = statistics.median(lines)
    assert median <= 6, f"the median code cell has {median} lines; 5 is the aim"


def test_chapter_has_the_length_of_a_chapter(chapter: Path) -> None:
    before, _ = split_at_exercises(read(chapter))
    words = sum(prose.count_words(c.source) for c in before if c.cell_type == "markdown")
    assert 2000 <= words <= 5000, f"{words} words of prose; a chapter has 2,000 to 5,000"
