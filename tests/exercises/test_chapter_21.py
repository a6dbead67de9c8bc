"""The checks of chapter 21 tell wrong answers from right ones."""

import difflib
import functools
import itertools
import math
import random

import jiwer
import numpy as np
import pytest
import torch

from llmcourse.exercises.chapter_21 import (
    align_by,
    bags,
    by_waves,
    first_of,
    letters,
    most_probable,
    oracle_with,
    risk_with,
    score_with,
    side_by_side,
    spoil_by,
    table,
    whole_sentences,
    with_swaps,
)
from llmcourse.exercises.exercise import find
from llmcourse.speech import word_errors
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)

# ------------------------------------------------------------------ 21.1 count

wrong("21.1", "by the words written", "words that were written")([1, 1, 2, 0.5])
wrong("21.1", "mixed up", "mixing up deletions")([1, 2, 1, 4 / 7])
wrong("21.1", "no substitution", "counting had")([0, 2, 3, 5 / 7])
wrong("21.1", "forgotten in the rate", "forgetting an edit")([1, 1, 2, 3 / 7])
wrong("21.1", "one overlooked", "overlooking an insertion")([1, 1, 1, 3 / 7])
wrong("21.1", "what stayed", "counting words that stayed")([1, 1, 2, 5 / 7])
wrong("21.1", "a percentage", "giving a percentage")([1, 1, 2, 57.142857])
wrong("21.1", "one number", "4 numbers are wanted")([4 / 7])
right("21.1", "numbers")([1, 1, 2, 4 / 7])
right("21.1", "rounded, a tuple")((1, 1, 2, 0.571))

# ------------------------------------------------------------------ 21.2 noise

wrong("21.2", "no root", "take the root")(spoil_by(root=lambda x: x))
wrong("21.2", "20 and a root", "dividing decibels by 20")(spoil_by(tens=20))
wrong("21.2", "sign", "turning the ratio round")(spoil_by(sign=-1))
wrong("21.2", "noise's power ignored", "power that the noise has")(spoil_by(use_noise=False))
wrong("21.2", "norms", "amplitudes for")(spoil_by(power=torch.linalg.norm))
wrong("21.2", "mean size", "taking the mean size")(spoil_by(power=lambda x: x.abs().mean() ** 2))
wrong("21.2", "variance", "taking the variance")(spoil_by(power=torch.var))
wrong("21.2", "noise alone", "returning the noise alone")(lambda s, n, d: spoil_by()(s, n, d) - s)
wrong("21.2", "no powers", "out of it")(lambda s, n, d: s + n / 10 ** (d / 20))
wrong("21.2", "peaks", "")(lambda s, n, d: s + n * (s.abs().max() / n.abs().max()) / 10 ** (d / 20))


@wrong("21.2", "in place", "chang")
def _(speech, noise, decibels):
    ratio = (speech**2).mean() / (noise**2).mean()
    speech += noise * torch.sqrt(ratio / 10 ** (decibels / 10))
    return speech


@right("21.2", "powers")
def _(speech, noise, decibels):
    ratio = (speech**2).mean() / (noise**2).mean()
    return speech + noise * torch.sqrt(ratio / 10 ** (decibels / 10))


@right("21.2", "NumPy, root mean squares")
def _(speech, noise, decibels):
    rms = [np.sqrt(np.mean(np.square(x.numpy()))) for x in (speech, noise)]
    return speech.numpy() + noise.numpy() * rms[0] / rms[1] * 10 ** (-decibels / 20)


# ------------------------------------------------------------------ 21.3 edits

wrong("21.3", "side by side", "comparing word by word")(side_by_side)
wrong("21.3", "substitution costs 2", "as two edits")(lambda r, h: table(r, h, replaced=2))
wrong("21.3", "bags of words", "ignoring the order")(bags)
wrong("21.3", "letters", "counting letters")(letters)
wrong("21.3", "left margin 0", "left margin")(lambda r, h: table(r, h, margins=(0, 1)))
wrong("21.3", "top margin 0", "top margin")(lambda r, h: table(r, h, margins=(1, 0)))
wrong("21.3", "a rate", "dividing")(lambda r, h: table(r, h) / max(1, len(r)))
wrong("21.3", "free substitutions", "replaced for nothing")(lambda r, h: table(r, h, replaced=0))


