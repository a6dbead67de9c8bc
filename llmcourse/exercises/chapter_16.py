"""Checks of chapter 16: bytes per card, shares, pipelines, cut matrices, four bits, a ring."""

import numpy
import torch
import torch.nn.functional as F
from torch import Tensor

from llmcourse.exercises.exercise import Case, Exercise, Mistake


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------ 16.2


def rows_by_numpy(rank, size, n_rows) -> list[int]:
    return numpy.array_split(numpy.arange(n_rows), size)[rank].tolist()


def rows_with(start, length):
    def rows(rank, size, n_rows):
        first = start(rank, size, n_rows)
        return list(range(first, first + length(rank, size, n_rows)))

    return rows


# ------------------------------------------------------------------ 16.3


def combined(gradients, counts) -> Tensor:
    """By one matrix product with the shares."""
    shares = torch.tensor(counts, dtype=torch.float64) / sum(counts)
    return torch.einsum("p,p...->...", shares, torch.stack([g.double() for g in gradients]))


def present(counts) -> int:
    return sum(n > 0 for n in counts)


# ------------------------------------------------------------------ 16.4


def clocked(times, micro) -> float:
    """By an event at a time: the stage whose next piece can begin first is served."""
    left = [[0.0] * micro] + [[None] * micro for _ in times]
    free, following = [0.0] * len(times), [0] * len(times)
    while following[-1] < micro:
        ready = [
            (max(free[s], left[s][following[s]]), s)
            for s in range(len(times))
            if following[s] < micro and left[s][following[s]] is not None
        ]
        begin, s = min(ready)
        free[s] = left[s + 1][following[s]] = begin + times[s]
        following[s] += 1
    return left[-1][-1]


# ------------------------------------------------------------------ 16.5


def part_by_numbers(x, w1, b1, w2, b2, rank, size, *, bias=None, hidden_bias=True):
    """One hidden number after the other, each with what it adds to the output."""
    each = w1.shape[1] // size
    part = torch.zeros_like(x)
    for j in range(rank * each, (rank + 1) * each):
        hidden = (x * w1[:, j]).sum(1) + (b1[j] if hidden_bias else 0)
        part = part + torch.outer(F.relu(hidden), w2[j])
    return part + ((rank == 0) if bias is None else bias(rank, size)) * b2


def rows_first(x, w1, b1, w2, b2, rank, size):
    xs, rows = x.chunk(size, 1)[rank], w1.chunk(size, 0)[rank]
    return F.relu(xs @ rows + (b1 if rank == 0 else 0)) @ w2 + (b2 if rank == 0 else 0)


def feed_forward(time, d, h, rank, size, seed=0, absent=False):
    shapes = [(time, d), (d, h), (h,), (h, d), (d,)]
    x, w1, b1, w2, b2 = (normal(*shape, seed=seed + i) for i, shape in enumerate(shapes))
    if absent:
        others = torch.arange(h) // (h // size) != rank
        w1[:, others], b1[others], w2[others] = torch.nan, torch.nan, torch.nan
    return x, w1, b1, w2, b2, rank, size


# ------------------------------------------------------------------ 16.6


def grouped(row, group, *, largest=lambda g: numpy.abs(g).max(1), top=7, low=-7, high=7,
            zero=1.0, nearest=numpy.rint) -> tuple[Tensor, Tensor]:  # fmt: skip
    """In NumPy, in double precision, where one thing may be done wrong."""
    groups = row.double().numpy().reshape(-1, group)
    scales = largest(groups) / top
    scales = numpy.where(scales == 0, zero, scales)
    integers = numpy.clip(nearest(groups / scales[:, None]), low, high)
    return torch.tensor(integers.reshape(-1), dtype=torch.int8), torch.tensor(scales)


def pair(answer, row, group) -> dict[str, object]:
    before = row.clone()
    got = answer(row, group)
    if not torch.equal(row, before):
        raise ValueError("it changes `row` in place, which the caller may still need: make a new "
                         "one (`row = row / s`, not `row /= s`)")  # fmt: skip
    if not isinstance(got, tuple | list) or len(got) != 2:
        raise TypeError("return a pair: (integers, scales)")
    integers, scales = got
    if not isinstance(integers, Tensor) or not isinstance(scales, Tensor):
        raise TypeError("both, integers and scales, are tensors")
    return {"integers": integers, "scales": scales.flatten().double(),
            "dtype of the integers": str(integers.dtype)}  # fmt: skip


