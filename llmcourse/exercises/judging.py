"""From an exercise and an answer to a verdict in words."""

import copy
import dis
import enum
import functools
import inspect
import textwrap
from dataclasses import dataclass

from llmcourse.exercises.comparing import (
    NOT_EQUAL,
    difference,
    kind_difference,
    paper_difference,
)
from llmcourse.exercises.exercise import Case, Exercise, Mistake
from llmcourse.exercises.runner import Outcome, run, source_of
from llmcourse.exercises.showing import kind_of, show

PRAISE = {
    "easy": "Well done.",
    "medium": "Nicely done.",
    "hard": "That was a hard one: very well done.",
}


class Status(enum.Enum):
    OPEN = "not attempted"
    WRONG = "wrong"
    RIGHT = "right"


@dataclass(frozen=True)
class Verdict:
    status: Status
    message: str


def judge(exercise: Exercise, answer: object) -> Verdict:
    """Put the cases to `answer`, smallest first, and stop at the first that fails."""
    if is_untouched(answer):
        message = (
            f"{exercise.id} not attempted yet. "
            f"Fill in {exercise.name} above, then run this again.\n"
            f'For a first hint: hint("{exercise.id}")'
        )
        return Verdict(Status.OPEN, message)
    complaint = unfit(exercise, answer)
    for case in exercise.cases:
        complaint = complaint or failure(exercise, case, answer)
        if complaint:
            message = (
                f"{exercise.id} {exercise.title}: not yet.\n"
                f"{textwrap.indent(complaint, '  ')}\n"
                f'  For a hint: hint("{exercise.id}")'
            )
            return Verdict(Status.WRONG, message)
    return Verdict(Status.RIGHT, confirmation(exercise))


def confirmation(exercise: Exercise) -> str:
    return f"{exercise.id} {exercise.title}: right. {PRAISE[exercise.level]}"


def is_untouched(answer: object) -> bool:
    """Is it still the stub: `...`, a function without a body, a class with such a method?"""
    if answer is ...:
        return True
    if isinstance(answer, type):
        return any(map(is_untouched, filter(inspect.isfunction, vars(answer).values())))
    try:
        code = source_of(answer).__code__
    except Exception:  # not a Python function, so not the stub
        return False
    empty = {"RESUME", "NOP", "RETURN_VALUE"}
    return all(
        step.opname in empty
        or (step.opname in ("LOAD_CONST", "RETURN_CONST") and step.argval in (None, ...))
        for step in dis.get_instructions(code)
    )


def unfit(exercise: Exercise, answer: object) -> str | None:
    """Is it the wrong kind of thing altogether?"""
    if not exercise.call:
        if callable(answer):
            return f"The answer is a value, and you pass {kind_of(answer)}: set {exercise.name}."
        if answer is None:
            return f"None is no answer (it is what print(...) returns): set {exercise.name}."
        return None
    pass_it = f'Pass the function itself, without calling it: check("{exercise.id}", '
    if not callable(answer):
        return f"You pass {kind_of(answer)}. {pass_it}{exercise.name})"
    if exercise.use:
        return None
    if isinstance(answer, type):
        return f"You pass {kind_of(answer)}. {pass_it}{exercise.name})"
    try:
        signature = inspect.signature(answer)
    except Exception:  # many built-ins have none; then the call itself will tell
        return None
    try:
        signature.bind(*exercise.cases[0].args)
    except TypeError as error:
        return (
            f"It is called as {exercise.call}, and yours takes "
            f"({', '.join(signature.parameters)}): {error}."
        )
    return None


def failure(exercise: Exercise, case: Case, answer: object) -> str | None:
    """None if the answer passes this case, else what the reader is told."""
    for seed in range(case.repeat):
        given = copy.deepcopy(case.args)
        outcome = called(exercise, case, answer, given, seed)
        if crashed := crash(outcome):
            found = [crashed, pointer(case.pointer) if is_telling(outcome) else ""]
        else:
            wrong, usable = mismatch(exercise, case, outcome.value)
            # something of another kind altogether, from the first case on, says it all
            telling = wrong and (usable or case is not exercise.cases[0])
            found = [wrong, diagnosis(exercise, case, answer) if telling else ""]
        found.append(change(exercise, case, given))
        if any(found):
            printed = f"It printed:\n{outcome.printed}" if outcome.printed else ""
            return "\n".join(filter(None, [inputs(exercise, case), *found, printed]))
    return None


def called(
    exercise: Exercise, case: Case, answer: object, args: tuple | None = None, seed: int = 0
) -> Outcome:
    """What the answer gives for a case, with `args` or a copy of the case's own."""
    if not exercise.call:
        return Outcome(value=answer)
    args = copy.deepcopy(case.args) if args is None else args
    function = functools.partial(exercise.use, answer) if exercise.use else answer
    return run(function, args, answer, case.seconds, seed)