@wrong("21.3", "greedy blocks of difflib", "")
def _(reference, hypothesis):
    blocks = difflib.SequenceMatcher(None, reference, hypothesis).get_opcodes()
    return sum(max(b - a, d - c) for tag, a, b, c, d in blocks if tag != "equal")


@wrong("21.3", "recursion that takes for ever", "")
def _(reference, hypothesis):
    def go(i, j):
        if i == 0 or j == 0:
            return i + j
        return min(
            go(i - 1, j - 1) + (reference[i - 1] != hypothesis[j - 1]),
            go(i - 1, j) + 1,
            go(i, j - 1) + 1,
        )

    return go(len(reference), len(hypothesis))


wrong("21.3", "neighbours swapped", "change places as one")(with_swaps)

right("21.3", "a table")(table)
right("21.3", "a table of floats")(lambda r, h: np.float64(table(r, h)))


@right("21.3", "recursion with a memory")
def _(reference, hypothesis):
    @functools.cache
    def go(i, j):
        if i == 0 or j == 0:
            return i + j
        return min(
            go(i - 1, j - 1) + (reference[i - 1] != hypothesis[j - 1]),
            go(i - 1, j) + 1,
            go(i, j - 1) + 1,
        )

    return go(len(reference), len(hypothesis))


# ------------------------------------------------------------------ 21.4 rescore

wrong("21.4", "weight on the ear", "weighting the ear")(score_with(weight_on="ear"))
wrong("21.4", "no weight", "leaving out the weight")(score_with(weight_on="none"))
wrong("21.4", "smallest", "smallest score")(score_with(take=min))
wrong("21.4", "letters paid", "for letters")(score_with(count=len))
wrong("21.4", "no bonus", "leaving out the bonus")(score_with(count=lambda s: 0))
wrong("21.4", "charged", "charging for words")(score_with(count=lambda s: -len(s.split())))
wrong("21.4", "a mean", "dividing by the words")(score_with(mean=True))
wrong("21.4", "last of equals", "last of equals")(score_with(last=True))
wrong("21.4", "bonus weighted", "weighting the bonus too")(score_with(inside=True))
wrong("21.4", "different words", "paying for different words")(
    score_with(count=lambda s: len(set(s.split())))
)
wrong("21.4", "the place", "")(lambda s, e, x, w, b: s.index(score_with()(s, e, x, w, b)))
right("21.4", "a loop")(score_with())


@right("21.4", "an argmax")
def _(sentences, ear, expected, weight, bonus):
    words = np.array([len(s.split()) for s in sentences])
    return sentences[np.argmax(np.array(ear) + weight * np.array(expected) + bonus * words)]


# ------------------------------------------------------------------ 21.5 oracle

wrong("21.5", "mean of rates", "mean of rates")(oracle_with(mean=True))
wrong("21.5", "first guess", "the first guess")(oracle_with(choose=first_of))
wrong("21.5", "worst guess", "the worst guess")(oracle_with(choose=max))
wrong("21.5", "by the words written", "words written")(oracle_with(written=True))
wrong("21.5", "an empty list for nothing", "an empty list")(oracle_with(empty=lambda said: 0))
wrong("21.5", "whole sentences", "counting sentences")(whole_sentences)
wrong("21.5", "averaged", "averaging over")(oracle_with(choose=lambda e: sum(e) / len(e)))
wrong("21.5", "cut at one", "")(lambda s, lists: min(1.0, oracle_with()(s, lists)))
wrong("21.5", "empty list breaks it", "")(
    lambda s, lists: (
        sum(min(word_errors(t, g) for g in guesses) for t, guesses in zip(s, lists))
        / sum(len(t.split()) for t in s)
    )
)
right("21.5", "a loop")(oracle_with())


@right("21.5", "jiwer on the best")
def _(said, lists):
    best = [min(g or [""], key=lambda x, t=t: word_errors(t, x)) for t, g in zip(said, lists)]
    return jiwer.wer(list(said), best)


# ------------------------------------------------------------------ 21.6 risk

