"""The checks of chapter 18 tell wrong answers from right ones."""

import math
from collections import Counter

import numpy

from llmcourse.exercises.chapter_18 import (
    best_precision,
    f1_by_crossing_off,
    f1_of_sets,
    fused_by_looking_up,
    last_ranking,
    mean_of_ranks,
    part_of,
    piece_by_trying,
    rank_by_sorting,
    silence_by_counting,
    silence_one_by_one,
    start_first,
    two_maxima,
    walk_backwards,
    walk_both_ways,
    walk_by_recursion,
)
from llmcourse.retrieval import BM25, words
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)

# ------------------------------------------------------------------ 18.1 what a word weighs

LN = math.log
GOOD = [LN(1 + 2.5 / 1.5), LN(1 + 0.5 / 3.5), 5 / 3.5, 2.5]
wrong("18.1", "no 1", "leaving out the 1")([LN(2.5 / 1.5), LN(0.5 / 3.5), *GOOD[2:]])
wrong("18.1", "another idf", "another idf")([LN(3), 0.0, *GOOD[2:]])
wrong("18.1", "bits", "to the base 2")([x / LN(2) for x in GOOD[:2]] + GOOD[2:])
wrong("18.1", "base 10", "to the base 10")([x / LN(10) for x in GOOD[:2]] + GOOD[2:])
wrong("18.1", "twice", "counting the word twice")([*GOOD[:2], 2.0, 2.5])
wrong("18.1", "no k1 + 1", "leaving out (k1 + 1)")([*GOOD[:2], 2 / 3.5, 1.0])
wrong("18.1", "k1", "giving k1 for (d)")([*GOOD[:3], 1.5])
wrong("18.1", "no bound", "without end")([*GOOD[:3], math.inf])
wrong("18.1", "exchanged", "exchanging (a) and (b)")([GOOD[1], GOOD[0], *GOOD[2:]])
wrong("18.1", "three numbers", "4 numbers are wanted")(GOOD[:3])
right("18.1", "three decimals")([0.981, 0.134, 1.429, 2.5])
right("18.1", "expressions")((LN(8 / 3), LN(8 / 7), 10 / 7, 1.5 + 1))

# ------------------------------------------------------------------ 18.2 fusion

wrong("18.2", "from 0", "counting ranks from 0")(
    lambda r, k: {p: s for p, s in fused_by_looking_up(r, k - 1).items()}
)
wrong("18.2", "no k", "leaving out k")(lambda r, k: fused_by_looking_up(r, 0))
wrong("18.2", "ranks added", "adding up ranks")(
    lambda r, k: fused_by_looking_up(r, k, worth=lambda k, rank: k + rank)
)
wrong("18.2", "two fractions", "adding 1/k and 1/rank")(
    lambda r, k: fused_by_looking_up(r, k, worth=lambda k, rank: 1 / k + 1 / rank)
)
wrong("18.2", "absent gets a rank", "the rank after its last")(
    lambda r, k: fused_by_looking_up(r, k, absent=lambda ranking: len(ranking) + 1)
)
wrong("18.2", "mean", "averaging")(mean_of_ranks)
wrong("18.2", "the last one", "the last ranking only")(last_ranking)


@wrong("18.2", "an order", "")
def _(rankings, k):
    scores = fused_by_looking_up(rankings, k)
    return sorted(scores, key=scores.get, reverse=True)


@wrong("18.2", "a ranking eaten up", "chang")
def _(rankings, k):
    scores = Counter()
    for ranking in rankings:
        rank = 0
        while ranking:
            rank += 1
            scores[ranking.pop(0)] += 1 / (k + rank)
    return dict(scores)


right("18.2", "looked up")(fused_by_looking_up)


@right("18.2", "a loop")
def _(rankings, k):
    scores = {}
    for ranking in rankings:
        for rank, passage in enumerate(ranking, 1):
            scores[passage] = scores.get(passage, 0) + 1 / (k + rank)
    return scores


# ------------------------------------------------------------------ 18.3 the rank

