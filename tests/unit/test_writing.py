"""The small texts of chapter 17: balanced where they have to be, and the parts share nothing."""

import pytest

from llmcourse.first_stories import FIRST_STORIES
from llmcourse.retrieval import words
from llmcourse.writing import (
    INVENTED,
    KNOWN,
    LETTERS,
    MESSAGES,
    NAMES,
    NEWS,
    REPLIES,
    SMALL_TALK,
    STORIES,
    Note,
)

NOTE = Note("A pumpkin was weighed.", ("Otto Krag", "in Little Hale", "1,512 kilos", "on Saturday"))


def test_there_are_as_many_as_the_chapter_says():
    sizes = [len(x) for x in (STORIES, NEWS, LETTERS, KNOWN, INVENTED, NAMES, SMALL_TALK)]
    assert sizes == [24, 12, 16, 20, 20, 20, 8]
    assert (len(MESSAGES["test"]), len(MESSAGES["dev"])) == (30, 8)


@pytest.mark.parametrize("texts", [STORIES, NEWS, LETTERS, KNOWN, INVENTED, NAMES])
def test_no_item_comes_twice(texts):
    assert len(set(texts)) == len(texts)


def test_a_story_has_two_turns_and_two_endings_that_differ():
    for story in STORIES:
        assert len(set(story.turns)) == len(set(story.endings)) == 2
        for text in (story.text, *story.turns, *story.endings):
            assert text == text.strip() and text.endswith(".")


def test_the_first_stories_are_thirty_that_differ():
    assert len(set(FIRST_STORIES)) == 30
    assert all(story.ending != story.wrong for story in FIRST_STORIES)


def test_every_message_has_a_reply_and_each_reply_its_message_in_both_parts():
    for messages in MESSAGES.values():
        assert all(message.fitting and set(message.fitting) <= set(REPLIES) for message in messages)
        assert {fitting for message in messages for fitting in message.fitting} == set(REPLIES)


def test_no_reply_fits_more_than_a_quarter_of_the_test_messages():
    for reply in REPLIES:
        assert sum(reply in message.fitting for message in MESSAGES["test"]) <= 30 / 4


def test_no_test_message_repeats_a_dev_message():
    dev = {tuple(words(message.text)) for message in MESSAGES["dev"]}
    assert not dev & {tuple(words(message.text)) for message in MESSAGES["test"]}


def test_the_notes_keep_their_own_details_and_invent_nothing():
    for note in NEWS:
        assert note.kept(note.text) == [True] * 4 and note.invented(note.text) == []


def test_a_detail_is_kept_when_all_its_words_are_there():
    report = "In Hale, otto krag weighed 1,512 pounds, Saturday being rainy."
    assert NOTE.kept(report) == [True, False, False, True]
    assert NOTE.kept("") == [False] * 4


def test_names_and_numbers_from_nowhere_are_found():
    report = "Farmers met in Ohio. Otto Krag had 1,512 kilos, 12 more than Jones."
    assert sorted(NOTE.invented(report)) == ["12", "Jones", "Ohio"]
