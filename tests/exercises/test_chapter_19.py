"""The checks of chapter 19 tell wrong answers from right ones."""

import collections
import math
import re

import sacrebleu

from llmcourse.exercises.chapter_19 import (
    bleu,
    by_fractions,
    by_recursion,
    clipped_by_crossing_out,
    scanned,
)
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)
ROOT = math.sqrt(1 / 6)

# ------------------------------------------------------------------ 19.1 four numbers

wrong("19.1", "not clipped", "one counts")([1, 1 / 3, 1, math.sqrt(1 / 3)])
wrong("19.1", "of the reference", "a share of the text")([2 / 3, 0.5, 1, math.sqrt(1 / 3)])
wrong("19.1", "lengths swapped", "too short pays")(
    [0.5, 1 / 3, math.exp(-1 / 3), math.exp(-1 / 3) * ROOT]
)
wrong("19.1", "plain mean", "the root of the product")([0.5, 1 / 3, 1, 5 / 12])
wrong("19.1", "no root", "leaving out the root")([0.5, 1 / 3, 1, 1 / 6])
wrong("19.1", "different pairs", "the total has every run")([0.5, 0.5, 1, 0.5])
wrong("19.1", "three numbers", "4 numbers are wanted, and you give 3")([0.5, 1 / 3, 1])
right("19.1", "rounded")([0.5, 0.333, 1, 0.408])
right("19.1", "exact")([2 / 4, 1 / 3, 1, ROOT])

# ------------------------------------------------------------------ 19.2 clip


def counts(words, n):
    return collections.Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


@wrong("19.2", "not clipped", "however often")
def _(text, reference, n):
    theirs = counts(reference, n)
    ours = [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]
    return sum(run in theirs for run in ours), len(ours)


@wrong("19.2", "sets", "counting different runs")
def _(text, reference, n):
    ours, theirs = set(counts(text, n)), set(counts(reference, n))
    return len(ours & theirs), len(ours)


wrong("19.2", "the reference's total", "the reference's number of runs")(
    lambda t, r, n: (sum((counts(t, n) & counts(r, n)).values()), counts(r, n).total())
)
wrong("19.2", "the last run", "leaving out the last run")(
    lambda t, r, n: (sum((counts(t[:-1], n) & counts(r, n)).values()), counts(t[:-1], n).total())
)
wrong("19.2", "n ignored", "whatever n is")(
    lambda t, r, n: (sum((counts(t, 1) & counts(r, 1)).values()), len(t))
)
wrong("19.2", "a share", "")(
    lambda t, r, n: sum((counts(t, n) & counts(r, n)).values()) / max(1, counts(t, n).total())
)
wrong("19.2", "a negative total", "shorter than the run")(
    lambda t, r, n: (sum((counts(t, n) & counts(r, n)).values()), len(t) - n + 1)
)


@wrong("19.2", "glued words", "words glued together")
def _(text, reference, n):
    ours, theirs = (
        collections.Counter("".join(words[i : i + n]) for i in range(len(words) - n + 1))
        for words in (text, reference)
    )
    return (ours & theirs).total(), ours.total()


right("19.2", "counters")(
    lambda t, r, n: (sum((counts(t, n) & counts(r, n)).values()), counts(t, n).total())
)
right("19.2", "crossing out")(clipped_by_crossing_out)

# ------------------------------------------------------------------ 19.3 BLEU


def by_sacrebleu(texts, references):
    score = sacrebleu.corpus_bleu(
        [" ".join(text) for text in texts],
        [[" ".join(reference) for reference in references]],
        tokenize="none",
        smooth_method="none",
        force=True,
    )
    return score.score / 100


wrong("19.3", "mean of sentences", "sums come first")(lambda t, r: bleu(t, r, per_sentence=True))
wrong("19.3", "no penalty", "leaving out the brevity penalty")(
    lambda t, r: bleu(t, r, penalty=False)
)
wrong("19.3", "penalty swapped", "swapping the two lengths")(lambda t, r: bleu(t, r, swap=True))
wrong("19.3", "not clipped", "unclipped")(lambda t, r: bleu(t, r, clip=False))
wrong("19.3", "pairs", "stopping at pairs")(lambda t, r: bleu(t, r, order=2))
wrong("19.3", "percent", "giving percent")(lambda t, r: 100 * bleu(t, r))


