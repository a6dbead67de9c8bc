"""The checks of chapter 14 tell wrong answers from right ones."""

import math

import pytest
import torch
import torch.nn.functional as F

from llmcourse.exercises.chapter_14 import (
    LN2,
    ends_forgotten,
    kl_with,
    masked_mean,
    padded_left,
    preference,
    rank_with,
    shifted_labels,
    stopping,
    token_by_token,
)
from llmcourse.exercises.exercise import find
from llmcourse.finetuning import LoRALinear, dpo_loss
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)

# ------------------------------------------------------------------ 14.1 counts

wrong("14.1", "sides multiplied", "multiplying the two sides")(
    [8 * 576 * 960, 30 * 8 * (576 * 960 + 576 * 576), 288]
)
wrong("14.1", "full rank", "taking the full rank")([12288, 645120, 576])
wrong("14.1", "no output projection", "forgetting the output projections")([12288, 368640, 288])
wrong("14.1", "one block", "counting one block")([12288, 21504, 288])
wrong("14.1", "A alone", "counting A alone")([4608, 645120, 288])
wrong("14.1", "B alone", "counting B alone")([7680, 645120, 288])
wrong("14.1", "one too many", "one too many in (c)")([12288, 645120, 289])
wrong("14.1", "two numbers", "3 numbers are wanted, and you give 2")([12288, 645120])
right("14.1", "numbers")([12288, 645120, 288])
right("14.1", "expressions")((8 * (576 + 960), 30 * 8 * (576 + 960 + 2 * 576), 576 / 2))

# ------------------------------------------------------------------ 14.2 fold it in

wrong("14.2", "rank left out", "not dividing by the rank")(lambda w, A, B, a: w + a * (B @ A))
wrong("14.2", "no scale", "leaving out alpha")(lambda w, A, B, a: w + B @ A)
wrong("14.2", "divided by d_in", "dividing by d_in")(
    lambda w, A, B, a: w + a / A.shape[1] * (B @ A)
)
wrong("14.2", "wrong way round", "the wrong way round")(
    lambda w, A, B, a: w + A.shape[0] / a * (B @ A)
)
wrong("14.2", "update alone", "returning the update alone")(
    lambda w, A, B, a: a / A.shape[0] * (B @ A)
)
wrong("14.2", "weight scaled", "scaling the weight too")(
    lambda w, A, B, a: a / A.shape[0] * (w + B @ A)
)


@wrong("14.2", "in place", "chang")
def _(weight, A, B, alpha):
    weight += alpha / A.shape[0] * (B @ A)
    return weight


@wrong("14.2", "the other product", "transposing the update")
def _(weight, A, B, alpha):
    return weight + alpha / A.shape[0] * (A.T @ B.T)


right("14.2", "one line")(lambda w, A, B, a: w + a / A.shape[0] * (B @ A))


@right("14.2", "a sum over directions")
def _(weight, A, B, alpha):
    merged = weight.clone()
    for a, b in zip(A, B.T):
        merged += alpha / len(A) * torch.outer(b, a)
    return merged


# ------------------------------------------------------------------ 14.3 labels

SETTINGS = [
    ("end not learnt", "would never stop", {"learn_end": False}),
    ("padding learnt", "learning the padding", {"learn_padding": True}),
    ("prompt learnt", "learning the prompt", {"learn_prompt": True}),
    ("one too early", "with the prompt's last", {"shift": 1}),
]
for name, says, settings in SETTINGS:
    wrong("14.3", name, says)(lambda r, e, settings=settings: token_by_token(r, e, **settings))
wrong("14.3", "shifted", "shifting the labels")(shifted_labels)
wrong("14.3", "every end is padding", "taking every end for padding")(ends_forgotten)
wrong("14.3", "padded on the left", "padding on the left")(padded_left)
wrong("14.3", "tokens alone", "")(lambda r, e: token_by_token(r, e)[0])


@wrong("14.3", "where tokens are not end", "")
def _(rows, end):
    tokens, labels = token_by_token(rows, end)
    prompt = torch.tensor([[i < len(p) for i in range(tokens.shape[1])] for p, _ in rows])
    return tokens, tokens.masked_fill(prompt | (tokens == end), -100)


