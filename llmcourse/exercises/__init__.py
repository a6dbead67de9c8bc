"""Exercises that check themselves: `check("04.2", softmax)`, `hint("04.2")`, `progress()`.

To add a chapter, write `chapter_NN.py` with a tuple `EXERCISES`; nothing else needs to know of it.
"""

import os
from collections import Counter

from llmcourse.exercises import record
from llmcourse.exercises.exercise import all_exercises, find
from llmcourse.exercises.judging import Status, judge

__all__ = ["check", "hint", "progress"]

BAR_WIDTH = 14
hints_given = Counter()


def check(id: str, answer: object) -> None:
    """Judge the reader's `answer` to exercise `id`, and print what was found.

    A right answer is remembered for `progress()`.  A wrong one gets the smallest case that fails:
    the input, what was expected, what came, and what that usually means.  Whatever the answer does
    (raise, loop, print, exit), this returns.

    Raises:
        ValueError: if there is no exercise `id`.
        AssertionError: for a wrong or missing answer where LLMCOURSE_STRICT=1 is set, as the book's
            own tests do.
    """
    exercise = find(id)
    verdict = judge(exercise, answer)
    if verdict.status is Status.RIGHT:
        say(verdict.message)
        say(record.add(exercise.id))
    elif os.environ.get("LLMCOURSE_STRICT", "0") not in ("", "0"):
        raise AssertionError(verdict.message)
    else:
        say(verdict.message)


def hint(id: str) -> None:
    """Print the next hint of exercise `id`: first a nudge, then the idea, then almost the line."""
    exercise = find(id)
    given, total = hints_given[exercise.id], len(exercise.hints)
    if given < total:
        hints_given[exercise.id] += 1
        say(f"{exercise.id}, hint {given + 1} of {total}: {exercise.hints[given]}")
    else:
        say(
            f"{exercise.id}: those were all {total} hints. "
            "The solution is folded below the check, and reading it is no shame."
        )


def progress() -> None:
    """Print one line per chapter: how many exercises are done, and which are open."""
    done, trouble = record.load()
    chapters = {}
    for exercise in all_exercises().values():
        chapters.setdefault(exercise.chapter, []).append(exercise.id)
    for chapter, ids in chapters.items():
        still_open = [id for id in ids if id not in done]
        solved = len(ids) - len(still_open)
        bar = ("#" * (BAR_WIDTH * solved // len(ids))).ljust(BAR_WIDTH, ".")
        rest = f"open: {', '.join(still_open)}" if still_open else "all done"
        say(f"Chapter {chapter:2}  [{bar}]  {solved} of {len(ids)}  {rest}")
    say(trouble)


def say(text: str) -> None:
    """Print `text`, if there is any, in lines that fit a page, on whatever terminal."""
    try:
        if text:
            print(text)
    except UnicodeEncodeError:
        print(text.encode("ascii", "backslashreplace").decode())
