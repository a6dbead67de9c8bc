"""What an exercise is, as data, and where the exercises of all chapters are found."""

import difflib
import functools
import importlib
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass

LEVELS = ("easy", "medium", "hard")


@dataclass(frozen=True, eq=False)
class Case:
    """One question put to the reader's answer.

    args: what the function is called with; the reader's function gets copies.
    pointer: what it usually means when this case, and none before it, fails.
    expected: the right value; left out, the exercise's `reference` or `accept` decides.
    rtol, atol: a number is right if |got - expected| <= atol + rtol * |expected|.
    repeat: how often to call, with other random numbers each time; for answers that draw some.
    seconds: time limit of one call, where the usual one does not fit.
    """

    args: tuple = ()
    pointer: str = ""
    expected: object = ...
    rtol: float = 1e-4
    atol: float = 1e-6
    repeat: int = 1
    seconds: float | None = None


@dataclass(frozen=True, eq=False)
class Mistake:
    """A wrong answer that people do give, and what to tell them.

    wrong: a function of the case's arguments that makes the mistake; for paper, the wrong value.
    """

    wrong: object
    says: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Exercise:
    """An exercise and all that is needed to check an answer.

    call: how the function is called, as in the statement: "softmax(scores, dim)"; empty for an
        exercise on paper, whose answer is a value.
    hints: three, from a nudge to almost the line, which leaves a question to the reader.
    cases: from the smallest up, for the first that fails is what the reader sees.
    reference: right answer as a function of a case's arguments, where the case has no `expected`.
        It should not be a copy of the solution: a library's function, another method.
    accept: `accept(got, *args)` returns None, or a sentence on what is wrong with `got`; for
        questions that have many right answers.  It raises if `got` is no such thing as is wanted.
    mistakes: wrong answers to recognise by what they return.
    use: `use(answer, *args)` in place of `answer(*args)`, where the answer is a class, say.
    """

    id: str
    title: str
    level: str
    minutes: int
    call: str = ""
    hints: tuple[str, str, str]
    cases: tuple[Case, ...]
    reference: Callable | None = None
    accept: Callable | None = None
    mistakes: tuple[Mistake, ...] = ()
    use: Callable | None = None

    def __post_init__(self) -> None:
        wrong = {
            "id must look like '04.2'": not re.fullmatch(r"\d\d\.\d+", self.id),
            f"level must be one of {LEVELS}": self.level not in LEVELS,
            "three hints are needed": len(self.hints) != 3 or not all(self.hints),
            "at least one case is needed": not self.cases,
            "every case needs a pointer": not all(case.pointer for case in self.cases),
            "every case needs an expected value, or the exercise a reference or accept": not (
                self.reference or self.accept or all(c.expected is not ... for c in self.cases)
            ),
        }
        for complaint, holds in wrong.items():
            if holds:
                raise ValueError(f"exercise {self.id!r}: {complaint}")

    @property
    def chapter(self) -> int:
        return int(self.id[:2])

    @property
    def kind(self) -> str:
        return "code" if self.call else "paper"

    @property
    def name(self) -> str:
        """What the reader's answer is called in the stub: `softmax`, or `answer_04_1`."""
        return self.call.split("(")[0] or f"answer_{self.id.replace('.', '_')}"

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"\w+", self.call.partition("(")[2])


@functools.cache
def all_exercises() -> dict[str, Exercise]:
    """Every exercise by its id, in the book's order: those of each `chapter_NN.py` beside this."""
    package = importlib.import_module("llmcourse.exercises")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    chapters = [name for name in names if re.fullmatch(r"chapter_\d\d", name)]
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in chapters]
    return {exercise.id: exercise for module in modules for exercise in module.EXERCISES}


def find(id: str) -> Exercise:
    """The exercise `id`, such as "04.2".

    Raises:
        ValueError: if there is none, with the ids that are close and all that exist.
    """
    known = all_exercises()
    if isinstance(id, str):
        chapter, _, number = id.strip().partition(".")
        wanted = f"{chapter.zfill(2)}.{number}"
        if wanted in known:
            return known[wanted]
    close = difflib.get_close_matches(str(id), known)
    meant = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise ValueError(f"there is no exercise {id!r}.{meant} There are: {', '.join(known)}")