right("14.3", "token by token")(token_by_token)


@right("14.3", "filled tensors")
def _(rows, end):
    longest = max(len(prompt) + len(answer) + 1 for prompt, answer in rows)
    tokens = torch.full((len(rows), longest), end)
    labels = torch.full((len(rows), longest), -100)
    for i, (prompt, answer) in enumerate(rows):
        row = [*prompt, *answer, end]
        tokens[i, : len(row)] = torch.tensor(row)
        labels[i, len(prompt) : len(row)] = torch.tensor(row[len(prompt) :])
    return tokens, labels


# ------------------------------------------------------------------ 14.4 preferences

wrong("14.4", "means", "is a sum")(lambda *a: preference(*a, total=masked_mean))
wrong("14.4", "padding counted", "counting the padding")(
    lambda *a: preference(*a, total=lambda x, m: x.sum(-1))
)
wrong("14.4", "one mask for both", "The rejected one has its own")(
    lambda *a: preference(*a[:5], a[4], a[6])
)
wrong("14.4", "no reference", "leaving out the reference")(
    lambda *a: preference(*a, reference=False)
)
wrong("14.4", "beta outside", "")(lambda *a: preference(*a, inner=False))
wrong("14.4", "the wrong one preferred", "preferring the rejected")(
    lambda c, r, rc, rr, mc, mr, beta: preference(r, c, rr, rc, mr, mc, beta)
)
wrong("14.4", "no logarithm", "leaving out the logarithm")(
    lambda *a: preference(*a, link=torch.sigmoid)
)
wrong("14.4", "no minus", "forgetting the minus")(lambda *a: -preference(*a))
wrong("14.4", "a sum over the batch", "adding up over the batch")(
    lambda *a: preference(*a) * len(a[0])
)
wrong("14.4", "log of sigmoid", "and finite")(
    lambda *a: preference(
        *(x.float() if torch.is_tensor(x) else x for x in a),
        link=lambda x: torch.sigmoid(x.float()).log(),
    )
)
right("14.4", "logsigmoid")(lambda *a: preference(*a))


@right("14.4", "softplus")
def _(chosen, rejected, ref_chosen, ref_rejected, chosen_mask, rejected_mask, beta):
    ours = (chosen * chosen_mask).sum(1) - (rejected * rejected_mask).sum(1)
    theirs = (ref_chosen * chosen_mask).sum(1) - (ref_rejected * rejected_mask).sum(1)
    return F.softplus(beta * (theirs - ours)).mean()


# ------------------------------------------------------------------ 14.5 early stopping


def stop(**settings):
    return lambda losses, patience, margin: stopping(losses, patience, margin, **settings)


wrong("14.5", "last checkpoint", "The best one came before")(stop(keep="last"))
wrong("14.5", "the one that reset", "A smaller loss within the margin")(stop(keep="reset"))
wrong("14.5", "against the one before", "Compare with the best")(
    stop(reset=lambda loss, reference, margin, before: loss < before - margin)
)
wrong("14.5", "equal is better", "an equal loss")(
    stop(reset=lambda loss, reference, margin, before: loss <= reference - margin)
)
wrong("14.5", "no margin", "ignoring the margin")(lambda x, p, m: stopping(x, p, 0.0))
wrong("14.5", "too late", "one evaluation too late")(
    stop(enough=lambda waited, patience: waited > patience)
)
wrong("14.5", "too early", "one evaluation too early")(lambda x, p, m: stopping(x, p - 1, m))
wrong("14.5", "never", "never stopping")(
    lambda x, p, m: (len(x) - 1, min(range(len(x)), key=x.__getitem__))
)
wrong("14.5", "swapped", "in the other order")(lambda x, p, m: stopping(x, p, m)[::-1])


@wrong("14.5", "against the smallest seen", "the loss that last reset the count")
def _(losses, patience, margin):
    smallest, waited = losses[0], 0
    for i, loss in enumerate(losses):
        if i:
            waited = 0 if loss < smallest - margin else waited + 1
        smallest = min(smallest, loss)
        if waited == patience:
            break
    return i, min(range(i + 1), key=losses.__getitem__)