def inputs(exercise: Exercise, case: Case) -> str:
    """The call of this case, on one line if it fits; nothing for an exercise on paper."""
    if not exercise.call:
        return ""
    values = [show(value) for value in case.args]
    line = f"Called:    {exercise.name}({', '.join(values)})"
    if len(line) <= 90 and "\n" not in line:
        return line
    named = zip(exercise.parameters, values, strict=True)
    lines = [f"  {name} = {textwrap.indent(value, '    ').lstrip()}" for name, value in named]
    return "\n".join([f"Called:    {exercise.call} with", *lines])


def crash(outcome: Outcome) -> str | None:
    """What is told of a call that did not return."""
    where = f"\n  at your {outcome.line}" if outcome.line else ""
    if outcome.late:
        runs_on = (
            ""
            if outcome.done.is_set()
            else ("\nIt could not be stopped and runs on: restart the kernel before you go on.")
        )
        return f"It ran out of time: does it ever end?{where}{runs_on}"
    if outcome.error is None:
        return None
    try:
        text = str(outcome.error)
    except Exception:  # the reader's own exception class
        text = ""
    name = type(outcome.error).__name__
    return f"It raises {name}{': ' if text else ''}{textwrap.shorten(text, 300)}{where}"


def is_telling(outcome: Outcome) -> bool:
    """Does it fail by what the case is about, rather than by a slip such as a wrong name?"""
    about_the_case = (ArithmeticError, LookupError, ValueError, RuntimeError)
    error = outcome.error
    return isinstance(error, about_the_case) and not isinstance(error, RecursionError)


def mismatch(exercise: Exercise, case: Case, got: object) -> tuple[str, bool]:
    """What is wrong with the value returned ("" if nothing), and is it at least of the right kind?

    An exercise on paper is not told what was expected: that would be its end.
    """
    usable, label = True, "The trouble"
    lines = [f"Got:       {laid_out(got)}"]
    if case.expected is ... and exercise.accept:
        try:
            complaint = exercise.accept(got, *copy.deepcopy(case.args))
        except Exception as error:  # `accept` is written for sensible values of `got`
            complaint, usable = f"{kind_of(got)} cannot be used here ({error})", False
    else:
        expected = expected_of(exercise, case)
        if exercise.call:
            lines.insert(0, f"Expected:  {laid_out(expected)}")
            label = "Difference"
        try:
            usable = kind_difference(expected, got) is None or not exercise.call
            complaint = differs(exercise, case, expected, got)
        except Exception:  # a reader's own subclass of a known type, with methods that raise
            complaint, usable = f"{type(got).__name__} cannot be compared", False
    if complaint is None:
        return "", usable
    return "\n".join(lines + [f"{label}: {complaint}"] * (complaint != NOT_EQUAL)), usable


def differs(exercise: Exercise, case: Case, expected: object, got: object) -> str | None:
    compare = difference if exercise.call else paper_difference
    return compare(expected, got, case.rtol, case.atol)


def expected_of(exercise: Exercise, case: Case) -> object:
    if case.expected is not ...:
        return case.expected
    return exercise.reference(*copy.deepcopy(case.args))


def laid_out(value: object) -> str:
    """`show(value)`, with the rows of a matrix below one another."""
    try:
        text = show(value)
    except Exception:  # a reader's own subclass of a known type, with methods that raise
        text = f"something of type {type(value).__name__}"
    return textwrap.indent(text, "    ").lstrip() if "\n" in text else text


def diagnosis(exercise: Exercise, case: Case, answer: object) -> str:
    """The known mistake that the answer makes, if it is one, else the case's pointer.

    A number alone proves little, so the mistake must give what the answer gives in all cases.
    """
    for mistake in exercise.mistakes:
        agreement = functools.partial(agrees, exercise, mistake, answer)
        if agreement(case) and all(agreement(other) is not False for other in exercise.cases):
            return wrapped(f"This is what one gets by {mistake.says}")
    return pointer(case.pointer)


def agrees(exercise: Exercise, mistake: Mistake, answer: object, case: Case) -> bool | None:
    """Does the answer give what the mistake gives?  None where either gives nothing."""
    try:
        wrong = mistake.wrong
        value = wrong(*copy.deepcopy(case.args)) if callable(wrong) else wrong
    except Exception:  # the mistake cannot be made with this input
        return None
    outcome = called(exercise, case, answer)
    if outcome.late:
        return False
    if outcome.error:
        return None
    return differs(exercise, case, value, outcome.value) is None


def pointer(text: str) -> str:
    return wrapped(f"What to look at: {text}")


def wrapped(text: str) -> str:
    return textwrap.fill(text, width=88, subsequent_indent="  ")


def change(exercise: Exercise, case: Case, given: tuple) -> str:
    """Names the first input that the call has changed in place."""
    if exercise.use is not None:
        return ""
    for name, before, after in zip(exercise.parameters, case.args, given, strict=False):
        if callable(before) or difference(before, after, rtol=0, atol=0) is None:
            continue
        return (
            f"It changes its input `{name}` in place: {show(before)} became {show(after)}.\n"
            "The caller may still need it: make a new one (`a = a - b`, not `a -= b`; "
            "`.clone()`, `list(a)`)."
        )
    return ""
