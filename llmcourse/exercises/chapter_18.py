"""Checks of chapter 18: BM25, fused ranks, ranks with ties, F1, spans, thresholds, paths."""

import math
import re
from itertools import product

from llmcourse.exercises.exercise import Case, Exercise, Mistake

# ------------------------------------------------------------------ 18.2


def fused_by_looking_up(rankings, k, *, first=1, worth=lambda k, rank: 1 / (k + rank), absent=None):
    """For each id, its rank in each ranking; one thing may be done wrong."""
    ids = {passage for ranking in rankings for passage in ranking}
    total = {}
    for passage in ids:
        parts = []
        for ranking in rankings:
            if passage in ranking:
                parts.append(worth(k, ranking.index(passage) + first))
            elif absent:
                parts.append(worth(k, absent(ranking)))
        total[passage] = math.fsum(parts)
    return total


def mean_of_ranks(rankings, k):
    total = fused_by_looking_up(rankings, k)
    return {i: s / sum(i in r for r in rankings) for i, s in total.items()}


def last_ranking(rankings, k):
    return {p: 1 / (k + rank) for ranking in rankings for rank, p in enumerate(ranking, 1)}


# ------------------------------------------------------------------ 18.3


def rank_by_sorting(scores, right):
    """Sorted so that the right one comes last among its equals."""
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i == right))
    return order.index(right) + 1


# ------------------------------------------------------------------ 18.4


def plain_words(text):
    return re.findall(r"\w+", text.lower())


def f1_by_crossing_off(answer, right, *, split=plain_words, little=("a", "an", "the"), empty=1.0):
    """Cross off each word of the answer in a list of the right ones."""
    a, b = ([w for w in split(text) if w not in little] for text in (answer, right))
    if not a or not b:
        return empty if a == b else 0.0
    left, common = list(b), 0
    for word in a:
        if word in left:
            left.remove(word)
            common += 1
    if common == 0:
        return 0.0
    precision, recall = common / len(a), common / len(b)
    return 2 * precision * recall / (precision + recall)


def f1_of_sets(answer, right):
    a, b = ({w for w in plain_words(t) if w not in ("a", "an", "the")} for t in (answer, right))
    return 1.0 if not a and not b else 2 * len(a & b) / (len(a) + len(b))


def part_of(which, mean=False):
    def score(answer, right):
        a, b = ([w for w in plain_words(t) if w not in ("a", "an", "the")] for t in (answer, right))
        common = sum(min(a.count(w), b.count(w)) for w in set(a))
        parts = [common / max(len(a), 1), common / max(len(b), 1)]
        if not a and not b:
            return 1.0
        return sum(parts) / 2 if mean else parts[which]

    return score


# ------------------------------------------------------------------ 18.5


def piece_by_trying(start, end, longest, *, extra=0, ordered=True, none=True, first=1, value=None):
    """The best piece, all of them tried, in which one thing may be done wrong."""
    value = value or (lambda i, j: start[i] + end[j])
    pieces = [
        (i, j)
        for i, j in product(range(first, len(start)), repeat=2)
        if not ordered or 0 <= j - i < longest + extra
    ]
    best = max(pieces, key=lambda piece: value(*piece))
    return None if none and start[0] + end[0] > value(*best) else best


def two_maxima(start, end, longest):
    i = max(range(1, len(start)), key=start.__getitem__)
    j = max(range(1, len(end)), key=end.__getitem__)
    return None if start[0] + end[0] > start[i] + end[j] else (i, j)


def start_first(start, end, longest):
    """The best start, and then the best end for it."""
    i = max(range(1, len(start)), key=start.__getitem__)
    j = max(range(i, min(i + longest, len(end))), key=end.__getitem__)
    return None if start[0] + end[0] > start[i] + end[j] else (i, j)


# ------------------------------------------------------------------ 18.6


def silence_by_counting(
    scores, right, cost, *, strict=False, price=None, silent=True, largest=True
):
    """All thresholds, from the largest down, in which one thing may be done wrong."""
    best, worth = (math.inf, 0.0) if silent else (None, -math.inf)
    for threshold in sorted(set(scores), reverse=True):
        said = [ok for s, ok in zip(scores, right) if (s > threshold if strict else s >= threshold)]
        gain = sum(said) - (cost if price is None else price) * (len(said) - sum(said))
        if gain > worth or (gain == worth and not largest):
            best, worth = threshold, gain
    return best


