"""`check`, `hint` and `progress` as a reader calls them, and the file that remembers."""

import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from llmcourse import exercises
from llmcourse.exercises import check, hint, progress, record
from llmcourse.exercises.exercise import Case, Exercise, all_exercises


@pytest.fixture(autouse=True)
def new_reader(tmp_path, monkeypatch):
    """Nothing done, no hints taken, no strictness; returns the reader's folder."""
    monkeypatch.setenv("LLMCOURSE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LLMCOURSE_STRICT", raising=False)
    record.done_this_session.clear()
    exercises.hints_given.clear()
    yield tmp_path / "home"
    record.done_this_session.clear()


def saved(home: Path) -> list[str]:
    return json.loads((home / "progress.json").read_text())["done"]


# ------------------------------------------------------------------ check


def test_right_answer_gets_one_warm_line_and_is_remembered(new_reader, capsys):
    assert check("01.1", 4) is None
    assert capsys.readouterr().out == "01.1 Perplexity on paper: right. Well done.\n"
    assert saved(new_reader) == ["01.1"]


def test_wrong_answer_is_printed_and_not_remembered(new_reader, capsys):
    check("01.1", 3)
    assert "not yet" in capsys.readouterr().out
    assert not new_reader.exists()


def test_untouched_stub_passes_the_cell(capsys):
    check("01.1", ...)
    assert capsys.readouterr().out.startswith("01.1 not attempted yet")


@pytest.mark.parametrize("answer", [3, ...])
def test_strict_raises_what_would_be_printed(answer, new_reader, monkeypatch, capsys):
    check("01.1", answer)
    printed = capsys.readouterr().out.strip()
    monkeypatch.setenv("LLMCOURSE_STRICT", "1")
    with pytest.raises(AssertionError) as raised:
        check("01.1", answer)
    assert str(raised.value) == printed
    assert not new_reader.exists()


def test_strict_confirms_a_right_answer(monkeypatch, capsys):
    monkeypatch.setenv("LLMCOURSE_STRICT", "1")
    check("01.1", 4)
    assert "right" in capsys.readouterr().out


def test_strict_set_to_0_is_not_strict(monkeypatch):
    monkeypatch.setenv("LLMCOURSE_STRICT", "0")
    check("01.1", 3)


@pytest.mark.parametrize("id", ["4.22", "04.2.1", "42", "", 4.2, None, "softmax"])
def test_unknown_id_is_an_error_that_lists_the_known_ones(id):
    for ask in (lambda: check(id, 1), lambda: hint(id)):
        with pytest.raises(ValueError, match="there is no exercise .* There are: 01.1, 01.2"):
            ask()


def test_unknown_id_close_to_a_known_one_suggests_it():
    with pytest.raises(ValueError, match="Did you mean '04.2'"):
        check("04.22", 1)


def test_id_may_lack_its_zero(capsys):
    check(" 1.1", 4)
    assert capsys.readouterr().out.startswith("01.1 ")


def test_message_survives_a_terminal_that_knows_no_chinese(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    check("01.3", lambda nats, n, text: nats * n / 0.6931471805599453 / len(text))
    terminal.flush()
    assert b"01.3" in terminal.buffer.getvalue()


# ------------------------------------------------------------------ hints


def test_hints_come_one_at_a_time_and_end_at_the_solution(capsys):
    for _ in range(5):
        hint("04.2")
    lines = capsys.readouterr().out.splitlines()
    assert [line[:15] for line in lines[:3]] == [f"04.2, hint {i} of" for i in (1, 2, 3)]
    assert "folded below" in lines[3] and lines[3] == lines[4]


# ------------------------------------------------------------------ progress


def test_progress_has_a_line_per_chapter(capsys):
    check("01.1", 4)
    capsys.readouterr()
    progress()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len({exercise.chapter for exercise in all_exercises().values()})
    assert lines[0].startswith("Chapter  1  [##............]  1 of 7  open: 01.2, 01.3")


def test_progress_survives_the_session(capsys):
    check("01.1", 4)
    record.done_this_session.clear()
    check("04.1", [0.25, 0.75, 5])
    record.done_this_session.clear()
    done, trouble = record.load()
    assert done == {"01.1", "04.1"} and not trouble


def test_chapter_that_is_done_says_so(capsys):
    record.done_this_session.update(all_exercises())
    progress()
    assert "[##############]  7 of 7  all done" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"done": 3}', '{"done": [1]}', "\x00\xff", "[" * 10**5], ids=repr
)
def test_damaged_file_is_reported_and_replaced(text, new_reader, capsys):
    new_reader.mkdir()
    (new_reader / "progress.json").write_bytes(text.encode("latin-1"))
    progress()
    assert "damaged" in capsys.readouterr().out
    check("01.1", 4)
    output = capsys.readouterr().out
    assert "right" in output and "begun anew" in output
    assert saved(new_reader) == ["01.1"]


