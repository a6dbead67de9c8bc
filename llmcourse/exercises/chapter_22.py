"""Checks of chapter 22: exposure, a private step, matched pairs, a guard's line, the accountant."""

import math

import numpy
import torch

from llmcourse.exercises.exercise import Case, Exercise, Mistake


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------ 22.2


def ranked(log_probs, secrets, *, first=1, ties="last", base=2.0, reverse=False, minus=True):
    """Exposures by going through the candidates, in which one thing may be done wrong."""
    result = []
    for row, secret in zip(log_probs.tolist(), secrets.tolist()):
        own = row[secret]
        ahead = sum(x < own if reverse else x > own for x in row)
        equal = row.count(own) - 1
        rank = ahead + first + (equal if ties == "last" else 0)
        whole = math.log(len(row), base) if minus else 0.0
        result.append(whole - (math.log(rank, base) if rank else 0.0))
    return torch.tensor(result, dtype=torch.float64)


def by_place(log_probs, secrets):
    """The place in the list is taken for the rank."""
    return math.log2(log_probs.shape[1]) - torch.log2(secrets.double() + 1)


def over_rows(log_probs, secrets):
    """The number of secrets is taken for that of candidates."""
    shift = math.log2(log_probs.shape[1]) - math.log2(log_probs.shape[0])
    return ranked(log_probs, secrets) - shift


def minus_log_probs(log_probs, secrets):
    own = log_probs.gather(1, secrets[:, None])[:, 0]
    return math.log2(log_probs.shape[1]) + own / math.log(2)


FOUR = torch.tensor([[-1.0, -2.0, -3.0, -4.0]])

# ------------------------------------------------------------------ 22.3


def one_by_one(gradients, clip, noise, z, expected, *, how="norm", scale=True, by=None):
    """A step of DP-SGD, example by example, in which one thing may be done wrong."""
    total = numpy.zeros(gradients.shape[1])
    for g in gradients.double().numpy():
        size = math.sqrt((g**2).sum())
        if how == "norm" and size > clip:
            g = g * (clip / size)
        elif how == "unit" and size > 0:
            g = g * (clip / size)
        elif how == "elements":
            g = g.clip(-clip, clip)
        elif how == "zero" and size > clip:
            g = g * 0
        total = total + g
    drawn = noise * (clip if scale else 1.0) * z.double().numpy()
    divisor = expected if by is None else by(gradients, expected)
    return torch.tensor((total + drawn) / divisor)


def clipped_mean(gradients, clip, noise, z, expected):
    total = gradients.sum(0)
    total = total * min(1.0, clip / max(total.norm().item() / expected, 1e-12))
    return (total + noise * clip * z) / expected


def noise_after(gradients, clip, noise, z, expected):
    return one_by_one(gradients, clip, 0.0, z, expected) + noise * clip * z.double()


def noise_each(gradients, clip, noise, z, expected):
    return one_by_one(gradients, clip, noise * len(gradients), z, expected)


ROWS = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
Z = torch.tensor([1.0, -2.0])

# ------------------------------------------------------------------ 22.4


def pairs_of(first, second, *, items=True, together=True, ddof=1, root=True, width=1.96):
    """Mean and interval from sums, in which one thing may be done wrong."""
    a, b = first.double().numpy(), second.double().numpy()
    gap = a - b
    values = [float(numpy.mean(row)) for row in gap] if items else gap.ravel().tolist()
    n, mean = len(values), sum(values) / len(values)
    if together:
        variance = sum((v - mean) ** 2 for v in values) / (n - ddof)
    else:
        variance = a.mean(1).var(ddof=ddof) + b.mean(1).var(ddof=ddof)
    half = width * math.sqrt(variance / n if root else variance)
    return mean, mean - half, mean + half


def over_sentences(first, second):
    return pairs_of(first.T, second.T)


FIRST = torch.tensor([[1.0, 3.0], [4.0, 6.0], [9.0, 9.0]])
SECOND = torch.tensor([[1.0, 1.0], [3.0, 3.0], [6.0, 6.0]])

# ------------------------------------------------------------------ 22.5