def as_pair(answer):
    return lambda *args: pair(answer, *args)


# ------------------------------------------------------------------ 16.7


def schedule(answer, n) -> list[list[int]]:
    """The pieces that are sent, a list for each step."""
    sent = [[answer(rank, step, n) for rank in range(n)] for step in range(2 * (n - 1))]
    for step, pieces in enumerate(sent):
        for rank, piece in enumerate(pieces):
            if isinstance(piece, bool) or not isinstance(piece, int | numpy.integer):
                raise TypeError("return a whole number, the number of a piece")
            if not 0 <= piece < n:
                raise ValueError(
                    f"with n = {n}, machine {rank} sends piece {piece} in step {step}: pieces are "
                    f"numbered from 0 to {n - 1}, so take the remainder, % n"
                )
    return [[int(piece) for piece in pieces] for pieces in sent]


def dance(sent, n) -> str | None:
    """What is wrong after the steps; each piece counts how often each machine is in it."""
    held = numpy.zeros((n, n, n), dtype=int)  # machine, piece, whose
    for machine in range(n):
        held[machine, :, machine] = 1
    for step, pieces in enumerate(sent):
        messages = [held[rank, piece].copy() for rank, piece in enumerate(pieces)]
        for rank, (piece, message) in enumerate(zip(pieces, messages, strict=True)):
            left = (rank - 1) % n
            held[left, piece] = message + (held[left, piece] if step < n - 1 else 0)
        if step == n - 2:
            twice, complete = numpy.argwhere(held > 1), (held == 1).all(2).any(0)
    if (held == 1).all():
        return None
    if len(twice):
        machine, piece, whose = twice[0]
        return (
            f"with n = {n}, after the first round piece {piece} of machine {machine} holds the "
            f"number of machine {whose} more than once. Send on what has just come in."
        )
    if not complete.all():
        return (
            f"with n = {n}, after the first round (steps 0 to {n - 2}) no machine has all of piece "
            f"{complete.argmin()}. A sum grows only if what has just come in is sent on."
        )
    machine, piece = numpy.argwhere(~(held == 1).all(2))[0]
    return (
        f"with n = {n}, in the end piece {piece} of machine {machine} is not the sum of all. The "
        "first round is right; in the second, start with the piece that is complete with you, and "
        "send on what comes in."
    )