def test_folder_that_cannot_be_made_is_reported(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LLMCOURSE_HOME", str(tmp_path / "file"))
    check("01.1", 4)
    output = capsys.readouterr().out
    assert output.startswith("01.1 Perplexity on paper: right.")
    assert "could not be saved" in output
    progress()
    assert "1 of 7" in capsys.readouterr().out


def test_read_only_folder_is_reported(monkeypatch, capsys):
    def denied(*args, **kwargs):
        raise PermissionError("read-only file system")

    monkeypatch.setattr(tempfile, "mkstemp", denied)
    check("01.1", 4)
    assert "could not be saved" in capsys.readouterr().out


def test_file_that_may_not_be_read_is_left_alone(new_reader, monkeypatch, capsys):
    (new_reader / "progress.json").mkdir(parents=True)
    check("01.1", 4)
    assert "could not be saved" in capsys.readouterr().out
    progress()
    output = capsys.readouterr().out
    assert "could not be read" in output and "1 of 7" in output


def test_unwritable_disk_leaves_the_old_file_whole(new_reader, monkeypatch, capsys):
    check("01.1", 4)

    def full(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    check("04.1", [0.25, 0.75, 5])
    assert "no space left" in capsys.readouterr().out
    assert saved(new_reader) == ["01.1"]
    assert [path.name for path in new_reader.iterdir()] == ["progress.json"]


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "/people/ada/.local/share/llmcourse"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/llmcourse"),
        ("darwin", {}, "/people/ada/Library/Application Support/llmcourse"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/llmcourse"),
        ("win32", {}, "/people/ada/AppData/Local/llmcourse"),
    ],
)
def test_each_system_has_its_own_folder(platform, variables, expected, monkeypatch):
    for name in ("LLMCOURSE_HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("/people/ada"))
    assert record.path().parent == Path(expected)


def test_reader_without_a_home_can_still_check(monkeypatch, capsys):
    def no_home():
        raise RuntimeError("could not determine home directory")

    monkeypatch.delenv("LLMCOURSE_HOME")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr(sys, "platform", "linux")
    check("01.1", 4)
    assert "right" in capsys.readouterr().out


# ------------------------------------------------------------------ the exercises themselves


def test_ids_count_up_within_each_chapter():
    by_chapter = {}
    for exercise in all_exercises().values():
        by_chapter.setdefault(exercise.chapter, []).append(exercise.id)
    for chapter, ids in by_chapter.items():
        assert ids == [f"{chapter:02}.{i}" for i in range(1, len(ids) + 1)]


@pytest.mark.parametrize("exercise", all_exercises().values(), ids=lambda e: e.id)
def test_call_of_an_exercise_fits_its_cases(exercise):
    if exercise.use:
        return  # it decides itself how the answer is called
    for case in exercise.cases:
        assert len(case.args) == len(exercise.parameters)


@pytest.mark.parametrize("exercise", all_exercises().values(), ids=lambda e: e.id)
def test_last_hint_leaves_a_question_to_the_reader(exercise):
    assert exercise.hints[-1].endswith("?")


def test_exercise_that_is_not_complete_is_refused():
    good = dict(id="04.2", title="t", level="easy", minutes=1, hints=("a", "b", "c"))
    case = Case(expected=1, pointer="p")
    Exercise(**good, cases=(case,))
    for wrong, says in [
        ({"id": "4.2"}, "id must"),
        ({"level": "simple"}, "level must"),
        ({"hints": ("a",)}, "three hints"),
        ({"cases": ()}, "at least one case"),
        ({"cases": (Case(expected=1),)}, "pointer"),
        ({"cases": (Case(pointer="p"),)}, "expected value"),
    ]:
        with pytest.raises(ValueError, match=says):
            Exercise(**({**good, "cases": (case,)} | wrong))


def test_importing_the_checks_loads_no_chapter():
    chapter = "llmcourse.exercises.chapter_01"
    code = f"import sys, llmcourse.exercises; sys.exit({chapter!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
