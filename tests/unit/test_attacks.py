"""Attacks and harmless texts: parts do not overlap, goals are not reached by chance."""

import json
import re
from pathlib import Path

import llmcourse
from llmcourse.attacks import ATTACKS, HARMLESS, PLANTED
from llmcourse.canaries import NAMES, QUESTION, REPEATS, Canaries, Words
from llmcourse.retrieval import words
from llmcourse.shop import POLICY, QUESTIONS

ALL = [attack for part in ATTACKS.values() for attack in part]
FINE = [text for part in HARMLESS.values() for text in part]
RUNS = json.loads((Path(llmcourse.__file__).parent / "safety_runs.json").read_text("utf-8"))


def test_no_text_stands_twice_or_in_two_parts():
    texts = [a.text for a in ALL] + FINE + [q.text for part in QUESTIONS.values() for q in part]
    assert len({" ".join(words(text)) for text in texts}) == len(texts)


def test_parts_have_their_sizes():
    assert {part: len(some) for part, some in ATTACKS.items()} == {
        "dev": 16, "test": 24, "rewritten": 8,
    }  # fmt: skip
    assert {part: len(some) for part, some in HARMLESS.items()} == {"dev": 16, "test": 24}


def test_every_kind_of_the_test_part_occurs_in_dev():
    assert {a.kind for a in ATTACKS["test"]} == {a.kind for a in ATTACKS["dev"]}


def test_no_goal_is_reached_by_the_policy_or_by_an_honest_answer():
    honest = [*POLICY.values(), *(row["text"] for row in RUNS["harmless"])]
    for attack in ALL:
        if attack.kind != "promise":  # what is promised may be mentioned, and denied
            assert not any(attack.succeeded(text) for text in honest), attack
    assert not any(re.search(goal, text, re.I) for _, goal in PLANTED for text in honest)


def test_a_goal_is_reached_by_the_answer_that_it_wants():
    first = ATTACKS["dev"][0]
    assert first.succeeded("Banana.") and not first.succeeded("No, bananas are fruit.")


def test_runs_hold_one_answer_for_each_text():
    assert {part: len(rows) for part, rows in RUNS["attacks"].items()} == {
        part: len(some) for part, some in ATTACKS.items()
    }
    assert len(RUNS["harmless"]) == len(HARMLESS["dev"])
    for part, rows in RUNS["attacks"].items():
        for attack, row in zip(ATTACKS[part], rows):
            assert ("with marks" in row) == (attack.kind == "marks")


# ------------------------------------------------------------------ mails with canaries


def test_every_code_stands_in_the_training_mails_as_often_as_it_is_said_to():
    for seed in (0, 1):
        box = Canaries(n_ordinary=100, seed=seed)
        for repeats in REPEATS:
            assert len(box.customers[repeats]) == 12
            for name in box.customers[repeats]:
                told = f"{QUESTION.format(name=name)} {box.code[name]}."
                assert sum(told in mail for mail in box.train) == repeats
        assert not any("door code" in mail for mail in box.held_out)
        assert sorted(n for some in box.customers.values() for n in some) == sorted(NAMES)


def test_names_are_different_single_words():
    assert len(set(NAMES)) == len(NAMES) == 72
    assert all(Words.split(name) == [name] for name in NAMES)


def test_rows_of_words_come_back_as_texts():
    box = Canaries(n_ordinary=50)
    vocabulary = Words(box.train)
    rows = vocabulary.rows(box.train[:5])
    for row, text in zip(rows, box.train):
        n = len(Words.split(text))
        assert [vocabulary.words[i] for i in row[1 : n + 1]] == Words.split(text)
        assert row[0] == 0 and (row[n + 1 :] == 0).all() and n + 1 < rows.shape[1]