wrong("21.6", "most probable", "most probable sentence")(most_probable)
wrong("21.6", "no probabilities", "the same probability")(risk_with(weigh=False))
wrong("21.6", "largest", "largest risk")(risk_with(pick=max))
wrong("21.6", "weighted by the guess", "guess's probability")(risk_with(turned=True))
wrong("21.6", "scores as weights", "softmax first")(risk_with(soft=False))
wrong("21.6", "rates", "averaging rates")(risk_with(rate=True))
wrong("21.6", "by the guess's words", "words of the guess")(risk_with(per=True))
wrong("21.6", "powers of two", "powers of 2")(risk_with(log2=True))
wrong("21.6", "the place", "returning the place")(lambda s, x: s.index(risk_with()(s, x)))


@wrong("21.6", "exp without a maximum", "")
def _(sentences, scores):
    with np.errstate(all="ignore"):
        p = np.exp(np.asarray(scores, float))
        p = p / p.sum()
        return min(
            sentences, key=lambda g: sum(q * word_errors(s, g) for q, s in zip(p, sentences))
        )


right("21.6", "matrices")(risk_with())


@right("21.6", "a loop in PyTorch")
def _(sentences, scores):
    p = torch.softmax(torch.tensor(scores, dtype=torch.float64), 0)
    best, least = None, math.inf
    for guess in sentences:
        risk = sum((q * word_errors(said, guess)).item() for q, said in zip(p, sentences))
        if risk < least - 1e-12:
            best, least = guess, risk
    return best


# ------------------------------------------------------------------ 21.7 alignment

wrong("21.7", "not turned round", "turn them round")(align_by(reverse=False))
wrong("21.7", "no substitutions", "would do")(
    align_by(replaced=2, prefer=("down", "right", "both"))
)
wrong("21.7", "left margin 0", "would do")(align_by(margins=(0, 1)))
wrong("21.7", "swapped", "swapped")(lambda r, h: [(b, a) for a, b in align_by()(r, h)])
wrong("21.7", "side by side", "would do")(
    lambda r, h: [
        (r[i] if i < len(r) else None, h[i] if i < len(h) else None)
        for i in range(max(len(r), len(h)))
    ]
)
wrong("21.7", "zip", "must come out whole")(lambda r, h: list(zip(r, h)))
wrong("21.7", "only what differs", "must come out whole")(
    lambda r, h: [pair for pair in align_by()(r, h) if pair[0] != pair[1]]
)
wrong("21.7", "stops at a margin", "must come out whole")(
    lambda r, h: [p for p in align_by()(r, h) if None not in p]
)
wrong("21.7", "everything replaced by itself", "would do")(
    lambda r, h: [(a, None) for a in r] + [(None, b) for b in h]
)
wrong("21.7", "numbers", "each entry is a pair")(lambda r, h: list(range(len(r))))


@wrong("21.7", "blocks of difflib", "would do")
def _(reference, hypothesis):
    blocks = difflib.SequenceMatcher(None, reference, hypothesis, autojunk=False).get_opcodes()
    return [
        pair
        for _, a, b, c, d in blocks
        for pair in itertools.zip_longest(reference[a:b], hypothesis[c:d])
    ]


right("21.7", "diagonal first")(align_by())
right("21.7", "insertions first")(align_by(prefer=("right", "down", "both")))


# ------------------------------------------------------------------ the tests


@parametrised(WRONG)
def test_wrong_answer_is_rejected_in_words(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


def test_there_are_enough_answers():
    assert_enough_answers(21, WRONG, RIGHT)


def test_the_two_distances_agree_with_jiwer_on_random_sentences():
    draw = random.Random(0)
    for _ in range(200):
        a, b = ([draw.choice("abcde") for _ in range(draw.randrange(0, 9))] for _ in range(2))
        assert table(a, b) == by_waves(a, b)
        if a:
            assert math.isclose(table(a, b) / len(a), jiwer.wer(" ".join(a), " ".join(b)))


@pytest.mark.parametrize("id", [f"21.{i}" for i in range(1, 8)])
def test_statement_names_the_function_that_the_check_calls(id):
    assert find(id).name.isidentifier()