def silence_one_by_one(scores, right, cost):
    """Goes through the sorted answers, and stops in the middle of equals."""
    best, worth, gain = math.inf, 0.0, 0.0
    for score, ok in sorted(zip(scores, right), key=lambda pair: (-pair[0], -pair[1])):
        gain += 1 if ok else -cost
        if gain > worth:
            best, worth = score, gain
    return best


def best_precision(scores, right, cost):
    def precision(threshold):
        said = [ok for s, ok in zip(scores, right) if s >= threshold]
        return sum(said) / len(said)

    return max(sorted(set(scores), reverse=True), key=precision)


# ------------------------------------------------------------------ 18.7


def walk_by_recursion(facts, start, path, *, forwards=None, one=False, keep=False, there=False):
    """Where a path leads, step after step, in which one thing may be done wrong."""
    if not path:
        return {start}
    step, rest = path[0], path[1:]
    relation, back = step.lstrip("-"), step.startswith("-") if forwards is None else forwards
    reached = [
        (s if back else o) for s, r, o in facts if r == relation and start == (o if back else s)
    ]
    if there:
        reached = [place for place in reached if place != start]
    reached = reached[:1] if one else reached
    found = {start} if keep else set()
    for place in reached:
        found |= walk_by_recursion(
            facts, place, rest, forwards=forwards, one=one, keep=keep, there=there
        )
    return found


def walk_both_ways(facts, start, path):
    here = {start}
    for step in path:
        links = [(s, o) for s, r, o in facts if r == step.lstrip("-")]
        here = {b for a, b in links if a in here} | {a for a, b in links if b in here}
    return here


def walk_backwards(facts, start, path):
    return walk_by_recursion(facts, start, path[::-1])


FAMILY = [
    ("Ines", "child of", "Abel"),
    ("Dag", "child of", "Abel"),
    ("Pip", "married to", "Dag"),
    ("Ines", "lives in", "Chapel Row"),
    ("Dag", "lives in", "Quay Steps"),
    ("Abel", "lives in", "Quay Steps"),
    ("Chapel Row", "part of", "Ellmoor"),
    ("Quay Steps", "part of", "Ellmoor"),
    ("Ida", "child of", "Dag"),
    ("Pip", "daughter-in-law of", "Abel"),
]

LN = math.log

