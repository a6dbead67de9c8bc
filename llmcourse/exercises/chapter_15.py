"""Checks of chapter 15: a safe rate, noise, accumulation, bfloat16, loss scaling, power laws."""

import math

import numpy
import torch

from llmcourse.exercises.exercise import Case, Exercise, Mistake

# ------------------------------------------------------------------ 15.2


def scale_by_solving(gradients) -> float:
    """Two equations, y = signal + noise / batch, for batches of 1 and of all rows, solved."""
    rows = numpy.asarray(gradients, dtype=float)
    single, whole = (rows**2).sum(1).mean(), (rows.mean(0) ** 2).sum()
    signal, noise = numpy.linalg.solve([[1, 1], [1, 1 / len(rows)]], [single, whole])
    return float(noise / signal)


def noise_of(gradients, correction=1) -> float:
    return float(numpy.asarray(gradients, float).var(axis=0, ddof=correction).sum())


def mean_square(gradients) -> float:
    """The squared length of the mean: the signal, and a part of the noise."""
    return float((numpy.asarray(gradients, float).mean(axis=0) ** 2).sum())


def signal_of(gradients) -> float:
    return mean_square(gradients) - noise_of(gradients) / len(gradients)


def windows(n: int, weights: int, mean: float, noise: float, seed: int) -> torch.Tensor:
    """Gradients of n windows, of known signal and noise."""
    random = torch.randn(n, weights, generator=torch.Generator().manual_seed(seed))
    return mean + noise * random


# ------------------------------------------------------------------ 15.3


def by_tokens(gradients, counts) -> torch.Tensor:
    """Every token's share of the sum, by a product of vectors."""
    kept = [(g.double().flatten(), n) for g, n in zip(gradients, counts) if n]
    shares = torch.tensor([n for _, n in kept], dtype=torch.float64)
    mean = torch.stack([g for g, _ in kept]).T @ (shares / shares.sum())
    return mean.view(gradients[0].shape)


def mean_of_pieces(gradients, counts, skip_empty=True):
    kept = [g.double() for g, n in zip(gradients, counts) if n or not skip_empty]
    return sum(kept) / len(kept)


def summed(gradients, counts, divide_by=lambda counts: 1):
    kept = [g.double() * n for g, n in zip(gradients, counts) if n]
    return sum(kept) / divide_by(counts)


NAN = torch.full((2,), math.nan)

# ------------------------------------------------------------------ 15.4


def by_torch(x) -> float:
    return torch.tensor(x, dtype=torch.float32).to(torch.bfloat16).item()


def to_digits(digits, rounding=round, exponent=None):
    """To so many binary digits, the leading one counted."""

    def answer(x):
        if x == 0:
            return 0.0
        step = 2.0 ** ((math.frexp(x)[1] if exponent is None else exponent) - digits)
        return rounding(x / step) * step

    return answer


def away_from_zero(x) -> float:
    return math.copysign(math.floor(abs(x) + 0.5), x)


# ------------------------------------------------------------------ 15.5


def scaled(
    gradients, scale, good, interval, *, bad=lambda g: not bool(torch.isfinite(g).all()),
    back=lambda g, old, new: g.float() / old, late=0, fresh=True, pick=any,
):  # fmt: skip
    """One step of loss scaling, in which one thing may be done wrong."""
    if pick(bad(g) for g in gradients):
        return None, scale / 2, 0 if fresh else good
    good += 1
    new = scale * 2 if good >= interval + late else scale
    return [back(g, scale, new) for g in gradients], new, good if new == scale else 0


def half(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float16)


def parts_of(answer, *args) -> dict:
    """The three parts of an answer under their names, so that the reader is told which is wrong."""
    got = answer(*args)
    if not isinstance(got, list | tuple) or len(got) != 3:
        raise TypeError("return three things: (gradients or None, new scale, good steps)")
    gradients, scale, good = got
    return named(gradients, scale, good)


def named(gradients, scale, good) -> dict:
    skipped = "skipped, as None says"
    listed = skipped if gradients is None else list(gradients)
    return {"gradients": listed, "scale": float(scale), "good steps": int(good)}


def step_with(**wrong):
    return lambda *args: named(*scaled(*args, **wrong))


# ------------------------------------------------------------------ 15.6


