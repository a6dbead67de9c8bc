"""The checks of chapter 22 tell wrong answers from right ones."""

import math

import numpy
import pytest
import torch

from llmcourse.exercises.chapter_22 import (
    by_count,
    by_place,
    clipped_mean,
    exact_epsilon,
    largest_line,
    line_by_sorting,
    minus_log_probs,
    noise_after,
    noise_each,
    one_by_one,
    over_rows,
    over_sentences,
    pairs_of,
    ranked,
)
from llmcourse.privacy import exposure, privacy_loss, private_gradients
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)

# ------------------------------------------------------------------ 22.1 exposure on paper

wrong("22.1", "rank 64", "It is 32")([12, 6, 0, 1 / 64])
wrong("22.1", "last has all", "giving the last rank")([12, 6, 12, 1 / 128])
wrong("22.1", "turned round", "turning it round")([0, 6, 12, 1 / 128])
wrong("22.1", "natural", "natural logarithms")([math.log(4096), math.log(64), 0, 1 / 128])
wrong("22.1", "ranks counted", "counting the ranks")([12, 6, 0, 32])
wrong("22.1", "no logarithm", "leaving out the logarithm")([12, 64, 0, 1 / 128])
wrong("22.1", "other side", "less than 7 bits")([12, 6, 0, 127 / 128])
wrong("22.1", "three numbers", "4 numbers are wanted, and you give 3")([12, 6, 0])
right("22.1", "numbers")([12, 6, 0, 0.0078125])
right("22.1", "expressions")((math.log2(4096), math.log2(4096 / 64), 0.0, 32 / 4096))

# ------------------------------------------------------------------ 22.2 a careful rank

wrong("22.2", "wins ties", "win against its equals")(lambda p, s: ranked(p, s, ties="first"))
wrong("22.2", "from 0", "counting ranks from 0")(lambda p, s: ranked(p, s, first=0))
wrong("22.2", "natural", "natural logarithms")(lambda p, s: ranked(p, s, base=math.e))
wrong("22.2", "reversed", "ranking the least likely first")(lambda p, s: ranked(p, s, reverse=True))
wrong("22.2", "no candidates", "leaving out the number")(lambda p, s: -ranked(p, s, minus=False))
wrong("22.2", "place", "the place of the secret")(by_place)
wrong("22.2", "rows", "the number of secrets")(over_rows)
wrong("22.2", "probability", "taking the probability")(minus_log_probs)
wrong("22.2", "mean", "One for each is wanted")(lambda p, s: ranked(p, s).mean())


@wrong("22.2", "argsort once", "")
def _(log_probs, secrets):
    rank = log_probs.argsort(dim=1, descending=True).gather(1, secrets[:, None])[:, 0] + 1
    return math.log2(log_probs.shape[1]) - rank.double().log2()


@right("22.2", "the package, row by row")
def _(log_probs, secrets):
    return torch.tensor([exposure(p, int(s)) for p, s in zip(log_probs, secrets)])


@right("22.2", "gather")
def _(log_probs, secrets):
    own = log_probs.gather(1, secrets[:, None])
    return math.log2(log_probs.shape[1]) - (log_probs >= own).sum(1).double().log2()


# ------------------------------------------------------------------ 22.3 a private step

wrong("22.3", "mean clipped", "clipping the mean")(clipped_mean)
for how, says in (
    ("elements", "clipping each number"),
    ("unit", "stretching short"),
    ("zero", "dropping long"),
    ("none", "not clipping"),
):
    wrong("22.3", how, says)(lambda *a, how=how: one_by_one(*a, how=how))
wrong("22.3", "noise unscaled", "does not grow with the clip")(
    lambda *a: one_by_one(*a, scale=False)
)
wrong("22.3", "noise after", "after the division")(noise_after)
wrong("22.3", "noise each", "once for each example")(noise_each)
wrong("22.3", "true size", "tells of its members")(
    lambda g, c, n, z, e: one_by_one(g, c, n, z, max(len(g), 1))
)
wrong("22.3", "not divided", "not dividing")(lambda g, c, n, z, e: one_by_one(g, c, n, z, 1.0))