@wrong("19.3", "plain mean", "a geometric one")
def _(texts, references):
    total = 0.0
    for n in (1, 2, 3, 4):
        ours = [counts(t, n) for t in texts]
        both = [(o & counts(r, n)).total() for o, r in zip(ours, references)]
        total += sum(both) / max(1, sum(o.total() for o in ours)) / 4
    c, r = sum(map(len, texts)), sum(map(len, references))
    return min(1, math.exp(1 - r / c)) * total


@wrong("19.3", "log of zero", "")
def _(texts, references):
    logs = 0.0
    for n in (1, 2, 3, 4):
        ours = [counts(t, n) for t in texts]
        both = [(o & counts(r, n)).total() for o, r in zip(ours, references)]
        logs += math.log(sum(both) / sum(o.total() for o in ours)) / 4
    c, r = sum(map(len, texts)), sum(map(len, references))
    return min(1, math.exp(1 - r / c)) * math.exp(logs)


right("19.3", "by hand")(bleu)
right("19.3", "sacrebleu")(by_sacrebleu)

# ------------------------------------------------------------------ 19.4 characters


def f_score(text, reference, n, beta):
    text, reference = text.replace(" ", ""), reference.replace(" ", "")
    ours, theirs = counts(text, n), counts(reference, n)
    matches = (ours & theirs).total()
    if not matches:
        return 0.0
    p, r = matches / ours.total(), matches / theirs.total()
    return (1 + beta**2) * p * r / (beta**2 * p + r)


wrong("19.4", "blanks", "leaving the blanks in")(
    lambda t, r, n, b: by_fractions(t, r, n, b, blanks=True)
)
wrong("19.4", "swapped", "should lead to the recall")(lambda t, r, n, b: f_score(r, t, n, b))
wrong("19.4", "small letters", "a capital is another character")(
    lambda t, r, n, b: f_score(t.lower(), r.lower(), n, b)
)
wrong("19.4", "no beta", "leaving out beta")(lambda t, r, n, b: f_score(t, r, n, 1))
wrong("19.4", "beta not squared", "forgetting to square beta")(
    lambda t, r, n, b: f_score(t, r, n, math.sqrt(b))
)
wrong("19.4", "not clipped", "unclipped")(lambda t, r, n, b: by_fractions(t, r, n, b, clip=False))
wrong("19.4", "precision", "")(
    lambda t, r, n, b: clipped_by_crossing_out(t, r, n)[0] / max(1, len(t) - n + 1)
)


@wrong("19.4", "division by zero", "ZeroDivisionError")
def _(text, reference, n, beta):
    text, reference = text.replace(" ", ""), reference.replace(" ", "")
    matches = (counts(text, n) & counts(reference, n)).total()
    p, r = matches / (len(text) - n + 1), matches / (len(reference) - n + 1)
    return (1 + beta**2) * p * r / (beta**2 * p + r)


right("19.4", "counters")(f_score)
right("19.4", "fractions")(by_fractions)

# ------------------------------------------------------------------ 19.5 ROUGE-L


def length(text, reference):
    table = [[0] * (len(reference) + 1) for _ in range(len(text) + 1)]
    for i, word in enumerate(text):
        for j, other in enumerate(reference):
            best = max(table[i][j + 1], table[i + 1][j])
            table[i + 1][j + 1] = table[i][j] + 1 if word == other else best
    return table[-1][-1]


@wrong("19.5", "a block", "without gaps")
def _(text, reference):
    best = 0
    for i in range(len(text)):
        for j in range(len(reference)):
            k = 0
            while i + k < len(text) and j + k < len(reference) and text[i + k] == reference[j + k]:
                k += 1
            best = max(best, k)
    return 2 * best / max(1, len(text) + len(reference))