def curve(E, A, alpha, sizes, noise=0.0, seed=0) -> tuple[list[float], list[float]]:
    sizes = numpy.asarray(sizes, float)
    factor = 1 + noise * numpy.random.default_rng(seed).standard_normal(len(sizes))
    return sizes.tolist(), (factor * (E + A / sizes**alpha)).tolist()


def line_through_logs(x, y, offset=0.0) -> tuple[float, float, float]:
    slope, height = numpy.polyfit(numpy.log(x), numpy.log(numpy.asarray(y) - offset), 1)
    return offset, float(numpy.exp(height)), float(-slope)


def by_varying_the_exponent(x, y) -> tuple[float, float, float]:
    """For each exponent E and A are a linear least-squares problem; the best exponent wins."""
    x, y = numpy.asarray(x, float), numpy.asarray(y, float)
    low, high = 0.01, 3.0
    for _ in range(6):
        found = []
        for alpha in numpy.linspace(low, high, 81):
            table = numpy.stack([numpy.ones_like(x), x**-alpha], 1) / y[:, None]
            (E, A), *_ = numpy.linalg.lstsq(table, numpy.ones_like(y), rcond=None)
            found.append((((table @ [E, A] - 1) ** 2).sum(), alpha, E, A))
        _, alpha, E, A = min(found)
        width = (high - low) / 20
        low, high = max(0.01, alpha - width), alpha + width
    return float(E), float(A), float(alpha)


# ------------------------------------------------------------------ 15.7


def by_search(flops, A, B, alpha, beta) -> tuple[float, float]:
    """The lowest of many losses along the curve of equal cost, in ever finer steps."""
    low, high = 0.0, math.log(flops / 6)
    for _ in range(8):
        logs = numpy.linspace(low, high, 201)
        n = numpy.exp(logs)
        loss = A * n**-alpha + B * (flops / 6 / n) ** -beta
        best, step = logs[loss.argmin()], logs[1] - logs[0]
        low, high = best - 2 * step, best + 2 * step
    n = float(numpy.exp(best))
    return n, flops / 6 / n


def split_with(*, exponent=lambda a, b: b / (a + b), ratio=lambda a, b, A, B: a * A / (b * B),
               power=lambda a, b: 1 / (a + b), cost=6.0):  # fmt: skip
    """The formula, in which one thing may be wrong."""

    def split(flops, A, B, alpha, beta):
        scale = ratio(alpha, beta, A, B) ** power(alpha, beta)
        n = scale * (flops / cost) ** exponent(alpha, beta)
        return n, flops / cost / n

    return split


def twenty_each(flops, A, B, alpha, beta):
    n = math.sqrt(flops / 120)
    return n, 20 * n