@wrong("22.3", "nan for zeros", "no division by zero")
def _(gradients, clip, noise, z, expected):
    norms = gradients.norm(dim=1, keepdim=True)
    return ((gradients / norms * norms.clamp(max=clip)).sum(0) + noise * clip * z) / expected


@wrong("22.3", "in place", "chang")
def _(gradients, clip, noise, z, expected):
    gradients *= (clip / gradients.norm(dim=1, keepdim=True).clamp(min=1e-12)).clamp(max=1)
    return (gradients.sum(0) + noise * clip * z) / expected


right("22.3", "one by one")(one_by_one)


@right("22.3", "divide by the larger")
def _(gradients, clip, noise, z, expected):
    longer = (gradients.norm(dim=1, keepdim=True) / clip).clamp(min=1)
    return (gradients / longer).sum(0) / expected + noise * clip / expected * z


@right("22.3", "the package")
def _(gradients, clip, noise, z, expected):
    clean = private_gradients({"w": gradients}, clip, 0.0, expected)["w"]
    return clean + noise * clip * z / expected


# ------------------------------------------------------------------ 22.4 matched pairs

wrong("22.4", "sentences", "counting sentences as items")(lambda a, b: pairs_of(a, b, items=False))
wrong("22.4", "unpaired", "unpaired")(lambda a, b: pairs_of(a, b, together=False))
wrong("22.4", "n", "n - 1")(lambda a, b: pairs_of(a, b, ddof=0))
wrong("22.4", "spread", "the spread of the items")(lambda a, b: pairs_of(a, b, root=False))
wrong("22.4", "one error", "one standard error")(lambda a, b: pairs_of(a, b, width=1.0))
wrong("22.4", "other way", "second minus first")(lambda a, b: pairs_of(b, a))
wrong("22.4", "wrong axis", "averaging over the items")(over_sentences)
wrong("22.4", "mean alone", "")(lambda a, b: pairs_of(a, b)[0])
wrong("22.4", "absolute", "first minus second")(lambda a, b: pairs_of((a - b).abs(), 0 * a))


@right("22.4", "torch")
def _(first, second):
    gap = first.mean(1) - second.mean(1)
    half = 1.96 * gap.std() / len(gap) ** 0.5
    return gap.mean(), gap.mean() - half, gap.mean() + half


@right("22.4", "numpy")
def _(first, second):
    gap = (first - second).double().numpy().mean(axis=1)
    half = 1.96 * gap.std(ddof=1) / math.sqrt(len(gap))
    return [gap.mean(), gap.mean() - half, gap.mean() + half]


# ------------------------------------------------------------------ 22.5 where to draw the line

wrong("22.5", "on the line", "stopping the line itself")(
    lambda *a: line_by_sorting(*a, strict=False)
)
wrong("22.5", "one more", "one false alarm too many")(lambda *a: line_by_sorting(*a, extra=1))
wrong("22.5", "one less", "one false alarm too few")(lambda *a: line_by_sorting(*a, extra=-1))
wrong("22.5", "attacks", "through the attacks")(lambda *a: line_by_sorting(*a, swap=True))
wrong("22.5", "missed", "the share that is missed")(lambda *a: line_by_sorting(*a, misses=True))
wrong("22.5", "highest", "highest harmless score")(largest_line)
wrong("22.5", "count", "counting the attacks")(by_count)
wrong("22.5", "swapped", "other order")(lambda *a: line_by_sorting(*a)[::-1])


@wrong("22.5", "a quantile between scores", "")
def _(harmless, attacks, alarms):
    line = float(numpy.quantile(harmless, 1 - alarms))
    return line, float(numpy.mean(numpy.array(attacks) > line))


right("22.5", "sorting")(line_by_sorting)


@right("22.5", "trying")
def _(harmless, attacks, alarms):
    good = [s for s in harmless if sum(h > s for h in harmless) <= alarms * len(harmless) + 1e-9]
    return min(good), sum(a > min(good) for a in attacks) / len(attacks)


# ------------------------------------------------------------------ 22.6 one in a thousand

