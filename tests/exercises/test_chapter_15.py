"""The checks of chapter 15 tell wrong answers from right ones."""

import math

import numpy as np
import pytest
import torch

from llmcourse.exercises.exercise import find
from llmcourse.scaling import LossFit, chinchilla_optimal
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)

# ------------------------------------------------------------------ 15.1 two curvatures

wrong("15.1", "limit of the flat one", "the limit of the flat direction")([2, 0.94, -0.5])
wrong("15.1", "one over the curvature", "1 over the curvature")([1 / 25, 0.94, -0.5])
wrong("15.1", "no sign", "losing a sign")([0.08, 0.94, 0.5])
wrong("15.1", "what is taken away", "what is taken away")([0.08, 0.06, 1.5])
wrong("15.1", "swapped", "swapping x and y")([0.08, -0.5, 0.94])
wrong("15.1", "half forgotten", "forgetting the half")([0.04, 0.88, -2])
wrong("15.1", "half taken twice", "the half in front of the bracket twice")([0.16, 0.94, -0.5])
wrong("15.1", "uphill", "stepping up the slope")([0.08, 1.06, 2.5])
wrong("15.1", "sum of curvatures", "the sum of the curvatures")([2 / 26, 0.94, -0.5])
wrong("15.1", "two numbers", "3 numbers are wanted, and you give 2")([0.08, 0.94])
wrong("15.1", "rounded", "three numbers are wanted")([0.1, 0.9, -0.5])
right("15.1", "fractions")([2 / 25, 47 / 50, -1 / 2])
right("15.1", "a tensor")(torch.tensor([0.08, 0.94, -0.5]))
right("15.1", "a tuple")((0.08, 1 - 0.06, 1 - 1.5))

# ------------------------------------------------------------------ 15.2 the noise scale


def parts(gradients, correction=1):
    """Noise of one window, and squared length of the mean."""
    noise = gradients.var(dim=0, correction=correction).sum()
    return noise, gradients.mean(dim=0).square().sum()


@wrong("15.2", "upside down", "dividing the signal by the noise")
def _(gradients):
    noise, length = parts(gradients)
    return (length - noise / len(gradients)) / noise


@wrong("15.2", "noise alone", "the noise alone")
def _(gradients):
    return parts(gradients)[0]


@wrong("15.2", "mean taken for true", "It has noise / n in it")
def _(gradients):
    noise, length = parts(gradients)
    return noise / length


@wrong("15.2", "variance over n", "dividing by n in the variance")
def _(gradients):
    noise, length = parts(gradients, correction=0)
    return noise / (length - noise / len(gradients))


@wrong("15.2", "variance over n above only", "dividing by n in the variance")
def _(gradients):
    noise, length = parts(gradients)
    return parts(gradients, correction=0)[0] / (length - noise / len(gradients))


@wrong("15.2", "both biased", "Both are biased")
def _(gradients):
    noise, length = parts(gradients, correction=0)
    return noise / length


@wrong("15.2", "noise of one window off", "the noise of a single window off")
def _(gradients):
    noise, length = parts(gradients)
    return noise / (length - noise)


@wrong("15.2", "noise added", "once more")
def _(gradients):
    noise, length = parts(gradients)
    return noise / (length + noise / len(gradients))


@wrong("15.2", "over single windows", "the squared length of single windows")
def _(gradients):
    return parts(gradients)[0] / gradients.square().sum(dim=1).mean()


@wrong("15.2", "noise of the mean", "the noise of the mean")
def _(gradients):
    noise, length = parts(gradients)
    return noise / len(gradients) / (length - noise / len(gradients))


@wrong("15.2", "mean of variances", "the mean of the variances")
def _(gradients):
    noise, length = parts(gradients)
    return noise / gradients.shape[1] / (length - noise / len(gradients))


@wrong("15.2", "standard deviations", "The noise scale is 2 / 3")
def _(gradients):
    noise, length = parts(gradients)
    return gradients.std(dim=0).sum() / (length - noise / len(gradients))


@wrong("15.2", "columns are windows", "The noise scale is 2 / 3")
def _(gradients):
    rows, n = gradients.T, gradients.shape[1]
    noise = (rows - rows.mean(dim=0)).square().sum() / max(1, n - 1)
    return noise / (rows.mean(dim=0).square().sum() - noise / n)


@wrong("15.2", "a root", "taking a root")
def _(gradients):
    noise, length = parts(gradients)
    return (noise / (length - noise / len(gradients))) ** 0.5


@right("15.2", "as in the solution")
def _(gradients):
    noise, length = parts(gradients)
    return noise / (length - noise / len(gradients))