right("14.5", "a walk")(stop())


@right("14.5", "a loop with the best kept")
def _(losses, patience, margin):
    reference, since, best = float("inf"), 0, 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        if i == 0 or loss < reference - margin:
            reference, since = loss, i
        if i - since == patience:
            return i, best
    return i, best


# ------------------------------------------------------------------ 14.6 the rank

wrong("14.6", "the weight after", "It is the change that counts")(
    rank_with(values=lambda b, a: torch.linalg.svdvals(a))
)
wrong("14.6", "not squared", "their squares that add up")(rank_with(power=1))
wrong("14.6", "norms", "leave out the root")(lambda b, a, rest: rank_with()(b, a, rest**2))
wrong("14.6", "one too many", "one too many")(rank_with(extra=1))
wrong("14.6", "one too few", "one too few")(rank_with(extra=-1))
wrong("14.6", "full rank", "A part may be missed")(
    lambda b, a, rest: int(torch.linalg.matrix_rank(a - b))
)
wrong("14.6", "rest kept", "keeping `rest`")(lambda b, a, rest: rank_with()(b, a, 1 - rest))


@wrong("14.6", "above a share of the largest", "above a share of the largest")
def _(before, after, rest):
    sizes = torch.linalg.svdvals(after - before)
    return int((sizes > rest * sizes.max()).sum())


right("14.6", "cumulative energy")(rank_with())


@right("14.6", "eigenvalues of the Gram matrix")
def _(before, after, rest):
    change = (after - before).double()
    energy = torch.linalg.eigvalsh(change.T @ change).clamp(min=0).flip(0)
    whole = energy.sum()
    for rank in range(len(energy) + 1):
        if energy[rank:].sum() <= (rest + 1e-10) * whole:
            return rank


# ------------------------------------------------------------------ 14.7 divergence

wrong("14.7", "nats", "Bits are wanted")(kl_with(unit=1))
wrong("14.7", "wrong way round", "the wrong way round")(kl_with(sign=-1))
wrong("14.7", "n", "It is n - 1")(kl_with(ddof=0))
wrong("14.7", "deviation", "The error of a mean")(kl_with(root=False))
wrong("14.7", "weighed", "They were drawn")(kl_with(weigh=True))
wrong("14.7", "no error", "")(lambda p, q: kl_with()(p, q)[0])
wrong("14.7", "sums", "adding up over the texts")(
    lambda p, q: tuple(len(p) * part for part in kl_with()(p, q))
)
wrong("14.7", "times ln 2", "A nat is more than a bit")(kl_with(unit=1 / LN2))
wrong("14.7", "by F.kl_div", "")(
    lambda p, q: (F.kl_div(q, p, reduction="sum", log_target=True) / LN2, 0.0)
)
right("14.7", "in double")(kl_with())


@right("14.7", "with numpy's formula")
def _(log_p, log_p0):
    bits = (log_p - log_p0).numpy().astype(float) / math.log(2)
    return bits.mean(), bits.std(ddof=1) / math.sqrt(len(bits))


# ------------------------------------------------------------------


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


def test_every_exercise_has_enough_answers():
    assert_enough_answers(14, WRONG, RIGHT)


def test_the_merged_weight_is_that_of_the_package():
    layer = LoRALinear(torch.nn.Linear(5, 3), rank=2, alpha=4)
    torch.nn.init.normal_(layer.B)
    merged = find("14.2").reference(layer.linear.weight, layer.A, layer.B, 4)
    torch.testing.assert_close(merged.float(), layer.linear.weight + layer.update())


def test_the_preference_loss_is_that_of_the_package():
    case = find("14.4").cases[6]
    *parts, beta = case.args
    chosen, rejected, ref_chosen, ref_rejected, good, bad = parts
    sums = [
        (x * m).sum(1)
        for x, m in zip((chosen, rejected, ref_chosen, ref_rejected), (good, bad, good, bad))
    ]
    expected = find("14.4").reference(*case.args)
    assert dpo_loss(*sums, beta).loss.item() == pytest.approx(expected, rel=1e-5)