wrong("18.3", "ties for us", "letting ties count for the right one")(
    lambda s, r: sum(x > s[r] for x in s) + 1
)
wrong("18.3", "from 0", "counting from 0")(lambda s, r: sum(x >= s[r] for x in s) - 1)
wrong("18.3", "twice", "counting the right one twice")(lambda s, r: sum(x >= s[r] for x in s) + 1)
wrong("18.3", "from the bottom", "from the bottom")(lambda s, r: sum(x <= s[r] for x in s))
wrong("18.3", "sorted", "in which the passages happen")(
    lambda s, r: sorted(range(len(s)), key=lambda i: -s[i]).index(r) + 1
)
wrong("18.3", "argsort", "at place `right`")(
    lambda s, r: sorted(range(len(s)), key=lambda i: -s[i])[r] + 1
)
wrong("18.3", "equals once", "counting equal scores once")(
    lambda s, r: len({x for x in s if x >= s[r]})
)
wrong("18.3", "reciprocal", "giving the reciprocal")(lambda s, r: 1 / sum(x >= s[r] for x in s))


@wrong("18.3", "sorted in place", "")
def _(scores, right):
    wanted = scores[right]
    scores.sort(reverse=True)
    return len(scores) - scores[::-1].index(wanted)


right("18.3", "sorted")(rank_by_sorting)
right("18.3", "numpy")(lambda s, r: int((numpy.array(s) >= s[r]).sum()))

# ------------------------------------------------------------------ 18.4 near misses

wrong("18.4", "sets", "taking sets")(f1_of_sets)
wrong("18.4", "precision", "the precision alone")(part_of(0))
wrong("18.4", "recall", "the recall alone")(part_of(1))
wrong("18.4", "mean", "harmonic mean")(part_of(0, mean=True))
wrong("18.4", "little words", "counting a, an and the")(
    lambda a, b: f1_by_crossing_off(a, b, little=())
)
wrong("18.4", "split", "not making letters small")(
    lambda a, b: f1_by_crossing_off(a, b, split=str.split)
)
wrong("18.4", "both empty", "giving 0 when both")(lambda a, b: f1_by_crossing_off(a, b, empty=0.0))
wrong("18.4", "exact", "exact match")(lambda a, b: float(f1_by_crossing_off(a, b) == 1))


@wrong("18.4", "divides by zero", "")
def _(answer, right):
    a, b = Counter(words(answer)), Counter(words(right))
    return 2 * (a & b).total() / (a.total() + b.total())


right("18.4", "crossed off")(f1_by_crossing_off)


@right("18.4", "bags")
def _(answer, right):
    a, b = (
        Counter(w for w in words(text) if w not in ("a", "an", "the")) for text in (answer, right)
    )
    if not a and not b:
        return 1.0
    return 2 * (a & b).total() / (a.total() + b.total())


# ------------------------------------------------------------------ 18.5 the best piece

wrong("18.5", "two maxima", "the best start and the best end alone")(two_maxima)
wrong("18.5", "start first", "fixing the best start first")(start_first)
wrong("18.5", "one more", "one token too many")(lambda s, e, n: piece_by_trying(s, e, n, extra=1))
wrong("18.5", "one less", "one token too few")(lambda s, e, n: piece_by_trying(s, e, max(n - 1, 1)))
wrong("18.5", "never none", "never returning None")(
    lambda s, e, n: piece_by_trying(s, e, n, none=False)
)
wrong("18.5", "from 0", "")(lambda s, e, n: piece_by_trying(s, e, n, first=0))
wrong("18.5", "any length", "ignoring `longest`")(lambda s, e, n: piece_by_trying(s, e, len(s)))
wrong("18.5", "product", "")(
    lambda s, e, n: piece_by_trying(s, e, n, value=lambda i, j: s[i] * e[j])
)


@wrong("18.5", "end exclusive", "the token after the last one")
def _(start, end, longest):
    best = piece_by_trying(start, end, longest)
    return best and (best[0], best[1] + 1)


right("18.5", "tried")(piece_by_trying)


@right("18.5", "numpy")
def _(start, end, longest):
    both = numpy.add.outer(numpy.array(start), numpy.array(end))
    allowed = numpy.triu(numpy.ones_like(both)) - numpy.triu(numpy.ones_like(both), longest)
    allowed[0] = 0
    both[allowed == 0] = -numpy.inf
    first, last = numpy.unravel_index(both.argmax(), both.shape)
    return None if start[0] + end[0] > both.max() else (int(first), int(last))


@right("18.5", "max of pairs")
def _(start, end, longest):
    """Among equals this takes the last pair, the loop the first: the cases must have no tie."""
    n = len(start)
    pieces = (
        (start[i] + end[j], (i, j)) for i in range(1, n) for j in range(i, min(i + longest, n))
    )
    best, piece = max(pieces)
    return None if start[0] + end[0] > best else piece


