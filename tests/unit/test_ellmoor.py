"""Ellmoor: answers stand in their passages, the parts share no question, paths lead somewhere."""

import pytest

from llmcourse.ellmoor import (
    FACTS,
    PARTS,
    PASSAGES,
    PATH_QUESTIONS,
    QUESTIONS,
    RELATIONS,
    Fact,
    follow,
)
from llmcourse.retrieval import words

ASKED = [question for part in PARTS for question in QUESTIONS[part]]


def test_every_answer_stands_exactly_once_in_its_passage():
    for question in ASKED:
        if question.passage is not None:
            assert PASSAGES[question.passage].count(question.answer) == 1, question
            assert question.answer


def test_questions_without_a_passage_have_no_answer():
    for question in ASKED:
        assert (question.passage is None) == (question.answer == "")


def test_no_question_stands_in_both_parts_or_twice():
    texts = [" ".join(words(question.text)) for question in ASKED]
    assert len(set(texts)) == len(texts)
    paths = [question.text for part in PARTS for question in PATH_QUESTIONS[part]]
    assert len(set(paths)) == len(paths)


def test_each_part_asks_about_every_passage():
    for part in PARTS:
        assert {q.passage for q in QUESTIONS[part]} == {*PASSAGES, None}


def test_a_fifth_or_a_quarter_of_the_questions_have_no_answer():
    for part in PARTS:
        share = sum(q.passage is None for q in QUESTIONS[part]) / len(QUESTIONS[part])
        assert 0.2 < share < 0.3


def test_some_questions_share_no_word_with_their_passage():
    bare = [
        q for q in ASKED if q.passage and not set(words(q.text)) & set(words(PASSAGES[q.passage]))
    ]
    assert len(bare) >= 5
    assert "Who can fix my bike?" in {q.text for q in bare}


def test_passages_are_short_and_different():
    assert all(15 <= len(text.split()) <= 60 for text in PASSAGES.values())
    assert len(set(PASSAGES.values())) == len(PASSAGES) == 60


def test_facts_are_of_known_relations_and_stand_once():
    assert len(set(FACTS)) == len(FACTS)
    assert {fact.relation for fact in FACTS} == set(RELATIONS)
    assert all(fact.subject and fact.object for fact in FACTS)


def test_every_path_starts_at_a_name_of_the_question_and_ends_somewhere():
    names = {name for fact in FACTS for name in (fact.subject, fact.object)}
    for part in PARTS:
        for question in PATH_QUESTIONS[part]:
            assert question.start in question.text
            assert question.start in names
            assert question.answers and question.start not in question.answers


def test_most_path_questions_take_two_steps():
    for part in PARTS:
        lengths = [len(question.path) for question in PATH_QUESTIONS[part]]
        assert set(lengths) == {1, 2}
        assert lengths.count(2) >= 0.75 * len(lengths)


def test_a_path_by_hand():
    facts = (Fact("a", "child of", "b"), Fact("c", "child of", "b"), Fact("b", "married to", "d"))
    assert follow(facts, "a", ("child of",)) == {"b"}
    assert follow(facts, "b", ("-child of",)) == {"a", "c"}
    assert follow(facts, "d", ("married to", "-child of")) == {"a", "c"}
    assert follow(facts, "d", ("child of",)) == frozenset()


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        ("Who taught the captain of the Curlew?", {"Tove Lind"}),
        ("Where does the son of Abel Holm live?", {"Chapel Row", "Quay Steps"}),
        ("Who commands the ferry to Skerry?", {"Tove Lind"}),
    ],
)
def test_answers_worked_out_on_paper(text, answers):
    (question,) = [q for q in PATH_QUESTIONS["test"] if q.text == text]
    assert question.answers == answers