EXERCISES = (
    Exercise(
        id="15.1",
        title="Two curvatures, on paper",
        level="easy",
        minutes=8,
        hints=(
            "Write down one step for x alone. What is x multiplied by?",
            "The derivative along a direction with curvature c is c times the place, so each step "
            "multiplies by 1 - rate * c. It diverges when that is below -1.",
            "The largest rate is 2 divided by a curvature. Which of the two curvatures gives way "
            "first? And the factors at 0.06 are 1 - 0.06 * 1 and 1 - 0.06 * ...?",
        ),
        cases=(
            Case(expected=[0.08, 0.94, -0.5], rtol=2e-3, pointer="three numbers are wanted: the "
                 "largest rate, and the factors of x and of y at the rate 0.06. A step multiplies "
                 "by 1 - rate * curvature."),
        ),
        mistakes=(
            Mistake([2.0, 0.94, -0.5], "taking the limit of the flat direction. At that rate the "
                    "steep one has long diverged: the largest curvature decides."),
            Mistake([0.04, 0.94, -0.5], "taking 1 over the curvature. There the factor is 0, the "
                    "best rate for y. It still converges until the factor reaches -1."),
            Mistake([0.08, 0.94, 0.5], "losing a sign: y jumps over the minimum at each step, so "
                    "its factor is negative."),
            Mistake([0.08, 0.06, 1.5], "giving what is taken away. The factor is 1 minus that."),
            Mistake([0.08, -0.5, 0.94], "swapping x and y: y is the steep direction."),
            Mistake([0.08, 0.88, -2.0], "forgetting the half in front of the bracket: the "
                    "derivative of x ** 2 / 2 is x."),
            Mistake([0.04, 0.88, -2.0], "forgetting the half in front of the bracket: the "
                    "derivative of x ** 2 / 2 is x."),
            Mistake([0.16, 0.94, -0.5], "taking the half in front of the bracket twice. The "
                    "derivative of 25 y ** 2 / 2 is 25 y, so the curvature is 25."),
            Mistake([0.08, 1.06, 2.5], "stepping up the slope: the gradient is subtracted."),
            Mistake([2 / 26, 0.94, -0.5], "taking 2 over the sum of the curvatures. That rate is "
                    "the quickest for both; the question is where it begins to diverge."),
        ),
    ),
    Exercise(
        id="15.2",
        title="The noise scale, from one batch",
        level="easy",
        minutes=12,
        call="noise_scale(gradients)",
        hints=(
            "The noise is how far single windows lie from the true gradient: a variance for each "
            "weight. And what is the squared length of the mean of n rows, on average?",
            "noise = the variances of all columns, added up, each with n - 1 below. The mean of "
            "the rows has the squared length signal + noise / n, on average.",
            "noise = gradients.var(dim=0).sum(), to be divided by the signal, which is "
            "gradients.mean(dim=0).square().sum() minus what?",
        ),
        reference=scale_by_solving,
        cases=(
            Case((torch.tensor([[3.0], [1.0]]),), "one weight, two windows: the mean is 2 and the "
                 "variance ((3 - 2) ** 2 + (1 - 2) ** 2) / (2 - 1) = 2. Of the squared mean, 4, "
                 "2 / 2 is noise: 3 are left. The noise scale is 2 / 3.", 2 / 3),
            Case((torch.tensor([[2.0, 1.0], [2.0, -1.0], [2.0, 1.0], [2.0, -1.0]]),), "all the "
                 "noise is in the second weight, 4 / 3, and all the signal in the first, 4, of "
                 "which a quarter of the noise goes off.", (4 / 3) / (4 - 1 / 3)),
            Case((torch.tensor([[0.5, -2.0, 1.0]] * 3),), "all windows say the same: there is no "
                 "noise.", 0.0),
            Case((torch.tensor([[3.0, 0.0], [2.0, 3.0], [1.0, 3.0]]),), "more windows than "
                 "weights: the rows are the windows."),
            Case((windows(64, 10, 1.0, 2.0, 0),), "64 windows, 10 weights: signal about 10, noise "
                 "about 40."),
            Case((windows(8, 500, 0.01, 0.01, 1),), "small numbers, as gradients have them."),
            Case((windows(256, 20, 0.2, 2.0, 2),), "much noise."),
        ),
        mistakes=(
            Mistake(lambda g: signal_of(g) / noise_of(g), "dividing the signal by the noise. It "
                    "is the other way about: much noise, large scale."),
            Mistake(noise_of, "giving the noise alone. Divide it by the signal."),
            Mistake(lambda g: noise_of(g) / mean_square(g), "taking the squared length of the mean "
                    "for the signal. It has noise / n in it: take that off."),
            Mistake(lambda g: noise_of(g, 0) / signal_of(g), "dividing by n in the variance. The "
                    "windows lie closer to their own mean than to the true one: divide by n - 1."),
            Mistake(lambda g: noise_of(g, 0) / (mean_square(g) - noise_of(g, 0) / len(g)),
                    "dividing by n in the variance. The windows lie closer to their own mean than "
                    "to the true one: divide by n - 1."),
            Mistake(lambda g: noise_of(g, 0) / mean_square(g), "dividing by n in the variance, and "
                    "taking the squared length of the mean for the signal. Both are biased."),
            Mistake(lambda g: noise_of(g) / (mean_square(g) - noise_of(g)), "taking the noise of a "
                    "single window off. In a mean of n it is divided by n."),
            Mistake(lambda g: noise_of(g) / (mean_square(g) + noise_of(g) / len(g)), "adding the "
                    "noise to the squared mean once more. It is in there already: take it off."),
            Mistake(lambda g: noise_of(g) / float((numpy.asarray(g, float) ** 2).sum(1).mean()),
                    "dividing by the squared length of single windows, which is mostly noise."),
            Mistake(lambda g: noise_of(g) / len(g) / signal_of(g), "giving the noise of the mean. "
                    "Wanted is that of one window."),
            Mistake(lambda g: noise_of(g) / g.shape[1] / signal_of(g), "taking the mean of the "
                    "variances. The signal is summed over the weights, so sum the noise as well."),
            Mistake(lambda g: math.sqrt(max(0, noise_of(g) / signal_of(g))), "taking a root. Both "
                    "are squared lengths, and so is the scale meant."),
            Mistake(lambda g: scale_by_solving(g.T), "taking columns for windows. A row is a "
                    "window, a column a weight."),
        ),
    ),
    Exercise(
        id="15.3",
        title="Pieces of different size",
        level="medium",
        minutes=12,
        call="accumulate(gradients, counts)",
        hints=(
            "Each gradient is a mean over its own tokens. What would the sum over those tokens be?",
            "Multiply each by its number of tokens, add up, and divide by the number of all "
            "tokens. A piece without tokens has nothing to add, and its gradient is nan.",
            "total = sum(counts); sum(g * (n / total) for g, n in zip(gradients, counts)). nan "
            "times 0 is nan: which pieces do you leave out?",
        ),
        reference=by_tokens,
        cases=(
            Case(([torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])], [1, 1]),
                 "two pieces of one token each count the same.", torch.tensor([0.5, 0.5])),
            Case(([torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])], [3, 1]),
                 "three tokens say (1, 0), one says (0, 1): the mean of all four is (0.75, 0.25).",
                 torch.tensor([0.75, 0.25])),
            Case(([torch.tensor([2.0, -4.0])], [5]), "one piece is the whole batch.",
                 torch.tensor([2.0, -4.0])),
            Case(([torch.tensor([1.0, 2.0]), NAN, torch.tensor([3.0, 0.0])], [2, 0, 6]),
                 "a piece that is all padding has no tokens, and the mean of none is nan. It must "
                 "not spoil the others.", torch.tensor([2.5, 0.5])),
            Case(([NAN, torch.tensor([3.0, 0.0])], [0, 6]), "here the empty piece comes first. "
                 "Zeros made from it by multiplying, gradients[0] * 0, are nan as well.",
                 torch.tensor([3.0, 0.0])),
            Case(([torch.tensor([1.0, math.nan]), NAN, torch.tensor([3.0, 0.0])], [2, 0, 2]),
                 "this nan belongs to a piece that has tokens. It is a real one and must be seen.",
                 torch.tensor([2.0, math.nan])),
            Case(([torch.arange(6.0).view(2, 3), torch.ones(2, 3)], [1, 4]), "a matrix."),
            Case(([torch.randn(4, 5, generator=torch.Generator().manual_seed(s)) for s in range(6)],
                  [64, 50, 7, 3, 2, 2]), "six pieces, as in the chapter."),
        ),
        mistakes=(
            Mistake(mean_of_pieces, "taking the mean of the pieces' means. A token of a short "
                    "piece then counts for more: weight each piece by its tokens."),
            Mistake(lambda g, n: mean_of_pieces(g, n, False), "taking the mean of the pieces' "
                    "means, and with it the nan of the empty one."),
            Mistake(lambda g, n: summed(g, n), "giving the sum over all tokens. Divide by their "
                    "number."),
            Mistake(lambda g, n: summed(g, n, len), "dividing by the number of pieces. Divide by "
                    "the number of tokens."),
            Mistake(lambda g, n: sum(x.double() for x, k in zip(g, n) if k), "adding the means up "
                    "without any weight."),
            Mistake(lambda g, n: sum(x.double() * (k / sum(n)) for x, k in zip(g, n)), "letting "
                    "the empty piece in: 0 times nan is nan."),
            Mistake(lambda g, n: sum(x.double() / k for x, k in zip(g, n) if k)
                    / sum(1 / k for k in n if k), "weighting by one over the tokens. The longer a "
                    "piece, the more it counts."),
            Mistake(lambda g, n: by_tokens([x.nan_to_num(0.0) for x in g], n), "turning every nan "
                    "into a zero. That hides the real ones: leave out the pieces without tokens."),
            Mistake(lambda g, n: g[0] * 0 + by_tokens(g, n), "starting from gradients[0] * 0, "
                    "which is nan where the first piece is. Start from torch.zeros_like."),
            Mistake(lambda g, n: summed(g, n, max), "dividing by the longest piece. Divide by the "
                    "number of all tokens."),
        ),
    ),
    Exercise(
        id="15.4",
        title="Round to bfloat16",
        level="medium",
        minutes=15,
        call="to_bfloat16(x)",
        hints=(
            "bfloat16 has 8 binary digits, the leading 1 counted. How far apart are its numbers "
            "between 1 and 2? Between 2 and 4?",
            "math.frexp(x) gives (m, e) with x = m * 2 ** e and m from 0.5 to 1. The numbers of "
            "that size lie 2 ** (e - 8) apart.",
            "step = 2.0 ** (e - 8); return round(...) * step. Python's round takes halves to the "
            "even neighbour, as the processor does. What do you round?",
        ),
        reference=by_torch,
        cases=(
            Case((1.0,), "1 is a number of bfloat16 and stays what it is.", 1.0),
            Case((1.005,), "the next number after 1 is 1 + 2 ** -7 = 1.0078125, and 1.005 is "
                 "nearer to it than to 1.", 1.0078125),
            Case((1.003,), "1.003 is nearer to 1: an update of 0.003 is lost.", 1.0),
            Case((3.0,), "3 stays.", 3.0),
            Case((2.01,), "between 2 and 4 the numbers lie 2 ** -6 apart, twice as far as below 2.",
                 2.015625),
            Case((257.0,), "256 and 258 are neighbours, and 257 is half way: the even digit wins, "
                 "and that is 256.", 256.0),
            Case((259.0,), "259 is half way between 258 and 260: here the even digit is that of "
                 "260.", 260.0),
            Case((-1.005,), "a negative number is rounded like a positive one.", -1.0078125),
            Case((0.1,), "0.1 is 0.100097…: the step gets finer below 1.", 0.10009765625),
            Case((0.0,), "0 stays 0.", 0.0),
            Case((0.001,), "a small number keeps its 8 digits."),
            Case((-65519.0,), "a large one as well."),
            Case((3.0e38,), "the range is that of float32."),
            Case((1.9990234375,), "rounding up may carry into the next power of two.", 2.0),
        ),
        mistakes=(
            Mistake(to_digits(8, lambda x: float(math.trunc(x))), "cutting the digits off. Take "
                    "the nearer neighbour."),
            Mistake(to_digits(8, math.floor), "rounding down. Take the nearer neighbour."),
            Mistake(to_digits(8, away_from_zero), "rounding halves away from zero. They go to the "
                    "neighbour whose last digit is even."),
            Mistake(to_digits(7), "keeping 7 digits. There are 7 after the leading 1, which is not "
                    "stored but counts."),
            Mistake(to_digits(9), "keeping one digit too many: 7 after the leading 1."),
            Mistake(to_digits(11), "keeping the digits of float16. bfloat16 has 7 after the "
                    "leading 1."),
            Mistake(to_digits(7, exponent=0), "taking the same step everywhere. It grows with the "
                    "number: 2 ** -7 only between 1 and 2."),
            Mistake(lambda x: round(x, 2), "rounding to decimals. The digits are binary."),
            Mistake(lambda x: abs(by_torch(x)), "losing the sign."),
            Mistake(lambda x: torch.tensor(x).half().item(), "rounding to float16."),
        ),
    ),
    Exercise(
        id="15.5",
        title="Loss scaling",
        level="medium",
        minutes=15,
        call="unscale(gradients, scale, good, interval)",
        hints=(
            "There are two cases, and the first question is whether all numbers of all gradients "
            "are finite.",
            "If not: (None, scale / 2, 0). If so, divide by the scale that the loss was multiplied "
            "with, in float32, and count one good step more. After `interval` of them the scale "
            "doubles and the count starts again.",
            "unscaled = [g.float() / scale for g in gradients]; good = good + 1; if good == "
            "interval: scale, good = 2 * scale, 0. Why is .float() before the division?",
        ),
        reference=lambda *args: named(*scaled(*args)),
        use=parts_of,
        cases=(
            Case(([half(8.0, 16.0)], 8.0, 0, 100), "all finite: divide by the scale, and count one "
                 "good step."),
            Case(([half(1.0, math.inf)], 8.0, 5, 100), "an infinity: no gradients, half the scale, "
                 "and the count starts again."),
            Case(([half(1.0, math.nan)], 8.0, 5, 100), "a nan is not finite either."),
            Case(([half(-math.inf, 1.0)], 8.0, 5, 100), "minus infinity is not finite either."),
            Case(([half(1.0), half(math.inf), half(2.0)], 8.0, 5, 100), "one bad tensor is "
                 "enough, wherever it stands."),
            Case(([half(1.0, math.inf)], 1.0, 5, 100), "the scale may go below 1: 1 / 2 is 0.5."),
            Case(([half(60000.0, 60000.0, 65504.0)], 8.0, 0, 100), "large, and all three finite. "
                 "Their sum is not, in float16: look at the numbers themselves."),
            Case(([half(4.0)], 4.0, 98, 100), "step 99 of 100: the scale stays."),
            Case(([half(4.0)], 4.0, 99, 100), "step 100 of 100: the scale doubles, and the count "
                 "starts again. These gradients were made with the old scale."),
            Case(([half(2e-7, 6e-8)], 1024.0, 0, 10), "smallest numbers: divided in float16 they "
                 "would vanish again. Change to float32 before you divide.", atol=1e-13),
            Case(([half(1.0, -3.0), half(0.5)], 65536.0, 0, 1), "two tensors, and an interval of "
                 "1: every good step doubles."),
        ),
        mistakes=(
            Mistake(step_with(back=lambda g, old, new: (g / old).float()), "dividing in float16: "
                    "small gradients vanish again. Change to float32 first."),
            Mistake(step_with(back=lambda g, old, new: g / old), "giving float16 back. The "
                    "division belongs in float32, and so does what comes out."),
            Mistake(step_with(back=lambda g, old, new: g.float() * old), "multiplying by the "
                    "scale once more. The loss was multiplied, so divide."),
            Mistake(step_with(back=lambda g, old, new: g.float()), "returning the gradients with "
                    "the scale still in them."),
            Mistake(step_with(back=lambda g, old, new: g.float() / new), "dividing by the new "
                    "scale. The gradients were made with the old one."),
            Mistake(step_with(bad=lambda g: bool(g.isinf().any())), "looking for infinities only. "
                    "A nan is not finite either."),
            Mistake(step_with(bad=lambda g: bool(g.isnan().any())), "looking for nan only. An "
                    "infinity comes first."),
            Mistake(step_with(bad=lambda g: bool((g == math.inf).any() or g.isnan().any())),
                    "looking for plus infinity only."),
            Mistake(step_with(pick=all), "skipping only if every tensor is bad. One is enough."),
            Mistake(step_with(pick=lambda b: next(iter(b))), "looking at the first tensor only."),
            Mistake(step_with(fresh=False), "keeping the count after a skipped step. It starts "
                    "again."),
            Mistake(step_with(late=1), "doubling one step late."),
            Mistake(step_with(late=-1), "doubling one step early."),
        ),
    ),
    Exercise(
        id="15.6",
        title="A power law with a floor",
        level="hard",
        minutes=25,
        call="fit_floor(x, y)",
        hints=(
            "If you knew E, what would the rest, y - E, look like on logarithmic axes?",
            "For a given E, log(y - E) = log A - alpha * log x is a straight line, and "
            "numpy.polyfit finds it. Try many values of E below the smallest y, and keep the one "
            "whose line fits best.",
            "for E in numpy.linspace(0, 0.999 * min(y), 2000): slope, height = numpy.polyfit(log "
            "x, log(y - E), 1), and the error is the sum of squares of E + A / x ** alpha - y, "
            "each divided by y. What are A and alpha in terms of height and slope?",
        ),
        cases=tuple(
            Case(curve(*law, sizes, noise), pointer, list(law), rtol=tolerance, seconds=20)
            for law, sizes, noise, tolerance, pointer in (
                ((1.0, 8.0, 0.5), (1, 4, 16, 64, 256), 0.0, 0.02,
                 "1 + 8 / sqrt(x) at x = 1, 4, 16, 64, 256: (E, A, alpha) is (1, 8, 0.5)."),
                ((2.0, 30.0, 1.0), (1, 2, 5, 10, 20, 50, 100), 0.0, 0.02,
                 "2 + 30 / x: nothing is rounded, so the fit should be close."),
                ((1.7, 406.4, 0.34), numpy.geomspace(1e4, 1e10, 15), 0.0, 0.03,
                 "the numbers of a published law: large x, and a floor that is far away."),
                ((0.5, 3.0, 0.25), numpy.geomspace(1, 1e8, 25), 1e-4, 0.03,
                 "a little noise on each point."),
                ((1.8, 25.0, 0.35), numpy.geomspace(1e3, 1e9, 40), 2e-4, 0.04,
                 "forty points, a little noise."),
            )
        ),
        mistakes=(
            Mistake(line_through_logs, "fitting a straight line to log y. That is a law without a "
                    "floor: take E off before the logarithm."),
            Mistake(lambda x, y: (lambda E, A, a: (E, A, -a))(*by_varying_the_exponent(x, y)),
                    "giving the slope of the line for alpha. The slope is minus alpha."),
            Mistake(lambda x, y: (lambda E, A, a: (E, math.log(A), a))(
                    *by_varying_the_exponent(x, y)), "giving log A. Raise e to it."),
            Mistake(lambda x, y: (lambda E, A, a: (A, E, a))(*by_varying_the_exponent(x, y)),
                    "swapping E and A: return (E, A, alpha)."),
            Mistake(lambda x, y: line_through_logs(x, y, 0.999 * min(y)), "taking the smallest y "
                    "for the floor. The floor lies below all points, and how far is the question."),
            Mistake(lambda x, y: line_through_logs(x, y, 0.5 * min(y)), "taking half of the "
                    "smallest y for the floor, whatever the data say."),
            Mistake(lambda x, y: (lambda E, A, a: (E, 10 ** math.log(A), a))(
                    *by_varying_the_exponent(x, y)), "raising 10 to a natural logarithm."),
        ),
    ),
    Exercise(
        id="15.7",
        title="The best split of a budget",
        level="hard",
        minutes=20,
        call="best_split(flops, A, B, alpha, beta)",
        hints=(
            "A budget leaves you one choice: when N is given, D follows from 6 * N * D = flops. "
            "So the loss is a function of N alone.",
            "Either try many N, evenly spaced in their logarithm, and take the lowest A / N ** "
            "alpha + B / D ** beta. Or set the derivative to zero: alpha * A / N ** alpha = beta * "
            "B / D ** beta.",
            "N = G * (flops / 6) ** (beta / (alpha + beta)), with G = (alpha * A / (beta * B)) ** "
            "(...). Which power undoes the N ** (alpha + beta)?",
        ),
        reference=by_search,
        cases=(
            Case((600.0, 1.0, 1.0, 0.5, 0.5), "both terms alike, 100 = N * D: ten each.",
                 [10.0, 10.0], rtol=0.02),
            Case((600.0, 2.0, 1.0, 0.5, 0.5), "A is twice B: the factor is (0.5 * 2 / "
                 "(0.5 * 1)) ** 1 = 2, so N = 2 * 10.", [20.0, 5.0], rtol=0.02),
            Case((6e6, 1.0, 1.0, 0.25, 0.5), "the exponents differ: not only the powers of the "
                 "budget but also the factor in front depends on them.", rtol=0.02),
            Case((6e6, 1.0, 1.0, 0.5, 0.25), "the exponents the other way about.", rtol=0.02),
            Case((5.76e23, 482.01, 2085.43, 0.3478, 0.3658), "the fit of 2024, and Chinchilla's "
                 "budget: some 70 billion parameters.", rtol=0.02),
            Case((5.76e23, 406.4, 410.7, 0.34, 0.28), "the fit of 2022, and the same budget.",
                 rtol=0.02),
            Case((1e12, 20.0, 110.0, 0.32, 0.34), "a budget of ours.", rtol=0.02),
        ),
        mistakes=(
            Mistake(split_with(cost=1.0), "forgetting the 6: a training takes 6 operations for "
                    "each parameter and token."),
            Mistake(split_with(exponent=lambda a, b: a / (a + b)), "swapping the exponents of the "
                    "budget. If parameters soon stop paying (a large alpha), N grows slowly."),
            Mistake(split_with(ratio=lambda a, b, A, B: A / B), "leaving alpha and beta out of the "
                    "factor. They come down when you differentiate."),
            Mistake(split_with(ratio=lambda a, b, A, B: b * B / (a * A)), "turning the factor "
                    "upside down: the larger A, the more parameters."),
            Mistake(split_with(power=lambda a, b: 1.0), "forgetting the root of the factor: "
                    "1 / (alpha + beta)."),
            Mistake(lambda *a: by_search(*a)[::-1], "swapping N and D in what you return."),
            Mistake(lambda flops, *_: (math.sqrt(flops / 6),) * 2, "giving as many tokens as "
                    "parameters, whatever the fit says."),
            Mistake(twenty_each, "taking 20 tokens for each parameter. That is the result for one "
                    "fit and one budget, not the rule."),
            Mistake(lambda flops, A, B, a, b: (lambda n: (n, flops / 6 / n))(
                    math.sqrt(flops / 6) * (a * A / (b * B)) ** (1 / (a + b))), "giving both the "
                    "power 1/2. The exponents decide that."),
        ),
    ),
)  # fmt: skip