@right("15.2", "batches of 1 and of n")
def _(gradients):
    n = len(gradients)
    y_small = gradients.double().square().sum(1).mean()
    y_big = gradients.double().mean(0).square().sum()
    noise = (y_small - y_big) / (1 - 1 / n)
    return float(noise / (y_big - noise / n))


@right("15.2", "all pairs of windows")
def _(gradients):
    products = gradients.double() @ gradients.double().T
    n = len(products)
    signal = (products.sum() - products.trace()) / (n * (n - 1))
    return products.trace() / n / signal - 1


# ------------------------------------------------------------------ 15.3 pieces


def full(gradients, counts):
    return [(g, n) for g, n in zip(gradients, counts) if n]


@wrong("15.3", "mean of means", "the mean of the pieces' means")
def _(gradients, counts):
    kept = [g for g, n in full(gradients, counts)]
    return sum(kept) / len(kept)


@wrong("15.3", "mean of all means", "the mean of the pieces' means")
def _(gradients, counts):
    return torch.stack(gradients).mean(dim=0)


@wrong("15.3", "a sum", "the sum over all tokens")
def _(gradients, counts):
    return sum(g * n for g, n in full(gradients, counts))


@wrong("15.3", "divided by the pieces", "dividing by the number of pieces")
def _(gradients, counts):
    return sum(g * n for g, n in full(gradients, counts)) / len(counts)


@wrong("15.3", "no weight", "without any weight")
def _(gradients, counts):
    return sum(g for g, _ in full(gradients, counts))


@wrong("15.3", "empty piece let in", "0 times nan is nan")
def _(gradients, counts):
    return sum(g * (n / sum(counts)) for g, n in zip(gradients, counts))


@wrong("15.3", "inverse", "weighting by one over the tokens")
def _(gradients, counts):
    kept = full(gradients, counts)
    return sum(g / n for g, n in kept) / sum(1 / n for _, n in kept)


@wrong("15.3", "every nan to zero", "hides the real ones")
def _(gradients, counts):
    stacked = torch.stack(gradients).nan_to_num(0.0)
    weights = torch.tensor(counts, dtype=stacked.dtype) / sum(counts)
    return torch.tensordot(weights, stacked, dims=1)


@wrong("15.3", "starts from the first", "starting from gradients[0] * 0")
def _(gradients, counts):
    total = gradients[0] * 0
    for g, n in full(gradients, counts):
        total = total + g * n
    return total / sum(counts)


@wrong("15.3", "pieces with a nan left out", "must be seen")
def _(gradients, counts):
    kept = [(g, n) for g, n in full(gradients, counts) if not g.isnan().any()]
    return sum(g * n for g, n in kept) / sum(n for _, n in kept)


@wrong("15.3", "longest piece", "the longest piece")
def _(gradients, counts):
    return sum(g * n for g, n in full(gradients, counts)) / max(counts)


@wrong("15.3", "in place", "changes")
def _(gradients, counts):
    total, first = sum(counts), gradients[0]
    first.mul_(counts[0] / total)
    for g, n in full(gradients[1:], counts[1:]):
        first.add_(g * (n / total))
    return first


@wrong("15.3", "flattened", "shape")
def _(gradients, counts):
    return sum(g.flatten()[None] * n for g, n in full(gradients, counts)) / sum(counts)


@right("15.3", "a loop")
def _(gradients, counts):
    mean, seen = torch.zeros_like(gradients[0]), 0
    for g, n in full(gradients, counts):
        seen += n
        mean = mean + (g - mean) * n / seen
    return mean


@right("15.3", "a tensor product of those with tokens")
def _(gradients, counts):
    kept = torch.tensor(counts) > 0
    stacked = torch.stack(gradients)[kept]
    weights = torch.tensor(counts)[kept].to(stacked.dtype) / sum(counts)
    return torch.tensordot(weights, stacked, dims=1)


# ------------------------------------------------------------------ 15.4 bfloat16


def digits(n, rounding=round):
    def answer(x):
        step = 2.0 ** (math.frexp(x)[1] - n)
        return rounding(x / step) * step

    return answer


wrong("15.4", "cut off", "cutting the digits off")(digits(8, math.trunc))
wrong("15.4", "floor", "nearer neighbour")(digits(8, math.floor))
wrong("15.4", "halves away from zero", "rounding halves")(
    digits(8, lambda x: math.copysign(math.floor(abs(x) + 0.5), x))
)
wrong("15.4", "seven digits", "keeping 7 digits")(digits(7))
wrong("15.4", "nine digits", "digit too many")(digits(9))
wrong("15.4", "float16 digits", "the digits of float16")(digits(11))
wrong("15.4", "one step for all", "the same step everywhere")(lambda x: round(x * 128) / 128)
wrong("15.4", "decimals", "decimals")(lambda x: round(x, 2))
wrong("15.4", "float16", "float16")(lambda x: torch.tensor(x).half().item())
wrong("15.4", "sign lost", "losing the sign")(lambda x: digits(8)(abs(x)))
wrong("15.4", "nothing done", "1.005 is")(lambda x: x)
wrong("15.4", "logarithm of zero", "ValueError")(
    lambda x: digits(8)(x) if math.log2(abs(x)) > -1000 else 0.0
)
right("15.4", "frexp")(digits(8))
right("15.4", "numpy rounding")(digits(8, lambda x: float(np.rint(x))))