wrong("19.5", "a bag", "in any order")(
    lambda t, r: (
        2 * (collections.Counter(t) & collections.Counter(r)).total() / max(1, len(t) + len(r))
    )
)
wrong("19.5", "the recall", "that is the recall")(lambda t, r: length(t, r) / max(1, len(r)))


@wrong("19.5", "greedy", "a better thread may begin later")
def _(text, reference):
    left, found = list(reference), 0
    for word in text:
        if word in left:
            left = left[left.index(word) + 1 :]
            found += 1
    return 2 * found / max(1, len(text) + len(reference))


wrong("19.5", "two empty lists", "ZeroDivisionError")(
    lambda t, r: 2 * length(t, r) / (len(t) + len(r))
)
wrong("19.5", "the length", "")(lambda t, r: length(t, r))
right("19.5", "a table")(lambda t, r: 2 * length(t, r) / max(1, len(t) + len(r)))
right("19.5", "recursion that remembers")(by_recursion)

# ------------------------------------------------------------------ 19.6 new numbers


def numbers(text, pattern=r"[0-9]+(?:[.,][0-9]+)*"):
    return {number.replace(",", "") for number in re.findall(pattern, text)}


wrong("19.6", "substring", "12 is not in 2012")(
    lambda s, a: sorted(n for n in numbers(s) if n not in a.replace(",", ""))
)
wrong("19.6", "digits", "taking numbers apart")(
    lambda s, a: sorted(set(re.findall(r"\d+", s)) - set(re.findall(r"\d+", a)))
)
wrong("19.6", "full stop", "the full stop of the sentence")(
    lambda s, a: sorted(numbers(s, r"\d[\d.,]*") - numbers(a, r"\d[\d.,]*"))
)
wrong("19.6", "commas", "3,000 and 3000 are the same")(
    lambda s, a: sorted(
        n.replace(",", "")
        for n in set(re.findall(r"\d+(?:[.,]\d+)*", s)) - set(re.findall(r"\d+(?:[.,]\d+)*", a))
    )
)
wrong("19.6", "the article's", "what the article has")(lambda s, a: sorted(numbers(a) - numbers(s)))
wrong("19.6", "as numbers", "other strings")(
    lambda s, a: sorted(n for n in numbers(s) if float(n) not in {float(m) for m in numbers(a)})
)
wrong("19.6", "any dots inside", "")(
    lambda s, a: sorted(numbers(s, r"\d[\d,.]*\d|\d") - numbers(a, r"\d[\d,.]*\d|\d"))
)
wrong("19.6", "whole words", "a letter may follow")(
    lambda s, a: sorted(
        numbers(s, r"\b[0-9]+(?:[.,][0-9]+)*\b") - numbers(a, r"\b[0-9]+(?:[.,][0-9]+)*\b")
    )
)
wrong("19.6", "a set", "")(lambda s, a: numbers(s) - numbers(a))
wrong("19.6", "sorted as numbers", "sorted as strings")(
    lambda s, a: sorted(numbers(s) - numbers(a), key=float)
)
right("19.6", "a pattern")(lambda s, a: sorted(numbers(s) - numbers(a)))
right("19.6", "scanning")(scanned)

# ------------------------------------------------------------------ 19.7 how many models

wrong("19.7", "unordered", "both directions are needed")([276, 46, 0.9025, 24])
wrong("19.7", "with itself", "a language into itself")([576, 46, 0.9025, 24])
wrong("19.7", "one way", "get out of English")([552, 23, 0.9025, 24])
wrong("19.7", "English into English", "English into English")([552, 48, 0.9025, 24])
wrong("19.7", "one step", "there are two")([552, 46, 0.95, 24])
wrong("19.7", "a token a pair", "the source need not be named")([552, 46, 0.9025, 552])
right("19.7", "computed")([24 * 23, 2 * 23, 0.95**2, 24])
right("19.7", "rounded")([552, 46, 0.903, 24])


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


def test_every_exercise_has_enough_answers():
    assert_enough_answers(19, WRONG, RIGHT)
