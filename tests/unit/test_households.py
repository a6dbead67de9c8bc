"""Texts to learn pointing from: the answer is where it is said to be, and no part of Ellmoor."""

import pytest

from llmcourse.ellmoor import PASSAGES
from llmcourse.households import _WORDS, readings


def test_the_same_seed_gives_the_same_readings():
    assert readings(20, seed=3) == readings(20, seed=3) != readings(20, seed=4)


def test_an_answer_is_a_piece_of_its_text_and_not_of_its_question():
    for reading in readings(500):
        if reading.start is not None:
            assert reading.answer == reading.text[reading.start : reading.end]
            assert reading.answer.lower() in {w.lower() for ws in _WORDS.values() for w in ws}
            assert reading.text.lower().count(reading.answer.lower()) >= 1


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_share_without_answer_is_what_was_asked_for(share):
    found = sum(r.start is None for r in readings(1000, unanswerable=share)) / 1000
    assert abs(found - share) < 0.05


def test_nothing_is_left_to_be_filled_in():
    for reading in readings(500):
        assert "{" not in reading.question + reading.text
        assert reading.question.endswith("?")
        assert reading.text.endswith(".")
        assert reading.text[0] == reading.text[0].upper()


def test_what_has_no_answer_is_often_about_something_that_the_text_names():
    told = sorted({w for words in _WORDS.values() for w in words}, key=len, reverse=True)
    asked = [r for r in readings(1000, seed=1) if r.start is None]
    near = [any(w in r.question and w in r.text for w in told) for r in asked]
    assert 0.2 < sum(near) / len(near) < 0.8


def test_no_passage_of_ellmoor_is_used():
    told = " ".join(r.text for r in readings(300))
    for passage in PASSAGES.values():
        assert passage[:30] not in told


def test_bad_numbers_are_errors():
    with pytest.raises(ValueError, match="at least one"):
        readings(0)
    with pytest.raises(ValueError, match="0 to 1"):
        readings(3, unanswerable=1.5)