EXERCISES = (
    Exercise(
        id="16.1",
        title="Seven billion on eight cards",
        level="easy",
        minutes=6,
        hints=(
            "A billion bytes are a gigabyte. How many bytes does one parameter take in all, and "
            "how many of them are the optimiser's?",
            "2 + 2 + 12 bytes. What is shared out is divided by the 8 cards; what is not lies on "
            "each card in full.",
            "Copies: 7 * 16. Optimiser shared: 7 * 4 + 7 * 12 / 8. Gradients too: 7 * 2 + 7 * 14 / "
            "8. And if the weights are shared as well, what is left undivided?",
        ),
        cases=(
            Case(expected=[112.0, 38.5, 26.25, 14.0], rtol=2e-3, pointer="four numbers of "
                 "gigabytes on each card: 16 bytes for each of 7 billion parameters, of which 12, "
                 "then 14, then 16 are divided by 8."),
        ),
        mistakes=(
            Mistake([112.0, 10.5, 12.25, 14.0], "counting only what is shared. What is not shared "
                    "lies on each card in full, beside its part of the rest."),
            Mistake([112.0, 38.5, 40.25, 14.0], "sharing the gradients only, in the third number. "
                    "The stages add up: optimiser and gradients are shared."),
            Mistake([112.0, 38.5, 26.25, 12.25], "sharing the weights, and forgetting their 2 "
                    "bytes: 16 bytes are divided by 8."),
            Mistake([896.0, 308.0, 210.0, 112.0], "adding up all eight cards. The question is for "
                    "one of them."),
            Mistake([14.0, 14.0, 14.0, 14.0], "dividing everything by 8 from the start. Copies are "
                    "not shared at all."),
            Mistake([112.0, 28.0, 14.0, 0.0], "letting what is shared vanish. An eighth of it is "
                    "on each card."),
            Mistake([56.0, 24.5, 19.25, 7.0], "giving the optimiser 4 bytes. AdamW has two "
                    "averages and a copy of the weight, of 4 bytes each: 12."),
            Mistake([84.0, 35.0, 22.75, 10.5], "giving the optimiser 8 bytes. Beside its two "
                    "averages AdamW keeps a copy of the weight in 32 bits: 12."),
            Mistake([x * 1e9 / 2**30 for x in (112.0, 38.5, 26.25, 14.0)], "dividing by 2 to the "
                    "30th. A gigabyte is a billion bytes here."),
            Mistake([112e9, 38.5e9, 26.25e9, 14e9], "giving bytes. Gigabytes are asked for."),
            Mistake([16.0, 5.5, 3.75, 2.0], "counting bytes for one parameter. There are 7 billion "
                    "of them."),
        ),
    ),
    Exercise(
        id="16.2",
        title="Rows for everyone",
        level="easy",
        minutes=8,
        call="rows_of(rank, size, n_rows)",
        hints=(
            "If it comes out even, where does process `rank` begin? And if there are rows left "
            "over, who has taken one more before you?",
            "each, more = divmod(n_rows, size). The processes 0 to more - 1 take each + 1 rows. So "
            "you begin after rank * each rows and one more for each such process before you.",
            "start = rank * each + min(rank, more); the length is each, or each + 1 if ... Which "
            "processes are those?",
        ),
        reference=rows_by_numpy,
        cases=(
            Case((0, 1, 3), "one process takes all.", [0, 1, 2]),
            Case((0, 2, 4), "four rows, two processes: the first has 0 and 1.", [0, 1]),
            Case((1, 2, 4), "four rows, two processes: the second has 2 and 3.", [2, 3]),
            Case((0, 2, 5), "five rows, two processes: the first takes one more.", [0, 1, 2]),
            Case((1, 2, 5), "five rows, two processes: the second begins where the first ends.",
                 [3, 4]),
            Case((2, 4, 10), "ten rows, four processes have 3, 3, 2 and 2 of them.", [6, 7]),
            Case((3, 4, 10), "the last one ends with the last row.", [8, 9]),
            Case((2, 3, 2), "two rows, three processes: the third has none.", []),
            Case((4, 7, 100), "a hundred rows, seven processes."),
            Case((6, 7, 100), "a hundred rows, seven processes, the last."),
        ),
        mistakes=(
            Mistake(lambda r, s, n: list(range(r, n, s)), "dealing out the rows like cards. "
                    "Everyone takes a consecutive stretch."),
            Mistake(rows_with(lambda r, s, n: r * (n // s), lambda r, s, n: n // s), "leaving the "
                    "rows that are over to nobody."),
            Mistake(rows_with(lambda r, s, n: r * (n // s),
                              lambda r, s, n: n // s + (n % s if r == s - 1 else 0)),
                    "giving all that is over to the last process. The first ones take one each."),
            Mistake(lambda r, s, n: list(range(r * -(-n // s), min(n, (r + 1) * -(-n // s)))),
                    "rounding the share up for all, so that the last process has less, or nothing, "
                    "to do. Shares differ by one row at most."),
            Mistake(rows_with(lambda r, s, n: r * (n // s), lambda r, s, n: n // s + (r < n % s)),
                    "beginning too early: those before you may have taken one more, so that rows "
                    "are read twice."),
            Mistake(rows_with(lambda r, s, n: r * (n // s) + min(r, n % s),
                              lambda r, s, n: n // s + (r <= n % s)),
                    "giving one process too many an extra row."),
            Mistake(lambda r, s, n: list(range(n * r // s, n * (r + 1) // s)), "spreading the "
                    "extra rows over all processes. Here the first ones take them."),
            Mistake(rows_with(lambda r, s, n: r * (n // s) + max(0, r - s + n % s),
                              lambda r, s, n: n // s + (r >= s - n % s)),
                    "giving the extra rows to the last processes. Here the first ones take them."),
            Mistake(lambda r, s, n: list(range(n)), "giving everybody all rows: each process would "
                    "compute the same."),
        ),
    ),
    Exercise(
        id="16.3",
        title="Unequal shares",
        level="medium",
        minutes=10,
        call="combine(gradients, counts)",
        hints=(
            "Each process has divided by its own count. What did it have before it divided?",
            "counts[i] * gradients[i] is the gradient of the sum of its losses. Sums may be "
            "added.",
            "total = sum(n * g for n, g in zip(counts, gradients)). By what is it divided, if "
            "every target is to count the same?",
        ),
        reference=combined,
        cases=(
            Case(([torch.tensor([2.0]), torch.tensor([4.0])], [5, 5]), "equal counts: the plain "
                 "mean.", torch.tensor([3.0])),
            Case(([torch.tensor([2.0]), torch.tensor([4.0])], [3, 1]), "three targets pull toward "
                 "2, and one toward 4.", torch.tensor([2.5])),
            Case(([torch.tensor([2.0]), torch.tensor([0.0])], [7, 0]), "a process without targets "
                 "has nothing to say: the result is the other's.", torch.tensor([2.0])),
            Case(([torch.tensor([1.5, -1.0])], [4]), "one process alone.",
                 torch.tensor([1.5, -1.0])),
            Case(([normal(2, 3, seed=i) for i in range(3)], [10, 2, 30]), "three matrices."),
            Case(([normal(5, seed=i) for i in range(4)], [128, 0, 77, 1]), "four processes, one "
                 "of them without a target."),
        ),
        mistakes=(
            Mistake(lambda g, n: sum(g) / len(g), "taking the mean of means. A process with few "
                    "targets would count as much as one with many."),
            Mistake(lambda g, n: sum(g), "adding up the means."),
            Mistake(lambda g, n: sum(a * b for a, b in zip(n, g)), "leaving the sum undivided. The "
                    "loss is a mean over all targets."),
            Mistake(lambda g, n: sum(a * b for a, b in zip(n, g)) / len(g), "dividing the sum by "
                    "the number of processes. Divide by the number of all targets."),
            Mistake(lambda g, n: sum(g) / sum(n), "dividing by the counts twice: the gradients are "
                    "means already, so multiply each by its own count first."),
            Mistake(lambda g, n: sum(a * b for a, b in zip(n, g)) / max(n), "dividing by the "
                    "largest count. Divide by the sum of all."),
            Mistake(lambda g, n: sum(b for a, b in zip(n, g) if a) / present(n), "leaving out "
                    "those without targets, but weighing the others alike."),
            Mistake(lambda g, n: (sum(b / a for a, b in zip(n, g) if a)
                                  / sum(1 / a for a in n if a)),
                    "weighing by the inverse of the counts: more targets have to count for more."),
        ),
    ),
    Exercise(
        id="16.4",
        title="A pipeline with a slow stage",
        level="medium",
        minutes=12,
        call="finished(times, micro)",
        hints=(
            "Draw two stages of 1 and 3 seconds with three micro-batches. Who waits for whom?",
            "A stage begins a micro-batch at the later of two moments: when it has finished the "
            "one before, and when the stage before has finished this one.",
            "done[j] = max(free, done[j]) + time, for each stage and in it for each j, where free "
            "is when this stage ended its last one. With what does free start in each stage?",
        ),
        reference=clocked,
        cases=(
            Case(([2.0], 3), "one stage does three in a row.", 6.0),
            Case(([1.0, 2.0, 3.0], 1), "a single micro-batch passes through all.", 6.0),
            Case(([1.0, 1.0], 3), "two equal stages: one comes out each second, from second 2 on.",
                 4.0),
            Case(([1.0, 3.0], 3), "the second stage is slow: it begins at 1 and takes 3 x 3.",
                 10.0),
            Case(([3.0, 1.0], 3), "the first stage is slow: the second waits for it each time.",
                 10.0),
            Case(([1.0, 4.0, 2.0], 2), "the slow stage is in the middle."),
            Case(([0.5, 2.0, 1.0, 2.0], 8), "four stages, eight micro-batches."),
            Case(([1.0, 2.5, 0.25, 1.5, 2.0], 20), "five stages, twenty micro-batches."),
        ),
        mistakes=(
            Mistake(lambda t, m: sum(t) * m, "letting each micro-batch wait until the one before "
                    "has left the last stage. Stages work at the same time."),
            Mistake(lambda t, m: (len(t) + m - 1) * max(t), "giving every stage the time of the "
                    "slowest. The first micro-batch passes a quick stage quickly."),
            Mistake(lambda t, m: sum(t) + m * max(t), "counting one micro-batch twice: while the "
                    "first one passes through, only micro - 1 are left."),
            Mistake(lambda t, m: sum(t) + (m - 1) * t[-1], "letting the last stage set the pace. "
                    "It is the slowest that does."),
            Mistake(lambda t, m: sum(t) + (m - 1) * t[0], "letting the first stage set the pace. "
                    "It is the slowest that does."),
            Mistake(lambda t, m: m * max(t), "forgetting that the slowest stage has to wait for "
                    "the first micro-batch, and the last one has to leave after it."),
            Mistake(lambda t, m: sum(t) + (m - 1) * sum(t) / len(t), "setting the pace by the mean "
                    "of the stages. It is the slowest that does."),
            Mistake(lambda t, m: sum(t) + (m - 1) * min(t), "letting the quickest stage set the "
                    "pace: a stage handles one micro-batch at a time, and so the others queue."),
            Mistake(lambda t, m: sum(t), "forgetting that a stage handles one micro-batch at a "
                    "time: the others queue before it."),
        ),
    ),
    Exercise(
        id="16.5",
        title="Your part of the feed-forward",
        level="medium",
        minutes=12,
        call="my_part(x, w1, b1, w2, b2, rank, size)",
        hints=(
            "Which columns of w1 make your hidden numbers? Which rows of w2 are they multiplied "
            "with?",
            "tensor.chunk(size, dim=...)[rank] gives your stretch: columns of w1, entries of b1, "
            "rows of w2. Between the products comes relu.",
            "hidden = torch.relu(x @ w1.chunk(size, dim=1)[rank] + b1.chunk(size)[rank]); part = "
            "hidden @ w2.chunk(size, dim=0)[rank]. Who adds b2, if it should be there once?",
        ),
        reference=part_by_numbers,
        cases=(
            Case((torch.tensor([[1.0]]), torch.tensor([[2.0]]), torch.tensor([1.0]),
                  torch.tensor([[3.0]]), torch.tensor([0.5]), 0, 1), "one process computes all: "
                 "relu(1 x 2 + 1) x 3 + 0.5 = 9.5.", torch.tensor([[9.5]])),
            Case((torch.tensor([[1.0]]), torch.tensor([[2.0, 5.0]]), torch.zeros(2),
                  torch.tensor([[3.0], [1.0]]), torch.zeros(1), 0, 2), "two processes, no biases: "
                 "the first has the first hidden number, and its part is 2 x 3.",
                 torch.tensor([[6.0]])),
            Case((torch.tensor([[1.0]]), torch.tensor([[2.0, 5.0]]), torch.zeros(2),
                  torch.tensor([[3.0], [1.0]]), torch.zeros(1), 1, 2), "two processes, no biases: "
                 "the part of the second is 5 x 1.", torch.tensor([[5.0]])),
            Case((torch.tensor([[1.0]]), torch.tensor([[2.0, 5.0]]), torch.tensor([1.0, -9.0]),
                  torch.tensor([[3.0], [1.0]]), torch.zeros(1), 1, 2), "the first bias is cut with "
                 "the hidden numbers, and comes before relu: 5 - 9 becomes 0."),
            Case((torch.tensor([[1.0]]), torch.tensor([[2.0, 5.0]]), torch.zeros(2),
                  torch.tensor([[3.0], [1.0]]), torch.tensor([10.0]), 0, 2), "the second bias is "
                 "added by process 0."),
            Case((torch.tensor([[1.0]]), torch.tensor([[2.0, 5.0]]), torch.zeros(2),
                  torch.tensor([[3.0], [1.0]]), torch.tensor([10.0]), 1, 2), "the second bias is "
                 "added once: by process 0, and not by the others."),
            *(Case(feed_forward(3, 4, 6, rank, 2), "matrices, two processes.") for rank in (0, 1)),
            *(Case(feed_forward(3, 6, 6, rank, 3, seed=10), "three processes.") for rank in (2, 0)),
            Case(feed_forward(5, 8, 32, 1, 4, seed=20), "four processes.", rtol=1e-3, atol=1e-4),
            *(Case(feed_forward(3, 4, 6, rank, 2, seed=30, absent=True), "what belongs to the "
                   "other process is nan, as it lies elsewhere: cut it off, do not multiply it by "
                   "zero.") for rank in (0, 1)),
        ),
        mistakes=(
            Mistake(lambda *a: part_by_numbers(*a, bias=lambda r, s: 1), "adding the second "
                    "bias in every process: in the sum it is there `size` times."),
            Mistake(lambda *a: part_by_numbers(*a, bias=lambda r, s: 0), "leaving out the "
                    "second bias."),
            Mistake(lambda *a: part_by_numbers(*a, bias=lambda r, s: r == s - 1), "adding "
                    "the second bias in the last process. The text gives it to process 0."),
            Mistake(lambda *a: part_by_numbers(*a, bias=lambda r, s: 1 / s), "sharing out "
                    "the second bias. The sum is right, but the text gives it to process 0."),
            Mistake(lambda *a: part_by_numbers(*a, hidden_bias=False), "leaving out the "
                    "first bias."),
            Mistake(rows_first, "cutting the first matrix by rows. Then relu comes before "
                    "the sum is complete, and relu of a sum is not the sum of relus."),
            Mistake(lambda *a: part_by_numbers(*a[:5], 0, 1), "computing the whole in every "
                    "process: in the sum it is there `size` times."),
            Mistake(lambda *a: part_by_numbers(*a[:5], 0, 1) / a[6], "computing the whole "
                    "in every process and dividing it. The sum is right, and no work is saved."),
            Mistake(lambda x, w1, b1, w2, b2, r, s:
                             (x @ w1.chunk(s, 1)[r] + b1.chunk(s)[r]) @ w2.chunk(s, 0)[r]
                             + (r == 0) * b2, "leaving out relu."),
            Mistake(lambda x, w1, b1, w2, b2, r, s:
                             F.relu(x @ w1[:, r::s] + b1[r::s]) @ w2[r::s] + (r == 0) * b2,
                    "taking every size-th hidden number. The sum is right, but the text asks for "
                    "equal stretches."),
        ),
    ),
    Exercise(
        id="16.6",
        title="Four bits in groups",
        level="hard",
        minutes=15,
        call="quantize(row, group)",
        hints=(
            "Lay the row out as a matrix with a group in each line: row.view(-1, group). What is "
            "the largest size in each line?",
            "scales = grouped.abs().amax(dim=1) / 7, and where that is 0 take 1. Then divide each "
            "line by its scale, round, and give back the shape of the row.",
            "integers = (grouped / scales[:, None]).round().to(torch.int8).view(row.shape). And "
            "how do you write that a scale of 0 becomes 1, with torch.where?",
        ),
        use=pair,
        reference=as_pair(grouped),
        cases=(
            Case((torch.tensor([7.0, 3.0]), 2), "the largest is 7, so the scale is 1 and the "
                 "numbers are what they were.",
                 {"integers": torch.tensor([7, 3], dtype=torch.int8),
                  "scales": torch.tensor([1.0], dtype=torch.float64),
                  "dtype of the integers": "torch.int8"}),
            Case((torch.tensor([14.0, 3.0]), 2), "scale 2: 3 / 2 is rounded to 2 (to the even "
                 "neighbour, as torch.round does), not cut off."),
            Case((torch.tensor([-14.0, 6.2]), 2), "the largest in size is negative: the scale is "
                 "2, and -14 becomes -7."),
            Case((torch.tensor([7.0, 3.0, 0.7, -0.2]), 2), "two groups, a scale for each."),
            Case((torch.tensor([0.0, 0.0, 7.0, 1.0]), 2), "a group of zeros has the scale 1 and "
                 "stays zero; it is no reason to divide by 0."),
            Case((torch.tensor([-1.0, -2.2, -7.0, -3.1]), 4), "all are negative."),
            Case((torch.tensor([5.0, -3.0, 0.5]), 1), "groups of one: each is 7 or -7."),
            Case((normal(24), 24), "one group for the whole row."),
            Case((normal(96, seed=1) * torch.logspace(-3, 3, 96), 8), "a long row, groups of 8."),
            Case((normal(96, seed=2).roll(1), 32), "a long row, groups of 32."),
        ),
        mistakes=(
            Mistake(as_pair(lambda r, g: grouped(r, g, top=8, low=-8)), "dividing by 8. The "
                    "largest becomes 7: from -8 to 7 the two sides are not alike."),
            Mistake(as_pair(lambda r, g: grouped(r, g, top=15)), "dividing by 15. With a sign "
                    "there are only seven values on each side."),
            Mistake(as_pair(lambda r, g: grouped(r, g, top=127, low=-127, high=127)), "dividing by "
                    "127, as for eight bits. With four bits the largest is 7."),
            Mistake(as_pair(lambda r, g: grouped(r, len(r) // g)), "taking `group` for the number "
                    "of groups. It is how many neighbours are in each."),
            Mistake(as_pair(lambda r, g: grouped(r, g, nearest=numpy.trunc)), "cutting off, which "
                    "`.to(torch.int8)` does. Round to the nearest first."),
            Mistake(as_pair(lambda r, g: grouped(r, g, nearest=numpy.floor)), "rounding down. "
                    "Round to the nearest."),
            Mistake(as_pair(lambda r, g: grouped(r, g, largest=lambda x: x.max(1))), "taking the "
                    "largest number and not the largest size."),
            Mistake(as_pair(lambda r, g: grouped(r, len(r))), "taking one scale for the whole "
                    "row."),
            Mistake(as_pair(lambda r, g: (grouped(r, g)[0], 1 / grouped(r, g)[1])), "giving the "
                    "inverse of the scales. A weight is integer times scale."),
            Mistake(as_pair(lambda r, g: grouped(r, g, largest=lambda x: x.max(1) - x.min(1),
                                                 top=15)),
                    "dividing the range from smallest to largest by 15. The scale here is the "
                    "largest size, divided by 7."),
            Mistake(as_pair(lambda r, g: (grouped(r, g)[0].view(-1, g), grouped(r, g)[1])),
                    "leaving the integers in groups. They have the shape of the row."),
            Mistake(as_pair(lambda r, g: (grouped(r, g)[0].float(), grouped(r, g)[1])), "leaving "
                    "the integers as floats. Their dtype is torch.int8."),
        ),
    ),
    Exercise(
        id="16.7",
        title="Lead the dance",
        level="hard",
        minutes=20,
        call="piece_to_send(rank, step, n)",
        hints=(
            "A sum grows only if a machine sends on the piece that has just come in. From whom "
            "does it come, if all send to their left?",
            "If machine rank sends piece p(rank, step), it receives p(rank + 1, step), and should "
            "send that one next: p(rank, step + 1) = p(rank + 1, step).",
            "p(rank, 0) may be rank. Then p(rank, 1) = p(rank + 1, 0) = rank + 1, and so on: p is "
            "(rank ...) % n. What has to be added in step `step`?",
        ),
        use=schedule,
        accept=dance,
        cases=(
            Case((2,), "two machines: each sends one piece to the other, and gets back the other "
                 "one."),
            Case((3,), "three machines, four steps."),
            Case((4,), "four machines, six steps."),
            Case((7,), "seven machines."),
            Case((12,), "twelve machines."),
        ),
    ),
)