def line_by_sorting(harmless, attacks, alarms, *, extra=0, strict=True, swap=False, misses=False):
    """The line by its place among the sorted scores, in which one thing may be done wrong."""
    ordered = sorted(attacks if swap else harmless)
    n = len(ordered)
    allowed = math.floor(alarms * n + 1e-9)
    for line in ordered:
        above = sum(score > line if strict else score >= line for score in ordered)
        if above <= allowed + extra:
            break
    caught = sum(score > line if strict else score >= line for score in attacks) / len(attacks)
    return line, 1 - caught if misses else caught


def largest_line(harmless, attacks, alarms):
    line = max(harmless)
    return line, sum(a > line for a in attacks) / len(attacks)


def by_count(harmless, attacks, alarms):
    line, caught = line_by_sorting(harmless, attacks, alarms)
    return line, caught * len(attacks)


SCORES = [0.1, 0.9, 0.4, 0.2, 0.3]
HIT = [0.95, 0.35, 0.5, 0.05]

# ------------------------------------------------------------------ 22.7


def exact_epsilon(
    q, sigma, steps, delta, largest, *, square=True, half=2.0, tail=True, best=min, start=2,
    add=True, order=lambda a: a - 1, pairs=lambda k: k * (k - 1), flip=False,
):  # fmt: skip
    """The formula with Python's exact binomials, in which one thing may be done wrong."""
    values = []
    for alpha in range(start, largest + 1):
        logs = []
        for k in range(alpha + 1):
            log = math.log(math.comb(alpha, k))
            log += (k if flip else alpha - k) * math.log1p(-q)
            log += (alpha - k if flip else k) * math.log(q)
            logs.append(log + pairs(k) / (half * (sigma**2 if square else sigma)))
        top = max(logs)
        one = (top + math.log(sum(math.exp(x - top) for x in logs))) / order(alpha)
        price = math.log(1 / delta) / (alpha - 1) if tail else 0.0
        values.append(steps * one + price if add else steps * (one + price))
    return best(values)


HALF = 0.5
TWO = math.log(HALF**2 + 2 * HALF**2 + HALF**2 * math.e)

