"""The checks of chapter 16 tell wrong answers from right ones."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from llmcourse.exercises.chapter_16 import clocked, combined, grouped, rows_by_numpy
from llmcourse.exercises.exercise import find
from llmcourse.quantization import quantize_groups
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)

# ------------------------------------------------------------------ 16.1 bytes on each card

wrong("16.1", "only what is shared", "counting only what is shared")([112, 10.5, 12.25, 14])
wrong("16.1", "gradients instead of optimiser", "The stages add up")([112, 38.5, 40.25, 14])
wrong("16.1", "weights forgotten", "forgetting their 2 bytes")([112, 38.5, 26.25, 12.25])
wrong("16.1", "all cards", "adding up all eight cards")([896, 308, 210, 112])
wrong("16.1", "all divided", "Copies are not shared")([14, 14, 14, 14])
wrong("16.1", "shared vanishes", "letting what is shared vanish")([112, 28, 14, 0])
wrong("16.1", "optimiser of 4 bytes", "giving the optimiser 4 bytes")([56, 24.5, 19.25, 7])
wrong("16.1", "per parameter", "counting bytes for one parameter")([16, 5.5, 3.75, 2])
wrong("16.1", "optimiser of 8 bytes", "giving the optimiser 8 bytes")([84, 35, 22.75, 10.5])
wrong("16.1", "bytes", "Gigabytes are asked for")([112e9, 38.5e9, 26.25e9, 14e9])
wrong("16.1", "powers of two", "dividing by 2 to the 30th")([104.3, 35.86, 24.45, 13.04])
wrong("16.1", "gradients shared alone", "four numbers of gigabytes")([112, 38.5, 99.75, 14])
wrong("16.1", "three numbers", "4 numbers are wanted")([112, 38.5, 26.25])
right("16.1", "expressions")([7 * 16, 7 * (4 + 12 / 8), 7 * (2 + 14 / 8), 7 * 16 / 8])
right("16.1", "rounded")((112, 38.5, 26.2, 14))
right("16.1", "a tensor")(torch.tensor([112, 38.5, 26.25, 14.0]))

# ------------------------------------------------------------------ 16.2 rows


@wrong("16.2", "dealt like cards", "dealing out the rows like cards")
def _(rank, size, n_rows):
    return list(range(rank, n_rows, size))


@wrong("16.2", "rest forgotten", "leaving the rows that are over to nobody")
def _(rank, size, n_rows):
    each = n_rows // size
    return list(range(rank * each, (rank + 1) * each))


@wrong("16.2", "rest to the last", "giving all that is over to the last")
def _(rank, size, n_rows):
    each = n_rows // size
    return list(range(rank * each, n_rows if rank == size - 1 else (rank + 1) * each))


@wrong("16.2", "chunk of torch", "rounding the share up for all")
def _(rank, size, n_rows):
    chunks = torch.arange(n_rows).chunk(size)
    return chunks[rank].tolist() if rank < len(chunks) else []


@wrong("16.2", "start too early", "so that rows are read twice")
def _(rank, size, n_rows):
    each, more = divmod(n_rows, size)
    return list(range(rank * each, rank * each + each + (rank < more)))


@wrong("16.2", "one extra too many", "giving one process too many an extra row")
def _(rank, size, n_rows):
    each, more = divmod(n_rows, size)
    start = rank * each + min(rank, more)
    return list(range(start, start + each + (rank <= more)))


@wrong("16.2", "spread evenly", "spreading the extra rows")
def _(rank, size, n_rows):
    return list(range(n_rows * rank // size, n_rows * (rank + 1) // size))


@wrong("16.2", "extra to the last", "giving the extra rows to the last processes")
def _(rank, size, n_rows):
    sizes = sorted(len(part) for part in np.array_split(np.arange(n_rows), size))
    return list(range(sum(sizes[:rank]), sum(sizes[: rank + 1])))


wrong("16.2", "all rows", "giving everybody all rows")(lambda rank, size, n: list(range(n)))
wrong("16.2", "counted from one", "one process takes all")(
    lambda rank, size, n: [i + 1 for i in rows_by_numpy(rank, size, n)]
)
wrong("16.2", "from the end", "four rows, two processes: the first")(
    lambda rank, size, n: rows_by_numpy(size - 1 - rank, size, n)
)
wrong("16.2", "a pair of borders", "one process takes all")(
    lambda rank, size, n: [rows_by_numpy(rank, size, n)[0], rows_by_numpy(rank, size, n)[-1]]
)


@right("16.2", "divmod")
def _(rank, size, n_rows):
    each, more = divmod(n_rows, size)
    start = rank * each + min(rank, more)
    return list(range(start, start + each + (rank < more)))


@right("16.2", "one after the other")
def _(rank, size, n_rows):
    counts = [0] * size
    for i in range(n_rows):
        counts[i % size] += 1
    start = sum(counts[:rank])
    return [start + i for i in range(counts[rank])]


# ------------------------------------------------------------------ 16.3 unequal shares

wrong("16.3", "mean of means", "taking the mean of means")(
    lambda gradients, counts: torch.stack(gradients).mean(0)
)
wrong("16.3", "sum of means", "adding up the means")(lambda gradients, counts: sum(gradients))
wrong("16.3", "not divided", "leaving the sum undivided")(
    lambda gradients, counts: sum(n * g for n, g in zip(counts, gradients, strict=True))
)
wrong("16.3", "by the processes", "dividing the sum by the number of processes")(
    lambda gradients, counts: (
        sum(n * g for n, g in zip(counts, gradients, strict=True)) / len(counts)
    )
)
wrong("16.3", "divided twice", "dividing by the counts twice")(
    lambda gradients, counts: sum(gradients) / sum(counts)
)
wrong("16.3", "by the largest", "dividing by the largest count")(
    lambda gradients, counts: (
        sum(n * g for n, g in zip(counts, gradients, strict=True)) / max(counts)
    )
)
wrong("16.3", "those present", "weighing the others alike")(
    lambda gradients, counts: (
        sum(g for n, g in zip(counts, gradients, strict=True) if n) / sum(n > 0 for n in counts)
    )
)
wrong("16.3", "inverse", "weighing by the inverse")(
    lambda gradients, counts: (
        sum(g / n for n, g in zip(counts, gradients, strict=True) if n)
        / sum(1 / n for n in counts if n)
    )
)
wrong("16.3", "down to a number", "one process alone")(
    lambda gradients, counts: combined(gradients, counts).mean(0, keepdim=True)
)


@wrong("16.3", "in place", "changes its input")
def _(gradients, counts):
    for gradient, n in zip(gradients, counts, strict=True):
        gradient *= n / sum(counts)
    return sum(gradients)


@right("16.3", "a loop")
def _(gradients, counts):
    total = torch.zeros_like(gradients[0])
    for gradient, n in zip(gradients, counts, strict=True):
        total += gradient * n
    return total / sum(counts)


@right("16.3", "a product")
def _(gradients, counts):
    weights = torch.tensor(counts, dtype=torch.float32)
    return torch.tensordot(weights / weights.sum(), torch.stack(gradients), dims=1)


# ------------------------------------------------------------------ 16.4 a slow stage

wrong("16.4", "one after the other", "wait until the one before has left")(
    lambda times, micro: sum(times) * micro
)
wrong("16.4", "all slow", "giving every stage the time of the slowest")(
    lambda times, micro: (len(times) + micro - 1) * max(times)
)
wrong("16.4", "one too many", "counting one micro-batch twice")(
    lambda times, micro: sum(times) + micro * max(times)
)
wrong("16.4", "last sets the pace", "letting the last stage set the pace")(
    lambda times, micro: sum(times) + (micro - 1) * times[-1]
)
wrong("16.4", "first sets the pace", "letting the first stage set the pace")(
    lambda times, micro: sum(times) + (micro - 1) * times[0]
)
wrong("16.4", "only the slowest", "forgetting that the slowest stage has to wait")(
    lambda times, micro: micro * max(times)
)
wrong("16.4", "mean", "setting the pace by the mean")(
    lambda times, micro: sum(times) + (micro - 1) * sum(times) / len(times)
)
wrong("16.4", "quickest", "letting the quickest stage set the pace")(
    lambda times, micro: sum(times) + (micro - 1) * min(times)
)
wrong("16.4", "no queue", "the others queue before it")(lambda times, micro: sum(times))


@wrong("16.4", "free kept between stages", "a single micro-batch")
def _(times, micro):
    done, free = [0.0] * micro, 0.0
    for time in times:
        for j in range(micro):
            free = max(free, done[j]) + time
            done[j] = free + time * (len(times) > 1)
    return done[-1]


@right("16.4", "a formula")
def _(times, micro):
    return sum(times) + (micro - 1) * max(times)


@right("16.4", "a timetable")
def _(times, micro):
    done = [[0.0] * (micro + 1) for _ in range(len(times) + 1)]
    for s, time in enumerate(times, 1):
        for j in range(1, micro + 1):
            done[s][j] = max(done[s][j - 1], done[s - 1][j]) + time
    return done[-1][-1]


# ------------------------------------------------------------------ 16.5 feed-forward


def part(x, w1, b1, w2, b2, rank, size, *, bias=lambda r, s: float(r == 0), act=F.relu, first=1.0):
    hidden = act(x @ w1.chunk(size, dim=1)[rank] + first * b1.chunk(size)[rank])
    return hidden @ w2.chunk(size, dim=0)[rank] + bias(rank, size) * b2


def with_change(**changes):
    return lambda *args: part(*args, **changes)


wrong("16.5", "second bias by all", "adding the second bias in every process")(
    with_change(bias=lambda r, s: 1)
)
wrong("16.5", "no second bias", "leaving out the second bias")(with_change(bias=lambda r, s: 0))
wrong("16.5", "second bias by the last", "in the last process")(
    with_change(bias=lambda r, s: float(r == s - 1))
)
wrong("16.5", "second bias shared", "sharing out the second bias")(
    with_change(bias=lambda r, s: 1 / s)
)
wrong("16.5", "no first bias", "leaving out the first bias")(with_change(first=0.0))
wrong("16.5", "no relu", "leaving out relu")(with_change(act=lambda h: h))
wrong("16.5", "gelu", "relu(1 x 2 + 1) x 3")(with_change(act=F.gelu))


@wrong("16.5", "rows first", "cutting the first matrix by rows")
def _(x, w1, b1, w2, b2, rank, size):
    own = x.chunk(size, dim=1)[rank] @ w1.chunk(size, dim=0)[rank]
    mine = rank == 0
    return F.relu(own + (b1 if mine else 0)) @ w2 + (b2 if mine else 0)


@wrong("16.5", "by a mask", "do not multiply it by zero")
def _(x, w1, b1, w2, b2, rank, size):
    own = torch.zeros(size).index_fill(0, torch.tensor(rank), 1).repeat_interleave(len(b1) // size)
    return F.relu(x @ w1 + b1) * own @ w2 + (rank == 0) * b2


wrong("16.5", "the whole", "computing the whole in every process: in the sum")(
    lambda x, w1, b1, w2, b2, rank, size: F.relu(x @ w1 + b1) @ w2 + b2
)
wrong("16.5", "the whole divided", "no work is saved")(
    lambda x, w1, b1, w2, b2, rank, size: (F.relu(x @ w1 + b1) @ w2 + b2) / size
)
wrong("16.5", "interleaved", "taking every size-th hidden number")(
    lambda x, w1, b1, w2, b2, rank, size: (
        F.relu(x @ w1[:, rank::size] + b1[rank::size]) @ w2[rank::size] + (rank == 0) * b2
    )
)
wrong("16.5", "hidden only", "the shape is")(
    lambda x, w1, b1, w2, b2, rank, size: torch.cat([F.relu(x @ w1 + b1)] * 2, dim=1)
)
right("16.5", "chunks")(with_change())


@right("16.5", "slices and linear")
def _(x, w1, b1, w2, b2, rank, size):
    each = w1.size(1) // size
    own = slice(rank * each, (rank + 1) * each)
    hidden = F.linear(x, w1[:, own].T, b1[own]).clamp(min=0)
    return F.linear(hidden, w2[own].T, b2 if rank == 0 else None)


# ------------------------------------------------------------------ 16.6 four bits


def quantized(
    row,
    group,
    *,
    size=lambda g: g.abs().amax(1),
    top=7.0,
    zero=True,
    nearest=torch.round,
    low=-7,
    high=7,
):
    groups = row.view(-1, group)
    scales = size(groups) / top
    if zero:
        scales = torch.where(scales == 0, 1.0, scales)
    integers = nearest(groups / scales[:, None]).clamp(low, high).to(torch.int8)
    return integers.view(row.shape), scales


def changed(**changes):
    return lambda row, group: quantized(row, group, **changes)


wrong("16.6", "divided by 8", "dividing by 8")(changed(top=8.0, low=-8))
wrong("16.6", "divided by 7.5", "so the scale is 1")(changed(top=7.5, low=-8))
wrong("16.6", "divided by 15", "dividing by 15")(changed(top=15.0))
wrong("16.6", "divided by 127", "as for eight bits")(changed(top=127.0, low=-127, high=127))
wrong("16.6", "number of groups", "taking `group` for the number of groups")(
    lambda row, group: quantized(row, len(row) // group)
)
wrong("16.6", "cut off", "not cut off")(changed(nearest=torch.trunc))
wrong("16.6", "rounded down", "not cut off")(changed(nearest=torch.floor))
wrong("16.6", "largest number", "and not the largest size")(changed(size=lambda g: g.amax(1)))
wrong("16.6", "one scale", "taking one scale for the whole row")(
    lambda row, group: quantized(row, len(row))
)
wrong("16.6", "inverse scales", "giving the inverse of the scales")(
    lambda row, group: (quantized(row, group)[0], 1 / quantized(row, group)[1])
)
wrong("16.6", "no care for zeros", "a group of zeros has the scale 1")(changed(zero=False))
wrong("16.6", "in groups", "They have the shape of the row")(
    lambda row, group: (quantized(row, group)[0].view(-1, group), quantized(row, group)[1])
)
wrong("16.6", "floats", "Their dtype is torch.int8")(
    lambda row, group: (quantized(row, group)[0].float(), quantized(row, group)[1])
)
wrong("16.6", "the range", "dividing the range")(
    changed(size=lambda g: g.amax(1) - g.amin(1), top=15.0)
)
wrong("16.6", "columns for groups", "two groups, a scale for each")(
    lambda row, group: quantized(row.view(group, -1).T.reshape(-1), group)
)
wrong("16.6", "integers alone", "return a pair")(lambda row, group: quantized(row, group)[0])


@wrong("16.6", "in place", "it changes `row` in place")
def _(row, group):
    _, scales = quantized(row, group)
    row /= scales.repeat_interleave(group)
    return row.round().to(torch.int8), scales


right("16.6", "a view")(changed())


@right("16.6", "a loop over groups")
def _(row, group):
    integers, scales = [], []
    for part_of_row in row.split(group):
        scale = max(abs(value) for value in part_of_row.tolist()) / 7 or 1.0
        scales.append(scale)
        integers += [round(value / scale) for value in part_of_row.tolist()]
    return torch.tensor(integers, dtype=torch.int8), torch.tensor(scales)


# ------------------------------------------------------------------ 16.7 the ring

wrong("16.7", "always one's own", "with n = 2, in the end")(lambda rank, step, n: rank)
wrong("16.7", "the other way", "no machine has all of piece")(
    lambda rank, step, n: (rank - step) % n
)
wrong("16.7", "all the same", "no machine has all of piece")(lambda rank, step, n: step % n)
wrong("16.7", "no remainder", "take the remainder")(lambda rank, step, n: rank + step)
wrong("16.7", "two at a time", "with n = 2, in the end")(
    lambda rank, step, n: (rank + 2 * step) % n
)
wrong("16.7", "second round back to the start", "in the second, start with the piece")(
    lambda rank, step, n: (rank + step % (n - 1)) % n
)
wrong("16.7", "second round turned", "in the second, start with the piece")(
    lambda rank, step, n: (rank + (step if step < n else 2 * n - step)) % n
)
wrong("16.7", "a float", "return a whole number")(lambda rank, step, n: (rank + step) / n % n)
wrong("16.7", "nothing", "return a whole number")(lambda rank, step, n: "all")
right("16.7", "a formula")(lambda rank, step, n: (rank + step) % n)
right("16.7", "shifted by three")(lambda rank, step, n: (rank + step + 3) % n)


@right("16.7", "by following what comes in")
def _(rank, step, n):
    sends = list(range(n))
    for _ in range(step):
        sends = sends[1:] + sends[:1]
    return sends[rank]


@right("16.7", "pieces in the order of a permutation")
def _(rank, step, n):
    order = np.random.default_rng(0).permutation(n)
    return order[(rank + step) % n]


# ------------------------------------------------------------------


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


@pytest.mark.parametrize("size, n_rows", list(itertools.product([1, 2, 5], [0, 4, 7])))
def test_rows_of_all_are_all_rows(size, n_rows):
    shares = [find("16.2").reference(rank, size, n_rows) for rank in range(size)]
    assert [row for share in shares for row in share] == list(range(n_rows))


@pytest.mark.parametrize("times", list(itertools.permutations([1.0, 2.0, 4.0])))
def test_two_ways_to_time_a_pipeline_agree(times):
    for micro in (1, 2, 5):
        assert clocked(list(times), micro) == sum(times) + (micro - 1) * max(times)


def test_the_package_quantises_alike():
    row = torch.randn(64, generator=torch.Generator().manual_seed(3))
    integers, scales = quantize_groups(row[None], 16)
    ours, exact = grouped(row, 16)
    assert (integers[0].int() - ours.int()).abs().max() <= 1  # the package rounds its scales
    torch.testing.assert_close(scales[0].double(), exact, rtol=4e-3, atol=0)


def test_every_exercise_has_enough_answers():
    assert_enough_answers(16, WRONG, RIGHT)
