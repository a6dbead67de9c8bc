"""Checks of chapter 14: low-rank updates, labels of answers, preferences, early stopping, KL."""

import math

import numpy
import torch
import torch.nn.functional as F

from llmcourse.exercises.exercise import Case, Exercise, Mistake


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------ 14.2


def by_columns(weight, A, B, alpha):
    """What the layer with its update makes of each unit vector, as columns."""
    columns = [
        weight.double() @ e + alpha / len(A) * (B.double() @ (A.double() @ e))
        for e in torch.eye(weight.shape[1], dtype=torch.float64)
    ]
    return torch.stack(columns, dim=1)


# ------------------------------------------------------------------ 14.3


def token_by_token(rows, end, *, learn_end=True, learn_padding=False, learn_prompt=False, shift=0):
    """Tokens and labels of a batch, in which one thing may be done wrong."""
    longest = max(len(p) + len(a) + 1 for p, a in rows)
    tokens, labels = [], []
    for prompt, answer in rows:
        row = [*prompt, *answer, end]
        last = len(row) if learn_end else len(row) - 1
        first = 0 if learn_prompt else len(prompt) - shift
        row += [end] * (longest - len(row))
        last = longest if learn_padding else last - shift
        tokens.append(row)
        labels.append([t if first <= i < last else -100 for i, t in enumerate(row)])
    return torch.tensor(tokens), torch.tensor(labels)


def shifted_labels(rows, end):
    tokens, labels = token_by_token(rows, end)
    return tokens, torch.cat([labels[:, 1:], torch.full((len(rows), 1), -100)], dim=1)


def ends_forgotten(rows, end):
    """Every `end` is taken for padding."""
    tokens, labels = token_by_token(rows, end)
    return tokens, labels.masked_fill(tokens == end, -100)


def padded_left(rows, end):
    tokens, labels = token_by_token(rows, end)
    for i, (prompt, answer) in enumerate(rows):
        by = tokens.shape[1] - len(prompt) - len(answer) - 1
        tokens[i], labels[i] = tokens[i].roll(by), labels[i].roll(by)
    return tokens, labels


LONG_ROWS = [([1, 2, 3], [4, 5]), ([6], [7, 8, 9, 4]), ([2, 2, 2, 2], [5])]

# ------------------------------------------------------------------ 14.4


def preference(
    chosen, rejected, ref_chosen, ref_rejected, chosen_mask, rejected_mask, beta,
    *, total=lambda x, m: (x * m).sum(-1), reference=True, link=F.logsigmoid, inner=True,
):  # fmt: skip
    """The loss from its formula, in which one thing may be done wrong."""
    base = (ref_chosen, ref_rejected) if reference else (0.0, 0.0)
    gain = total(chosen.double() - base[0], chosen_mask)
    loss = total(rejected.double() - base[1], rejected_mask)
    return (-link(beta * (gain - loss)) if inner else -beta * link(gain - loss)).mean()


def by_softplus(chosen, rejected, ref_chosen, ref_rejected, chosen_mask, rejected_mask, beta):
    rows = []
    for i in range(len(chosen)):
        good, bad = chosen_mask[i].bool(), rejected_mask[i].bool()
        gain = (chosen[i] - ref_chosen[i])[good].double().sum()
        loss = (rejected[i] - ref_rejected[i])[bad].double().sum()
        rows.append(numpy.logaddexp(0.0, -beta * (gain - loss).item()))
    return float(numpy.mean(rows))


def masked_mean(x, m):
    return (x * m).sum(-1) / m.sum(-1)


def pairs(n, time, seed, full=False):
    g = torch.Generator().manual_seed(seed)
    parts = [-torch.rand(n, time, generator=g) * 4 for _ in range(4)]
    masks = [
        (torch.arange(time) < torch.randint(1, time + 1, (n, 1), generator=g)).long()
        for _ in range(2)
    ]
    return (*parts, *([torch.ones(n, time, dtype=torch.long)] * 2 if full else masks))


ZERO, ONE = torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.long)
ROW = torch.tensor([[-1.0, -2.0]])

# ------------------------------------------------------------------ 14.5