EXERCISES = (
    Exercise(
        id="22.1",
        title="Exposure on paper",
        level="easy",
        minutes=8,
        hints=(
            "4,096 is a power of 2. Which?",
            "Exposure is log2 of the number of codes minus log2 of the rank.",
            "7 bits or more means 12 - log2(rank) >= 7. Which ranks are those?",
        ),
        cases=(Case((), "four numbers, and (d) as a fraction: rounded, it is another number.",
                    [12, 6, 0, 1 / 128]),),
        mistakes=(
            Mistake([12, 6, 0, 1 / 64], "taking a rank of 64 for 7 bits. It is 32."),
            Mistake([12, 6, 12, 1 / 128], "giving the last rank all the bits. It has none."),
            Mistake([0, 6, 12, 1 / 128], "turning it round: the first rank has the most."),
            Mistake([math.log(4096), math.log(64), 0, 1 / 128], "natural logarithms. Bits are "
                    "logarithms to base 2."),
            Mistake([12, 6, 0, 32], "counting the ranks in (d). Divide by all of them."),
            Mistake([12, 64, 0, 1 / 128], "leaving out the logarithm in (b)."),
            Mistake([12, 6, 0, 127 / 128], "the probability of less than 7 bits in (d)."),
        ),
    ),
    Exercise(
        id="22.2",
        title="A careful rank",
        level="easy",
        minutes=10,
        call="exposures_of(log_probs, secrets)",
        hints=(
            "In each row, how many candidates are at least as likely as the secret?",
            "gather takes one number from each row: log_probs.gather(1, secrets[:, None]).",
            "rank = (log_probs >= own).sum(dim=1), and then two logarithms. Of what is the first?",
        ),
        reference=ranked,
        cases=(
            Case((FOUR, torch.tensor([0])), "the likeliest of 4 has rank 1: 2 bits.",
                 torch.tensor([2.0])),
            Case((FOUR, torch.tensor([3])), "the least likely has none.", torch.tensor([0.0])),
            Case((FOUR.flip(1), torch.tensor([2])), "rank 2 of 4, though its place is 2.",
                 torch.tensor([1.0])),
            Case((torch.full((1, 8), -2.0), torch.tensor([0])), "all are equal: the secret counts "
                 "as the last.", torch.tensor([0.0])),
            Case((FOUR.repeat(3, 1), torch.tensor([0, 1, 3])), "three secrets, one row each.",
                 torch.tensor([2.0, 1.0, 0.0])),
            Case((normal(5, 100), torch.tensor([3, 0, 99, 50, 7])), "five of a hundred."),
        ),
        mistakes=(
            Mistake(lambda p, s: ranked(p, s, ties="first"), "letting the secret win against its "
                    "equals."),
            Mistake(lambda p, s: ranked(p, s, first=0), "counting ranks from 0."),
            Mistake(lambda p, s: ranked(p, s, base=math.e), "natural logarithms."),
            Mistake(lambda p, s: ranked(p, s, reverse=True), "ranking the least likely first."),
            Mistake(lambda p, s: -ranked(p, s, minus=False), "leaving out the number of "
                    "candidates."),
            Mistake(by_place, "taking the place of the secret for its rank."),
            Mistake(over_rows, "taking the number of secrets for that of the candidates."),
            Mistake(minus_log_probs, "taking the probability for the rank."),
            Mistake(lambda p, s: ranked(p, s).mean(), "the mean over the secrets. One for each is "
                    "wanted."),
        ),
    ),
    Exercise(
        id="22.3",
        title="A private step",
        level="medium",
        minutes=12,
        call="private_step(gradients, clip, noise, z, expected)",
        hints=(
            "Each row by itself: is it longer than `clip`?",
            "A factor for each row: clip / norm, but never above 1. The noise is added once, to "
            "the sum.",
            "(clipped.sum(dim=0) + noise * clip * z) / expected. How do you get the factors with "
            "the shape (batch, 1)?",
        ),
        reference=one_by_one,
        cases=(
            Case((torch.tensor([[3.0, 4.0]]), 1.0, 0.0, Z, 1.0), "a gradient of length 5, cut to "
                 "length 1.", torch.tensor([0.6, 0.8])),
            Case((torch.tensor([[0.3, 0.4]]), 1.0, 0.0, Z, 1.0), "a short gradient stays as it is.",
                 torch.tensor([0.3, 0.4])),
            Case((ROWS, 1.0, 0.0, Z, 2.0), "each example is clipped by itself.",
                 torch.tensor([0.45, 0.6])),
            Case((torch.tensor([[0.3, 0.4]]), 2.0, 0.5, Z, 1.0), "the noise has the standard "
                 "deviation noise * clip.", torch.tensor([1.3, -1.6])),
            Case((ROWS, 1.0, 1.0, Z, 4.0), "the noise is divided too, and by the expected size, "
                 "not the true one.", torch.tensor([0.475, -0.2])),
            Case((torch.zeros(0, 2), 1.0, 1.0, Z, 2.0), "an empty batch is noise alone.", Z / 2),
            Case((torch.zeros(2, 2), 1.0, 0.0, Z, 2.0), "gradients of zero: no division by zero.",
                 torch.zeros(2)),
            Case((3 * normal(6, 4), 1.5, 0.7, normal(4, seed=1), 5.0), "six examples."),
        ),
        mistakes=(
            Mistake(clipped_mean, "clipping the mean. Then one example can still pull as hard "
                    "as it likes."),
            Mistake(lambda *a: one_by_one(*a, how="elements"), "clipping each number. The norm of "
                    "the whole example is to be bounded."),
            Mistake(lambda *a: one_by_one(*a, how="unit"), "stretching short gradients too. Only "
                    "long ones are cut."),
            Mistake(lambda *a: one_by_one(*a, how="zero"), "dropping long gradients."),
            Mistake(lambda *a: one_by_one(*a, how="none"), "not clipping at all."),
            Mistake(lambda *a: one_by_one(*a, scale=False), "noise that does not grow with the "
                    "clip."),
            Mistake(noise_after, "adding the noise after the division."),
            Mistake(noise_each, "adding the noise once for each example."),
            Mistake(lambda g, c, n, z, e: one_by_one(g, c, n, z, e, by=lambda g, e: max(len(g), 1)),
                    "dividing by the true size of the batch, which tells of its members."),
            Mistake(lambda g, c, n, z, e: one_by_one(g, c, n, z, 1.0), "not dividing."),
        ),
    ),
    Exercise(
        id="22.4",
        title="Matched pairs",
        level="medium",
        minutes=12,
        call="paired(first, second)",
        hints=(
            "Which comes first, the difference or the mean?",
            "One number for each item: the mean of its differences. How many numbers are that?",
            "per_item = (first - second).mean(dim=1); the error is per_item.std() over the root of "
            "what?",
        ),
        reference=pairs_of,
        cases=(
            Case((FIRST, SECOND), "the items differ by 1, 2 and 3 on average: mean 2, standard "
                 "deviation 1, and 3 items.",
                 (2.0, 2 - 1.96 / math.sqrt(3), 2 + 1.96 / math.sqrt(3))),
            Case((FIRST, FIRST - 1), "every item differs by exactly 1, however different they are.",
                 (1.0, 1.0, 1.0)),
            Case((SECOND, FIRST), "first minus second.",
                 (-2.0, -2 - 1.96 / math.sqrt(3), -2 + 1.96 / math.sqrt(3))),
            Case((normal(8, 5), normal(8, 5, seed=1)), "eight items of five sentences."),
            Case((normal(4, 1), normal(4, 1, seed=1)), "one sentence each."),
        ),
        mistakes=(
            Mistake(lambda a, b: pairs_of(a, b, items=False), "counting sentences as items: the "
                    "interval is too narrow."),
            Mistake(lambda a, b: pairs_of(a, b, together=False), "treating the two as unpaired."),
            Mistake(lambda a, b: pairs_of(a, b, ddof=0), "dividing by n in the variance. Use "
                    "n - 1."),
            Mistake(lambda a, b: pairs_of(a, b, root=False), "giving the spread of the items, not "
                    "the error of the mean."),
            Mistake(lambda a, b: pairs_of(a, b, width=1.0), "one standard error instead of 1.96."),
            Mistake(lambda a, b: pairs_of(b, a), "second minus first."),
            Mistake(over_sentences, "averaging over the items. The sentences are averaged, the "
                    "items counted."),
            Mistake(lambda a, b: pairs_of(a, b)[0], "the mean alone. Three numbers are wanted."),
        ),
    ),
    Exercise(
        id="22.5",
        title="Where to draw the line",
        level="medium",
        minutes=12,
        call="draw_line(harmless, attacks, alarms)",
        hints=(
            "Try each harmless score as the line. How many harmless ones lie above it?",
            "The smallest line that is good enough catches the most attacks. The line itself is "
            "not stopped.",
            "min(s for s in harmless if sum(h > s for h in harmless) / len(harmless) <= alarms). "
            "And the share of attacks above it?",
        ),
        reference=line_by_sorting,
        cases=(
            Case((SCORES, HIT, 0.0), "no false alarm is allowed: the line is the highest harmless "
                 "score.", (0.9, 0.25)),
            Case((SCORES, HIT, 0.2), "one of five may be stopped.", (0.4, 0.5)),
            Case((SCORES, HIT, 0.3), "0.3 of five is one and a half: one.", (0.4, 0.5)),
            Case(([0.5, 0.5, 0.5, 0.1], [0.5, 0.6], 0.25), "equal scores fall together; a score on "
                 "the line is not stopped.", (0.5, 0.5)),
            Case((SCORES, HIT, 1.0), "all may be stopped, but the line is one of the scores.",
                 (0.1, 0.75)),
            Case((normal(40).tolist(), (normal(16, seed=1) + 1).tolist(), 0.05), "two of forty."),
        ),
        mistakes=(
            Mistake(lambda *a: line_by_sorting(*a, strict=False), "stopping the line itself."),
            Mistake(lambda *a: line_by_sorting(*a, extra=1), "one false alarm too many."),
            Mistake(lambda *a: line_by_sorting(*a, extra=-1), "one false alarm too few."),
            Mistake(lambda *a: line_by_sorting(*a, swap=True), "drawing it through the attacks."),
            Mistake(lambda *a: line_by_sorting(*a, misses=True), "the share that is missed."),
            Mistake(largest_line, "taking the highest harmless score whatever `alarms` is."),
            Mistake(by_count, "counting the attacks. The share is wanted."),
            Mistake(lambda *a: line_by_sorting(*a)[::-1], "giving the two in the other order."),
        ),
    ),
    Exercise(
        id="22.6",
        title="One in a thousand",
        level="hard",
        minutes=12,
        hints=(
            "How many of 100,000 are attacks, and how many are not?",
            "Stopped are 90% of the one and 2% of the other.",
            "For (c), as many false alarms as attacks caught: 90. Of how many harmless messages?",
        ),
        cases=(Case((), "three numbers, (b) and (c) as fractions: rounded, they are other numbers.",
                    [2088, 90 / 2088, 90 / 99900]),),
        mistakes=(
            Mistake([2088, 0.9, 90 / 99900], "taking the share of attacks that are stopped for the "
                    "share of stopped ones that are attacks."),
            Mistake([1998, 90 / 2088, 90 / 99900], "counting the false alarms alone in (a)."),
            Mistake([2090, 90 / 2090, 90 / 100000], "counting the attacks among the harmless."),
            Mistake([2088, 1998 / 2088, 90 / 99900], "giving the share of false alarms in (b)."),
            Mistake([2088, 90 / 2088, 90], "giving a number in (c). A share is wanted."),
            Mistake([2100, 100 / 2098, 100 / 99900], "letting it catch all attacks."),
            Mistake([2088, 90 / 1998, 90 / 99900], "dividing by the false alarms in (b). Divide by "
                    "all that are stopped."),
        ),
    ),
    Exercise(
        id="22.7",
        title="The accountant",
        level="hard",
        minutes=20,
        call="epsilon(q, sigma, steps, delta, largest)",
        hints=(
            "First one order: the logarithm of each term, then their log-sum-exp.",
            "ln of the binomial is lgamma(a + 1) - lgamma(k + 1) - lgamma(a - k + 1). The smallest "
            "over the orders comes last.",
            "min(steps * divergence(a) + math.log(1 / delta) / (a - 1) for a in range(2, ...)). "
            "Does the range hold `largest`?",
        ),
        reference=exact_epsilon,
        cases=(
            Case((HALF, 1.0, 1, 1.0, 2), "one order, alpha = 2, and delta = 1 costs nothing: ln of "
                 "(1/4 + 1/2 + e/4).", TWO),
            Case((HALF, 1.0, 3, 1.0, 2), "three steps cost three times as much.", 3 * TWO),
            Case((HALF, 1.0, 1, math.exp(-1), 2), "delta = 1/e adds 1, once.", TWO + 1),
            Case((HALF, 1.0, 3, math.exp(-1), 2), "delta is paid once, not at every step.",
                 3 * TWO + 1),
            Case((0.1, 2.0, 10, 1e-5, 3), "two orders, the better of them."),
            Case((0.01, 4.0, 10_000, 1e-5, 64), "1% of the data, noise 4, 10,000 steps: 1.26.",
                 1.2585747, rtol=1e-3),
            Case((0.02, 1.1, 500, 1e-5, 64), "orders up to 64, where exp by itself overflows."),
            Case((0.1, 0.2, 10, 1e-5, 64), "little noise: exp(k (k - 1) / 0.08) must not "
                 "overflow."),
            Case((1e-20, 0.5, 10, 1e-5, 40), "tiny q: the best alpha is one at which the "
                 "exponential overflows."),
        ),
        mistakes=(
            Mistake(lambda *a: exact_epsilon(*a, square=False), "leaving out the square of sigma."),
            Mistake(lambda *a: exact_epsilon(*a, half=1.0), "leaving out the 2 below sigma."),
            Mistake(lambda *a: exact_epsilon(*a, tail=False), "leaving out what delta costs."),
            Mistake(lambda *a: exact_epsilon(*a, best=max), "taking the largest over the orders. "
                    "Each of them is a proof; take the best."),
            Mistake(lambda *a: exact_epsilon(*a, add=False), "paying for delta at every step."),
            Mistake(lambda *a: exact_epsilon(*a, order=lambda a: a), "dividing by alpha. It is "
                    "alpha - 1."),
            Mistake(lambda *a: exact_epsilon(*a, order=lambda a: 1), "not dividing by alpha - 1."),
            Mistake(lambda *a: exact_epsilon(*a, pairs=lambda k: k * k), "k squared in place of "
                    "k (k - 1)."),
            Mistake(lambda *a: exact_epsilon(*a, flip=True), "exchanging q and 1 - q."),
            Mistake(lambda q, s, n, d, m: exact_epsilon(q, s, n, d, m - 1) if m > 2 else
                    exact_epsilon(q, s, n, d, m), "leaving out the largest order."),
        ),
    ),
)  # fmt: skip
