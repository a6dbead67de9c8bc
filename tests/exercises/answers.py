"""Tables of wrong and right answers, and the tests that go through them."""

from typing import NamedTuple

import pytest

from llmcourse.exercises.exercise import all_exercises, find
from llmcourse.exercises.judging import Status, judge


class Answer(NamedTuple):
    """An answer someone might give.  `says` must occur in what a wrong one is told."""

    id: str
    name: str
    answer: object
    says: str = ""


def decorators(wrong_answers: list[Answer], right_answers: list[Answer]):
    """`@wrong("05.1", "no mask", "words said")` and `@right("05.1", "a loop")`, to fill the two."""

    def wrong(id, name, says=""):
        return lambda answer: wrong_answers.append(Answer(id, name, answer, says)) or answer

    def right(id, name):
        return lambda answer: right_answers.append(Answer(id, name, answer)) or answer

    return wrong, right


def parametrised(answers: list[Answer]):
    return pytest.mark.parametrize("given", answers, ids=lambda given: f"{given.id} {given.name}")


def assert_rejected(given: Answer) -> None:
    verdict = judge(find(given.id), given.answer)
    message = " ".join(verdict.message.split())
    assert verdict.status is Status.WRONG, f"{given.name} got past the check"
    assert given.says in message, f"{given.says!r} is not in: {message}"
    assert message != f"{given.id} {find(given.id).title}: not yet.", "says only that it is wrong"


def assert_accepted(given: Answer) -> None:
    verdict = judge(find(given.id), given.answer)
    assert verdict.status is Status.RIGHT, verdict.message


def assert_enough_answers(chapter: int, wrong: list[Answer], right: list[Answer]) -> None:
    """At least four wrong and two right answers for each exercise of the chapter."""
    ids = [id for id, exercise in all_exercises().items() if exercise.chapter == chapter]
    assert {answer.id for answer in wrong + right} == set(ids)
    for id in ids:
        assert sum(answer.id == id for answer in wrong) >= 4, f"{id}: too few wrong answers"
        assert sum(answer.id == id for answer in right) >= 2, f"{id}: too few right answers"