def stopping(losses, patience, margin, *, keep="best", reset=None, enough=None):
    """Early stopping told as a walk, in which one thing may be done wrong."""
    better = reset or (lambda loss, reference, margin, before: loss < reference - margin)
    enough = enough or (lambda waited, patience: waited >= patience)
    reference, waited, reset_at = losses[0], 0, 0
    for i in range(1, len(losses)):
        if better(losses[i], reference, margin, losses[i - 1]):
            reference, waited, reset_at = losses[i], 0, i
        else:
            waited += 1
        if enough(waited, patience):
            break
    else:
        i = len(losses) - 1
    best = {"best": min(range(i + 1), key=losses.__getitem__), "reset": reset_at, "last": i}
    return i, best[keep]


NOISY = [5.0, 4.0, 4.1, 4.2, 3.9, 4.3, 4.4, 4.5, 3.0]
SLOW = [5.0, 4.95, 4.9, 4.85, 4.8]

# ------------------------------------------------------------------ 14.6


def rank_by_trying(before, after, rest):
    change = (after - before).double()
    u, s, v = torch.linalg.svd(change, full_matrices=False)
    whole = (change**2).sum().item()
    for rank in range(len(s) + 1):
        best = u[:, :rank] @ torch.diag(s[:rank]) @ v[:rank]
        if ((change - best) ** 2).sum().item() <= rest * whole + 1e-10 * whole:
            return rank
    return len(s)


def rank_with(values=lambda b, a: torch.linalg.svdvals((a - b).double()), power=2, extra=0):
    def rank(before, after, rest):
        energy = values(before, after) ** power
        total = energy.sum().item()
        kept = 0.0
        for r, part in enumerate([0.0, *energy.tolist()]):
            kept += part
            if total - kept <= rest * total + 1e-10 * total:
                return r + (extra if r else 0)
        return len(energy)

    return rank


def product(rows, columns, sizes, seed=0):
    """A matrix with the singular values `sizes`."""
    n = len(sizes)
    u = torch.linalg.qr(normal(rows, n, seed=seed).double()).Q
    v = torch.linalg.qr(normal(columns, n, seed=seed + 1).double()).Q
    return (u * torch.tensor(sizes, dtype=torch.float64)) @ v.T


W = normal(6, 4, seed=9).double()

# ------------------------------------------------------------------ 14.7


def from_lists(log_p, log_p0):
    bits = [(a - b) / math.log(2) for a, b in zip(log_p.tolist(), log_p0.tolist())]
    return float(numpy.mean(bits)), float(numpy.std(bits, ddof=1) / len(bits) ** 0.5)


LN2 = math.log(2)


def kl_with(unit=LN2, sign=1, ddof=1, root=True, weigh=False):
    def divergence(log_p, log_p0):
        bits = sign * (log_p - log_p0).double() / unit
        mean = (bits * log_p.double().softmax(0)).sum() if weigh else bits.mean()
        error = bits.std(correction=ddof)
        return mean, error / math.sqrt(len(bits)) if root else error

    return divergence