@right("15.4", "bits")
def _(x):
    bits = int(np.float32(x).view(np.uint32))
    bits += 0x7FFF + ((bits >> 16) & 1)
    return float(np.uint32(bits & 0xFFFF0000).view(np.float32))


@right("15.4", "floor of a logarithm")
def _(x):
    if x == 0:
        return 0.0
    step = 2.0 ** (math.floor(math.log2(abs(x))) - 7)
    return round(x / step) * step


# ------------------------------------------------------------------ 15.5 loss scaling


def scaler(
    *, finite=torch.isfinite, fold=all, divide=lambda g, old, new: g.float() / old, at=0, reset=True
):
    def unscale(gradients, scale, good, interval):
        if not fold([bool(finite(g).all()) for g in gradients]):
            return None, scale / 2, 0 if reset else good
        new, count = scale, good + 1
        if count >= interval + at:
            new, count = 2 * scale, 0
        return [divide(g, scale, new) for g in gradients], new, count

    return unscale


wrong("15.5", "divides in float16", "dividing in float16")(
    scaler(divide=lambda g, old, new: (g / old).float())
)
wrong("15.5", "float16 back", "float16")(scaler(divide=lambda g, old, new: g / old))
wrong("15.5", "multiplies", "multiplying by the scale")(
    scaler(divide=lambda g, old, new: g.float() * old)
)
wrong("15.5", "not unscaled", "the scale still in them")(
    scaler(divide=lambda g, old, new: g.float())
)
wrong("15.5", "by the new scale", "dividing by the new scale")(
    scaler(divide=lambda g, old, new: g.float() / new)
)
wrong("15.5", "no nan", "looking for infinities only")(scaler(finite=lambda g: ~g.isinf()))
wrong("15.5", "nan only", "looking for nan only")(scaler(finite=lambda g: ~g.isnan()))
wrong("15.5", "plus infinity only", "plus infinity only")(
    scaler(finite=lambda g: (g != math.inf) & ~g.isnan())
)
wrong("15.5", "any is enough", "if every tensor is bad")(scaler(fold=any))
wrong("15.5", "first only", "One is enough")(scaler(fold=lambda oks: oks[0]))
wrong("15.5", "count kept", "It starts again")(scaler(reset=False))
wrong("15.5", "looks at the sum", "look at the numbers themselves")(
    scaler(finite=lambda g: torch.isfinite(g.sum()))
)
wrong("15.5", "the largest number shut out", "all three finite")(
    scaler(finite=lambda g: g.abs() < 65504)
)
wrong("15.5", "whole scales only", "1 / 2 is 0.5")(
    lambda gradients, scale, good, interval: (
        scaler()(gradients, scale, good, interval)
        if all(torch.isfinite(g).all() for g in gradients)
        else (None, scale // 2, 0)
    )
)
wrong("15.5", "one late", "one step late")(scaler(at=1))
wrong("15.5", "one early", "one step early")(scaler(at=-1))
wrong("15.5", "two things", "return three things")(
    lambda gradients, scale, good, interval: ([g.float() / scale for g in gradients], scale)
)
right("15.5", "one function")(scaler())


@right("15.5", "one long vector")
def _(gradients, scale, good, interval):
    together = torch.cat([g.flatten() for g in gradients])
    if not math.isfinite(together.float().abs().sum()):
        return None, scale * 0.5, 0
    good += 1
    double = good == interval
    unscaled = [g.to(torch.float32) * (1 / scale) for g in gradients]
    return unscaled, scale * (1 + double), good % interval


# ------------------------------------------------------------------ 15.6 a floor


def searched(x, y, n=3000, top=0.999):
    x, y = np.array(x), np.array(y)
    best = (math.inf,)
    for E in np.linspace(0, top * y.min(), n):
        slope, height = np.polyfit(np.log(x), np.log(y - E), 1)
        error = (((E + np.exp(height) * x**slope) / y - 1) ** 2).sum()
        best = min(best, (error, E, np.exp(height), -slope))
    return best[1:]


@wrong("15.6", "no floor", "a straight line to log y")
def _(x, y):
    slope, height = np.polyfit(np.log(x), np.log(y), 1)
    return 0.0, math.exp(height), -slope


@wrong("15.6", "slope for alpha", "minus alpha")
def _(x, y):
    E, A, alpha = searched(x, y)
    return E, A, -alpha


@wrong("15.6", "log A", "giving log A")
def _(x, y):
    E, A, alpha = searched(x, y)
    return E, math.log(A), alpha


@wrong("15.6", "order", "swapping E and A")
def _(x, y):
    E, A, alpha = searched(x, y)
    return A, E, alpha


@wrong("15.6", "smallest y", "the smallest y for the floor")
def _(x, y):
    E = 0.999 * min(y)
    slope, height = np.polyfit(np.log(x), np.log(np.array(y) - E), 1)
    return E, math.exp(height), -slope


@wrong("15.6", "log of nothing", "(1, 8, 0.5)")
def _(x, y):
    E = min(y)
    rest = np.maximum(np.array(y) - E, 1e-12)
    slope, height = np.polyfit(np.log(x), np.log(rest), 1)
    return E, math.exp(height), -slope


@wrong("15.6", "too few floors tried", "the fit should be close")
def _(x, y):
    return searched(x, y, n=4)


@wrong("15.6", "two numbers", "2")
def _(x, y):
    return searched(x, y)[:2]


right("15.6", "a search")(searched)


@right("15.6", "in two rounds")
def _(x, y):
    x, y = np.array(x), np.array(y)
    low, high = 0.0, 0.9999 * y.min()
    for _ in range(6):
        tried = []
        for E in np.linspace(low, high, 60):
            slope, height = np.polyfit(np.log(x), np.log(y - E), 1)
            error = ((np.log(E + np.exp(height) * x**slope) - np.log(y)) ** 2).sum()
            tried.append((error, E, np.exp(height), -slope))
        _, E, A, alpha = min(tried)
        step = (high - low) / 59
        low, high = max(0.0, E - step), min(0.9999 * y.min(), E + step)
    return E, A, alpha


# ------------------------------------------------------------------ 15.7 the split


def formula(cost=6, n_power=lambda a, b: b / (a + b), G=None):
    def split(flops, A, B, a, b):
        factor = G(A, B, a, b) if G else (a * A / (b * B)) ** (1 / (a + b))
        N = factor * (flops / cost) ** n_power(a, b)
        return N, flops / cost / N

    return split


wrong("15.7", "no 6", "forgetting the 6")(formula(cost=1))
wrong("15.7", "exponents swapped", "swapping the exponents")(
    formula(n_power=lambda a, b: a / (a + b))
)
wrong("15.7", "A over B", "leaving alpha and beta out")(
    formula(G=lambda A, B, a, b: (A / B) ** (1 / (a + b)))
)
wrong("15.7", "upside down", "upside down")(
    formula(G=lambda A, B, a, b: (b * B / (a * A)) ** (1 / (a + b)))
)
wrong("15.7", "no root", "forgetting the root")(formula(G=lambda A, B, a, b: a * A / (b * B)))
wrong("15.7", "returned swapped", "swapping N and D")(lambda *given: formula()(*given)[::-1])
wrong("15.7", "half and half", "as many tokens as parameters")(
    lambda flops, A, B, a, b: (math.sqrt(flops / 6),) * 2
)
wrong("15.7", "twenty", "20 tokens for each parameter")(
    lambda flops, A, B, a, b: (math.sqrt(flops / 120), 20 * math.sqrt(flops / 120))
)
wrong("15.7", "power one half", "the power 1/2")(formula(n_power=lambda a, b: 0.5))
wrong("15.7", "a coarse search", "so N = 2 * 10")(
    lambda flops, A, B, a, b: min(
        ((10.0**k, flops / 6 / 10.0**k) for k in range(30)),
        key=lambda p: A / p[0] ** a + B / p[1] ** b,
    )
)
right("15.7", "the formula")(formula())
right("15.7", "the package")(
    lambda flops, A, B, a, b: (
        (best := chinchilla_optimal(flops, LossFit(0.0, A, B, a, b))).n_parameters,
        best.n_tokens,
    )
)


@right("15.7", "a fine search")
def _(flops, A, B, a, b):
    N = np.geomspace(1, flops / 6, 200_000)
    N = N[(A / N**a + B / (flops / 6 / N) ** b).argmin()]
    return N, flops / 6 / N


# ------------------------------------------------------------------


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


@pytest.mark.parametrize("case", find("15.7").cases, ids=lambda case: case.pointer[:30])
def test_searched_split_is_that_of_the_package(case):
    flops, *law = case.args
    best = chinchilla_optimal(flops, LossFit(0.0, *law))
    n, d = find("15.7").reference(*case.args)
    assert n == pytest.approx(best.n_parameters, rel=1e-3)
    assert d == pytest.approx(best.n_tokens, rel=1e-3)


def test_every_exercise_has_enough_answers():
    assert_enough_answers(15, WRONG, RIGHT)