# ------------------------------------------------------------------ 18.6 when to be silent

wrong("18.6", "strict", "above the threshold only")(
    lambda s, r, c: silence_by_counting(s, r, c, strict=True)
)
wrong("18.6", "no cost", "ignoring the cost")(
    lambda s, r, c: silence_by_counting(s, r, c, price=1.0)
)
wrong("18.6", "right ones only", "counting right answers only")(
    lambda s, r, c: silence_by_counting(s, r, c, price=0.0)
)
wrong("18.6", "never silent", "never trying infinity")(
    lambda s, r, c: silence_by_counting(s, r, c, silent=False)
)
wrong("18.6", "smallest", "the smallest of equal")(
    lambda s, r, c: silence_by_counting(s, r, c, largest=False)
)
wrong("18.6", "equals split", "splitting equal scores")(silence_one_by_one)
wrong("18.6", "precision", "largest share of right answers")(best_precision)
wrong("18.6", "always", "answering always")(lambda s, r, c: min(s))
wrong("18.6", "the worth", "")(
    lambda s, r, c: max(
        sum(1 if ok else -c for x, ok in zip(s, r) if x >= t) for t in [*s, math.inf]
    )
)

right("18.6", "counted")(silence_by_counting)


@right("18.6", "max with a key")
def _(scores, right, cost):
    def worth(threshold):
        return sum((1 if ok else -cost) for score, ok in zip(scores, right) if score >= threshold)

    return max([*scores, math.inf], key=lambda t: (worth(t), t))


# ------------------------------------------------------------------ 18.7 paths

wrong("18.7", "forwards", "always going forwards")(
    lambda f, s, p: walk_by_recursion(f, s, p, forwards=False)
)
wrong("18.7", "backwards", "always going backwards")(
    lambda f, s, p: walk_by_recursion(f, s, p, forwards=True)
)
wrong("18.7", "both ways", "going both ways")(walk_both_ways)
wrong("18.7", "the first", "keeping the first")(
    lambda f, s, p: walk_by_recursion(f, s, p, one=True)
)
wrong("18.7", "places in between", "keeping the places in between")(
    lambda f, s, p: walk_by_recursion(f, s, p, keep=True)
)
wrong("18.7", "reversed", "in the wrong order")(walk_backwards)
wrong("18.7", "without the start", "leaving out the start")(
    lambda f, s, p: walk_by_recursion(f, s, p) - {s} if p else {s}
)
wrong("18.7", "one step", "the first step only")(lambda f, s, p: walk_by_recursion(f, s, p[:1]))


@wrong("18.7", "a path used up", "chang")
def _(facts, start, path):
    here = {start}
    while path:
        step = path.pop(0)
        here = set().union(*(walk_by_recursion(facts, place, [step]) for place in here))
    return here


@wrong("18.7", "hyphens thrown out", "a hyphen")
def _(facts, start, path):
    plain = [(s, r.replace("-", ""), o) for s, r, o in facts if "-" not in r]
    return walk_by_recursion(plain, start, path)


@wrong("18.7", "a hyphen anywhere", "a hyphen")
def _(facts, start, path):
    here = {start}
    for step in path:
        relation = step.removeprefix("-")
        links = [(o, s) if "-" in step else (s, o) for s, r, o in facts if r == relation]
        here = {there for place, there in links if place in here}
    return here


right("18.7", "recursion")(walk_by_recursion)


@right("18.7", "sets")
def _(facts, start, path):
    here = {start}
    for step in path:
        links = [(s, o) for s, r, o in facts if r == step.removeprefix("-")]
        if step.startswith("-"):
            links = [(o, s) for s, o in links]
        here = {there for place, there in links if place in here}
    return here


# ------------------------------------------------------------------ all


@parametrised(WRONG)
def test_wrong_answer_is_rejected_with_words_that_help(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


def test_every_exercise_has_enough_answers():
    assert_enough_answers(18, WRONG, RIGHT)


def test_the_weights_on_paper_are_those_of_the_package():
    passages = ["all rare", "all", "all"]
    assert [BM25(passages).idf(word) for word in ("rare", "all")] == [
        numpy.testing.assert_allclose(x, y) or x
        for x, y in zip((BM25(passages).idf("rare"), BM25(passages).idf("all")), GOOD)
    ]