EXERCISES = (
    Exercise(
        id="14.1",
        title="How many numbers are trained?",
        level="easy",
        minutes=8,
        hints=(
            "An update of rank r is two matrices. Which shapes have they?",
            "A has r rows of d_in numbers, B has d_out rows of r. Add them; then over the two "
            "matrices of a block, and 30 blocks.",
            "8 * (576 + 960) for the first; for (c), r * (576 + 576) >= 576 * 576. Which r is the "
            "smallest?",
        ),
        cases=(Case((), "three numbers are wanted.", [12288, 645120, 288]),),
        mistakes=(
            Mistake([8 * 576 * 960, 30 * 8 * (576 * 960 + 576 * 576), 288], "multiplying the two "
                    "sides: that is the whole matrix, 8 times."),
            Mistake([12288, 645120, 576], "taking the full rank for (c). At half of it the two "
                    "strips have as many numbers as the matrix."),
            Mistake([12288, 368640, 288], "forgetting the output projections in (b)."),
            Mistake([12288, 21504, 288], "counting one block in (b). There are 30."),
            Mistake([4608, 645120, 288], "counting A alone in (a)."),
            Mistake([7680, 645120, 288], "counting B alone in (a)."),
            Mistake([12288, 645120, 289], "one too many in (c): at 288 the numbers are equal."),
        ),
    ),
    Exercise(
        id="14.2",
        title="Fold it in",
        level="easy",
        minutes=8,
        call="merge(weight, A, B, alpha)",
        hints=(
            "W x + s B A x is (W + s B A) x. What is s?",
            "The update has the shape of the weight: B is (d_out, rank), A is (rank, d_in).",
            "weight + alpha / rank * (B @ A). Which side of A is the rank?",
        ),
        reference=by_columns,
        cases=(
            Case((torch.zeros(2, 2), torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [4.0]]), 1.0),
                 "rank 1, alpha 1: the update is B A.", torch.tensor([[3.0, 6.0], [4.0, 8.0]])),
            Case((torch.ones(2, 2), torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [4.0]]), 1.0),
                 "the weight itself belongs to it.", torch.tensor([[4.0, 7.0], [5.0, 9.0]])),
            Case((torch.zeros(2, 2), torch.eye(2), torch.eye(2), 1.0), "rank 2: alpha is divided "
                 "by the rank.", torch.eye(2) / 2),
            Case((torch.zeros(2, 2), torch.eye(2), torch.eye(2), 6.0), "alpha multiplies.",
                 3 * torch.eye(2)),
            Case((normal(3, 5), normal(2, 5, seed=1), normal(3, 2, seed=2), 4.0), "3 outputs, 5 "
                 "inputs, rank 2.", rtol=1e-3, atol=1e-5),
            Case((normal(4, 4), normal(3, 4, seed=1), torch.zeros(4, 3), 4.0), "B is zero: nothing "
                 "changes.", normal(4, 4)),
        ),
        mistakes=(
            Mistake(lambda w, A, B, a: w + a * (B @ A), "not dividing by the rank."),
            Mistake(lambda w, A, B, a: w + B @ A, "leaving out alpha and the rank."),
            Mistake(lambda w, A, B, a: w + a / w.shape[1] * (B @ A), "dividing by d_in. The rank "
                    "is the number of rows of A."),
            Mistake(lambda w, A, B, a: w + len(A) / a * (B @ A), "dividing the wrong way round."),
            Mistake(lambda w, A, B, a: a / len(A) * (B @ A), "returning the update alone."),
            Mistake(lambda w, A, B, a: a / len(A) * (w + B @ A), "scaling the weight too."),
            Mistake(lambda w, A, B, a: w + a / len(A) * (B @ A).T if w.shape[0] == w.shape[1]
                    else w + a / len(A) * (B @ A), "transposing the update."),
        ),
    ),
    Exercise(
        id="14.3",
        title="Labels",
        level="medium",
        minutes=12,
        call="labelled(rows, end)",
        hints=(
            "Fill both with what padding has, then write each row into it.",
            "A row is prompt, answer, end; its labels begin at len(prompt) and stop after that "
            "end. Which places of `labels` stay -100?",
            "labels[i, len(prompt):len(row)] = torch.tensor(row[len(prompt):]). What is len(row), "
            "in prompt and answer?",
        ),
        reference=token_by_token,
        cases=(
            Case(([([1, 2], [3])], 0), "one row: the answer and its end are labels.",
                 (torch.tensor([[1, 2, 3, 0]]), torch.tensor([[-100, -100, 3, 0]]))),
            Case(([([1], [3]), ([1, 2], [4, 5])], 0), "the shorter row is padded with end, on the "
                 "right; padding has no label.",
                 (torch.tensor([[1, 3, 0, 0, 0], [1, 2, 4, 5, 0]]),
                  torch.tensor([[-100, 3, 0, -100, -100], [-100, -100, 4, 5, 0]]))),
            Case(([([1], [])], 9), "an empty answer: only its end is learnt."),
            Case(([([1, 9, 2], [9, 4])], 9), "end may stand inside a prompt or an answer: it is "
                 "not what tells them apart."),
            Case((LONG_ROWS, 0), "three rows of different lengths."),
        ),
        mistakes=(
            Mistake(lambda r, e: token_by_token(r, e, learn_end=False), "not learning the end: the "
                    "model would never stop."),
            Mistake(lambda r, e: token_by_token(r, e, learn_padding=True), "learning the padding."),
            Mistake(lambda r, e: token_by_token(r, e, learn_prompt=True), "learning the prompt."),
            Mistake(lambda r, e: token_by_token(r, e, shift=1), "starting one token too early, "
                    "with the prompt's last. The loss does the shift."),
            Mistake(shifted_labels, "shifting the labels. They stand where their tokens stand; the "
                    "loss does the shift."),
            Mistake(ends_forgotten, "taking every end for padding. The first one after the answer "
                    "has to be learnt."),
            Mistake(padded_left, "padding on the left."),
            Mistake(lambda r, e: token_by_token(r, e)[0], "returning the tokens alone."),
        ),
    ),
    Exercise(
        id="14.4",
        title="The preference loss",
        level="medium",
        minutes=12,
        call="preference_loss(chosen, rejected, ref_chosen, ref_rejected, chosen_mask, "
             "rejected_mask, beta)",
        hints=(
            "First for each row: how much has the chosen answer gained, as a whole?",
            "An answer's log-probability is the sum over its tokens, padding left out. The loss is "
            "-log sigmoid of beta times the difference of two gains.",
            "gain = ((chosen - ref_chosen) * chosen_mask).sum(-1), the same for the rejected; then "
            "-F.logsigmoid(...).mean(). Where does beta go?",
        ),
        reference=by_softplus,
        cases=(
            Case((ROW, ROW, ROW, ROW, ONE, ONE, 0.1), "nothing has changed: the loss is ln 2.",
                 math.log(2)),
            Case((ROW + 1, ROW, ROW, ROW, ONE, ONE, 1.0), "the chosen answer has gained 1 for each "
                 "of its 2 tokens: the gain is 2.", math.log1p(math.exp(-2))),
            Case((ROW, ROW + 1, ROW, ROW, ONE, ONE, 1.0), "the rejected one has gained 2: the loss "
                 "is larger than ln 2.", math.log1p(math.exp(2))),
            Case((ROW + 1, ROW, ROW, ROW, ONE, ONE, 0.5), "beta = 0.5 halves what is inside the "
                 "sigmoid.", math.log1p(math.exp(-1))),
            Case((ROW + 1, ROW, ROW + 1, ROW, ONE, ONE, 1.0), "the reference has the same: no "
                 "gain.", math.log(2)),
            Case((torch.tensor([[-1.0, -9.0]]), ROW, ROW, ROW, torch.tensor([[1, 0]]), ONE, 1.0),
                 "the second token of the chosen answer is padding.", math.log(2)),
            Case((*pairs(3, 5, 0), 0.1), "three pairs, of different lengths."),
            Case((*pairs(8, 6, 1), 0.5), "eight pairs."),
            Case((ROW - 200, ROW, ROW, ROW, ONE, ONE, 1.0), "a very bad pair: the loss is large, "
                 "and finite.", 400.0),
        ),
        mistakes=(
            Mistake(lambda *a: preference(*a, total=masked_mean), "averaging over the tokens. The "
                    "log-probability of an answer is a sum."),
            Mistake(lambda *a: preference(*a, total=lambda x, m: x.sum(-1)), "counting the "
                    "padding."),
            Mistake(lambda *a: preference(*a[:5], a[4], a[6]), "using the chosen answer's mask for "
                    "both. The rejected one has its own."),
            Mistake(lambda *a: preference(*a, reference=False), "leaving out the reference."),
            Mistake(lambda *a: preference(*a, inner=False), "putting beta outside of the sigmoid."),
            Mistake(lambda c, r, *a: preference(r, c, a[1], a[0], a[3], a[2], a[4]), "preferring "
                    "the rejected answer."),
            Mistake(lambda *a: preference(*a, link=torch.sigmoid), "leaving out the logarithm."),
            Mistake(lambda *a: -preference(*a), "forgetting the minus sign."),
            Mistake(lambda *a: preference(*a) * len(a[0]), "adding up over the batch. The mean is "
                    "wanted."),
        ),
    ),
    Exercise(
        id="14.5",
        title="When to stop",
        level="medium",
        minutes=12,
        call="early_stop(losses, patience, margin)",
        hints=(
            "Keep a count of evaluations that were no improvement, and the loss they are compared "
            "with.",
            "An improvement sets that loss and puts the count to 0; anything else adds 1. When the "
            "count reaches `patience`, you stop there.",
            "if loss < reference - margin: reference, waited = loss, 0; else: waited += 1. And the "
            "index of the best: min(range(i + 1), key=...)?",
        ),
        reference=stopping,
        cases=(
            Case(([3.0], 2, 0.0), "a single evaluation.", (0, 0)),
            Case(([3.0, 2.0, 1.0], 2, 0.0), "it gets better all the time: stop at the last.",
                 (2, 2)),
            Case(([3.0, 2.0, 2.5, 2.6, 1.0], 2, 0.0), "two in a row were not better than 2.0: "
                 "stop at the second of them.", (3, 1)),
            Case(([3.0, 2.0, 2.5, 1.9, 2.0, 2.1], 2, 0.0), "a new best starts the count again.",
                 (5, 3)),
            Case(([3.0, 2.0, 2.5, 2.4, 9.0], 2, 0.0), "2.4 is better than 2.5, but not than the "
                 "best.", (3, 1)),
            Case(([2.0, 2.0, 2.0, 2.0], 2, 0.0), "equal is not better; the first of equals is the "
                 "best.", (2, 0)),
            Case((SLOW, 2, 0.2), "small gains within the margin do not reset the count, but the "
                 "checkpoint of the smallest loss is kept.", (2, 2)),
            Case((SLOW, 2, 0.08), "compare with the loss that last reset the count: 4.9 is better "
                 "than 5.0 by more than 0.08, and then 4.8 than 4.9, though no single step is.",
                 (4, 4)),
            Case((NOISY, 3, 0.0), "the count starts again at 3.9; what comes after the stop is "
                 "never seen.", (7, 4)),
            Case((NOISY, 2, 0.0), "patience 2.", (3, 1)),
        ),
        mistakes=(
            Mistake(lambda x, p, m: stopping(x, p, m, keep="last"), "keeping the last checkpoint. "
                    "The best one came before."),
            Mistake(lambda x, p, m: stopping(x, p, m, keep="reset"), "keeping the one that last "
                    "reset the count. A smaller loss within the margin is better still."),
            Mistake(lambda x, p, m: stopping(x, p, m, reset=lambda x, r, m, b: x < b - m),
                    "comparing with the evaluation before. Compare with the best."),
            Mistake(lambda x, p, m: stopping(x, p, m, reset=lambda x, r, m, b: x <= r - m),
                    "taking an equal loss for a better one."),
            Mistake(lambda x, p, m: stopping(x, p, 0.0), "ignoring the margin."),
            Mistake(lambda x, p, m: stopping(x, p, m, enough=lambda w, p: w > p), "stopping one "
                    "evaluation too late."),
            Mistake(lambda x, p, m: stopping(x, p - 1, m), "stopping one evaluation too early."),
            Mistake(lambda x, p, m: (len(x) - 1, min(range(len(x)), key=x.__getitem__)), "never "
                    "stopping."),
            Mistake(lambda x, p, m: stopping(x, p, m)[::-1], "giving the two in the other order."),
        ),
    ),
    Exercise(
        id="14.6",
        title="What rank has an update?",
        level="hard",
        minutes=15,
        call="update_rank(before, after, rest)",
        hints=(
            "It is the difference that has a rank here. Which decomposition shows it?",
            "The best update of rank r keeps the r largest singular values. What it misses, in "
            "squares, is the sum of the squares of the others.",
            "energy = torch.linalg.svdvals(after - before) ** 2; go through r = 0, 1, 2, ... until "
            "energy[r:].sum() <= ... of the whole. What if the whole is 0?",
        ),
        reference=rank_by_trying,
        cases=(
            Case((W, W, 0.1), "nothing has changed: the rank is 0.", 0),
            Case((W, W + product(6, 4, [2.0]), 0.01), "the change is one direction.", 1),
            Case((W, W + product(6, 4, [3.0, 1.0]), 0.2), "two directions, of sizes 3 and 1: the "
                 "second holds 1 of 10 parts of the squares.", 1),
            Case((W, W + product(6, 4, [3.0, 1.0]), 0.05), "at most 5% may be missed.", 2),
            Case((W, W + product(6, 4, [2.0, 2.0, 2.0, 2.0]), 0.5), "four equal directions: two "
                 "miss exactly half, which is allowed.", 2),
            Case((W, W + product(6, 4, [2.0, 1.5, 1.0, 0.5]), 0.0), "nothing may be missed.", 4),
            Case((W, W + product(6, 4, [5.0, 1.0]), 1.0), "all may be missed: rank 0 will do.", 0),
            Case((normal(8, 12), normal(8, 12) + 0.1 * normal(8, 12, seed=4), 0.1), "a change "
                 "without any direction: nearly full rank."),
        ),
        mistakes=(
            Mistake(rank_with(values=lambda b, a: torch.linalg.svdvals(a)), "looking at the "
                    "weight after. It is the change that counts."),
            Mistake(rank_with(power=1), "adding up singular values. It is their squares that add "
                    "up."),
            Mistake(lambda b, a, rest: rank_with()(b, a, rest**2), "comparing norms. `rest` is a "
                    "share of the sum of the squares: leave out the root."),
            Mistake(rank_with(extra=1), "one too many."),
            Mistake(rank_with(extra=-1), "one too few."),
            Mistake(lambda b, a, rest: int(torch.linalg.matrix_rank(a - b)), "giving the full "
                    "rank. A part may be missed."),
            Mistake(lambda b, a, rest: int((torch.linalg.svdvals(a - b)
                                            > rest * torch.linalg.svdvals(a - b).max()).sum()),
                    "counting the singular values above a share of the largest. It is the sum of "
                    "the squares of the rest that counts."),
            Mistake(lambda b, a, rest: rank_with()(b, a, 1 - rest), "keeping `rest` instead of "
                    "missing it."),
        ),
    ),
    Exercise(
        id="14.7",
        title="How far has it gone?",
        level="hard",
        minutes=15,
        call="divergence(log_p, log_p0)",
        hints=(
            "The texts were drawn from the model already. What does that do to the weights in the "
            "expectation?",
            "A plain mean of log_p - log_p0, in bits; its standard error is the standard deviation "
            "over the root of n.",
            "ratio = (log_p - log_p0) / math.log(2); ratio.mean(), and ratio.std() / ... ?",
        ),
        reference=from_lists,
        cases=(
            Case((torch.tensor([-2.0, -2.0]), torch.tensor([-2.0, -2.0])), "the model has not "
                 "moved.", (0.0, 0.0)),
            Case((torch.tensor([-1.0, -1.0]), torch.tensor([-1.0, -1.0]) - math.log(2)), "every "
                 "text is twice as likely: 1 bit, without any doubt.", (1.0, 0.0)),
            Case((torch.tensor([0.0, 0.0]), torch.tensor([0.0, -2 * math.log(2)])), "0 and 2 bits: "
                 "the mean is 1, the standard deviation the root of 2, the error 1.", (1.0, 1.0)),
            Case((torch.tensor([-3.0, -1.0, -2.0]), torch.tensor([-1.0, -1.0, -1.0])), "an "
                 "estimate may be negative."),
            Case((-20 + normal(50), -22 + normal(50, seed=1)), "fifty texts."),
            Case((-300 + 10 * normal(20), -330 + 10 * normal(20, seed=1)), "long texts: their "
                 "probabilities are too small to be written as numbers."),
        ),
        mistakes=(
            Mistake(kl_with(unit=1), "giving nats. Bits are wanted."),
            Mistake(kl_with(sign=-1), "subtracting the wrong way round."),
            Mistake(kl_with(ddof=0), "dividing by n in the standard deviation. It is n - 1."),
            Mistake(kl_with(root=False), "giving the standard deviation. The error of a mean is "
                    "smaller by the root of n."),
            Mistake(kl_with(weigh=True), "weighing the texts by their probability. They were drawn "
                    "by it already."),
            Mistake(lambda p, q: kl_with()(p, q)[0], "giving the estimate without its error."),
            Mistake(lambda p, q: (kl_with()(p, q)[0] * len(p), kl_with()(p, q)[1] * len(p)),
                    "adding up over the texts."),
            Mistake(lambda p, q: kl_with(unit=1 / math.log(2))(p, q), "multiplying by ln 2. A nat "
                    "is more than a bit."),
        ),
    ),
)