EXERCISES = (
    Exercise(
        id="18.1",
        title="What does a word weigh?",
        level="easy",
        minutes=8,
        hints=(
            "The formula for the idf stands in the chapter. n is 3; what is the number of passages "
            "with the word, in (a) and in (b)?",
            "(a) is ln(1 + 2.5 / 1.5). For (c) put f = 2 and k1 = 1.5 in. For (d), what is "
            "f / (f + 1.5) for a very large f?",
            "[ln(1 + 2.5 / 1.5), ln(1 + 0.5 / 3.5), 2 * 2.5 / 3.5, ...]: the last one is k1 plus?",
        ),
        cases=(
            Case(
                (),
                "four numbers, to three decimals.",
                [LN(1 + 2.5 / 1.5), LN(1 + 0.5 / 3.5), 5 / 3.5, 2.5],
                rtol=0,
                atol=2e-3,
            ),
        ),
        mistakes=(
            Mistake([LN(2.5 / 1.5), LN(0.5 / 3.5), 5 / 3.5, 2.5], "leaving out the 1 inside the "
                    "logarithm: then a word that stands everywhere would weigh less than nothing."),
            Mistake([LN(3), 0.0, 5 / 3.5, 2.5], "taking ln(n / n_w), another idf."),
            Mistake([math.log2(1 + 2.5 / 1.5), math.log2(1 + 0.5 / 3.5), 5 / 3.5, 2.5], "taking "
                    "the logarithm to the base 2."),
            Mistake([math.log10(1 + 2.5 / 1.5), math.log10(1 + 0.5 / 3.5), 5 / 3.5, 2.5], "taking "
                    "the logarithm to the base 10."),
            Mistake([LN(1 + 2.5 / 1.5), LN(1 + 0.5 / 3.5), 2.0, 2.5], "counting the word twice in "
                    "(c). The fraction makes less of it."),
            Mistake([LN(1 + 2.5 / 1.5), LN(1 + 0.5 / 3.5), 2 / 3.5, 1.0], "leaving out (k1 + 1) "
                    "above the line."),
            Mistake([LN(1 + 2.5 / 1.5), LN(1 + 0.5 / 3.5), 5 / 3.5, 1.5], "giving k1 for (d). "
                    "Above the line stands f (k1 + 1)."),
            Mistake([LN(1 + 2.5 / 1.5), LN(1 + 0.5 / 3.5), 5 / 3.5, math.inf], "letting (d) grow "
                    "without end. f stands above and below the line."),
            Mistake([LN(1 + 0.5 / 3.5), LN(1 + 2.5 / 1.5), 5 / 3.5, 2.5], "exchanging (a) and (b). "
                    "The rare word weighs more."),
        ),
    ),
    Exercise(
        id="18.2",
        title="Two searches into one",
        level="medium",
        minutes=12,
        call="fuse(rankings, k)",
        hints=(
            "Go through the rankings, and in each through its ids with their ranks.",
            "enumerate(ranking, 1) counts from 1. A dictionary collects the sums; an id that is "
            "new starts at 0.",
            "scores[passage] = scores.get(passage, 0) + 1 / (k + ...)?",
        ),
        reference=fused_by_looking_up,
        cases=(
            Case(([["a"]], 1), "one ranking with one passage: 1 / (k + 1).", {"a": 0.5}),
            Case(([["a", "b", "c"]], 60), "one ranking of three.",
                 {"a": 1 / 61, "b": 1 / 62, "c": 1 / 63}),
            Case(([["a", "b"], ["b", "a"]], 1), "two rankings: the parts are added.",
                 {"a": 0.5 + 1 / 3, "b": 0.5 + 1 / 3}),
            Case(([["a", "b"], ["c"]], 1), "what a ranking has not found gets nothing from it.",
                 {"a": 0.5, "b": 1 / 3, "c": 0.5}),
            Case(([["a", "b", "c"], ["c", "d"], []], 10), "three rankings, one of them empty."),
            Case(([[3, 1, 2], [2, 3, 1], [1, 2, 3]], 0), "ids may be numbers, and k may be 0."),
            Case(([], 60), "no ranking: nothing has been found.", {}),
        ),
        mistakes=(
            Mistake(lambda r, k: fused_by_looking_up(r, k, first=0) if k else None, "counting "
                    "ranks from 0."),
            Mistake(lambda r, k: fused_by_looking_up(r, k, worth=lambda k, rank: 1 / rank),
                    "leaving out k."),
            Mistake(lambda r, k: fused_by_looking_up(r, k, worth=lambda k, rank: 1 / k + 1 / rank)
                    if k else None, "adding 1/k and 1/rank. It is 1 / (k + rank)."),
            Mistake(lambda r, k: fused_by_looking_up(r, k, worth=lambda k, rank: k + rank),
                    "adding up ranks. Good passages must get more, not less."),
            Mistake(lambda r, k: fused_by_looking_up(r, k, absent=lambda x: len(x) + 1), "giving "
                    "what a ranking has left out the rank after its last."),
            Mistake(mean_of_ranks, "averaging over the rankings that have the passage. A passage "
                    "that two searches have found should be ahead."),
            Mistake(last_ranking, "keeping the last ranking only. Add to what is there."),
            Mistake(lambda r, k: sorted(s := fused_by_looking_up(r, k), key=s.get, reverse=True),
                    "returning the ids in order. The scores are wanted, as a dictionary."),
        ),
    ),
    Exercise(
        id="18.3",
        title="The rank, honestly",
        level="easy",
        minutes=8,
        call="honest_rank(scores, right)",
        hints=(
            "No sorting is needed. How many have to come before the right one?",
            "All with a larger score, and all others with the same one. The right one itself is "
            "the 1 from which ranks count.",
            "sum(score >= scores[right] for score in scores). Does that count the right one too?",
        ),
        reference=rank_by_sorting,
        cases=(
            Case(([0.9, 0.1, 0.5], 0), "the largest score: rank 1.", 1),
            Case(([0.9, 0.1, 0.5], 1), "the smallest of three.", 3),
            Case(([0.9, 0.1, 0.5], 2), "in the middle.", 2),
            Case(([5.0, 5.0, 2.0, 2.0], 2), "two are better, one is equal.", 4),
            Case(([0.0, 0.0, 0.0, 0.0], 0), "all are equal: the others count as if before it.", 4),
            Case(([2.0, 5.0, 2.0, 1.0, 2.0], 2), "one is better, two are equal.", 4),
            Case(([-3.0, -1.0, -2.0], 2), "scores may be negative.", 2),
            Case(([7.0], 0), "a single passage.", 1),
        ),
        mistakes=(
            Mistake(lambda s, r: sum(x > s[r] for x in s) + 1, "letting ties count for the right "
                    "one."),
            Mistake(lambda s, r: sum(x >= s[r] for x in s) - 1, "counting from 0."),
            Mistake(lambda s, r: sum(x >= s[r] for x in s) + 1, "counting the right one twice."),
            Mistake(lambda s, r: sum(x <= s[r] for x in s), "counting from the bottom: the larger "
                    "the score, the better."),
            Mistake(lambda s, r: sorted(range(len(s)), key=lambda i: -s[i]).index(r) + 1, "leaving "
                    "ties to the order in which the passages happen to stand."),
            Mistake(lambda s, r: sorted(range(len(s)), key=lambda i: -s[i])[r] + 1, "giving the "
                    "passage at place `right`. Wanted is the place of the passage `right`."),
            Mistake(lambda s, r: len({x for x in s if x >= s[r]}), "counting equal scores once."),
            Mistake(lambda s, r: 1 / sum(x >= s[r] for x in s), "giving the reciprocal."),
        ),
    ),
    Exercise(
        id="18.4",
        title="Near misses",
        level="medium",
        minutes=12,
        call="near_miss(answer, right)",
        hints=(
            "Make a bag of each text first: a Counter of its words, without the three little ones.",
            "`a & b` of two Counters keeps the smaller count of each word; `.total()` adds up. "
            "Precision is the common ones over the answer's, recall over the right one's.",
            "2 * common / (a.total() + b.total()). When would that divide by zero, and what is "
            "wanted then?",
        ),
        reference=f1_by_crossing_off,
        cases=(
            Case(("Bram Colley", "Bram Colley"), "the same text.", 1.0),
            Case(("noon", "midnight"), "nothing in common.", 0.0),
            Case(("at noon", "noon"), "precision 1/2, recall 1.", 2 / 3),
            Case(("noon", "at noon"), "precision 1, recall 1/2.", 2 / 3),
            Case(("The Dunlin.", "the dunlin"), "capitals and full stops do not count.", 1.0),
            Case(("a black ball", "the black ball"), "nor do a, an and the.", 1.0),
            Case(("no no no", "no"), "a word that is said three times is in common once.", 0.5),
            Case(("one by one", "one by one by one"), "bags: two of one, one of by.", 0.75),
            Case(("", ""), "both are empty: right to say nothing.", 1.0),
            Case(("", "noon"), "the answer is empty.", 0.0),
            Case(("noon", ""), "the right answer is empty.", 0.0),
            Case(("the", "an"), "after the little words are gone, both are empty.", 1.0),
            Case(("the smith Bram Colley", "Bram Colley"), "2 of 3, and 2 of 2.", 0.8),
        ),
        mistakes=(
            Mistake(f1_of_sets, "taking sets. A word that is said three times then counts once."),
            Mistake(part_of(0), "giving the precision alone: the share of the answer."),
            Mistake(part_of(1), "giving the recall alone: the share of the right answer."),
            Mistake(part_of(0, mean=True), "averaging precision and recall. F1 is their harmonic "
                    "mean."),
            Mistake(lambda a, b: f1_by_crossing_off(a, b, little=()), "counting a, an and the."),
            Mistake(lambda a, b: f1_by_crossing_off(a, b, split=str.split), "not making letters "
                    "small, nor taking punctuation away."),
            Mistake(lambda a, b: f1_by_crossing_off(a, b, empty=0.0), "giving 0 when both are "
                    "empty. Nothing was to be said, and nothing was."),
            Mistake(lambda a, b: float(f1_by_crossing_off(a, b) == 1), "giving exact match."),
        ),
    ),
    Exercise(
        id="18.5",
        title="The best piece",
        level="medium",
        minutes=12,
        call="best_piece(start, end, longest)",
        hints=(
            "There are few enough pieces to try them all: two loops.",
            "first runs from 1; last from first on, and a piece of `longest` tokens is still "
            "allowed. Keep the best sum, and compare it with start[0] + end[0].",
            "[(i, j) for i in range(1, len(start)) for j in range(i, min(..., len(start)))]: which "
            "last j is not allowed any more?",
        ),
        reference=piece_by_trying,
        cases=(
            Case(([0.0, 5.0, 0.0], [0.0, 4.0, 0.0], 2), "one token is the answer.", (1, 1)),
            Case(([0.0, 5.0, 0.0, 1.0], [0.0, 0.0, 1.0, 4.0], 3), "three tokens.", (1, 3)),
            Case(([0.0, 1.0, 9.0, 0.0], [0.0, 8.0, 0.5, 2.0], 3), "the best end stands before the "
                 "best start: no piece.", (2, 3)),
            Case(([9.0, 1.0, 2.0], [9.0, 1.0, 2.0], 2), "no answer is better than any piece.",
                 None),
            Case(([9.0, 1.0, 6.0], [-5.0, 1.0, 2.0], 2), "it is the *sum* at token 0 that is "
                 "compared.", (2, 2)),
            Case(([0.0, 5.0, 1.5, 1.0, 0.5], [0.0, 0.0, 1.0, 2.0, 9.0], 3), "the best pair is 4 "
                 "tokens long, and 3 are allowed.", (2, 4)),
            Case(([0.0, 5.0, 1.0, 1.5], [0.0, 0.0, 1.0, 4.0], 1), "a single token at most.",
                 (3, 3)),
            Case(([0.5, 4.0, 4.5, 0.0], [1.5, 0.0, -9.0, 5.0], 2), "the best start is not part of "
                 "it only if the sum says so.", (2, 3)),
            Case(([0.0, 4.5, 4.0, 0.0], [0.0, 0.1, 0.0, 5.0], 2), "the second best start may have "
                 "the best end within reach.", (2, 3)),
            Case(([0.0, -5.0, -6.0], [-20.0, -7.0, -7.5], 5), "logits may be negative, and longest "
                 "more than there is.", (1, 1)),
        ),
        mistakes=(
            Mistake(two_maxima, "taking the best start and the best end alone. The end may come "
                    "before the start, or be too far away."),
            Mistake(start_first, "fixing the best start first. Another start may have a better "
                    "end."),
            Mistake(lambda s, e, n: piece_by_trying(s, e, n, extra=1), "allowing one token too "
                    "many."),
            Mistake(lambda s, e, n: piece_by_trying(s, e, max(n - 1, 1)),
                    "allowing one token too few."),
            Mistake(lambda s, e, n: piece_by_trying(s, e, n, none=False), "never returning None."),
            Mistake(lambda s, e, n: piece_by_trying(s, e, n, first=0), "letting a piece begin at "
                    "token 0, which stands for no answer."),
            Mistake(lambda s, e, n: piece_by_trying(s, e, len(s)), "ignoring `longest`."),
            Mistake(lambda s, e, n: (p := piece_by_trying(s, e, n)) and (p[0], p[1] + 1), "giving "
                    "the token after the last one. The last one itself is wanted."),
            Mistake(lambda s, e, n: piece_by_trying(s, e, n, value=lambda i, j: s[i] * e[j]),
                    "multiplying. Logits are added, as logarithms of probabilities are."),
        ),
    ),
    Exercise(
        id="18.6",
        title="When to be silent",
        level="hard",
        minutes=15,
        call="silence(scores, right, cost)",
        hints=(
            "How much is a given threshold worth? Write that first.",
            "The sum over the answers with score >= threshold of 1 or -cost. Try each score, and "
            "infinity.",
            "max([*scores, math.inf], key=lambda t: (worth(t), ...)): what makes the largest of "
            "equals win?",
        ),
        reference=silence_by_counting,
        cases=(
            Case(([3.0], [True], 1.0), "one answer, and it is right: say it.", 3.0),
            Case(([3.0], [False], 1.0), "one answer, and it is wrong: never answer.", math.inf),
            Case(([1.0, 3.0, 2.0], [False, True, True], 1.0), "the two best are right.", 2.0),
            Case(([4.0, 3.0, 2.0, 1.0], [True, False, True, True], 1.0), "a wrong one in between "
                 "is worth it, for the two after it.", 1.0),
            Case(([4.0, 3.0, 2.0, 1.0], [True, False, True, True], 2.5), "at a higher cost it is "
                 "not.", 4.0),
            Case(([2.0, 2.0, 1.0], [True, False, True], 1.0), "equal scores stand or fall "
                 "together.", 1.0),
            Case(([2.0, 2.0], [True, False], 1.0), "the two together are worth nothing: be "
                 "silent.", math.inf),
            Case(([5.0, 4.0, 3.0], [True, True, False], 0.0), "wrong answers cost nothing here; "
                 "of equal thresholds the largest.", 4.0),
            Case(([-1.0, -2.0, -3.0, -9.0], [True, True, False, False], 0.5), "scores may be "
                 "negative.", -2.0),
            Case(([6.0, 5.0, 4.0, 3.0], [True, False, True, False], 1.0), "6 and 4 are worth the "
                 "same: take 6.", 6.0),
        ),
        mistakes=(
            Mistake(lambda s, r, c: silence_by_counting(s, r, c, strict=True), "answering above "
                    "the threshold only. At the threshold it answers too."),
            Mistake(lambda s, r, c: silence_by_counting(s, r, c, price=1.0), "ignoring the cost."),
            Mistake(lambda s, r, c: silence_by_counting(s, r, c, price=0.0), "counting right "
                    "answers only."),
            Mistake(lambda s, r, c: silence_by_counting(s, r, c, silent=False), "never trying "
                    "infinity. Silence is worth 0."),
            Mistake(lambda s, r, c: silence_by_counting(s, r, c, largest=False), "taking the "
                    "smallest of equal thresholds."),
            Mistake(silence_one_by_one, "splitting equal scores. They stand or fall together."),
            Mistake(best_precision, "looking for the largest share of right answers. One right "
                    "answer has the share 1."),
            Mistake(lambda s, r, c: min(s), "answering always."),
        ),
    ),
    Exercise(
        id="18.7",
        title="Follow the path",
        level="hard",
        minutes=15,
        call="walk(facts, start, path)",
        hints=(
            "Keep the set of where one can be; each step makes a new set from it.",
            'Forwards: the objects of the facts whose subject is in the set. With "-": the other '
            "way round.",
            "here = {o for s, r, o in facts if r == relation and s in here}. And backwards?",
        ),
        reference=walk_by_recursion,
        cases=(
            Case((FAMILY, "Ines", []), "no step: one stays.", {"Ines"}),
            Case((FAMILY, "Ines", ["child of"]), "one step forwards.", {"Abel"}),
            Case((FAMILY, "Abel", ["-child of"]), "one step backwards leads to two.",
                 {"Ines", "Dag"}),
            Case((FAMILY, "Ines", ["child of", "lives in"]), "two steps forwards.", {"Quay Steps"}),
            Case((FAMILY, "Abel", ["-child of", "lives in"]), "a step goes from all that was "
                 "reached.", {"Chapel Row", "Quay Steps"}),
            Case((FAMILY, "Pip", ["married to", "child of", "lives in"]), "three steps.",
                 {"Quay Steps"}),
            Case((FAMILY, "Abel", ["-child of", "-child of"]), "the grandchildren: only Dag has a "
                 "child.", {"Ida"}),
            Case((FAMILY, "Ines", ["child of", "-child of"]), "up and down again: Ines is one of "
                 "them.", {"Ines", "Dag"}),
            Case((FAMILY, "Ida", ["married to"]), "a step that leads nowhere.", set()),
            Case((FAMILY, "Dag", ["married to"]), "only against the direction would it lead to "
                 "Pip.", set()),
            Case((FAMILY, "Nobody", ["lives in"]), "an unknown start.", set()),
            Case((FAMILY, "Pip", ["daughter-in-law of"]), "only a hyphen in front turns a step "
                 "round.", {"Abel"}),
            Case((FAMILY, "Abel", ["-daughter-in-law of"]), "and a hyphen within the name stays.",
                 {"Pip"}),
        ),
        mistakes=(
            Mistake(lambda f, s, p: walk_by_recursion(f, s, p, forwards=False), "always going "
                    'forwards. "-" is against the direction.'),
            Mistake(lambda f, s, p: walk_by_recursion(f, s, p, forwards=True), "always going "
                    "backwards."),
            Mistake(walk_both_ways, "going both ways in each step."),
            Mistake(lambda f, s, p: walk_by_recursion(f, s, p, one=True), "keeping the first that "
                    "is found. There may be several."),
            Mistake(lambda f, s, p: walk_by_recursion(f, s, p, keep=True), "keeping the places in "
                    "between. Only the end is wanted."),
            Mistake(walk_backwards, "taking the steps in the wrong order."),
            Mistake(lambda f, s, p: walk_by_recursion(f, s, p) - {s} if p else {s}, "leaving out "
                    "the start. One may come back to it."),
            Mistake(lambda f, s, p: walk_by_recursion(f, s, p[:1]), "taking the first step only."),
        ),
    ),
)  # fmt: skip