THIRD = 90 / 99_900
wrong("22.6", "recall", "share of stopped ones")([2088, 0.9, THIRD])
wrong("22.6", "false alone", "false alarms alone")([1998, 90 / 2088, THIRD])
wrong("22.6", "attacks among harmless", "counting the attacks among")([2090, 90 / 2090, 0.0009])
wrong("22.6", "false share", "share of false alarms")([2088, 1998 / 2088, THIRD])
wrong("22.6", "number", "A share is wanted")([2088, 90 / 2088, 90])
wrong("22.6", "by the false ones", "dividing by the false alarms")([2088, 90 / 1998, THIRD])
wrong("22.6", "two numbers", "3 numbers are wanted, and you give 2")([2088, 90 / 2088])
right("22.6", "numbers")([2088, 0.0431034, 0.000900901])
right("22.6", "expressions")((90 + 0.02 * 99_900, 90 / (90 + 0.02 * 99_900), 1 / 1110))

# ------------------------------------------------------------------ 22.7 the accountant

for name, says, settings in (
    ("sigma", "the square of sigma", {"square": False}),
    ("two", "leaving out the 2", {"half": 1.0}),
    ("delta", "what delta costs", {"tail": False}),
    ("largest", "taking the largest", {"best": max}),
    ("delta each step", "delta at every step", {"add": False}),
    ("alpha", "dividing by alpha", {"order": lambda a: a}),
    ("no division", "not dividing by alpha - 1", {"order": lambda a: 1}),
    ("k squared", "k squared", {"pairs": lambda k: k * k}),
    ("flipped", "exchanging q", {"flip": True}),
):
    wrong("22.7", name, says)(lambda *a, settings=settings: exact_epsilon(*a, **settings))
wrong("22.7", "one order less", "")(lambda q, s, n, d, m: exact_epsilon(q, s, n, d, max(2, m - 1)))


@wrong("22.7", "overflow", "")
def _(q, sigma, steps, delta, largest):
    def divergence(a):
        total = sum(
            math.comb(a, k) * (1 - q) ** (a - k) * q**k * math.exp(k * (k - 1) / (2 * sigma**2))
            for k in range(a + 1)
        )
        return math.log(total) / (a - 1)

    return min(steps * divergence(a) + math.log(1 / delta) / (a - 1) for a in range(2, largest + 1))


@wrong("22.7", "stops at the overflow", "at which the exponential overflows")
def _(q, sigma, steps, delta, largest):
    best = math.inf
    for a in range(2, largest + 1):
        try:
            total = sum(
                math.comb(a, k) * (1 - q) ** (a - k) * q**k * math.exp(k * (k - 1) / (2 * sigma**2))
                for k in range(a + 1)
            )
        except OverflowError:
            break
        best = min(best, (steps * math.log(total) + math.log(1 / delta)) / (a - 1))
    return best


right("22.7", "exact binomials")(exact_epsilon)


@right("22.7", "logsumexp")
def _(q, sigma, steps, delta, largest):
    def divergence(a):
        k = torch.arange(a + 1, dtype=torch.float64)
        whole = torch.tensor(a + 1.0, dtype=torch.float64).lgamma()
        terms = whole - (k + 1).lgamma() - (a - k + 1).lgamma()
        terms = terms + k * math.log(q) + (a - k) * math.log(1 - q) + k * (k - 1) / (2 * sigma**2)
        return terms.logsumexp(0).item() / (a - 1)

    orders = range(2, largest + 1)
    return min(steps * divergence(a) - math.log(delta) / (a - 1) for a in orders)


@parametrised(WRONG)
def test_wrong_answers_are_told_what_is_wrong(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answers_are_accepted(given):
    assert_accepted(given)


def test_every_exercise_has_enough_answers():
    assert_enough_answers(22, WRONG, RIGHT)


def test_package_agrees_with_the_reference_of_the_accountant():
    for case in ((0.01, 4.0, 10_000, 1e-5), (0.1, 1.0, 200, 1e-4)):
        assert privacy_loss(*case) == pytest.approx(exact_epsilon(*case, 64), rel=1e-9)
